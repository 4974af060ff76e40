"""Alpaca's market data and our quotes and bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from providers.alpaca import prices
from providers.base import BarQuery
from providers.errors import ProviderError, ProviderUnavailable
from providers.models import Timeframe

NOW = datetime(2026, 3, 2, 15, 0, 30, tzinfo=UTC)


def told(**fields: Any) -> dict[str, Any]:
    return {
        "S": "AAPL",
        "bp": Decimal("99.99"),
        "bs": 300,
        "ap": 100,
        "as": 200,
        "t": "2026-03-02T15:00:00.000000001Z",
        **fields,
    }


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)


def test_a_quote_of_the_stream() -> None:
    quote = prices.quote(told(), {"AAPL": Decimal(100)})
    assert quote is not None
    assert (quote.bid, quote.ask, quote.last) == decimals("99.99", "100", "100")
    assert (quote.bid_size, quote.ask_size) == decimals("300", "200")
    assert quote.volume is None


@pytest.mark.parametrize("fields", [{"bp": 0}, {"ap": 0}, {"bp": 100}, {"bp": 101}])
def test_an_empty_side_or_crossed_ones_are_no_quote(fields: dict[str, Any]) -> None:
    assert prices.quote(told(**fields), {}) is None


@pytest.mark.parametrize("fields", [{"bp": "99"}, {"ap": None}, {"t": 5}, {"bs": True}])
def test_what_is_not_specified_is_no_quote(fields: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        prices.quote(told(**fields), {})


def test_snapshots() -> None:
    found = prices.snapshots(
        {
            "AAPL": {"latestQuote": told(), "latestTrade": {"p": 100}, "dailyBar": {"v": 7}},
            "IBM": {"latestQuote": told()},
            "MSFT": {"latestTrade": {"p": 100}},
            "GOOG": None,
        }
    )
    assert [(each.symbol, each.last, each.volume) for each in found] == [
        ("AAPL", 100, 7),
        ("IBM", None, None),
    ]


def test_errors_of_the_stream() -> None:
    limit = prices.failure({"T": "error", "code": 406, "msg": "connection limit exceeded"})
    wrong = prices.failure({"T": "error", "code": 402, "msg": "auth failed"})
    assert isinstance(limit, ProviderUnavailable)
    assert isinstance(wrong, ProviderError)


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_bars_are_asked_for_up_to_the_last_that_has_closed(timeframe: Timeframe) -> None:
    _, length = prices.TIMEFRAMES[timeframe]
    query = BarQuery(symbol="AAPL", timeframe=timeframe, limit=3)
    asked = prices.bars_request(query, NOW, None)
    assert datetime.fromisoformat(asked["end"]) == NOW - length
    assert (asked["sort"], asked["limit"]) == ("desc", "3")


def test_bars_of_a_window_and_of_later_pages() -> None:
    query = BarQuery(
        symbol="AAPL",
        timeframe=Timeframe.M1,
        start=NOW - timedelta(hours=2),
        end=NOW - timedelta(hours=1),
        limit=20_000,
    )
    asked = prices.bars_request(query, NOW, "more")
    assert asked["start"] == "2026-03-02T13:00:30Z"
    assert asked["end"] == "2026-03-02T14:00:30Z"
    assert (asked["limit"], asked["page_token"]) == ("10000", "more")


@pytest.mark.parametrize("bars", [None, {}, {"AAPL": None}])
def test_a_page_without_bars(bars: Any) -> None:
    query = BarQuery(symbol="AAPL", timeframe=Timeframe.M1)
    assert prices.bars({"bars": bars, "next_page_token": None}, query) == ([], None)
