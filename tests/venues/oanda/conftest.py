"""An emulated OANDA, and our adapters in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.oanda.feed import OandaFeed
from providers.oanda.provider import OandaVenue
from tests.venues.emulated import Emulated
from tests.venues.faults import Faults
from tests.venues.oanda.emulator import emulator


@pytest.fixture
async def emulated(tmp_path: Path) -> AsyncIterator[Emulated]:
    """The emulator; what was said to it and by it must have been as OANDA specifies it."""
    async with emulator(tmp_path, Faults(), tick_interval=0.1, heartbeat=0.3) as running:
        yield running
        assert running.judge.violations == []


@pytest.fixture
async def venue(emulated: Emulated) -> AsyncIterator[OandaVenue]:
    adapter = emulated.venue()
    assert isinstance(adapter, OandaVenue)
    await adapter.start()
    yield adapter
    await adapter.stop()


@pytest.fixture
async def feed(emulated: Emulated) -> AsyncIterator[OandaFeed]:
    adapter = emulated.feed()
    assert isinstance(adapter, OandaFeed)
    await adapter.start()
    yield adapter
    await adapter.stop()
