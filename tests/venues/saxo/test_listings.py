"""Saxo's instruments, quotes and candles, without a connection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import BarQuery
from providers.errors import ProviderError
from providers.models import AssetClass, Bar, Timeframe
from providers.saxo import listings
from tests.venues.saxo.test_parse import enum

PAIR = {
    "AssetType": "FxSpot",
    "Symbol": "EURUSD",
    "CurrencyCode": "USD",
    "Uic": 21,
    "AmountDecimals": 0,
    "Format": {"Decimals": 4, "Format": "AllowDecimalPips"},
    "SupportedOrderTypes": ["Market"],
}


@pytest.mark.parametrize(
    ("group", "name", "table"),
    [
        ("trade", "PriceQuality", listings.HAS_PRICE),
        ("ref", "LotSizeType", listings.WHOLE_LOTS),
        ("ref", "PriceDisplayFormatType", listings.EXTRA_DECIMALS),
    ],
)
def test_every_value_of_the_documents_has_a_meaning(
    group: str, name: str, table: dict[str, Any]
) -> None:
    assert enum(group, name) == table.keys()


def test_a_pair() -> None:
    found = listings.listing(PAIR)
    assert found is not None
    assert ("EUR/USD", 21, AssetClass.FOREX) == (
        found.symbol,
        found.uic,
        found.instrument.asset_class,
    )


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, "0.00001"),
        ({"TickSize": Decimal("0.00005")}, "0.00005"),
        ({"TickSizeLimitOrder": Decimal("0.02"), "TickSizeStopOrder": Decimal("0.1")}, "0.1"),
        ({"TickSizeScheme": {"DefaultTickSize": Decimal("0.01")}, "TickSize": 1}, "0.01"),
        ({"Format": {"Decimals": 2, "Format": "Normal"}}, "0.01"),
        ({"Format": {"Decimals": 2}}, "0.01"),
        ({"Format": {"Decimals": 2, "Format": "AllowTwoDecimalPips"}}, "0.0001"),
        ({"Format": {"Decimals": 5, "Format": "ModernFractions"}}, "0.03125"),
    ],
)  # fmt: skip
def test_the_step_of_prices(told: dict[str, Any], expected: str) -> None:
    """The coarsest of what orders take, then that of the scheme, then what is shown."""
    assert Decimal(expected) == listings.tick(PAIR | told)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, "1"),
        ({"AmountDecimals": 4}, "0.0001"),
        ({"LotSize": 100, "LotSizeType": "OddLotsNotAllowed"}, "100"),
        ({"LotSize": 100, "LotSizeType": "OddLotsAllowed"}, "1"),
        ({"LotSize": 100}, "1"),
    ],
)
def test_the_step_of_quantities(told: dict[str, Any], expected: str) -> None:
    """Lots count where only whole ones trade."""
    assert Decimal(expected) == listings.lot(PAIR | told)


def test_what_cannot_be_traded_here_is_nothing() -> None:
    assert listings.listing(PAIR | {"AssetType": "CfdOnStock"}) is None


@pytest.mark.parametrize(
    "wrong",
    [{"AssetType": "Moon"}, {"Symbol": "EURGBP"}, {"Symbol": "USD"}, {"Uic": None},
     {"Format": {"Decimals": 4, "Format": "Roman"}}, {"LotSizeType": "Some"}],
)  # fmt: skip
def test_an_instrument_that_makes_no_sense_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        listings.listing(PAIR | wrong)


def test_a_share_is_taken_from_the_exchange_named_first() -> None:
    """Whatever the order in which they were found; else from the first found."""
    found = [{"Symbol": each} for each in ("AAPLX:xnas", "AAPL:xwbo", "AAPL:xetr", "AAPL:XNAS")]
    assert {"Symbol": "AAPL:XNAS"} == listings.nearest("AAPL", found, ["xnas", "xetr"])
    assert {"Symbol": "AAPL:xwbo"} == listings.nearest("AAPL", found, [])
    assert listings.nearest("AAP", found, ["xnas"]) is None
    assert {"Symbol": "AAPL:xetr"} == listings.chosen("AAPL:xetr", found)


VALUES = st.integers(0, 3) | st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3), max_size=3)
BODIES = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@given(BODIES, BODIES)
def test_a_delta_changes_what_it_names_and_nothing_else(
    before: dict[str, Any], delta: dict[str, Any]
) -> None:
    """In objects inside, too; told twice, it changes nothing more."""
    after = listings.merged(before, delta)
    assert before.keys() | delta.keys() == after.keys()
    assert all(after[name] == before[name] for name in before.keys() - delta.keys())
    assert after == listings.merged(after, delta)


def price(**told: Any) -> dict[str, Any]:
    return {
        "Uic": 21,
        "LastUpdated": "2026-03-02T14:30:00.000000Z",
        "Quote": {
            "Bid": Decimal("1.1"),
            "Ask": Decimal("1.2"),
            "PriceTypeBid": "Tradable",
            "PriceTypeAsk": "Indicative",
            **told,
        },
        "PriceInfoDetails": {"BidSize": 1000, "LastTraded": Decimal("1.15")},
    }


def test_a_quote() -> None:
    quote = listings.quote(price(), "EUR/USD", "saxo")
    assert quote is not None
    assert (Decimal("1.1"), Decimal("1.2"), Decimal(1000), None, Decimal("1.15")) == (
        quote.bid,
        quote.ask,
        quote.bid_size,
        quote.ask_size,
        quote.last,
    )


@pytest.mark.parametrize("told", [{"PriceTypeBid": "NoMarket"}, {"PriceTypeAsk": "NoAccess"},
                                  {"Bid": None}])  # fmt: skip
def test_a_price_that_is_none_makes_no_quote(told: dict[str, Any]) -> None:
    assert listings.quote(price(**told), "EUR/USD", "saxo") is None


def test_a_price_of_unknown_quality_is_an_error() -> None:
    with pytest.raises(ProviderError):
        listings.quote(price(PriceTypeBid="Fine"), "EUR/USD", "saxo")


QUERY = BarQuery(symbol="EUR/USD", timeframe=Timeframe.M1)
START = datetime(2026, 3, 2, tzinfo=UTC)


def bar(minute: int, low: int = 1, high: int = 9) -> Bar:
    body = {
        "Time": (START + timedelta(minutes=minute)).isoformat(),
        **{f"{name}Bid": value for name, value in (("Open", minute), ("Close", -minute))},
        "HighBid": high,
        "LowBid": low,
        "Volume": 2,
    }
    return listings.candle(body, QUERY, "saxo")


def test_longer_candles_are_made_exactly() -> None:
    """Open of the first, close of the last, the extremes of all, the sum of the volumes."""
    made = listings.gathered([bar(0), bar(1, low=0), bar(2), bar(5, high=20)], 2)
    expected = [(0, -1, 0, 9, 4), (2, -2, 1, 9, 2), (5, -5, 1, 20, 2)]
    assert [tuple(map(Decimal, each)) for each in expected] == [
        (each.open, each.close, each.low, each.high, each.volume) for each in made
    ]
    assert [0, 2, 4] == [(each.timestamp - START).seconds // 60 for each in made]


def test_a_candle_of_a_share_has_no_sides() -> None:
    body = {"Time": "2026-03-02T14:30:00Z", "Open": 1, "High": 4, "Low": 1, "Close": 2}
    found = listings.candle(body, QUERY, "saxo")
    assert tuple(map(Decimal, (1, 4, 1, 2, 0))) == (
        found.open,
        found.high,
        found.low,
        found.close,
        found.volume,
    )
    with pytest.raises(ProviderError):
        listings.candle({"Time": "2026-03-02T14:30:00Z"}, QUERY, "saxo")


def test_every_timeframe_is_made_of_a_horizon_that_saxo_has() -> None:
    """As the document lists them: minutes, and 480 and 43200, which we have no use for."""
    horizons = {1, 5, 10, 15, 30, 60, 120, 240, 360, 1440, 10_080}
    for timeframe in Timeframe:
        assert listings.horizon(timeframe) in horizons
        assert listings.MINUTES[timeframe] % listings.horizon(timeframe) == 0
