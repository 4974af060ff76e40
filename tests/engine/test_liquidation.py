"""When margin runs out: warnings, margin calls, and who loses what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from providers.models import MarginMode
from tests.engine.desk import Desk, row

ISOLATED = MarginMode.ISOLATED


def market(balance: str = "1000", **rules: Any) -> Desk:
    desk = Desk(balance, **rules)
    desk.quote("100", "100")
    return desk


def at(desk: Desk, price: str, symbol: str = "AAPL") -> Desk:
    """A new price, and the exchange looks after the margin."""
    desk.quote(price, price, symbol=symbol)
    desk.guard()
    return desk


# ISOLATED


@pytest.mark.parametrize(
    ("side", "safe", "gone"), [("buy", "81.64", "81.63"), ("sell", "117.64", "117.65")]
)
def test_an_isolated_position_ends_at_its_liquidation_price(
    side: str, safe: str, gone: str
) -> None:
    """One tick before the liquidation price nothing happens; at it the position is closed."""
    desk = market()
    getattr(desk, side)("10", leverage="5", margin_mode=ISOLATED)
    assert [] == at(desk, safe).happened
    assert [
        "ORDER_CREATED",
        "ORDER_FILLED",
        "TRADE_FILLED",
        "POSITION_CLOSED",
        "LIQUIDATION",
        "BALANCE_UPDATED",
    ] == at(desk, gone).happened
    assert gone == row(desk.trades[-1], "price")
    assert {} == desk.state.positions


@pytest.mark.parametrize(
    ("side", "price", "fill"),
    [
        ("buy", "80", "80"),
        ("buy", "79.99", "80"),
        ("buy", "1", "80"),
        ("sell", "120", "120"),
        ("sell", "120.01", "120"),
        ("sell", "500", "120"),
    ],
)
def test_it_loses_no_more_than_its_margin(side: str, price: str, fill: str) -> None:
    """However far the quote gaps, the position is closed no worse than where its margin of 200 is
    used up: the account keeps the rest.
    """
    desk = market()
    getattr(desk, side)("10", leverage="5", margin_mode=ISOLATED)
    at(desk, price)
    assert (fill, "800") == (row(desk.trades[-1], "price"), row(desk.account, "balance"))


@pytest.mark.parametrize(("side", "fill"), [("buy", "66.67"), ("sell", "133.33")])
def test_the_last_price_is_a_tick_on_the_safe_side(side: str, fill: str) -> None:
    """Where the margin ends between two ticks, the better of them counts."""
    desk = market()
    getattr(desk, side)("1", leverage="3", margin_mode=ISOLATED)
    at(desk, "1" if side == "buy" else "500")
    assert fill == row(desk.trades[-1], "price")


def test_the_commission_comes_on_top() -> None:
    """The loss is the margin, and the commission of the liquidation."""
    desk = market(taker_fee="0.001")
    desk.buy("10", leverage="5", margin_mode=ISOLATED)
    at(desk, "50")
    assert "798.2" == row(desk.account, "balance")  # 1 to open at 1,000, 0.80 to close at 800


def test_a_long_position_without_leverage_cannot_run_out() -> None:
    """All that a position bought without leverage can lose has been paid."""
    desk = market()
    desk.buy("10", margin_mode=ISOLATED)
    assert [] == at(desk, "0.01").happened


def test_the_other_positions_are_not_touched() -> None:
    """An ISOLATED position goes alone, with its exits; other orders and positions stay."""
    desk = market()
    desk.quote("1", "1", symbol="EUR/USD")
    desk.buy("100", symbol="EUR/USD", leverage="2")
    resting = desk.buy("1", "LIMIT", limit="50")
    entry = desk.buy("10", leverage="5", margin_mode=ISOLATED, take_profit="150")
    at(desk, "80")
    assert "CANCELLED" == row(desk.legs(entry)[0], "status")
    assert "OPEN" == row(desk.now_of(resting), "status")
    assert ["EUR/USD"] == [held.symbol for held in desk.state.positions.values()]


def test_a_liquidation_is_an_order() -> None:
    """It stands in history as a reduce-only MARKET order, and a notice names it."""
    desk = market()
    desk.buy("10", leverage="5", margin_mode=ISOLATED)
    position = desk.position
    at(desk, "80")
    order = list(desk.orders.values())[-1]
    assert f"SELL MARKET 10 FILLED True {position.id} GTC 80" == row(
        order,
        "side order_type quantity status reduce_only position_id time_in_force average_fill_price",
    )
    (notice,) = desk.notices
    assert ("LIQUIDATION", {"position_id": position.id, "order_id": order.id, "price": "80"}) == (
        notice.code,
        notice.details,
    )
    assert f"Position {position.id} in AAPL was liquidated at 80" == notice.message


@pytest.mark.parametrize("how", ["stop", "market", "close"])
def test_an_order_cannot_lose_more_either(how: str) -> None:
    """An order that trades a position through its liquidation price finds it liquidated first: a
    stop-loss that is gapped through takes no more than the margin either.
    """
    desk = market()
    desk.buy("10", leverage="5", margin_mode=ISOLATED)
    position = desk.position
    if how == "stop":
        order = desk.sell("10", "STOP", stop="95", reduce_only=True)
        desk.tick("50", "50")
    else:
        desk.quote("50", "50")
        order = desk.sell("10", reduce_only=True) if how == "market" else desk.close(position)
    assert "CANCELLED 0" == row(desk.now_of(order), "status filled_quantity")
    assert ("800", ["LIQUIDATION"]) == (
        row(desk.account, "balance"),
        [notice.code for notice in desk.notices],
    )


def test_an_order_after_a_liquidation_opens_anew() -> None:
    """What may add exposure goes on: it finds no position and opens one."""
    desk = market()
    desk.buy("10", leverage="5", margin_mode=ISOLATED)
    desk.quote("50", "50")
    desk.sell("4")
    assert "SHORT 4 50" == row(desk.position, "side quantity average_entry_price")
    assert "800" == row(desk.account, "balance")


# CROSS


@pytest.mark.parametrize(
    ("price", "events"),
    [
        ("82.48", []),
        ("82.47", ["MARGIN_WARNING"]),
    ],
)
def test_the_margin_is_warned_about_first(price: str, events: list[str]) -> None:
    """At one and a half times the maintenance the account is warned, and nothing is closed.

    70 bought at 100 with 1,400: equity is 1400 + 70 * (price - 100), the warning comes at 3 % of
    70 * price, which is at 5600 / 67.9 = 82.474...
    """
    desk = market("1400")
    desk.buy("70", leverage="5")
    assert events == at(desk, price).happened


def test_a_warning_comes_once() -> None:
    """As long as the margin is short, it has been said."""
    desk = market("1400")
    desk.buy("70", leverage="5")
    assert ["MARGIN_WARNING"] == at(desk, "82.40").happened
    assert [] == at(desk, "82.30").happened
    assert [] == at(desk, "82.40").happened


def test_a_warning_comes_again_after_recovery() -> None:
    """Once there is enough again, the next shortage is worth another warning."""
    desk = market("1400")
    desk.buy("70", leverage="5")
    at(desk, "82.40")
    assert ["BALANCE_UPDATED"] == at(desk, "90").happened
    assert [] == at(desk, "90").happened
    assert ["MARGIN_WARNING"] == at(desk, "82.40").happened


def test_a_warning_shows_the_account() -> None:
    """The event carries equity and margin as they are."""
    desk = market("1400")
    desk.buy("70", leverage="5")
    at(desk, "82.40")
    assert desk.log[-1].shown == desk.account


@pytest.mark.parametrize(("price", "closed"), [("81.64", False), ("81.63", True)])
def test_at_the_maintenance_a_cross_account_is_closed_down(price: str, closed: bool) -> None:
    """At 2 % of the notional: 5600 / 68.6 = 81.632... per share."""
    desk = market("1400")
    desk.buy("70", leverage="5")
    at(desk, price)
    assert closed is (desk.state.positions == {})
    assert closed is ("MARGIN_CALL" in desk.happened)
    if closed:
        assert [
            "MARGIN_WARNING",
            "MARGIN_CALL",
            "ORDER_CREATED",
            "ORDER_FILLED",
            "TRADE_FILLED",
            "POSITION_CLOSED",
            "LIQUIDATION",
            "BALANCE_UPDATED",
        ] == desk.happened


def test_open_orders_go_first() -> None:
    """Before any position is closed, every open order is cancelled."""
    desk = market("1400")
    entry = desk.buy("64", leverage="5", stop_loss="60")
    order = desk.buy("1", "LIMIT", limit="50", leverage="5")
    desk.buy("5", leverage="5")
    at(desk, "81")
    assert "MARGIN_CALL" == desk.happened[1]
    assert ["ORDER_CANCELLED"] * 2 == desk.happened[2:4]
    assert {"CANCELLED"} == {
        row(desk.now_of(each), "status") for each in (order, *desk.legs(entry))
    }


def test_the_worst_position_goes_first_and_no_more_than_needed() -> None:
    """The position with the largest loss is closed; if the rest then stands, it stays."""
    desk = market("1000")
    desk.quote("100", "100", symbol="BTC/USD")
    desk.quote("1", "1", symbol="EUR/USD")
    desk.buy("100", symbol="EUR/USD", leverage="5")
    desk.buy("20", leverage="5")
    desk.buy("20", symbol="BTC/USD", leverage="5")
    desk.quote("70", "70", symbol="BTC/USD")  # down 600
    at(desk, "82")  # down 360: equity 40, maintenance 0.02 * (1640 + 1400 + 100) = 62.80
    assert ["AAPL", "EUR/USD"] == sorted(held.symbol for held in desk.state.positions.values())
    assert "400 40" == row(desk.account, "balance equity")


def test_a_cross_account_may_end_below_zero() -> None:
    """A gap can take more than there is: a CROSS account has to stand for it."""
    desk = market("1400")
    desk.buy("70", leverage="5")
    at(desk, "50")
    assert "-2100" == row(desk.account, "balance")


def test_isolated_margin_does_not_back_cross_positions() -> None:
    """What an ISOLATED position was given is not counted for the others."""
    desk = market("1400")
    desk.quote("1", "1", symbol="EUR/USD")
    desk.buy("70", leverage="6")
    desk.buy("200", leverage="1", symbol="EUR/USD", margin_mode=ISOLATED)
    assert ["MARGIN_WARNING"] == at(desk, "85").happened  # 1400 - 200 - 1050 = 150 < 178.5


def test_isolated_positions_are_not_closed_for_cross_ones() -> None:
    """A margin call closes CROSS positions only."""
    desk = market("1400")
    desk.quote("1", "1", symbol="EUR/USD")
    desk.buy("70", leverage="6")
    desk.buy("200", leverage="1", symbol="EUR/USD", margin_mode=ISOLATED)
    at(desk, "80")
    assert ["EUR/USD"] == [held.symbol for held in desk.state.positions.values()]


def test_a_sound_account_is_left_alone() -> None:
    """Nothing happens to an account without positions, or with enough behind them."""
    desk = market()
    desk.guard()
    assert [] == desk.happened
    desk.buy("5")
    desk.buy("1", "LIMIT", limit="50")
    assert [] == at(desk, "0.01").happened


def test_after_a_margin_call_the_next_trouble_is_warned_about() -> None:
    """An account that was closed down and goes on is warned again."""
    desk = market("1400")
    desk.buy("70", leverage="5")
    at(desk, "81")
    assert [] == at(desk, "100").happened[1:]
    desk.buy("3", leverage="5")
    desk.guard()
    assert ["MARGIN_WARNING", "MARGIN_CALL"] == at(desk, "76").happened[:2]


def test_nothing_is_liquidated_while_its_market_is_closed() -> None:
    """A closed market has nobody to trade with: the warning comes, the closing waits."""
    desk = market("1400", sessions=True)
    desk.quote("1", "1", symbol="EUR/USD")
    desk.buy("50", leverage="5")
    desk.buy("100", leverage="2", symbol="EUR/USD", margin_mode=ISOLATED)
    desk.now += timedelta(days=3)  # Saturday
    desk.quote("0.01", "0.01", symbol="EUR/USD")
    assert ["MARGIN_WARNING"] == at(desk, "50").happened
    assert [] == at(desk, "50").happened
    desk.now += timedelta(days=2)
    assert "MARGIN_CALL" in at(desk, "50").happened
    assert {} == desk.state.positions


def test_a_closed_market_does_not_save_the_others() -> None:
    """Of two CROSS positions the one whose market is open is closed."""
    desk = Desk("1400", sessions=True)
    desk.quote("100", "100")
    desk.quote("100", "100", symbol="BTC/USD")
    desk.buy("60", leverage="5")
    desk.buy("2", symbol="BTC/USD", leverage="5")
    desk.now += timedelta(days=3)
    desk.quote("99", "99", symbol="BTC/USD")
    at(desk, "50")
    assert ["AAPL"] == [held.symbol for held in desk.state.positions.values()]


@pytest.mark.parametrize(("balance", "price", "event"), [
    ("688", "96", "MARGIN_WARNING"),  # 688 - 400 = 0.03 * 9,600
    ("690", "95", "MARGIN_CALL"),  # 690 - 500 = 0.02 * 9,500
])  # fmt: skip
def test_exactly_there_is_there(balance: str, price: str, event: str) -> None:
    """100 bought at 100: equity equal to the warning's or the maintenance margin is short."""
    desk = market(balance)
    desk.buy("100", leverage="20")
    at(desk, price)
    assert event in desk.happened
    assert ("MARGIN_CALL" == event) is ({} == desk.state.positions)


def test_what_stands_after_a_margin_call_has_been_warned() -> None:
    """If a position is left near its maintenance, the call was warning enough."""
    desk = market("1000")
    desk.quote("100", "100", symbol="BTC/USD")
    desk.buy("40", leverage="20")
    desk.buy("40", symbol="BTC/USD", leverage="20")
    desk.quote("90", "90", symbol="BTC/USD")
    at(desk, "87.50")  # 1000 - 500 - 400 = 100; 142 is needed, then 72
    assert ["BTC/USD"] == [held.symbol for held in desk.state.positions.values()]
    assert [] == at(desk, "87.50").happened


def test_isolated_and_cross_run_out_together() -> None:
    """One look closes the ISOLATED position and then the CROSS account; nothing ends twice."""
    desk = market("1400")
    desk.quote("1", "1", symbol="EUR/USD")
    entry = desk.buy("500", leverage="5", symbol="EUR/USD", margin_mode=ISOLATED, stop_loss="0.5")
    desk.buy("60", leverage="5")
    desk.quote("0.7", "0.7", symbol="EUR/USD")
    at(desk, "70")
    assert ["LIQUIDATION", "LIQUIDATION"] == [notice.code for notice in desk.notices]
    assert ["CANCELLED"] == [row(leg, "status") for leg in desk.legs(entry)]


def test_a_hedged_position_is_liquidated_by_its_id() -> None:
    """In a hedging account the liquidation closes the position that ran out, and takes."""
    desk = market(hedging=True, taker_fee="0.001")
    desk.buy("1", leverage="2", margin_mode=ISOLATED)
    desk.buy("10", leverage="5", margin_mode=ISOLATED)
    at(desk, "80")
    assert ["1"] == [row(held, "quantity") for held in desk.state.positions.values()]
    assert desk.trades[-1].is_maker is False


@pytest.mark.parametrize("event", ["MARGIN_WARNING", "LIQUIDATION"])
def test_ids_say_what_they_are_of(event: str) -> None:
    """Orders are ord_, trades trd_ and positions pos_, also those that the exchange makes."""
    desk = market("1400")
    desk.buy("70", leverage="5", stop_loss="60")
    at(desk, "80")
    assert event in desk.happened
    assert {"ord"} == {each.partition("_")[0] for each in desk.orders}
    assert {"pos"} == {each.partition("_")[0] for each in desk.positions}
    assert {"trd"} == {trade.id.partition("_")[0] for trade in desk.trades}
