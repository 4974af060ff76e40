"""Quotes and bars of the emulated Coinbase Exchange."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from providers.base import BarQuery
from providers.ccxt.feed import CcxtFeed
from providers.errors import SymbolNotFound
from providers.live.venue import Connection, Wanted
from providers.models import Bar, Quote, Timeframe
from tests.venues.ccxt.emulator import EmulatedExchange


async def test_instruments(feed: CcxtFeed) -> None:
    """They are known from the start, by their aliases as well."""
    assert {"BTC/USD", "ETH/USD"} == set(feed.instruments)
    assert "BTC/USD" == (await feed.look_up("C:BTCUSD")).symbol
    for unknown in ("DOGE/USD", "F:EURUSD"):
        with pytest.raises(SymbolNotFound):
            await feed.look_up(unknown)


async def test_quotes(coinbase: EmulatedExchange, feed: CcxtFeed) -> None:
    """Symbol by symbol where tickers of all have no bids; an unknown one is left out."""
    for _ in range(2):
        quotes = await feed.quotes(["BTC/USD", "ETH/USD", "DOGE/USD"])
        assert ["BTC/USD", "ETH/USD"] == [each.symbol for each in quotes]
        now = coinbase.backing.exchange.now()
        market = coinbase.backing.market.quote("BTC/USD", now)
        assert abs(quotes[0].bid - market.bid) < market.bid / 100
        assert quotes[0].bid < quotes[0].ask
    asked = [path for _, path in coinbase.exchange.requests]
    assert 1 == asked.count("/products/spark-lines")
    assert not await feed.quotes([])


async def expected(coinbase: EmulatedExchange, query: BarQuery, at: datetime) -> list[Bar]:
    bars = await coinbase.backing.market.bars(query, at)
    return [each.evolve(provider="coinbaseexchange-paper") for each in bars]


async def test_every_timeframe(coinbase: EmulatedExchange, feed: CcxtFeed) -> None:
    """Those that Coinbase does not have are made of those that it has, exactly."""
    at = datetime.now(UTC)
    for timeframe in Timeframe:
        query = BarQuery(symbol="BTC/USD", timeframe=timeframe, limit=7)
        bars = await feed.bars(query, at)
        assert 7 == len(bars)
        assert await expected(coinbase, query, at) == bars


MINUTE = timedelta(minutes=1)
WINDOWS: list[dict[str, Any]] = [
    {"limit": 700},
    {"start": 400 * MINUTE, "limit": 1000},
    {"start": 30 * MINUTE, "end": 20 * MINUTE},
    {"end": 20 * MINUTE, "limit": 3},
    {"start": 2.5 * MINUTE},
    {"start": MINUTE / 6},
    {"start": -10 * MINUTE},
]
"""Starts and ends are so long ago."""


async def test_windows(coinbase: EmulatedExchange, feed: CcxtFeed) -> None:
    """Start and end inclusive, the most recent of them, however many pages that takes."""
    at = datetime.now(UTC)
    for window in WINDOWS:
        ago = {name: at - each for name, each in window.items() if isinstance(each, timedelta)}
        query = BarQuery(symbol="BTC/USD", timeframe=Timeframe.M1, **{**window, **ago})
        assert await expected(coinbase, query, at) == await feed.bars(query, at)


async def test_before_there_was_a_market(feed: CcxtFeed) -> None:
    """Where there are no candles the search ends."""
    end = datetime(2010, 1, 1, tzinfo=UTC)
    query = BarQuery(symbol="BTC/USD", timeframe=Timeframe.D1, end=end)
    assert not await feed.bars(query, datetime.now(UTC))
    with pytest.raises(SymbolNotFound):
        await feed.bars(BarQuery(symbol="DOGE/USD", timeframe=Timeframe.D1), end)


async def take(feed: CcxtFeed, wanted: Wanted, symbol: str) -> list[Any]:
    """What a stream tells until it has told two quotes of a symbol that are not the same."""
    told: list[Any] = []
    async with asyncio.timeout(10), aclosing(cast("Any", feed.stream(wanted))) as stream:
        async for item in stream:
            told.append(item)
            quotes = {
                each.timestamp for each in told if isinstance(each, Quote) and each.symbol == symbol
            }
            if len(quotes) > 1:
                break
    return told


async def test_the_stream(feed: CcxtFeed) -> None:
    """A connection first, then quotes of what is wanted, with their sizes."""
    wanted = Wanted()
    wanted.choose(["BTC/USD"])
    told = await take(feed, wanted, "BTC/USD")
    assert Connection(up=True) == told[0]
    assert {"BTC/USD"} == {each.symbol for each in told[1:]}
    assert told[-1].bid_size is not None


async def test_the_wanted_change(feed: CcxtFeed) -> None:
    """Other symbols can be chosen while the stream runs, also when none was wanted at first."""
    wanted = Wanted()
    taking = asyncio.create_task(take(feed, wanted, "ETH/USD"))
    await asyncio.sleep(0)
    wanted.choose(["BTC/USD"])
    await asyncio.sleep(0.3)
    wanted.choose(["ETH/USD"])
    told = await taking
    assert "ETH/USD" == told[-1].symbol


async def test_the_stream_comes_back(coinbase: EmulatedExchange, feed: CcxtFeed) -> None:
    """After a broken connection."""
    wanted = Wanted()
    wanted.choose(["BTC/USD"])
    told: list[Any] = []
    async with asyncio.timeout(10), aclosing(cast("Any", feed.stream(wanted))) as stream:
        async for item in stream:
            told.append(item)
            ups = [each.up for each in told if isinstance(each, Connection)]
            if ups == [True] and coinbase.exchange.feeds.clients:
                for client in list(coinbase.exchange.feeds.clients):
                    await client.socket.close(1011)
            if ups[:3] == [True, False, True] and isinstance(item, Quote):
                break


async def test_without_a_stream(feed: CcxtFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange that has none is asked from time to time."""
    monkeypatch.setattr("providers.ccxt.client.Client.streams", False)
    wanted = Wanted()
    wanted.choose(["BTC/USD"])
    told = await take(feed, wanted, "BTC/USD")
    assert Connection(up=True) == told[0]
