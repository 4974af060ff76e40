"""Massive's aggregates: made of bars of a minute or of a day, so many of them for a page.

Windows of several minutes are counted from where the request begins, and one that the limit cuts
in two is left for the next page. A day of stocks begins at midnight in New York.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from providers.base import BarQuery, Instrument
from providers.models import AssetClass, Bar, Timeframe
from tests.venues.exchange import Backing
from tests.venues.massive.answers import EPOCH, millis

NEW_YORK = ZoneInfo("America/New_York")
MINUTES = {"minute": 1, "hour": 60}


@dataclass(frozen=True)
class Asked:
    """A request; `first` and `last` inclusive, `limit` in bars of a minute or of a day."""

    multiplier: int
    timespan: str
    first: datetime
    last: datetime
    newest_first: bool
    limit: int

    @classmethod
    def of(cls, path: Mapping[str, Any], query: Mapping[str, str]) -> Asked:
        return cls(
            multiplier=path["multiplier"],
            timespan=path["timespan"],
            first=EPOCH + timedelta(milliseconds=int(path["first"])),
            last=EPOCH + timedelta(milliseconds=int(path["last"])),
            newest_first=query.get("sort") == "desc",
            limit=min(50_000, int(query.get("limit", "5000"))),
        )

    @property
    def span(self) -> timedelta:
        if self.timespan == "day":
            return self.multiplier * timedelta(days=1)
        return self.multiplier * timedelta(minutes=MINUTES[self.timespan])


@dataclass(frozen=True)
class Page:
    """Results, of how many base bars, and the millisecond at which the next page has to end."""

    results: list[dict[str, Any]]
    base: int
    following: int | None


async def page(inside: Backing, listed: Instrument, asked: Asked) -> Page:
    """Only the newest first, which is what our adapter asks for."""
    if not asked.newest_first:
        raise NotImplementedError("the oldest first")
    base = Timeframe.D1 if asked.timespan == "day" else Timeframe.M1
    bars = await base_bars(inside, listed, asked, base)
    cut = len(bars) > asked.limit
    windows = grouped(bars[-asked.limit :], asked)
    kept = windows[1:] if cut and len(windows) > 1 else windows
    results = [result(opened, each) for opened, each in reversed(kept)]
    following = millis(kept[0][0]) - 1 if cut and kept else None
    return Page(results, min(len(bars), asked.limit), following)


async def base_bars(
    inside: Backing, listed: Instrument, asked: Asked, base: Timeframe
) -> Sequence[Bar]:
    """One more than the limit, if there are so many; the one that runs is among them."""
    length = timedelta(days=1) if base is Timeframe.D1 else timedelta(minutes=1)
    now = inside.exchange.now()
    query = BarQuery(
        symbol=listed.symbol,
        timeframe=base,
        start=snapped(asked) - length,
        end=asked.last,
        limit=asked.limit + 2,
    )
    bars = await inside.market.bars(query, now + length)
    moved = [each.evolve(timestamp=moment(each, listed, base)) for each in bars]
    return [each for each in moved if snapped(asked) <= each.timestamp <= asked.last]


def snapped(asked: Asked) -> datetime:
    """The beginning of the minute, hour or day that the request begins in."""
    unit = timedelta(minutes=MINUTES.get(asked.timespan, 24 * 60))
    return asked.first - (asked.first - EPOCH) % unit


def moment(bar: Bar, listed: Instrument, base: Timeframe) -> datetime:
    """A day of stocks is New York's of that date."""
    if base is Timeframe.D1 and listed.asset_class is AssetClass.STOCK:
        return bar.timestamp.replace(tzinfo=NEW_YORK).astimezone(UTC)
    return bar.timestamp


def grouped(bars: Sequence[Bar], asked: Asked) -> list[tuple[datetime, list[Bar]]]:
    if asked.timespan == "day" and asked.multiplier == 1:
        return [(each.timestamp, [each]) for each in bars]
    windows: dict[datetime, list[Bar]] = {}
    start = snapped(asked)
    for each in bars:
        opened = each.timestamp - (each.timestamp - start) % asked.span
        windows.setdefault(opened, []).append(each)
    return list(windows.items())


def result(opened: datetime, bars: Sequence[Bar]) -> dict[str, Any]:
    return {
        "o": bars[0].open,
        "h": max(each.high for each in bars),
        "l": min(each.low for each in bars),
        "c": bars[-1].close,
        "v": sum(each.volume for each in bars),
        "vw": bars[-1].close,
        "t": millis(opened),
        "n": len(bars),
    }
