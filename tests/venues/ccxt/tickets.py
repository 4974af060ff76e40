"""Tickets for tests, and waiting for what comes of them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

from providers.live.venue import Report, Ticket, Venue
from providers.models import OrderType, Side

T = TypeVar("T")

LOW, HIGH = Decimal("1000.01"), Decimal("90000.01")
"""Prices that the market does not reach."""


def ticket(**changes: Any) -> Ticket:
    """A market order to buy 0.1 BTC, unless something else is said."""
    values: dict[str, Any] = {
        "client_id": str(uuid.uuid4()),
        "symbol": "BTC/USD",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("0.1"),
    }
    return Ticket(**{**values, **changes})


def resting(**changes: Any) -> Ticket:
    """An order to buy that rests far below the market."""
    return ticket(order_type=OrderType.LIMIT, limit_price=LOW, **changes)


async def eventually(look: Callable[[], Awaitable[T]], good: Callable[[T], bool]) -> T:
    """What `look` gives once it is good. Raises AssertionError after ten seconds."""
    async with asyncio.timeout(10):
        while not good(found := await look()):
            await asyncio.sleep(0.02)
    return found


async def ended(venue: Venue, sent: Ticket) -> Report:
    """How an order has ended."""

    async def look() -> Report | None:
        return await venue.find(sent)

    found = await eventually(look, lambda report: report is not None and report.progress.over)
    assert found is not None
    return found
