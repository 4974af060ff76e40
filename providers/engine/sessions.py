"""When trading sessions end, and when markets are open, by asset class: the built-in rule set.

                    session ends                          open
    STOCK, FUTURES  16:00 New York, Monday to Friday      9:30 to 16:00 New York, Monday to Friday
    FOREX           17:00 New York, Monday to Friday      Sunday 17:00 to Friday 17:00 New York
    CRYPTO          00:00 UTC, every day                  always

Exchange holidays are not known here; see `providers.exchange.calendars` for a calendar that does.

Sources: NYSE core session hours; the 5 p.m. New York convention of the spot FX market; UTC days
at crypto venues.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from providers.models import AssetClass

NEW_YORK = ZoneInfo("America/New_York")
FRIDAY, SATURDAY, SUNDAY = 4, 5, 6
STOCK_OPEN, STOCK_CLOSE, FOREX_CLOSE = time(9, 30), time(16), time(17)

CLOSES = {
    AssetClass.STOCK: STOCK_CLOSE.replace(tzinfo=NEW_YORK),
    AssetClass.FUTURES: STOCK_CLOSE.replace(tzinfo=NEW_YORK),
    AssetClass.FOREX: FOREX_CLOSE.replace(tzinfo=NEW_YORK),
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


def is_open(asset_class: AssetClass, now: datetime) -> bool:
    """Whether the market of an asset class trades at this moment."""
    if asset_class is AssetClass.CRYPTO:
        return True
    local = now.astimezone(NEW_YORK)
    day, clock = local.weekday(), local.time()
    if asset_class is AssetClass.FOREX:
        opened = day < FRIDAY or (day == FRIDAY and clock < FOREX_CLOSE)
        return opened or (day == SUNDAY and clock >= FOREX_CLOSE)
    return day < SATURDAY and STOCK_OPEN <= clock < STOCK_CLOSE
