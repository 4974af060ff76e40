"""An emulated Alpaca, and our adapter in front of it."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from providers.alpaca.feed import AlpacaFeed
from providers.alpaca.provider import AlpacaVenue
from providers.market_data.history import load
from tests.venues.alpaca.emulator import emulator
from tests.venues.emulated import Emulated
from tests.venues.faults import Faults

BALANCE = 100_000_000
"""So much that an order can be large enough to fill for long."""


@pytest.fixture(scope="session", autouse=True)
def history_read_once() -> Iterator[None]:
    """Each emulator has a market of its own; all of them begin with the same files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("providers.market_data.feed.load", functools.cache(load))
        yield


@pytest.fixture
async def emulated(tmp_path: Path) -> AsyncIterator[Emulated]:
    """The emulator; what was said to it and by it must have been as Alpaca specifies it."""
    faults = Faults()
    async with emulator(tmp_path, faults, tick_interval=0.1, initial_balance=BALANCE) as running:
        yield running
        running.faults.calm()
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
