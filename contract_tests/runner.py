"""Runs checks against a server and tells what became of each requirement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from contract_tests.api import Api
from contract_tests.expect import Failure, NotDeclared, NotExercised
from contract_tests.invariants import Violation, violations
from contract_tests.lab import NEEDS
from contract_tests.requirements import Check
from contract_tests.spec import Requirement, requirements
from contract_tests.traffic import Exchange


class Outcome(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_DECLARED = "not declared"
    NOT_OFFERED = "needs"
    NOT_EXERCISED = "not exercised"
    PENDING = "pending"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome for one requirement, why, and what went over the wire in the failing check."""

    requirement: Requirement
    outcome: Outcome
    reason: str = ""
    failure: Failure | None = None
    exchanges: tuple[Exchange, ...] = ()

    def render(self) -> str:
        """The failure for a reader who knows nothing: sentence, judgement, both messages."""
        lines = [f"{self.requirement.id} ({self.requirement.level}): {self.requirement.text}"]
        lines.append(str(self.failure) if self.failure else f"  {self.outcome}: {self.reason}")
        shown = self.failure.exchange if self.failure else None
        if shown is None and self.exchanges:
            lines += ["  the last exchange was", self.exchanges[-1].render()]
        return "\n".join(lines)


@dataclass(slots=True)
class Watcher:
    """Looks at every exchange and keeps what breaks an invariant."""

    found: list[Violation] = field(default_factory=list)

    def __call__(self, exchange: Exchange) -> None:
        """Judge one exchange."""
        self.found += violations(exchange)

    def take(self) -> list[Violation]:
        """What was found since the last call."""
        taken, self.found = self.found, []
        return taken


def run_check(check: Check, api: Api) -> Result:
    """Run one check and clean up after it. Never raises for what a server does."""
    requirement = requirements()[check.requirement]
    before = len(api.client.exchanges)
    outcome, reason, failure = _judge(check, api, requirement)
    exchanges = tuple(api.client.exchanges[before:])
    try:
        api.clean_up()
    except (Failure, NotExercised) as problem:
        reason = f"{reason} (clean-up: {problem})".strip()
    return Result(
        requirement=requirement,
        outcome=outcome,
        reason=reason,
        failure=failure,
        exchanges=exchanges,
    )


def _judge(check: Check, api: Api, requirement: Requirement) -> tuple[Outcome, str, Failure | None]:
    try:
        if missing := check.needs - api.lab.offers:
            return Outcome.NOT_OFFERED, ", ".join(NEEDS[need] for need in sorted(missing)), None
        if requirement.feature is not None:
            api.require(requirement.feature)
        check.run(api)
    except Failure as failure:
        return Outcome.FAILED, failure.what, failure
    except NotDeclared as declared:
        return Outcome.NOT_DECLARED, str(declared), None
    except NotExercised as exercised:
        return Outcome.NOT_EXERCISED, str(exercised), None
    return Outcome.PASSED, "", None


def run(checks: Iterable[Check], api: Api, watcher: Watcher) -> Iterator[Result]:
    """One result a check, and one more for each requirement that its traffic broke by the way."""
    for check in checks:
        result = run_check(check, api)
        yield result
        yield from broken_by_the_way(watcher.take(), result)


def broken_by_the_way(found: Iterable[Violation], result: Result) -> Iterator[Result]:
    """Results for invariants broken while another requirement was judged, one each."""
    failures = {violation.requirement: violation.failure for violation in found}
    for requirement_id, failure in failures.items():
        yield Result(
            requirement=requirements()[requirement_id],
            outcome=Outcome.FAILED,
            reason=f"{failure.what} (seen while judging {result.requirement.id})",
            failure=failure,
        )
