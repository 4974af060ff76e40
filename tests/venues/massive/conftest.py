"""A running emulator of Massive, and our feed for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.massive.provider import MassiveFeed
from tests.venues.faults import Faults
from tests.venues.massive.emulator import EmulatedFeed, emulator


@pytest.fixture
async def massive(tmp_path: Path) -> AsyncIterator[EmulatedFeed]:
    """What both sides say is held to Massive's documents, where they are at hand."""
    async with emulator(tmp_path, Faults(), tick_interval="0.1") as running:
        yield running
    assert running.judge.violations == []


@pytest.fixture
async def feed(massive: EmulatedFeed) -> AsyncIterator[MassiveFeed]:
    started = MassiveFeed(massive.settings)
    await started.start()
    yield started
    await started.stop()
