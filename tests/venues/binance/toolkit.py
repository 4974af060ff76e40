"""Tickets to send, and waiting for what becomes true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from providers.live.venue import Ticket
from providers.models import OrderType, Quote, Side
from tests.venues.binance.documents import PAIRS
from tests.venues.binance.emulator import Rig

T = TypeVar("T")
SYMBOL = "BTC/USDT"
DEADLINE = 10.0
NUMBERS = count(1)


async def until(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """What `ask` answers, once it is so. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE):
        while True:
            found = await ask()
            if holds(found):
                return found
            await asyncio.sleep(0.02)


def ticket(**fields: Any) -> Ticket:
    """A small market order to buy, unless told otherwise."""
    usual: dict[str, Any] = {
        "client_id": f"test-{next(NUMBERS)}",
        "symbol": SYMBOL,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("0.05"),
    }
    return Ticket(**usual | fields)


def limit(price: Decimal, **fields: Any) -> Ticket:
    return ticket(**{"order_type": OrderType.LIMIT, "limit_price": price} | fields)


def quote(rig: Rig, native: str = "BTCUSDT") -> Quote:
    """The quote in force inside."""
    return rig.rest.desk.quote(PAIRS[native])


def near(rig: Rig, distance: int = 0) -> Decimal:
    """The market's price to whole units, and so far from it."""
    return Decimal(int(quote(rig).bid) + distance)
