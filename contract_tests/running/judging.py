"""From outcomes to the verdict: the same rules for a run and for who verifies its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from contract_tests.running.checks import Outcome

Document = dict[str, Any]

CONFORMANT: Final = "conformant"
NOT_CONFORMANT: Final = "not conformant"
NOTHING: Final = "nothing exercised"

WORST_FIRST: Final = (
    Outcome.BROKEN,
    Outcome.FAILED,
    Outcome.NOT_EXERCISED,
    Outcome.NOT_OFFERED,
    Outcome.PENDING,
    Outcome.NOT_DECLARED,
    Outcome.SKIPPED,
    Outcome.PASSED,
)
BAD: Final = frozenset({Outcome.BROKEN, Outcome.FAILED, Outcome.NOT_EXERCISED})
JUDGED: Final = frozenset({Outcome.PASSED, Outcome.FAILED})
UNHEARD: Final = frozenset({Outcome.NOT_OFFERED, Outcome.NOT_DECLARED})
"""What says nothing about a requirement for which another check passed."""


def worst(outcomes: Iterable[str]) -> Outcome:
    """The outcome of a requirement from those of its checks, of which there is at least one."""
    found = {Outcome(one) for one in outcomes}
    if Outcome.PASSED in found:
        found -= UNHEARD
    return min(found, key=WORST_FIRST.index)


def totals(requirements: Iterable[Document]) -> dict[str, dict[str, int]]:
    """How many requirements have each outcome, by level."""
    counts: dict[str, Counter[str]] = {}
    for one in requirements:
        counts.setdefault(one["level"], Counter())[one["outcome"]] += 1
    return {level: dict(count) for level, count in counts.items()}


def is_stale(requirement: Document) -> bool:
    """Whether it is listed as a known failure and holds all the same."""
    return bool(requirement["known_failure"]) and requirement["outcome"] == Outcome.PASSED


def is_damning(requirement: Document) -> bool:
    """Whether it stands in the way of conformance. What broke is excused by no list."""
    if requirement["level"] != "MUST":
        return False
    excused = requirement["known_failure"] and requirement["outcome"] != Outcome.BROKEN
    return requirement["outcome"] in BAD and not excused


def verdict(requirements: Iterable[Document]) -> str:
    """The verdict over all requirements of a report."""
    listed = list(requirements)
    if any(is_damning(one) or is_stale(one) for one in listed):
        return NOT_CONFORMANT
    judged = any(Outcome(one["outcome"]) in JUDGED for one in listed)
    return CONFORMANT if judged else NOTHING


def is_broken(document: Document) -> bool:
    """Whether a check or the fuzzing broke, so that the report tells something of the suite too."""
    fuzzing_broke = "error" in (document["fuzzing"] or {})
    return fuzzing_broke or any(
        one["outcome"] == Outcome.BROKEN for one in document["requirements"]
    )
