"""Quotes and bars of the emulated Massive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from providers.base import BarQuery
from providers.errors import ProviderError, ProviderUnavailable, RateLimited, SymbolNotFound
from providers.live.venue import Connection, Wanted
from providers.massive.client import following
from providers.massive.provider import MassiveFeed
from providers.models import Bar, Quote, Timeframe
from tests.venues.faults import Odds
from tests.venues.massive.emulator import EmulatedFeed, contract

NEW_YORK = ZoneInfo("America/New_York")
SYMBOLS = ["AAPL", "BTC/USD", "EUR/USD"]


async def test_the_traffic_is_judged(massive: EmulatedFeed, feed: MassiveFeed) -> None:
    """Where Massive's document is at hand, no request goes by it."""
    if contract() is None:
        pytest.skip("Massive's document is not at hand")
    await feed.quotes(SYMBOLS)
    assert len(massive.requests) == massive.judge.judged


async def test_look_up(massive: EmulatedFeed, feed: MassiveFeed) -> None:
    """Each is asked for once, by whatever name it is asked for."""
    assert not feed.instruments
    for name in ("AAPL", "S:AAPL", "C:BTCUSD", "BTC/USD", "F:EURUSD", "EUR/USD"):
        assert name.replace("/", "")[-4:] in (await feed.look_up(name)).symbol.replace("/", "")
    assert set(SYMBOLS) == set(feed.instruments)
    assert 3 == len(massive.requests)
    for unknown in ("NOPE", "C:NOPEUSD", "NOPE/USD", "S:BTCUSD"):
        with pytest.raises(SymbolNotFound):
            await feed.look_up(unknown)


async def test_preloaded(massive: EmulatedFeed) -> None:
    """The option `symbols` is learnt at the start; one that is wrong stops it."""
    settings = massive.settings.model_copy(update={"symbols": "AAPL,C:BTCUSD"})
    feed = MassiveFeed(settings)
    await feed.start()
    assert {"AAPL", "BTC/USD"} == set(feed.instruments)
    await feed.stop()
    feed = MassiveFeed(settings.model_copy(update={"symbols": "NOPE"}))
    with pytest.raises(SymbolNotFound):
        await feed.start()
    await feed.stop()


async def test_quotes(massive: EmulatedFeed, feed: MassiveFeed) -> None:
    """Those of all kinds at once, and none of what is not known."""
    quotes = {each.symbol: each for each in await feed.quotes([*SYMBOLS, "NOPE"])}
    assert set(SYMBOLS) == set(quotes)
    for symbol, quote in quotes.items():
        assert await at_the_market(massive, symbol, quote.timestamp) == quote
    assert not await feed.quotes([])
    assert not await feed.quotes(["NOPE"])


async def at_the_market(massive: EmulatedFeed, symbol: str, at: datetime) -> Quote:
    quote = massive.backing.market.quote(symbol, at)
    return quote.evolve(provider="massive")


async def expected(massive: EmulatedFeed, query: BarQuery, at: datetime) -> list[Bar]:
    bars = await massive.backing.market.bars(query, at)
    return [each.evolve(provider="massive") for each in bars]


@pytest.mark.parametrize("symbol", SYMBOLS)
async def test_every_timeframe(massive: EmulatedFeed, feed: MassiveFeed, symbol: str) -> None:
    """All of ours, exactly; a day of stocks begins at midnight in New York."""
    at = datetime.now(UTC)
    for timeframe in Timeframe:
        query = BarQuery(symbol=symbol, timeframe=timeframe, limit=4)
        bars = await feed.bars(query, at)
        market = await expected(massive, replace(query, limit=5), at)
        if (symbol, timeframe) == ("AAPL", Timeframe.D1):
            market = [each.evolve(timestamp=in_new_york(each)) for each in market]
            market = [each for each in market if each.timestamp + timedelta(days=1) <= at]
        assert market[-4:] == bars
        assert 4 == len(bars)


def in_new_york(bar: Bar) -> datetime:
    return bar.timestamp.replace(tzinfo=NEW_YORK).astimezone(UTC)


MINUTE = timedelta(minutes=1)
WINDOWS: list[dict[str, Any]] = [
    {"limit": 40},
    {"start": 400 * MINUTE, "limit": 1000},
    {"start": 300 * MINUTE, "end": 200 * MINUTE},
    {"end": 200 * MINUTE, "limit": 3},
    {"start": 12.5 * MINUTE},
    {"start": MINUTE / 6},
    {"start": -10 * MINUTE},
]
"""Starts and ends are so long ago."""


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M10, Timeframe.H2])
async def test_windows(massive: EmulatedFeed, feed: MassiveFeed, timeframe: Timeframe) -> None:
    """Start and end inclusive, the most recent of them."""
    at = datetime.now(UTC)
    for window in WINDOWS:
        ago = {name: at - each for name, each in window.items() if isinstance(each, timedelta)}
        query = BarQuery(symbol="BTC/USD", timeframe=timeframe, **{**window, **ago})
        assert await expected(massive, query, at) == await feed.bars(query, at)


async def test_pages(
    massive: EmulatedFeed, feed: MassiveFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long answer comes in pages, which may end in the middle of a bar."""
    at = datetime.now(UTC)
    for timeframe, most in ((Timeframe.M30, 45), (Timeframe.M1, 7)):
        monkeypatch.setattr("providers.massive.windows.MOST", most)
        query = BarQuery(symbol="BTC/USD", timeframe=timeframe, limit=20)
        before = len(massive.requests)
        assert await expected(massive, query, at) == await feed.bars(query, at)
        assert len(massive.requests) - before > 2


def test_pages_are_asked_of_the_same_host() -> None:
    """Wherever Massive says that the next page is: the key goes to one host only."""
    path, query = following("https://evil.example/v2/aggs/x?cursor=a%3Db&limit=5")
    assert ("/v2/aggs/x", {"cursor": "a=b", "limit": "5"}) == (path, query)


async def test_a_wrong_key(massive: EmulatedFeed) -> None:
    """It is not worth a retry, neither here nor at the streams."""
    settings = massive.settings.model_copy(update={"api_key": SecretStr("no")})
    feed = MassiveFeed(settings)
    with pytest.raises(ProviderError, match="does not know the API key"):
        await feed.look_up("AAPL")
    await feed.stop()
    with pytest.raises(ValueError, match="TRADING_API_MASSIVE_API_KEY"):
        MassiveFeed(massive.settings.model_copy(update={"api_key": None}))


async def test_faults(
    massive: EmulatedFeed, feed: MassiveFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One or two failures are not seen, a third is told."""
    strikes = iter(["refused", None, "refused", "refused", None])
    with monkeypatch.context() as patched:
        patched.setattr(massive.faults, "one_of", lambda _: next(strikes))
        await feed.look_up("AAPL")
        await feed.look_up("MSFT")
    massive.faults.odds = Odds(failed=1)
    with pytest.raises(ProviderUnavailable):
        await feed.quotes(["AAPL"])
    massive.faults.odds = Odds(limited=1)
    with pytest.raises(RateLimited):
        await feed.quotes(["AAPL"])
    massive.faults.calm()


# The streams


async def until(feed: MassiveFeed, wanted: Wanted, good: Callable[[list[Any]], bool]) -> list[Any]:
    """What a stream tells until it is enough."""
    told: list[Any] = []
    async with asyncio.timeout(15), aclosing(cast("Any", feed.stream(wanted))) as stream:
        async for item in stream:
            told.append(item)
            if good(told):
                return told
    raise AssertionError(told)


def symbols(told: list[Any]) -> set[str]:
    return {each.symbol for each in told if isinstance(each, Quote)}


def ups(told: list[Any]) -> list[bool]:
    return [each.up for each in told if isinstance(each, Connection)]


async def test_streams(massive: EmulatedFeed, feed: MassiveFeed) -> None:
    """All kinds of instruments in one stream, as they are at the market."""
    wanted = Wanted()
    wanted.choose([*SYMBOLS, "NOPE"])
    told = await until(feed, wanted, lambda told: symbols(told) == set(SYMBOLS))
    assert Connection(up=True) == told[0]
    quote = next(each for each in told if isinstance(each, Quote) and each.symbol == "AAPL")
    market = await at_the_market(massive, "AAPL", quote.timestamp)
    assert market.evolve(last=None, volume=None) == quote
    assert 3 == massive.streams.connected


async def test_the_wanted_change(massive: EmulatedFeed, feed: MassiveFeed) -> None:
    """A connection serves all that is chosen later; what is left out is told no more."""
    wanted = Wanted()
    wanted.choose(["BTC/USD"])

    def good(told: list[Any]) -> bool:
        if symbols(told) == {"BTC/USD"}:
            wanted.choose(["ETH/USD", "AAPL"])
        return symbols(told[-6:]) == {"ETH/USD", "AAPL"}

    await until(feed, wanted, good)
    assert 2 == massive.streams.connected


async def test_nothing_wanted(massive: EmulatedFeed, feed: MassiveFeed) -> None:
    """Then nothing is connected, and the stream waits."""
    wanted = Wanted()
    told = await until(feed, wanted, lambda told: ups(told) == [True])
    assert [Connection(up=True)] == told
    assert 0 == massive.streams.connected


async def test_it_comes_back(massive: EmulatedFeed, feed: MassiveFeed) -> None:
    """After any of its connections broke."""
    wanted = Wanted()
    wanted.choose(SYMBOLS)
    massive.faults.odds = Odds(dropped=0.3)

    def good(told: list[Any]) -> bool:
        if False in ups(told):
            massive.faults.calm()
        return ups(told)[-1] and len(ups(told)) > 2 and isinstance(told[-1], Quote)

    told = await until(feed, wanted, good)
    assert all(each.error for each in told if isinstance(each, Connection) and not each.up)


async def test_a_wild_stream(massive: EmulatedFeed, feed: MassiveFeed) -> None:
    """Repeats and wrong orders are passed on as what they are: quotes with their times."""
    wanted = Wanted()
    wanted.choose(SYMBOLS)
    massive.faults.odds = Odds(twice=0.4, late=0.4)
    told = await until(feed, wanted, lambda told: len(told) > 40)
    assert [True] == ups(told)
    for quote in told[1:]:
        market = await at_the_market(massive, quote.symbol, quote.timestamp)
        assert (market.bid, market.ask) == (quote.bid, quote.ask)


async def test_a_stream_without_the_key(massive: EmulatedFeed) -> None:
    """It is down from the start and says why, without saying the key."""
    settings = massive.settings.model_copy(update={"api_key": SecretStr("no1")})
    feed = MassiveFeed(settings)
    feed._instruments["BTC/USD"] = massive.backing.market.instruments["BTC/USD"]
    wanted = Wanted()
    wanted.choose(["BTC/USD"])
    told = await until(feed, wanted, lambda told: len(told) == 2)
    assert [False, False] == ups(told)
    assert "does not know the API key" in told[0].error
    assert "no1" not in told[0].error
    await feed.stop()
