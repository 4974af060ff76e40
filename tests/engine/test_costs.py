"""What trading costs: fees by notional, unit and order, and slippage."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.desk import Desk, row


def market(size: str = "1000000", **rules: Any) -> Desk:
    desk = Desk(**rules)
    desk.quote("99", "100", size=size)
    return desk


def fees(desk: Desk) -> list[str]:
    return [row(trade, "commission") for trade in desk.trades]


@pytest.mark.parametrize(
    ("rules", "fee"),
    [
        ({}, "0"),
        ({"taker_fee": "0.0005"}, "0.2"),
        ({"maker_fee": "0.0005"}, "0"),
        ({"unit_fee": "0.005"}, "0.02"),
        ({"order_fee": "1"}, "1"),
        ({"taker_fee": "0.0005", "unit_fee": "0.005", "order_fee": "1"}, "1.22"),
    ],
)
def test_fees_add_up(rules: dict[str, str], fee: str) -> None:
    """Buying 4 at 100: a part of the notional, an amount per unit, an amount per order."""
    desk = market(**rules)
    desk.buy("4")
    assert [fee] == fees(desk)
    assert 1_000_000 - desk.trades[0].commission == desk.account.balance


def test_a_maker_pays_the_maker_s_fee() -> None:
    """A resting fill costs maker_fee, with the other fees as they are."""
    desk = market(maker_fee="0.0001", taker_fee="0.0005", unit_fee="0.01")
    desk.buy("4", "LIMIT", limit="98")
    desk.tick("97", "98")
    assert ["0.0792"] == fees(desk)


def test_the_order_fee_comes_once() -> None:
    """An order pays it with its first fill; the next order pays again."""
    desk = market("3", order_fee="1", unit_fee="0.01")
    desk.buy("7")
    desk.tick("99", "100", size="3")
    desk.tick("99", "100", size="3")
    desk.buy("1")
    assert ["1.03", "0.03", "0.01", "1.01"] == fees(desk)


def test_an_order_that_does_not_fill_costs_nothing() -> None:
    """Fees come with fills."""
    desk = market(order_fee="1")
    desk.cancel(desk.buy("4", "LIMIT", limit="98"))
    assert "1000000" == row(desk.account, "balance")


@pytest.mark.parametrize(
    ("slippage", "bought", "sold"),
    [
        ("0", "100", "99"),
        ("0.01", "101", "98.01"),
        ("0.0001", "100.01", "98.99"),  # 98.9901, rounded against the order
        ("0.00001", "100.01", "98.99"),
        ("0.123", "112.3", "86.82"),
    ],
)
def test_slippage_makes_a_taker_s_price_worse(slippage: str, bought: str, sold: str) -> None:
    """A fraction of the touch, rounded to the tick against the order."""
    desk = market(slippage=slippage)
    assert (bought, sold) == (
        row(desk.buy("4"), "average_fill_price"),
        row(desk.sell("2"), "average_fill_price"),
    )


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [("buy", "100", "100"), ("buy", "100.50", "100.5"), ("buy", "105", "101"),
     ("sell", "99", "99"), ("sell", "98.50", "98.5"), ("sell", "90", "98.01")],
)  # fmt: skip
def test_slippage_never_breaks_a_limit(side: str, limit: str, price: str) -> None:
    """A LIMIT order pays its limit at worst."""
    desk = market(slippage="0.01")
    assert price == row(getattr(desk, side)("4", "LIMIT", limit=limit), "average_fill_price")


def test_a_maker_has_no_slippage() -> None:
    """A resting order gets its limit."""
    desk = market(slippage="0.01")
    desk.buy("4", "LIMIT", limit="98")
    desk.tick("97", "98")
    assert "98" == row(desk.trades[0], "price")


def test_a_stop_slips_from_the_touch() -> None:
    """A stop that fires takes, and slips like any taker."""
    desk = market(slippage="0.01")
    desk.sell("4", "STOP", stop="95")
    desk.tick("94", "95")
    assert "93.06" == row(desk.trades[0], "price")


def test_a_sale_never_slips_to_nothing() -> None:
    """The lowest price is one tick."""
    desk = Desk(slippage="0.99")
    desk.quote("0.01", "0.02")
    assert "0.01" == row(desk.sell("4"), "average_fill_price")
