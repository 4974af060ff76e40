"""An emulated Alpaca, and our adapter in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.alpaca.feed import AlpacaFeed
from providers.alpaca.provider import AlpacaVenue
from tests.venues.alpaca.emulator import emulator
from tests.venues.emulated import Emulated
from tests.venues.faults import Faults


@pytest.fixture
async def emulated(tmp_path: Path) -> AsyncIterator[Emulated]:
    """The emulator; what was said to it and by it must have been as Alpaca specifies it."""
    async with emulator(tmp_path, Faults(), tick_interval=0.1) as running:
        yield running
        assert running.judge.violations == []


@pytest.fixture
async def venue(emulated: Emulated) -> AsyncIterator[AlpacaVenue]:
    adapter = emulated.venue()
    assert isinstance(adapter, AlpacaVenue)
    await adapter.start()
    yield adapter
    await adapter.stop()


@pytest.fixture
async def feed(emulated: Emulated) -> AsyncIterator[AlpacaFeed]:
    adapter = emulated.feed()
    assert isinstance(adapter, AlpacaFeed)
    await adapter.start()
    yield adapter
    await adapter.stop()
