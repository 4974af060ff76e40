"""The account's stream, and prices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from providers.base import BarQuery
from providers.binance import provider
from providers.binance.provider import BinanceFeed, BinanceVenue
from providers.errors import SymbolNotFound
from providers.live.venue import Connection, Execution, Progress, Report, Update, Wanted
from providers.models import Quote, Timeframe
from tests.venues.binance.emulator import Rig
from tests.venues.binance.toolkit import DEADLINE, limit, near, quote, ticket, until
from tests.venues.faults import Odds


@asynccontextmanager
async def told(stream: AsyncIterator[Any]) -> AsyncIterator[list[Any]]:
    """What a stream tells from now on, as it grows."""
    heard: list[Any] = []

    async def listen() -> None:
        async with aclosing(stream):  # type: ignore[type-var]
            async for each in stream:
                heard.append(each)  # noqa: PERF401 - others look at it while it grows

    listening = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def hears(heard: list[Any], holds: Callable[[list[Any]], bool]) -> list[Any]:
    """All that was heard, once it is so."""

    async def look() -> list[Any]:
        return heard

    return await until(look, holds)


def reports(heard: list[Update], client_id: str) -> list[Report]:
    return [each for each in heard if isinstance(each, Report) and each.client_id == client_id]


def is_up(heard: list[Any]) -> bool:
    return Connection(up=True) in heard


async def test_reports_of_a_cancelled_order(venue: BinanceVenue, rig: Rig) -> None:
    """It begins WORKING and ends CANCELLED under its own client id."""
    async with told(venue.updates()) as heard:
        await hears(heard, is_up)
        assert heard[0] == Connection(up=True)
        sent = limit(near(rig, -1000))
        report = await venue.submit(sent)
        await venue.cancel(sent)
        await hears(heard, lambda all_: len(reports(all_, sent.client_id)) == 2)
    first, second = reports(heard, sent.client_id)
    assert (first.progress, second.progress) == (Progress.WORKING, Progress.CANCELLED)
    assert first.venue_id == second.venue_id == report.venue_id


@pytest.mark.parametrize("fee", [Decimal("0.001")])
async def test_reports_have_the_executions(venue: BinanceVenue, rig: Rig) -> None:
    """Those of an order that fills bit by bit are those that are asked for."""
    async with told(venue.updates()) as heard:
        await hears(heard, is_up)
        sent = limit(near(rig, 3000), quantity=Decimal(8))
        await venue.submit(sent)
        await hears(
            heard,
            lambda all_: any(
                each.progress is Progress.FILLED for each in reports(all_, sent.client_id)
            ),
        )
        executions = await venue.executions(sent)
    found = [each for report in reports(heard, sent.client_id) for each in report.executions]
    assert [without_time(each) for each in found] == [without_time(each) for each in executions]


def without_time(execution: Execution) -> tuple[Decimal, ...]:
    each = execution
    return (each.quantity, each.price, each.cumulative, each.commission, each.fee_in_kind)


async def test_a_stream_that_repeats_and_reorders(venue: BinanceVenue, rig: Rig) -> None:
    """Every message is read, whatever comes before it; together they tell the whole."""
    async with told(venue.updates()) as heard:
        await hears(heard, is_up)
        rig.emulated.faults.odds = Odds(twice=0.5, late=0.5)
        sent = [ticket() for _ in range(5)]
        for each in sent:
            await venue.submit(each)
        for each in sent:
            await hears(
                heard,
                lambda all_, each=each: any(  # type: ignore[misc]
                    report.progress is Progress.FILLED for report in reports(all_, each.client_id)
                ),
            )
    assert [each for each in heard if isinstance(each, Connection)] == [Connection(up=True)]


async def test_a_stream_that_drops_comes_back(venue: BinanceVenue, rig: Rig) -> None:
    """It tells that it is down, then that it is up, and then what happens."""
    async with told(venue.updates()) as heard:
        await hears(heard, is_up)
        rig.emulated.faults.odds = Odds(dropped=1)
        await venue.submit(ticket())
        await hears(heard, lambda all_: any(not each.up for each in connections(all_)))
        rig.emulated.faults.calm()
        await hears(heard, lambda all_: connections(all_)[-1].up)
        sent = ticket()
        await venue.submit(sent)
        await hears(heard, lambda all_: bool(reports(all_, sent.client_id)))


def connections(heard: list[Any]) -> list[Connection]:
    return [each for each in heard if isinstance(each, Connection)]


async def test_subscriptions_that_are_refused(rig: Rig) -> None:
    """A wrong key is told, and tried again; a clock that is off is set, and then it works."""
    wrong = rig.settings.model_copy(update={"api_key": SecretStr("wrong" * 13)})
    async with AsyncExitStack() as stack:
        refused = BinanceVenue(wrong)
        stack.push_async_callback(refused.stop)
        heard = await stack.enter_async_context(told(refused.updates()))
        await hears(heard, lambda all_: len(all_) >= 1)
        assert not heard[0].up
        assert "-2015" in heard[0].error
        late = BinanceVenue(rig.settings, clock=lambda: datetime.now(UTC) - timedelta(minutes=1))
        stack.push_async_callback(late.stop)
        heard = await stack.enter_async_context(told(late.updates()))
        await hears(heard, is_up)
        assert not heard[0].up


# Prices


async def test_quotes(feed: BinanceFeed, rig: Rig) -> None:
    """Those that the venue has; they are those of its market. Other symbols are not found."""
    quotes = await feed.quotes(["BTC/USDT", "ETH/USDT", "XYZ/USDT"])
    assert [each.symbol for each in quotes] == ["BTC/USDT", "ETH/USDT"]
    for each, native in zip(quotes, ("BTCUSDT", "ETHUSDT"), strict=True):
        now = quote(rig, native)
        assert each.bid < each.ask
        assert abs(each.bid - now.bid) < now.bid / 50
        assert each.last is None
    assert await feed.quotes([]) == []
    assert await feed.look_up("BTC/USDT") == feed.instruments["BTC/USDT"]
    for symbol in ("XYZ/USDT", "BTC/USD", "BTCUSDT", "LUNA/USDT"):
        with pytest.raises(SymbolNotFound):
            await feed.look_up(symbol)


async def test_quote_stream(feed: BinanceFeed, rig: Rig) -> None:
    """It follows what is wanted, also after it has been down."""
    wanted = Wanted()
    async with told(feed.stream(wanted)) as heard:
        await hears(heard, is_up)
        wanted.choose(["BTC/USDT", "XYZ/USDT"])
        await hears(heard, lambda all_: symbols(all_) == {"BTC/USDT"})
        wanted.choose(["ETH/USDT"])
        await hears(heard, lambda all_: "ETH/USDT" in symbols(all_))
        rig.emulated.faults.odds = Odds(dropped=1)
        await hears(heard, lambda all_: not connections(all_)[-1].up)
        rig.emulated.faults.odds = Odds(twice=0.3, late=0.3)
        await hears(heard, lambda all_: connections(all_)[-1].up)
        count = len(heard)
        await hears(heard, lambda all_: symbols(all_[count:]) == {"ETH/USDT"})


def symbols(heard: list[Any]) -> set[str]:
    return {each.symbol for each in heard if isinstance(each, Quote)}


# Bars

NOW = datetime(2025, 6, 3, 14, 37, 20, tzinfo=UTC)


async def bars_of(feed: BinanceFeed, rig: Rig, timeframe: Timeframe, **window: Any) -> None:
    """The feed's bars are those of the market inside."""
    query = BarQuery(symbol="BTC/USDT", timeframe=timeframe, **{"limit": 5} | window)
    found = await feed.bars(query, NOW)
    inside = replace(query, symbol="BTC/USD")
    expected = await rig.emulated.backing.market.bars(inside, NOW)
    renamed = [each.evolve(symbol="BTC/USDT", provider="binance") for each in expected]
    assert found == renamed
    assert len(found) <= query.limit


async def test_bars_of_every_timeframe(feed: BinanceFeed, rig: Rig) -> None:
    """Also of those that the venue does not have: they are made of shorter ones."""
    for timeframe in Timeframe:
        await bars_of(feed, rig, timeframe)


async def test_windows_of_bars(feed: BinanceFeed, rig: Rig) -> None:
    """Start and end are inclusive, on or off the bars' opening times."""
    for start in (None, datetime(2025, 6, 3, 13, 30, tzinfo=UTC), NOW - timedelta(hours=2)):
        for end in (None, datetime(2025, 6, 3, 14, 20, tzinfo=UTC), NOW):
            for limit_ in (1, 20):
                window = {"start": start, "end": end, "limit": limit_}
                await bars_of(feed, rig, Timeframe.M10, **window)


async def test_pages_of_bars(feed: BinanceFeed, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one call of the venue has; here that is less than it is."""
    monkeypatch.setattr(provider, "CANDLES_PER_PAGE", 40)
    before = rig.seen["GET /api/v3/klines"]
    await bars_of(feed, rig, Timeframe.M2, limit=50)
    assert rig.seen["GET /api/v3/klines"] - before == 3
    await bars_of(feed, rig, Timeframe.M1, start=NOW - timedelta(minutes=70), limit=500)


async def test_the_open_bar_is_left_out(feed: BinanceFeed) -> None:
    """The venue shows the candle that is not over; it is none of ours."""
    now = datetime.now(UTC)
    query = BarQuery(symbol="BTC/USDT", timeframe=Timeframe.H1, limit=3)
    async with asyncio.timeout(DEADLINE):
        [*_, newest] = await feed.bars(query, now)
    assert newest.timestamp + timedelta(hours=1) <= now
    assert now - newest.timestamp < timedelta(hours=2)
