"""Hedging accounts: each opening order has its own position, and orders name the one they mean."""

from __future__ import annotations

from typing import Any

import pytest

from providers.errors import OrderRejected
from providers.models import Order, Position, RejectReason
from tests.engine.desk import Desk, row


def desk_at(bid: str = "99", ask: str = "100", *, size: str = "1000000", **options: Any) -> Desk:
    desk = Desk(hedging=True, **options)
    desk.quote(bid, ask, size=size)
    return desk


def held(desk: Desk) -> list[str]:
    return [row(each, "side quantity") for each in desk.state.positions.values()]


def of(desk: Desk, order: Order) -> Position:
    return desk.positions[desk.now_of(order).position_id or ""]


def test_each_order_opens_its_own_position() -> None:
    """Two buys are two positions; each order names its own."""
    desk = desk_at()
    orders = desk.buy("4"), desk.buy("6")
    assert ["LONG 4", "LONG 6"] == held(desk)
    assert list(desk.state.positions) == [order.position_id for order in orders]


def test_buys_and_sells_coexist() -> None:
    """A sale without position_id opens a short position beside the long one, with its margin."""
    desk = desk_at()
    desk.buy("4")
    desk.sell("4")
    assert ["LONG 4", "SHORT 4"] == held(desk)
    assert "796" == row(desk.account, "margin_used")  # 4 at 99 and 4 at 100


def test_opposite_orders_are_not_covered() -> None:
    """An order of the other side adds exposure, so it reserves margin like any other."""
    desk = desk_at()
    desk.buy("4")
    desk.sell("4", "LIMIT", limit="105")
    assert "816" == row(desk.account, "margin_used")


def test_the_fills_of_one_order_share_its_position() -> None:
    """The later fills of an order go into the position that its first has opened."""
    desk = desk_at(size="4")
    order = desk.buy("10")
    desk.tick("99", "102", size="6")
    assert ["LONG 10"] == held(desk)
    assert "101.2" == row(of(desk, order), "average_entry_price")


def test_position_id_adds() -> None:
    """An order of the same side that names a position adds to it."""
    desk = desk_at()
    first = desk.buy("4")
    desk.buy("6", position_id=first.position_id)
    assert ["LONG 10"] == held(desk)


def test_position_id_reduces() -> None:
    """An order of the other side that names a position reduces it, and only that."""
    desk = desk_at()
    first = desk.buy("4")
    desk.buy("6")
    order = desk.sell("3", position_id=first.position_id)
    assert "FILLED True" == row(order, "status reduce_only")
    assert ["LONG 1", "LONG 6"] == held(desk)


def test_it_never_flips() -> None:
    """An order larger than the position it names is refused: it could only flip it."""
    desk = desk_at()
    first = desk.buy("4")
    with pytest.raises(OrderRejected, match="The position holds 4, less than 5") as refusal:
        desk.sell("5", position_id=first.position_id)
    assert RejectReason.INVALID_QUANTITY == refusal.value.reject_reason
    order = desk.sell("4", "LIMIT", limit="105", position_id=first.position_id)
    desk.sell("3", position_id=first.position_id)
    desk.tick("105", "106")
    assert "FILLED 1" == row(desk.now_of(order), "status quantity")
    assert [] == held(desk)


@pytest.mark.parametrize("symbol", ["AAPL", "EUR/USD"])
def test_a_position_that_is_not_there(symbol: str) -> None:
    """A position_id that is unknown, closed or of another symbol is POSITION_NOT_FOUND."""
    desk = desk_at()
    desk.quote("1.1", "1.2", symbol="EUR/USD")
    closed = desk.buy("4").position_id
    desk.sell("4", position_id=closed)
    other = desk.buy("4", symbol="EUR/USD" if symbol == "AAPL" else "AAPL").position_id
    for wrong in ("nothing", closed, other):
        with pytest.raises(OrderRejected, match=f"no position {wrong} in {symbol}") as refusal:
            desk.buy("1", symbol=symbol, position_id=wrong)
        assert RejectReason.POSITION_NOT_FOUND == refusal.value.reject_reason


def test_in_a_netting_account_position_id_must_be_there_too() -> None:
    """A netting account has one position per symbol; naming it is allowed, another is not."""
    desk = Desk()
    desk.quote("99", "100")
    position = desk.buy("4").position_id
    assert "FILLED True" == row(desk.sell("3", position_id=position), "status reduce_only")
    assert "FILLED -" == row(desk.buy("3", position_id=position), "status reduce_only")
    with pytest.raises(OrderRejected) as refusal:
        desk.sell("3", position_id="nothing")
    assert RejectReason.POSITION_NOT_FOUND == refusal.value.reject_reason


def test_reduce_only_names_its_position() -> None:
    """Among many positions a reduce_only order must say which one."""
    desk = desk_at()
    position = desk.buy("4").position_id
    with pytest.raises(OrderRejected, match="names its position_id") as refusal:
        desk.sell("4", reduce_only=True)
    assert RejectReason.REDUCE_ONLY_VIOLATED == refusal.value.reject_reason
    with pytest.raises(OrderRejected):
        desk.buy("4", reduce_only=True, position_id=position)
    assert "FILLED" == row(desk.sell("4", reduce_only=True, position_id=position), "status")


def test_closing_closes_that_position() -> None:
    """A close names its position; the others are not touched."""
    desk = desk_at()
    first, second = desk.buy("4"), desk.buy("6")
    desk.close(of(desk, first))
    assert ["LONG 6"] == held(desk)
    assert "CLOSED" not in desk.happened
    desk.close(of(desk, second), "2")
    assert ["LONG 4"] == held(desk)


def test_legs_belong_to_the_position_of_their_entry() -> None:
    """A bracket's legs reduce the position that its entry opened and no other."""
    desk = desk_at()
    first = desk.buy("4", stop_loss="90", take_profit="110")
    desk.buy("6")
    desk.tick("90", "91")
    assert ["LONG 6"] == held(desk)
    assert ["FILLED", "CANCELLED"] == [row(leg, "status") for leg in desk.legs(first)]


def test_closing_one_position_keeps_the_exits_of_another() -> None:
    """The exits that go with a close are those of its position."""
    desk = desk_at()
    first = desk.buy("4", stop_loss="90")
    second = desk.buy("6", stop_loss="90")
    desk.close(of(desk, first))
    assert ["CANCELLED", "OPEN"] == [
        row(leg, "status") for order in (first, second) for leg in desk.legs(order)
    ]


def test_an_order_whose_position_is_gone_is_cancelled() -> None:
    """What was to add to a position ends with it; a position of its own was not asked for."""
    desk = desk_at()
    first = desk.buy("4")
    adding = desk.buy("6", "LIMIT", limit="98", position_id=first.position_id)
    other = desk.buy("6", "LIMIT", limit="97")
    desk.close(of(desk, first))
    assert "ORDER_CANCELLED" in desk.happened
    assert ["CANCELLED", "OPEN"] == [row(desk.now_of(each), "status") for each in (adding, other)]


def test_an_order_outlives_a_part_of_its_position() -> None:
    """What was to add to a position stays as long as some of it is held."""
    desk = desk_at()
    first = desk.buy("4")
    adding = desk.buy("6", "LIMIT", limit="98", position_id=first.position_id)
    desk.close(of(desk, first), "3")
    assert "OPEN" == row(desk.now_of(adding), "status")


def test_the_rest_of_an_entry_outlives_what_it_has_opened() -> None:
    """An entry that has filled in part goes on when that part is closed: it opens another."""
    desk = desk_at()
    desk.quote("99", "100", size="4")
    entry = desk.buy("10", "LIMIT", limit="100")
    desk.close(of(desk, entry))
    assert "PARTIALLY_FILLED" == row(desk.now_of(entry), "status")
    desk.tick("99", "100")
    assert ["LONG 6"] == held(desk)
    assert desk.position.id != entry.position_id


def test_exits_wait_for_the_fill_of_an_order_that_adds() -> None:
    """An order that names a position to add to has no legs before it has filled."""
    desk = desk_at()
    first = desk.buy("4")
    adding = desk.buy("6", "LIMIT", limit="98", position_id=first.position_id)
    desk.modify(adding, stop_loss="90")
    assert [] == desk.legs(adding)
    desk.tick("97", "98")
    assert ["6"] == [row(leg, "remaining_quantity") for leg in desk.legs(adding)]
