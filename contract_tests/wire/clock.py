"""The clock that checks wait by.

A run that makes a report lets each check live on a clock of steps: it stands still until an answer
comes, and shows the time of the last one. So whatever a check decides by the time it decides by
what the report records, and a second look at the same traffic comes to the same decision.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Final


class Clock:
    """The clock on the wall."""

    def begin(self) -> None:
        """A check begins now."""

    def monotonic(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def now(self) -> datetime:
        """The time of day."""
        return datetime.now(UTC)

    def answered(self) -> float:
        """Note that an answer came; the time at which it did."""
        return self.monotonic()

    def real(self) -> float:
        """Seconds since that moment, whatever the clock shows."""
        return time.monotonic()

    def reach(self, at: float) -> None:
        """Note that it is that late at least."""


class Steps(Clock):
    """Goes forward only when an answer comes and by what is slept. Times are since `begin`."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self._origin = time.monotonic()
        self._shown = 0.0

    def begin(self) -> None:
        """Start at zero."""
        self.started_at = datetime.now(UTC)
        self._origin = time.monotonic()
        self._shown = 0.0

    def monotonic(self) -> float:
        """Seconds from the beginning of the check to its last answer."""
        return self._shown

    def sleep(self, seconds: float) -> None:
        """Sleep, and show just that much more."""
        time.sleep(seconds)
        self._shown += seconds

    def now(self) -> datetime:
        """The time of day at the last answer."""
        return self.started_at + timedelta(seconds=self._shown)

    def answered(self) -> float:
        """Show the time that it really is."""
        self.reach(self.real())
        return self._shown

    def real(self) -> float:
        """Seconds since the beginning of the check."""
        return round(time.monotonic() - self._origin, 6)

    def reach(self, at: float) -> None:
        """Show that much, unless it shows more."""
        self._shown = max(self._shown, at)


class Played(Steps):
    """Shows the times that another clock of steps showed, and nobody waits."""

    def restart(self, started_at: datetime) -> None:
        """A recorded check begins."""
        self.started_at = started_at
        self._shown = 0.0

    def begin(self) -> None:
        """The beginning is that of the recording: see restart."""

    def sleep(self, seconds: float) -> None:
        """Show that much more."""
        self._shown += seconds

    def advance(self, at: float) -> float:
        """A recorded answer comes at its time."""
        self.reach(at)
        return self._shown


WALL: Final = Clock()
_clock: ContextVar[Clock] = ContextVar("_clock", default=WALL)


def current() -> Clock:
    """The clock of the check that runs here."""
    return _clock.get()


@contextmanager
def use(clock: Clock) -> Iterator[None]:
    """Let what runs in the block live on a clock."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)
