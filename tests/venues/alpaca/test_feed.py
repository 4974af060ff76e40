"""Quotes and bars, asked for and streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from providers.alpaca.feed import AlpacaFeed
from providers.base import BarQuery
from providers.errors import ProviderError, SymbolNotFound
from providers.live.venue import Connection, Wanted
from providers.models import Bar, Quote, Timeframe
from tests.venues.alpaca.samples import until
from tests.venues.emulated import Emulated
from tests.venues.faults import Odds


async def test_quotes_are_those_of_the_market(feed: AlpacaFeed, emulated: Emulated) -> None:
    """With the last price and the volume of the day; what is not listed is left out."""
    quotes = {each.symbol: each for each in await feed.quotes(["AAPL", "BTC/USD", "NO/PE"])}
    assert quotes.keys() == {"AAPL", "BTC/USD"}
    for symbol, quote in quotes.items():
        theirs = emulated.backing.market.quote(symbol, quote.timestamp)
        assert quote == theirs.evolve(provider="alpaca")


async def test_no_symbols_are_no_request(feed: AlpacaFeed, emulated: Emulated) -> None:
    judged = emulated.judge.judged
    assert await feed.quotes([]) == []
    assert emulated.judge.judged == judged


async def test_what_is_listed_can_be_looked_up(emulated: Emulated) -> None:
    feed = emulated.feed()
    assert (await feed.look_up("ETH/USD")).symbol == "ETH/USD"
    assert (await feed.look_up("MSFT")).symbol == "MSFT"
    assert feed.instruments.keys() == {"ETH/USD", "MSFT"}
    for symbol in ("NO/PE", "ETHUSD", "S:AAPL", "A?b", "EUR/USD"):
        with pytest.raises(SymbolNotFound):
            await feed.look_up(symbol)
    await feed.stop()


def theirs(bars: list[Bar]) -> list[Bar]:
    return [bar.evolve(provider="alpaca") for bar in bars]


async def test_bars_of_every_timeframe(feed: AlpacaFeed, emulated: Emulated) -> None:
    """The most recent that have closed, ascending, with every price and volume."""
    now = datetime.now(UTC)
    for timeframe in Timeframe:
        query = BarQuery(symbol="BTC/USD", timeframe=timeframe, limit=3)
        expected = theirs(await emulated.backing.market.bars(query, now))
        assert expected == await feed.bars(query, now)
        assert len(expected) == 3


async def test_bars_come_by_pages(feed: AlpacaFeed, emulated: Emulated) -> None:
    now = datetime.now(UTC)
    query = BarQuery(symbol="AAPL", timeframe=Timeframe.M5, limit=450)
    assert theirs(await emulated.backing.market.bars(query, now)) == await feed.bars(query, now)


async def test_bars_of_a_window(feed: AlpacaFeed) -> None:
    """Start and end belong to it; what has not closed does not come."""
    now = datetime.now(UTC)
    end = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    start = end - timedelta(hours=5)
    hour = BarQuery(symbol="AAPL", timeframe=Timeframe.H1, start=start, end=end)
    bars = await feed.bars(hour, now)
    assert [bar.timestamp for bar in bars] == [start + n * timedelta(hours=1) for n in range(6)]
    assert await feed.bars(hour, end + timedelta(minutes=59)) == bars[:-1]
    future = BarQuery(symbol="AAPL", timeframe=Timeframe.H1, start=now)
    assert await feed.bars(future, now) == []


async def test_bars_of_what_is_not_listed(feed: AlpacaFeed) -> None:
    with pytest.raises(SymbolNotFound):
        await feed.bars(BarQuery(symbol="NO/PE", timeframe=Timeframe.M1), datetime.now(UTC))


# The stream


@asynccontextmanager
async def listening(feed: AlpacaFeed, wanted: Wanted) -> AsyncIterator[list[Quote | Connection]]:
    told: list[Quote | Connection] = []

    async def listen() -> None:
        async for each in feed.stream(wanted):
            told.append(each)  # noqa: PERF401 - it is looked at meanwhile

    task = asyncio.create_task(listen())
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def heard(told: list[Quote | Connection], symbol: str, count: int = 1) -> list[Quote]:
    """The next quotes of a symbol."""
    start = len(told)

    async def found() -> list[Quote] | None:
        quotes = [each for each in told[start:] if isinstance(each, Quote)]
        mine = [each for each in quotes if each.symbol == symbol]
        return mine if len(mine) >= count else None

    return await until(found)


async def test_quotes_are_told_as_they_change(feed: AlpacaFeed, emulated: Emulated) -> None:
    wanted = Wanted()
    wanted.choose(["BTC/USD", "AAPL"])
    async with listening(feed, wanted) as told:
        quotes = await heard(told, "BTC/USD", 3) + await heard(told, "AAPL", 3)
    assert told[0] == Connection(up=True)
    for quote in quotes:
        theirs = emulated.backing.market.quote(quote.symbol, quote.timestamp)
        assert (quote.bid, quote.ask, quote.bid_size) == (theirs.bid, theirs.ask, theirs.bid_size)
        assert quote.last == theirs.last


async def test_what_is_wanted_may_change(feed: AlpacaFeed) -> None:
    """Nothing at first; then of one kind, then of another, for which another line is opened."""
    wanted = Wanted()
    async with listening(feed, wanted) as told:

        async def connected() -> bool:
            return bool(told)

        await until(connected)
        wanted.choose(["ETH/USD"])
        await heard(told, "ETH/USD")
        wanted.choose(["AAPL"])
        await heard(told, "AAPL", 2)
        wanted.choose(["AAPL", "ETH/USD"])
        await heard(told, "ETH/USD")
    assert [each for each in told if isinstance(each, Connection)] == [Connection(up=True)]


async def test_the_stream_of_quotes_comes_back(feed: AlpacaFeed, emulated: Emulated) -> None:
    wanted = Wanted()
    wanted.choose(["BTC/USD", "AAPL"])
    async with listening(feed, wanted) as told:
        await heard(told, "BTC/USD")
        emulated.faults.odds = Odds(dropped=1)

        async def down() -> bool:
            return any(isinstance(each, Connection) and not each.up for each in told)

        await until(down)
        emulated.faults.odds = Odds(twice=0.5, late=0.5)
        await heard(told, "BTC/USD", 2)
        await heard(told, "AAPL", 2)


async def test_what_the_stream_refuses_is_told(
    feed: AlpacaFeed, emulated: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A symbol that the feed does not have: the connection ends with what it said."""
    wanted = Wanted()
    wanted.choose(["AAPL"])
    monkeypatch.setattr("providers.alpaca.streams.CHANNELS", ("quotes",))
    monkeypatch.setitem(feed._paths, feed.instruments["AAPL"].asset_class, "/v1beta3/crypto/us")
    async with listening(feed, wanted) as told:

        async def down() -> Connection | None:
            ends = (each for each in told if isinstance(each, Connection) and not each.up)
            return next(ends, None)

        assert ProviderError.__name__ in (await until(down)).error
