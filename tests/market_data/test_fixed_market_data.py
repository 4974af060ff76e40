"""The market set by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from providers.base import BarQuery, Instrument, MarketData
from providers.errors import SymbolNotFound
from providers.market_data.fixed import FixedMarketData
from providers.models import AssetClass, Bar, Timeframe

T0 = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
AAPL = Instrument(
    symbol="AAPL",
    asset_class=AssetClass.STOCK,
    price_increment=Decimal("0.01"),
    quantity_increment=Decimal(1),
)


@pytest.fixture
def fixed() -> FixedMarketData:
    """A market of AAPL alone."""
    return FixedMarketData([AAPL])


def bar(minute: int) -> Bar:
    """A one-minute bar of AAPL that opens `minute` minutes after T0."""
    return Bar(
        symbol="AAPL",
        provider="fixed",
        timeframe=Timeframe.M1,
        timestamp=T0 + timedelta(minutes=minute),
        open=Decimal(1),
        high=Decimal(1),
        low=Decimal(1),
        close=Decimal(1),
        volume=Decimal(1),
    )


def test_it_is_a_market(fixed: FixedMarketData) -> None:
    """It fits the port and knows its instruments."""
    market: MarketData = fixed
    assert {"AAPL": AAPL} == dict(market.instruments)
    assert market.resolve("AAPL") is AAPL
    with pytest.raises(SymbolNotFound):
        market.resolve("S:AAPL")


def test_a_quote_stays_in_force_until_the_next(fixed: FixedMarketData) -> None:
    """The quote at a moment is the latest set for it or before, in whatever order they are set."""
    later = fixed.set_quote("AAPL", bid="11", ask="12", at=T0 + SECOND)
    first = fixed.set_quote("AAPL", bid="9", ask="10", last="9.5", bid_size="5", at=T0)
    assert first == fixed.quote("AAPL", T0)
    assert later == fixed.quote("AAPL", T0 + SECOND)
    assert (Decimal("9.5"), Decimal(5)) == (first.last, first.bid_size)


def test_a_quote_of_the_same_moment_replaces(fixed: FixedMarketData) -> None:
    """Without a time each quote replaces the one before."""
    fixed.set_quote("AAPL", bid="9", ask="10")
    second = fixed.set_quote("AAPL", bid="19", ask="20")
    assert second == fixed.quote("AAPL", T0)


def test_no_quote_is_not_found(fixed: FixedMarketData) -> None:
    """A symbol without a quote yet, or none of ours, is not found."""
    fixed.set_quote("AAPL", bid="9", ask="10", at=T0)
    for symbol, moment in (("AAPL", T0 - SECOND), ("IBM", T0)):
        with pytest.raises(SymbolNotFound):
            fixed.quote(symbol, moment)


async def test_bars_that_closed_in_the_window(fixed: FixedMarketData) -> None:
    """Only closed bars are served, start and end inclusive, the limit keeps the newest."""
    fixed.add_bars([bar(2), bar(0), bar(1), bar(3)])
    at = T0 + timedelta(minutes=3)

    async def served(**window: object) -> list[Bar]:
        query = BarQuery(symbol="AAPL", timeframe=Timeframe.M1, **window)  # type: ignore[arg-type]
        return await fixed.bars(query, at)

    assert [bar(0), bar(1), bar(2)] == await served()
    assert [bar(1), bar(2)] == await served(limit=2)
    assert [bar(1)] == await served(start=bar(1).timestamp, end=bar(1).timestamp)
