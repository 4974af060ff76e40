"""Trading sessions of the paper exchange: an exchange calendar where one is installed.

The package `exchange_calendars` (extra `calendars`) knows the holidays and early closes of the New
York Stock Exchange; without it the rules of `providers.engine.sessions` hold.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from functools import lru_cache
from importlib.util import find_spec

from providers.engine import sessions
from providers.models import AssetClass

BY_CALENDAR = frozenset({AssetClass.STOCK, AssetClass.FUTURES})


def session_end(asset_class: AssetClass, now: datetime) -> datetime:
    """The first session end after `now`, in UTC."""
    calendar = calendar_for(asset_class, now)
    return calendar.session_end(now) if calendar else sessions.session_end(asset_class, now)


def is_open(asset_class: AssetClass, now: datetime) -> bool:
    """Whether the market of an asset class trades at this moment."""
    calendar = calendar_for(asset_class, now)
    return calendar.is_open(now) if calendar else sessions.is_open(asset_class, now)


def calendar_for(asset_class: AssetClass, now: datetime) -> ExchangeCalendar | None:
    """The calendar that knows this moment, or None: the built-in rules hold then."""
    calendar = new_york() if asset_class in BY_CALENDAR else None
    return calendar if calendar and calendar.covers(now) else None


def warm() -> None:
    """Load what takes seconds to load, so that the first order that needs it does not wait."""
    new_york()


class ExchangeCalendar:
    """The openings and closings of one exchange, as far as its calendar reaches."""

    def __init__(self, name: str) -> None:
        from exchange_calendars import get_calendar

        schedule = get_calendar(name).schedule
        self._opens: list[datetime] = [moment.to_pydatetime() for moment in schedule["open"]]
        self._closes: list[datetime] = [moment.to_pydatetime() for moment in schedule["close"]]

    def covers(self, now: datetime) -> bool:
        """Whether the calendar reaches from before `now` to a later close."""
        return self._opens[0] <= now < self._closes[-1]

    def session_end(self, now: datetime) -> datetime:
        """The first close after `now`, in UTC; `now` is covered."""
        return self._closes[bisect_right(self._closes, now)].astimezone(UTC)

    def is_open(self, now: datetime) -> bool:
        """Whether `now`, which is covered, lies in a session; its close is not part of it."""
        return now < self._closes[bisect_right(self._opens, now) - 1]


@lru_cache(maxsize=1)
def new_york() -> ExchangeCalendar | None:
    """The calendar of the New York Stock Exchange, or None without the package."""
    return ExchangeCalendar("XNYS") if find_spec("exchange_calendars") else None
