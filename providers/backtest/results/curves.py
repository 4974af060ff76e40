"""Curves made of a record: equity by day, what buying and holding would have made, drawdowns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from providers.backtest.results.record import RunRecord
from providers.backtest.source import closes
from providers.engine.money import ONE, ZERO, quotient
from providers.market_data.aggregate import SECONDS
from providers.models import AssetClass, Timeframe

_SATURDAY = 5
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What a period is, and how many make a year."""

    periods_per_year: int
    basis: str
    day_of: Callable[[datetime], date]
    """The period that ends with a moment."""


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall of the equity from a peak."""

    depth: Decimal
    """A fraction of the peak, not below 0."""
    peak: datetime
    trough: datetime
    recovered: datetime | None
    """When the equity was at the peak again, None if it never was."""


def calendar_of(record: RunRecord) -> Calendar:
    """Weeks for weekly bars; else days: all of them where weekends are traded, or trading days.

    What happens at the weekend counts for the Monday where weekends are not traded days.
    """
    if record.timeframe is Timeframe.W1:
        return Calendar(52, "weekly, 52 to the year", lambda moment: (moment - _TICK).date())
    length = min(timedelta(seconds=SECONDS[record.timeframe]), timedelta(days=1))
    if trades_on_weekends(record):
        return Calendar(365, "daily, 365 to the year", lambda moment: (moment - length).date())
    return Calendar(
        252, "daily, 252 to the year", lambda moment: _weekday((moment - length).date())
    )


def trades_on_weekends(record: RunRecord) -> bool:
    """Whether one of the symbols does: by its asset class, or else by a bar on a Saturday."""
    if record.asset_classes:
        return AssetClass.CRYPTO in record.asset_classes.values()
    return any(
        bar.timestamp.weekday() == _SATURDAY for bars in record.bars.values() for bar in bars
    )


def _weekday(day: date) -> date:
    beyond = day.weekday() - _SATURDAY
    return day + timedelta(days=2 - beyond) if beyond >= 0 else day


def equity_by_day(record: RunRecord, calendar: Calendar) -> dict[date, Decimal]:
    """The equity at the end of each period of the run; without gaps where every day is one."""
    found = {
        calendar.day_of(point.time): point.equity
        for point in record.equity
        if point.time > record.started
    }
    if calendar.periods_per_year != 365 or not found:
        return found
    first, last = min(found), max(found)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return dict(zip(days, held_forward(found, days, ZERO), strict=True))


def held_forward(
    found: dict[date, Decimal], days: Iterable[date], before: Decimal
) -> list[Decimal]:
    """The value of each day, or the one before it where there is none."""
    values, value = [], before
    for day in days:
        value = found.get(day, value)
        values.append(value)
    return values


def benchmark_prices(record: RunRecord) -> tuple[Decimal, list[tuple[datetime, Decimal]]] | None:
    """The opening price of the first symbol in the run and its closes, None without a bar."""
    symbol = next(iter(record.bars), None)
    bars = [] if symbol is None else record.run_bars(symbol)
    if not bars:
        return None
    return bars[0].open, [(closes(bar), bar.close) for bar in bars]


def returns(values: Sequence[Decimal], start: Decimal) -> list[float] | None:
    """The change of each value from the one before, as fractions; None if one is not above 0.

    From nothing, or from a debt, there is no growth.
    """
    befores = [start, *values]
    if any(value <= 0 for value in befores):
        return None
    return [float(quotient(now, then) - ONE) for then, now in zip(befores, values, strict=False)]


def underwater(record: RunRecord) -> list[Decimal]:
    """How far below its highest value so far each point of the equity is, as a fraction."""
    peak, falls = record.initial_balance, []
    for point in record.equity:
        peak = max(peak, point.equity)
        falls.append(quotient(peak - point.equity, peak) if peak > 0 else ZERO)
    return falls


def deepest(record: RunRecord) -> Drawdown | None:
    """The deepest drawdown, the first of equals; None if the equity never fell."""
    falls = underwater(record)
    depth = max(falls, default=ZERO)
    if not depth:
        return None
    trough = falls.index(depth)
    before = next((n for n in range(trough, -1, -1) if not falls[n]), None)
    after = next((n for n in range(trough, len(falls)) if not falls[n]), None)
    return Drawdown(
        depth,
        record.started if before is None else record.equity[before].time,
        record.equity[trough].time,
        None if after is None else record.equity[after].time,
    )


def monthly(record: RunRecord, calendar: Calendar) -> dict[tuple[int, int], Decimal]:
    """The return of each month by (year, month), as far as the equity was above 0."""
    ends: dict[tuple[int, int], Decimal] = {}
    for day, equity in equity_by_day(record, calendar).items():
        ends[day.year, day.month] = equity
    befores = [record.initial_balance, *ends.values()]
    return {
        month: quotient(equity, before) - ONE
        for (month, equity), before in zip(ends.items(), befores, strict=False)
        if before > 0
    }
