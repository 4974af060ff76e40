"""Reading the table `bars`: all bars in order of time, and the newest ones before a moment.

Strategies ask for the newest bars at every bar. A page of them, some behind the moment and some
ahead, is kept for each symbol and timeframe, so that all but one question in hundreds are answered
from memory. What is ahead of the moment is never shown.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from providers.backtest.data.workshop import UNITS, Workshop
from providers.backtest.source import PROVIDER, new_bar
from providers.market_data.aggregate import SECONDS, floor_to, to_datetime
from providers.models import Bar, Timeframe

Row = tuple[int, int, int, int, int, int, int]
"""Seconds, number of the symbol, open, high, low, close and volume, in steps of the symbol."""


@dataclass(frozen=True, slots=True)
class Series:
    """One symbol in the table: its number, its steps, and the row ids of its run."""

    place: int
    symbol: str
    price: Decimal
    volume: Decimal
    first: int
    run: range

    def bar(self, timeframe: Timeframe, row: Row) -> Bar:
        start, _, opened, high, low, close, volume = row
        return new_bar(
            symbol=self.symbol,
            provider=PROVIDER,
            timeframe=timeframe,
            timestamp=to_datetime(start),
            open=opened * self.price,
            high=high * self.price,
            low=low * self.price,
            close=close * self.price,
            volume=volume * self.volume,
        )

    def columns(self) -> str:
        """SQL for a `Row`."""
        price, volume = int(self.price * UNITS), int(self.volume * UNITS)
        prices = ", ".join(f"{name} // {price}" for name in ("open", "high", "low", "close"))
        return f"start, place, {prices}, volume // {volume}"


def replayed(shop: Workshop, series: Series, size: int) -> Iterator[Row]:
    """The rows of a run, fetched `size` at a time."""
    for start in series.run[::size]:
        yield from shop.run(
            "SELECT $columns FROM bars WHERE rowid >= ? AND rowid < ? ORDER BY start",
            [start, min(start + size, series.run.stop)],
            columns=series.columns(),
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive bars, and whether there are none before or none after them."""

    starts: list[int]
    bars: list[Bar]
    first: bool
    last: bool

    def newest(self, limit: int, oldest: int | None, newest: int) -> list[Bar] | None:
        """The last `limit` bars that open from `oldest` to `newest`; None if others might too."""
        stop = bisect_right(self.starts, newest)
        if stop == len(self.starts) and not self.last:
            return None
        begin = 0 if oldest is None else bisect_left(self.starts, oldest)
        if begin == 0 and stop < limit and not self.first and not self._reaches(oldest):
            return None
        return self.bars[max(begin, stop - limit) : stop]

    def _reaches(self, oldest: int | None) -> bool:
        return oldest is not None and bool(self.starts) and self.starts[0] <= oldest


def read_page(
    shop: Workshop,
    series: Series,
    frames: tuple[Timeframe, Timeframe],
    newest: int,
    behind: int,
    ahead: int,
) -> Page:
    """Up to `behind` bars that open by `newest`, seconds, and up to `ahead` that open later.

    `frames` are the timeframe of the table and the one of the page.

    Looks in the vicinity first: further off there may be millions of rows.
    """
    own, timeframe = frames
    width = SECONDS[timeframe]
    reach = _VICINITY * max(behind, ahead) * width
    centre, first = floor_to(newest, width), floor_to(series.first, width)
    low, high = max(centre - reach, first), centre + reach
    parts = {"columns": series.columns(), "place": series.place, "width": width, "monday": _MONDAY}
    older_sql, later_sql = (
        sql.replace("$source", _OWN if own is timeframe else _MADE) for sql in (_OLDER, _LATER)
    )
    older = shop.run(older_sql, [newest, behind], low=low, high=high, **parts)
    if len(older) < behind and low > first:
        older = shop.run(older_sql, [newest, behind], low=first, high=high, **parts)
    later = shop.run(later_sql, [newest, ahead], low=low, high=high, **parts)
    if len(later) < ahead:
        later = shop.run(later_sql, [newest, ahead], low=low, high=_END, **parts)
    rows = older[::-1] + later
    bars = [series.bar(timeframe, row) for row in rows]
    return Page([row[0] for row in rows], bars, len(older) < behind, len(later) < ahead)


_VICINITY = 8  # stocks trade in fewer than one of five hours
_END = 1 << 53  # seconds: after all bars
_MONDAY = floor_to(0, SECONDS[Timeframe.W1])

_OLDER = "SELECT $columns FROM $source WHERE start <= ? ORDER BY start DESC LIMIT ?"
_LATER = "SELECT $columns FROM $source WHERE start > ? ORDER BY start LIMIT ?"
_OWN = "(SELECT * FROM bars WHERE place = $place AND start >= $low AND start < $high)"
_MADE = """(
    SELECT place, bars.start - ((bars.start - $monday) % $width + $width) % $width AS start,
           arg_min(open, bars.start) AS open, max(high) AS high, min(low) AS low,
           arg_max(close, bars.start) AS close, sum(volume) AS volume
    FROM bars WHERE place = $place AND bars.start >= $low AND bars.start < $high GROUP BY 1, 2
)"""
