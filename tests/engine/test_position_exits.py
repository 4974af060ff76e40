"""Exits of a position: PATCH /positions makes and moves them, a close cancels them."""

from __future__ import annotations

import pytest

from providers.errors import OrderRejected, PositionNotFound
from providers.models import Order, RejectReason
from tests.engine.desk import Desk, row

LEG = "side order_type stop_price limit_price remaining_quantity status"


def holding(side: str = "BUY", *, hedging: bool = False) -> Desk:
    desk = Desk(hedging=hedging)
    desk.quote("99", "100")
    (desk.buy if side == "BUY" else desk.sell)("10")
    return desk


def shown(orders: list[Order]) -> list[str]:
    return [row(order, LEG) for order in orders]


@pytest.mark.parametrize(
    ("side", "exits", "legs"),
    [
        ("BUY", {"stop_loss": "90"}, ["SELL STOP 90 - 10 OPEN"]),
        ("BUY", {"take_profit": "110"}, ["SELL LIMIT - 110 10 OPEN"]),
        (
            "SELL",
            {"stop_loss": "110", "take_profit": "90"},
            ["BUY STOP 110 - 10 OPEN", "BUY LIMIT - 90 10 OPEN"],
        ),
    ],
)
def test_exits_are_made(side: str, exits: dict[str, str], legs: list[str]) -> None:
    """A position without exits gets those it is given, over all of it."""
    desk = holding(side)
    position = desk.protect(desk.position, **exits)
    assert legs == shown(desk.resting)
    assert ["BRACKET_ORDER_CREATED"] * len(legs) == desk.happened
    assert {(position.id, True, position.id)} == {
        (leg.position_id, leg.reduce_only, leg.parent_order_id) for leg in desk.resting
    }


def test_it_answers_the_position() -> None:
    """The answer is the position as it is, marked at the present quote."""
    desk = holding()
    desk.quote("104", "105")
    position = desk.protect(desk.position, stop_loss="90")
    assert "10 104 40" == row(position, "quantity current_price unrealized_pnl")


def test_exits_are_moved() -> None:
    """A second time the exits that are there move; null leaves one where it is."""
    desk = holding()
    desk.protect(desk.position, stop_loss="90", take_profit="110")
    desk.protect(desk.position, stop_loss="92", take_profit=None)
    assert ["BRACKET_ORDER_MODIFIED"] == desk.happened
    assert ["SELL STOP 92 - 10 OPEN", "SELL LIMIT - 110 10 OPEN"] == shown(desk.resting)


def test_the_legs_of_a_bracket_are_its_exits() -> None:
    """What an entry has brought along is moved too, not doubled."""
    desk = Desk()
    desk.quote("99", "100")
    desk.buy("10", stop_loss="90")
    desk.protect(desk.position, stop_loss="95", take_profit="110")
    assert ["SELL STOP 95 - 10 OPEN", "SELL LIMIT - 110 10 OPEN"] == shown(desk.resting)


@pytest.mark.parametrize("exits", [{}, {"stop_loss": None}, {"stop_loss": "90"}])
def test_asking_for_what_is_there_changes_nothing(exits: dict[str, str | None]) -> None:
    """Nothing named, or the same price again, is no event."""
    desk = holding()
    desk.protect(desk.position, stop_loss="90")
    desk.protect(desk.position, **exits)
    assert [] == desk.happened


@pytest.mark.parametrize(
    ("side", "exits", "reason"),
    [
        ("BUY", {"stop_loss": "99"}, "stop_loss lies on the wrong side of the mark, 99"),
        ("BUY", {"take_profit": "99"}, "take_profit lies on the wrong side of the mark, 99"),
        ("SELL", {"stop_loss": "100"}, "stop_loss lies on the wrong side of the mark, 100"),
        ("SELL", {"take_profit": "100"}, "take_profit lies on the wrong side of the mark, 100"),
        ("BUY", {"stop_loss": "90.001"}, "stop_loss must be a multiple of 0.01"),
        ("BUY", {"stop_loss": "90", "take_profit": "110.001"}, "take_profit must be a multiple"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused(
    side: str, exits: dict[str, str], reason: str
) -> None:
    """An exit at or beyond the mark, or off the tick, is INVALID_PRICE, and none is made."""
    desk = holding(side)
    with pytest.raises(OrderRejected, match=reason) as refusal:
        desk.protect(desk.position, **exits)
    assert RejectReason.INVALID_PRICE == refusal.value.reject_reason
    assert ([], []) == (desk.happened, desk.resting)


@pytest.mark.parametrize(("side", "price"), [("BUY", "98.99"), ("SELL", "100.01")])
def test_a_tick_from_the_mark_is_enough(side: str, price: str) -> None:
    """A stop-loss one tick off the mark is on the right side."""
    desk = holding(side)
    desk.protect(desk.position, stop_loss=price)
    assert 1 == len(desk.resting)


@pytest.mark.parametrize(("bid", "price"), [("89", "89"), ("111", "110")])
def test_exits_work(bid: str, price: str) -> None:
    """The first to fill closes the position, and the other goes with it."""
    desk = holding()
    desk.protect(desk.position, stop_loss="90", take_profit="110")
    desk.tick(bid, "112")
    assert (price, {}, []) == (row(desk.trades[-1], "price"), desk.state.positions, desk.resting)


def test_a_partial_exit_shrinks_the_other() -> None:
    """Exits never add up to more than is held."""
    desk = holding()
    desk.protect(desk.position, stop_loss="90", take_profit="110")
    desk.tick("110", "111", size="4")
    assert ["SELL STOP 90 - 6 OPEN", "SELL LIMIT - 110 6 PARTIALLY_FILLED"] == shown(desk.resting)


def test_exits_cover_what_is_held_now() -> None:
    """A position that grows is not covered further by the exits made before."""
    desk = holding()
    desk.protect(desk.position, stop_loss="90")
    desk.buy("5")
    assert ["SELL STOP 90 - 10 OPEN"] == shown(desk.resting)


def test_hedged_positions_have_their_own_exits() -> None:
    """In a hedging account exits are made and moved for the position named."""
    desk = holding(hedging=True)
    desk.buy("4")
    first, second = desk.state.positions.values()
    desk.protect(first, stop_loss="90")
    desk.protect(second, stop_loss="80")
    desk.protect(second, stop_loss="85")
    assert ["SELL STOP 90 - 10 OPEN", "SELL STOP 85 - 4 OPEN"] == shown(desk.resting)


def test_an_exit_that_the_market_has_reached_comes_first() -> None:
    """Moved before the market clock has seen the quote, a stop-loss still trades on it: there is
    no position left.
    """
    desk = holding()
    position = desk.protect(desk.position, stop_loss="90")
    desk.quote("89", "90")
    with pytest.raises(PositionNotFound) as refusal:
        desk.protect(position, stop_loss="80")
    assert position.id == (refusal.value.details or {})["id"]
    assert ["89"] == [row(trade, "price") for trade in desk.trades[1:]]


def test_a_stop_loss_under_way_cannot_be_moved() -> None:
    """Once it has triggered it is a MARKET order; a take-profit can still be set beside it."""
    desk = holding()
    desk.protect(desk.position, stop_loss="90")
    desk.tick("89", "90", size="4")
    with pytest.raises(
        OrderRejected, match="^The stop-loss has triggered and is being executed$"
    ) as refusal:
        desk.protect(desk.position, stop_loss="80")
    assert RejectReason.UNKNOWN == refusal.value.reject_reason
    desk.protect(desk.position, take_profit="110")
    assert ["SELL STOP 90 - 6 PARTIALLY_FILLED", "SELL LIMIT - 110 6 OPEN"] == shown(desk.resting)


@pytest.mark.parametrize(("quantity", "fits"), [("10", True), ("11", False)])
def test_an_exit_cannot_be_made_larger_than_its_position(quantity: str, fits: bool) -> None:
    """As for a close: more than is held is INVALID_QUANTITY."""
    desk = holding()
    desk.protect(desk.position, take_profit="110")
    leg = desk.modify(desk.resting[0], quantity="6")
    if fits:
        assert "10" == row(desk.modify(leg, quantity=quantity), "remaining_quantity")
        return
    with pytest.raises(OrderRejected, match="The position holds 10, less than 11") as refusal:
        desk.modify(leg, quantity=quantity)
    assert RejectReason.INVALID_QUANTITY == refusal.value.reject_reason


def test_two_exits_both_meet_the_quote_that_one_of_them_fills_on() -> None:
    """What shrinks before it has met a quote meets it all the same.

    The older stop sells 3 of 10 and so shrinks the younger to 7, which then sells 3 of its own.
    """
    desk = holding()
    for _ in range(2):
        desk.sell("10", "STOP", stop="90", reduce_only=True)
    desk.tick("89", "90", size="3")
    assert ["3", "3"] == [row(trade, "quantity") for trade in desk.trades[1:]]


# Closing


def test_a_close_cancels_the_exits() -> None:
    """A resting close takes the place of stop-loss and take-profit."""
    desk = holding()
    desk.protect(desk.position, stop_loss="90", take_profit="110")
    order = desk.close(desk.position, "4", limit="105")
    assert ["ORDER_CANCELLED", "ORDER_CANCELLED", "ORDER_CREATED"] == desk.happened
    assert [order] == desk.resting


def test_a_close_may_keep_the_exits() -> None:
    """cancel_associated_orders false leaves them, shrunk to what is still held."""
    desk = holding()
    desk.protect(desk.position, stop_loss="90", take_profit="110")
    desk.close(desk.position, "4", keep_exits=True)
    assert ["SELL STOP 90 - 6 OPEN", "SELL LIMIT - 110 6 OPEN"] == shown(desk.resting)


def test_a_refused_close_cancels_nothing() -> None:
    """A close that is too large leaves the exits as they are."""
    desk = holding()
    desk.protect(desk.position, stop_loss="90")
    with pytest.raises(OrderRejected):
        desk.close(desk.position, "11")
    assert ["SELL STOP 90 - 10 OPEN"] == shown(desk.resting)


def test_a_close_leaves_orders_that_may_open() -> None:
    """Orders that are not exits stay, also of the same side."""
    desk = holding()
    order = desk.sell("1", "LIMIT", limit="120")
    desk.close(desk.position)
    assert [order] == desk.resting
