"""What the whole session saw, on all its servers: it runs last."""

from __future__ import annotations

import pytest

from contract_tests.requirements import checks
from contract_tests.spec import operations
from contract_tests.wire.traffic import Statuses

pytestmark = pytest.mark.last


@pytest.fixture
def whole_session(request: pytest.FixtureRequest) -> None:
    """Skip where only a part of the tests was chosen: it cannot have seen everything."""
    items = request.session.items
    run = [item for item in items if getattr(item, "originalname", "") == "test_requirement"]
    names = {item.path.name for item in items}
    wanted = [one for one in checks() if not one.run.__module__.endswith(".hedging")]
    if len(run) < len(wanted) or not {"test_errors.py", "test_schemathesis.py"} <= names:
        pytest.skip("needs the whole session")


@pytest.mark.usefixtures("whole_session")
@pytest.mark.parametrize("operation_id", operations())
def test_every_documented_status_was_seen(operation_id: str, statuses: Statuses) -> None:
    """Each status that an operation documents was answered at least once, and no other."""
    operation = operations()[operation_id]
    assert statuses.of(operation) == operation.statuses
