"""A run: time that stands still until everything is acknowledged, and what is told of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from providers.backtest.provider import BacktestProvider
from providers.backtest.settings import BacktestSettings
from providers.base import BarQuery, FrameType, OrderQuery, StreamQuery, TradeQuery
from providers.errors import (
    InvalidValue,
    ProviderError,
    ProviderUnavailable,
    SymbolNotFound,
    UnsupportedOperation,
)
from providers.models import (
    ClosePositionRequest,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Timeframe,
)
from tests.backtest.bars import ACCOUNT, FIRST, bar, frames, history, run_over, told

DAYS = ("100 102 99 101", "101 104 100 103", "103 105 102 104")


def market(quantity: int = 10, side: Side = Side.BUY) -> OrderRequest:
    return OrderRequest(
        symbol="XYZ", side=side, quantity=Decimal(quantity), order_type=OrderType.MARKET
    )


async def next_frame(stream: AsyncIterator[str]) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(await anext(stream))
    return frame


async def test_a_run_from_end_to_end() -> None:
    """CONNECTED, a candle for each bar at its close, and backtest_complete at the end."""
    run = run_over(*DAYS)
    told_ = [frame async for frame in frames(run)]
    assert [told(frame) for frame in told_] == [
        "connection CONNECTED",
        "candle",
        "candle",
        "candle",
        "backtest_complete",
    ]
    closes = [frame["timestamp"] for frame in told_ if frame["type"] == "candle"]
    assert closes == ["2024-01-03T00:00:00Z", "2024-01-04T00:00:00Z", "2024-01-05T00:00:00Z"]
    assert [frame.get("event_id") for frame in told_] == [None, "1", "2", "3", "4"]
    assert run.complete


async def test_time_stands_still_until_all_is_acknowledged() -> None:
    """Only the ids that were sent release anything, in any order; others do nothing."""
    run = run_over(*DAYS)
    stream = await run.subscribe(ACCOUNT, StreamQuery())
    await anext(stream)
    candle = await next_frame(stream)
    await run.submit_order(ACCOUNT, market())
    created = await next_frame(stream)
    assert ("candle", "order ORDER_CREATED") == (told(candle), told(created))
    for ids in ([], ["99"], ["x", "-1", "1.0", "²"], [created["event_id"]] * 2):
        await run.acknowledge(ACCOUNT, ids)
        assert run.now() == FIRST + timedelta(days=1)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert not waiting.done()
    await run.acknowledge(ACCOUNT, [candle["event_id"]])
    assert told(json.loads(await waiting)) == "order ORDER_MODIFIED"
    assert run.now() > FIRST + timedelta(days=1)
    await run.stop()


async def test_a_market_order_fills_at_the_next_open() -> None:
    """An order sent on a bar waits, and the fill is told before the candle of its bar."""
    run = run_over(*DAYS)
    seen = []
    async for frame in frames(run):
        seen.append(told(frame))
        if seen == ["connection CONNECTED", "candle"]:
            handle = (await run.submit_order(ACCOUNT, market())).handle
            assert handle.status is OrderStatus.PENDING
    assert seen[1:8] == [
        "candle",
        "order ORDER_CREATED",
        "order ORDER_MODIFIED",
        "order ORDER_FILLED",
        "trade TRADE_FILLED",
        "position POSITION_OPENED",
        "candle",
    ]
    [trade] = (await run.list_trades(ACCOUNT, TradeQuery())).items
    assert trade.price == Decimal(101)
    assert (await run.get_account(ACCOUNT)).equity == Decimal(1_000_030)


async def test_the_quote_is_the_close_between_bars() -> None:
    """What is asked between two acks is asked at that simulated moment."""
    run, quotes = run_over(*DAYS), []
    async for frame in frames(run):
        if frame["type"] == "candle":
            quote = await run.get_quote("XYZ")
            quotes.append((quote.bid, quote.ask, quote.timestamp))
    assert quotes == [
        (close, close, FIRST + timedelta(days=day + 1))
        for day, close in enumerate(map(Decimal, ("101", "103", "104")))
    ]


async def test_a_strategy_that_comes_back_is_told_what_it_has_not_dealt_with() -> None:
    """Time waits for it; an event that was sent and not acknowledged comes again."""
    run = run_over(*DAYS)
    stream = await run.subscribe(ACCOUNT, StreamQuery())
    await anext(stream)
    first = await next_frame(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    for _ in range(50):
        await asyncio.sleep(0)
    assert run.now() == FIRST + timedelta(days=1)
    again = [frame async for frame in frames(run)]
    assert again[1] == first
    assert [told(frame) for frame in again[1:]] == ["candle"] * 3 + ["backtest_complete"]


async def test_nothing_moves_while_nobody_listens() -> None:
    """Acknowledged to the last event, a run still waits for a strategy to be there."""
    run = run_over(*DAYS)
    stream = await run.subscribe(ACCOUNT, StreamQuery())
    await anext(stream)
    first = await next_frame(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    await run.acknowledge(ACCOUNT, [first["event_id"]])
    for _ in range(50):
        await asyncio.sleep(0)
    assert run.now() == FIRST + timedelta(days=1)
    await run.stop()


async def test_resume_after_an_event() -> None:
    """`after` tells again what followed an event, acknowledged or not, without holding up time."""
    run = run_over(*DAYS)
    stream = await run.subscribe(ACCOUNT, StreamQuery())
    await anext(stream)
    for number in ("1", "2"):
        assert (await next_frame(stream))["event_id"] == number
        await run.acknowledge(ACCOUNT, [number])
    other = await run.subscribe(ACCOUNT, StreamQuery(after=0))
    assert (await next_frame(other))["last_event_id"] == "0"
    assert [(await next_frame(other))["event_id"] for _ in range(2)] == ["1", "2"]
    assert (await next_frame(stream))["event_id"] == "3"
    await run.acknowledge(ACCOUNT, ["3"])
    assert told(await next_frame(stream)) == "backtest_complete"
    await run.stop()


@pytest.mark.parametrize("after", [1, 99])
async def test_an_event_that_never_was(after: int) -> None:
    """Nobody can resume from the future."""
    with pytest.raises(InvalidValue):
        await run_over(*DAYS).subscribe(ACCOUNT, StreamQuery(after=after))


async def test_what_is_left_out_need_not_be_acknowledged() -> None:
    """A subscriber of trades alone gets through the run on those."""
    run = BacktestProvider(history(*DAYS, start=FIRST + timedelta(days=1)), BacktestSettings())
    await run.start()
    await run.submit_order(ACCOUNT, market())
    query = StreamQuery(types=frozenset({FrameType.TRADE}))
    assert [told(frame) async for frame in frames(run, query)] == [
        "connection CONNECTED",
        "trade TRADE_FILLED",
        "backtest_complete",
    ]


async def test_an_unknown_symbol_cannot_be_chosen() -> None:
    """Aliases can."""
    run = run_over(*DAYS)
    with pytest.raises(SymbolNotFound):
        await run.subscribe(ACCOUNT, StreamQuery(symbols=frozenset({"ABC"})))
    query = StreamQuery(symbols=frozenset({"S:XYZ"}))
    assert 5 == len([frame async for frame in frames(run, query)])


async def test_a_run_that_is_broken_off_never_says_that_it_is_complete() -> None:
    """The stream ends without it, and the report is told."""
    reports = []
    settings = run_over(*DAYS).settings
    run = BacktestProvider(history(*DAYS), settings, lambda _, complete: reports.append(complete))
    stream = await run.subscribe(ACCOUNT, StreamQuery())
    assert [told(await next_frame(stream)) for _ in range(2)] == ["connection CONNECTED", "candle"]
    await run.stop()
    assert [json.loads(text) async for text in stream] == []
    assert ([False], False) == (reports, run.complete)


async def test_a_run_without_its_results_is_not_complete() -> None:
    """The disk is full at the end: nobody is told that all went well."""

    def full(*_: object) -> None:
        raise OSError("no space left")

    run = BacktestProvider(history(*DAYS), BacktestSettings(), full)

    with pytest.raises(ProviderError):
        [frame async for frame in frames(run)]
    assert not run.complete
    assert FrameType.BACKTEST_COMPLETE not in [entry.type for entry in run._events.after(0)]


async def test_a_failure_in_the_middle_ends_the_stream_with_an_error() -> None:
    """Data that breaks in the middle of a run is no end of it."""

    class Broken:
        timeframe = Timeframe.D1
        instruments = history().instruments

        def __init__(self) -> None:
            self.sound = 1

        def replay(self) -> Any:
            yield bar(0, DAYS[0])
            yield bar(1, DAYS[1])
            raise ValueError("row 3 is broken")

        def closed(self, *_: object) -> list[Any]:
            return []

        def close(self) -> None:
            """There is nothing to release."""

    run = BacktestProvider(Broken(), run_over(*DAYS).settings)
    with pytest.raises(ProviderError):
        [frame async for frame in frames(run)]
    assert not run.complete


async def test_bars_are_those_that_have_closed() -> None:
    """No bar is shown before its close, in no timeframe; others than multiples are not offered."""
    run, shown = run_over(*DAYS), []
    async for frame in frames(run):
        if frame["type"] == "candle":
            bars = await run.get_bars(BarQuery(symbol="XYZ", timeframe=Timeframe.D1))
            shown.append([each.close for each in bars])
            weeks = await run.get_bars(BarQuery(symbol="XYZ", timeframe=Timeframe.W1))
            assert weeks == []
    assert [len(closes) for closes in shown] == [1, 2, 3]
    with pytest.raises(UnsupportedOperation):
        await run.get_bars(BarQuery(symbol="XYZ", timeframe=Timeframe.H1))


async def test_the_price_from_before_the_run() -> None:
    """An order before the first bar is judged by the last close before it, where there is one."""
    source = history(*DAYS, start=FIRST + timedelta(days=1))
    run = BacktestProvider(source, run_over(*DAYS).settings)
    await run.start()
    assert (await run.get_quote("XYZ")).bid == Decimal(101)
    assert run.now() == FIRST + timedelta(days=1)
    blind = run_over(*DAYS)
    await blind.start()
    with pytest.raises(ProviderUnavailable):
        await blind.get_quote("XYZ")


def test_a_history_without_a_bar_is_refused() -> None:
    """There would be nothing to run over."""
    with pytest.raises(ValueError, match="no bars"):
        run_over()


async def test_the_same_run_twice() -> None:
    """Every frame is the same, down to ids and timestamps."""

    async def told_by_a_run() -> list[dict[str, Any]]:
        run, seen = run_over(*DAYS * 3, taker_fee=Decimal("0.001")), []
        async for frame in frames(run):
            seen.append(frame)
            held = await run.list_positions(ACCOUNT, None)
            if frame["type"] == "candle" and held:
                await run.close_position(ACCOUNT, held[0].id, ClosePositionRequest())
            elif frame["type"] == "candle":
                await run.submit_order(ACCOUNT, market())
        return seen

    first = await told_by_a_run()
    assert first == await told_by_a_run()
    assert len(first) > 50


async def test_an_order_at_a_fill_acts_where_time_stood_still() -> None:
    """A strategy may answer a fill in the middle of a bar: its order meets that price first."""
    run = run_over("100 101 99 100", "100 110 99 108")
    stop = OrderRequest(
        symbol="XYZ",
        side=Side.BUY,
        quantity=Decimal(10),
        order_type=OrderType.STOP,
        stop_price=Decimal(105),
    )
    answered = False
    async for frame in frames(run):
        if told(frame) == "candle" and frame["event_id"] == "1":
            await run.submit_order(ACCOUNT, stop)
        if told(frame) == "position POSITION_OPENED" and not answered:
            answered = True
            await run.submit_order(ACCOUNT, market(10, Side.SELL))
    bought, sold = reversed((await run.list_trades(ACCOUNT, TradeQuery())).items)
    assert (Decimal(105), Decimal(105)) == (bought.price, sold.price)


async def test_a_pending_order_can_be_cancelled() -> None:
    """It has not met the market, so nothing has traded."""
    run = run_over(*DAYS)
    async for frame in frames(run):
        if told(frame) == "candle" and frame["event_id"] == "1":
            order = (await run.submit_order(ACCOUNT, market())).handle
            assert (await run.cancel_order(ACCOUNT, order.id)).success
    [cancelled] = (await run.list_order_history(ACCOUNT, OrderQuery())).items
    assert cancelled.status is OrderStatus.CANCELLED
