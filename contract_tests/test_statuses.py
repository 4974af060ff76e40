"""What the whole session saw, on all its servers: it runs last."""

from __future__ import annotations

import pytest

from contract_tests.requirements import checks
from contract_tests.runner import Watcher
from contract_tests.spec import operations
from contract_tests.traffic import Statuses

UNSEEN = {
    ("close_position", 501): "a provider may lack LIMIT closes; the paper exchange has them",
}
"""Documented statuses that the paper exchange never answers, with the reason."""

pytestmark = pytest.mark.last


@pytest.fixture
def whole_session(request: pytest.FixtureRequest) -> None:
    """Skip where only a part of the tests was chosen: it cannot have seen everything."""
    items = request.session.items
    run = [item for item in items if getattr(item, "originalname", "") == "test_requirement"]
    names = {item.path.name for item in items}
    if len(run) < len(checks()) or not {"test_errors.py", "test_schemathesis.py"} <= names:
        pytest.skip("needs the whole session")


@pytest.mark.usefixtures("whole_session")
@pytest.mark.parametrize("operation_id", operations())
def test_every_documented_status_was_seen(operation_id: str, statuses: Statuses) -> None:
    """Each status that an operation documents was answered at least once, and no other."""
    operation = operations()[operation_id]
    excused = {status for one, status in UNSEEN if one == operation_id}
    assert statuses.of(operation) == operation.statuses - excused


def test_nothing_broke_an_invariant(watcher: Watcher) -> None:
    """No answer of the session broke a requirement that nobody was judging just then."""
    found = "\n".join(f"{one.requirement}: {one.failure}" for one in watcher.take()[:5])
    if found:
        pytest.fail(found, pytrace=False)
