"""The way of the price through a bar."""

from __future__ import annotations

from decimal import Decimal

import pytest

from providers.backtest.path import Exits, first_reached, stop_first, waypoints
from providers.backtest.replay import first_beyond, with_next
from tests.backtest.bars import bar


def prices(text: str) -> list[Decimal]:
    return [Decimal(each) for each in text.split()]


@pytest.mark.parametrize(
    ("ohlc", "expected"),
    [
        ("100 103 90 95", "103 90 95"),
        ("100 110 97 105", "97 110 105"),
        ("100 105 95 100", "95 105 100"),
        ("100 100 100 100", "100 100 100"),
        ("100 110 100 110", "100 110 110"),
    ],
)
def test_the_nearer_extreme_comes_first(ohlc: str, expected: str) -> None:
    """Open, the extreme nearer the open, the other, close; the low where both are equally near."""
    assert waypoints(bar(0, ohlc)) == prices(expected)


@pytest.mark.parametrize(
    ("ahead", "stop", "limit", "expected"),
    [
        ("103 90 95", "95", "102", "90 103 95"),  # both lie ahead: the low first
        ("103 90 95", "95", "104", "103 90 95"),  # the take-profit is out of reach
        ("103 90 95", "89", "102", "103 90 95"),  # the stop-loss is
        ("90 103 95", "95", "102", "90 103 95"),  # the stop-loss comes first anyway
        ("97 110 105", "105", "98", "110 97 105"),  # of a short position
        ("97 106", "105", "98", "106 97 106"),  # one extreme is behind: there and back
        ("97", "105", "98", "97"),
    ],
)
def test_stop_loss_before_take_profit(ahead: str, stop: str, limit: str, expected: str) -> None:
    """Where both lie on the way, the price goes to the side of the stop-loss first."""
    exits = [Exits(Decimal(stop), Decimal(limit))]
    assert stop_first(Decimal(100), prices(ahead), exits) == prices(expected)


@pytest.mark.parametrize(
    ("wanted", "expected"), [("101", 0), ("103", 0), ("90", 1), ("95", 1), ("104", None)]
)
def test_first_reached(wanted: str, expected: int | None) -> None:
    """The leg of the way on which a price is reached, its ends included."""
    assert first_reached(Decimal(100), prices("103 90 95"), Decimal(wanted)) == expected


@pytest.mark.parametrize(
    ("candidates", "target", "expected"),
    [
        ("101 102", "103", "101"),
        ("100 102", "103", "102"),  # it stands there already
        ("99 103", "103", "103"),
        ("104", "103", None),
        ("99 98", "97", "99"),
        ("101 97", "97", "97"),
        ("96", "97", None),
        ("", "97", None),
        ("101", "100", None),
    ],
)
def test_first_beyond(candidates: str, target: str, expected: str | None) -> None:
    """The next price on the way to a target, without the one where the way begins."""
    found = first_beyond(prices(candidates), Decimal(100), Decimal(target))
    assert found == (Decimal(expected) if expected else None)


def test_with_next() -> None:
    """Each group with the one after it."""
    one, two = [bar(0, "1 1 1 1")], [bar(1, "2 2 2 2")]
    assert list(with_next([one, two])) == [(one, two), (two, None)]
    assert list(with_next([])) == []
