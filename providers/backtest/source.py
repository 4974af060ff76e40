"""Where the bars of a backtest come from: the port, and bars that are in memory already."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from providers.base import BarQuery, Instrument
from providers.errors import UnsupportedOperation
from providers.market_data.aggregate import SECONDS, floor_to, to_datetime, to_seconds
from providers.models import Bar, Timeframe
from providers.values import trusted

PROVIDER = "backtest"
"""The `provider` of the bars and quotes of a backtest."""

new_bar = trusted(Bar)


class BarSource(Protocol):
    """History of some symbols in one timeframe, sound and in order."""

    @property
    def timeframe(self) -> Timeframe: ...

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """By symbol, in the order in which symbols of the same moment are replayed."""

    def replay(self) -> Iterator[Bar]:
        """The bars of the run, by opening time and then by symbol; never all in memory at once."""

    def closed(self, query: BarQuery, by: datetime) -> list[Bar]:
        """The newest `query.limit` bars that have closed by a moment, ascending; also bars from
        before the run. `query.symbol` is one of `instruments`.

        Timeframes that are a multiple of the source's are made of its bars, exactly; an unfinished
        one is left out. Raises UnsupportedOperation for others.
        """

    def close(self) -> None:
        """Release files; called once, after the run."""


class MemoryBars:
    """A `BarSource` of bars that are at hand: for tests, and for histories of a few thousand bars.

    `bars` are all of `timeframe`, in any order; those from `start` on are the run.
    """

    def __init__(
        self,
        bars: Iterable[Bar],
        instruments: Iterable[Instrument],
        timeframe: Timeframe,
        *,
        start: datetime | None = None,
    ) -> None:
        self.timeframe = timeframe
        self.instruments = MappingProxyType({each.symbol: each for each in instruments})
        place = {symbol: number for number, symbol in enumerate(self.instruments)}
        self._bars = sorted(bars, key=lambda bar: (bar.timestamp, place[bar.symbol]))
        self._start = start
        self._made: dict[tuple[str, Timeframe], list[Bar]] = {}

    def replay(self) -> Iterator[Bar]:
        return (bar for bar in self._bars if self._start is None or bar.timestamp >= self._start)

    def closed(self, query: BarQuery, by: datetime) -> list[Bar]:
        key = query.symbol, query.timeframe
        if key not in self._made:
            own = [bar for bar in self._bars if bar.symbol == query.symbol]
            self._made[key] = coarser(own, self.timeframe, query.timeframe)
        return window(self._made[key], query, by)

    def close(self) -> None:
        """There is nothing to release."""


def coarser(bars: Sequence[Bar], timeframe: Timeframe, wanted: Timeframe) -> list[Bar]:
    """Bars of one symbol, ascending, in the wanted timeframe, a multiple of their own.

    Raises UnsupportedOperation for a timeframe that is no multiple.
    """
    check_multiple(timeframe, wanted)
    if timeframe is wanted:
        return list(bars)
    groups: dict[int, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(floor_to(to_seconds(bar.timestamp), SECONDS[wanted]), []).append(bar)
    return [_merged(start, group, wanted) for start, group in groups.items()]


def check_multiple(timeframe: Timeframe, wanted: Timeframe) -> None:
    """Raises UnsupportedOperation where bars cannot be made of those there are."""
    if SECONDS[wanted] % SECONDS[timeframe]:
        raise UnsupportedOperation(f"bars of {wanted.value}: the history has {timeframe.value}")


def window(bars: Sequence[Bar], query: BarQuery, by: datetime) -> list[Bar]:
    """Those of ascending bars that have closed by a moment and that the query asks for."""
    last = bisect_right(bars, by, key=closes)
    if query.end is not None:
        last = min(last, bisect_right(bars, query.end, key=_opens))
    first = bisect_left(bars, query.start, key=_opens) if query.start is not None else 0
    return list(bars[max(first, last - query.limit) : last])


def _opens(bar: Bar) -> datetime:
    return bar.timestamp


def closes(bar: Bar) -> datetime:
    """The moment at which a bar is complete."""
    return bar.timestamp + timedelta(seconds=SECONDS[bar.timeframe])


def _merged(start: int, bars: Sequence[Bar], timeframe: Timeframe) -> Bar:
    return new_bar(
        symbol=bars[0].symbol,
        provider=PROVIDER,
        timeframe=timeframe,
        timestamp=to_datetime(start),
        open=bars[0].open,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=sum((bar.volume for bar in bars), start=bars[0].volume * 0),
    )
