"""Money: balance, commission, equity, margin, what open orders reserve, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from providers.errors import OrderRejected
from providers.models import RejectReason
from tests.engine.desk import Desk, row

FIGURES = "balance equity margin_used margin_available unrealized_pnl"


def market(
    balance: str = "10000", *, maker_fee: str = "0", taker_fee: str = "0", leverage: str = "1"
) -> Desk:
    desk = Desk(balance, maker_fee=maker_fee, taker_fee=taker_fee, leverage=leverage)
    desk.quote("99", "100")
    return desk


def bought(desk: Desk, quantity: str = "10") -> Desk:
    desk.buy(quantity)
    return desk


def sold(desk: Desk, quantity: str = "10") -> Desk:
    desk.sell(quantity)
    return desk


# Figures


@pytest.mark.parametrize(
    ("order", "then"),
    [
        ("BUY 10", "10000 9990 990 9000 -10"),
        ("SELL 10", "10000 9990 1000 8990 -10"),
        ("BUY 10 LIMIT 98", "10000 10000 980 9020 0"),
        ("SELL 10 LIMIT 105", "10000 10000 1050 8950 0"),
        ("BUY 10 STOP 105", "10000 10000 1050 8950 0"),
        ("SELL 10 STOP 95", "10000 10000 950 9050 0"),
        ("BUY 10 STOP_LIMIT 105 106", "10000 10000 1060 8940 0"),
        ("SELL 10 STOP_LIMIT 95 94", "10000 10000 950 9050 0"),
        ("SELL 10 STOP_LIMIT 95 96", "10000 10000 960 9040 0"),
    ],
)
def test_figures_of_an_account(order: str, then: str) -> None:
    """Positions bind their value at the mark, orders their value at the price they would trade."""
    desk = market()
    assert "10000 10000 0 10000 0 USD" == row(desk.account, f"{FIGURES} currency")
    desk.place(order)
    assert then == row(desk.account, FIGURES)


def test_leverage_divides_what_is_bound() -> None:
    """With a leverage of 3 positions and orders bind a third, rounded half even to 18 places."""
    desk = bought(market(leverage="3"))
    desk.buy("10", "LIMIT", limit="98")
    assert "656.666666666666666667 9333.333333333333333333" == row(
        desk.account, "margin_used margin_available"
    )


def test_the_figures_follow_the_market() -> None:
    """Equity, margin and unrealized profit are those of the present quote; the balance is not."""
    desk = bought(market())
    desk.quote("120", "121")
    assert "10000 10200 1200 9000 200" == row(desk.account, FIGURES)


def test_longs_and_shorts_add_up() -> None:
    """Positions of several symbols, long and short, all bind margin."""
    desk = bought(market())
    desk.quote("1.1", "1.2", symbol="EUR/USD")
    desk.sell("100", symbol="EUR/USD")
    assert "10000 9980 1110 8870 -20" == row(desk.account, FIGURES)


# Commission


@pytest.mark.parametrize(
    ("order_type", "limit", "commission"), [("MARKET", None, "0.5"), ("LIMIT", "98", "0.196")]
)
def test_takers_and_makers_pay_their_own_fee(
    order_type: str, limit: str | None, commission: str
) -> None:
    """The commission is a fraction of the notional: one for taking, one for resting."""
    desk = market(maker_fee="0.0002", taker_fee="0.0005")
    desk.buy("10", order_type, limit=limit)
    desk.tick("97", "98")
    (trade,) = desk.trades
    assert f"{commission} USD" == row(trade, "commission commission_currency")
    assert Decimal(10000) - Decimal(commission) == desk.account.balance


def test_every_fill_pays_for_itself() -> None:
    """An order that fills in parts pays on each of them, to the last digit."""
    desk = Desk("10000", taker_fee="0.0000007")
    desk.quote("99", "100.01", size="3")
    desk.buy("5")
    desk.tick("99", "101.11", size="3")
    assert ["0.000210021", "0.000141554"] == [row(trade, "commission") for trade in desk.trades]
    assert "9999.999648425" == row(desk.account, "balance")


def test_profit_and_commission_come_in_one_balance_event() -> None:
    """A closing fill pays its profit less its commission; the balance is told once."""
    desk = bought(market(taker_fee="0.001"))
    desk.quote("110", "111")
    desk.sell("10")
    assert 1 == desk.happened.count("BALANCE_UPDATED")
    assert "10097.9" == row(desk.account, "balance")


# Reserves


@pytest.mark.parametrize(
    ("order", "used"),
    [
        # A position of ten is worth 990 at its mark.
        ("SELL 10 LIMIT 105", "990"),
        ("SELL 4 STOP 95", "990"),
        ("SELL 15 LIMIT 105", "1515"),  # and 5 x 105
        ("BUY 10 LIMIT 98", "1970"),  # and 10 x 98
    ],
)
def test_what_only_closes_reserves_nothing(order: str, used: str) -> None:
    """Orders against a position reserve only what goes beyond it."""
    desk = bought(market())
    desk.place(order)
    assert used == row(desk.account, "margin_used")


def test_orders_beyond_a_position_count_together() -> None:
    """Two orders that would each close the position close it once: the excess is reserved."""
    desk = bought(market())
    desk.sell("10", "LIMIT", limit="105")
    desk.sell("10", "LIMIT", limit="107")
    assert "2050" == row(desk.account, "margin_used")  # 990 + half of 10 x 105 + 10 x 107


def test_a_short_position_covers_buys() -> None:
    """A BUY against a SHORT position reserves only what goes beyond it."""
    desk = sold(market())
    desk.buy("10", "LIMIT", limit="90")
    assert "1000" == row(desk.account, "margin_used")
    desk.buy("10", "LIMIT", limit="90")
    assert "1900" == row(desk.account, "margin_used")


def test_an_order_that_waits_for_size_is_reserved_at_the_touch() -> None:
    """What is left of a MARKET order, or of a triggered stop, is worth what the touch says now."""
    desk = Desk("100000")
    desk.quote("99", "100", size="4")
    desk.buy("10")
    assert "996" == row(desk.account, "margin_used")  # 4 x 99 held, 6 x 100 to come
    desk.buy("10", "STOP", stop="95")
    assert "1992" == row(desk.account, "margin_used")
    desk.quote("101", "102", size="4")
    assert "2032" == row(desk.account, "margin_used")  # 8 x 101 held, 12 x 102 to come


def test_filling_turns_the_reserve_into_a_position() -> None:
    """A fill takes its quantity off the reserve."""
    desk = market()
    desk.buy("10", "LIMIT", limit="98")
    desk.tick("97", "98", size="4")
    assert "976" == row(desk.account, "margin_used")  # 4 x 97 held, 6 x 98 to come
    desk.tick("97", "98")
    assert "970" == row(desk.account, "margin_used")


# Refusals


# The quote is 99 x 100 and the account holds 1,000: ten at 100 is all it can carry.
TOO_MUCH = [
    "BUY 11",
    "SELL 11",
    "BUY 11 LIMIT 98",
    "BUY 10 LIMIT 100.01",
    "SELL 10 LIMIT 100.01",
    "SELL 11 LIMIT 0.01",  # sells at 99
    "BUY 10 STOP 100.01",
    "BUY 11 STOP 0.01",  # buys at 100
    "SELL 11 STOP 99",
    "SELL 11 STOP_LIMIT 95 1",
    "SELL 11 STOP_LIMIT 99 1",
    "BUY 9 LIMIT 98 + BUY 2",
    "BUY 9 + BUY 2",
    "SELL 9 + SELL 1",  # loses 9 at once
    "BUY 9 + SELL 11",
    "BUY 10 + SELL 10 LIMIT 105 + SELL 1",  # either could close the position, not both
]
JUST_ENOUGH = [
    "BUY 10",
    "BUY 10 LIMIT 100",
    "SELL 10 LIMIT 100",
    "SELL 10 LIMIT 0.01",
    "BUY 10 STOP 0.01",
    "BUY 10 STOP_LIMIT 95 96",
    "BUY 10 LIMIT 1 + BUY 9",
    "BUY 10 + SELL 10",
    "SELL 10 + BUY 10",
    "BUY 10 + SELL 10 LIMIT 105",
    "BUY 10 + SELL 5 LIMIT 105 + SELL 5",
]


@pytest.mark.parametrize("orders", TOO_MUCH)
def test_more_margin_than_available_is_refused(orders: str) -> None:
    """An order that would bind more than margin_available is refused with INSUFFICIENT_MARGIN."""
    desk = market("1000")
    *before, last = orders.split(" + ")
    for order in before:
        desk.place(order)
    with pytest.raises(OrderRejected, match="of margin and") as refusal:
        desk.place(last)
    assert RejectReason.INSUFFICIENT_MARGIN == refusal.value.reject_reason
    assert ["ORDER_REJECTED"] == desk.happened


@pytest.mark.parametrize("orders", JUST_ENOUGH)
def test_what_the_account_can_carry_is_accepted(orders: str) -> None:
    """An order that binds no more than is available, or only closes, is accepted."""
    desk = market("1000")
    for order in orders.split(" + "):
        desk.place(order)
        assert "ORDER_CREATED" == desk.happened[0]


def test_leverage_multiplies_what_can_be_carried() -> None:
    """With a leverage of 5 an account of 1,000 carries 5,000, and not a cent more."""
    desk = market("1000", leverage="5")
    with pytest.raises(OrderRejected):
        desk.buy("50", "LIMIT", limit="100.01")
    assert "FILLED" == row(desk.buy("50"), "status")


def test_the_refusal_says_what_is_missing() -> None:
    """The message of a margin refusal names what is needed and what is there."""
    with pytest.raises(
        OrderRejected,
        match=r"The order needs 1100 USD of margin and 1000 USD are available",
    ):
        market("1000").buy("11")


@pytest.mark.parametrize(
    ("order", "reason", "message"),
    [
        ("BUY 4.5", "INVALID_QUANTITY", "quantity must be a multiple of 1"),
        ("BUY 4 LIMIT 98.001", "INVALID_PRICE", "limit_price must be a multiple of 0.01"),
        ("BUY 4 STOP 105.005", "INVALID_PRICE", "stop_price must be a multiple of 0.01"),
        ("BUY 4 STOP_LIMIT 105.005 106", "INVALID_PRICE", "stop_price must be a multiple of 0.01"),
        ("BUY 0.00005 of BTC/USD", "INVALID_QUANTITY", "quantity must be a multiple of 0.0001"),
        ("BUY 1 of NOPE", "SYMBOL_NOT_TRADEABLE", "NOPE cannot be traded here"),
        ("BUY 1 LIMIT 9 DAY of NOPE", "SYMBOL_NOT_TRADEABLE", "NOPE cannot be traded here"),
        ("BUY 1 of SAP", "SYMBOL_NOT_TRADEABLE", "SAP cannot be traded here"),
    ],
)
def test_what_the_instrument_forbids(order: str, reason: str, message: str) -> None:
    """Off the lot or tick size, unknown, or paid in another currency: refused with the reason."""
    desk = market()
    with pytest.raises(OrderRejected) as refusal:
        desk.place(order)
    assert (reason, message) == (refusal.value.reject_reason.value, refusal.value.message)


def test_trailing_zeros_are_on_the_step() -> None:
    """98.000 is a multiple of 0.01, and 4.0 of 1."""
    assert "OPEN" == row(market().buy("4.0", "LIMIT", limit="98.000"), "status")


def test_a_rejected_order_is_kept() -> None:
    """A refusal names the REJECTED order, whose event has the reason and every field asked for."""
    desk = market()
    with pytest.raises(OrderRejected) as refusal:
        desk.buy("4.5", "LIMIT", limit="98", tif="DAY", client_order_id="mine")
    (order,) = desk.orders.values()
    assert {"reject_reason": "INVALID_QUANTITY", "order_id": order.id} == refusal.value.details
    assert "REJECTED INVALID_QUANTITY mine BUY LIMIT 4.5 0 4.5 98 DAY" == row(
        order,
        "status reject_reason client_order_id side order_type quantity filled_quantity"
        " remaining_quantity limit_price time_in_force",
    )


def test_a_refusal_changes_nothing_else() -> None:
    """A rejected order is in the log and nowhere else: not on the book, not in the reserves."""
    desk = market("1000")
    figures = desk.account
    with pytest.raises(OrderRejected):
        desk.buy("11", "LIMIT", limit="98")
    assert figures == desk.account
    assert ({}, {}) == (desk.state.orders, desk.state.positions)


def test_every_symbol_reserves() -> None:
    """What the open orders of two symbols bind adds up."""
    desk = market()
    desk.quote("1", "2", symbol="EUR/USD")
    desk.place("BUY 10 LIMIT 98")
    desk.place("BUY 10 LIMIT 1 of EUR/USD")
    assert "990" == row(desk.account, "margin_used")


def test_a_limit_reserves_no_more_than_it_can_cost() -> None:
    """A BUY far below the market needs its limit, not the ask."""
    desk = market("900")
    assert "OPEN" == row(desk.place("BUY 10 LIMIT 90"), "status")


def test_a_stop_below_the_market_needs_what_it_will_pay() -> None:
    """A BUY stop that is reached already pays the ask of 100, not the bid of 99 nor its stop."""
    desk = market("995")
    with pytest.raises(OrderRejected, match="needs 1000 USD"):
        desk.place("BUY 10 STOP 90")


def test_the_smallest_want_of_margin_is_one() -> None:
    """Half a dollar is missing where nothing is left."""
    desk = market("980")
    desk.quote("0.4", "0.5", symbol="EUR/USD")
    desk.place("BUY 10 LIMIT 98")
    with pytest.raises(OrderRejected, match="needs 0.5 USD of margin and 0 USD are available"):
        desk.place("BUY 1 of EUR/USD")


def test_a_triggered_stop_limit_reserves_at_its_limit() -> None:
    """Before, it might sell at its stop; once triggered and passed, only at its limit."""
    desk = market()
    desk.place("SELL 10 STOP_LIMIT 95 94")
    assert "950" == row(desk.account, "margin_used")
    desk.tick("90", "91")
    assert "940" == row(desk.account, "margin_used")
