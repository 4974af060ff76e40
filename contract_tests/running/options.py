"""What a run shall do, and which requirements that concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from contract_tests.requirements import Check, checks
from contract_tests.spec import Requirement, requirements

PROFILES: Final = {
    "core": "what the protocol's founding document states",
    "full": "common practice too",
    "smoke": "what every server must do, by checks that neither trade nor wait",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `trading-conformance run`, and all that a report tells about them.

    `only` is empty where all requirements are meant. `fuzz_time` is in seconds, 0 for no fuzzing;
    `max_time` in seconds, None for no limit; `reports` the path of each kind that was asked for.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    profile: str = "full"
    seed: int = 0
    only: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    symbols: tuple[str, ...] = ()
    allow_fills: bool = False
    known_failures: frozenset[str] = frozenset()
    max_time: float | None = None
    timeout: float = 10.0
    fuzz_time: float = 0.0
    reports: Mapping[str, Path] = field(default_factory=dict)


def why_skipped(one: Requirement, options: Options) -> str:
    """Why the run leaves a requirement out; empty when it does not."""
    if one.id in options.skip:
        return "left out by --skip"
    if options.only and one.id not in options.only:
        return "not among --only"
    if options.profile != "full" and one.profile != "core":
        return f"not in the profile {options.profile}"
    if options.profile == "smoke" and one.level != "MUST":
        return "not in the profile smoke"
    return ""


def plan(options: Options) -> list[Check]:
    """The checks of a run, in the order of the requirements."""
    order = {requirement_id: place for place, requirement_id in enumerate(requirements())}
    chosen = [one for one in checks() if _is_chosen(one, options)]
    return sorted(chosen, key=lambda one: order[one.requirement])


def _is_chosen(check: Check, options: Options) -> bool:
    if why_skipped(requirements()[check.requirement], options):
        return False
    # What needs nothing neither trades nor waits for the market.
    return options.profile != "smoke" or not check.needs
