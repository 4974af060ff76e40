"""The published Python client drives a backtest, unmodified, to its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from contract_tests.laboratory.fleet import Fleet
from contract_tests.laboratory.servers import Server

tektii: Any = pytest.importorskip("tektii", reason="the published client is not installed")
pytest.importorskip("duckdb", reason="the extra backtest is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""The published client leaves sockets and event loops open; `swept` finds them here, not later."""


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What the client has left open is collected before the next test."""
    yield
    gc.collect()


DAYS = 30
RUN = {
    "BACKTEST_SYMBOLS": "AAPL",
    "BACKTEST_START": "2012-01-03",
    "BACKTEST_END": "2012-02-14",
}
"""Thirty days of trading."""


def launch(fleet: Fleet) -> Server:
    return fleet.launch("backtest", provider="backtest", options=RUN)


async def trade(gateway: Any, position: Any, bars: int) -> None:
    """Buy on every tenth bar, and sell five bars later."""
    if bars % 10 == 1:
        await gateway.submit_order("AAPL", "buy", "10", stop_loss="300", take_profit="900")
    elif bars % 10 == 6 and position is not None:
        await gateway.close_position(position.id)


async def test_to_the_end(fleet: Fleet) -> None:
    """Every bar comes, orders fill on the next, all times are simulated, the hook is called."""
    server = launch(fleet)
    ends, bars, fills, held = [], 0, [], None
    async with tektii.AsyncTradingGateway(server.url) as gateway:

        async def complete(event: Any) -> None:
            ends.append((event.type, (await gateway.get_account()).equity))

        async with gateway.stream(on_backtest_complete=complete) as events:
            async for event in events:
                if isinstance(event, tektii.CandleEvent):
                    bars += 1
                    assert event.timestamp.year == 2012
                    assert (await gateway.get_quote("AAPL")).last == event.bar.close
                    assert (await gateway.get_bars("AAPL", "1d"))[-1] == event.bar
                    await trade(gateway, held, bars)
                elif isinstance(event, tektii.PositionEvent):
                    held = event.position if event.event != "POSITION_CLOSED" else None
                elif isinstance(event, tektii.TradeEvent):
                    fills.append(event.trade)
        trades = await gateway.list_trades()
    assert (DAYS, 6) == (bars, len(fills))
    assert [one.id for one in trades] == [one.id for one in reversed(fills)]
    [(kind, equity)] = ends
    assert ("backtest_complete", True) == (kind, Decimal(equity) != 1_000_000)


def test_the_synchronous_client(fleet: Fleet) -> None:
    """The same run, in plain code."""
    server = launch(fleet)
    ends: list[Any] = []
    bars = 0
    with tektii.TradingGateway(server.url) as gateway:
        with gateway.stream(on_backtest_complete=ends.append) as events:
            inner = events._loop  # noqa: SLF001
            for event in events:
                if isinstance(event, tektii.CandleEvent):
                    bars += 1
                    if bars == 1:
                        gateway.submit_order("AAPL", "buy", "10")
        [trade] = gateway.list_trades()
        loop = gateway._loop  # noqa: SLF001
    for each in (loop, inner):
        each.close()  # the client leaves them open
    assert (DAYS, 1) == (bars, len(ends))
    assert datetime(2012, 1, 4, tzinfo=UTC) <= trade.timestamp < datetime(2012, 1, 5, tzinfo=UTC)


async def test_a_client_that_is_cut_off_goes_on(fleet: Fleet) -> None:
    """It reconnects by itself; only the bar that it could not acknowledge comes again."""
    server = launch(fleet)
    opened = []
    async with tektii.AsyncTradingGateway(server.url) as gateway:
        stream = gateway.stream()
        async with stream as events:
            async for event in events:
                if isinstance(event, tektii.CandleEvent):
                    opened.append(event.bar.timestamp)
                    if len(opened) == 10:
                        await stream._ws.close()  # noqa: SLF001  # a network that fails
    told_again = opened[9] == opened[10]  # where its acknowledgement was lost with the connection
    assert DAYS == len(opened) - told_again
    assert sorted(set(opened)) == opened[:10] + opened[10 + told_again :]


async def test_a_run_that_is_broken_off_is_not_complete(fleet: Fleet) -> None:
    """The server stops in the middle: the hook is never called."""
    server = launch(fleet)
    ends: list[Any] = []
    async with asyncio.timeout(30), tektii.AsyncTradingGateway(server.url) as gateway:
        stream = gateway.stream(on_backtest_complete=ends.append)
        stream._max_reconnect_attempts = 1  # noqa: SLF001
        with contextlib.suppress(OSError):
            async with stream as events:
                async for event in events:
                    if isinstance(event, tektii.CandleEvent):
                        await asyncio.to_thread(server.stop)
    assert ends == []
