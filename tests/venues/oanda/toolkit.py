"""What the tests share: tickets, and waiting for what will be so, with an end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

from providers.live.venue import Report, Ticket, Venue
from providers.models import OrderType, Side

T = TypeVar("T")
DEADLINE = 15.0
"""Seconds; a test that waits longer has failed."""

_numbers = itertools.count(1)


def ticket(**fields: Any) -> Ticket:
    """A market order to buy 1000 euros, with a client id of its own, but for `fields`."""
    return Ticket(
        **{
            "client_id": f"t-{next(_numbers)}",
            "symbol": "EUR/USD",
            "side": Side.BUY,
            "order_type": OrderType.MARKET,
            "quantity": Decimal(1000),
            "time_in_force": "FOK",
            **fields,
        }
    )


def limit(price: str, **fields: Any) -> Ticket:
    """A limit order, good till cancelled."""
    order = {"order_type": OrderType.LIMIT, "limit_price": Decimal(price), "time_in_force": "GTC"}
    return ticket(**{**order, **fields})


def stop(price: str, **fields: Any) -> Ticket:
    """A stop order, good till cancelled."""
    order = {"order_type": OrderType.STOP, "stop_price": Decimal(price), "time_in_force": "GTC"}
    return ticket(**{**order, **fields})


async def until(found: Callable[[], Awaitable[T | None]]) -> T:
    """What a question answers once it is not None or False. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await found()
            if answer is not None and answer is not False:
                return answer
            await asyncio.sleep(0.02)


async def over(venue: Venue, order: Ticket) -> Report:
    """The report of an order once it is over."""

    async def ended() -> Report | None:
        found = await venue.find(order)
        return found if found is not None and found.progress.over else None

    return await until(ended)


async def first(told: AsyncIterator[T], wanted: Callable[[T], bool]) -> T:
    """The first of a stream that is wanted. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE):
        async for each in told:
            if wanted(each):
                return each
    raise AssertionError("the stream has ended")
