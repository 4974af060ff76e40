"""Which checks and invariants notice which mutant."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from contract_tests.mutants.messages import straight
from contract_tests.mutants.mutant import Mutant
from contract_tests.mutants.stage import Stage
from contract_tests.mutants.table_system import declares_less
from contract_tests.mutants.walk import Walk
from contract_tests.requirements import Check, checks
from contract_tests.running.checks import Outcome, Result, run_check

SHARED: Final = (
    "GEN-002-errors_are_code_message_details",
    "GEN-024-answers_are_as_documented",
    "LST-001-orders_lists_open_ones",
    "ORD-001-accepted_order_reads_as_submitted",
    "CAN-001-cancelled_order_stays_cancelled",
    "TRD-001-every_fill_is_listed_once",
    "POS-006-position_is_marked_where_it_would_close",
    "ACC-004-balance_moves_by_what_was_traded",
    "QUO-002-bid_last_ask_are_in_order",
)
"""Quick checks that every mutant meets besides those of the requirement that it breaks."""

INVARIANT: Final = "an invariant"
TRIES: Final = 3


@dataclass(slots=True, kw_only=True)
class Row:
    """What became of one mutant: the checks that failed, and the requirements seen broken."""

    name: str
    breaks: str
    own: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    stock: list[str] | None = None
    seconds: float = 0.0

    @property
    def killed(self) -> bool:
        """Whether the requirement that it breaks was seen to fail."""
        return bool(self.own)

    def note(self, killer: str, requirement: str) -> None:
        """A check or an invariant noticed it."""
        found = self.own if requirement == self.breaks else self.others
        if killer not in found:
            found.append(killer)


class ControlFailed(Exception):
    """A server that is right fails a check: what that check kills means nothing."""


def judge(mutant: Mutant, stage: Stage) -> Row:
    """Run against a mutant the checks of its requirement, the shared ones, and a walk."""
    started = time.monotonic()
    row = Row(name=mutant.name, breaks=mutant.breaks)
    stage.become(mutant.make, mutant.restarted)
    for check in (*own_checks(mutant.breaks), *shared_checks(mutant.breaks)):
        _add(row, check, stage)
    Walk(stage.api()).go()
    _add_invariants(row, stage)
    _admit_mistakes(row, stage)
    stage.tidy()
    row.seconds = time.monotonic() - started
    return row


def first_killer(mutant: Mutant, stage: Stage) -> Row:
    """Run against a mutant the checks of its requirement until one notices, else a walk."""
    row = Row(name=mutant.name, breaks=mutant.breaks)
    stage.become(mutant.make, mutant.restarted)
    for check in own_checks(mutant.breaks):
        _add(row, check, stage)
        if row.killed:
            break
    else:
        Walk(stage.api()).go()
        _add_invariants(row, stage)
    _admit_mistakes(row, stage)
    stage.tidy()
    return row


def _admit_mistakes(row: Row, stage: Stage) -> None:
    """What a mutant that does not work itself was noticed by proves nothing."""
    if mistakes := stage.mistakes():
        row.own, row.others = [], []
        row.unsure = [f"the mutant made {len(mistakes)} mistakes: {mistakes[0]}"]


def own_checks(requirement: str) -> list[Check]:
    """The checks of a requirement."""
    return [check for check in checks() if check.requirement == requirement]


def shared_checks(requirement: str) -> list[Check]:
    """The shared checks that are not of that requirement."""
    return [one for one in checks() if one.id in SHARED and one.requirement != requirement]


def _add(row: Row, check: Check, stage: Stage) -> None:
    result = run_patiently(check, stage)
    if result.outcome is Outcome.FAILED:
        row.note(check.id, check.requirement)
    elif result.outcome is not Outcome.PASSED and check.requirement == row.breaks:
        row.unsure.append(f"{check.id}: {result.outcome}, {result.reason}")
    _add_invariants(row, stage)


def _add_invariants(row: Row, stage: Stage) -> None:
    for violation in stage.watcher.take():
        row.note(f"{violation.requirement}-{INVARIANT}", violation.requirement)


def run_patiently(check: Check, stage: Stage) -> Result:
    """Run a check where it belongs, again where the market let it see nothing."""
    hedges = check.run.__module__.endswith(".hedging")
    for attempt in range(1, TRIES + 1):
        result = run_check(check, stage.lab.hedging() if hedges else stage.api())
        if result.outcome is not Outcome.NOT_EXERCISED or attempt == TRIES:
            return result
    raise AssertionError("the last try returns")


def control(requirements: list[str], stage: Stage) -> Iterator[str]:
    """Run all that the mutants of some requirements rely on against servers that are right.

    Yields the id of each check that passed; raises ControlFailed for one that does not.
    """
    for requirement in requirements:
        stage.become(lambda: declares_less if requirement == "ORD-026" else straight)  # noqa: B023
        for check in own_checks(requirement):
            yield passes(check, stage)
        stage.tidy()
    stage.become(lambda: straight)
    for check in shared_checks(""):
        yield passes(check, stage)
    Walk(stage.api()).go()
    _unbroken("the walk", stage)
    stage.tidy()


def passes(check: Check, stage: Stage) -> str:
    """The id of a check that passes; raises ControlFailed where it or an invariant does not."""
    result = run_patiently(check, stage)
    if result.outcome is not Outcome.PASSED:
        raise ControlFailed(f"{check.id}\n{result.render()}")
    _unbroken(check.id, stage)
    return check.id


def _unbroken(what: str, stage: Stage) -> None:
    for violation in stage.watcher.take():
        raise ControlFailed(f"{what} met {violation.requirement}: {violation.failure}")
