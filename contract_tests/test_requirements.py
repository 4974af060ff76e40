"""Every requirement of the spec, judged against our own server."""

from __future__ import annotations

import pytest

from contract_tests.api import Api
from contract_tests.requirements import Check, checks
from contract_tests.runner import Outcome, Watcher, broken_by_the_way, run_check


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.id)
def test_requirement(check: Check, api: Api, watcher: Watcher) -> None:
    """The server keeps the requirement, and breaks no other while it is judged."""
    watcher.take()
    result = run_check(check, api)
    if result.outcome is Outcome.NOT_DECLARED:
        pytest.skip(f"not declared: {result.reason}")
    if result.outcome is not Outcome.PASSED:
        pytest.fail(result.render(), pytrace=False)
    assert result.reason == ""
    for other in broken_by_the_way(watcher.take(), result):
        pytest.fail(other.render(), pytrace=False)
