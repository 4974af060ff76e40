"""Trading sessions of the paper exchange: an exchange calendar where one is installed.

The package `exchange_calendars` (extra `calendars`) knows the holidays and early closes of the New
York Stock Exchange; without it the rules of `providers.engine.sessions` hold.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from providers.engine import sessions
from providers.models import AssetClass

BY_CALENDAR = frozenset({AssetClass.STOCK, AssetClass.FUTURES})


def session_end(asset_class: AssetClass, now: datetime) -> datetime:
    """The first session end after `now`, in UTC."""
    calendar = new_york() if asset_class in BY_CALENDAR else None
    if calendar is None:
        return sessions.session_end(asset_class, now)
    end: datetime = calendar.next_close(now).to_pydatetime()
    return end.astimezone(UTC)


def is_open(asset_class: AssetClass, now: datetime) -> bool:
    """Whether the market of an asset class trades at this moment."""
    calendar = new_york() if asset_class in BY_CALENDAR else None
    if calendar is None:
        return sessions.is_open(asset_class, now)
    return bool(calendar.is_open_at_time(now, side="left"))


@lru_cache(maxsize=1)
def new_york() -> Any | None:
    """The calendar of the New York Stock Exchange, or None without the package."""
    if find_spec("exchange_calendars") is None:
        return None
    from exchange_calendars import get_calendar

    return get_calendar("XNYS")
