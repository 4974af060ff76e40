"""Bars as whole numbers, and how finer ones make a coarser one.

Inside the feed a price is a count of price increments, a volume a count of volume increments and
a time a count of seconds since 1970-01-01T00:00Z, so that sums and comparisons are exact. Only
`synthetic` turns them into decimals and datetimes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from providers.models import Timeframe

MINUTE = 60
FIVE_MINUTES = 5 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

SECONDS = {
    Timeframe.M1: MINUTE,
    Timeframe.M2: 2 * MINUTE,
    Timeframe.M5: FIVE_MINUTES,
    Timeframe.M10: 10 * MINUTE,
    Timeframe.M15: 15 * MINUTE,
    Timeframe.M30: 30 * MINUTE,
    Timeframe.H1: HOUR,
    Timeframe.H2: 2 * HOUR,
    Timeframe.H4: 4 * HOUR,
    Timeframe.H12: 12 * HOUR,
    Timeframe.D1: DAY,
    Timeframe.W1: WEEK,
}
"""The length of each timeframe of GET /bars."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MONDAY = 4 * DAY  # 1970-01-05T00:00Z: the epoch itself fell on a Thursday


class RawBar(NamedTuple):
    """One bar: `start` in seconds since the epoch, prices and volume in increments."""

    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int


def to_seconds(moment: datetime) -> int:
    """Whole seconds since the epoch, rounded down. `moment` is timezone-aware."""
    return (moment - EPOCH) // _SECOND


def to_seconds_up(moment: datetime) -> int:
    """Whole seconds since the epoch, rounded up. `moment` is timezone-aware."""
    return -((EPOCH - moment) // _SECOND)


def to_datetime(seconds: int) -> datetime:
    """The UTC moment `seconds` after the epoch."""
    return EPOCH + timedelta(seconds=seconds)


def floor_to(seconds: int, span: int) -> int:
    """The opening time of the bar of length `span` that contains `seconds`.

    All timeframes are aligned in UTC; weeks start on Monday 00:00. Counting from a Monday serves
    the shorter ones as well, because each divides a day.
    """
    return seconds - (seconds - _MONDAY) % span


def merge(start: int, bars: Iterable[RawBar]) -> RawBar:
    """One bar opening at `start` that covers `bars`, which are ascending and at least one."""
    _, opens, highs, lows, closes, volumes = zip(*bars, strict=True)
    return RawBar(start, opens[0], max(highs), min(lows), closes[-1], sum(volumes))


def aggregate(bars: Iterable[RawBar], span: int) -> list[RawBar]:
    """Ascending `bars` as bars of length `span` seconds.

    Where the finer bars have a gap the coarser one is made of those there are, and where there
    is none at all there is no coarser one either.
    """
    return [
        merge(start, group) for start, group in groupby(bars, lambda bar: floor_to(bar.start, span))
    ]
