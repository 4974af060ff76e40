"""Leverage divides margin; CROSS and ISOLATED positions, and the identities that always hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from providers.errors import OrderRejected
from providers.models import MarginMode, RejectReason
from tests.engine.desk import Desk, row

FIGURES = "balance equity margin_used margin_available unrealized_pnl"


def market(balance: str = "1000", price: str = "100", **rules: Any) -> Desk:
    """One price for both sides, so that figures are easy to follow."""
    desk = Desk(balance, **rules)
    desk.quote(price, price)
    return desk


@pytest.mark.parametrize(("leverage", "used"), [("1", "400"), ("2", "200"), ("8", "50")])
def test_leverage_divides_the_margin(leverage: str, used: str) -> None:
    """A position binds its notional divided by its leverage; so does the order before it."""
    desk = market()
    order = desk.buy("4", "LIMIT", limit="90", leverage=leverage)
    assert f"{Decimal(360) / Decimal(leverage):f}" == row(desk.account, "margin_used")
    desk.cancel(order)
    filled = desk.buy("4", leverage=leverage)
    assert (used, leverage) == (row(desk.account, "margin_used"), row(filled, "leverage"))
    assert f"{leverage} CROSS" == row(desk.position, "leverage margin_mode")


def test_the_default_is_the_exchange_s() -> None:
    """An order that names no leverage has the exchange's."""
    desk = market(leverage="5")
    assert "5" == row(desk.buy("4"), "leverage")
    assert "80" == row(desk.account, "margin_used")


@pytest.mark.parametrize(("leverage", "accepted"), [("20", True), ("20.01", False), ("25", False)])
def test_there_is_a_highest_leverage(leverage: str, accepted: bool) -> None:
    """More than the highest leverage is LEVERAGE_EXCEEDED."""
    desk = market()
    if accepted:
        assert "FILLED" == row(desk.buy("1", leverage=leverage), "status")
        return
    with pytest.raises(OrderRejected, match="leverage may be at most 20") as refusal:
        desk.buy("1", leverage=leverage)
    assert RejectReason.LEVERAGE_EXCEEDED == refusal.value.reject_reason


@pytest.mark.parametrize(("quantity", "fits"), [("50", True), ("51", False)])
def test_leverage_buys_more(quantity: str, fits: bool) -> None:
    """1,000 at leverage 5 carry 5,000 of notional and not a share more."""
    desk = market()
    if fits:
        assert "FILLED" == row(desk.buy(quantity, leverage="5"), "status")
        assert "0" == row(desk.account, "margin_available")
        return
    with pytest.raises(OrderRejected, match="needs 1020 USD of margin and 1000 USD") as refusal:
        desk.buy(quantity, leverage="5")
    assert RejectReason.INSUFFICIENT_MARGIN == refusal.value.reject_reason


def test_orders_of_different_leverage_reserve_each_their_own() -> None:
    """Each open order binds its own notional by its own leverage."""
    desk = market()
    desk.buy("4", "LIMIT", limit="90", leverage="4")  # 90
    desk.buy("4", "LIMIT", limit="80", leverage="2")  # 160
    assert "250" == row(desk.account, "margin_used")


def test_what_is_added_brings_its_own_leverage() -> None:
    """A position binds what its parts bind, each by the leverage of its order; reducing leaves it.

    6 at leverage 2 and 6 at leverage 6 bind 300 and 100: together 12 at leverage 3.
    """
    desk = market()
    desk.buy("6", leverage="2")
    desk.buy("6", leverage="6")
    assert ("3", "400") == (row(desk.position, "leverage"), row(desk.account, "margin_used"))
    desk.sell("3", leverage="10")
    assert ("3", "300") == (row(desk.position, "leverage"), row(desk.account, "margin_used"))


def test_what_is_added_later_does_not_change_what_is_held() -> None:
    """Whatever the mark is by then: parts of a CROSS position are marked alike."""
    desk = market()
    desk.buy("6", leverage="2")
    desk.quote("120", "120")
    before = desk.account.margin_used
    desk.buy("6", leverage="6")
    assert before + 120 == desk.account.margin_used


def test_the_same_leverage_stays_as_it_is() -> None:
    """Nothing is rounded where there is nothing to blend."""
    desk = market()
    for _ in range(3):
        desk.buy("1", leverage="7")
    assert "7" == row(desk.position, "leverage")


def test_a_leverage_that_does_not_terminate_is_rounded() -> None:
    """Every quotient half even to 18 places: 1 by 2 and 2 by 3, and 3 by the sum of the two."""
    desk = market()
    desk.buy("1", leverage="2")
    desk.buy("2", leverage="3")
    assert "2.571428571428571428" == row(desk.position, "leverage")


@pytest.mark.parametrize(
    ("held", "adding"),
    [(MarginMode.ISOLATED, MarginMode.CROSS), (MarginMode.CROSS, MarginMode.ISOLATED)],
)
def test_a_position_keeps_its_margin_mode(held: MarginMode, adding: MarginMode) -> None:
    """An order that would add to it in the other mode is refused; one that names none adds."""
    desk = market()
    desk.buy("1", margin_mode=held)
    mode = desk.position.margin_mode
    with pytest.raises(OrderRejected, match=f"it would add to is {mode}") as refusal:
        desk.buy("1", margin_mode=adding)
    assert RejectReason.UNKNOWN == refusal.value.reject_reason
    desk.buy("1")
    desk.sell("1", "LIMIT", limit="120", margin_mode=adding)  # it would not add
    assert f"2 {mode}" == row(desk.position, "quantity margin_mode")


def test_other_positions_have_margin_modes_of_their_own() -> None:
    """Of another symbol, or in a hedging account another one of the same."""
    desk = market(hedging=True)
    first = desk.buy("1")
    desk.buy("1", margin_mode=MarginMode.ISOLATED)
    desk.quote("1", "1", symbol="EUR/USD")
    desk.buy("1", symbol="EUR/USD", margin_mode=MarginMode.ISOLATED)
    modes = [held.margin_mode for held in desk.state.positions.values()]
    assert ["CROSS", "ISOLATED", "ISOLATED"] == modes
    second = desk.state.positions[list(desk.state.positions)[1]]
    for position_id, mode in ((first.position_id, "ISOLATED"), (second.id, "CROSS")):
        with pytest.raises(OrderRejected, match="it would add to is"):
            desk.buy("1", position_id=position_id, margin_mode=mode)


def test_a_position_after_a_flip_has_the_terms_of_its_order() -> None:
    """The order that flips gives the new position leverage and margin mode."""
    desk = market()
    desk.buy("4", leverage="2")
    desk.sell("6", leverage="5", margin_mode=MarginMode.ISOLATED)
    assert "SHORT 2 5 ISOLATED" == row(desk.position, "side quantity leverage margin_mode")


def test_thirds_of_margin_round_to_18_places() -> None:
    """A margin that does not terminate is rounded half even to 18 places; sums stay exact."""
    desk = market()
    desk.buy("1", leverage="3")
    assert "33.333333333333333333 966.666666666666666667" == row(
        desk.account, "margin_used margin_available"
    )


# CROSS


def test_cross_margin_follows_the_mark() -> None:
    """A CROSS position binds its notional at the mark; profit and loss are available."""
    desk = market()
    desk.buy("10", leverage="5")
    desk.quote("110", "110")
    assert "1000 1100 220 880 100" == row(desk.account, FIGURES)
    desk.quote("90", "90")
    assert "1000 900 180 720 -100" == row(desk.account, FIGURES)
    assert "-" == row(desk.marked(), "liquidation_price")


# ISOLATED


@pytest.mark.parametrize(
    ("side", "price", "figures"),
    [
        ("buy", "100", "1000 1000 200 800 0"),
        ("buy", "110", "1000 1100 300 800 100"),
        ("buy", "90", "1000 900 100 800 -100"),
        ("buy", "80", "1000 800 0 800 -200"),
        ("sell", "90", "1000 1100 300 800 100"),
        ("sell", "110", "1000 900 100 800 -100"),
    ],
)
def test_isolated_profit_and_loss_stay_with_the_position(
    side: str, price: str, figures: str
) -> None:
    """An ISOLATED position binds what it was given and its profit or loss: margin_available does
    not move with the market.
    """
    desk = market()
    getattr(desk, side)("10", leverage="5", margin_mode=MarginMode.ISOLATED)
    desk.quote(price, price)
    assert figures == row(desk.account, FIGURES)


@pytest.mark.parametrize(
    ("side", "leverage", "price"),
    [
        ("buy", "5", "81.632653061224489796"),  # 80 / 0.98
        ("sell", "5", "117.647058823529411765"),  # 120 / 1.02
        ("buy", "20", "96.938775510204081633"),
        ("buy", "1", "-"),
        ("sell", "1", "196.078431372549019608"),
    ],
)
def test_the_liquidation_price_is_reported(side: str, leverage: str, price: str) -> None:
    """The mark at which what backs an ISOLATED position is its maintenance, 2 % of notional."""
    desk = market("10000")
    getattr(desk, side)("10", leverage=leverage, margin_mode=MarginMode.ISOLATED)
    assert price == row(desk.position, "liquidation_price")
    assert price == row(desk.marked(), "liquidation_price")


def test_adding_to_an_isolated_position_gives_it_more() -> None:
    """Each addition brings its cost by the leverage; the margin mode stays the position's."""
    desk = market()
    desk.buy("10", leverage="5", margin_mode=MarginMode.ISOLATED)
    desk.quote("110", "110")
    desk.buy("10", leverage="5")
    assert "ISOLATED 105" == row(desk.position, "margin_mode average_entry_price")
    assert "1000 1100 520 580 100" == row(desk.account, FIGURES)


def test_adding_leaves_an_isolated_position_what_it_was_given() -> None:
    """10 at 100 were given 500; 10 more at 60 with leverage 6 bring 100, and nothing is taken.

    The leverage weighs by cost: 1600 at 8/3 are 600. The loss so far does not end the position.
    """
    desk = market("10000")
    desk.buy("10", leverage="2", margin_mode=MarginMode.ISOLATED)
    desk.quote("60", "60")
    desk.buy("10", leverage="6")
    assert "2.666666666666666667 1600" == row(desk.position, "leverage cost_basis")
    desk.guard()
    assert [] == desk.happened


def test_a_leap_over_its_limit_costs_an_isolated_position_no_more_than_its_margin() -> None:
    """A sale rests at 90 when the market leaps over it, from 80 to 150, and an older purchase goes
    on there: 4 at 80 and 6 at 150 are 10 at 122. With leverage 2 they can pay a loss down to 61,
    with leverage 5 only down to 97.60: that is what the sale gets.
    """
    for leverage, price in (("2", "90"), ("5", "97.6")):
        desk = market("10000")
        desk.quote("80", "80", size="4")
        desk.buy("10", leverage=leverage, margin_mode=MarginMode.ISOLATED)
        desk.sell("10", "LIMIT", limit="90")
        desk.tick("150", "150")
        assert ["80", "150", price] == [row(trade, "price") for trade in desk.trades]
        assert {} == desk.state.positions


def test_reducing_an_isolated_position_frees_its_share() -> None:
    """Half the position gone, half of what it was given is free, with what it made."""
    desk = market()
    desk.buy("10", leverage="5", margin_mode=MarginMode.ISOLATED)
    desk.quote("110", "110")
    desk.sell("5")
    assert "1050 1100 150 950 50" == row(desk.account, FIGURES)


def test_identities_hold_with_both_modes() -> None:
    """equity = balance + unrealized and available = equity - used, whatever is held."""
    desk = market("10000")
    desk.quote("1.1", "1.2", symbol="EUR/USD")
    desk.buy("10", leverage="3", margin_mode=MarginMode.ISOLATED)
    desk.sell("1000", leverage="7", symbol="EUR/USD")
    desk.buy("5", "STOP", stop="120", leverage="2")
    desk.quote("93", "95")
    account = desk.account
    assert account.equity == account.balance + account.unrealized_pnl
    assert account.margin_available == account.equity - account.margin_used
    # 10 isolated at 100 lost 70 of 333.33, 1000 at 1.2 by 7, a stop of 5 at 120 by 2
    assert Decimal("263.333333333333333333") + Decimal("171.428571428571428571") + 300 == (
        account.margin_used
    )
