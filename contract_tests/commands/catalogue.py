"""`list` and `explain`: what the suite judges, and how."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from contract_tests.commands.output import CONFORMANT, say
from contract_tests.requirements import Check, checks, pending
from contract_tests.spec import Requirement, requirements
from contract_tests.toolkit.lab import NEEDS


def list_requirements(options: argparse.Namespace) -> int:
    """One line a requirement: id, level, profile, how many checks, feature, sentence."""
    counts = Counter(check.requirement for check in checks())
    if options.json:
        say(json.dumps([_entry(one) for one in requirements().values()], indent=1))
        return CONFORMANT
    for one in requirements().values():
        condition = f" [{one.feature}]" if one.feature else ""
        say(f"{one.id}  {one.level:6}  {one.profile}  {counts[one.id]}{condition}  {one.text}")
    return CONFORMANT


def _entry(one: Requirement) -> dict[str, Any]:
    return {
        "id": one.id,
        "level": one.level,
        "profile": one.profile,
        "feature": one.feature,
        "where": one.where,
        "text": one.text,
        "pending": pending().get(one.id),
        "checks": [
            {"id": check.id, "description": described(check), "needs": sorted(check.needs)}
            for check in checks()
            if check.requirement == one.id
        ],
    }


def described(check: Check) -> str:
    """What a check does, in a sentence."""
    return (check.run.__doc__ or "").strip()


def explain_requirement(options: argparse.Namespace) -> int:
    """The requirement, where it stands, and what each of its checks does."""
    one = requirements()[options.id]
    say(f"{one.id}: {one.text}")
    say(f"  level {one.level}, profile {one.profile}, on {one.where}")
    if one.feature:
        say(f"  judged only where GET /capabilities declares {one.feature}")
    for check in (check for check in checks() if check.requirement == one.id):
        say(f"  {check.run.__name__}: {described(check)}")
        for need in sorted(check.needs):
            say(f"    needs {NEEDS[need]}")
    if one.id in pending():
        say(f"  no check yet: {pending()[one.id]}")
    return CONFORMANT
