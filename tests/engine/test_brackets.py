"""Brackets: an entry with a stop_loss or take_profit, and the legs that its fills make."""

from __future__ import annotations

import pytest

from providers.errors import OrderRejected
from providers.models import RejectReason
from tests.engine.brackets import entry, market, shown, sizes
from tests.engine.desk import Desk, row

ENTRIES = [
    ("BUY", {}),
    ("BUY", {"limit": "100"}),
    ("BUY", {"limit": "100", "tif": "IOC"}),
    ("BUY", {"stop": "100"}),
    ("BUY", {"stop": "100", "limit": "100"}),
]


# How they come about


@pytest.mark.parametrize(("side", "fields"), ENTRIES)
def test_a_fill_makes_the_legs(side: str, fields: dict[str, str]) -> None:
    """As the entry fills, its legs are there: a STOP at stop_loss, a LIMIT at take_profit."""
    desk = market()
    order = entry(desk, side=side, **fields)
    assert "FILLED" == row(order, "status")
    assert ["BRACKET_ORDER_CREATED"] * 2 == desk.happened[-2:]
    assert ["SELL STOP 90 - 10 OPEN", "SELL LIMIT - 110 10 OPEN"] == shown(desk, order)


def test_the_legs_of_a_short_entry_buy() -> None:
    """A SELL has its stop-loss above and its take-profit below; both buy."""
    desk = market()
    assert ["BUY STOP 110 - 10 OPEN", "BUY LIMIT - 90 10 OPEN"] == shown(
        desk, entry(desk, side="SELL")
    )


def test_a_leg_says_what_it_belongs_to() -> None:
    """A leg names entry and position, only reduces, and lasts until it is cancelled."""
    desk = market()
    order = entry(desk)
    for leg in desk.legs(order):
        assert leg.triggered is (False if leg.order_type == "STOP" else None)
        assert f"{order.id} {desk.position.id} True GTC AAPL 0" == row(
            leg,
            "parent_order_id position_id reduce_only time_in_force symbol filled_quantity",
        )


@pytest.mark.parametrize(
    ("exit_", "leg"),
    [
        ({"stop_loss": "90"}, "SELL STOP 90 - 10 OPEN"),
        ({"take_profit": "110"}, "SELL LIMIT - 110 10 OPEN"),
    ],
)
def test_one_exit_makes_one_leg(exit_: dict[str, str], leg: str) -> None:
    """An entry with only a stop_loss or only a take_profit has that one leg."""
    desk = market()
    assert [leg] == shown(desk, desk.buy("10", **exit_))


def test_a_trailing_entry_has_legs_too() -> None:
    """A TRAILING_STOP entry brings its legs when it fires."""
    desk = market()
    order = desk.buy("10", "TRAILING_STOP", trailing_distance="2", stop_loss="90")
    desk.tick("101", "102")
    assert ["SELL STOP 90 - 10 OPEN"] == shown(desk, order)


def test_a_resting_entry_has_no_legs() -> None:
    """Before the first fill there is nothing to protect, and the legs bind nothing."""
    desk = market()
    order = entry(desk, limit="98")
    assert [] == desk.legs(order)
    assert "980" == row(desk.account, "margin_used")


def test_the_legs_bind_no_margin() -> None:
    """They can only close."""
    desk = market()
    entry(desk)
    assert "990" == row(desk.account, "margin_used")


# On which side


@pytest.mark.parametrize(
    ("side", "fields", "field"),
    [
        ("BUY", {"stop_loss": "100", "take_profit": "110"}, "stop_loss"),
        ("BUY", {"stop_loss": "90", "take_profit": "100"}, "take_profit"),
        ("SELL", {"stop_loss": "99", "take_profit": "90"}, "stop_loss"),
        ("SELL", {"stop_loss": "110", "take_profit": "99"}, "take_profit"),
        ("BUY", {"limit": "98", "stop_loss": "98"}, "stop_loss"),
        ("BUY", {"limit": "98", "take_profit": "98"}, "take_profit"),
        ("BUY", {"stop": "105", "stop_loss": "105"}, "stop_loss"),
        ("BUY", {"stop": "105", "take_profit": "104"}, "take_profit"),
        ("SELL", {"limit": "101", "stop_loss": "101"}, "stop_loss"),
        ("BUY", {"trailing_distance": "2", "take_profit": "100"}, "take_profit"),
    ],
)
def test_an_exit_on_the_wrong_side_is_refused(
    side: str, fields: dict[str, str], field: str
) -> None:
    """Measured by the price that the order names, or by the touch, an exit that would trade at
    once is refused with INVALID_PRICE.
    """
    desk = market()
    kind = {"limit": "LIMIT", "stop": "STOP", "trailing_distance": "TRAILING_STOP"}
    order_type = next((kind[name] for name in fields if name in kind), "MARKET")
    with pytest.raises(OrderRejected, match=f"{field} lies on the wrong side") as refusal:
        (desk.buy if side == "BUY" else desk.sell)("10", order_type, **fields)
    assert RejectReason.INVALID_PRICE == refusal.value.reject_reason
    assert ["ORDER_REJECTED"] == desk.happened


@pytest.mark.parametrize(
    ("fields"),
    [
        {"stop_loss": "99.99", "take_profit": "100.01"},
        {"order_type": "LIMIT", "limit": "98", "stop_loss": "97.99", "take_profit": "98.01"},
    ],
)
def test_a_tick_is_enough(fields: dict[str, str]) -> None:
    """One tick on the right side of the entry is on the right side."""
    desk = market()
    assert row(desk.buy("10", **fields), "status") in ("FILLED", "OPEN")


@pytest.mark.parametrize("field", ["stop_loss", "take_profit"])
def test_an_exit_off_the_tick_is_refused(field: str) -> None:
    """Exits are prices of the instrument."""
    desk = market()
    price = {"stop_loss": "90.001", "take_profit": "110.001"}[field]
    with pytest.raises(OrderRejected, match=f"{field} must be a multiple of 0.01"):
        desk.buy("10", **{field: price})


# As the entry fills


def test_the_legs_grow_with_the_fills() -> None:
    """Each partial fill adds to the legs, so that they cover what has filled and nothing else."""
    desk = market(size="4")
    order = entry(desk, limit="100")
    assert ["4 OPEN", "4 OPEN"] == sizes(desk, order)
    desk.tick("99", "100", size="3")
    assert ["BRACKET_ORDER_MODIFIED"] * 2 == desk.happened[-2:]
    assert ["7 OPEN", "7 OPEN"] == sizes(desk, order)
    desk.tick("99", "100", size="100")
    assert ["10 OPEN", "10 OPEN"] == sizes(desk, order)
    assert 2 == len(desk.legs(order))


def test_a_leg_that_is_reached_already_trades_at_once() -> None:
    """The market gaps through entry and stop-loss: bought at the limit, sold at the same bid."""
    desk = market()
    order = entry(desk, limit="98")
    desk.tick("85", "86")
    assert ["0 FILLED", "10 CANCELLED"] == sizes(desk, order)
    assert ["98", "85"] == [row(trade, "price") for trade in desk.trades]


def test_a_leg_that_grows_still_meets_the_quote() -> None:
    """A stop-loss that the quote reaches trades all that is held, also what has just filled.

    The entry comes first, being older: it buys 4 more at its limit, the leg grows to 8, and its
    turn is still to come.
    """
    desk = market(size="4")
    order = entry(desk, "12", limit="100")
    desk.tick("89", "95", bid_size="20", ask_size="4")
    assert ["0 FILLED", "8 CANCELLED"] == sizes(desk, order)
    assert ["4", "4", "8"] == [row(trade, "quantity") for trade in desk.trades]


def test_cancelling_before_a_fill_leaves_nothing() -> None:
    """An entry that is cancelled unfilled takes its bracket along."""
    desk = market()
    order = entry(desk, limit="98")
    desk.cancel(order)
    assert ([], [], {}) == (desk.legs(order), desk.resting, desk.state.positions)


def test_cancelling_after_a_partial_fill_keeps_the_legs() -> None:
    """What has filled stays protected when the rest of the entry is cancelled."""
    desk = market(size="4")
    order = entry(desk)
    desk.cancel(order)
    assert ["4 OPEN", "4 OPEN"] == sizes(desk, order)


def test_an_entry_that_only_reduces_makes_no_legs() -> None:
    """A fill that closes a position of the other side leaves nothing to protect."""
    desk = market()
    desk.sell("10")
    order = desk.buy("4", stop_loss="90", take_profit="110")
    assert [] == desk.legs(order)


def test_an_entry_that_flips_protects_the_new_position() -> None:
    """Of a fill that closes and opens, the legs cover what it has opened."""
    desk = market()
    first = entry(desk, "4", "SELL")
    order = entry(desk)
    assert ["4 CANCELLED", "4 CANCELLED"] == sizes(desk, first)
    assert ["6 OPEN", "6 OPEN"] == sizes(desk, order)
    assert {desk.position.id} == {leg.position_id for leg in desk.legs(order)}


def test_two_entries_have_their_own_legs() -> None:
    """Two brackets on one position: each has legs of its own size and price."""
    desk = market()
    first = entry(desk, "4")
    second = desk.buy("6", stop_loss="80", take_profit="120")
    assert ["SELL STOP 90 - 4 OPEN", "SELL LIMIT - 110 4 OPEN"] == shown(desk, first)
    assert ["SELL STOP 80 - 6 OPEN", "SELL LIMIT - 120 6 OPEN"] == shown(desk, second)


def test_later_fills_after_an_exit_make_new_legs() -> None:
    """If the first part has been stopped out, what fills next is protected anew."""
    desk = market(size="4")
    order = entry(desk, limit="100")
    desk.tick("89", "100.5", size="4")
    desk.tick("99", "100", size="3")
    assert ["0 FILLED", "4 CANCELLED", "3 OPEN", "3 OPEN"] == sizes(desk, order)


# When one fills


@pytest.mark.parametrize(
    ("bid", "ask", "legs", "price"),
    [
        ("90", "91", ["0 FILLED", "10 CANCELLED"], "90"),
        ("85", "86", ["0 FILLED", "10 CANCELLED"], "85"),
        ("110", "111", ["10 CANCELLED", "0 FILLED"], "110"),
        ("115", "116", ["10 CANCELLED", "0 FILLED"], "110"),
    ],
)
def test_one_leg_cancels_the_other(bid: str, ask: str, legs: list[str], price: str) -> None:
    """The stop-loss takes the touch, the take-profit gets its limit; the other is cancelled."""
    desk = market()
    order = entry(desk)
    desk.tick(bid, ask)
    assert legs == sizes(desk, order)
    assert price == row(desk.trades[-1], "price")
    assert ({}, []) == (desk.state.positions, desk.resting)


@pytest.mark.parametrize(
    ("bid", "ask", "legs"),
    [
        ("110", "111", ["6 OPEN", "6 PARTIALLY_FILLED"]),
        ("90", "91", ["6 PARTIALLY_FILLED", "6 OPEN"]),
    ],
)
def test_a_partial_fill_of_one_shrinks_the_other(bid: str, ask: str, legs: list[str]) -> None:
    """What one leg has filled the other no longer can."""
    desk = market()
    order = entry(desk)
    desk.tick(bid, ask, size="4")
    assert legs == sizes(desk, order)
    assert "6" == row(desk.position, "quantity")


def test_both_never_fill_for_more_than_there_is() -> None:
    """Take-profit in part, then the stop-loss for the rest: together they close the position."""
    desk = market()
    order = entry(desk)
    desk.tick("110", "111", size="4")
    desk.tick("88", "89")
    assert ["0 FILLED", "6 CANCELLED"] == sizes(desk, order)
    assert ["6 6 0", "10 4 6"] == [
        row(leg, "quantity filled_quantity remaining_quantity") for leg in desk.legs(order)
    ]
    assert {} == desk.state.positions


def test_one_leg_of_two_entries_leaves_the_other_entry() -> None:
    """The exit of one bracket leaves the legs of the other, which cover what is left."""
    desk = market()
    first = entry(desk, "4")
    second = desk.buy("6", stop_loss="80", take_profit="120")
    desk.tick("90", "91")
    assert ["0 FILLED", "4 CANCELLED"] == sizes(desk, first)
    assert ["6 OPEN", "6 OPEN"] == sizes(desk, second)
    assert "6" == row(desk.position, "quantity")


def test_legs_go_with_the_position() -> None:
    """A position closed by hand takes its legs along."""
    desk = market()
    order = entry(desk)
    desk.sell("10")
    assert ["10 CANCELLED", "10 CANCELLED"] == sizes(desk, order)


def test_legs_shrink_with_the_position() -> None:
    """A position reduced by hand leaves its legs with what is left."""
    desk = market()
    order = entry(desk)
    desk.sell("7")
    assert ["3 OPEN", "3 OPEN"] == sizes(desk, order)


def test_a_leg_cancelled_by_hand_leaves_the_other() -> None:
    """Who cancels one exit keeps the other."""
    desk = market()
    order = entry(desk)
    desk.cancel(desk.legs(order)[0])
    assert ["10 CANCELLED", "10 OPEN"] == sizes(desk, order)


def test_scenario_alpaca_bracket() -> None:
    """Alpaca's bracket: buy, then the take-profit at a limit or the stop-loss, whichever is first.

    Source: Alpaca Trading API documentation, "Orders at Alpaca", Bracket Orders: an entry with two
    conditional exits, which are activated only when the entry has filled; if one exit fills, the
    other is cancelled; if the entry fills in part and is cancelled, the exits cover what filled
    (there: at most the parent's filled quantity).
    """
    desk = Desk()
    desk.quote("298", "299")
    order = desk.buy("100", "LIMIT", limit="298", stop_loss="295", take_profit="301", tif="DAY")
    assert [] == desk.legs(order)
    desk.tick("297.50", "298")
    assert ["SELL STOP 295 - 100 OPEN", "SELL LIMIT - 301 100 OPEN"] == shown(desk, order)
    desk.tick("301", "301.10", size="40")
    assert ["60 OPEN", "60 PARTIALLY_FILLED"] == sizes(desk, order)
    desk.tick("294.90", "295")
    assert ["0 FILLED", "60 CANCELLED"] == sizes(desk, order)
    # 40 at +3, 60 at -3.10
    assert ("999934", {}) == (row(desk.account, "balance"), desk.state.positions)
