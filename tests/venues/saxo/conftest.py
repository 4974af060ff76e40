"""A running emulator, and our adapters for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.saxo.feed import SaxoFeed
from providers.saxo.provider import SaxoVenue
from tests.venues.faults import Faults
from tests.venues.saxo.emulator import Rig, rigged


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Both sides held to the venue's documents, at the end."""
    async with rigged(
        tmp_path, Faults(), tick_interval=0.1, volatility=5, initial_balance=100_000_000
    ) as running:
        yield running
        assert running.emulated.judge.violations == []


@pytest.fixture
async def venue(rig: Rig) -> AsyncIterator[SaxoVenue]:
    adapter = SaxoVenue(rig.settings)
    try:
        await adapter.start()
        yield adapter
    finally:
        await adapter.stop()


@pytest.fixture
async def feed(rig: Rig) -> AsyncIterator[SaxoFeed]:
    adapter = SaxoFeed(rig.settings)
    try:
        await adapter.start()
        yield adapter
    finally:
        await adapter.stop()
