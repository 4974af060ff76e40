"""Quotes, candles and the stream of prices, over real connections to the emulator."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from providers.base import BarQuery
from providers.errors import ProviderUnavailable, SymbolNotFound
from providers.live.reading import SPANS
from providers.live.venue import Connection, Wanted
from providers.models import Bar, Quote, Timeframe
from providers.oanda.feed import OandaFeed
from tests.venues.faults import Odds
from tests.venues.oanda.emulator import OandaEmulated
from tests.venues.oanda.toolkit import first

pytestmark = pytest.mark.asyncio(loop_scope="module")


def now() -> datetime:
    return datetime.now(UTC)


async def ours(emulated: OandaEmulated, query: BarQuery, at: datetime) -> list[tuple[object, ...]]:
    """What the market inside has, as the bars of a feed should be."""
    return [values(bar) for bar in await emulated.backing.market.bars(query, at)]


def values(bar: Bar) -> tuple[object, ...]:
    return (bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume)


async def test_quotes(feed: OandaFeed, emulated: OandaEmulated) -> None:
    """Of what is known; the market told them at the same moment."""
    told = await feed.quotes(["EUR/USD", "GBP/USD", "AAPL"])
    assert [each.symbol for each in told] == ["EUR/USD", "GBP/USD"]
    for each in told:
        inside = emulated.backing.market.quote(each.symbol, each.timestamp)
        assert (each.bid, each.ask, each.bid_size) == (inside.bid, inside.ask, inside.bid_size)
        assert each.last is None
        assert each.provider == "oanda-paper"
    assert await feed.quotes([]) == []


async def test_instruments(feed: OandaFeed) -> None:
    assert (await feed.look_up("EUR/USD")).price_increment == Decimal("0.00001")
    with pytest.raises(SymbolNotFound):
        await feed.look_up("USD/JPY")


@pytest.mark.parametrize("timeframe", list(Timeframe))
async def test_bars_of_each_timeframe(
    feed: OandaFeed, emulated: OandaEmulated, timeframe: Timeframe
) -> None:
    """The latest that have closed."""
    query = BarQuery(symbol="EUR/USD", timeframe=timeframe, limit=5)
    at = now()
    told = await feed.bars(query, at)
    assert [values(bar) for bar in told] == await ours(emulated, query, at)
    assert len(told) == 5
    assert told[-1].timestamp + SPANS[timeframe] <= at
    assert {bar.timeframe for bar in told} == {timeframe}


@pytest.mark.parametrize("limit", [3, 60, 1000])
async def test_bars_of_a_window(feed: OandaFeed, emulated: OandaEmulated, limit: int) -> None:
    """Both ends count; of too many, the most recent."""
    start = datetime(2024, 3, 5, 10, tzinfo=UTC)
    end = start + timedelta(hours=1)
    query = BarQuery(symbol="EUR/USD", timeframe=Timeframe.M1, start=start, end=end, limit=limit)
    told = await feed.bars(query, now())
    assert [values(bar) for bar in told] == await ours(emulated, query, now())
    assert len(told) == min(limit, 61)
    assert told[-1].timestamp == end


async def test_bars_come_in_pages(
    feed: OandaFeed, emulated: OandaEmulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.oanda.feed.PAGE", 7)
    query = BarQuery(symbol="GBP/USD", timeframe=Timeframe.H1, limit=40)
    at = now()
    told = await feed.bars(query, at)
    assert [values(bar) for bar in told] == await ours(emulated, query, at)
    assert len(told) == 40


async def test_bars_of_the_past_are_those_closed_then(
    feed: OandaFeed, emulated: OandaEmulated
) -> None:
    at = datetime(2024, 3, 5, 10, 30, tzinfo=UTC)
    query = BarQuery(symbol="EUR/USD", timeframe=Timeframe.H1, limit=2)
    told = await feed.bars(query, at)
    assert [bar.timestamp.hour for bar in told] == [8, 9]
    assert [values(bar) for bar in told] == await ours(emulated, query, at)


async def test_bars_before_there_were_any(feed: OandaFeed) -> None:
    end = datetime(1990, 1, 1, tzinfo=UTC)
    query = BarQuery(symbol="GBP/USD", timeframe=Timeframe.D1, end=end)
    assert await feed.bars(query, now()) == []


async def test_a_symbol_without_bars(feed: OandaFeed) -> None:
    with pytest.raises(SymbolNotFound):
        await feed.bars(BarQuery(symbol="AAPL", timeframe=Timeframe.D1), now())


async def test_a_read_that_fails(feed: OandaFeed, emulated: OandaEmulated) -> None:
    emulated.faults.odds = Odds(refused=1)
    with pytest.raises(ProviderUnavailable):
        await feed.quotes(["EUR/USD"])


async def test_prices_are_streamed_of_what_is_wanted(feed: OandaFeed) -> None:
    """What is wanted may change; there is no break to be told of then."""
    wanted = Wanted()
    heard: list[Quote | Connection] = []

    async def until_told(symbol: str) -> None:
        async with asyncio.timeout(15):
            async for each in told:
                heard.append(each)
                if isinstance(each, Quote) and each.symbol == symbol:
                    return

    async with aclosing(feed.stream(wanted)) as told:  # type: ignore[type-var]
        wanted.choose(["EUR/USD"])
        await until_told("EUR/USD")
        wanted.choose(["GBP/USD", "AAPL"])
        await until_told("GBP/USD")
        wanted.choose([])
        waiting = asyncio.ensure_future(until_told("EUR/USD"))
        await asyncio.sleep(0)
        wanted.choose(["EUR/USD"])
        await waiting
    connections = [each for each in heard if isinstance(each, Connection)]
    assert connections == [Connection(up=True)]
    assert heard[0] == Connection(up=True)


async def test_the_stream_of_prices_comes_back(feed: OandaFeed, emulated: OandaEmulated) -> None:
    wanted = Wanted()
    wanted.choose(["EUR/USD"])
    async with aclosing(feed.stream(wanted)) as told:  # type: ignore[type-var]
        await first(told, lambda each: isinstance(each, Quote))
        emulated.faults.odds = Odds(dropped=1)
        await first(told, lambda each: isinstance(each, Connection) and not each.up)
        emulated.faults.calm()
        await first(told, lambda each: isinstance(each, Connection) and each.up)
        await first(told, lambda each: isinstance(each, Quote))


async def test_prices_told_twice_and_late_are_prices(
    feed: OandaFeed, emulated: OandaEmulated
) -> None:
    wanted = Wanted()
    wanted.choose(["EUR/USD", "GBP/USD"])
    emulated.faults.odds = Odds(twice=0.5, late=0.5)
    async with aclosing(feed.stream(wanted)) as told:  # type: ignore[type-var]
        for _ in range(6):
            quote = await first(told, lambda each: isinstance(each, Quote))
            assert isinstance(quote, Quote)
            assert quote.bid < quote.ask
