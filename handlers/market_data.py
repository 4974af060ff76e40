"""Tag Market Data: quotes and bars."""

from __future__ import annotations

from typing import Any

from handlers.replies import Call
from handlers.rules import check_window
from providers.base import BarQuery
from providers.models import Bar, Quote, Timeframe


async def get_quote(call: Call, symbol: str) -> Quote:
    return await call.provider.get_quote(symbol)


async def get_bars(call: Call, symbol: str, timeframe: str, **window: Any) -> list[Bar]:
    check_window("start", "end", window)
    query = BarQuery(symbol=symbol, timeframe=Timeframe(timeframe), **window)
    return await call.provider.get_bars(query)
