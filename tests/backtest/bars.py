"""Bars of a made-up stock, and a run over them, for the tests of the backtest's own parts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from providers.backtest.provider import BacktestProvider
from providers.backtest.settings import BacktestSettings
from providers.backtest.source import PROVIDER, MemoryBars
from providers.base import Instrument, StreamQuery
from providers.models import AssetClass, Bar, Timeframe

FIRST = datetime(2024, 1, 2, tzinfo=UTC)
ACCOUNT = "default"


def stock(symbol: str = "XYZ") -> Instrument:
    return Instrument(
        symbol=symbol,
        asset_class=AssetClass.STOCK,
        price_increment=Decimal("0.01"),
        quantity_increment=Decimal(1),
    )


def bar(number: int, ohlc: str, symbol: str = "XYZ") -> Bar:
    """The daily bar of day `number`, as `bar(0, "100 103 90 95")`."""
    opened, high, low, closed = map(Decimal, ohlc.split())
    return Bar(
        symbol=symbol,
        provider=PROVIDER,
        timeframe=Timeframe.D1,
        timestamp=FIRST + timedelta(days=number),
        open=opened,
        high=high,
        low=low,
        close=closed,
        volume=Decimal(1000),
    )


def history(*days: str, **options: Any) -> MemoryBars:
    """One stock, a bar a day."""
    bars = [bar(number, ohlc) for number, ohlc in enumerate(days)]
    return MemoryBars(bars, [stock()], Timeframe.D1, **options)


def run_over(*days: str, **settings: Any) -> BacktestProvider:
    return BacktestProvider(history(*days), BacktestSettings(**settings))


async def frames(
    run: BacktestProvider, query: StreamQuery | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The frames of a subscription, each acknowledged when the next is asked for."""
    stream = await run.subscribe(ACCOUNT, query or StreamQuery())
    async for text in stream:
        frame: dict[str, Any] = json.loads(text)
        yield frame
        if "event_id" in frame:
            await run.acknowledge(ACCOUNT, [frame["event_id"]])


def told(frame: dict[str, Any]) -> str:
    """A frame in a word or two: `candle`, `order ORDER_FILLED`."""
    return " ".join(filter(None, [frame["type"], frame.get("event")]))
