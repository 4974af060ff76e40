"""Quotes and candles, against the emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio

from providers.base import BarQuery
from providers.errors import SymbolNotFound
from providers.live.venue import Connection, Wanted
from providers.models import AssetClass, Quote, Timeframe
from providers.saxo.client import PRICE_SUBSCRIPTIONS
from providers.saxo.feed import SaxoFeed
from providers.saxo.listings import MINUTES, floor
from tests.venues.faults import Faults
from tests.venues.saxo.emulator import Rig, rigged
from tests.venues.saxo.toolkit import SYMBOL, Heard, listening, quote

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """One for all: these tests only look."""
    folder = tmp_path_factory.mktemp("market")
    async with rigged(folder, Faults(), tick_interval=0.1, volatility=5) as running:
        yield running
        assert running.emulated.judge.violations == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def feed(rig: Rig) -> AsyncIterator[SaxoFeed]:
    adapter = SaxoFeed(rig.settings)
    try:
        await adapter.start()
        yield adapter
    finally:
        await adapter.stop()


async def test_what_the_settings_list_is_known_from_the_start(feed: SaxoFeed) -> None:
    """Pairs, shares and exchange traded funds; what Saxo does not have is left out."""
    assert {"EUR/USD", "GBP/USD", "AAPL", "SPY"} <= feed.instruments.keys()
    assert "USD/JPY" not in feed.instruments
    pair, fund = feed.instruments[SYMBOL], feed.instruments["SPY"]
    assert (AssetClass.FOREX, Decimal("0.00001"), "USD") == (
        pair.asset_class,
        pair.price_increment,
        pair.currency,
    )
    assert (AssetClass.STOCK, Decimal("0.01")) == (fund.asset_class, fund.price_increment)


@pytest.mark.parametrize(
    ("asked", "symbol"),
    [("GOOG", "GOOG"), ("S:IBM", "IBM"), ("F:EURUSD", "EUR/USD"), ("AAPL:xwbo", "AAPL:xwbo")],
)
async def test_others_are_looked_up(feed: SaxoFeed, asked: str, symbol: str) -> None:
    """Also by alias, and by Saxo's own name where another exchange has ours."""
    found = await feed.look_up(asked)
    assert symbol == found.symbol
    assert symbol in feed.instruments


@pytest.mark.parametrize("asked", ["NOSUCH", "EUR/XXX", "C:BTCUSD", "AAPL:xtks"])
async def test_what_nobody_knows_is_not_found(feed: SaxoFeed, asked: str) -> None:
    with pytest.raises(SymbolNotFound):
        await feed.look_up(asked)


async def test_quotes(rig: Rig, feed: SaxoFeed) -> None:
    """Those in force inside; a symbol without one is left out, and one that nobody knows."""
    await feed.look_up("AAPL:xwbo")
    found = {each.symbol: each for each in await feed.quotes([SYMBOL, "AAPL", "AAPL:xwbo", "NO"])}
    assert {SYMBOL, "AAPL"} == found.keys()
    told, inside = found[SYMBOL], quote(rig)
    assert abs(told.bid - inside.bid) < Decimal("0.01")
    assert told.bid < told.ask
    assert told.bid_size is not None
    assert "saxo-paper" == told.provider


async def test_bars_of_every_timeframe(rig: Rig, feed: SaxoFeed) -> None:
    """Those of the market inside, the closed ones, also where they are made of shorter ones."""
    now = datetime.now(UTC)
    for timeframe in Timeframe:
        query = BarQuery(symbol=SYMBOL, timeframe=timeframe, limit=3)
        found = await feed.bars(query, now)
        expected = await rig.desk.backing.market.bars(query, now)
        assert [(e.timestamp, e.open, e.high, e.low, e.close) for e in expected] == [
            (e.timestamp, e.open, e.high, e.low, e.close) for e in found
        ]
        assert {timeframe} == {each.timeframe for each in found}


async def test_bars_of_a_share_have_volumes(rig: Rig, feed: SaxoFeed) -> None:
    query = BarQuery(symbol="AAPL", timeframe=Timeframe.D1, limit=2)
    now = datetime.now(UTC)
    found = await feed.bars(query, now)
    expected = await rig.desk.backing.market.bars(query, now)
    assert [each.volume for each in expected] == [each.volume for each in found]


async def test_a_window_of_bars(feed: SaxoFeed) -> None:
    """Start and end count, both by the time that a bar opens; also of bars that are made."""
    end = floor(datetime.now(UTC) - timedelta(days=3), 720)
    for timeframe in (Timeframe.M1, Timeframe.M2, Timeframe.H12):
        step = timedelta(minutes=MINUTES[timeframe])
        window = BarQuery(symbol=SYMBOL, timeframe=timeframe, start=end - 4 * step, end=end)
        found = await feed.bars(window, datetime.now(UTC))
        assert [end - n * step for n in (4, 3, 2, 1, 0)] == [each.timestamp for each in found]


async def test_more_bars_than_one_answer_has(rig: Rig, feed: SaxoFeed) -> None:
    """Page by page, backwards; the most recent count."""
    now = datetime.now(UTC)
    query = BarQuery(symbol=SYMBOL, timeframe=Timeframe.M1, limit=1500)
    found = await feed.bars(query, now)
    assert 1500 == len(found) == len({each.timestamp for each in found})
    assert found == sorted(found, key=lambda each: each.timestamp)
    assert rig.sent("GET", "/chart/v3/charts") >= 2


async def test_a_bar_that_has_not_closed_is_not_told(feed: SaxoFeed) -> None:
    at = datetime.now(UTC) - timedelta(hours=5, minutes=30)
    (last,) = await feed.bars(BarQuery(symbol=SYMBOL, timeframe=Timeframe.H1, limit=1), at)
    assert last.timestamp + timedelta(hours=1) <= at < last.timestamp + timedelta(hours=2)


def quoted(heard: Heard, symbol: str) -> list[Quote]:
    return [e for e in heard.told if isinstance(e, Quote) and e.symbol == symbol]


async def test_a_stream_of_quotes(rig: Rig, feed: SaxoFeed) -> None:
    """What is wanted, of whichever kind, and no more once it is not."""
    wanted = Wanted()
    wanted.choose([SYMBOL])
    async with listening(feed.stream(wanted)) as heard:
        assert Connection(up=True) == heard.told[0]
        await heard.until(lambda h: len(quoted(h, SYMBOL)) > 2)
        wanted.choose([SYMBOL, "AAPL", "GBP/USD"])
        await heard.until(lambda h: len(quoted(h, "AAPL")) > 2 and len(quoted(h, "GBP/USD")) > 2)
        assert rig.hub.replaced >= 1
        wanted.choose(["AAPL"])
        await heard.until(lambda _: len(rig.hub.references(PRICE_SUBSCRIPTIONS)) == 1)
        before = len(quoted(heard, "AAPL"))
        await heard.until(lambda h: len(quoted(h, "AAPL")) > before + 1)
        assert [True] == heard.connections
        told = quoted(heard, "AAPL")[-1]
        assert told.bid < told.ask


async def test_a_stream_of_quotes_comes_back(rig: Rig, feed: SaxoFeed) -> None:
    wanted = Wanted()
    wanted.choose([SYMBOL])
    async with listening(feed.stream(wanted)) as heard:
        rig.hub.command("_resetsubscriptions")
        await heard.until(lambda h: h.connections == [True, False, True])
        before = len(quoted(heard, SYMBOL))
        await heard.until(lambda h: len(quoted(h, SYMBOL)) > before + 2)
