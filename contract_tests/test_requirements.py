"""Every requirement of the spec, judged against our own server."""

from __future__ import annotations

import pytest

from contract_tests.laboratory.fleet import SessionLab
from contract_tests.requirements import Check, checks
from contract_tests.running.checks import Outcome, Watcher, broken_by_the_way, run_check
from contract_tests.toolkit.api import Api

AREAS = ("hedging", "reduce_only", "brackets", "exits", "oco", "leverage", "closing", "positions")
HEDGED = [
    check
    for check in checks()
    if check.run.__module__.rpartition(".")[2] in AREAS and check.needs <= {"fills"}
]
NETTED = [check for check in checks() if not check.run.__module__.endswith(".hedging")]


@pytest.fixture(scope="session")
def hedging(lab: SessionLab) -> Api:
    """A server whose accounts hedge."""
    return lab.hedging()


@pytest.mark.parametrize("check", NETTED, ids=lambda check: check.id)
def test_requirement(check: Check, api: Api, watcher: Watcher) -> None:
    """The server keeps the requirement, and breaks no other while it is judged."""
    _judge(check, api, watcher)


@pytest.mark.parametrize("check", HEDGED, ids=lambda check: check.id)
def test_requirement_while_hedging(check: Check, hedging: Api, watcher: Watcher) -> None:
    """What concerns positions holds of an account that hedges too."""
    _judge(check, hedging, watcher)


def _judge(check: Check, api: Api, watcher: Watcher) -> None:
    watcher.take()
    result = run_check(check, api)
    if result.outcome is Outcome.NOT_DECLARED:
        pytest.skip(f"not declared: {result.reason}")
    if result.outcome is not Outcome.PASSED:
        pytest.fail(result.render(), pytrace=False)
    assert result.reason == ""
    for other in broken_by_the_way(watcher.take(), result):
        pytest.fail(other.render(), pytrace=False)
