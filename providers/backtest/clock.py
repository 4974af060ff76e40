"""Simulated time: it moves when it is told to, and never back."""

from __future__ import annotations

from datetime import datetime, timedelta

TICK = timedelta(microseconds=1)


class SimulatedClock:
    """`clock()` is the present moment of a run."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def move(self, at: datetime, after: datetime) -> datetime:
        """Go on to `at`, or just beyond the present and `after` where that is later."""
        self._now = max(at, self._now + TICK, after + TICK)
        return self._now
