"""When, at what price and how much of it an order trades: market, limit, stop and stop-limit."""

from __future__ import annotations

import pytest

from tests.engine.desk import Desk, request, row

SEEN = "status filled_quantity average_fill_price"

# The quote is 99 x 100, ten units on either side.
ARRIVALS = [
    # side, quantity, type, stop, limit, time in force -> status, filled, at
    ("BUY 4 MARKET GTC", "FILLED 4 100"),
    ("BUY 4 MARKET DAY", "FILLED 4 100"),
    ("BUY 4 MARKET IOC", "FILLED 4 100"),
    ("BUY 4 MARKET FOK", "FILLED 4 100"),
    ("BUY 10 MARKET FOK", "FILLED 10 100"),
    ("BUY 25 MARKET GTC", "PARTIALLY_FILLED 10 100"),
    ("BUY 25 MARKET DAY", "PARTIALLY_FILLED 10 100"),
    ("BUY 25 MARKET IOC", "CANCELLED 10 100"),
    ("BUY 25 MARKET FOK", "CANCELLED 0 -"),
    ("SELL 4 MARKET GTC", "FILLED 4 99"),
    ("SELL 25 MARKET DAY", "PARTIALLY_FILLED 10 99"),
    ("SELL 25 MARKET IOC", "CANCELLED 10 99"),
    ("SELL 25 MARKET FOK", "CANCELLED 0 -"),
    ("BUY 4 LIMIT 100 GTC", "FILLED 4 100"),
    ("BUY 4 LIMIT 105 GTC", "FILLED 4 100"),
    ("BUY 4 LIMIT 105 FOK", "FILLED 4 100"),
    ("BUY 25 LIMIT 105 GTC", "PARTIALLY_FILLED 10 100"),
    ("BUY 25 LIMIT 105 DAY", "PARTIALLY_FILLED 10 100"),
    ("BUY 25 LIMIT 105 IOC", "CANCELLED 10 100"),
    ("BUY 25 LIMIT 105 FOK", "CANCELLED 0 -"),
    ("BUY 4 LIMIT 99.99 GTC", "OPEN 0 -"),
    ("BUY 4 LIMIT 99.99 DAY", "OPEN 0 -"),
    ("BUY 4 LIMIT 99.99 IOC", "CANCELLED 0 -"),
    ("BUY 4 LIMIT 99.99 FOK", "CANCELLED 0 -"),
    ("SELL 4 LIMIT 99 GTC", "FILLED 4 99"),
    ("SELL 4 LIMIT 90 GTC", "FILLED 4 99"),
    ("SELL 25 LIMIT 90 IOC", "CANCELLED 10 99"),
    ("SELL 25 LIMIT 90 FOK", "CANCELLED 0 -"),
    ("SELL 4 LIMIT 99.01 GTC", "OPEN 0 -"),
    ("SELL 4 LIMIT 99.01 IOC", "CANCELLED 0 -"),
    ("BUY 4 STOP 100 GTC", "FILLED 4 100"),
    ("BUY 4 STOP 90 DAY", "FILLED 4 100"),
    ("BUY 25 STOP 90 GTC", "PARTIALLY_FILLED 10 100"),
    ("BUY 4 STOP 100.01 GTC", "OPEN 0 -"),
    ("SELL 4 STOP 99 GTC", "FILLED 4 99"),
    ("SELL 4 STOP 110 GTC", "FILLED 4 99"),
    ("SELL 4 STOP 98.99 DAY", "OPEN 0 -"),
    ("BUY 4 STOP_LIMIT 100 101 GTC", "FILLED 4 100"),
    ("BUY 25 STOP_LIMIT 100 101 DAY", "PARTIALLY_FILLED 10 100"),
    ("BUY 4 STOP_LIMIT 95 99 GTC", "OPEN 0 -"),
    ("BUY 4 STOP_LIMIT 101 105 GTC", "OPEN 0 -"),
    ("SELL 4 STOP_LIMIT 99 98 GTC", "FILLED 4 99"),
    ("SELL 4 STOP_LIMIT 99 100 GTC", "OPEN 0 -"),
    ("SELL 4 STOP_LIMIT 98 90 GTC", "OPEN 0 -"),
]


def market(*, size: str = "10") -> Desk:
    desk = Desk()
    desk.quote("99", "100", size=size)
    return desk


@pytest.mark.parametrize(("order", "then"), ARRIVALS)
def test_what_an_order_does_on_arrival(order: str, then: str) -> None:
    """On arrival an order takes the touch up to the size shown; the rest rests or is cancelled."""
    arrived = market().place(order)
    assert then == row(arrived, SEEN)
    assert arrived.quantity == arrived.filled_quantity + arrived.remaining_quantity


def test_an_order_is_kept_as_submitted() -> None:
    """The order has every field of its request, and an id of its own."""
    order = market().buy(
        "4", "STOP_LIMIT", limit="120", stop="110", tif="DAY", client_order_id="mine"
    )
    assert "ord_1 mine AAPL BUY STOP_LIMIT 4 120 110 DAY" == row(
        order,
        "id client_order_id symbol side order_type quantity limit_price stop_price time_in_force",
    )


def test_time_in_force_defaults_to_gtc() -> None:
    """An order without time_in_force is good till cancelled, and never expires."""
    assert "GTC -" == row(market().buy("4", "LIMIT", limit="90"), "time_in_force expires_at")


# What is told


def test_events_of_a_market_order() -> None:
    """A fill tells of the order, the order's advance, the trade and the position."""
    desk = market()
    desk.buy("4")
    assert ["ORDER_CREATED", "ORDER_FILLED", "TRADE_FILLED", "POSITION_OPENED"] == desk.happened


def test_events_of_a_partial_fill_cut_short() -> None:
    """An IOC order larger than the size shown fills in part, then its rest is cancelled."""
    desk = market()
    desk.buy("25", tif="IOC")
    assert [
        "ORDER_CREATED",
        "ORDER_PARTIALLY_FILLED",
        "TRADE_FILLED",
        "POSITION_OPENED",
        "ORDER_CANCELLED",
    ] == desk.happened


def test_events_of_a_resting_order() -> None:
    """An order that rests is created and nothing else."""
    desk = market()
    desk.buy("4", "LIMIT", limit="90")
    assert ["ORDER_CREATED"] == desk.happened


def test_events_of_a_stop_that_triggers_on_arrival() -> None:
    """Triggering is a change of the order, told before the fill."""
    desk = market()
    desk.buy("4", "STOP", stop="95")
    assert [
        "ORDER_CREATED",
        "ORDER_MODIFIED",
        "ORDER_FILLED",
        "TRADE_FILLED",
        "POSITION_OPENED",
    ] == desk.happened


def test_a_fill_that_moves_money_tells_the_balance_last() -> None:
    """The account is told after everything that changed it, with the figures it has then."""
    desk = Desk(taker_fee="0.001", maker_fee="0.001")
    desk.quote("99", "100")
    desk.buy("4")
    assert ("BALANCE_UPDATED", desk.account) == (desk.happened[-1], desk.log[-1].shown)
    desk.buy("4", "LIMIT", limit="98")
    desk.tick("97", "98", size="3")
    assert ("BALANCE_UPDATED", desk.account) == (desk.happened[-1], desk.log[-1].shown)


# Resting limits


@pytest.mark.parametrize(
    ("side", "limit", "bid", "ask"),
    [
        ("BUY", "98", "96", "97"),
        ("BUY", "98", "97", "98"),
        ("SELL", "101", "102", "103"),
        ("SELL", "101", "101", "102"),
    ],
)
def test_a_resting_limit_fills_at_its_limit_as_maker(
    side: str, limit: str, bid: str, ask: str
) -> None:
    """A resting LIMIT order fills at its limit, as maker, when the touch reaches or passes it."""
    desk = market()
    order = desk.submit(request(side, "4", "LIMIT", limit=limit))
    desk.tick(bid, ask)
    assert f"FILLED 4 {limit}" == row(desk.orders[order.id], SEEN)
    assert [True] == [trade.is_maker for trade in desk.trades]


def test_a_limit_that_takes_is_taker() -> None:
    """A LIMIT order marketable on arrival takes the touch, which is better than its limit."""
    desk = market()
    desk.buy("4", "LIMIT", limit="105")
    assert ["100 False"] == [row(trade, "price is_maker") for trade in desk.trades]


def test_a_limit_that_is_not_reached_rests_on() -> None:
    """A quote that stays away from the limit changes nothing."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="98")
    desk.tick("98", "98.01")
    assert ([], order) == (desk.happened, desk.orders[order.id])


def test_the_rest_of_a_limit_that_took_is_maker() -> None:
    """What a LIMIT order could not take on arrival rests, and fills at the limit as maker."""
    desk = market()
    order = desk.buy("25", "LIMIT", limit="101")
    desk.tick("99", "100", size="100")
    assert ["10 100 False", "15 101 True"] == [
        row(trade, "quantity price is_maker") for trade in desk.trades
    ]
    assert "FILLED 25 100.6 2515" == row(desk.orders[order.id], f"{SEEN} filled_notional")


# Sizes and quotes


def test_the_rest_of_a_market_order_waits_for_the_next_quote() -> None:
    """A MARKET order takes at most the size shown, quote after quote, each at its own touch."""
    desk = market()
    order = desk.buy("25")
    desk.tick("100", "101", size="10")
    desk.tick("102", "103", size="10")
    assert ["10 100", "10 101", "5 103"] == [row(t, "quantity price") for t in desk.trades]
    assert "FILLED 25 101 2525" == row(desk.orders[order.id], f"{SEEN} filled_notional")


def test_one_quote_is_used_once_by_an_order() -> None:
    """An order that has met a quote does not trade against it again."""
    desk = market()
    desk.buy("25")
    desk.meet()
    assert ([], 1) == (desk.happened, len(desk.trades))


def test_a_resting_order_uses_a_quote_once_too() -> None:
    """The market clock may come round twice in one quote: the second time nothing happens."""
    desk = market()
    order = desk.buy("25", "LIMIT", limit="98")
    desk.tick("97", "98", size="10")
    desk.meet()
    assert "PARTIALLY_FILLED 10 98" == row(desk.orders[order.id], SEEN)
    assert [] == desk.happened


def test_each_order_meets_the_whole_size() -> None:
    """The size shown limits each order by itself: accounts and orders do not compete for it."""
    desk = market()
    desk.buy("10")
    desk.buy("10")
    assert ["10", "10"] == [row(trade, "quantity") for trade in desk.trades]


def test_the_side_that_is_traded_against_gives_the_size() -> None:
    """A BUY takes from the ask size, a SELL from the bid size."""
    desk = Desk()
    desk.quote("99", "100", bid_size="3", ask_size="7")
    assert ["7 100", "3 99"] == [
        row(order, "filled_quantity average_fill_price")
        for order in (desk.buy("25"), desk.sell("25"))
    ]


def test_nothing_shown_nothing_filled() -> None:
    """Against a size of zero an order waits."""
    desk = market(size="0")
    order = desk.buy("25")
    assert "OPEN 0 -" == row(order, SEEN)
    desk.tick("99", "100")
    assert "FILLED 25 100" == row(desk.orders[order.id], SEEN)


def test_only_whole_lots_fill() -> None:
    """Of a size that is no multiple of the lot the odd part is left: a position can be closed."""
    desk = market(size="2.5")
    order = desk.buy("4")
    assert "PARTIALLY_FILLED 2 100" == row(order, SEEN)
    desk.tick("99", "100", size="0.5")
    assert [] == desk.happened
    desk.cancel(order)
    desk.quote("99", "100", size="2.5")
    assert "FILLED 2 99" == row(desk.close(desk.position), SEEN)


def test_a_quote_without_sizes_fills_everything() -> None:
    """Where a venue shows no size there is no limit to it."""
    desk = Desk()
    desk.quote("99", "100", size=None)
    assert "FILLED 9000 100" == row(desk.buy("9000"), SEEN)


def test_the_average_fill_price_is_rounded_half_even_to_18_places() -> None:
    """average_fill_price is filled_notional / filled_quantity; the notional itself is exact."""
    desk = market(size="2")
    order = desk.buy("3")
    desk.tick("100", "101")
    assert "301 100.333333333333333333" == row(
        desk.orders[order.id], "filled_notional average_fill_price"
    )


# Stops


@pytest.mark.parametrize(
    ("side", "stop", "quote", "price"),
    [
        ("BUY", "105", ("104", "105"), "105"),
        ("BUY", "105", ("106", "107"), "107"),
        ("SELL", "95", ("95", "96"), "95"),
        ("SELL", "95", ("90", "91"), "90"),
    ],
)
def test_a_stop_triggers_at_the_touch_and_trades_there(
    side: str, stop: str, quote: tuple[str, str], price: str
) -> None:
    """A STOP waits until ask (BUY) or bid (SELL) reach its price, then takes that touch."""
    desk = market()
    order = desk.submit(request(side, "4", "STOP", stop=stop))
    desk.tick(*quote)
    assert f"True FILLED 4 {price}" == row(desk.orders[order.id], f"triggered {SEEN}")
    assert [False] == [trade.is_maker for trade in desk.trades]


@pytest.mark.parametrize(
    ("side", "stop", "quote"),
    [("BUY", "105", ("104.98", "104.99")), ("SELL", "95", ("95.01", "95.02"))],
)
def test_a_stop_waits_for_its_price(side: str, stop: str, quote: tuple[str, str]) -> None:
    """A quote short of the stop price triggers nothing."""
    desk = market()
    order = desk.submit(request(side, "4", "STOP", stop=stop))
    desk.tick(*quote)
    assert ([], False) == (desk.happened, desk.orders[order.id].triggered)


def test_a_triggered_stop_stays_triggered() -> None:
    """A STOP larger than the size shown goes on as a MARKET order, wherever the price goes."""
    desk = market()
    order = desk.buy("25", "STOP", stop="105")
    desk.tick("104", "105", size="10")
    desk.tick("90", "91", size="100")
    assert ["10 105", "15 91"] == [row(trade, "quantity price") for trade in desk.trades]
    assert "True FILLED 25 96.6" == row(desk.orders[order.id], f"triggered {SEEN}")


def test_a_triggered_stop_limit_takes_up_to_its_limit() -> None:
    """A STOP_LIMIT that triggers within its limit takes the touch like a LIMIT that arrives."""
    desk = market()
    order = desk.buy("4", "STOP_LIMIT", stop="105", limit="107")
    desk.tick("105", "106")
    assert "True FILLED 4 106" == row(desk.orders[order.id], f"triggered {SEEN}")
    assert [False] == [trade.is_maker for trade in desk.trades]


def test_a_stop_limit_gapped_through_rests_at_its_limit() -> None:
    """A STOP_LIMIT that triggers beyond its limit rests there, and fills there as maker."""
    desk = market()
    order = desk.buy("4", "STOP_LIMIT", stop="105", limit="107")
    desk.tick("109", "110")
    assert "True OPEN 0 -" == row(desk.orders[order.id], f"triggered {SEEN}")
    assert ["ORDER_MODIFIED"] == desk.happened
    desk.tick("105", "106")
    assert "FILLED 4 107" == row(desk.orders[order.id], SEEN)
    assert [True] == [trade.is_maker for trade in desk.trades]


def test_a_stop_limit_does_not_trade_before_its_stop() -> None:
    """Until it triggers, a STOP_LIMIT ignores a price within its limit."""
    desk = market()
    desk.buy("4", "STOP_LIMIT", stop="105", limit="107")
    desk.tick("90", "91")
    assert [] == desk.trades


def test_only_stops_say_whether_they_triggered() -> None:
    """`triggered` is null for orders without a stop, and false for a stop that waits."""
    desk = market()
    orders = (
        desk.buy("4"),
        desk.buy("4", "LIMIT", limit="90"),
        desk.buy("4", "STOP", stop="110"),
        desk.buy("4", "STOP_LIMIT", stop="110", limit="110"),
    )
    assert ["-", "-", "False", "False"] == [row(order, "triggered") for order in orders]
