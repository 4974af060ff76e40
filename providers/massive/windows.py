"""Which aggregates of Massive's make our bars.

Massive counts windows of several minutes from the start of the request, so requests begin where a
bar of ours opens. Hours are put together here, since ours are counted in UTC. Its weeks begin on
Sunday and ours on Monday, so weeks are made of days. A day of stocks is one of New York: its bar
bears the moment at which that day began.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from providers.models import Bar, Timeframe

MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
EARLIEST: Final = datetime(2000, 1, 3, tzinfo=UTC)
"""A Monday before all of Massive's data."""
MOST: Final = 50_000
"""Aggregates of a minute, or of a day, that one request may look at."""

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """One timeframe of ours: its `span`, and Massive's `multiplier` and `timespan` for it.

    `step` is the span of what Massive gives, and `base` that of what it makes it of.
    """

    span: timedelta
    multiplier: int
    timespan: str

    @property
    def step(self) -> timedelta:
        return self.multiplier * {"minute": MINUTE, "hour": HOUR, "day": DAY}[self.timespan]

    @property
    def base(self) -> timedelta:
        return DAY if self.timespan == "day" else MINUTE

    def limit(self, bars: int) -> int:
        """How many base aggregates to ask for, to get so many bars and one that may be cut off."""
        return min(MOST, (bars + 1) * (self.span // self.base))


WINDOWS: Final = {
    Timeframe.M1: Window(MINUTE, 1, "minute"),
    Timeframe.M2: Window(2 * MINUTE, 2, "minute"),
    Timeframe.M5: Window(5 * MINUTE, 5, "minute"),
    Timeframe.M10: Window(10 * MINUTE, 10, "minute"),
    Timeframe.M15: Window(15 * MINUTE, 15, "minute"),
    Timeframe.M30: Window(30 * MINUTE, 30, "minute"),
    Timeframe.H1: Window(HOUR, 1, "hour"),
    Timeframe.H2: Window(2 * HOUR, 1, "hour"),
    Timeframe.H4: Window(4 * HOUR, 1, "hour"),
    Timeframe.H12: Window(12 * HOUR, 1, "hour"),
    Timeframe.D1: Window(DAY, 1, "day"),
    Timeframe.W1: Window(7 * DAY, 1, "day"),
}


def floor(at: datetime, span: timedelta) -> datetime:
    """When the bar opened that a moment lies in; weeks open on Monday."""
    return at - (at - MONDAY) % span


def joined(finer: Iterable[Bar], window: Window) -> list[Bar]:
    """Ascending aggregates as bars of ours."""
    if window.step == window.span:
        return list(finer)
    groups = groupby(finer, lambda each: floor(each.timestamp, window.span))
    return [_merged(opened, list(group)) for opened, group in groups]


def _merged(opened: datetime, finer: Sequence[Bar]) -> Bar:
    return finer[0].evolve(
        timestamp=opened,
        high=max(each.high for each in finer),
        low=min(each.low for each in finer),
        close=finer[-1].close,
        volume=sum(each.volume for each in finer),
    )
