"""What becomes of commands that the venue refuses, answers late, or does not answer."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.errors import (
    OrderRejected,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    TradingError,
)
from providers.live.venue import Amends, Refused, Unanswered
from providers.models import OrderType, RejectReason
from tests.live.desk import trading
from tests.live.fake import FakeVenue, until

REFUSED = Refused(RejectReason.INSUFFICIENT_BALANCE, "not enough")
SILENT = Unanswered("no answer")
AWAY = ProviderUnavailable("not reached")
LIMITED = RateLimited("too many", retry_after=3)
NONSENSE = ProviderError("nonsense")
EVERY_WAY = pytest.mark.parametrize("amends", list(Amends))


# Submit


async def test_refused(tmp_path: Path) -> None:
    """A refused order is REJECTED with the venue's reason, and nothing stands there."""
    async with trading(tmp_path) as desk:
        desk.venue.fails("submit", REFUSED)
        with pytest.raises(OrderRejected, match="not enough") as refused:
            await desk.submit()
        assert RejectReason.INSUFFICIENT_BALANCE is refused.value.reject_reason
        assert (["REJECTED"], []) == (await desk.statuses(), await desk.slips())


@pytest.mark.parametrize("error", [AWAY, LIMITED])
async def test_not_reached(tmp_path: Path, error: TradingError) -> None:
    """An order that never left us is REJECTED, and is sent once."""
    async with trading(tmp_path) as desk:
        desk.venue.fails("submit", error)
        with pytest.raises(type(error)):
            await desk.submit()
        assert (["REJECTED"], 1) == (await desk.statuses(), desk.venue.count("submit"))


@pytest.mark.parametrize("error", [SILENT, NONSENSE])
async def test_unanswered_and_found(tmp_path: Path, error: TradingError) -> None:
    """An order whose answer is lost is asked for, and found, and not sent again."""
    async with trading(tmp_path) as desk:
        desk.venue.fails("submit", error, done=True)
        order = await desk.submit()
        assert ("OPEN", 1) == (order.status.value, desk.venue.count("submit"))


async def test_unanswered_and_twice_unknown(tmp_path: Path) -> None:
    """Only when the venue has twice not known it has an order never arrived."""
    async with trading(tmp_path) as desk:
        desk.venue.fails("submit", SILENT)
        with pytest.raises(ProviderUnavailable, match="does not know"):
            await desk.submit()
        assert (1, 2) == (desk.venue.count("submit"), desk.venue.count("find"))
        assert (["REJECTED"], []) == (await desk.statuses(), await desk.slips())


async def test_unanswered_and_nobody_to_ask(tmp_path: Path) -> None:
    """Where the venue stays silent the order is PENDING, until it says what became of it."""
    async with trading(tmp_path) as desk:
        desk.venue.fails("submit", SILENT, done=True)
        desk.venue.fails("find", *[AWAY] * 50)
        order = await desk.submit()
        assert "PENDING" == order.status.value
        desk.venue.faults.clear()
        desk.clock.pass_by(1)
        await desk.reaches(order.id, "OPEN")
        assert 1 == desk.venue.count("submit")


async def test_what_is_on_its_way_is_not_given_up(tmp_path: Path) -> None:
    """An order that takes long to arrive is not taken for one that the venue does not know."""
    async with trading(tmp_path) as desk:
        arrived = False

        async def slowly(_: Any) -> None:
            nonlocal arrived
            desk.venue.unaware.add(desk.venue.only().ticket.client_id)
            before = desk.venue.count("find")
            await desk.compare()
            await until(lambda: desk.venue.count("find") > before)
            await desk.provider.watch.ask_about(desk.venue.only().ticket.client_id)
            desk.venue.unaware.clear()
            arrived = True

        desk.venue.hooks["submit"] = slowly
        order = await desk.submit()
        assert ("OPEN", True) == (order.status.value, arrived)


async def test_what_turns_up_after_all_is_taken_back(tmp_path: Path) -> None:
    """An order that was given up and arrives is cancelled; what it has filled is booked."""
    async with trading(tmp_path) as desk:
        desk.venue.fails("submit", SILENT, done=True)

        def hide(ticket: Any) -> None:
            desk.venue.unaware.add(ticket.client_id)

        desk.venue.hooks["submit"] = hide
        with pytest.raises(ProviderUnavailable):
            await desk.submit()
        desk.venue.unaware.clear()
        one = desk.venue.only()
        desk.venue.fill(one, "1", "90")
        await until(lambda: not desk.venue.open())
        await desk.quiet()
        assert Decimal(1) == await desk.held()
        assert ["REJECTED", "CANCELLED"] == [
            each if each != "FILLED" else "CANCELLED" for each in await desk.statuses()
        ]
        assert [Decimal(1)] == [trade.quantity for trade in await desk.trades()]


# Cancel


async def test_cancel(tmp_path: Path) -> None:
    """An order is CANCELLED once the venue says so."""
    async with trading(tmp_path) as desk:
        done = await desk.cancel(await desk.submit())
        assert (True, "CANCELLED") == (done.success, done.order.status.value)


async def test_cancel_of_one_that_is_gone(tmp_path: Path) -> None:
    """An order that has filled meanwhile is FILLED, and the fill is booked."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        desk.venue.fill(desk.venue.only(), "2", "90", tell=False)
        done = await desk.cancel(order)
        assert (False, "FILLED") == (done.success, done.order.status.value)
        assert Decimal(2) == await desk.held()


@pytest.mark.parametrize("error", [REFUSED, AWAY, LIMITED])
async def test_cancel_refused(tmp_path: Path, error: Exception) -> None:
    """A cancel that certainly did nothing answers 503 in the end, or is done by then."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        desk.venue.fails("cancel", *[error] * 1000)
        with pytest.raises((ProviderUnavailable, RateLimited)):
            await desk.cancel(order)
        desk.venue.faults.clear()
        assert "OPEN" == (await desk.order(order.id)).status.value
        assert (await desk.cancel(order)).success


@pytest.mark.parametrize("done", [True, False])
async def test_cancel_unanswered(tmp_path: Path, done: bool) -> None:
    """A cancel without an answer is asked for, and repeated where it was not done."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        desk.venue.fails("cancel", SILENT, done=done)
        assert (await desk.cancel(order)).success
        assert [] == await desk.slips()


async def test_an_unanswered_withdrawal_keeps_the_exit(tmp_path: Path) -> None:
    """A take-profit that makes room for the stop-loss lives on, whatever its cancel answered."""
    async with trading(tmp_path) as desk:
        await desk.bought(2, stop_loss=Decimal(95), take_profit=Decimal(120))
        await until(lambda: len(desk.venue.open()) == 1)
        desk.venue.fails("cancel", SILENT, done=True)
        desk.feed.tell(desk.feed.latest["BTC/USD"].evolve(bid=Decimal(94), ask=Decimal(95)))
        await until(lambda: desk.venue.open()[-1:] and _market(desk.venue))
        found = {order.order_type: order.status.value for order in (await desk.orders())[1:]}
        assert "OPEN" == found[OrderType.LIMIT]


def _market(venue: FakeVenue) -> bool:
    return [OrderType.MARKET] == [one.ticket.order_type for one in venue.open()]
