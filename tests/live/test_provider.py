"""The provider between a client and a venue: what each side sees of the other."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.errors import (
    DuplicateClientOrderId,
    OrderRejected,
    PositionNotFound,
    ProviderUnavailable,
    TradingError,
    UnsupportedOperation,
)
from providers.live.slips import Stage
from providers.live.venue import Progress, Refused, Ticket
from providers.models import (
    ClosePositionRequest,
    MarginMode,
    ModifyPositionRequest,
    OrderRequest,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
    TrailingType,
)
from tests.live.desk import ACCOUNT, Desk, trading
from tests.live.fake import WITH_STOPS, FakeVenue, quoted, traits, until

REFUSED = Refused(RejectReason.INSUFFICIENT_BALANCE, "not enough")
BRACKET = {"stop_loss": Decimal(95), "take_profit": Decimal(120)}


def with_stops(**more: Any) -> FakeVenue:
    return FakeVenue(traits(orders=WITH_STOPS, **more))


def kinds(desk: Desk) -> list[str]:
    """What is open at the venue, in words."""
    return [f"{one.ticket.order_type} {one.ticket.quantity}" for one in desk.venue.open()]


# Orders


async def test_an_order_that_rests(tmp_path: Path) -> None:
    """An order is OPEN once the venue has it, and goes there once, under the client's own id."""
    async with trading(tmp_path) as desk:
        order = await desk.submit(client_order_id="mine-1")
        assert ("OPEN", "mine-1") == (order.status.value, desk.venue.only().ticket.client_id)
        assert [Stage.WORKING] == [slip.stage for slip in await desk.slips()]


async def test_an_id_that_the_venue_does_not_take(tmp_path: Path) -> None:
    """Where the client's id is not one for the venue, ours goes there."""
    async with trading(tmp_path, FakeVenue(traits(client_ids=r"[a-z_0-9]{1,36}"))) as desk:
        order = await desk.submit(client_order_id="Mine No. 1")
        assert order.id == desk.venue.only().ticket.client_id


async def test_an_order_that_fills(tmp_path: Path) -> None:
    """What the stream tells is in the books: order, trade, position and money."""
    async with trading(tmp_path) as desk:
        held = await desk.bought(2)
        assert (Decimal(2), Decimal(101)) == (held.quantity, held.average_entry_price)
        (trade,) = await desk.trades()
        assert (Decimal(2), Decimal(101)) == (trade.quantity, trade.price)
        assert Decimal(100000) == (await desk.provider.get_account(ACCOUNT)).balance


async def test_the_same_request_again(tmp_path: Path) -> None:
    """A client id names one order: the same request is replayed, another is a conflict."""
    async with trading(tmp_path) as desk:
        order = await desk.submit(client_order_id="mine")
        assert order.id == (await desk.submit(client_order_id="mine")).id
        with pytest.raises(DuplicateClientOrderId):
            await desk.submit(client_order_id="mine", quantity=3)
        assert 1 == desk.venue.count("submit")


async def test_both_at_once(tmp_path: Path) -> None:
    """The same request twice at the same time makes one order."""
    async with trading(tmp_path) as desk:
        first, second = await asyncio.gather(
            desk.submit(client_order_id="mine"), desk.submit(client_order_id="mine")
        )
        assert (first.id, 1) == (second.id, desk.venue.count("submit"))


async def test_an_id_after_a_rejection(tmp_path: Path) -> None:
    """A refused order does not use its id up; the venue gets another one, since it has had it."""
    async with trading(tmp_path) as desk:
        desk.venue.fails("submit", REFUSED)
        with pytest.raises(OrderRejected):
            await desk.submit(client_order_id="mine")
        order = await desk.submit(client_order_id="mine")
        assert ("OPEN", order.id) == (order.status.value, desk.venue.only().ticket.client_id)


async def test_what_we_refuse_ourselves(tmp_path: Path) -> None:
    """An order off the tick size never goes to the venue."""
    async with trading(tmp_path) as desk:
        with pytest.raises(OrderRejected):
            await desk.submit(limit_price=Decimal("90.001"))
        assert (["REJECTED"], 0) == (await desk.statuses(), desk.venue.count("submit"))


async def test_an_ioc_order(tmp_path: Path) -> None:
    """What an IOC order does not fill is cancelled by the venue."""
    async with trading(tmp_path) as desk:
        order = await desk.submit(limit_price=Decimal(101), time_in_force=TimeInForce.IOC)
        one = desk.venue.only()
        desk.venue.fill(one, 1, 101)
        desk.venue.finish(one, Progress.CANCELLED)
        ended = await desk.reaches(order.id, "CANCELLED")
        assert (Decimal(1), Decimal(1)) == (ended.filled_quantity, await desk.held())


async def test_cancel_all(tmp_path: Path) -> None:
    """All open orders are cancelled; those that the venue keeps are counted, and not waited for
    one after the other.
    """
    async with trading(tmp_path) as desk:
        orders = [await desk.submit() for _ in range(4)]
        desk.venue.fails("cancel", *[REFUSED] * 10000)
        began = asyncio.get_running_loop().time()
        result = await desk.provider.cancel_all_orders(ACCOUNT, None)
        assert asyncio.get_running_loop().time() - began < 3 * desk.pace.answer
        assert (0, 4, [order.id for order in orders]) == (
            result.cancelled_count,
            result.failed_count,
            result.failed_order_ids,
        )
        desk.venue.faults.clear()
        for order in orders:
            await desk.reaches(order.id, "CANCELLED")


# Exits


async def test_a_bracket_at_a_venue_without_stops(tmp_path: Path) -> None:
    """The take-profit stands there; when the stop is reached it takes its place."""
    async with trading(tmp_path) as desk:
        await desk.bought(2, **BRACKET)
        await until(lambda: kinds(desk) == ["LIMIT 2"])
        desk.feed.tell(quoted("BTC/USD", 94, 95))
        await until(lambda: kinds(desk) == ["MARKET 2"])
        desk.venue.fill(desk.venue.only(), 2, 94)
        for order in await desk.orders():
            await desk.reaches(order.id, "FILLED", "CANCELLED")
        assert (Decimal(0), []) == (await desk.held(), desk.venue.open())


async def test_a_fill_while_making_room(tmp_path: Path) -> None:
    """What the take-profit fills while it is taken back is not sold again by the stop."""
    async with trading(tmp_path) as desk:
        await desk.bought(3, **BRACKET)
        await until(lambda: kinds(desk) == ["LIMIT 3"])

        def fill(ticket: Ticket) -> None:
            del desk.venue.hooks["before cancel"]
            desk.venue.fill(desk.venue.only(), 1, 120)

        desk.venue.hooks["before cancel"] = fill
        desk.feed.tell(quoted("BTC/USD", 94, 95))
        await until(lambda: kinds(desk) == ["MARKET 2"])
        desk.venue.fill(desk.venue.only(), 2, 94)
        await until(lambda: not desk.venue.open())
        await desk.compare()
        assert Decimal(0) == await desk.held()


async def test_a_refused_stop_loss(tmp_path: Path) -> None:
    """A position without its stop-loss is told of, and the stop is tried again, more slowly."""
    async with trading(tmp_path, with_stops()) as desk:
        desk.venue.fails("submit", None, *[REFUSED] * 10000)
        await desk.bought(2, stop_loss=Decimal(95))
        await until(lambda: desk.venue.count("submit") >= 3)
        first = await desk.notices()
        assert "POSITION_UNPROTECTED" in first[0]
        await until(lambda: desk.venue.count("submit") >= 5)
        before = desk.venue.count("submit")
        await asyncio.sleep(3 * desk.pace.longest_pause)
        assert desk.venue.count("submit") - before <= 4
        desk.venue.faults.clear()
        await until(lambda: kinds(desk) == ["STOP 2"])


async def test_a_stop_loss_rejected_later(tmp_path: Path) -> None:
    """A venue that takes a stop and rejects it by the stream is not sent it in a circle."""
    async with trading(tmp_path, with_stops()) as desk:

        def reject(ticket: Ticket) -> None:
            if ticket.order_type is OrderType.STOP:
                desk.venue.finish(desk.venue.open()[-1], Progress.REJECTED)

        desk.venue.hooks["submit"] = reject
        await desk.bought(2, stop_loss=Decimal(95))
        await until(lambda: desk.venue.count("submit") >= 4)
        before = desk.venue.count("submit")
        await asyncio.sleep(3 * desk.pace.longest_pause)
        assert desk.venue.count("submit") - before <= 4
        assert "POSITION_UNPROTECTED" in (await desk.notices())[0]


async def test_a_trailing_stop_that_is_refused(tmp_path: Path) -> None:
    """A stop that trails with each quote is not sent with each quote."""
    orders = {**WITH_STOPS, OrderType.TRAILING_STOP: WITH_STOPS[OrderType.STOP]}
    async with trading(tmp_path, FakeVenue(traits(orders=orders))) as desk:
        await desk.bought(2)
        selling = {"order_type": OrderType.TRAILING_STOP, "trailing_distance": Decimal(5)}
        order = await desk.submit(
            Side.SELL, 2, reduce_only=True, trailing_type=TrailingType.ABSOLUTE, **selling
        )
        desk.venue.finish(desk.venue.only(), Progress.REJECTED)
        await until(lambda: desk.venue.count("submit") >= 2)
        before = desk.venue.count("submit")
        for step in range(20):
            desk.feed.tell(quoted("BTC/USD", 101 + step, 102 + step))
            await asyncio.sleep(0.005)
        assert desk.venue.count("submit") - before <= 8
        assert order.id in {each.id for each in await desk.orders()}


async def test_a_loser_of_a_group_stays_cancelled(tmp_path: Path) -> None:
    """An order that is cancelled because another of its group filled is not kept by a cancel of
    the client's that fails.
    """
    async with trading(tmp_path) as desk:
        first = await desk.submit(oco_group_id="g")
        second = await desk.submit(oco_group_id="g", limit_price=Decimal(101))
        await until(lambda: len(desk.venue.open()) == 1)
        winner, loser = (
            (second, first)
            if desk.venue.only().ticket.limit_price == Decimal(101)
            else (first, second)
        )
        desk.venue.fill(desk.venue.only(), 2, 101)
        await desk.reaches(winner.id, "FILLED")
        await desk.reaches(loser.id, "CANCELLED")
        assert ([], Decimal(2)) == (desk.venue.open(), await desk.held())


async def test_a_failed_cancel_does_not_revive(tmp_path: Path) -> None:
    """An order that was to be cancelled anyhow still is when a client's cancel fails."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        desk.venue.fails("cancel", *[REFUSED] * 10000)
        await desk.provider.cancel_all_orders(ACCOUNT, None)
        assert "PENDING_CANCEL" == (await desk.order(order.id)).status.value
        await still(desk)
        desk.clock.pass_by(desk.pace.longest_pause)
        with pytest.raises(ProviderUnavailable):
            await desk.cancel(order)
        assert "PENDING_CANCEL" == (await desk.order(order.id)).status.value
        desk.venue.faults.clear()
        await desk.again()
        await desk.reaches(order.id, "CANCELLED")


@pytest.mark.parametrize("request_", ["submit", "cancel", "modify", "close"])
async def test_a_refused_request_carries_the_plan(tmp_path: Path, request_: str) -> None:
    """What a request finds due for other orders is done, also if it is refused itself."""
    async with trading(tmp_path) as desk:
        await desk.bought(2, stop_loss=Decimal(95))
        done = await desk.submit()
        await desk.cancel(done)
        await still(desk)
        desk.feed.tell(quoted("BTC/USD", 94, 95))
        await until(lambda: desk.provider._market.quote("BTC/USD", desk.clock()).bid == 94)
        assert [] == desk.venue.open()
        with contextlib.suppress(TradingError):
            await refused(desk, request_, done.id)
        assert ["MARKET 2"] == kinds(desk)


async def still(desk: Desk) -> None:
    """From now on only requests do anything."""
    tasks = desk.provider.watch._tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await desk.note(lambda _: None)  # what the tasks had begun is written by now


async def refused(desk: Desk, request: str, order_id: str) -> None:
    if request == "submit":
        await desk.submit(limit_price=Decimal("90.001"))
    elif request == "cancel":
        await desk.provider.cancel_order(ACCOUNT, order_id)
    elif request == "modify":
        await desk.change(await desk.order(order_id), limit_price=91)
    else:
        (held,) = await desk.provider.list_positions(ACCOUNT, None)
        closing = ClosePositionRequest(quantity=Decimal(50))
        await desk.provider.close_position(ACCOUNT, held.id, closing)


# Positions


async def test_close(tmp_path: Path) -> None:
    """A position is closed by a MARKET order that goes out once its exits are gone."""
    async with trading(tmp_path) as desk:
        held = await desk.bought(2, **BRACKET)
        await until(lambda: kinds(desk) == ["LIMIT 2"])
        handle = await desk.provider.close_position(ACCOUNT, held.id, ClosePositionRequest())
        assert ["MARKET 2"] == kinds(desk)
        desk.venue.fill(desk.venue.only(), 2, 100)
        await desk.reaches(handle.id, "FILLED")
        assert Decimal(0) == await desk.held()
        with pytest.raises(PositionNotFound):
            await desk.provider.close_position(ACCOUNT, held.id, ClosePositionRequest())


async def test_close_all(tmp_path: Path) -> None:
    """Each position has a handle, also one whose order the venue refuses."""
    async with trading(tmp_path) as desk:
        await desk.bought(2)
        desk.venue.fails("submit", REFUSED)
        (handle,) = await desk.provider.close_all_positions(ACCOUNT, None)
        assert OrderStatus.REJECTED is handle.status


async def test_protect(tmp_path: Path) -> None:
    """Exits that are set on a position are held or stand at the venue, and can be moved."""
    async with trading(tmp_path) as desk:
        held = await desk.bought(2)
        for limit in (120, 125):
            change = ModifyPositionRequest(stop_loss=Decimal(90), take_profit=Decimal(limit))
            await desk.provider.modify_position(ACCOUNT, held.id, change)
            await until(lambda: kinds(desk) == ["LIMIT 2"])
        await until(lambda: desk.venue.only().ticket.limit_price == Decimal(125))


# What is not there


async def test_another_account(tmp_path: Path) -> None:
    """Who has no credentials at the venue may look, and not trade."""
    async with trading(tmp_path) as desk:
        request = OrderRequest(
            symbol="BTC/USD", side=Side.BUY, quantity=Decimal(1), order_type=OrderType.MARKET
        )
        with pytest.raises(UnsupportedOperation):
            await desk.provider.submit_order("another", request)
        with pytest.raises(UnsupportedOperation):
            await desk.provider.cancel_all_orders("another", None)
        assert [] == await desk.provider.list_positions("another", None)
        assert 0 == desk.venue.count("submit")


@pytest.mark.parametrize(
    "more",
    [
        {"hidden": True},
        {"leverage": Decimal(2)},
        {"margin_mode": MarginMode.ISOLATED},
        {"post_only": True},
        {"display_quantity": Decimal(1)},
    ],
    ids=lambda more: next(iter(more)),
)
async def test_unsupported(tmp_path: Path, more: dict[str, Any]) -> None:
    """What the venue lacks and we cannot hold for it is not tried."""
    async with trading(tmp_path) as desk:
        with pytest.raises(UnsupportedOperation):
            await desk.submit(**more)
        assert ([], 0) == (await desk.orders(), desk.venue.count("submit"))


async def test_an_unknown_symbol(tmp_path: Path) -> None:
    """What the venue does not list is refused, and kept as REJECTED."""
    async with trading(tmp_path) as desk:
        with pytest.raises(TradingError):
            await desk.submit(symbol="NOPE/USD")
        assert 0 == desk.venue.count("submit")


# Restarts


async def restarted(desk: Desk, name: str, request: Any) -> None:
    """The server dies while a command is under way, long enough for it to be overdue."""
    started = asyncio.Event()

    async def hang(ticket: Ticket) -> None:
        del desk.venue.hooks[name]
        started.set()
        await asyncio.Event().wait()

    desk.venue.hooks[name] = hang
    requesting = asyncio.create_task(request)
    await started.wait()
    requesting.cancel()
    await asyncio.gather(requesting, return_exceptions=True)
    desk.clock.pass_by(desk.pace.overdue)
    await desk.again()


@pytest.mark.parametrize(("name", "expected"), [("submit", "OPEN"), ("before submit", "REJECTED")])
async def test_restart_while_sending(tmp_path: Path, name: str, expected: str) -> None:
    """An order that was on its way is found, or has never arrived; it is not sent again."""
    async with trading(tmp_path) as desk:
        await restarted(desk, name, desk.submit())
        (order,) = await desk.orders()
        await desk.reaches(order.id, expected)
        assert 1 == desk.venue.count("submit")


@pytest.mark.parametrize("name", ["cancel", "before cancel"])
async def test_restart_while_cancelling(tmp_path: Path, name: str) -> None:
    """A cancel that was on its way is done, or done again."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        await restarted(desk, name, desk.cancel(order))
        await desk.reaches(order.id, "CANCELLED")
        assert ([], []) == (desk.venue.open(), await desk.slips())


async def test_restart_with_a_working_order(tmp_path: Path) -> None:
    """What has filled while nobody listened is booked when both sides are compared."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        await desk.provider.stop()
        desk.venue.fill(desk.venue.only(), 2, 90, tell=False)
        await desk.again()
        await desk.reaches(order.id, "FILLED")
        assert (Decimal(2), 1) == (await desk.held(), len(await desk.trades()))


async def test_a_defect_in_a_report(tmp_path: Path) -> None:
    """A stream that ends in a bug is listened to again, and what it missed is found."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        listening = desk.provider.watch._listening
        assert listening is not None
        desk.venue.fill(desk.venue.only(), 2, 90, tell=False)
        listening.cancel()
        await until(listening.done)
        await desk.reaches(order.id, "FILLED")
        second = await desk.submit()
        desk.venue.fill(desk.venue.only(), 2, 90)
        await desk.reaches(second.id, "FILLED")


async def test_a_fill_without_a_price(tmp_path: Path) -> None:
    """A fill of which nobody says the price does not keep the others from being looked at."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        one = desk.venue.only()
        desk.venue.fill(one, 2, 90, tell=False)
        desk.venue.priceless.add(one.venue_id)
        second = await desk.submit()
        desk.venue.fill(desk.venue.only(), 2, 90, tell=False)
        await desk.compare()
        await desk.reaches(second.id, "FILLED")
        assert "OPEN" == (await desk.order(order.id)).status.value
        desk.venue.priceless.clear()
        await desk.compare()
        await desk.reaches(order.id, "FILLED")
