"""What the charts of the tear sheet show, thinned to what an eye can tell apart.

The page's own script draws the two charts over time, so that they can be read off, zoomed and
resized; the histogram and the months are plain markup.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from providers.backtest.results import curves
from providers.backtest.results.curves import Calendar
from providers.backtest.results.record import RunRecord
from providers.backtest.results.round_trips import RoundTrip
from providers.backtest.source import closes
from providers.engine.money import ZERO
from providers.market_data.aggregate import SECONDS, to_seconds
from providers.models import Bar, Side, Trade

POINTS: Final = 5_000
"""What a chart holds at most, apart from fills: none of those is left out."""

SYMBOLS: Final = 40
"""How many symbols have a price chart; those with the most fills do."""

_BARS: Final = 2_500
_ALL_BARS: Final = 50_000
_BINS: Final = 24
_STEPS: Final = 5


def over_time(record: RunRecord) -> dict[str, Any]:
    """The data of the charts over time: numbers for drawing, times in seconds since 1970."""
    symbols = charted(record)
    limit = max(min(_BARS, _ALL_BARS // max(len(symbols), 1)), 1)
    fills: defaultdict[str, list[Trade]] = defaultdict(list)
    for fill in record.trades:
        fills[fill.symbol].append(fill)
    return {
        "currency": record.currency,
        "start": to_seconds(record.started),
        "end": to_seconds(record.ended),
        "account": account(record),
        "symbols": [_prices(record, symbol, fills[symbol], limit) for symbol in symbols],
    }


def charted(record: RunRecord) -> list[str]:
    """The symbols with a price chart, in their own order."""
    number = Counter(fill.symbol for fill in record.trades)
    most = sorted(record.bars, key=lambda symbol: -number[symbol])[:SYMBOLS]
    return [symbol for symbol in record.bars if symbol in most and record.run_bars(symbol)]


def account(record: RunRecord) -> dict[str, list[Any]]:
    """Equity, what buy and hold would have made, and drawdown, from the start of the run on."""
    falls = [float(fall) for fall in curves.underwater(record)]
    equity = [_number(point.equity) for point in record.equity]
    kept = thinned([equity, falls], POINTS)
    points = [record.equity[place] for place in kept]
    start = _number(record.initial_balance)
    return {
        "time": [to_seconds(record.started), *(to_seconds(point.time) for point in points)],
        "equity": [start, *(equity[place] for place in kept)],
        "held": _held(record, [to_seconds(point.time) for point in points]),
        "drawdown": [0.0, *(round(-falls[place], 6) for place in kept)],
    }


def _held(record: RunRecord, times: Sequence[int]) -> list[float]:
    """The worth of the initial balance at these times, had it bought the first symbol."""
    prices = curves.benchmark_prices(record)
    if prices is None:
        return []
    first, held = prices
    start, values, place, price = record.initial_balance, [], 0, first
    for time in times:
        while place < len(held) and to_seconds(held[place][0]) <= time:
            price = held[place][1]
            place += 1
        values.append(_number(start * price / first))
    return [_number(start), *values]


def thinned(columns: Sequence[Sequence[float]], limit: int) -> list[int]:
    """The places to keep of columns of equal length: at most `limit`, ascending.

    Of each stretch the lowest and the highest value of each column are kept, so no extreme is
    lost, and the first and last place of all.
    """
    length = len(columns[0])
    if length <= limit:
        return list(range(length))
    stretches = max((limit - 2) // (2 * len(columns)), 1)
    edges = [length * number // stretches for number in range(stretches + 1)]
    kept = {0, length - 1}
    for low, high in itertools.pairwise(edges):
        for column in columns:
            kept |= {min(range(low, high), key=column.__getitem__)}
            kept |= {max(range(low, high), key=column.__getitem__)}
    return sorted(kept)


def _prices(record: RunRecord, symbol: str, fills: Iterable[Trade], limit: int) -> dict[str, Any]:
    bars = record.run_bars(symbol)
    merged = max(math.ceil(len(bars) / limit), 1)
    groups = [bars[place : place + merged] for place in range(0, len(bars), merged)]
    return {
        "name": symbol,
        "step": merged * SECONDS[bars[0].timeframe],
        "merged": merged,
        "bars": [_candle(group) for group in groups],
        "fills": [
            [
                to_seconds(fill.timestamp),
                _number(fill.price),
                _number(fill.quantity),
                1 if fill.side is Side.BUY else -1,
            ]
            for fill in fills
        ],
    }


def _candle(bars: Sequence[Bar]) -> list[float]:
    """Closing time, open, high, low and close of bars as one."""
    return [
        to_seconds(closes(bars[-1])),
        _number(bars[0].open),
        _number(max(bar.high for bar in bars)),
        _number(min(bar.low for bar in bars)),
        _number(bars[-1].close),
    ]


def _number(value: Decimal) -> float:
    return float(f"{value:.10g}")


@dataclass(frozen=True, slots=True)
class Bin:
    """Round trips whose return lies from `low` to below `high`; x, width and height in percent."""

    low: float
    high: float
    number: int
    x: float
    width: float
    height: float

    @property
    def sign(self) -> str:
        return "loss" if self.high <= 0 else "gain"


def histogram(trips: Iterable[RoundTrip]) -> list[Bin]:
    """How the returns of completed round trips are distributed, in bins of a round width.

    One edge is at 0. Without two different returns there is nothing to show.
    """
    values = [float(trip.net_return) for trip in trips if trip.status == "closed"]
    if len(set(values)) < 2:
        return []
    step = _round_up((max(*values, 0.0) - min(*values, 0.0)) / _BINS)
    places = Counter(math.floor(value / step + 1e-9) for value in values)
    first, last = min(*places, -1), max(*places, 0)
    width, most = 100 / (last - first + 1), max(places.values())
    return [
        Bin(
            place * step,
            (place + 1) * step,
            places[place],
            (place - first) * width,
            width,
            100 * places[place] / most,
        )
        for place in range(first, last + 1)
    ]


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= value)


@dataclass(frozen=True, slots=True)
class Cell:
    """A return in the table of months, None where the run has none, and how deep its colour is."""

    name: str
    value: float | None
    shade: str


_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def months(record: RunRecord, calendar: Calendar) -> list[tuple[int, list[Cell]]]:
    """The years, newest first, each with its months and itself as a whole."""
    found = curves.monthly(record, calendar)
    largest = max((abs(value) for value in found.values()), default=ZERO)
    years = sorted({year for year, _ in found}, reverse=True)
    return [(year, _year(year, found, largest)) for year in years]


def _year(year: int, found: dict[tuple[int, int], Decimal], largest: Decimal) -> list[Cell]:
    values = [found.get((year, month)) for month in range(1, 13)]
    cells = [
        Cell(name, None if value is None else float(value), _shade(value, largest))
        for name, value in zip(_MONTHS, values, strict=True)
    ]
    whole = math.prod(1 + float(value) for value in values if value is not None) - 1
    return [*cells, Cell("Year", whole, "whole")]


def _shade(value: Decimal | None, largest: Decimal) -> str:
    """A class of the style sheet: how large a return is beside the largest."""
    if value is None:
        return "none"
    if not value or not largest:
        return "zero"
    depth = math.ceil(float(abs(value) / largest) * _STEPS - 1e-9)
    return f"{'gain' if value > 0 else 'loss'}-{max(depth, 1)}"
