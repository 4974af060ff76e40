"""PATCH at venues that change orders in place, by new ones, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.errors import OrderNotModifiable, OrderRejected, ProviderUnavailable, RateLimited
from providers.live.slips import Stage
from providers.live.venue import Amends, Gone, Progress, Refused, Ticket, Unanswered
from providers.models import RejectReason, Side
from tests.live.books import NOW
from tests.live.desk import Desk, trading
from tests.live.fake import FakeVenue, quoted, traits, until

REFUSED = Refused(RejectReason.INVALID_PRICE, "no such price")
SILENT = Unanswered("no answer")
AWAY = ProviderUnavailable("not reached")
IN_PLACE, NEW_ORDER, NONE = Amends
EVERY_WAY = pytest.mark.parametrize("amends", list(Amends))
BY_CHANGE = pytest.mark.parametrize("amends", [IN_PLACE, NEW_ORDER])


def at(tmp_path: Path, amends: Amends) -> Any:
    return trading(tmp_path, FakeVenue(traits(amends)))


async def agree(desk: Desk, *limits: int) -> None:
    """Both sides have orders at these limits, and nothing is under way."""
    await desk.quiet()
    there = sorted(one.ticket.limit_price or 0 for one in desk.venue.open())
    here = sorted(o.limit_price or 0 for o in await desk.orders() if o.status.value in OPEN)
    slips = sorted(slip.ticket.limit_price or 0 for slip in await desk.slips())
    assert (list(limits), list(limits), list(limits)) == (there, here, slips)


OPEN = ("OPEN", "PARTIALLY_FILLED")


@EVERY_WAY
async def test_change(tmp_path: Path, amends: Amends) -> None:
    """The order has its new terms on both sides, and stands there once."""
    async with at(tmp_path, amends) as desk:
        order = await desk.submit()
        changed = await desk.change(order, limit_price=91, quantity=3)
        assert (Decimal(91), Decimal(3)) == (changed.limit_price, changed.quantity)
        assert Decimal(3) == desk.venue.only().ticket.quantity
        await agree(desk, 91)


@EVERY_WAY
async def test_change_refused(tmp_path: Path, amends: Amends) -> None:
    """A refused change leaves the order as it was, on both sides."""
    async with at(tmp_path, amends) as desk:
        order = await desk.submit()
        desk.venue.fails("submit" if amends is NONE else "replace", REFUSED)
        with pytest.raises(OrderRejected, match="no such price"):
            await desk.change(order, limit_price=91, quantity=3)
        await until(lambda: len(desk.venue.open()) == 1)
        await agree(desk, 90)
        (only,) = await desk.orders()
        assert (Decimal(2), Decimal(2)) == (only.quantity, only.remaining_quantity)


@BY_CHANGE
@pytest.mark.parametrize("error", [AWAY, RateLimited("too many", retry_after=1)])
async def test_change_not_reached(tmp_path: Path, amends: Amends, error: Exception) -> None:
    """A change that never left us is not made."""
    async with at(tmp_path, amends) as desk:
        order = await desk.submit()
        desk.venue.fails("replace", error)
        with pytest.raises(type(error)):
            await desk.change(order, limit_price=91)
        await agree(desk, 90)


@EVERY_WAY
async def test_change_of_one_that_is_gone(tmp_path: Path, amends: Amends) -> None:
    """An order that has filled meanwhile is not changed, and its fill is booked."""
    async with at(tmp_path, amends) as desk:
        order = await desk.submit()
        desk.venue.fill(desk.venue.only(), 2, 90, tell=False)
        with pytest.raises((OrderNotModifiable, OrderRejected)):
            await desk.change(order, limit_price=91)
        assert ("FILLED", Decimal(2)) == (
            (await desk.order(order.id)).status.value,
            await desk.held(),
        )


@BY_CHANGE
async def test_gone_and_open_all_the_same(tmp_path: Path, amends: Amends) -> None:
    """A venue that contradicts itself is not asked in a circle."""
    async with at(tmp_path, amends) as desk:
        held = await desk.bought(3, take_profit=Decimal(120))
        await until(lambda: len(desk.venue.open()) == 1)
        desk.venue.fails("replace", *[Gone("x")] * 10000)
        selling = await desk.submit(Side.SELL, 1, limit_price=Decimal(130))
        desk.venue.fill(desk.at_venue(selling), 1, 130)
        await until(lambda: desk.venue.count("replace") >= 3)
        before = desk.venue.count("replace")
        await asyncio.sleep(desk.pace.longest_pause)
        assert desk.venue.count("replace") - before <= 3
        assert held.quantity == Decimal(3)


@BY_CHANGE
@pytest.mark.parametrize("done", [True, False])
async def test_change_unanswered(tmp_path: Path, amends: Amends, done: bool) -> None:
    """What became of a change without an answer is found out."""
    async with at(tmp_path, amends) as desk:
        order = await desk.submit()
        desk.venue.fails("replace", SILENT, done=done)
        if done:
            assert Decimal(91) == (await desk.change(order, limit_price=91)).limit_price
        else:
            with pytest.raises(OrderRejected):
                await desk.change(order, limit_price=91)
        await agree(desk, 91 if done else 90)
        assert 1 == desk.venue.count("replace")


@BY_CHANGE
@pytest.mark.parametrize("tell", [True, False])
async def test_a_fill_during_a_change(tmp_path: Path, amends: Amends, tell: bool) -> None:
    """A fill that comes while the order is changed is booked once, told or not."""
    async with at(tmp_path, amends) as desk:
        order = await desk.submit(quantity=5)

        async def fill(ticket: Ticket) -> None:
            del desk.venue.hooks["replace"]
            one = desk.venue.standing["v1"]
            desk.venue.fill(one, 1, 90, tell=tell)
            if tell:
                await desk.reaches(order.id, "PARTIALLY_FILLED")

        desk.venue.hooks["replace"] = fill
        await desk.change(order, limit_price=91)
        await desk.quiet()
        await desk.compare()
        assert [Decimal(1)] == [trade.quantity for trade in await desk.trades()]
        assert (Decimal(1), Decimal(1)) == (
            await desk.held(),
            (await desk.order(order.id)).filled_quantity,
        )


async def test_the_last_fill_of_a_replaced_order(tmp_path: Path) -> None:
    """What an order had filled before a new one took its place is found, if only later."""
    async with at(tmp_path, NEW_ORDER) as desk:
        order = await desk.submit(quantity=5)

        def fill(ticket: Ticket) -> None:
            del desk.venue.hooks["replace"]
            desk.venue.fill(desk.venue.standing["v1"], 1, 90, tell=False)
            desk.venue.fails("find", AWAY)

        desk.venue.hooks["replace"] = fill
        await desk.change(order, limit_price=91)
        await desk.quiet()
        assert [Decimal(1)] == [trade.quantity for trade in await desk.trades()]


async def test_a_late_change_is_followed(tmp_path: Path) -> None:
    """A change that was given up and is made after all is known by the order it replaced."""
    async with at(tmp_path, NEW_ORDER) as desk:
        order = await desk.submit(quantity=5)
        desk.venue.fails("replace", SILENT)
        with pytest.raises(OrderRejected):
            await desk.change(order, limit_price=91)
        one = desk.venue.only()
        new = desk.venue.place(replace(one.ticket, client_id="late", limit_price=Decimal(91)))
        one.progress, one.replaced_by = Progress.CANCELLED, new.venue_id
        await desk.compare()
        await until(lambda: desk.venue.count("funds") > 2)
        await agree(desk, 91)
        assert 1 == len(await desk.orders())


async def test_a_line_that_has_ended(tmp_path: Path) -> None:
    """An order replaced by one that is over, too, is over."""
    async with at(tmp_path, NEW_ORDER) as desk:
        order = await desk.submit()
        one = desk.venue.only()
        one.progress, one.replaced_by = Progress.CANCELLED, "v99"
        desk.venue.tell(desk.venue.report(one))
        await desk.compare()
        await desk.compare()
        await desk.reaches(order.id, "CANCELLED")
        assert [] == await desk.slips()


async def test_cancel_while_changing(tmp_path: Path) -> None:
    """A cancel waits for the change, and then takes back what the change has made."""
    async with at(tmp_path, NEW_ORDER) as desk:
        order = await desk.submit()
        cancelling: list[asyncio.Task[Any]] = []

        async def cancel(ticket: Ticket) -> None:
            cancelling.append(asyncio.create_task(desk.cancel(order)))
            await desk.reaches(order.id, "PENDING_CANCEL")

        desk.venue.hooks["replace"] = cancel
        with contextlib.suppress(OrderNotModifiable, OrderRejected):
            await desk.change(order, limit_price=91)
        assert (await cancelling[0]).success
        assert ([], []) == (desk.venue.open(), await desk.slips())


async def test_the_market_moves_past_a_change(tmp_path: Path) -> None:
    """What the venue has changed is changed here, even if we would refuse it by now."""
    chosen = traits(IN_PLACE, post_only=frozenset(traits().orders))
    async with trading(tmp_path, FakeVenue(chosen)) as desk:
        order = await desk.submit(post_only=True)

        async def move(ticket: Ticket) -> None:
            desk.feed.tell(quoted("BTC/USD", 90, "90.5"))
            await until(lambda: desk.provider._market.quote("BTC/USD", NOW).bid == Decimal(90))

        desk.venue.hooks["replace"] = move
        await desk.change(order, limit_price=91)
        await agree(desk, 91)
        assert 1 == desk.venue.count("replace")


@pytest.mark.parametrize("done", [True, False])
async def test_in_steps_with_a_lost_cancel(tmp_path: Path, done: bool) -> None:
    """Where the first of two steps has no answer, the change is made all the same."""
    async with at(tmp_path, NONE) as desk:
        order = await desk.submit()
        desk.venue.fails("cancel", SILENT, done=done)
        with pytest.raises(ProviderUnavailable):
            await desk.change(order, limit_price=91)
        await until(lambda: desk.venue.count("submit") == 2)
        await agree(desk, 91)


async def test_in_steps_with_a_refused_cancel(tmp_path: Path) -> None:
    """A change that was refused does not come back with the next withdrawal."""
    async with at(tmp_path, NONE) as desk:
        order = await desk.submit()
        desk.venue.fails("cancel", REFUSED)
        with pytest.raises(OrderRejected):
            await desk.change(order, limit_price=91)
        assert [None] == [slip.change for slip in await desk.slips()]
        await agree(desk, 90)


async def test_in_steps_with_a_new_exit(tmp_path: Path) -> None:
    """A change of the price and of a stop-loss there was none of is made in steps, too."""
    async with at(tmp_path, NONE) as desk:
        order = await desk.submit()
        changed = await desk.change(order, limit_price=91, stop_loss=80)
        assert Decimal(80) == changed.stop_loss
        await agree(desk, 91)


async def test_in_steps_refused_after_a_fill(tmp_path: Path) -> None:
    """The old terms come back with what had filled counted."""
    async with at(tmp_path, NONE) as desk:
        order = await desk.submit(quantity=5)
        desk.venue.fill(desk.venue.only(), 2, 90)
        await desk.reaches(order.id, "PARTIALLY_FILLED")
        desk.venue.fails("submit", REFUSED)
        with pytest.raises(OrderRejected):
            await desk.change(order, quantity=9)
        await until(lambda: len(desk.venue.open()) == 1)
        await desk.quiet()
        (found,) = await desk.orders()
        assert (Decimal(5), Decimal(2), Decimal(3)) == (
            found.quantity,
            found.filled_quantity,
            found.remaining_quantity,
        )
        assert Decimal(3) == desk.venue.only().ticket.quantity


async def test_a_change_to_what_has_filled(tmp_path: Path) -> None:
    """A total equal to what has filled completes the order, once the rest is cancelled."""
    async with at(tmp_path, IN_PLACE) as desk:
        order = await desk.submit(quantity=5)
        desk.venue.fill(desk.venue.only(), 2, 90)
        await desk.reaches(order.id, "PARTIALLY_FILLED")
        changed = await desk.change(order, quantity=2)
        assert ("FILLED", []) == (changed.status.value, desk.venue.open())


@BY_CHANGE
@pytest.mark.parametrize("done", [True, False])
async def test_restart_while_changing(tmp_path: Path, amends: Amends, done: bool) -> None:
    """A server that dies in a change finds out what became of it."""
    async with at(tmp_path, amends) as desk:
        order = await desk.submit()
        started = asyncio.Event()

        async def hang(ticket: Ticket) -> None:
            started.set()
            await asyncio.Event().wait()

        desk.venue.hooks["replace" if done else "before replace"] = hang
        changing = asyncio.create_task(desk.change(order, limit_price=91))
        await started.wait()
        assert [Stage.CHANGING] == [slip.stage for slip in await desk.slips()]
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        desk.clock.pass_by(desk.pace.overdue)
        await desk.again()
        await agree(desk, 91 if done else 90)
        assert 1 == len(await desk.orders())
