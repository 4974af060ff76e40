"""A running emulator of Coinbase Exchange, and our venue and feed for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.ccxt.feed import CcxtFeed
from providers.ccxt.provider import CcxtVenue
from tests.venues.ccxt.emulator import EmulatedExchange, emulator
from tests.venues.faults import Faults


@pytest.fixture
async def coinbase(tmp_path: Path) -> AsyncIterator[EmulatedExchange]:
    """No request of a test may be one that the exchange does not have."""
    async with emulator(tmp_path, Faults(), tick_interval="0.1") as running:
        yield running
    assert running.judge.violations == []


@pytest.fixture
async def venue(coinbase: EmulatedExchange) -> AsyncIterator[CcxtVenue]:
    started = CcxtVenue(coinbase.settings)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def feed(coinbase: EmulatedExchange) -> AsyncIterator[CcxtFeed]:
    started = CcxtFeed(coinbase.settings)
    await started.start()
    yield started
    await started.stop()
