"""Latency: an order is PENDING until it arrives, and meets the market then and not before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from providers.errors import OrderNotModifiable, OrderRejected
from providers.models import RejectReason
from tests.engine.desk import Desk, row

LATENCY = timedelta(seconds=2)


def market(size: str = "1000000") -> Desk:
    desk = Desk(latency=LATENCY)
    desk.quote("99", "100", size=size)
    return desk


def later(desk: Desk, microseconds: int = 0) -> Desk:
    """Just the latency later, or so many microseconds more."""
    desk.wait(desk.now + LATENCY + timedelta(microseconds=microseconds))
    return desk


def test_a_new_order_is_pending() -> None:
    """Accepted, it has not met the market; it binds its margin already."""
    desk = market()
    order = desk.buy("4")
    assert (["ORDER_CREATED"], "PENDING 0") == (
        desk.happened,
        row(order, "status filled_quantity"),
    )
    assert "400" == row(desk.account, "margin_used")


def test_it_arrives_after_the_latency() -> None:
    """A microsecond early nothing happens; then it is OPEN, and trades at the quote of then."""
    desk = market()
    desk.buy("4")
    desk.quotes["AAPL"] = desk.quotes["AAPL"].model_copy(update={"ask": 101})
    assert [] == later(desk, -1).happened
    desk.wait(desk.now + timedelta(microseconds=1))
    assert ["ORDER_MODIFIED", "ORDER_FILLED", "TRADE_FILLED", "POSITION_OPENED"] == desk.happened
    assert "101" == row(desk.trades[0], "price")


def test_quotes_before_its_arrival_are_missed() -> None:
    """A limit that a quote reaches meanwhile is not filled by it."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="95")
    desk.tick("94", "95")
    assert "PENDING" == row(desk.now_of(order), "status")
    desk.tick("99", "100")
    assert "OPEN 0" == row(desk.now_of(order), "status filled_quantity")


def test_a_limit_that_arrives_marketable_takes() -> None:
    """On arrival it trades at the touch, as a taker."""
    desk = market()
    desk.buy("4", "LIMIT", limit="95")
    desk.quote("93", "94")
    later(desk)
    assert ["94 False"] == [row(trade, "price is_maker") for trade in desk.trades]


@pytest.mark.parametrize(("ask", "status"), [("98", "REJECTED"), ("98.01", "OPEN")])
def test_post_only_is_judged_on_arrival(ask: str, status: str) -> None:
    """A post_only order that would take when it arrives is REJECTED then."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98", post_only=True)
    desk.quote("97", ask)
    later(desk)
    assert status == row(desk.now_of(order), "status")
    if status == "REJECTED":
        assert ["ORDER_REJECTED"] == desk.happened
        assert RejectReason.POST_ONLY_VIOLATED == desk.now_of(order).reject_reason
        assert "0" == row(desk.account, "margin_used")


def test_post_only_is_not_judged_before() -> None:
    """What would take now may rest when it arrives."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="100", post_only=True)
    desk.quote("100", "101")
    later(desk)
    assert "OPEN" == row(desk.now_of(order), "status")


@pytest.mark.parametrize(("tif", "filled"), [("IOC", "3"), ("FOK", "0")])
def test_ioc_and_fok_end_on_arrival(tif: str, filled: str) -> None:
    """They take what they can when they arrive, and end."""
    desk = market("3")
    order = desk.buy("4", tif=tif)
    later(desk)
    assert f"CANCELLED {filled}" == row(desk.now_of(order), "status filled_quantity")


def test_a_stop_may_fire_on_arrival() -> None:
    """A stop that the market has passed meanwhile is a market order at once."""
    desk = market()
    order = desk.sell("4", "STOP", stop="95")
    desk.quote("94", "95")
    later(desk)
    assert "FILLED 94 True" == row(desk.now_of(order), "status average_fill_price triggered")


def test_a_pending_order_can_be_cancelled_but_not_changed() -> None:
    """On its way it cannot be changed; it can be called back."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98")
    with pytest.raises(OrderNotModifiable, match="it is PENDING"):
        desk.modify(order, quantity="5")
    assert "CANCELLED" == row(desk.cancel(order).order, "status")


def test_a_command_finds_it_arrived() -> None:
    """A change after the latency finds the order OPEN, though the clock has not come round."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98")
    desk.now += LATENCY
    assert "OPEN 5" == row(desk.modify(order, quantity="5"), "status quantity")


def test_a_pending_exit_goes_with_its_position() -> None:
    """A reduce-only order on its way ends when there is nothing left to reduce."""
    desk = market()
    desk.buy("4")
    later(desk)
    first = desk.sell("4", reduce_only=True)
    second = desk.sell("4", reduce_only=True)
    later(desk, 10)
    assert ["FILLED", "CANCELLED"] == [row(desk.now_of(o), "status") for o in (first, second)]


def test_a_pending_member_of_a_group_is_cancelled() -> None:
    """A fill in the group reaches an order that is still on its way."""
    desk = market()
    desk.buy("4", "LIMIT", limit="98", oco_group_id="g")
    later(desk)
    order = desk.buy("4", "LIMIT", limit="97", oco_group_id="g")
    desk.tick("97", "98")
    assert "CANCELLED" == row(desk.now_of(order), "status")


def test_what_is_refused_is_refused_at_once() -> None:
    """Margin, steps and leverage are judged on submission."""
    desk = market()
    with pytest.raises(OrderRejected):
        desk.buy("4.5")
    assert ["ORDER_REJECTED"] == desk.happened


def test_a_pending_day_order_expires() -> None:
    """A day that ends before the order has arrived ends the order."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98", tif="DAY")
    assert order.expires_at is not None
    desk.now = order.expires_at
    desk.meet()
    assert ["ORDER_EXPIRED"] == desk.happened
