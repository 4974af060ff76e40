"""Tickets to send, and waiting for what becomes true."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from providers.live.venue import Progress, Refused, Report, Ticket, Venue
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


async def resting(venue: Venue, make: Callable[[], Ticket]) -> Ticket:
    """A ticket that the venue took, though the market moves while it is on its way."""
    async with asyncio.timeout(DEADLINE):
        while True:
            sent = make()
            with contextlib.suppress(Refused):
                await venue.submit(sent)
                return sent


async def filled(venue: Venue, sent: Iterable[Ticket]) -> Ticket:
    """The first of these to be FILLED."""
    tickets = {each.client_id: each for each in sent}

    async def ask() -> list[Report]:
        reports = [await venue.find(each) for each in tickets.values()]
        return [each for each in reports if each and each.progress is Progress.FILLED]

    return tickets[(await until(ask, bool))[0].client_id]
