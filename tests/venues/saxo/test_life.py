"""The life of orders at Saxo, against the emulator."""

from __future__ import annotations

from decimal import Decimal

from providers.live.venue import Progress
from providers.models import OrderType
from providers.saxo.provider import SaxoVenue
from tests.venues.saxo.emulator import Rig
from tests.venues.saxo.toolkit import found, limit, near, ticket


async def test_a_market_order_fills_and_its_log_tells_at_what_price(
    rig: Rig, venue: SaxoVenue
) -> None:
    """A market order is told as on its way, and by its log as filled."""
    sent = ticket()
    report = await venue.submit(sent)
    assert (Progress.PENDING, Decimal(0)) == (report.progress, report.filled)
    done = await found(venue, sent, Progress.FILLED)
    assert (Decimal(1000), OrderType.MARKET) == (done.filled, done.order_type)
    fills = await venue.executions(sent)
    assert fills == done.executions
    assert [Decimal(1000)] == [each.cumulative for each in done.executions]


async def test_a_limit_rests_and_is_cancelled(rig: Rig, venue: SaxoVenue) -> None:
    """A limit below the market rests until it is cancelled."""
    sent = limit(near(rig, "-0.1"))
    placed = await venue.submit(sent)
    resting = await found(venue, sent, Progress.WORKING)
    assert placed.venue_id == resting.venue_id
    assert [resting.venue_id] == [each.venue_id for each in await venue.open_orders()]
    assert await venue.cancel(sent) is None
    gone = await found(venue, sent, Progress.CANCELLED)
    assert Decimal(0) == gone.filled
