"""A running emulator, and our adapters for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from providers.binance.provider import BinanceFeed, BinanceVenue
from tests.venues.binance.emulator import Rig, rigged
from tests.venues.faults import Faults


@pytest.fixture
def fee() -> Decimal:
    return Decimal(0)


@pytest.fixture
def fee_asset() -> str | None:
    return None


@pytest.fixture
async def rig(tmp_path: Path, fee: Decimal, fee_asset: str | None) -> AsyncIterator[Rig]:
    """Both sides held to the venue's document, at the end."""
    async with rigged(
        tmp_path, Faults(), tick_interval=0.1, volatility=10, fee=fee, fee_asset=fee_asset
    ) as running:
        yield running
        assert running.emulated.judge.violations == []


@pytest.fixture
async def venue(rig: Rig) -> AsyncIterator[BinanceVenue]:
    adapter = BinanceVenue(rig.settings)
    await adapter.start()
    yield adapter
    await adapter.stop()


@pytest.fixture
async def feed(rig: Rig) -> AsyncIterator[BinanceFeed]:
    adapter = BinanceFeed(rig.settings)
    await adapter.start()
    yield adapter
    await adapter.stop()
