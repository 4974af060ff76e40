"""One bar into finer ones, one minute into ticks: pure functions of integers.

What `split` guarantees for every bar: the first child opens at the parent's open, each next one
at the close before it, the last closes at the parent's close; the highest high and the lowest low
are the parent's; the volumes add up to the parent's. So bars of every timeframe agree by
construction, whichever is computed first.

A worked example. A bar opens at 100, falls to 90, rises to 110, closes at 105, and is to become
five. Drawn are the order of the extremes (low first) and when they are reached (after steps 1 and
4), which fixes four points of a path; random steps fill what lies between:

    fixed      100   90    .    .  110  105
    straight   100   90   97  103  110  105
    walked     100   90   99  111  110  105     random steps that cancel out at the fixed points
    folded     100   90   99  109  110  105     111 is reflected at the high of 110

Between neighbouring points lie the children: 100-90, 90-99, 99-109, 109-110, 110-105. Each then
gets a wick above and below, never beyond 90 and 110. (For bars the fixed points stop a little
short of the extremes, so that not every extreme is also some child's open or close; the child
that comes nearest gets its wick up to exactly 110, or down to exactly 90.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import isqrt

from providers.market_data.aggregate import RawBar
from providers.market_data.draws import UNIFORM, draws, fold

ORDERING = 4
"""Draws a path needs beside one per step: the order of the extremes and three lengths."""

_HALF = UNIFORM // 2


def split(parent: RawBar, seconds: int, count: int, key: str) -> list[RawBar]:
    """`parent` as `count` >= 3 bars of `seconds` each; the same `key` gives the same bars."""
    noise = draws(key, 4 * count + ORDERING)
    points = _points_inside(parent, count, noise[3 * count :])
    highs, lows = _wicks(parent, points, noise)
    volumes = _shares(parent.volume, noise[2 * count : 3 * count])
    starts = range(parent.start, parent.start + count * seconds, seconds)
    return list(map(RawBar, starts, points, highs, lows, points[1:], volumes))


def walk(bar: RawBar, steps: int, noise: Sequence[int]) -> list[int]:
    """A random path of `steps` + 1 prices with the bar's open, high, low and close.

    It starts at the open, reaches both extremes, ends at the close and stays in the range.
    `steps` is at least 3; `noise` holds at least `steps` + ORDERING draws. A step is uniform on
    up to +-range/sqrt(steps), which is about as much as a path that wide needs.
    """
    stops = _stops(bar, noise)
    places = _places(stops, steps, noise[1:ORDERING])
    path = [bar.open]
    for (begin, end), (start, goal) in zip(pairwise(places), pairwise(stops), strict=True):
        steps_here = noise[ORDERING + begin : ORDERING + end]
        path += _bridge(start, goal, bar, steps_here, _HALF * isqrt(steps))
    return path


def _stops(bar: RawBar, noise: Sequence[int]) -> tuple[int, int, int, int]:
    """Open, the two extremes, close; three rising bars of four see their low first."""
    likely = noise[0] < 3 * UNIFORM // 4
    low_first = likely == (bar.close >= bar.open)
    extremes = (bar.low, bar.high) if low_first else (bar.high, bar.low)
    return bar.open, *extremes, bar.close


def _places(stops: Sequence[int], steps: int, noise: Sequence[int]) -> tuple[int, int, int, int]:
    """After how many steps each stop is reached: a longer way takes longer, at least one step."""
    first, second, third = (
        1 + abs(goal - start) * (_HALF + draw)
        for (start, goal), draw in zip(pairwise(stops), noise, strict=True)
    )
    spare, whole = steps - 3, first + second + third
    return 0, 1 + spare * first // whole, 2 + spare * (first + second) // whole, steps


def _bridge(start: int, goal: int, bar: RawBar, noise: Sequence[int], reach: int) -> list[int]:
    """A random walk from `start` (left out) to `goal`, one step per draw, folded into the bar.

    Everything is multiplied out before the one division at the end, so that a bar only one or two
    increments wide still moves.
    """
    low, high, span, steps = bar.low, bar.high, bar.high - bar.low, len(noise)
    wander = list(accumulate(draw - _HALF for draw in noise))
    tilt = (goal - start) * reach - wander[-1] * span  # per step, to end at the goal
    path = [
        start + (i * tilt + steps * strayed * span) // (steps * reach)
        for i, strayed in enumerate(wander, 1)
    ]
    return [price if low <= price <= high else fold(price, low, high) for price in path]


def _points_inside(parent: RawBar, count: int, noise: Sequence[int]) -> list[int]:
    """The opens and closes of the children: a path that keeps a little off the extremes."""
    bottom, top = sorted((parent.open, parent.close))
    low = parent.low + (bottom - parent.low) // isqrt(count)
    high = parent.high - (parent.high - top) // isqrt(count)
    return walk(parent._replace(low=low, high=high), count, noise)


def _wicks(
    parent: RawBar, points: Sequence[int], noise: Sequence[int]
) -> tuple[list[int], list[int]]:
    """The highs and lows of the children between neighbouring `points`."""
    count = len(points) - 1
    low, high, span = parent.low, parent.high, parent.high - parent.low
    scale = 2 * UNIFORM * isqrt(count)
    tops, bottoms = map(max, points, points[1:]), map(min, points, points[1:])
    highs = [min(high, top + draw * span // scale) for top, draw in zip(tops, noise, strict=False)]
    lows = [
        max(low, bottom - draw * span // scale)
        for bottom, draw in zip(bottoms, noise[count:], strict=False)
    ]
    highs[highs.index(max(highs))] = high
    lows[lows.index(min(lows))] = low
    return highs, lows


def _shares(total: int, noise: Sequence[int]) -> list[int]:
    """`total` in one part per draw, the largest at most about three times the smallest."""
    running = list(accumulate((_HALF + draw for draw in noise), initial=0))
    marks = [total * part // running[-1] for part in running]
    return [after - before for before, after in pairwise(marks)]
