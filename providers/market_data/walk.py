"""The daily closes after the end of history: a random walk with random access.

A walk drawn day by day makes the close of day 5000 cost 5000 draws, and lets prices wander off.
This one is drawn from the coarse to the fine instead (a Brownian bridge by midpoint
displacement): every 256th day has a close near the anchor, the day midway between two such days
the mean of the two plus a displacement, and so on by halves. To know day 100 of a walk one needs

    256 -> 128 -> 64 -> 96 -> 112 -> 104 -> 100

and day 0: never more than ten closes, each a hash of its day, whatever was asked before.
A displacement grows with the root of the time it bridges, as in a random walk, and prices are
reflected at a quarter and at four times the anchor, so they stay plausible for ever.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

from providers.market_data.draws import BELL_DEVIATION, UNIFORM, bell, draws, fold

BLOCK = 256
"""Days between two closes that are drawn on their own; a power of two."""

_PPM = 1_000_000
_KNOT_SPREAD = 20  # daily deviations a knot is away at most: what 256 days of walking would give
_CACHED_CLOSES = 4096


class DailyWalk:
    """Closing prices by day number; day 0 closes at `anchor` and precedes the first bar.

    `sigma` is the standard deviation of a day's return in parts per million. Prices are in price
    increments.
    """

    def __init__(self, key: str, anchor: int, sigma: int) -> None:
        self._key = key
        self._anchor = anchor
        self._sigma = sigma
        self.low = max(1, anchor // 4)
        self.high = anchor * 4
        self.close = lru_cache(_CACHED_CLOSES)(self._close)

    def ohlc(self, day: int) -> tuple[int, int, int, int]:
        """The bar of `day` >= 1: it opens at the close before."""
        opened, closed = self.close(day - 1), self.close(day)
        up, down = draws(f"{self._key}|wick|{day}", 2)
        reach = opened * self._sigma  # up to 0.8 of a deviation beyond open and close
        high = max(opened, closed) + reach * up * 4 // (5 * UNIFORM * _PPM)
        low = min(opened, closed) - reach * down * 4 // (5 * UNIFORM * _PPM)
        return opened, min(high, self.high), max(low, self.low), closed

    def _close(self, day: int) -> int:
        half = day & -day  # the largest power of two that divides the day
        if day == 0:
            return self._anchor
        if half >= BLOCK:
            return self._bounded(self._anchor + self._offset(day))
        middle = (self.close(day - half) + self.close(day + half)) // 2
        return self._bounded(middle + self._displacement(day, half, middle))

    def _offset(self, day: int) -> int:
        (draw,) = draws(f"{self._key}|knot|{day}", 1)
        return self._anchor * self._sigma * _KNOT_SPREAD * (2 * draw - UNIFORM) // (UNIFORM * _PPM)

    def _displacement(self, day: int, half: int, middle: int) -> int:
        """Deviation of a bridge of 2 * `half` days at its middle: sigma * sqrt(half / 2)."""
        thousandths = isqrt(half * 500_000)
        draw = bell(f"{self._key}|close|{day}")
        return middle * self._sigma * thousandths * draw // (1000 * BELL_DEVIATION * _PPM)

    def _bounded(self, price: int) -> int:
        return fold(price, self.low, self.high)
