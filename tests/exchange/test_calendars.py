"""Sessions by the exchange's own calendar, where the package is installed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from providers.exchange import calendars
from providers.models import AssetClass

pytest.importorskip("exchange_calendars", reason="the extra `calendars` is not installed")

THANKSGIVING = datetime(2026, 11, 26, 15, 0, tzinfo=UTC)
DAY_AFTER = datetime(2026, 11, 27, 15, 0, tzinfo=UTC)
EARLY_CLOSE = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)


def test_a_holiday_is_closed_and_ends_with_the_next_session() -> None:
    """On Thanksgiving the stock market is closed; a DAY order lasts into the next session."""
    assert not calendars.is_open(AssetClass.STOCK, THANKSGIVING)
    assert calendars.session_end(AssetClass.STOCK, THANKSGIVING) == EARLY_CLOSE


def test_an_early_close_ends_the_session() -> None:
    """The day after Thanksgiving ends at 13:00 New York, and its close is not part of it."""
    assert calendars.is_open(AssetClass.STOCK, DAY_AFTER)
    assert calendars.session_end(AssetClass.STOCK, DAY_AFTER) == EARLY_CLOSE
    assert not calendars.is_open(AssetClass.STOCK, EARLY_CLOSE)


def test_forex_and_crypto_have_no_exchange() -> None:
    """Forex ends at 17:00 New York and crypto at midnight UTC, calendar or not."""
    assert calendars.session_end(AssetClass.FOREX, THANKSGIVING) == datetime(
        2026, 11, 26, 22, 0, tzinfo=UTC
    )
    assert calendars.is_open(AssetClass.CRYPTO, THANKSGIVING)


def test_beyond_the_calendar_the_built_in_rules_hold() -> None:
    """The calendar ends about a year ahead; a weekday after that ends at 16:00 New York."""
    assert calendars.session_end(AssetClass.STOCK, datetime(2100, 1, 5, 15, tzinfo=UTC)) == (
        datetime(2100, 1, 5, 21, tzinfo=UTC)
    )
    assert calendars.is_open(AssetClass.STOCK, datetime(2100, 1, 5, 15, tzinfo=UTC))
