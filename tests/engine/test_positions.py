"""What fills make of positions: netting, averages, profit and loss, and closing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from providers.errors import OrderRejected
from providers.models import Order, RejectReason
from tests.engine.desk import Desk, row

HELD = "side quantity average_entry_price cost_basis realized_pnl"


def at(desk: Desk, price: str) -> Desk:
    """The same market at one price for both sides, so that figures are easy to follow."""
    desk.quote(price, price)
    return desk


# Netting


def test_a_buy_opens_a_long_position() -> None:
    """The first BUY of a symbol opens a LONG position at the fill's price."""
    desk = at(Desk(), "100")
    desk.buy("4")
    assert "LONG 4 100 400 0" == row(desk.position, HELD)


def test_a_sell_opens_a_short_position() -> None:
    """The first SELL of a symbol opens a SHORT position; its quantity is positive too."""
    desk = at(Desk(), "100")
    desk.sell("4")
    assert "SHORT 4 100 400 0" == row(desk.position, HELD)


@pytest.mark.parametrize(("side", "held"), [("buy", "LONG"), ("sell", "SHORT")])
def test_the_same_side_adds(side: str, held: str) -> None:
    """A fill of the same side adds, and moves the average to the quantity-weighted mean."""
    desk = at(Desk(), "100")
    getattr(desk, side)("4")
    first = desk.position.id
    getattr(at(desk, "110"), side)("12")
    assert ["ORDER_CREATED", "ORDER_FILLED", "TRADE_FILLED", "POSITION_MODIFIED"] == desk.happened
    assert f"{first} {held} 16 107.5 1720 0" == row(desk.position, f"id {HELD}")


@pytest.mark.parametrize(
    ("opening", "closing", "price", "realized"),
    [
        ("buy", "sell", "110", "30"),
        ("buy", "sell", "90", "-30"),
        ("sell", "buy", "90", "30"),
        ("sell", "buy", "110", "-30"),
    ],
)
def test_the_other_side_reduces(opening: str, closing: str, price: str, realized: str) -> None:
    """An opposite fill realizes (exit - entry) times quantity, and leaves the average alone."""
    desk = at(Desk("1000"), "100")
    getattr(desk, opening)("4")
    getattr(at(desk, price), closing)("3")
    side = desk.position.side.value
    assert f"{side} 1 100 100 {realized}" == row(desk.position, HELD)
    assert "POSITION_MODIFIED" == desk.happened[-2]
    assert Decimal(1000) + Decimal(realized) == desk.account.balance


def test_an_equal_opposite_fill_closes() -> None:
    """A position reduced to nothing is closed: it is flat, and no longer held."""
    desk = at(Desk("1000"), "100")
    desk.buy("4")
    held = desk.position.id
    at(desk, "110").sell("4")
    assert "POSITION_CLOSED" == desk.happened[-2]
    assert "0 100 0 40 0" == row(
        desk.positions[held],
        "quantity average_entry_price cost_basis realized_pnl unrealized_pnl",
    )
    assert {} == desk.state.positions


def test_a_larger_opposite_fill_flips() -> None:
    """A fill larger than the position closes it and opens one of the other side, with a new id."""
    desk = at(Desk("1000"), "100")
    desk.buy("4")
    old = desk.position.id
    at(desk, "110").sell("6")
    assert [
        "ORDER_CREATED",
        "ORDER_FILLED",
        "TRADE_FILLED",
        "POSITION_CLOSED",
        "POSITION_OPENED",
        "BALANCE_UPDATED",
    ] == desk.happened
    assert "SHORT 2 110 220 0" == row(desk.position, HELD)
    assert old != desk.position.id
    assert "40" == row(desk.positions[old], "realized_pnl")
    assert "1040" == row(desk.account, "balance")


def test_a_position_after_a_flat_one_is_new() -> None:
    """Buying again after closing opens another position, with nothing realized yet."""
    desk = at(Desk(), "100")
    desk.buy("4")
    old = desk.position.id
    at(desk, "110").sell("4")
    desk.buy("1")
    assert "LONG 1 110 110 0" == row(desk.position, HELD)
    assert old != desk.position.id


def test_symbols_do_not_mix() -> None:
    """Each symbol has its own position."""
    desk = at(Desk(), "100")
    desk.quote("1.1", "1.1", symbol="EUR/USD")
    desk.buy("4")
    desk.sell("7", symbol="EUR/USD")
    assert ["AAPL LONG 4", "EUR/USD SHORT 7"] == [
        row(position, "symbol side quantity") for position in desk.state.positions.values()
    ]


# Marks


@pytest.mark.parametrize(
    ("side", "at_once", "later"), [("buy", "99 -4", "109 36"), ("sell", "100 -4", "110 -44")]
)
def test_a_position_is_marked_where_it_would_close(side: str, at_once: str, later: str) -> None:
    """LONG is marked at the bid and SHORT at the ask; the difference to cost is unrealized."""
    desk = Desk()
    desk.quote("99", "100")
    getattr(desk, side)("4")
    assert at_once == row(desk.position, "current_price unrealized_pnl")
    desk.quote("109", "110")
    now = desk.marked()
    assert later == row(now, "current_price unrealized_pnl")
    assert now.unrealized_pnl == desk.account.unrealized_pnl


# To the last digit


def test_thirds_are_rounded_but_nothing_is_lost() -> None:
    """An average of thirds is rounded; what is realized until flat is exactly the money made."""
    desk = Desk("1000")
    for price in ("100", "100", "101"):
        at(desk, price).buy("1")
    assert "LONG 3 100.333333333333333333 301 0" == row(desk.position, HELD)
    at(desk, "110").sell("1")
    assert "LONG 2 100.333333333333333333 200.666666666666666667 9.666666666666666667" == row(
        desk.position, HELD
    )
    desk.sell("2")
    assert "1029" == row(desk.account, "balance")
    assert ["29"] == [row(position, "realized_pnl") for position in desk.positions.values()]


def test_sevenths_of_a_short_position_lose_nothing() -> None:
    """The same holds for a short position, whatever the number of steps."""
    desk = Desk("10000")
    for price in ("100", "100.01", "100.03", "100", "100.02", "100", "100.01"):
        at(desk, price).sell("1")
    for price in ("90", "95.55", "101.01", "99.99", "80", "104.2", "100"):
        at(desk, price).buy("1")
    assert {} == desk.state.positions
    assert "10029.32" == row(desk.account, "balance")


def test_the_smallest_steps_are_kept() -> None:
    """Price and quantity of 18 decimals make a cost of 36, kept whole."""
    desk = Desk()
    tick = "0.000000000000000003"
    desk.quote(tick, tick, symbol="DUST/USD")
    desk.buy(tick, symbol="DUST/USD")
    assert "0.000000000000000000000000000000000009" == row(desk.position, "cost_basis")
    desk.quote("0.000000000000000005", "0.000000000000000005", symbol="DUST/USD")
    desk.sell(tick, symbol="DUST/USD")
    assert "1000000.000000000000000000000000000000000006" == row(desk.account, "balance")


def test_the_largest_numbers_are_kept() -> None:
    """36 digits of price times 36 of quantity lose none, and reserves come back to nothing."""
    whole = "9" * 18
    desk = Desk(whole * 3)
    price, quantity = f"{whole}.{whole}", f"{whole}.{whole}"
    desk.quote(price, price, symbol="DUST/USD", size=quantity)
    order = desk.buy(quantity, "LIMIT", limit="1.000000000000000001", symbol="DUST/USD")
    desk.cancel(order)
    assert "0" == row(desk.account, "margin_used")
    desk.buy(quantity, symbol="DUST/USD")
    assert f"{whole}{'9' * 17}8.{'0' * 35}1" == row(desk.position, "cost_basis")


# Closing


def held(quantity: str = "10", balance: str = "1000000", *, size: str = "1000000") -> Desk:
    """A LONG position of AAPL at 100, under a market of 99 x 100."""
    desk = Desk(balance)
    desk.quote("99", "100", ask_size="1000000", size=size)
    desk.buy(quantity)
    return desk


def test_closing_sells_all_at_the_market() -> None:
    """Closing without more sends a reduce-only MARKET order for all of the position."""
    desk = held()
    position = desk.position
    order = desk.close(position)
    assert f"SELL MARKET 10 GTC True {position.id} FILLED 99" == row(
        order,
        "side order_type quantity time_in_force reduce_only position_id status average_fill_price",
    )
    assert {} == desk.state.positions


def test_closing_a_short_position_buys() -> None:
    """A SHORT position is closed by a BUY."""
    desk = Desk()
    desk.quote("99", "100")
    desk.sell("10")
    assert "BUY FILLED 100" == row(desk.close(desk.position), "side status average_fill_price")
    assert {} == desk.state.positions


def test_closing_in_part() -> None:
    """A quantity closes that much and leaves the rest."""
    desk = held()
    desk.close(desk.position, "4")
    assert "LONG 6 100 600 -4" == row(desk.position, HELD)


def test_closing_at_a_limit() -> None:
    """A LIMIT close rests at its price until the market comes to it."""
    desk = held()
    order = desk.close(desk.position, limit="105")
    assert "LIMIT 105 OPEN" == row(order, "order_type limit_price status")
    desk.tick("105", "106")
    assert "FILLED 105" == row(desk.orders[order.id], "status average_fill_price")
    assert {} == desk.state.positions


def test_closing_more_than_there_is() -> None:
    """More than the position holds is refused with INVALID_QUANTITY, and kept as REJECTED."""
    desk = held()
    with pytest.raises(OrderRejected) as refusal:
        desk.close(desk.position, "11")
    assert RejectReason.INVALID_QUANTITY == refusal.value.reject_reason
    assert ["ORDER_REJECTED"] == desk.happened
    assert "10" == row(desk.position, "quantity")


@pytest.mark.parametrize(
    ("quantity", "limit", "reason"),
    [
        ("4.5", None, RejectReason.INVALID_QUANTITY),
        (None, "105.001", RejectReason.INVALID_PRICE),
    ],
)
def test_closing_off_the_steps(
    quantity: str | None, limit: str | None, reason: RejectReason
) -> None:
    """A close obeys the instrument's steps like any order."""
    desk = held()
    with pytest.raises(OrderRejected) as refusal:
        desk.close(desk.position, quantity, limit=limit)
    assert reason == refusal.value.reject_reason


def test_a_close_waits_for_size() -> None:
    """A MARKET close larger than the size shown goes on with the next quote."""
    desk = held(size="4")
    order = desk.close(desk.position)
    assert "PARTIALLY_FILLED 4" == row(order, "status filled_quantity")
    desk.tick("98", "99", size="4")
    desk.tick("97", "98", size="4")
    assert "FILLED 98.2" == row(desk.orders[order.id], "status average_fill_price")


def test_closing_needs_no_margin() -> None:
    """An account with nothing available can always close."""
    desk = held("10", "1000")
    desk.quote("10", "11")
    assert "FILLED" == row(desk.close(desk.position), "status")


# Reduce-only


def test_a_close_is_cancelled_when_the_position_is_gone() -> None:
    """A resting close whose position another order closes has nothing left to reduce."""
    desk = held()
    order = desk.close(desk.position, limit="105")
    desk.sell("10")
    assert "ORDER_CANCELLED" == desk.happened[-2]
    assert "CANCELLED 0" == row(desk.orders[order.id], "status filled_quantity")


def test_a_close_is_cancelled_when_the_position_flips() -> None:
    """A position that flips is another one: the close of the old one does not touch it."""
    desk = held()
    order = desk.close(desk.position, limit="105")
    desk.sell("15")
    assert "CANCELLED" == row(desk.orders[order.id], "status")
    assert "SHORT 5" == row(desk.position, "side quantity")


def test_a_close_leaves_the_one_before() -> None:
    """A resting close is the client's own order, no exit: the next close does not cancel it."""
    desk = held()
    first = desk.close(desk.position, limit="105")
    second = desk.close(desk.position, limit="104")
    assert ["ORDER_CREATED"] == desk.happened
    assert ["OPEN", "OPEN"] == [row(desk.now_of(order), "status") for order in (first, second)]


def test_in_a_netting_account_an_entry_outlives_the_position() -> None:
    """The rest of an order that has added to a position stays when that is closed."""
    desk = held()
    desk.quote("99", "100", size="4")
    order = desk.buy("10", "LIMIT", limit="100")
    desk.quote("99", "101")
    desk.close(desk.position)
    assert "PARTIALLY_FILLED" == row(desk.now_of(order), "status")


def test_a_close_comes_after_what_it_cancels() -> None:
    """Its times are later than those of the exits, so that the log stays in order."""
    desk = held()
    desk.protect(desk.position, stop_loss="50", take_profit="150")
    order = desk.close(desk.position, limit="105")
    assert order.created_at == order.updated_at
    assert order.created_at > max(event.at for event in desk.log if event.name == "ORDER_CANCELLED")


def test_what_shrinks_and_ends_comes_oldest_first() -> None:
    """The reduce-only orders of a position that is closed end in the order they were made in."""
    desk = held()
    made = [desk.close(desk.position, limit=str(105 + i)).id for i in range(9)]
    desk.close(desk.position)
    ended = [event.entity for event in desk.log if event.name == "ORDER_CANCELLED"]
    assert made == [order.id for order in ended if isinstance(order, Order)]


def test_closes_never_sell_more_than_is_held() -> None:
    """Two closes of the whole position: what one has sold the other cannot sell again.

    The first sells 6 of 10. The second shrinks to the other 4, still meets the same quote and sells
    them, so that nothing is left for the first.
    """
    desk = held()
    first = desk.close(desk.position, limit="105")
    second = desk.close(desk.position, limit="104", keep_exits=True)
    desk.tick("105", "106", size="6")
    assert [("105", True), ("104", True)] == [
        (row(trade, "price"), trade.is_maker) for trade in desk.trades[1:]
    ]
    assert ["CANCELLED 6 4", "FILLED 4 0"] == [
        row(desk.now_of(order), "status filled_quantity remaining_quantity")
        for order in (first, second)
    ]
    assert {} == desk.state.positions


def test_a_close_shrinks_to_what_is_left() -> None:
    """A close larger than what is left of the position becomes that small, and fills."""
    desk = held()
    order = desk.close(desk.position, limit="105")
    desk.sell("7")
    assert "ORDER_MODIFIED" == desk.happened[-2]
    assert "OPEN 3 3" == row(desk.now_of(order), "status quantity remaining_quantity")
    desk.tick("105", "106")
    assert "FILLED 3 0" == row(desk.now_of(order), "status filled_quantity remaining_quantity")
    assert {} == desk.state.positions


def test_a_close_of_a_position_that_grows_stays_as_it_is() -> None:
    """Adding to a position does not add to its close."""
    desk = held()
    desk.close(desk.position, limit="105")
    desk.buy("5")
    desk.tick("105", "106")
    assert "LONG 5" == row(desk.position, "side quantity")


def test_a_reduce_only_order_reserves_nothing() -> None:
    """A close cannot add exposure, so it binds no margin."""
    desk = held()
    used = desk.account.margin_used
    desk.close(desk.position, limit="105")
    assert used == desk.account.margin_used


def test_a_close_does_not_count_against_other_orders() -> None:
    """A resting close takes nothing of the cover that a position gives to other orders."""
    desk = held("10", "1000")
    desk.close(desk.position, limit="105")
    assert "OPEN" == row(desk.place("SELL 10 LIMIT 106"), "status")
    assert "990" == row(desk.account, "margin_used")


def test_other_orders_do_not_count_against_a_close() -> None:
    """A close is accepted though other orders have taken all the cover and margin there is."""
    desk = held("10", "1000")
    desk.place("SELL 10 LIMIT 106")
    with pytest.raises(OrderRejected):
        desk.place("SELL 10 LIMIT 105")
    assert "OPEN" == row(desk.close(desk.position, limit="105"), "status")


def test_a_close_of_one_symbol_leaves_the_other() -> None:
    """Closing AAPL cancels closes of AAPL only."""
    desk = held()
    desk.quote("1.1", "1.2", symbol="EUR/USD")
    desk.buy("3", symbol="EUR/USD")
    apple, euro = desk.state.positions.values()
    kept = desk.close(euro, limit="1.5")
    desk.close(apple, limit="105")
    desk.close(apple)
    assert [kept.id] == list(desk.state.orders)
