"""An emulated OANDA for each module of tests, and our adapters in front of it.

Its market takes most of a second to come up; so the tests of a module share it, each of them with
an account that is flat and orders of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.oanda.feed import OandaFeed
from providers.oanda.provider import OandaVenue
from tests.venues.exchange import ACCOUNT
from tests.venues.faults import Faults
from tests.venues.oanda.emulator import OandaEmulated, emulator
from tests.venues.oanda.toolkit import until


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OandaEmulated]:
    folder = tmp_path_factory.mktemp("oanda")
    async with emulator(folder, Faults(), tick_interval=0.1, heartbeat=0.3) as there:
        yield there


@pytest_asyncio.fixture(loop_scope="module")
async def emulated(running: OandaEmulated) -> AsyncIterator[OandaEmulated]:
    """The emulator; what was said to it and by it must have been as OANDA specifies it."""
    yield running
    running.faults.calm()
    exchange = running.backing.exchange
    await exchange.cancel_all_orders(ACCOUNT, None)
    await exchange.close_all_positions(ACCOUNT, None)

    async def flat() -> bool:
        return not await exchange.list_positions(ACCOUNT, None)

    await until(flat)
    assert running.judge.violations == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def adapter(running: OandaEmulated) -> AsyncIterator[OandaVenue]:
    made = running.venue()
    assert isinstance(made, OandaVenue)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def venue(adapter: OandaVenue, emulated: OandaEmulated) -> OandaVenue:
    return adapter


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prices(running: OandaEmulated) -> AsyncIterator[OandaFeed]:
    made = running.feed()
    assert isinstance(made, OandaFeed)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def feed(prices: OandaFeed, emulated: OandaEmulated) -> OandaFeed:
    return prices
