"""The figures of a run: what it made, at what risk, and how it traded.

Money is exact. What is annualised comes from empyrical, from the returns of the periods that
`curves.calendar_of` names, with no interest on money at rest. A figure that has no value says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from providers.backtest.extras import extra
from providers.backtest.results import curves, doubts
from providers.backtest.results.curves import Calendar
from providers.backtest.results.record import RunRecord
from providers.backtest.results.round_trips import RoundTrip
from providers.engine.money import ONE, ZERO, exact, quotient, trim

SHORTEST_YEAR: Final = timedelta(days=30)
"""From less than this no growth of a year is worked out."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Undefined:
    """Why a figure has no value."""

    reason: str


Value = Decimal | float | int | Undefined
Days = dict[date, Decimal]


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a figure is called and counted, and what it is in one line."""

    label: str
    unit: str
    """percent (the value is a fraction), money, ratio, times, count, days or bars."""
    definition: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its value, Decimal for money."""

    name: str
    meaning: Meaning
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All that is said about a run in figures and words."""

    record: RunRecord
    calendar: Calendar
    figures: Mapping[str, Figure]
    warnings: Sequence[str]

    def value(self, name: str) -> Value:
        return self.figures[name].value

    def number(self, name: str) -> float | None:
        """The value as a number for showing, None where it is undefined."""
        value = self.value(name)
        return None if isinstance(value, Undefined) else float(value)


_PERCENT, _MONEY, _RATIO, _COUNT = "percent", "money", "ratio", "count"

GROUPS: Final[Mapping[str, Mapping[str, Meaning]]] = {
    "Result": {
        "final_equity": Meaning("Final equity", _MONEY, "Balance plus open profit at the end."),
        "net_profit": Meaning("Net profit", _MONEY, "Final equity less the initial balance."),
        "open_profit": Meaning(
            "Open profit", _MONEY, "The part of it in positions still open, at the last price."
        ),
        "total_return": Meaning("Total return", _PERCENT, "Net profit of the initial balance."),
        "cagr": Meaning(
            "CAGR", _PERCENT, "The steady growth in a year that makes the same total return."
        ),
    },
    "Risk": {
        "volatility": Meaning(
            "Volatility", _PERCENT, "Standard deviation of the returns, for a year."
        ),
        "max_drawdown": Meaning(
            "Maximum drawdown", _PERCENT, "The deepest fall of the equity below its highest yet."
        ),
        "max_drawdown_days": Meaning(
            "Drawdown duration", "days", "From that peak until it was reached again, or the end."
        ),
        "sharpe": Meaning(
            "Sharpe ratio", _RATIO, "Mean return by its standard deviation, for a year."
        ),
        "sortino": Meaning(
            "Sortino ratio", _RATIO, "The same by the deviation of the losing periods alone."
        ),
        "calmar": Meaning("Calmar ratio", _RATIO, "CAGR by maximum drawdown."),
    },
    "Against buy and hold": {
        "benchmark_return": Meaning(
            "Buy and hold",
            _PERCENT,
            "The first symbol bought at its first open and held, without costs.",
        ),
        "excess_return": Meaning("Difference", _PERCENT, "Total return less buy and hold."),
        "beta": Meaning("Beta", _RATIO, "How strongly the returns follow those of buy and hold."),
        "alpha": Meaning("Alpha", _PERCENT, "The return of a year that beta does not explain."),
    },
    "Trades": {
        "trades": Meaning(
            "Round trips", _COUNT, "Positions from flat to flat; the figures below are of these."
        ),
        "win_rate": Meaning("Win rate", _PERCENT, "Those that made money after commissions."),
        "profit_factor": Meaning("Profit factor", _RATIO, "What winners made by what losers lost."),
        "expectancy": Meaning("Average result", _MONEY, "Mean profit or loss of a round trip."),
        "average_win": Meaning("Average win", _MONEY, "Mean profit of the winners."),
        "average_loss": Meaning("Average loss", _MONEY, "Mean loss of the losers."),
        "best_trade": Meaning("Best", _MONEY, "The largest profit of one."),
        "worst_trade": Meaning("Worst", _MONEY, "The largest loss, or smallest profit, of one."),
        "best_return": Meaning("Best return", _PERCENT, "The same of what was paid to enter."),
        "worst_return": Meaning("Worst return", _PERCENT, "The same of what was paid to enter."),
        "average_bars": Meaning("Average duration", "bars", "Bars from entry to exit."),
    },
    "Activity": {
        "orders": Meaning("Orders", _COUNT, "All that were sent, whatever became of them."),
        "fills": Meaning("Fills", _COUNT, "How often an order traded."),
        "exposure_time": Meaning(
            "Time in the market", _PERCENT, "Moments of the equity curve with a position."
        ),
        "peak_leverage": Meaning(
            "Peak leverage", "times", "The highest notional held, of the equity of the moment."
        ),
        "turnover": Meaning("Turnover", "times", "Notional of all fills by the mean equity."),
        "commissions": Meaning("Commissions", _MONEY, "All that was paid for trading."),
    },
}

MEANINGS: Final = {name: meaning for group in GROUPS.values() for name, meaning in group.items()}

LESS_IS_BETTER: Final = frozenset(
    {"volatility", "max_drawdown", "max_drawdown_days", "commissions", "peak_leverage"}
)


def summarize(record: RunRecord, trips: Sequence[RoundTrip]) -> Summary:
    """The figures, and what makes them doubtful."""
    calendar = curves.calendar_of(record)
    with exact():
        days = curves.equity_by_day(record, calendar)
        values = _result(record, trips)
        values |= _risk(record, _annual(record, calendar, days))
        values |= _benchmark(record, calendar, days)
        values |= _trades([trip for trip in trips if trip.status == "closed"])
        values |= _activity(record)
        warnings = doubts.found(record, trips)
    figures = {
        name: Figure(name, meaning, _rounded(values[name])) for name, meaning in MEANINGS.items()
    }
    return Summary(record=record, calendar=calendar, figures=figures, warnings=warnings)


def _rounded(value: Value) -> Value:
    """A float to 12 digits, beyond which libraries differ."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _result(record: RunRecord, trips: Sequence[RoundTrip]) -> dict[str, Value]:
    profit = record.final_equity - record.initial_balance
    open_profit = sum((trip.pnl for trip in trips if trip.status == "open"), ZERO)
    return {
        "final_equity": trim(record.final_equity),
        "net_profit": trim(profit),
        "open_profit": trim(open_profit),
        "total_return": _total_return(record),
    }


def _total_return(record: RunRecord) -> Value:
    profit = record.final_equity - record.initial_balance
    return _fraction(profit, record.initial_balance, "the run began without money")


def _fraction(part: Decimal, whole: Decimal, why_not: str) -> Value:
    return float(quotient(part, whole)) if whole > 0 else Undefined(why_not)


def _risk(record: RunRecord, annual: dict[str, Value]) -> dict[str, Value]:
    fall = curves.deepest(record)
    depth = float(fall.depth) if fall else 0.0
    values = annual | {"max_drawdown": depth, "max_drawdown_days": 0.0}
    if fall:
        lasted = (fall.recovered or record.equity[-1].time) - fall.peak
        values["max_drawdown_days"] = lasted / _DAY
    cagr = annual["cagr"]
    if isinstance(cagr, Undefined):
        values["calmar"] = cagr
    else:
        values["calmar"] = float(cagr) / depth if depth else Undefined("there was no drawdown")
    return values


def _annual(record: RunRecord, calendar: Calendar, days: Days) -> dict[str, Value]:
    """What empyrical makes of the returns, for a year."""
    changes = _returns(record, days)
    if isinstance(changes, Undefined):
        return dict.fromkeys(("cagr", "volatility", "sharpe", "sortino"), changes)
    statistics, array = extra("empyrical"), extra("numpy").array(changes)
    year = calendar.periods_per_year
    few = "there are fewer than two periods" if len(changes) < 2 else None
    flat = few or "the equity never changed"
    values: dict[str, Value] = {
        "cagr": _short(record) or _defined(statistics.cagr(array, annualization=year), "no growth"),
        "volatility": _defined(statistics.annual_volatility(array, annualization=year), flat),
        "sharpe": _defined(statistics.sharpe_ratio(array, annualization=year), flat),
    }
    losses = any(change < 0 for change in changes)
    sortino = statistics.sortino_ratio(array, annualization=year) if losses else math.nan
    values["sortino"] = _defined(sortino, few or "no period lost")
    return values


def _returns(record: RunRecord, days: Days) -> list[float] | Undefined:
    changes = curves.returns(list(days.values()), record.initial_balance)
    if changes is None:
        return Undefined("the equity was not above 0 throughout")
    return changes or Undefined("the run has no bar")


def _short(record: RunRecord) -> Undefined | None:
    """The reason not to speak of a year, if the run is too short for it."""
    if record.ended - record.started < SHORTEST_YEAR:
        return Undefined(f"the run is shorter than {SHORTEST_YEAR.days} days")
    return None


def _defined(value: Any, why_not: str) -> Value:
    """A number of the statistics library as a plain one."""
    number = float(value)
    return number if math.isfinite(number) else Undefined(why_not)


def _benchmark(record: RunRecord, calendar: Calendar, days: Days) -> dict[str, Value]:
    prices = curves.benchmark_prices(record)
    if prices is None:
        return dict.fromkeys(GROUPS["Against buy and hold"], Undefined("the run has no bar"))
    first, held = prices
    made = float(quotient(held[-1][1], first) - ONE)
    total = _total_return(record)
    excess = total if isinstance(total, Undefined) else float(total) - made
    by_day = {calendar.day_of(time): price for time, price in held}
    theirs = curves.returns(curves.held_forward(by_day, days, first), first) or []
    found = _followed(record, calendar, _returns(record, days), theirs)
    return found | {"benchmark_return": made, "excess_return": excess}


def _followed(
    record: RunRecord,
    calendar: Calendar,
    changes: Sequence[float] | Undefined,
    theirs: Sequence[float],
) -> dict[str, Value]:
    """Alpha and beta, from the returns of the same periods."""
    if isinstance(changes, Undefined):
        return dict.fromkeys(("alpha", "beta"), changes)
    if len(changes) < 2 or len(set(theirs)) < 2:
        reason = Undefined("there are too few periods, or buy and hold never changed")
        return dict.fromkeys(("alpha", "beta"), reason)
    array, statistics = extra("numpy").array, extra("empyrical")
    alpha, beta = statistics.alpha_beta_aligned(
        array(changes), array(theirs), annualization=calendar.periods_per_year
    )
    none = "buy and hold never changed"
    return {"alpha": _short(record) or _defined(alpha, none), "beta": _defined(beta, none)}


def _trades(closed: Sequence[RoundTrip]) -> dict[str, Value]:
    if not closed:
        none = Undefined("no round trip was completed")
        values: dict[str, Value] = dict.fromkeys(GROUPS["Trades"], none)
        return values | {"trades": 0}
    gains = [trip.pnl for trip in closed]
    won, lost = [gain for gain in gains if gain > 0], [gain for gain in gains if gain < 0]
    rates = [float(trip.net_return) for trip in closed]
    lasted = [trip.bars for trip in closed if trip.bars is not None]
    return {
        "trades": len(closed),
        "win_rate": len(won) / len(closed),
        "profit_factor": _fraction(sum(won, ZERO), -sum(lost, ZERO), "no round trip lost"),
        "expectancy": _mean(gains, "no round trip was completed"),
        "average_win": _mean(won, "no round trip won"),
        "average_loss": _mean(lost, "no round trip lost"),
        "best_trade": max(gains),
        "worst_trade": min(gains),
        "best_return": max(rates),
        "worst_return": min(rates),
        "average_bars": sum(lasted) / len(lasted) if lasted else Undefined("there are no bars"),
    }


def _mean(values: Sequence[Decimal], why_not: str) -> Value:
    if not values:
        return Undefined(why_not)
    return quotient(sum(values, ZERO), Decimal(len(values)))


def _activity(record: RunRecord) -> dict[str, Value]:
    points = record.equity
    traded = sum((fill.price * fill.quantity for fill in record.trades), ZERO)
    mean = _mean([point.equity for point in points], "the run has no bar")
    leverages = [quotient(one.exposure, one.equity) for one in points if one.equity > 0]
    inside = sum(1 for point in points if point.exposure)
    return {
        "orders": len(record.orders),
        "fills": len(record.trades),
        "exposure_time": inside / len(points) if points else Undefined("the run has no bar"),
        "peak_leverage": float(max(leverages, default=ZERO)),
        "turnover": _fraction(traded, mean, "the mean equity was not above 0")
        if isinstance(mean, Decimal)
        else mean,
        "commissions": trim(sum((fill.commission for fill in record.trades), ZERO)),
    }
