"""Tickets to send, and waiting for what becomes true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from providers.errors import ProviderUnavailable
from providers.live.venue import Connection, Progress, Report, Ticket, Update
from providers.models import OrderType, Quote, Side, TimeInForce
from providers.saxo.provider import SaxoVenue
from tests.venues.saxo.documents import INSIDE
from tests.venues.saxo.emulator import Rig

T = TypeVar("T")
SYMBOL = "EUR/USD"
DEADLINE = 10.0
NUMBERS = count(1)
STEP = Decimal("0.00001")

OF_A_CFD: dict[str, Any] = {
    "OrderId": "77",
    "Status": "Working",
    "BuySell": "Buy",
    "OpenOrderType": "Limit",
    "Amount": 1,
    "Price": 1,
    "Duration": {"DurationType": "DayOrder"},
    "AssetType": "CfdOnStock",
    "Uic": 4912,
}
"""An open order of a kind that our API does not have."""


async def until(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """What `ask` answers, once it is so. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE):
        while True:
            with suppress(ProviderUnavailable):
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
        "quantity": Decimal(1000),
    }
    made = usual | fields
    market = made["order_type"] is OrderType.MARKET
    made.setdefault("time_in_force", TimeInForce.DAY if market else TimeInForce.GTC)
    return Ticket(**made)


def limit(price: Decimal, **fields: Any) -> Ticket:
    return ticket(**{"order_type": OrderType.LIMIT, "limit_price": price} | fields)


def quote(rig: Rig, symbol: str = SYMBOL) -> Quote:
    """The quote in force inside."""
    return rig.desk.quote(INSIDE[symbol])


def near(rig: Rig, distance: str = "0") -> Decimal:
    """The market's bid, and so far from it."""
    return quote(rig).bid + Decimal(distance)


async def found(venue: SaxoVenue, sent: Ticket, *wanted: Progress) -> Report:
    """How an order stands, once that is one of these."""
    report = await until(lambda: venue.find(sent), lambda r: r is not None and r.progress in wanted)
    assert report is not None
    return report


class Heard:
    """What a stream has told so far."""

    def __init__(self) -> None:
        self.told: list[Update] = []

    @property
    def reports(self) -> list[Report]:
        return [each for each in self.told if isinstance(each, Report)]

    @property
    def connections(self) -> list[bool]:
        return [each.up for each in self.told if isinstance(each, Connection)]

    def of(self, sent: Ticket) -> list[Report]:
        return [each for each in self.reports if each.client_id == sent.client_id]

    async def until(self, holds: Callable[[Heard], bool]) -> None:
        async def ask() -> Heard:
            return self

        await until(ask, holds)


@asynccontextmanager
async def listening(told: AsyncIterator[Any]) -> AsyncIterator[Heard]:
    """Listens in the background, from the first connection on."""
    heard = Heard()

    async def listen() -> None:
        async for each in told:
            heard.told.append(each)

    task = asyncio.create_task(listen())
    try:
        await heard.until(lambda h: bool(h.told) or task.done())
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
