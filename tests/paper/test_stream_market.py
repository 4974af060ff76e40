"""Quotes and candles of the event stream: what is now, and no work that nobody wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.base import FrameType, SlowReader
from providers.models import Bar, Timeframe
from tests.paper.exchange import OPENING, Exchange
from tests.paper.listening import QUOTES, listening, small

CANDLES = frozenset({FrameType.CANDLE})


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with aclosing(await Exchange(tmp_path / "paper.db").open()) as opened:
        yield opened


async def test_quotes(exchange: Exchange) -> None:
    """First those in force, then each that is new, without an event_id."""
    async with listening(exchange, types=QUOTES) as client:
        first = await client.take(2)
        assert [frame["quote"]["symbol"] for frame in first] == ["AAPL", "BTC/USD"]
        await exchange.provider.stream.ticker.tick()
        exchange.quote("99.5", "100.5")
        await exchange.provider.stream.ticker.tick()
        frame = await client.next()
        assert frame["quote"] == json.loads(
            (await exchange.provider.get_quote("AAPL")).model_dump_json()
        )
        assert "event_id" not in frame
        assert frame["timestamp"] == "2025-01-15T15:30:01Z"


async def test_events_are_not_held_up_by_quotes(exchange: Exchange) -> None:
    """Both come to a client that wants both, the account's first."""
    async with listening(exchange, types=None, symbols=frozenset({"AAPL"})) as client:
        await client.next()
        exchange.quote("99.5", "100.5")
        await exchange.provider.stream.ticker.tick()
        await exchange.buy("1", limit="50")
        assert {frame["type"] for frame in await client.take(2)} == {"quote", "order"}


async def test_only_what_is_wanted_is_computed(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quote is asked for once per tick, however many want it, and not at all if nobody does."""
    asked: list[str] = []
    quote = exchange.market.quote

    def counting(symbol: str, at: Any) -> Any:
        asked.append(symbol)
        return quote(symbol, at)

    monkeypatch.setattr(exchange.market, "quote", counting)
    ticker = exchange.provider.stream.ticker
    apple = frozenset({"AAPL"})
    async with listening(exchange), listening(exchange, types=CANDLES):
        await ticker.tick()
        assert asked == []
    async with (
        listening(exchange, types=QUOTES, symbols=apple) as one,
        listening(exchange, types=QUOTES, symbols=apple) as two,
    ):
        await one.next()
        await two.next()
        asked.clear()
        await ticker.tick()
        assert asked == ["AAPL"]
        assert one.texts[1] is two.texts[1]
    await ticker.tick()
    assert asked == ["AAPL"]


async def test_a_symbol_without_a_quote(exchange: Exchange) -> None:
    """Nothing is told of it until it has one."""
    exchange.clock.now = OPENING.replace(year=2024)
    async with listening(exchange, types=QUOTES) as client:
        exchange.clock.now = OPENING
        await exchange.provider.stream.ticker.tick()
        assert len(await client.take(2)) == 2


def bar(minute: int, close: str = "10") -> Bar:
    return Bar(
        symbol="AAPL",
        provider="fixed",
        timeframe=Timeframe.M1,
        timestamp=OPENING.replace(minute=minute),
        open=Decimal(10),
        high=Decimal(11),
        low=Decimal(9),
        close=Decimal(close),
        volume=Decimal(5),
    )


async def test_candles(exchange: Exchange) -> None:
    """Each bar that closes after the beginning, once, at the time of its close."""
    exchange.market.add_bars([bar(29), bar(30), bar(31), bar(33)])
    exchange.clock.forward(seconds=20)
    ticker = exchange.provider.stream.ticker
    async with listening(exchange, types=CANDLES, symbols=frozenset({"AAPL"})) as client:
        listener = asyncio.create_task(client.take(3))
        for seconds in (10, 20, 20, 60, 0, 120):
            await asyncio.sleep(0)
            exchange.clock.forward(seconds=seconds)
            await ticker.tick()
        frames = await listener
    assert [frame["bar"]["timestamp"] for frame in frames] == [
        f"2025-01-15T15:{minute}:00Z" for minute in (30, 31, 33)
    ]
    assert frames[0]["timestamp"] == "2025-01-15T15:31:00Z"


async def test_candles_after_a_clock_was_set_back(exchange: Exchange) -> None:
    """They are not silent until that time comes again."""
    exchange.market.add_bars([bar(minute) for minute in range(60)])
    ticker = exchange.provider.stream.ticker
    async with listening(exchange, types=CANDLES, symbols=frozenset({"AAPL"})) as client:
        listener = asyncio.create_task(client.take(3))
        while not ticker._charted:
            await asyncio.sleep(0)
        for minutes in (1, -20, 1, 1):
            exchange.clock.forward(minutes=minutes)
            await ticker.tick()
        frames = await listener
    assert [frame["bar"]["timestamp"] for frame in frames] == [
        f"2025-01-15T15:{minute}:00Z" for minute in (30, 11, 12)
    ]


async def test_candles_after_a_long_pause(exchange: Exchange) -> None:
    """All that closed meanwhile, over several ticks: that does not make a slow reader."""
    exchange.market.add_bars([bar(minute) for minute in range(30, 55)])
    stream = small(exchange, market=20)
    async with listening(stream, types=CANDLES, symbols=frozenset({"AAPL"})) as client:
        listener = asyncio.create_task(client.take(25))
        while not stream.ticker._charted:
            await asyncio.sleep(0)
        exchange.clock.forward(minutes=25)
        for heard in range(5, 26, 5):
            await stream.ticker.tick()
            while len(client.texts) <= heard and not listener.done():
                await asyncio.sleep(0)
        frames = await listener
    assert [f"2025-01-15T15:{minute}:00Z" for minute in range(30, 55)] == [
        frame["bar"]["timestamp"] for frame in frames
    ]


async def test_too_slow_for_the_market(exchange: Exchange) -> None:
    """Quotes that are forgotten before they were taken: told, not skipped."""
    stream = small(exchange, market=3)
    async with listening(stream, types=QUOTES, symbols=frozenset({"AAPL"})) as client:
        await client.next()
        for price in range(10):
            exchange.quote(str(90 + price), "120")
            await stream.ticker.tick()
        with pytest.raises(SlowReader):
            await client.take(20)
