"""The real bars shipped with the package (data/SOURCES.md says whose they are)."""

from __future__ import annotations

import csv
import gzip
import io
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from operator import attrgetter

from providers.market_data.aggregate import DAY, RawBar, floor_to, merge, to_seconds


@dataclass(frozen=True, slots=True)
class History:
    """Ascending bars of `span` seconds each (a day or an hour), with gaps where no one traded."""

    span: int
    bars: tuple[RawBar, ...]

    @property
    def first(self) -> int:
        """The start of the first bar."""
        return self.bars[0].start

    @property
    def last_day(self) -> int:
        """The start of the last day that has a bar; the synthetic market opens the day after."""
        return floor_to(self.bars[-1].start, DAY)

    def of_day(self, start: int) -> tuple[RawBar, ...]:
        """The bars within the day that starts at `start`; none on a day without trading."""
        first, end = (
            bisect_left(self.bars, moment, key=attrgetter("start"))
            for moment in (start, start + DAY)
        )
        return self.bars[first:end]

    def day(self, start: int) -> RawBar | None:
        """The bar of that day, made of its hours where the history is hourly."""
        bars = self.of_day(start)
        return merge(start, bars) if bars else None

    def usual_volume(self) -> int:
        """The mean volume of the last 250 days that have a bar."""
        days = sorted({floor_to(bar.start, DAY) for bar in self.bars})[-250:]
        return sum(bar.volume for bar in self.bars if bar.start >= days[0]) // len(days)


def load(name: str, span: int) -> History:
    """Read `data/<name>.csv.gz`, bars of `span` seconds."""
    packed = files(__package__).joinpath("data", f"{name}.csv.gz").read_bytes()
    return History(span, tuple(_parse(gzip.decompress(packed).decode())))


def _parse(text: str) -> Iterator[RawBar]:
    rows = csv.reader(io.StringIO(text))
    next(rows)
    for start, opened, high, low, close, volume in rows:
        moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
        yield RawBar(
            to_seconds(moment),
            _whole(opened),
            _whole(high),
            _whole(low),
            _whole(close),
            int(volume),
        )


def _whole(price: str) -> int:
    """A price in increments; the file writes as many decimals as the price increment has."""
    return int(price.replace(".", ""))
