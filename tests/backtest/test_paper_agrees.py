"""The same strategy makes the same trades on paper, fed with a replayed market tick by tick."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from providers.backtest.path import waypoints
from providers.backtest.provider import BacktestProvider
from providers.backtest.settings import BacktestSettings
from providers.base import Provider, TradeQuery
from providers.market_data.fixed import FixedMarketData
from providers.models import Bar, OrderRequest, OrderType, Side, Trade
from providers.paper.provider import PaperProvider
from providers.paper.settings import PaperSettings
from providers.store.sqlite import SqliteStore
from tests.backtest.bars import ACCOUNT, bar, frames, history, stock, told

FEES: dict[str, Any] = {"maker_fee": Decimal("0.0002"), "taker_fee": Decimal("0.0005")}
LATENCY = timedelta(microseconds=1)
"""An order arrives with the next tick, as it does in a backtest."""

WAVE = [100 + (day * 7) % 13 - (day * 5) % 11 for day in range(60)]
DAYS = [f"{base} {base + 3} {base - 2} {base + 1}" for base in WAVE]


class Averages:
    """Long above its average, short below, with orders of each kind that need no path."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.closes: list[Decimal] = []

    async def on_close(self, close: Decimal) -> None:
        self.closes.append(close)
        held = await self.provider.list_positions(ACCOUNT, None)
        above = close > sum(self.closes[-5:]) / len(self.closes[-5:])
        if not held:
            await self.send(Side.BUY if above else Side.SELL, 10)
        elif (held[0].side.value == "LONG") is not above:
            await self.send(Side.BUY if above else Side.SELL, 20)

    async def send(self, side: Side, quantity: int) -> None:
        await self.provider.submit_order(
            ACCOUNT,
            OrderRequest(
                symbol="XYZ", side=side, quantity=Decimal(quantity), order_type=OrderType.MARKET
            ),
        )


async def backtested() -> list[Trade]:
    run = BacktestProvider(history(*DAYS), BacktestSettings(**FEES))
    strategy = Averages(run)
    async for frame in frames(run):
        if told(frame) == "candle":
            await strategy.on_close(Decimal(frame["bar"]["close"]))
    return await trades_of(run)


async def on_paper(folder: Path) -> list[Trade]:
    """The price of each bar, tick by tick, on the real exchange with its store and its clock."""
    market, moment = FixedMarketData([stock()]), bar(0, DAYS[0]).timestamp
    settings = PaperSettings(latency=LATENCY, **FEES)
    store = SqliteStore(folder / "paper.db", initial_balance=settings.initial_balance)
    paper = PaperProvider(store, market, settings, clock=lambda: moment)
    await store.open()
    strategy = Averages(paper)
    try:
        for number, ohlc in enumerate(DAYS):
            async for at, price in ticks(bar(number, ohlc)):
                moment = at
                market.set_quote("XYZ", bid=str(price), ask=str(price), at=at)
                await paper.market_clock._turn()
            await strategy.on_close(bar(number, ohlc).close)
        return await trades_of(paper)
    finally:
        await store.close()


async def ticks(of: Bar) -> AsyncIterator[tuple[datetime, Decimal]]:
    for hours, price in enumerate([of.open, *waypoints(of)]):
        yield of.timestamp + timedelta(hours=hours, seconds=1), price


async def trades_of(provider: Provider) -> list[Trade]:
    return (await provider.list_trades(ACCOUNT, TradeQuery(limit=1000))).items


def plainly(trade: Trade) -> tuple[Any, ...]:
    """A trade without what names it: the day, not the microsecond."""
    return trade.timestamp.date(), trade.side, trade.quantity, trade.price, trade.commission


async def test_paper_and_backtest_agree(tmp_path: Path) -> None:
    """Side, quantity, price and commission of every trade, on the same day."""
    replayed, ticked = await backtested(), await on_paper(tmp_path)
    assert [plainly(each) for each in replayed] == [plainly(each) for each in ticked]
    assert len(replayed) > 20
