"""The figures of a run, against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from providers.backtest.results import curves
from providers.backtest.results.performance import GROUPS, Summary, Undefined, summarize
from providers.backtest.results.record import RunRecord
from providers.backtest.results.round_trips import round_trips
from providers.engine.state import Notice
from providers.models import AssetClass, OrderStatus, RejectReason, Timeframe
from tests.backtest.records import (
    DAY,
    START,
    bars_of,
    flat,
    random_deals,
    record_of,
    walk,
)

D = Decimal


def summary_of(record: RunRecord) -> Summary:
    return summarize(record, round_trips(record))


def reason(summary: Summary, name: str) -> str:
    value = summary.value(name)
    assert isinstance(value, Undefined), f"{name} is {value}"
    return value.reason


@pytest.fixture(scope="module")
def tiny() -> Summary:
    """All the money in one symbol that goes up a tenth, down a tenth and up a tenth."""
    bars = {"A": bars_of("A", [(100, 110, 100, 110), *flat(99, "108.9")])}
    return summary_of(record_of(bars, [(0, "A", 1000, 100)]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_return", 0.089),
        ("volatility", (0.08 / 3 / 2) ** 0.5 * 365**0.5),  # of squared deviations by 2
        ("sharpe", 365**0.5 * (0.1 / 3) / (0.08 / 3 / 2) ** 0.5),
        ("sortino", 365**0.5 * (0.1 / 3) / (0.01 / 3) ** 0.5),
        ("max_drawdown", 0.1),
        ("max_drawdown_days", 2.0),
        ("beta", 1.0),
        ("benchmark_return", 0.089),
        ("excess_return", 0.0),
        ("exposure_time", 1.0),
        ("peak_leverage", 1.0),
        ("turnover", 100_000 / ((110_000 + 99_000 + 108_900) / 3)),
    ],
)
def test_figures_of_a_tiny_run(tiny: Summary, name: str, value: float) -> None:
    """Three returns: 0.1, -0.1 and 0.1, of days, 365 to the year."""
    assert tiny.number(name) == pytest.approx(value, abs=1e-9)


def test_of_a_short_run_no_year_is_made(tiny: Summary) -> None:
    """Three days do not say what a year would bring."""
    assert {reason(tiny, name) for name in ("cagr", "calmar", "alpha")} == {
        "the run is shorter than 30 days"
    }


def test_money_is_exact(tiny: Summary) -> None:
    """Amounts of money are decimals."""
    assert tiny.value("final_equity") == D(108_900)
    assert tiny.value("net_profit") == tiny.value("open_profit") == D(8_900)


def test_growth_of_two_years() -> None:
    """21 percent in 730 days are 10 percent a year; by a drawdown of a tenth that is 1."""
    prices = [100] * 729 + ["121"]
    prices[5] = 90
    summary = summary_of(record_of({"A": bars_of("A", flat(*prices))}, [(0, "A", 1000, 100)]))
    assert summary.number("cagr") == pytest.approx(0.1)
    assert summary.number("calmar") == pytest.approx(1.0)
    assert summary.number("max_drawdown_days") == 2.0


def test_trades_won_and_lost() -> None:
    """Three round trips: 100 won, 50 lost, 20 lost."""
    bars = {"A": bars_of("A", flat(100, 110, 110, 105, 105, 107))}
    deals = [
        (0, "A", 10, 100), (1, "A", -10, 110), (2, "A", 10, 110), (3, "A", -10, 105),
        (4, "A", -10, 105), (5, "A", 10, 107),
    ]  # fmt: skip
    summary = summary_of(record_of(bars, deals))
    assert summary.value("trades") == 3
    assert summary.number("win_rate") == pytest.approx(1 / 3)
    assert summary.number("profit_factor") == pytest.approx(100 / 70)
    assert summary.value("expectancy") == D(10)
    assert (summary.value("average_win"), summary.value("average_loss")) == (100, -35)
    assert (summary.value("best_trade"), summary.value("worst_trade")) == (100, -50)
    assert summary.number("best_return") == pytest.approx(0.1)
    assert summary.value("average_bars") == 1


def test_the_library_agrees_on_the_drawdown() -> None:
    """Of daily equity the deepest fall is what empyrical finds in its returns."""
    empyrical, numpy = pytest.importorskip("empyrical"), pytest.importorskip("numpy")
    bars = walk(["A"], 250)
    record = record_of(bars, random_deals(bars, 60), "0.001")
    days = curves.equity_by_day(record, curves.calendar_of(record))
    changes = curves.returns(list(days.values()), record.initial_balance)
    found = empyrical.max_drawdown(numpy.array(changes))
    assert summary_of(record).number("max_drawdown") == pytest.approx(-found)


def test_a_run_without_trades() -> None:
    """What has no value says why; what is nothing is 0."""
    summary = summary_of(record_of({"A": bars_of("A", flat(100, 101, 102))}))
    assert (summary.value("total_return"), summary.value("trades")) == (0, 0)
    assert reason(summary, "win_rate") == "no round trip was completed"
    assert reason(summary, "sharpe") == "the equity never changed"
    assert reason(summary, "sortino") == "no period lost"
    assert summary.value("max_drawdown") == summary.value("turnover") == 0


def test_a_run_without_bars() -> None:
    """Every figure has a value or a reason."""
    summary = summary_of(record_of({}))
    assert set(summary.figures) == {name for group in GROUPS.values() for name in group}
    assert reason(summary, "benchmark_return") == "the run has no bar"
    assert reason(summary, "volatility") == "the run has no bar"
    assert summary.value("final_equity") == D(100_000)


def test_a_run_of_one_bar() -> None:
    """One return has no deviation."""
    bars = {"A": bars_of("A", [(100, 110, 90, 105)])}
    summary = summary_of(record_of(bars, [(0, "A", 100, 100)]))
    assert summary.number("total_return") == pytest.approx(0.005)
    assert reason(summary, "sharpe") == "there are fewer than two periods"
    assert reason(summary, "beta").startswith("there are too few periods")


def test_an_account_that_lost_everything() -> None:
    """From a debt there is no growth, and the report says what happened."""
    bars = {"A": bars_of("A", flat(100, 40, 100))}
    summary = summary_of(record_of(bars, [(0, "A", 2000, 100)]))
    assert reason(summary, "sharpe") == "the equity was not above 0 throughout"
    assert summary.number("max_drawdown") == pytest.approx(1.2)
    assert "On 2020-01-08 the equity was -20000" in summary.warnings[0]


def test_weekends_count_for_monday_where_they_are_not_traded() -> None:
    """Trading days are 252 to the year; a bar on a Sunday belongs to the Monday after it."""
    bars = {"A": bars_of("A", flat(*range(100, 114)))}
    record = record_of(bars, asset_classes={"A": AssetClass.FOREX})
    calendar = curves.calendar_of(record)
    assert calendar.periods_per_year == 252
    days = curves.equity_by_day(record, calendar)
    assert [day.weekday() for day in days] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0]


@pytest.mark.parametrize(
    ("changes", "periods"),
    [
        ({}, 365),
        ({"asset_classes": {"A": AssetClass.STOCK}}, 252),
        ({"asset_classes": {}}, 365),
        ({"asset_classes": {}, "bars": dict[str, object]()}, 252),
        ({"timeframe": Timeframe.W1}, 52),
    ],
)
def test_how_many_periods_make_a_year(changes: dict[str, Any], periods: int) -> None:
    """By the asset class, or else by whether there are bars on Saturdays; weeks for weekly bars."""
    record = replace(record_of({"A": bars_of("A", flat(*range(100, 110)))}), **changes)
    assert curves.calendar_of(record).periods_per_year == periods


def test_bars_of_minutes_make_returns_of_days() -> None:
    """The close at midnight belongs to the day that ends with it."""
    bars = walk(["A"], 3 * 1440, step=timedelta(minutes=1), timeframe=Timeframe.M1)
    record = record_of(bars, timeframe=Timeframe.M1)
    days = curves.equity_by_day(record, curves.calendar_of(record))
    assert list(days) == [(START + number * DAY).date() for number in range(3)]


def test_months_multiply_to_the_total() -> None:
    """Each month is measured from the end of the one before."""
    bars = walk(["A"], 120)
    record = record_of(bars, [(0, "A", 500, 100)])
    product = 1.0
    for change in curves.monthly(record, curves.calendar_of(record)).values():
        product *= 1 + float(change)
    assert product - 1 == pytest.approx(summary_of(record).number("total_return"))


# --- doubts ---


def doubts(record: RunRecord) -> str:
    return "\n".join(summary_of(record).warnings)


def test_an_aborted_run_says_so_first() -> None:
    """And few trades, a short run and unpaid commissions are told too."""
    bars = {"A": bars_of("A", flat(100, 101, 102))}
    record = record_of(bars, [(0, "A", 10, 100), (1, "A", -10, 101)], status="aborted")
    said = doubts(record).splitlines()
    assert said[0] == "The run was aborted: it ends at 2020-01-09 00:00, before its data do."
    assert said[1].startswith("Only one round trip was completed")
    assert said[2] == "The run covers 3 days: figures for a year are extrapolated."
    assert said[3] == "No commission was paid: with real costs the result is smaller."


def test_fills_where_nobody_traded() -> None:
    """In a bar without volume; or in a history that has none at all."""
    loud, mute = bars_of("A", flat(100, 101, 102)), bars_of("B", flat(1, 1), volume=D(0))
    loud[1] = loud[1].evolve(volume=D(0))
    deals = [(0, "A", 1, 100), (1, "A", 1, 101), (1, "B", 1, 1)]
    said = doubts(record_of({"A": loud, "B": mute}, deals))
    assert "1 fill in bars without volume" in said
    assert "The bars of B have no volume" in said


def test_what_went_against_the_account() -> None:
    """Liquidations are counted and shown, refused orders by their reason."""
    bars = {"A": bars_of("A", flat(100, 101))}
    record = record_of(bars, [(0, "A", 1, 100)])
    orders = [
        record.orders[0].evolve(
            status=OrderStatus.REJECTED, reject_reason=RejectReason.INSUFFICIENT_MARGIN
        )
    ] * 2
    notices = [Notice("LIQUIDATION", f"Position {number} was liquidated", {}) for number in "12345"]
    said = doubts(record_of(bars, [(0, "A", 1, 100)], orders=orders, notices=notices))
    assert "LIQUIDATION 5 times: Position 1 was liquidated; " in said
    assert "and 2 more." in said
    assert "2 orders rejected: INSUFFICIENT_MARGIN 2." in said


def test_one_trade_that_made_it_all() -> None:
    """A result that hangs on one round trip says so."""
    bars = {"A": bars_of("A", flat(100, 200, 100, 90))}
    deals = [(0, "A", 10, 100), (1, "A", -10, 200), (2, "A", 10, 100), (3, "A", -10, 90)]
    said = doubts(record_of(bars, deals))
    assert "One round trip made 1,000.00 of the 900.00 gained: the rest lost money." in said
