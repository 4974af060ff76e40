"""Bars out of an exchange's candles: which of its timeframes make ours, and putting them together.

All timeframes are counted in UTC, and weeks from Monday. An exchange's own weeks often start on
another day, so weeks are made of days here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from providers.errors import InvalidValue, ProviderError
from providers.live.reading import SPANS
from providers.models import Bar, Timeframe

NATIVE: Final = {
    **{each.value: span for each, span in SPANS.items() if each is not Timeframe.W1},
    "3m": timedelta(minutes=3),
    "6h": timedelta(hours=6),
    "8h": timedelta(hours=8),
}
"""The timeframes of exchanges that are of use, by ccxt's names."""

MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
"""A moment at which bars of every timeframe open."""


def source(timeframe: Timeframe, offered: Iterable[str]) -> str:
    """The longest timeframe on offer that makes ours. Raises InvalidValue."""
    span = SPANS[timeframe]
    fitting = [each for each in offered if each in NATIVE and not span % NATIVE[each]]
    if not fitting:
        raise InvalidValue("timeframe", timeframe.value, "the exchange has no bars to make it of")
    return max(fitting, key=lambda each: NATIVE[each])


def floor(at: datetime, span: timedelta) -> datetime:
    """When the bar opened that a moment lies in."""
    return at - (at - MONDAY) % span


def merged(timeframe: Timeframe, opened: datetime, finer: Sequence[Bar]) -> Bar:
    """One bar of ascending finer ones."""
    return finer[0].evolve(
        timeframe=timeframe,
        timestamp=opened,
        high=max(each.high for each in finer),
        low=min(each.low for each in finer),
        close=finer[-1].close,
        volume=sum(each.volume for each in finer),
    )


def aggregated(timeframe: Timeframe, finer: Iterable[Bar]) -> list[Bar]:
    """Ascending bars as bars of a longer timeframe; those that are missing are left out."""
    span = SPANS[timeframe]
    groups = groupby(finer, lambda each: floor(each.timestamp, span))
    return [merged(timeframe, opened, list(group)) for opened, group in groups]


def aligned(bars: Iterable[Bar], span: timedelta) -> list[Bar]:
    """The bars, ascending and each once. Raises ProviderError for one at an odd time."""
    found = {each.timestamp: each for each in bars}
    for at in found:
        if at != floor(at, span):
            raise ProviderError(f"a bar of {span} opens at {at.isoformat()}")
    return [found[at] for at in sorted(found)]
