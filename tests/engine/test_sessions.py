"""When DAY orders end: sessions by asset class, over weekends and changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.engine.sessions import session_end
from providers.errors import OrderNotModifiable
from providers.models import AssetClass
from tests.engine.desk import Desk, row

NEW_YORK = ZoneInfo("America/New_York")

# Given in New York time unless it ends in Z; the answer is in UTC.
ENDS = [
    # Winter: New York is five hours behind UTC.
    ("STOCK", "2025-01-15 10:00", "2025-01-15 21:00"),
    ("STOCK", "2025-01-15 15:59:59.999999", "2025-01-15 21:00"),
    ("STOCK", "2025-01-15 16:00", "2025-01-16 21:00"),
    ("STOCK", "2025-01-15 23:30", "2025-01-16 21:00"),
    ("FUTURES", "2025-01-15 10:00", "2025-01-15 21:00"),
    ("FOREX", "2025-01-15 16:30", "2025-01-15 22:00"),
    ("FOREX", "2025-01-15 17:00", "2025-01-16 22:00"),
    # Summer: four hours.
    ("STOCK", "2025-07-15 10:00", "2025-07-15 20:00"),
    ("FOREX", "2025-07-15 10:00", "2025-07-15 21:00"),
    # Friday's end is the week's.
    ("STOCK", "2025-01-17 15:00", "2025-01-17 21:00"),
    ("STOCK", "2025-01-17 16:00", "2025-01-20 21:00"),
    ("STOCK", "2025-01-18 12:00", "2025-01-20 21:00"),
    ("STOCK", "2025-01-19 23:59", "2025-01-20 21:00"),
    ("FOREX", "2025-01-17 17:00", "2025-01-20 22:00"),
    ("FOREX", "2025-01-19 18:00", "2025-01-20 22:00"),
    # The clocks go forward on Sunday 9 March and back on Sunday 2 November 2025.
    ("STOCK", "2025-03-07 15:00", "2025-03-07 21:00"),
    ("STOCK", "2025-03-07 17:00", "2025-03-10 20:00"),
    ("FOREX", "2025-03-09 03:00", "2025-03-10 21:00"),
    ("STOCK", "2025-10-31 15:00", "2025-10-31 20:00"),
    ("STOCK", "2025-10-31 17:00", "2025-11-03 21:00"),
    ("FOREX", "2025-11-02 01:30", "2025-11-03 22:00"),
    # In UTC it may be tomorrow already, but not in New York.
    ("STOCK", "2025-01-16 02:00Z", "2025-01-16 21:00"),
    ("FOREX", "2025-01-18 01:00Z", "2025-01-20 22:00"),
    # Crypto days are UTC days, weekends and all.
    ("CRYPTO", "2025-01-15 12:00Z", "2025-01-16 00:00"),
    ("CRYPTO", "2025-01-15 23:59:59.999999Z", "2025-01-16 00:00"),
    ("CRYPTO", "2025-01-16 00:00Z", "2025-01-17 00:00"),
    ("CRYPTO", "2025-01-18 12:00Z", "2025-01-19 00:00"),
    ("CRYPTO", "2025-01-15 20:00", "2025-01-17 00:00"),
    ("CRYPTO", "2025-12-31 12:00Z", "2026-01-01 00:00"),
]


@pytest.mark.parametrize(("asset_class", "at", "end"), ENDS)
def test_session_end(asset_class: str, at: str, end: str) -> None:
    """A session ends at 16:00 (stocks) or 17:00 (forex) in New York, or at 00:00 UTC (crypto)."""
    zone = UTC if at.endswith("Z") else NEW_YORK
    moment = datetime.fromisoformat(at.removesuffix("Z")).replace(tzinfo=zone)
    expected = datetime.fromisoformat(end).replace(tzinfo=UTC)
    assert expected == session_end(AssetClass(asset_class), moment)


def test_a_session_ends_in_utc() -> None:
    """The end is given in UTC, whatever the zone of the question."""
    at = datetime(2025, 1, 15, 12, tzinfo=timezone(timedelta(hours=9)))
    assert {UTC} == {session_end(asset_class, at).tzinfo for asset_class in AssetClass}


moments = st.timedeltas(timedelta(0), timedelta(days=40 * 365)).map(
    lambda since: datetime(2000, 1, 1, tzinfo=UTC) + since
)


@given(st.sampled_from(AssetClass), moments)
def test_a_session_end_is_ahead_and_near(asset_class: AssetClass, at: datetime) -> None:
    """The next end is always later, and never further away than a weekend and a day."""
    ahead = session_end(asset_class, at) - at
    assert timedelta(0) < ahead <= timedelta(days=3, hours=1)


@given(st.sampled_from(AssetClass), moments)
def test_every_moment_before_an_end_has_the_same_end(asset_class: AssetClass, at: datetime) -> None:
    """Asked a microsecond before the end, the answer is that end; at the end, the next."""
    end = session_end(asset_class, at)
    assert end == session_end(asset_class, end - timedelta(microseconds=1))
    assert end < session_end(asset_class, end)


# DAY orders

STOCK_CLOSE = datetime(2025, 1, 15, 21, 0, tzinfo=UTC)


def resting(desk: Desk | None = None, **fields: str) -> Desk:
    """One DAY order for AAPL at a limit of 98 under a market of 99 x 100."""
    desk = desk or Desk()
    desk.quote("99", "100")
    desk.buy("4", "LIMIT", limit="98", tif="DAY")
    return desk


@pytest.mark.parametrize(
    ("symbol", "expires_at"),
    [
        ("AAPL", "2025-01-15 21:00:00+00:00"),
        ("EUR/USD", "2025-01-15 22:00:00+00:00"),
        ("BTC/USD", "2025-01-16 00:00:00+00:00"),
    ],
)
def test_a_day_order_says_when_it_expires(symbol: str, expires_at: str) -> None:
    """expires_at of a DAY order is the session end of its asset class."""
    desk = Desk()
    desk.quote("99", "100", symbol=symbol)
    order = desk.buy("4", "LIMIT", limit="98", tif="DAY", symbol=symbol)
    assert expires_at == row(order, "expires_at")


def test_a_day_order_expires_at_the_session_end() -> None:
    """At the end of the session, and not a microsecond before, a DAY order becomes EXPIRED."""
    desk = resting()
    desk.wait(STOCK_CLOSE - timedelta(microseconds=1))
    assert [] == desk.happened
    desk.wait(STOCK_CLOSE)
    (order,) = desk.orders.values()
    assert ["ORDER_EXPIRED"] == desk.happened
    assert "EXPIRED 0 4" == row(order, "status filled_quantity remaining_quantity")
    assert {} == desk.state.orders


def test_other_orders_do_not_expire() -> None:
    """A GTC order outlives the session."""
    desk = Desk()
    desk.quote("99", "100")
    desk.buy("4", "LIMIT", limit="98")
    desk.wait(STOCK_CLOSE + timedelta(days=400))
    assert [] == desk.happened


def test_a_partly_filled_day_order_keeps_its_fills() -> None:
    """Expiry ends the rest; what has filled stays filled."""
    desk = Desk()
    desk.quote("99", "100", size="3")
    order = desk.buy("4", tif="DAY")
    desk.wait(STOCK_CLOSE)
    assert "EXPIRED 3 1 100" == row(
        desk.orders[order.id],
        "status filled_quantity remaining_quantity average_fill_price",
    )
    assert "3" == row(desk.position, "quantity")


def test_a_quote_after_the_end_does_not_fill() -> None:
    """A DAY order whose time is up expires, even if the next quote would have filled it."""
    desk = resting()
    desk.now = STOCK_CLOSE
    desk.tick("90", "91")
    assert ["ORDER_EXPIRED"] == desk.happened


def test_a_command_sees_the_session_end_before_the_market_clock_does() -> None:
    """Cancelling or changing an order whose time is up finds it expired, and says so in the log."""
    cancelling, changing = resting(), resting()
    cancelling.now = changing.now = STOCK_CLOSE
    (order,) = cancelling.orders.values()
    result = cancelling.cancel(order)
    assert (False, "EXPIRED") == (result.success, row(result.order, "status"))
    assert ["ORDER_EXPIRED"] == cancelling.happened
    with pytest.raises(OrderNotModifiable, match="it is EXPIRED"):
        changing.modify(order, limit_price="97")
    assert ["ORDER_EXPIRED"] == changing.happened


def test_expiry_gives_the_margin_back() -> None:
    """An expired order reserves nothing."""
    desk = resting()
    assert "392" == row(desk.account, "margin_used")
    desk.wait(STOCK_CLOSE)
    assert "0" == row(desk.account, "margin_used")
