"""What reports do to the books: each fill once, whatever is told, and in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.engine.money import ZERO
from providers.live import booking
from providers.live.booking import MissingExecutions
from providers.live.slips import Slip, Stage
from providers.live.venue import Execution, Progress, Report
from providers.models import (
    Order,
    OrderStatus,
    OrderType,
    PositionSide,
    RejectReason,
    Side,
    TimeInForce,
)
from tests.live.books import Account, execution, report

WORKING, FILLED, CANCELLED = Progress.WORKING, Progress.FILLED, Progress.CANCELLED
FIRST, SECOND, THIRD = execution(2, 90, 2), execution(3, 91, 5), execution(5, 92, 10)


def buying(quantity: int = 10, **more: Any) -> tuple[Account, Slip]:
    account = Account()
    return account, account.slip(account.order("a", quantity, **more))


def status(account: Account) -> str:
    return account.all["a"].status.value


def filled(account: Account) -> Decimal:
    return account.all["a"].filled_quantity


# Fills


def test_a_fill_told_twice_counts_once() -> None:
    """A repeated report changes nothing."""
    account, slip = buying()
    for _ in range(2):
        account.book(slip, report(slip, WORKING, FIRST))
    assert (Decimal(2), 1) == (account.held, account.names().count("TRADE_FILLED"))


def test_an_older_report_tells_nothing_new() -> None:
    """A report that comes after a newer one is passed over."""
    account, slip = buying()
    account.book(slip, report(slip, WORKING, FIRST, SECOND))
    account.book(slip, report(slip, WORKING, FIRST))
    assert Decimal(5) == filled(account)


def test_a_gap_is_noticed() -> None:
    """A told fill that does not follow on what is booked is not guessed at."""
    account, slip = buying()
    with pytest.raises(MissingExecutions):
        account.book(slip, report(slip, WORKING, SECOND))
    assert ZERO == account.held


def test_a_gap_is_closed_at_the_average() -> None:
    """What was asked for and no fill accounts for has the price that makes the average right."""
    account, slip = buying()
    account.book(slip, report(slip, WORKING, FIRST))
    told = report(slip, WORKING, filled=Decimal(10), average_price=Decimal("91.3"))
    account.book(slip, told, asked=True)
    order = account.all["a"]
    assert (Decimal(10), Decimal("91.3")) == (order.filled_quantity, order.average_fill_price)


def test_fills_without_any_price_are_asked_for() -> None:
    """Without executions and without an average nothing is booked."""
    account, slip = buying()
    with pytest.raises(MissingExecutions):
        account.book(slip, report(slip, WORKING, filled=Decimal(1)), asked=True)


def test_executions_of_a_remainder_count_once() -> None:
    """A fill that was booked as a remainder is not booked again when it is told by itself."""
    account, slip = buying()
    told = report(slip, WORKING, filled=Decimal(5), average_price=Decimal("90.6"))
    account.book(slip, told, asked=True)
    account.book(slip, report(slip, FILLED, FIRST, SECOND, THIRD))
    assert (Decimal(10), Decimal(10), "FILLED") == (filled(account), account.held, status(account))


def test_a_fee_in_kind() -> None:
    """What the venue keeps is not held; it is a cost, and no money appears or is lost."""
    account, slip = buying(2)
    account.hold(2)
    fee = {"fee_in_kind": Decimal("0.5"), "commission": Decimal(100)}
    account.book(slip, report(slip, FILLED, execution(2, 200, 2, **fee)))
    (held,) = account.state.positions.values()
    paid = account.state.ledger.balance - (held.cost_basis or ZERO)
    assert (Decimal("3.5"), Decimal(-600)) == (held.quantity, paid)


def test_a_fee_that_takes_all() -> None:
    """A position of which everything is kept is closed."""
    account, slip = buying(1)
    account.book(slip, report(slip, FILLED, execution(1, 90, 1, fee_in_kind=Decimal(1))))
    assert {} == account.state.positions


def test_an_overfill_grows_the_order() -> None:
    """A venue that fills more than we had left is right."""
    account, slip = buying(3)
    account.book(slip, report(slip, FILLED, execution(5, 90, 5)))
    order = account.all["a"]
    assert (Decimal(5), Decimal(5), ZERO) == (
        account.held,
        order.quantity,
        order.remaining_quantity,
    )


def test_a_stray_fill() -> None:
    """A fill of an order that is over becomes that of an order of its own, once."""
    account, slip = buying()
    account.book(slip, report(slip, CANCELLED))
    for _ in range(2):
        account.book(slip, report(slip, CANCELLED, FIRST))
    assert ("CANCELLED", Decimal(2)) == (status(account), account.held)
    (stray,) = [order for order in account.all.values() if order.id != "a"]
    assert (OrderStatus.FILLED, Decimal(2)) == (stray.status, stray.filled_quantity)


def test_more_strays_are_booked_too() -> None:
    """A second late fill counts from the first."""
    account, slip = buying()
    account.book(slip, report(slip, CANCELLED))
    account.book(slip, report(slip, CANCELLED, FIRST))
    account.book(slip, report(slip, CANCELLED, FIRST, SECOND))
    assert Decimal(5) == account.held


def test_what_turns_up_is_live_again() -> None:
    """A ticket presumed never to have arrived, which works all the same, is live again."""
    account, slip = buying(status=OrderStatus.PENDING)
    account.slips.end(replace(slip, presumed=True))
    account.state._put_order(account.all["a"].evolve(status=OrderStatus.REJECTED))
    account.book(slip, report(slip, WORKING), asked=True)
    (live,) = account.slips
    assert (Stage.WORKING, False) == (live.stage, live.presumed)


def test_a_late_report_does_not_revive() -> None:
    """A ticket that is over stays over when an older report says that it works."""
    account, slip = buying()
    account.book(slip, report(slip, CANCELLED))
    account.book(slip, report(slip, WORKING), asked=True)
    assert ([], "CANCELLED") == (list(account.slips), status(account))


@pytest.mark.parametrize(("fills", "expected"), [(1, "PENDING_CANCEL"), (3, "FILLED")])
def test_a_fill_while_a_cancel_is_under_way(fills: int, expected: str) -> None:
    """An order that is to be cancelled may fill, and still is to be cancelled."""
    account, slip = buying(status=OrderStatus.PENDING_CANCEL)
    told = (FIRST, SECOND, THIRD)[:fills]
    account.book(slip, report(slip, FILLED if fills == 3 else WORKING, *told))
    assert expected == status(account)


def test_a_stop_that_fills_has_triggered() -> None:
    """The venue has seen the trigger; the fill says so."""
    account, slip = buying(
        order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(90), triggered=False
    )
    account.book(slip, report(slip, WORKING, FIRST))
    assert account.all["a"].triggered


def test_a_bracket_follows_its_fill() -> None:
    """As the entry fills, exits come into being, for what has filled."""
    account, slip = buying(stop_loss=Decimal(80), take_profit=Decimal(120))
    account.book(slip, report(slip, WORKING, FIRST))
    legs = [order for order in account.all.values() if order.parent_order_id == "a"]
    assert [Decimal(2), Decimal(2)] == [leg.quantity for leg in legs]


def test_the_fill_of_one_leg_shrinks_the_other() -> None:
    """Legs never add up to more than is held."""
    account = Account()
    account.hold(5)
    slip = account.slip(account.exit("tp", 5, 120, order_type=OrderType.LIMIT))
    account.exit("sl", 5, 90)
    account.book(slip, report(slip, WORKING, execution(2, 120, 2)))
    assert Decimal(3) == account.all["sl"].remaining_quantity
    account.book(slip, report(slip, FILLED, execution(2, 120, 2), execution(3, 120, 5)))
    assert ("CANCELLED", ZERO) == (account.all["sl"].status.value, account.held)


# Ends


@pytest.mark.parametrize(
    ("wanted", "ticket", "progress", "late", "expected"),
    [
        (TimeInForce.GTC, TimeInForce.GTC, CANCELLED, False, "CANCELLED"),
        (TimeInForce.GTC, TimeInForce.DAY, Progress.EXPIRED, False, "PARTIALLY_FILLED"),
        (TimeInForce.GTC, TimeInForce.GTC, Progress.EXPIRED, False, "CANCELLED"),
        (TimeInForce.DAY, TimeInForce.DAY, Progress.EXPIRED, False, "EXPIRED"),
        (TimeInForce.DAY, TimeInForce.GTC, CANCELLED, True, "EXPIRED"),
        (TimeInForce.DAY, TimeInForce.GTC, CANCELLED, False, "CANCELLED"),
        (TimeInForce.IOC, TimeInForce.IOC, CANCELLED, False, "CANCELLED"),
        (TimeInForce.IOC, TimeInForce.IOC, Progress.EXPIRED, False, "CANCELLED"),
    ],
)
def test_ends(
    wanted: TimeInForce, ticket: TimeInForce, progress: Progress, late: bool, expected: str
) -> None:
    """What the end of a ticket is for its order depends on how long each was to work."""
    account = Account()
    expiry = account.now + timedelta(hours=-1 if late else 1)
    day = wanted is TimeInForce.DAY
    order = account.order("a", 10, time_in_force=wanted, expires_at=expiry if day else None)
    slip = account.slip(order, time_in_force=ticket)
    account.book(slip, report(slip, progress, FIRST), asked=True)
    assert expected == status(account)
    assert (Decimal(2), []) == (account.held, list(account.slips))


def test_a_withdrawn_ticket_leaves_its_order() -> None:
    """What we only took back lives on."""
    account, slip = buying()
    slip = account.slips.put(slip.at(Stage.CANCELLING, account.now, withdrawn=True))
    account.book(slip, report(slip, CANCELLED))
    assert ("OPEN", []) == (status(account), list(account.slips))


def test_a_part_that_has_filled_leaves_the_rest() -> None:
    """A ticket for a part of its order that has filled leaves the order working."""
    account, slip = buying()
    slip = account.slips.put(replace(slip, ticket=replace(slip.ticket, quantity=Decimal(2))))
    account.book(slip, report(slip, FILLED, FIRST))
    assert ("PARTIALLY_FILLED", Decimal(8)) == (
        status(account),
        account.all["a"].remaining_quantity,
    )


def rejection(slip: Slip) -> Report:
    return report(slip, Progress.REJECTED, reason=RejectReason.INVALID_PRICE, message="no")


def test_a_new_order_is_rejected() -> None:
    """An order that the venue rejects later is REJECTED with its reason."""
    account, slip = buying(status=OrderStatus.PENDING)
    account.book(slip, rejection(slip))
    found = account.all["a"]
    assert ("REJECTED", "INVALID_PRICE") == (found.status.value, str(found.reject_reason))


def test_an_exit_that_is_rejected_is_kept() -> None:
    """A stop-loss is tried again, and somebody is told that it does not stand there."""
    account = Account()
    account.hold(5)
    slip = account.slip(account.exit("sl", 5, 90))
    account.book(slip, rejection(slip))
    assert ("OPEN", ["POSITION_UNPROTECTED"]) == (
        account.all["sl"].status.value,
        [name for name in account.names() if "UNPROTECTED" in name],
    )


def test_a_stop_loss_cancelled_by_the_venue() -> None:
    """The order ends, and the position is told to be without protection."""
    account = Account()
    account.hold(5)
    slip = account.slip(account.exit("sl", 5, 90))
    account.book(slip, report(slip, CANCELLED))
    assert ["POSITION_UNPROTECTED"] == [name for name in account.names() if "UNPRO" in name]


def test_a_rejected_cancel_in_the_books_is_a_cancel() -> None:
    """An order that is to be cancelled and turns out never to have been is CANCELLED."""
    account, slip = buying(status=OrderStatus.PENDING_CANCEL)
    account.book(slip, rejection(slip))
    assert "CANCELLED" == status(account)


def test_restored_terms_count_what_has_filled() -> None:
    """An order goes back to what it was, with the fills it has."""
    account, slip = buying(8, filled_quantity=Decimal(2), status=OrderStatus.PARTIALLY_FILLED)
    slip = account.slips.put(replace(slip, restore={"quantity": Decimal(5)}))
    account.book(slip, rejection(slip))
    found = account.all["a"]
    assert (Decimal(5), Decimal(3)) == (found.quantity, found.remaining_quantity)


# Others


def test_terms_that_others_have_set() -> None:
    """A price and a quantity changed at the venue are ours from then on, if asked for."""
    account, slip = buying()
    told = report(slip, WORKING, quantity=Decimal(8), limit_price=Decimal(95))
    account.book(slip, told)
    assert Decimal(10) == account.all["a"].quantity
    account.book(slip, told, asked=True)
    found, (live,) = account.all["a"], account.slips
    assert (Decimal(8), Decimal(8), Decimal(95), Decimal(8)) == (
        found.quantity,
        found.remaining_quantity,
        found.limit_price,
        live.ticket.quantity,
    )


@pytest.mark.parametrize("stage", [Stage.CHANGING, Stage.CANCELLING])
def test_terms_in_between_are_not_taken(stage: Stage) -> None:
    """While we change or cancel it ourselves, other terms are no news."""
    account, slip = buying()
    slip = account.slips.put(slip.at(stage, account.now, changed=slip.ticket))
    account.book(slip, report(slip, WORKING, quantity=Decimal(8)), asked=True)
    assert Decimal(10) == account.all["a"].quantity


def test_what_was_replaced_keeps_its_fills() -> None:
    """An order in whose place another stands: its fills are booked, and its heir is known."""
    account, slip = buying()
    account.book(slip, report(slip, CANCELLED, FIRST, replaced_by="v2"))
    (live,) = account.slips
    assert ("v2", Decimal(2), "PARTIALLY_FILLED") == (
        live.replaced_by,
        account.held,
        status(account),
    )


def test_the_end_of_one_that_was_outlived() -> None:
    """The end of a ticket that another has followed is not that of the order."""
    account, slip = buying()
    slip = account.slips.put(slip.at(Stage.CANCELLING, account.now))
    account.slip(account.all["a"], client_id="t-2", venue_id="v-2")
    account.book(slip, report(slip, CANCELLED, FIRST, replaced_by="v-2"), asked=True)
    assert ("PARTIALLY_FILLED", ["t-2"], Decimal(2)) == (
        status(account),
        [each.client_id for each in account.slips],
        account.held,
    )


def test_adoption() -> None:
    """An order of somebody else becomes one of ours, with its fills."""
    account, slip = buying()
    foreign = report(slip, WORKING, FIRST)
    foreign = replace(foreign, client_id="", venue_id="v77")
    turn = account.turn()
    adopted = booking.adopt(turn, account.slips, foreign)
    account.enter(turn)
    account.book(adopted, replace(foreign, client_id=adopted.client_id), asked=True)
    order = account.all[adopted.order_id]
    assert ("venue-v77", None, Decimal(2)) == (
        adopted.client_id,
        order.client_order_id,
        order.filled_quantity,
    )


# Whatever is told


def parts(sizes: list[int]) -> list[Execution]:
    """Executions of these sizes, each at a price of its own."""
    made, total = [], 0
    for number, size in enumerate(sizes):
        total += size
        made.append(execution(size, 90 + number, total))
    return made


@given(data=st.data(), sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_each_fill_is_booked_once(data: st.DataObject, sizes: list[int]) -> None:
    """Reports in any order, with repeats and gaps, then the last word: each fill counts once."""
    every = parts(sizes)
    total = every[-1].cumulative
    account, slip = buying(int(total))
    reports = [told(slip, every[: end + 1], total) for end in range(len(every))]
    reports += [replace(each, executions=each.executions[-1:]) for each in reports]
    order = data.draw(st.lists(st.sampled_from(reports), max_size=12))
    for each in order:
        try:
            account.book(slip, each)
        except MissingExecutions:
            if data.draw(st.booleans()):  # it is asked for
                account.book(slip, each, asked=True)
    account.book(slip, reports[len(every) - 1], asked=True)
    worth = sum((each.price * each.quantity for each in every), ZERO)
    found: Order = account.all["a"]
    assert (total, total, "FILLED") == (found.filled_quantity, account.held, found.status.value)
    assert abs(worth - (found.filled_notional or ZERO)) < Decimal("1E-15")  # averages round
    assert [] == list(account.slips)


def told(slip: Slip, executions: list[Execution], total: Decimal) -> Report:
    done = executions[-1].cumulative
    worth = sum((each.price * each.quantity for each in executions), ZERO)
    progress = FILLED if done == total else WORKING
    return report(slip, progress, *executions, average_price=worth / done)


@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=6), data=st.data())
def test_positions_follow_both_sides(sizes: list[int], data: st.DataObject) -> None:
    """Fills of two orders against each other, interleaved: the position is their difference."""
    account = Account()
    slips = [account.slip(account.order(side.value, 100, side=side)) for side in Side]
    done = [ZERO, ZERO]
    for size in sizes:
        which = data.draw(st.integers(0, 1))
        done[which] += size
        each = execution(size, 90, done[which])
        account.book(slips[which], report(slips[which], WORKING, each))
    assert done[0] - done[1] == account.held
    sides = {held.side for held in account.state.positions.values()}
    assert sides <= {PositionSide.LONG, PositionSide.SHORT}
    assert len(account.state.positions) <= 1
