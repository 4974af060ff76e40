"""Runs checks against a server and tells what became of each requirement."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

from contract_tests.requirements import Check
from contract_tests.spec import Requirement, enum, requirements
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.chance import Chance
from contract_tests.toolkit.chance import use as use_chance
from contract_tests.toolkit.expect import Failure, NotDeclared, NotExercised, NotOffered
from contract_tests.toolkit.frames import wrong_frames
from contract_tests.toolkit.invariants import Judge, Violation
from contract_tests.toolkit.lab import NEEDS
from contract_tests.wire.clock import use as use_clock
from contract_tests.wire.traffic import Exchange

SUITE: Final = Path(__file__).parents[1]


class Outcome(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_DECLARED = "not declared"
    NOT_OFFERED = "needs"
    NOT_EXERCISED = "not exercised"
    PENDING = "pending"
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome for one requirement, why, and what went over the wire in the check.

    `cleaning` is what the check had to send afterwards to leave no trace. A result that was found
    by the way has the check that was running, but a requirement of its own, and `by_the_way` set.
    """

    requirement: Requirement
    outcome: Outcome
    reason: str = ""
    failure: Failure | None = None
    exchanges: tuple[Exchange, ...] = ()
    cleaning: tuple[Exchange, ...] = ()
    check: Check | None = None
    by_the_way: bool = False
    started_at: datetime | None = None
    seconds: float = 0.0

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
    judge: Judge = field(default_factory=Judge)

    def __call__(self, exchange: Exchange) -> None:
        """Judge one exchange; of a WebSocket its frames."""
        if exchange.messages is None:
            self.found += self.judge.violations(exchange)
        else:
            self.found += [Violation(*one) for one in wrong_frames(exchange)]

    def take(self) -> list[Violation]:
        """What was found since the last call."""
        taken, self.found = self.found, []
        return taken


def run_check(check: Check, api: Api, *, seed: int | None = None) -> Result:
    """Run one check and clean up after it. Never raises for what a server does.

    With a seed the check makes up the same values each time.
    """
    clock, before = api.client.clock, len(api.client.exchanges)
    clock.begin()
    began, started_at = time.monotonic(), clock.now()
    with use_clock(clock), use_chance(_chance(check, api, seed)):
        try:
            outcome, reason, failure = _judge(check, api)
            middle = len(api.client.exchanges)
        finally:
            problem = _clean_up(api)
    return Result(
        requirement=requirements()[check.requirement],
        outcome=outcome,
        reason=f"{reason} (clean-up: {problem})".strip() if problem else reason,
        failure=failure,
        exchanges=tuple(api.client.exchanges[before:middle]),
        cleaning=tuple(api.client.exchanges[middle:]),
        check=check,
        started_at=started_at,
        seconds=time.monotonic() - began,
    )


def _chance(check: Check, api: Api, seed: int | None) -> Chance:
    if seed is None:
        return Chance()
    return Chance(f"{seed}/{check.id}", partial(_taken, api))


def _taken(api: Api, field: str, value: str) -> bool:
    """Whether an order has the value already: a run with the same seed was here before."""
    found = api.client.send("GET", "/orders", {field: value, "status": enum("OrderStatus")})
    if found.status != HTTPStatus.OK or not isinstance(found.body, list):
        return False
    return any(isinstance(one, dict) and one.get(field) == value for one in found.body)


_UNJUDGED: Final[dict[type[Exception], Outcome]] = {
    NotDeclared: Outcome.NOT_DECLARED,
    NotExercised: Outcome.NOT_EXERCISED,
    NotOffered: Outcome.NOT_OFFERED,
}
"""What a check raises that it does not judge."""


def _judge(check: Check, api: Api) -> tuple[Outcome, str, Failure | None]:
    requirement = requirements()[check.requirement]
    try:
        if missing := check.needs - api.lab.offers:
            return Outcome.NOT_OFFERED, ", ".join(NEEDS[need] for need in sorted(missing)), None
        if requirement.feature is not None:
            api.require(requirement.feature)
        check.run(api)
    except Failure as failure:
        return Outcome.FAILED, failure.what, failure
    except tuple(_UNJUDGED) as reason:
        return _UNJUDGED[type(reason)], str(reason), None
    except Exception as error:  # noqa: BLE001  whatever else escapes is the suite's own fault
        return Outcome.BROKEN, where(error), None
    return Outcome.PASSED, "", None


def _clean_up(api: Api) -> str:
    """Leave no trace; what kept it from that, if anything did."""
    try:
        api.clean_up()
    except Failure as failure:
        return f"{failure.what}: expected {failure.expected}, actual {failure.actual}"
    except NotExercised as exercised:
        return str(exercised)
    except Exception as error:  # noqa: BLE001  a check that is right is not spoilt by this
        return where(error)
    return ""


def where(error: Exception) -> str:
    """The exception and the line of the suite that it came from, without any path."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if Path(one.filename).is_relative_to(SUITE)] or frames
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
    return f"{type(error).__name__}: {error} ({place})"


def run(checks: Iterable[Check], api: Api, watcher: Watcher) -> Iterator[Result]:
    """One result a check, and one more for each requirement that its traffic broke by the way."""
    for check in checks:
        result = run_check(check, api)
        yield result
        for other in broken_by_the_way(watcher.take(), result):
            if not api.market.disclaims(other.requirement.feature):
                yield other


def broken_by_the_way(found: Iterable[Violation], result: Result) -> Iterator[Result]:
    """Results for invariants broken while another requirement was judged, one each."""
    failures = {violation.requirement: violation.failure for violation in found}
    for requirement_id, failure in failures.items():
        yield Result(
            requirement=requirements()[requirement_id],
            outcome=Outcome.FAILED,
            reason=f"{failure.what} (seen while judging {result.requirement.id})",
            failure=failure,
            exchanges=_until(failure.exchange, result.exchanges + result.cleaning),
            check=result.check,
            by_the_way=True,
            started_at=result.started_at,
        )


def _until(judged: Exchange | None, exchanges: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    """The exchanges up to the one that was judged."""
    place = next((i for i, one in enumerate(exchanges) if one is judged), len(exchanges) - 1)
    return exchanges[: place + 1]
