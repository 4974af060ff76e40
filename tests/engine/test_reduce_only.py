"""reduce_only: refused with nothing to reduce, and never more than what is held."""

from __future__ import annotations

from datetime import timedelta

import pytest

from providers.errors import OrderRejected
from providers.models import RejectReason
from tests.engine.desk import Desk, row

SEEN = "status quantity filled_quantity remaining_quantity"


def holding(quantity: str = "10", side: str = "BUY", *, balance: str = "1000000") -> Desk:
    desk = Desk(balance)
    desk.quote("99", "100")
    if quantity != "0":
        (desk.buy if side == "BUY" else desk.sell)(quantity)
    return desk


@pytest.mark.parametrize(
    ("held", "side"), [("0", "SELL"), ("0", "BUY"), ("10", "BUY"), ("-10", "SELL")]
)
def test_it_needs_something_to_reduce(held: str, side: str) -> None:
    """With no position of the other side it is refused with REDUCE_ONLY_VIOLATED."""
    desk = holding(held.removeprefix("-"), "SELL" if held.startswith("-") else "BUY")
    place = desk.buy if side == "BUY" else desk.sell
    with pytest.raises(OrderRejected) as refusal:
        place("4", reduce_only=True)
    assert RejectReason.REDUCE_ONLY_VIOLATED == refusal.value.reject_reason
    assert ["ORDER_REJECTED"] == desk.happened


def test_a_position_of_another_symbol_does_not_count() -> None:
    """It must oppose a position of its own symbol."""
    desk = holding()
    desk.quote("1.1", "1.2", symbol="EUR/USD")
    with pytest.raises(OrderRejected):
        desk.sell("4", reduce_only=True, symbol="EUR/USD")


@pytest.mark.parametrize(("side", "other"), [("BUY", "sell"), ("SELL", "buy")])
def test_it_reduces(side: str, other: str) -> None:
    """An order of the other side takes that much off."""
    desk = holding("10", side)
    assert "FILLED 4 4 0" == row(getattr(desk, other)("4", reduce_only=True), SEEN)
    assert "6" == row(desk.position, "quantity")


@pytest.mark.parametrize(("side", "other"), [("BUY", "sell"), ("SELL", "buy")])
def test_it_is_capped_by_the_position(side: str, other: str) -> None:
    """What is more than the position is cancelled: it never flips."""
    desk = holding("10", side)
    order = getattr(desk, other)("15", reduce_only=True)
    assert "CANCELLED 15 10 5" == row(order, SEEN)
    assert {} == desk.state.positions


def test_resting_it_shrinks_with_the_position() -> None:
    """Another order that reduces the position takes it off what this one may fill."""
    desk = holding()
    order = desk.sell("10", "LIMIT", limit="105", reduce_only=True)
    desk.sell("6")
    assert "OPEN 4 0 4" == row(desk.now_of(order), SEEN)


def test_it_keeps_what_fits() -> None:
    """An order smaller than what is left stays as it is."""
    desk = holding()
    order = desk.sell("4", "LIMIT", limit="105", reduce_only=True)
    desk.sell("6")
    assert "OPEN 4 0 4" == row(desk.now_of(order), SEEN)
    assert order.updated_at == desk.now_of(order).updated_at


def test_it_is_released_with_the_position() -> None:
    """With the position gone it is cancelled."""
    desk = holding()
    order = desk.sell("10", "STOP", stop="95", reduce_only=True)
    desk.sell("10")
    assert "CANCELLED 10 0 10" == row(desk.now_of(order), SEEN)


def test_it_does_not_outlive_a_flip() -> None:
    """When the position flips, what was to reduce the old one is cancelled."""
    desk = holding()
    order = desk.sell("10", "STOP", stop="95", reduce_only=True)
    desk.sell("15")
    assert "CANCELLED" == row(desk.now_of(order), "status")
    assert "SHORT 5" == row(desk.position, "side quantity")


def test_after_a_partial_fill_it_shrinks_to_what_is_left() -> None:
    """What has filled counts: quantity = filled + remaining, also of a shrunken order."""
    desk = holding()
    order = desk.sell("10", "LIMIT", limit="105", reduce_only=True)
    desk.tick("105", "106", size="3")
    desk.quote("99", "100")
    desk.sell("5")
    assert "PARTIALLY_FILLED 5 3 2" == row(desk.now_of(order), SEEN)


def test_it_shows_and_binds_no_margin() -> None:
    """It is reported as reduce_only, needs no margin and has no leverage of its own."""
    desk = holding("10", balance="1000")
    order = desk.sell("10", "LIMIT", limit="105", reduce_only=True)
    assert "True -" == row(order, "reduce_only leverage")
    assert "990" == row(desk.account, "margin_used")


def test_raised_above_the_position_it_is_still_capped() -> None:
    """A change can ask for more than is held; more than is held never fills."""
    desk = holding()
    order = desk.sell("4", "LIMIT", limit="105", reduce_only=True)
    desk.modify(order, quantity="30")
    desk.tick("105", "106")
    assert "CANCELLED 30 10 20" == row(desk.now_of(order), SEEN)
    assert {} == desk.state.positions


def test_all_or_nothing_is_judged_by_the_order() -> None:
    """A reduce-only FOK of what is held fills; of one for more nothing does."""
    desk = holding()
    assert "CANCELLED 11 0 11" == row(desk.sell("11", tif="FOK", reduce_only=True), SEEN)
    assert "FILLED" == row(desk.sell("10", tif="FOK", reduce_only=True), "status")


def test_resting_it_makes() -> None:
    """What a reduce-only order fills from the book is a maker's fill, also when it is cut."""
    desk = holding()
    desk.sell("30", "LIMIT", limit="105", reduce_only=True)
    desk.tick("106", "107")
    assert ("105", True) == (row(desk.trades[-1], "price"), desk.trades[-1].is_maker)


def test_the_answer_is_what_has_become_of_it() -> None:
    """A MARKET sale takes 6 of 10; a sale at rest, which shrinks to the other 4, meets the same
    quote and sells them, so that the first is over before it is answered.
    """
    desk = holding()
    desk.sell("10", "LIMIT", limit="105", reduce_only=True)
    desk.quote("105", "106", size="6")
    assert "CANCELLED 10 6 4" == row(desk.sell("10", reduce_only=True), SEEN)
    assert {} == desk.state.positions


def test_a_day_order_that_is_over_does_not_trade_again() -> None:
    """Shrunk by the fill of another when its day is over, it expires rather than meet the quote."""
    desk = holding()
    first = desk.sell("4", "LIMIT", limit="105", reduce_only=True)
    second = desk.sell("10", "LIMIT", limit="104", reduce_only=True, tif="DAY")
    desk.now += timedelta(days=1)
    desk.quote("105", "106")
    desk.cancel(first)  # comes too late
    assert ["FILLED 4", "EXPIRED 0"] == [
        row(desk.now_of(order), "status filled_quantity") for order in (first, second)
    ]
