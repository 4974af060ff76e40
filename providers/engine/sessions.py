"""When a trading session ends, by asset class, in the built-in rule set.

    STOCK, FUTURES  16:00 New York, Monday to Friday (exchange holidays are not known here)
    FOREX           17:00 New York, Monday to Friday
    CRYPTO          00:00 UTC, every day

Sources: NYSE core session hours; the 5 p.m. New York convention of the spot FX market; UTC days
at crypto venues.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from providers.models import AssetClass

NEW_YORK = ZoneInfo("America/New_York")
SATURDAY = 5

CLOSES = {
    AssetClass.STOCK: time(16, tzinfo=NEW_YORK),
    AssetClass.FUTURES: time(16, tzinfo=NEW_YORK),
    AssetClass.FOREX: time(17, tzinfo=NEW_YORK),
}


def session_end(asset_class: AssetClass, now: datetime) -> datetime:
    """The first session end after `now`, in UTC."""
    close = CLOSES.get(asset_class)
    if close is None:
        return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    day = now.astimezone(NEW_YORK).date()
    while day.weekday() >= SATURDAY or datetime.combine(day, close) <= now:
        day += timedelta(days=1)
    return datetime.combine(day, close).astimezone(UTC)
