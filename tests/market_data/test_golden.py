"""Values checked in: any machine that gives others is wrong, and so is any change that does.

A change of the drawn prices moves the market of everyone who reproduces a run. If one is meant,
say so in the changelog and put the new values here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from providers.market_data.instruments import LISTINGS
from providers.market_data.synthetic import SyntheticMarketData
from providers.models import Bar, Timeframe

Ask = Callable[..., list[Bar]]

NOW = datetime(2025, 11, 24, 17, 30, 12, tzinfo=UTC)
SEED = 42

QUOTES = {
    "AAPL": "501.66 x 400, 501.68 x 400, 501.67, 19366812",
    "GOOG": "681.11 x 600, 681.16 x 600, 681.11, 1819250",
    "IBM": "175.31 x 600, 175.32 x 800, 175.31, 2022968",
    "MSFT": "36.91 x 900, 36.92 x 900, 36.91, 22737132",
    "SPY": "177.37 x 600, 177.38 x 600, 177.37, 83374285",
    "EUR/USD": "1.18084 x 500000, 1.18092 x 200000, 1.18084, 76123428770",
    "GBP/USD": "1.13968 x 400000, 1.13972 x 200000, 1.13970, 58253741095",
    "USD/JPY": "96.550 x 800000, 96.556 x 200000, 96.555, 80269476555",
    "BTC/USD": "31037.87 x 1.2, 31039.43 x 0.7, 31038.51, 15448.6833",
    "ETH/USD": "3176.84 x 17, 3177.04 x 30, 3176.88, 114705.6100",
}

BARS = {
    ("AAPL", "1m"): "2025-11-24T17:29 501.71 501.81 501.67 501.73 37346",
    ("IBM", "2m"): "2025-11-24T17:28 175.33 175.33 175.26 175.33 2279",
    ("MSFT", "5m"): "2025-11-24T17:25 36.92 36.92 36.91 36.91 152834",
    ("GOOG", "10m"): "2025-11-24T17:20 681.59 681.66 681.07 681.12 10157",
    ("SPY", "15m"): "2025-11-24T17:15 177.16 177.42 177.11 177.39 805088",
    ("EUR/USD", "30m"): "2025-11-24T17:00 1.18164 1.18182 1.18083 1.18086 2098985154",
    ("GBP/USD", "1h"): "2025-11-24T16:00 1.13980 1.14007 1.13979 1.13985 3754239036",
    ("USD/JPY", "2h"): "2025-11-24T14:00 96.731 96.793 96.473 96.529 10988296978",
    ("BTC/USD", "4h"): "2025-11-24T12:00 31421.64 31439.16 31082.34 31139.86 3655.2073",
    ("ETH/USD", "12h"): "2025-11-24T00:00 3273.57 3362.24 3105.11 3127.49 74961.5927",
    ("AAPL", "1d"): "2025-11-23T00:00 501.83 505.09 497.59 501.77 16436884",
    ("BTC/USD", "1w"): "2025-11-17T00:00 31866.98 31892.68 29363.22 31444.26 161008.0716",
}

DIGEST = "0d8fe169d081c68a3f9f0c1fbe03513710b6583e68ea9380b5d6ee37eb05999f"


@pytest.fixture(scope="module")
def everything() -> SyntheticMarketData:
    """All that can be listed."""
    return SyntheticMarketData(seed=SEED, symbols=list(LISTINGS))


def quoted(market: SyntheticMarketData, symbol: str, at: datetime) -> str:
    """A quote as a line of text."""
    quote = market.quote(symbol, at)
    sides = f"{quote.bid} x {quote.bid_size}, {quote.ask} x {quote.ask_size}"
    return f"{sides}, {quote.last}, {quote.volume}"


def line(bar: Bar) -> str:
    """A bar as a line of text."""
    return f"{bar.timestamp:%FT%R} {bar.open} {bar.high} {bar.low} {bar.close} {bar.volume}"


@pytest.mark.parametrize("symbol", QUOTES)
def test_quotes(everything: SyntheticMarketData, symbol: str) -> None:
    """Bid, ask, sizes, last price and volume of a moment, to the last digit."""
    assert QUOTES[symbol] == quoted(everything, symbol, NOW)


@pytest.mark.parametrize(("symbol", "timeframe"), BARS)
def test_bars(
    everything: SyntheticMarketData,
    make_ask: Callable[[SyntheticMarketData], Ask],
    symbol: str,
    timeframe: str,
) -> None:
    """The last closed bar of a moment, to the last digit."""
    (bar,) = make_ask(everything)(symbol, timeframe, NOW, limit=1)
    assert BARS[symbol, timeframe] == line(bar)


def test_the_rest(
    everything: SyntheticMarketData, make_ask: Callable[[SyntheticMarketData], Ask]
) -> None:
    """A digest over quotes and bars of all symbols and timeframes, from the history to 2095."""
    ask = make_ask(everything)
    digest = hashlib.sha256()
    for symbol in LISTINGS:
        for years in range(8):
            at = datetime(2017, 6, 14, 9, 8, 7, tzinfo=UTC) + years * timedelta(days=4000)
            digest.update(quoted(everything, symbol, at).encode())
            for timeframe in Timeframe:
                for bar in ask(symbol, timeframe, at, limit=20):
                    digest.update(line(bar).encode())
    assert DIGEST == digest.hexdigest()
