"""Changing and cancelling a working order, and what neither may do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from providers.errors import InvalidValue, OrderNotModifiable, OrderRejected
from providers.models import Order, RejectReason
from tests.engine.desk import Desk, row

SEEN = "status quantity filled_quantity remaining_quantity"


def market(balance: str = "1000000", *, size: str = "10") -> Desk:
    desk = Desk(balance)
    desk.quote("99", "100", size=size)
    return desk


# Changing


@pytest.mark.parametrize(
    ("changes", "then"),
    [
        ({"quantity": "7"}, "7 98 -"),
        ({"limit_price": "97"}, "4 97 -"),
        ({"quantity": "7", "limit_price": "97"}, "7 97 -"),
        ({"quantity": "2", "limit_price": None}, "2 98 -"),
    ],
)
def test_a_change_changes_what_it_names(changes: dict[str, str | None], then: str) -> None:
    """A change sets the fields given, and leaves every other field as it was."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98", tif="DAY", client_order_id="mine")
    changed = desk.modify(order, **changes)
    assert then == row(changed, "quantity limit_price stop_price")
    touched = {"quantity", "remaining_quantity", "limit_price", "updated_at"}
    assert order.model_dump(exclude=touched) == changed.model_dump(exclude=touched)
    assert ["ORDER_MODIFIED"] == desk.happened
    assert order.updated_at < changed.updated_at


def test_a_stop_limit_takes_both_prices() -> None:
    """STOP_LIMIT orders have a stop and a limit to change."""
    desk = market()
    order = desk.buy("4", "STOP_LIMIT", stop="105", limit="106")
    changed = desk.modify(order, stop_price="107", limit_price="108")
    assert "107 108 False" == row(changed, "stop_price limit_price triggered")


@pytest.mark.parametrize("changes", [{}, {"quantity": None, "limit_price": None}])
def test_changing_nothing_changes_nothing(changes: dict[str, None]) -> None:
    """A change whose fields are all null or absent answers the order, unchanged."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98")
    assert (order, []) == (desk.modify(order, **changes), desk.happened)


def test_only_working_orders_can_be_changed() -> None:
    """An order in a terminal state is not modifiable, whatever the change."""
    desk = market()
    done = [desk.buy("4"), desk.buy("25", tif="IOC"), desk.buy("25", tif="FOK")]
    for order in done:
        with pytest.raises(OrderNotModifiable, match=f"it is {order.status.value}"):
            desk.modify(order, quantity="30")
    assert done == [desk.orders[order.id] for order in done]


@pytest.mark.parametrize(
    ("order_type", "prices", "changes", "field"),
    [
        ("MARKET", {}, {"limit_price": "98"}, "limit_price"),
        ("MARKET", {}, {"stop_price": "98"}, "stop_price"),
        ("MARKET", {}, {"trailing_distance": "1"}, "trailing_distance"),
        ("LIMIT", {"limit": "98"}, {"stop_price": "98"}, "stop_price"),
        ("LIMIT", {"limit": "98"}, {"trailing_distance": "1"}, "trailing_distance"),
        ("STOP", {"stop": "105"}, {"limit_price": "98"}, "limit_price"),
        ("STOP", {"stop": "105"}, {"trailing_distance": "1"}, "trailing_distance"),
    ],
)
def test_a_field_the_type_has_no_use_for_is_refused(
    order_type: str, prices: dict[str, str], changes: dict[str, str], field: str
) -> None:
    """A change of a field that the order's type does not have names that field."""
    desk = market(size="3")
    order = desk.buy("4", order_type, **prices)
    with pytest.raises(InvalidValue) as refusal:
        desk.modify(order, quantity="5", **changes)
    assert {"field": field, "provided": changes[field]} == {
        key: value for key, value in (refusal.value.details or {}).items() if key != "reason"
    }
    assert ([], order) == (desk.happened, desk.orders[order.id])


def partly_filled(desk: Desk) -> Order:
    """A MARKET order for 25 of which 10 have filled at 100."""
    order = desk.buy("25")
    assert "PARTIALLY_FILLED 25 10 15" == row(order, SEEN)
    return order


def test_less_than_what_has_filled_is_refused() -> None:
    """A quantity below filled_quantity names quantity, and changes nothing."""
    desk = market()
    order = partly_filled(desk)
    with pytest.raises(InvalidValue, match="10 has already filled") as refusal:
        desk.modify(order, quantity="9")
    details = refusal.value.details or {}
    assert ("quantity", "9") == (details["field"], details["provided"])
    assert order == desk.orders[order.id]


def test_a_quantity_of_what_has_filled_completes_the_order() -> None:
    """A quantity equal to filled_quantity makes the order FILLED, with nothing remaining."""
    desk = market()
    changed = desk.modify(partly_filled(desk), quantity="10")
    assert "FILLED 10 10 0" == row(changed, SEEN)
    assert ["ORDER_FILLED"] == desk.happened
    assert {} == desk.state.orders


def test_more_quantity_fills_with_the_next_quote() -> None:
    """Raising the quantity of an order that has met the quote lets it wait for the next one."""
    desk = market()
    changed = desk.modify(partly_filled(desk), quantity="30")
    assert "PARTIALLY_FILLED 30 10 20" == row(changed, SEEN)
    assert ["ORDER_MODIFIED"] == desk.happened
    desk.tick("99", "101", size="100")
    assert "FILLED 30 30 0" == row(desk.orders[changed.id], SEEN)


@pytest.mark.parametrize(
    ("side", "order_type", "prices", "changes", "price"),
    [
        ("buy", "LIMIT", {"limit": "98"}, {"limit_price": "100"}, "100"),
        ("buy", "LIMIT", {"limit": "98"}, {"limit_price": "103"}, "100"),
        ("sell", "LIMIT", {"limit": "101"}, {"limit_price": "99"}, "99"),
        ("buy", "STOP", {"stop": "105"}, {"stop_price": "100"}, "100"),
        ("sell", "STOP", {"stop": "95"}, {"stop_price": "99"}, "99"),
        ("buy", "STOP_LIMIT", {"stop": "105", "limit": "106"}, {"stop_price": "100"}, "100"),
    ],
)
def test_a_price_that_makes_it_marketable_trades_at_once(
    side: str, order_type: str, prices: dict[str, str], changes: dict[str, str], price: str
) -> None:
    """A changed price that reaches the market takes the touch, like an order that arrives."""
    desk = market()
    order = getattr(desk, side)("4", order_type, **prices)
    changed = desk.modify(order, **changes)
    assert f"FILLED {price}" == row(changed, "status average_fill_price")
    assert [False] == [trade.is_maker for trade in desk.trades]
    assert "ORDER_MODIFIED" == desk.happened[0]


def test_a_triggered_stop_cannot_be_moved() -> None:
    """A stop that has triggered is over: its stop_price is not modifiable, its limit still is."""
    desk = market()
    order = desk.buy("4", "STOP_LIMIT", stop="95", limit="98")
    with pytest.raises(
        OrderNotModifiable, match="cannot be modified: its stop has triggered$"
    ) as no:
        desk.modify(order, stop_price="97")
    assert order.id == (no.value.details or {})["id"]
    assert "97" == row(desk.modify(order, limit_price="97"), "limit_price")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quantity": "4.5"}, RejectReason.INVALID_QUANTITY),
        ({"limit_price": "97.001"}, RejectReason.INVALID_PRICE),
        ({"quantity": "11"}, RejectReason.INSUFFICIENT_MARGIN),
        ({"limit_price": "100.01"}, RejectReason.INSUFFICIENT_MARGIN),
    ],
)
def test_a_refused_change_leaves_the_order_as_it_was(
    changes: dict[str, str], reason: RejectReason
) -> None:
    """A change that account or instrument forbid is refused, naming the order, and not made."""
    desk = market("1000")
    order = desk.buy("10", "LIMIT", limit="98")
    with pytest.raises(OrderRejected) as refusal:
        desk.modify(order, **changes)
    assert {"reject_reason": reason.value, "order_id": order.id} == refusal.value.details
    assert ([], order) == (desk.happened, desk.orders[order.id])
    assert "980" == row(desk.account, "margin_used")


def test_exits_are_judged_when_they_are_set() -> None:
    """The market may since have passed them: a change of the quantity alone is none of theirs."""
    desk = Desk()
    desk.quote("99", "100")
    order = desk.sell("4", "TRAILING_STOP", trailing_distance="5", stop_loss="103")
    desk.tick("119", "120")
    assert "3" == row(desk.modify(order, quantity="3"), "quantity")
    with pytest.raises(OrderRejected, match="stop_loss lies on the wrong side of the entry, 119"):
        desk.modify(order, stop_loss="104")


def test_a_change_reserves_the_difference() -> None:
    """What an order reserves follows its change, up or down."""
    desk = market("1000")
    order = desk.buy("10", "LIMIT", limit="98")
    for quantity, limit, used in [("8", "98", "784"), ("10", "99.99", "999.9"), ("1", "1", "1")]:
        desk.modify(order, quantity=quantity, limit_price=limit)
        assert used == row(desk.account, "margin_used")


def test_an_account_in_need_can_still_shrink_its_orders() -> None:
    """A change that binds less is made even where nothing is available."""
    desk = market("1000")
    desk.sell("5")
    order = desk.sell("4", "LIMIT", limit="110")
    desk.quote("108", "109")
    assert "-35" == row(desk.account, "margin_available")
    with pytest.raises(OrderRejected):
        desk.modify(order, quantity="5")
    assert "3" == row(desk.modify(order, quantity="3"), "quantity")


def test_what_could_not_be_sold_at_once_can_be_taken_back() -> None:
    """Lowering the quantity of a sale that rests below the bid binds no more, and is made."""
    desk = market("2000", size="10")
    order = desk.sell("20", "LIMIT", limit="90")  # ten at 99, the rest at 90
    desk.tick("110", "110", size="0")
    assert "-110" == row(desk.account, "margin_available")
    assert "19" == row(desk.modify(order, quantity="19"), "quantity")


def test_a_change_is_judged_on_the_account_as_it_is_by_then() -> None:
    """A fill on the way counts: what it has freed is available to the change."""
    desk = market("1000")
    desk.buy("10")
    order = desk.sell("10", "LIMIT", limit="105")
    desk.quote("105", "106", size="5")
    changed = desk.modify(order, quantity="12")
    assert "PARTIALLY_FILLED 12 5 7" == row(changed, SEEN)


def test_a_change_first_meets_a_quote_it_has_not_met() -> None:
    """What the market clock would have done by now is done first: the change finds it filled."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98")
    desk.quote("97", "98")
    with pytest.raises(OrderNotModifiable, match="it is FILLED"):
        desk.modify(order, limit_price="90")
    assert ["ORDER_FILLED", "TRADE_FILLED", "POSITION_OPENED"] == desk.happened


def test_a_refusal_keeps_what_happened_before_it() -> None:
    """A partial fill on the way to a refused change still holds."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98")
    desk.quote("97", "98", size="3")
    with pytest.raises(InvalidValue):
        desk.modify(order, quantity="2")
    assert "PARTIALLY_FILLED 4 3 1" == row(desk.orders[order.id], SEEN)


# Cancelling


def test_a_working_order_is_cancelled() -> None:
    """Cancelling answers success and the CANCELLED order, with what filled still filled."""
    desk = market()
    result = desk.cancel(partly_filled(desk))
    assert result.success
    assert "CANCELLED 25 10 15" == row(result.order, SEEN)
    assert ["ORDER_CANCELLED"] == desk.happened
    assert {} == desk.state.orders


def test_cancelling_gives_the_margin_back() -> None:
    """A cancelled order reserves nothing."""
    desk = market("1000")
    order = desk.buy("10", "LIMIT", limit="98")
    assert "980 20" == row(desk.account, "margin_used margin_available")
    desk.cancel(order)
    assert "0 1000" == row(desk.account, "margin_used margin_available")


def ended(desk: Desk) -> list[Order]:
    """Orders that ended in each terminal state, with something left to fill where possible."""
    filled = desk.buy("4", tif="DAY")
    stop = desk.cancel(desk.buy("4", "STOP", stop="105", tif="DAY")).order
    limit = desk.cancel(desk.buy("4", "LIMIT", limit="98", tif="DAY")).order
    killed = desk.buy("25", tif="FOK")
    with pytest.raises(OrderRejected):
        desk.buy("4.5", "LIMIT", limit="98")
    rejected = list(desk.orders.values())[-1]
    expired = desk.buy("4", "LIMIT", limit="98", tif="DAY")
    desk.now += timedelta(hours=7)
    desk.meet()
    return [desk.orders[each.id] for each in (filled, stop, limit, killed, rejected, expired)]


def test_what_has_ended_never_changes_again() -> None:
    """Cancelling or changing a terminal order leaves it as it is, whatever the market has done."""
    desk = market()
    orders = ended(desk)
    before = len(desk.log)
    assert ["FILLED", *["CANCELLED"] * 3, "REJECTED", "EXPIRED"] == [
        row(order, "status") for order in orders
    ]
    for bid, ask in [("90", "91"), ("110", "111")]:
        desk.quote(bid, ask)
        for order in orders:
            result = desk.cancel(order)
            assert (False, order) == (result.success, result.order)
            with pytest.raises(OrderNotModifiable):
                desk.modify(order, quantity="50")
    assert before == len(desk.log)


def test_cancelling_comes_too_late_for_a_quote_that_fills() -> None:
    """An order that the present quote fills is filled, not cancelled."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98")
    desk.quote("97", "98")
    result = desk.cancel(order)
    assert (False, "FILLED 4 4 0") == (result.success, row(result.order, SEEN))


def test_cancelling_after_a_partial_fill_on_the_way() -> None:
    """If the present quote fills a part first, the rest is cancelled."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98")
    desk.quote("97", "98", size="1")
    result = desk.cancel(order)
    assert (True, "CANCELLED 4 1 3") == (result.success, row(result.order, SEEN))
