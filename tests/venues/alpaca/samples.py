"""Tickets, and waiting for what becomes of them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from providers.alpaca.provider import AlpacaVenue
from providers.live.venue import Progress, Report, Ticket
from providers.models import OrderType, Side, TimeInForce

T = TypeVar("T")
DEADLINE = 15.0
"""Seconds; a test that waits longer has failed."""


async def until(found: Callable[[], Awaitable[T | None]]) -> T:
    """What a question answers once it is not None or False. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await found()
            if answer is not None and answer is not False:
                return answer
            await asyncio.sleep(0.02)


async def first(told: AsyncIterator[T], wanted: Callable[[T], bool]) -> T:
    """The first of a stream that is wanted. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE):
        async for each in told:
            if wanted(each):
                return each
    raise AssertionError("the stream has ended")


def ticket(**fields: Any) -> Ticket:
    defaults: dict[str, Any] = {
        "client_id": f"t-{uuid.uuid4()}",
        "symbol": "BTC/USD",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("0.05"),
    }
    return Ticket(**{**defaults, **fields})


def resting(**fields: Any) -> Ticket:
    """A limit far below the market."""
    defaults: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal("10.5")}
    return ticket(**{**defaults, **fields})


def stock(**fields: Any) -> Ticket:
    return ticket(**{"symbol": "AAPL", "quantity": Decimal(1), **fields})


async def placed(venue: AlpacaVenue, order: Ticket) -> Ticket:
    """The ticket with the venue's id."""
    return replace(order, venue_id=(await venue.submit(order)).venue_id)


async def found(venue: AlpacaVenue, order: Ticket) -> Report:
    report = await venue.find(order)
    assert report is not None
    return report


async def over(venue: AlpacaVenue, order: Ticket) -> Report:
    """How the order ended, once it has."""

    async def ended() -> Report | None:
        report = await venue.find(order)
        return report if report is not None and report.progress.over else None

    return await until(ended)


async def bought(venue: AlpacaVenue, **fields: Any) -> Report:
    """A position, by an order at the market that has filled."""
    order = ticket(**fields)
    await venue.submit(order)
    done = await over(venue, order)
    assert done.progress is Progress.FILLED
    return done


GTC, DAY, IOC, FOK = TimeInForce.GTC, TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK
