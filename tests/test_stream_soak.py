"""The soak of the event stream, in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.stream_soak import Plan, soak


@pytest.mark.slow
def test_no_client_misses_an_event_or_hears_one_twice(tmp_path: Path) -> None:
    """Fifty clients, orders all along, and a server that is killed and comes back."""
    outcome = soak(Plan(clients=50, accounts=5, seconds=3, rate=100), tmp_path)
    assert (outcome.missed, outcome.repeated) == (0, 0)
    assert outcome.orders > 10
    assert outcome.connections >= 100
    assert outcome.frames == 10 * outcome.events
