"""Market hours: with sessions on, nothing trades while its market is closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from providers.engine.sessions import NEW_YORK, is_open
from providers.errors import OrderRejected
from providers.models import AssetClass, RejectReason
from tests.engine.desk import Desk, row

EVENING = datetime(2025, 1, 15, 22, 0, tzinfo=UTC)
"""A Wednesday, 17:00 in New York: stocks are closed."""

HOURS = [
    ("STOCK", "2025-01-15 09:29:59.999999", False),
    ("STOCK", "2025-01-15 09:30", True),
    ("STOCK", "2025-01-15 15:59:59.999999", True),
    ("STOCK", "2025-01-15 16:00", False),
    ("STOCK", "2025-01-17 12:00", True),
    ("STOCK", "2025-01-18 12:00", False),
    ("STOCK", "2025-01-19 12:00", False),
    ("STOCK", "2025-07-15 09:30", True),
    ("FUTURES", "2025-01-15 12:00", True),
    ("FUTURES", "2025-01-15 16:00", False),
    ("FOREX", "2025-01-15 03:00", True),
    ("FOREX", "2025-01-16 23:00", True),
    ("FOREX", "2025-01-17 16:59:59.999999", True),
    ("FOREX", "2025-01-17 17:00", False),
    ("FOREX", "2025-01-18 12:00", False),
    ("FOREX", "2025-01-19 16:59:59.999999", False),
    ("FOREX", "2025-01-19 17:00", True),
    ("CRYPTO", "2025-01-18 03:00", True),
]


@pytest.mark.parametrize(("asset_class", "at", "opened"), HOURS)
def test_hours(asset_class: str, at: str, opened: bool) -> None:
    """Stocks 9:30 to 16:00 on weekdays, forex from Sunday to Friday 17:00, crypto always."""
    moment = datetime.fromisoformat(at).replace(tzinfo=NEW_YORK)
    assert opened is is_open(AssetClass(asset_class), moment)
    assert opened is is_open(AssetClass(asset_class), moment.astimezone(UTC))


def closed() -> Desk:
    """AAPL in the evening, at 99 x 100."""
    desk = Desk(sessions=True)
    desk.quote("99", "100")
    desk.now = EVENING
    return desk


@pytest.mark.parametrize(
    "text", ["BUY 4", "BUY 4 LIMIT 100 IOC", "BUY 4 LIMIT 100 FOK", "SELL 4 MARKET DAY"]
)
def test_an_order_for_now_is_refused(text: str) -> None:
    """MARKET, IOC and FOK cannot wait for the opening: MARKET_CLOSED."""
    with pytest.raises(OrderRejected, match="The market of AAPL is closed") as refusal:
        closed().place(text)
    assert RejectReason.MARKET_CLOSED == refusal.value.reject_reason


@pytest.mark.parametrize(
    "text", ["BUY 4 LIMIT 100", "BUY 4 STOP 100", "BUY 4 STOP_LIMIT 100 101", "BUY 4 LIMIT 90 DAY"]
)
def test_an_order_that_can_wait_waits(text: str) -> None:
    """The others are taken on, and neither trade nor trigger while the market is closed."""
    desk = closed()
    order = desk.place(text)
    desk.tick("99", "100")
    assert [] == desk.happened
    assert "OPEN 0" == row(desk.now_of(order), "status filled_quantity")
    assert desk.now_of(order).triggered in (None, False)


def test_it_trades_when_the_market_opens() -> None:
    """With the first quote of the next session."""
    desk = closed()
    desk.place("BUY 4 STOP 100")
    desk.now += timedelta(hours=17)
    desk.tick("99", "101")
    assert ["101"] == [row(trade, "price") for trade in desk.trades]


def test_a_limit_order_takes_when_the_market_opens() -> None:
    """It has not rested in an open market: at the touch, as on arrival, and not at its limit."""
    desk = closed()
    desk.place("BUY 4 LIMIT 100")
    desk.now += timedelta(hours=17)
    desk.tick("96", "97")
    assert [("97", False)] == [(row(trade, "price"), trade.is_maker) for trade in desk.trades]


def test_what_rests_in_an_open_market_makes() -> None:
    """In the evening crypto and forex trade, whatever stocks do."""
    desk = closed()
    for symbol in ("EUR/USD", "BTC/USD"):
        desk.quote("99", "100", symbol=symbol)
        desk.place(f"BUY 4 LIMIT 98 of {symbol}")
        desk.tick("96", "97", symbol=symbol)
    assert [("98", True)] * 2 == [(row(trade, "price"), trade.is_maker) for trade in desk.trades]


def test_once_it_has_filled_it_rests() -> None:
    """The rest of an order that took at the opening makes at its limit."""
    desk = closed()
    desk.place("BUY 4 LIMIT 100")
    desk.now += timedelta(hours=17)
    desk.tick("96", "97", size="3")
    desk.tick("96", "97", size="3")
    assert ["97", "100"] == [row(trade, "price") for trade in desk.trades]


def test_what_rested_before_the_night_makes_after_it() -> None:
    """An order that was on the book when the market closed is there when it opens."""
    desk = Desk(sessions=True)
    desk.quote("99", "100")
    desk.place("BUY 4 LIMIT 98")
    desk.now = EVENING + timedelta(hours=17)
    desk.tick("96", "97")
    assert [("98", True)] == [(row(trade, "price"), trade.is_maker) for trade in desk.trades]


def test_a_post_only_order_never_takes() -> None:
    """Not at the opening either: it makes at its limit."""
    desk = closed()
    desk.buy("4", "LIMIT", limit="98", post_only=True)
    desk.now += timedelta(hours=17)
    desk.tick("96", "97")
    assert [("98", True)] == [(row(trade, "price"), trade.is_maker) for trade in desk.trades]


def test_a_trailing_stop_does_not_follow() -> None:
    """Quotes of a closed market move no stop."""
    desk = closed()
    order = desk.sell("4", "TRAILING_STOP", trailing_distance="5")
    desk.tick("120", "121")
    assert "94" == row(desk.now_of(order), "stop_price")


def test_what_has_filled_in_part_waits() -> None:
    """An order at work when the market closes goes on when it opens."""
    desk = Desk(sessions=True)
    desk.quote("99", "100", size="3")
    order = desk.buy("4")
    desk.now = EVENING
    desk.tick("99", "100")
    assert "PARTIALLY_FILLED" == row(desk.now_of(order), "status")
    desk.now += timedelta(hours=17)
    desk.tick("99", "100")
    assert "FILLED" == row(desk.now_of(order), "status")


def test_a_position_is_not_closed_in_a_closed_market() -> None:
    """A MARKET close is refused, and its exits stay; a LIMIT close waits."""
    desk = Desk(sessions=True)
    desk.quote("99", "100")
    desk.buy("4", stop_loss="90")
    desk.now = EVENING
    with pytest.raises(OrderRejected) as refusal:
        desk.close(desk.position)
    assert RejectReason.MARKET_CLOSED == refusal.value.reject_reason
    assert 1 == len(desk.resting)
    assert "OPEN" == row(desk.close(desk.position, limit="95"), "status")


def test_other_markets_trade_on() -> None:
    """Forex and crypto are open in the evening."""
    desk = closed()
    for symbol in ("EUR/USD", "BTC/USD"):
        desk.quote("1.1", "1.2", symbol=symbol)
        assert "FILLED" == row(desk.buy("4", symbol=symbol), "status")


def test_around_the_clock_everything_trades() -> None:
    """Without sessions a stock trades in the evening too."""
    desk = Desk()
    desk.now = EVENING
    desk.quote("99", "100")
    assert "FILLED" == row(desk.buy("4"), "status")


def test_an_order_can_shrink_while_the_market_is_closed() -> None:
    """A stop that the market has passed since it closed would cost more than was reserved for it;
    a smaller one costs no more than before.
    """
    desk = Desk("1000", sessions=True)
    desk.quote("89", "90")
    order = desk.place("BUY 10 STOP 95")
    desk.now = EVENING
    desk.quote("199", "200")
    assert "6" == row(desk.modify(order, quantity="6"), "quantity")
