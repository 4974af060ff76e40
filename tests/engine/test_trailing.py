"""Trailing stops: the stop follows the best price, never backs off, and fires like a stop."""

from __future__ import annotations

import pytest

from providers.errors import InvalidValue, OrderNotModifiable, OrderRejected
from providers.models import Order, RejectReason
from tests.engine.desk import Desk, row


def trailing(desk: Desk, side: str, distance: str, kind: str = "ABSOLUTE", **more: str) -> Order:
    """A trailing stop for 4 under or over the present market."""
    place = desk.buy if side == "BUY" else desk.sell
    return place("4", "TRAILING_STOP", trailing_distance=distance, trailing_type=kind, **more)


def market(bid: str = "100", ask: str = "101") -> Desk:
    desk = Desk()
    desk.quote(bid, ask)
    return desk


@pytest.mark.parametrize(
    ("side", "distance", "kind", "shown"),
    [
        ("SELL", "3", "ABSOLUTE", "OPEN 97 100 False"),
        ("BUY", "3", "ABSOLUTE", "OPEN 104 101 False"),
        ("SELL", "2.5", "PERCENT", "OPEN 97.5 100 False"),
        ("BUY", "2.5", "PERCENT", "OPEN 103.53 101 False"),  # 103.525, away from the market
        ("SELL", "0.005", "ABSOLUTE", "OPEN 99.99 100 False"),
        ("BUY", "0.005", "ABSOLUTE", "OPEN 101.01 101 False"),
        ("SELL", "99.9999", "ABSOLUTE", None),
        ("SELL", "99.999", "PERCENT", None),
    ],
)
def test_the_stop_stands_off_the_touch(
    side: str, distance: str, kind: str, shown: str | None
) -> None:
    """The effective stop is the bid less, or the ask plus the distance, on the tick grid and never
    nearer than asked for; where no room is left for it, the order is refused.
    """
    desk = market()
    if shown is None:
        with pytest.raises(OrderRejected) as refusal:
            trailing(desk, side, distance, kind)
        assert RejectReason.INVALID_PRICE == refusal.value.reject_reason
        return
    order = trailing(desk, side, distance, kind)
    assert shown == row(order, "status stop_price trailing_reference triggered")


def test_the_distance_is_absolute_unless_it_says_percent() -> None:
    """trailing_type defaults to ABSOLUTE, and is shown."""
    desk = market()
    order = desk.sell("4", "TRAILING_STOP", trailing_distance="3")
    assert "ABSOLUTE 97" == row(order, "trailing_type stop_price")


@pytest.mark.parametrize(
    ("side", "path", "stops"),
    [
        ("SELL", ["101", "103", "102", "101", "103", "103.01"], "98 100 100 100 100 100.01"),
        ("BUY", ["100", "98", "99", "100", "98", "97.99"], "104 102 102 102 102 101.99"),
    ],
)
def test_the_stop_follows_and_never_backs_off(side: str, path: list[str], stops: str) -> None:
    """A SELL follows the highest bid, a BUY the lowest ask; the other way it stands still."""
    desk = market()
    order = trailing(desk, side, "3")
    if side == "BUY":
        order = desk.modify(order, trailing_distance="4")
    shown = []
    for price in path:
        desk.tick(price, price)
        shown.append(row(desk.now_of(order), "stop_price"))
    assert stops.split() == shown
    assert [] == desk.trades


def test_only_a_move_is_an_event() -> None:
    """A quote that moves the stop is told as ORDER_MODIFIED; one that does not, is not."""
    desk = market()
    trailing(desk, "SELL", "3")
    desk.tick("102", "103")
    assert ["ORDER_MODIFIED"] == desk.happened
    desk.tick("102", "103")
    assert [] == desk.happened
    desk.tick("101", "102")
    assert [] == desk.happened


def test_a_buy_too_tells_only_moves() -> None:
    """The same ask again is no better."""
    desk = market()
    trailing(desk, "BUY", "3")
    desk.tick("99", "101")
    assert [] == desk.happened


def test_a_percentage_is_one_of_the_best_price() -> None:
    """PERCENT is taken anew of each best price: the distance grows with it."""
    desk = market()
    order = trailing(desk, "SELL", "10", "PERCENT")
    desk.tick("200", "201")
    assert "180 200" == row(desk.now_of(order), "stop_price trailing_reference")


@pytest.mark.parametrize(
    ("side", "bid", "ask", "fill"), [("SELL", "97", "98", "97"), ("BUY", "103", "104", "104")]
)
def test_at_the_stop_it_is_a_market_order(side: str, bid: str, ask: str, fill: str) -> None:
    """When the bid falls (SELL) or the ask rises (BUY) to the stop, it takes the touch."""
    desk = market()
    order = trailing(desk, side, "3")
    desk.tick(bid, ask)
    assert ["ORDER_MODIFIED", "ORDER_FILLED", "TRADE_FILLED", "POSITION_OPENED"] == desk.happened
    assert f"FILLED True {fill}" == row(desk.now_of(order), "status triggered average_fill_price")
    assert [False] == [trade.is_maker for trade in desk.trades]


@pytest.mark.parametrize(
    ("side", "bid", "ask"), [("SELL", "97.01", "98"), ("BUY", "103", "103.99")]
)
def test_a_tick_before_the_stop_it_waits(side: str, bid: str, ask: str) -> None:
    """One tick away from the stop nothing happens."""
    desk = market()
    trailing(desk, side, "3")
    desk.tick(bid, ask)
    assert [] == desk.happened


def test_a_triggered_stop_fills_with_the_size_shown() -> None:
    """Triggered, it takes what each quote shows; the stop stays where it fired."""
    desk = market()
    order = trailing(desk, "SELL", "3")
    desk.tick("96", "97", size="3")
    assert "PARTIALLY_FILLED True 3 97" == row(
        desk.now_of(order), "status triggered filled_quantity stop_price"
    )
    desk.tick("110", "111")
    assert "FILLED 97 100" == row(desk.now_of(order), "status stop_price trailing_reference")
    assert ["3@96", "1@110"] == [f"{t.quantity:f}@{t.price:f}" for t in desk.trades]


@pytest.mark.parametrize(
    ("distance", "stop"), [("1", "104"), ("5", "100"), ("2.999", "102"), ("3", "102")]
)
def test_a_changed_distance_counts_from_the_best_price(distance: str, stop: str) -> None:
    """PATCH of trailing_distance moves the stop, from the best price so far and not the present."""
    desk = market()
    order = trailing(desk, "SELL", "3")
    desk.tick("105", "106")
    desk.tick("104.50", "105")
    changed = desk.modify(order, trailing_distance=distance)
    assert f"{stop} 105" == row(changed, "stop_price trailing_reference")


def test_a_changed_distance_may_fire_at_once() -> None:
    """A distance that brings the stop to the market triggers it."""
    desk = market()
    order = trailing(desk, "SELL", "3")
    desk.tick("105", "106")
    desk.tick("103", "104")
    assert "FILLED 103" == row(
        desk.modify(order, trailing_distance="1.5"), "status average_fill_price"
    )


def test_a_distance_without_room_is_refused() -> None:
    """A change to a distance as large as the price is refused, and not made."""
    desk = market()
    order = trailing(desk, "SELL", "3")
    with pytest.raises(OrderRejected) as refusal:
        desk.modify(order, trailing_distance="100")
    assert RejectReason.INVALID_PRICE == refusal.value.reject_reason
    assert order == desk.now_of(order)


@pytest.mark.parametrize("field", ["stop_price", "limit_price"])
def test_a_trailing_stop_has_no_price_of_its_own(field: str) -> None:
    """Its stop follows the market; a change of it is refused, naming the field."""
    desk = market()
    order = trailing(desk, "SELL", "3")
    with pytest.raises(InvalidValue, match="TRAILING_STOP order has none"):
        desk.modify(order, **{field: "98"})


def test_a_triggered_one_cannot_be_changed_back() -> None:
    """Once it has fired, the distance means nothing any more."""
    desk = market()
    order = trailing(desk, "SELL", "3")
    desk.tick("96", "97", size="3")
    with pytest.raises(OrderNotModifiable, match="its stop has triggered"):
        desk.modify(order, trailing_distance="5")


def test_it_reserves_its_stop() -> None:
    """A BUY is expected to pay its stop; as the stop comes down it binds less."""
    desk = market()
    trailing(desk, "BUY", "3")
    assert "416" == row(desk.account, "margin_used")  # 4 at 104
    desk.tick("98", "99")
    assert "408" == row(desk.account, "margin_used")  # 4 at 102


def test_a_command_lets_it_follow_first() -> None:
    """A change finds the stop where the present quote has put it, also before the clock does."""
    desk = market()
    order = trailing(desk, "SELL", "3")
    desk.quote("110", "111")
    assert "107" == row(desk.modify(order, quantity="5"), "stop_price")


def test_scenario_alpaca_trailing_stop() -> None:
    """Alpaca's example of `trail_price`: a SELL trailing by $6 while the market rises and turns.

    Source: Alpaca Trading API documentation, "Orders at Alpaca", Trailing Stop Orders: the high
    water mark, `hwm`, starts at the market price at submission, the stop is `hwm - trail_price`,
    follows a new high and does not come back down; at the stop it executes as a market order.
    """
    desk = Desk()
    desk.quote("100", "100")
    desk.buy("1")
    order = desk.sell("1", "TRAILING_STOP", trailing_distance="6", reduce_only=True)
    assert "100 94" == row(order, "trailing_reference stop_price")
    for price, hwm_and_stop in [
        ("105", "105 99"),
        ("103", "105 99"),
        ("110", "110 104"),
        ("104.01", "110 104"),
    ]:
        desk.tick(price, price)
        assert hwm_and_stop == row(desk.now_of(order), "trailing_reference stop_price")
    desk.tick("103.50", "103.50")
    assert "FILLED 103.5" == row(desk.now_of(order), "status average_fill_price")
    assert "1000003.5" == row(desk.account, "balance")


def test_scenario_alpaca_trail_percent() -> None:
    """The same by `trail_percent`: 5 % of the high water mark.

    Source: Alpaca Trading API documentation, "Orders at Alpaca", Trailing Stop Orders.
    """
    desk = Desk()
    desk.quote("100", "100")
    order = trailing(desk, "SELL", "5", "PERCENT")
    for price, stop in [("100.50", "95.47"), ("120", "114"), ("115", "114")]:
        desk.tick(price, price)
        assert stop == row(desk.now_of(order), "stop_price")
    desk.tick("114", "114")
    assert "FILLED 114" == row(desk.now_of(order), "status average_fill_price")
