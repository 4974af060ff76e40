"""The campaign notices what it is there for: each of these bridges is wrong in one way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.live import booking
from providers.live.http import Http
from providers.live.slips import Slip
from providers.live.venue import Execution, Report, Unanswered
from tests.venues import campaign
from tests.venues.emulate import emulator_of

SEEDS = range(8)


async def noticed(venue: str, folder: Path) -> bool:
    """Whether any of a few schedules ends in disagreement."""
    for seed in SEEDS:
        (folder / str(seed)).mkdir()
        try:
            await campaign.run(emulator_of(venue), folder / str(seed), seed)
        except campaign.Disagreement:
            return True
    return False


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides must agree soon."""
    campaign.hastened(monkeypatch.setattr)
    monkeypatch.setattr(campaign, "CALM_SECONDS", 3.0)


@pytest.mark.slow
async def test_a_command_that_is_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An order sent again because its answer was lost fills twice."""
    send = Http.send

    async def again(self: Http, method: str, path: str, **options: Any) -> Any:
        try:
            return await send(self, method, path, **options)
        except Unanswered:
            return await send(self, method, path, **options)

    monkeypatch.setattr(Http, "send", again)
    assert await noticed("binance", tmp_path)


@pytest.mark.slow
async def test_a_fill_that_is_told_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bridge that books whatever it is told counts repeated fills."""

    def believed(_: Slip, report: Report, *, settle: bool) -> Iterator[Execution]:
        yield from report.executions

    monkeypatch.setattr(booking, "executions", believed)
    assert await noticed("alpaca", tmp_path)
