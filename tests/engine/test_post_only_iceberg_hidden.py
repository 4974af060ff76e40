"""How an order shows itself: post_only never takes, icebergs trade slice by slice, hidden hides."""

from __future__ import annotations

import pytest

from providers.errors import InvalidValue, OrderRejected
from providers.models import RejectReason
from tests.engine.desk import Desk, row


def market(size: str = "1000000") -> Desk:
    desk = Desk()
    desk.quote("99", "100", size=size)
    return desk


def details_of(error: InvalidValue) -> tuple[object, object]:
    details = error.details or {}
    return details["field"], details["provided"]


# post_only


@pytest.mark.parametrize(
    ("side", "limit", "status"),
    [
        ("buy", "99.99", "OPEN"),
        ("buy", "100", None),
        ("buy", "101", None),
        ("sell", "99.01", "OPEN"),
        ("sell", "99", None),
        ("sell", "98", None),
    ],
)
def test_post_only_never_takes(side: str, limit: str, status: str | None) -> None:
    """A post_only order that would trade on arrival is refused; else it rests."""
    desk = market()
    if status is not None:
        order = getattr(desk, side)("4", "LIMIT", limit=limit, post_only=True)
        assert f"{status} True" == row(order, "status post_only")
        return
    with pytest.raises(OrderRejected) as refusal:
        getattr(desk, side)("4", "LIMIT", limit=limit, post_only=True)
    assert RejectReason.POST_ONLY_VIOLATED == refusal.value.reject_reason


def test_post_only_makes() -> None:
    """Resting, it trades at its limit, as a maker."""
    desk = market()
    desk.buy("4", "LIMIT", limit="98", post_only=True)
    desk.tick("97", "98")
    assert ["4@98 True"] == [f"{t.quantity:f}@{t.price:f} {t.is_maker}" for t in desk.trades]


@pytest.mark.parametrize("limit", ["100", "101"])
def test_a_change_keeps_post_only_in_force(limit: str) -> None:
    """A limit_price at which it would take is refused, and not made; one at which it rests is."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98", post_only=True)
    with pytest.raises(OrderRejected) as refusal:
        desk.modify(order, limit_price=limit)
    assert RejectReason.POST_ONLY_VIOLATED == refusal.value.reject_reason
    assert order == desk.now_of(order)
    assert "99.99 OPEN" == row(desk.modify(order, limit_price="99.99"), "limit_price status")


def test_post_only_half_filled_can_grow_at_its_price() -> None:
    """Where the market stands at its limit, a change of the quantity alone takes nothing."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98", post_only=True)
    desk.tick("97", "98", size="1")
    assert "PARTIALLY_FILLED 5" == row(
        desk.modify(order, quantity="6"), "status remaining_quantity"
    )


# Icebergs


def test_an_iceberg_trades_what_it_shows() -> None:
    """A resting order fills at most display_quantity at each quote, however much is there."""
    desk = market()
    order = desk.buy("10", "LIMIT", limit="98", display_quantity="4")
    shown = []
    for _ in range(3):
        desk.tick("97", "98")
        shown.append(row(desk.now_of(order), "status remaining_quantity"))
    assert ["PARTIALLY_FILLED 6", "PARTIALLY_FILLED 2", "FILLED 0"] == shown
    assert ["4", "4", "2"] == [row(trade, "quantity") for trade in desk.trades]


def test_an_iceberg_trades_no_more_than_the_market_shows() -> None:
    """The smaller of the two sizes counts."""
    desk = market()
    order = desk.buy("10", "LIMIT", limit="98", display_quantity="4")
    desk.tick("97", "98", size="3")
    assert "7 4" == row(desk.now_of(order), "remaining_quantity display_quantity")


def test_on_arrival_an_iceberg_takes_all_it_can() -> None:
    """Taking shows nothing to anybody: only what rests is shown slice by slice."""
    desk = market(size="7")
    order = desk.buy("10", "LIMIT", limit="100", display_quantity="2")
    assert "7 3" == row(order, "filled_quantity remaining_quantity")
    desk.tick("99", "100")
    assert "9 1" == row(desk.now_of(order), "filled_quantity remaining_quantity")


def test_a_slice_has_to_be_smaller_than_the_order() -> None:
    """A change to no more than the display_quantity names quantity."""
    desk = market()
    order = desk.buy("10", "LIMIT", limit="98", display_quantity="4")
    with pytest.raises(InvalidValue, match="must be more than the display_quantity, 4") as refusal:
        desk.modify(order, quantity="4")
    assert ("quantity", "4") == details_of(refusal.value)
    assert "5" == row(desk.modify(order, quantity="5"), "quantity")
    assert "97" == row(desk.modify(order, limit_price="97"), "limit_price")


def test_a_slice_is_in_lots() -> None:
    """display_quantity obeys the instrument's lot size."""
    desk = market()
    with pytest.raises(OrderRejected, match="display_quantity must be a multiple of 1"):
        desk.buy("10", "LIMIT", limit="98", display_quantity="2.5")


def test_scenario_binance_iceberg() -> None:
    """Binance's icebergQty: an order of 10 that shows 3 trades in 3, 3, 3 and 1.

    Source: Binance Spot API documentation, New order and Terminology, `icebergQty`: the quantity
    that the book shows of a LIMIT order; when it has filled the next part is shown, up to what
    remains. Such an order is GTC.
    """
    desk = Desk()
    desk.quote("99", "100", symbol="BTC/USD")
    order = desk.sell("1", "LIMIT", limit="101", display_quantity="0.3", symbol="BTC/USD")
    for _ in range(4):
        desk.tick("101", "102", symbol="BTC/USD")
    assert ["0.3", "0.3", "0.3", "0.1"] == [row(trade, "quantity") for trade in desk.trades]
    assert "FILLED 101" == row(desk.now_of(order), "status average_fill_price")
    assert [True] * 4 == [trade.is_maker for trade in desk.trades]


# Hidden


def test_a_hidden_order_trades_like_any_other() -> None:
    """hidden is kept and reported; there is no book here in which others could see it."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98", hidden=True)
    assert "OPEN True" == row(order, "status hidden")
    desk.tick("97", "98")
    assert "FILLED 98 True" == row(desk.now_of(order), "status average_fill_price hidden")
