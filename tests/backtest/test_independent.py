"""The backtest agrees, trade by trade and to the cent, with a calculation that shares no code."""

from __future__ import annotations

from decimal import Decimal
from itertools import zip_longest

import pytest
from hypothesis import given, settings

from providers.models import Timeframe
from tests.backtest.actions import Costs, Outcome, Scripted, plain
from tests.backtest.case import Case
from tests.backtest.cases_of_orders import ORDERS
from tests.backtest.cases_of_positions import POSITIONS_AND_LINKS
from tests.backtest.chance import plans, scenes
from tests.backtest.driving import INSTRUMENTS, Scene, calculated, provided, shipped
from tests.backtest.strategies import STRATEGIES, Seen

CASES = [*ORDERS, *POSITIONS_AND_LINKS]
DUST = Decimal("1E-9")
"""Mean entry prices are rounded, each side in its own way."""

COSTS = Costs(
    maker_fee=Decimal("0.0002"),
    taker_fee=Decimal("0.0005"),
    unit_fee=Decimal("0.003"),
    order_fee=Decimal("0.35"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_calculation_knows_the_rules(case: Case) -> None:
    """The independent calculation makes the trades that were worked out by hand."""
    outcome = calculated(case.scene(), case.strategy())
    assert case.expected() == {symbol: outcome.of(symbol) for symbol in case.expected()}
    assert case.balance in ("", plain(outcome.balance))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_backtest_keeps_the_rules(case: Case) -> None:
    """The backtest makes the trades that were worked out by hand."""
    outcome = await provided(case.scene(), case.strategy())
    assert case.expected() == {symbol: outcome.of(symbol) for symbol in case.expected()}
    assert case.balance in ("", plain(outcome.balance))
    assert calculated(case.scene(), case.strategy()).balance == outcome.balance


def parting(expected: Outcome, actual: Outcome) -> str:
    """The first trade in which two runs differ; nothing where there is none."""
    pairs = zip_longest(map(str, expected.fills), map(str, actual.fills))
    return next((f"expected {ours}, got {theirs}" for ours, theirs in pairs if ours != theirs), "")


async def agree(scene: Scene, make: type[Seen], size: str, scale: str) -> Outcome:
    """Both sides make the same trades and end with the same money; these are the trades."""
    symbol = scene.symbols[0]
    tick = INSTRUMENTS[symbol].price_increment
    expected = calculated(scene, make(symbol, size, tick, scale))
    actual = await provided(scene, make(symbol, size, tick, scale))
    assert "" == parting(expected, actual)
    assert abs(expected.balance - actual.balance) < DUST
    return expected


@pytest.mark.parametrize("make", STRATEGIES)
async def test_days_of_a_stock(make: type[Seen]) -> None:
    """Eight years of AAPL by the day, with fees."""
    bars = shipped("AAPL", Timeframe.D1, "AAPL")
    outcome = await agree(Scene(bars=bars, costs=COSTS), make, "100", "1")
    assert len(outcome.fills) > 50


@pytest.mark.parametrize("make", STRATEGIES)
async def test_hours_of_a_currency(make: type[Seen]) -> None:
    """Two weeks of EUR/USD by the hour, where limits must be penetrated."""
    bars = shipped("EURUSD", Timeframe.H1, "EUR/USD")[:300]
    scene = Scene(bars=bars, timeframe=Timeframe.H1, penetrate=True)
    outcome = await agree(scene, make, "10000", "0.15")
    assert len(outcome.fills) > 10


@settings(max_examples=100)
@given(scenes(), plans())
async def test_chance_agrees(scene: Scene, plan: str) -> None:
    """Whatever the bars and the orders are, both sides make the same trades."""
    expected = calculated(scene, Scripted(plan))
    actual = await provided(scene, Scripted(plan))
    symbols = scene.symbols
    assert [expected.of(symbol) for symbol in symbols] == [actual.of(symbol) for symbol in symbols]
    assert abs(expected.balance - actual.balance) < DUST
