"""Orders from their submission to their end, over real connections to the emulator."""

from __future__ import annotations

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

from providers.alpaca.provider import AlpacaVenue
from providers.live.venue import Progress, Report, Ticket
from providers.models import OrderType, Side, TimeInForce
from tests.venues.alpaca.waiting import until


def ticket(**fields: Any) -> Ticket:
    return Ticket(
        **{
            "client_id": f"t-{uuid.uuid4()}",
            "symbol": "BTC/USD",
            "side": Side.BUY,
            "order_type": OrderType.MARKET,
            "quantity": Decimal("0.05"),
            **fields,
        }
    )


async def over(venue: AlpacaVenue, order: Ticket) -> Report:
    async def ended() -> Report | None:
        found = await venue.find(order)
        return found if found is not None and found.progress.over else None

    return await until(ended)


async def test_a_market_order_fills(venue: AlpacaVenue) -> None:
    """It is acknowledged as pending, and what it filled can be asked for."""
    order = ticket()
    accepted = await venue.submit(order)
    done = await over(venue, order)
    fills = await venue.executions(order)
    assert accepted.progress is Progress.PENDING
    assert (done.progress, done.filled) == (Progress.FILLED, order.quantity)
    assert fills is not None
    assert [fill.cumulative for fill in fills] == [order.quantity]
    assert done.average_price == fills[0].price
    assert done.time_in_force is TimeInForce.GTC


async def test_a_resting_order_is_replaced_and_cancelled(venue: AlpacaVenue) -> None:
    order = ticket(order_type=OrderType.LIMIT, limit_price=Decimal("100"))
    accepted = await venue.submit(order)
    order = replace(order, venue_id=accepted.venue_id)
    changed = replace(order, client_id="t-2", limit_price=Decimal("101"), venue_id=None)
    after = await venue.replace(order, changed)
    changed = replace(changed, venue_id=after.venue_id)
    before = await venue.find(order)
    await venue.cancel(changed)
    ended = await over(venue, changed)
    assert after.client_id == "t-2"
    assert before is not None
    assert (before.progress, before.replaced_by) == (Progress.CANCELLED, after.venue_id)
    assert (ended.progress, ended.limit_price) == (Progress.CANCELLED, Decimal("101"))
