"""Massive's messages and our values, word by word."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Instrument
from providers.errors import ProviderError
from providers.live.http import Answer
from providers.massive import parse
from providers.massive.errors import FAILURES, PROGRESS, STATUSES, heard, refusal
from providers.massive.settings import MassiveSettings
from providers.models import AssetClass, Timeframe
from tests.venues.contract import find, read

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
MILLIS = parse.to_millis(AT)


def reference(ticker: str, market: str, **more: Any) -> dict[str, Any]:
    return {"ticker": ticker, "market": market, "name": "x", "locale": "us", **more}


AAPL, BTC, EUR, JPY = (
    reference("AAPL", "stocks", currency_name="usd"),
    reference("X:BTCUSD", "crypto", currency_symbol="USD", base_currency_symbol="BTC"),
    reference("C:EURUSD", "fx", currency_symbol="USD", base_currency_symbol="EUR"),
    reference("C:USDJPY", "fx", currency_symbol="JPY", base_currency_symbol="USD"),
)


def listed(found: dict[str, Any]) -> Instrument:
    instrument = parse.instrument(found)
    assert instrument is not None
    return instrument


KNOWN = {each.symbol: each for each in (listed(AAPL), listed(BTC), listed(EUR))}


@pytest.mark.parametrize(
    ("found", "symbol", "asset_class", "increment", "topic"),
    [
        (AAPL, "AAPL", AssetClass.STOCK, "0.01", "Q.AAPL"),
        (BTC, "BTC/USD", AssetClass.CRYPTO, "0.00000001", "XQ.BTC-USD"),
        (EUR, "EUR/USD", AssetClass.FOREX, "0.00001", "C.EUR/USD"),
        (JPY, "USD/JPY", AssetClass.FOREX, "0.001", "C.USD/JPY"),
        (reference("X:DOGEUSDT", "crypto", currency_symbol="USDT"), *("DOGE/USDT",),
         AssetClass.CRYPTO, "0.00000001", "XQ.DOGE-USDT"),
    ],
)  # fmt: skip
def test_instruments(
    found: dict[str, Any], symbol: str, asset_class: AssetClass, increment: str, topic: str
) -> None:
    """Massive's tickers and topics, and our symbols, there and back."""
    instrument = listed(found)
    assert (symbol, asset_class) == (instrument.symbol, instrument.asset_class)
    assert Decimal(increment) == instrument.price_increment
    assert found["ticker"] == parse.ticker(instrument)
    assert topic == parse.topic(instrument)
    assert instrument.currency == (symbol.partition("/")[2] or "USD")


def test_markets_are_all_known() -> None:
    """Every market of the document is mapped; of indices there are no instruments."""
    path = find("massive-rest-js.json")
    if path is None:
        pytest.skip("Massive's document is not at hand")
    parameters = read(path)["paths"]["/v3/reference/tickers"]["get"]["parameters"]
    (market,) = (each for each in parameters if each["name"] == "market")
    assert set(market["schema"]["enum"]) == set(parse.MARKETS)
    assert parse.instrument(reference("I:SPX", "indices")) is None
    with pytest.raises(ProviderError, match="unknown market"):
        parse.instrument(reference("X", "bonds"))


@pytest.mark.parametrize(
    ("symbol", "tickers"),
    [
        ("AAPL", ["AAPL"]),
        ("S:AAPL", ["AAPL"]),
        ("BTC/USD", ["C:BTCUSD", "X:BTCUSD"]),
        ("EUR/USD", ["C:EURUSD", "X:EURUSD"]),
        ("C:BTCUSD", ["X:BTCUSD"]),
        ("F:EURUSD", ["C:EURUSD"]),
        ("C:BTC/USD", ["X:BTCUSD"]),
    ],
)
def test_candidates(symbol: str, tickers: list[str]) -> None:
    """`C:` is crypto with us and forex at Massive."""
    assert tickers == parse.candidates(symbol)


def test_a_pair_that_does_not_fit() -> None:
    """A ticker that does not end in its currency is nonsense."""
    for name in ("X:BTCEUR", "X:USD"):
        with pytest.raises(ProviderError, match="is not paid in USD"):
            parse.pair(name, "USD")


# Quotes


def test_a_snapshot() -> None:
    """Sizes of stocks are told in round lots, and of others as they are."""
    told = {"bid": 99, "bid_size": 2, "ask": Decimal("99.5"), "ask_size": 3}
    told["last_updated"] = MILLIS * 1_000_000 + 999
    found = {"last_quote": told, "last_trade": {"price": 98}, "session": {"volume": 7}}
    stock, coin = (parse.snapshot(found, KNOWN[each]) for each in ("AAPL", "BTC/USD"))
    assert stock is not None
    assert coin is not None
    assert (Decimal(200), Decimal(300)) == (stock.bid_size, stock.ask_size)
    assert (Decimal(2), Decimal(3)) == (coin.bid_size, coin.ask_size)
    assert (Decimal(99), Decimal("99.5"), Decimal(98)) == (stock.bid, stock.ask, stock.last)
    assert AT == stock.timestamp


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"last_quote": None},
        {"error": "NOT_FOUND", "last_quote": {"bid": 1}},
        {"last_quote": {"bid": 0, "ask": 1, "last_updated": 1}},
    ],
)
def test_no_quote(found: dict[str, Any]) -> None:
    """A plan may not have quotes, and a market may have only one side."""
    assert parse.snapshot(found, KNOWN["AAPL"]) is None


def test_events() -> None:
    """Each stream has its own names."""
    pair = {"bp": 1, "bs": 2, "ap": 3, "as": 4, "t": MILLIS}
    events = [
        {"ev": "Q", "sym": "AAPL", **pair},
        {"ev": "XQ", "pair": "BTC-USD", **pair},
        {"ev": "C", "p": "EUR/USD", "b": 1, "a": 3, "t": MILLIS},
    ]
    quotes = [parse.event(each, KNOWN) for each in events]
    sizes = [quote and quote.bid_size for quote in quotes]
    assert ["AAPL", "BTC/USD", "EUR/USD"] == [quote and quote.symbol for quote in quotes]
    assert [Decimal(200), Decimal(2), None] == sizes
    assert all(
        quote and (str(quote.bid), str(quote.ask), quote.timestamp) == ("1", "3", AT)
        for quote in quotes
    )


def test_events_of_others() -> None:
    """What is not known is left out; an event of another kind is an error."""
    assert parse.event({"ev": "Q", "sym": "MSFT"}, KNOWN) is None
    with pytest.raises(ProviderError, match="unknown event 'T'"):
        parse.event({"ev": "T", "sym": "AAPL"}, KNOWN)
    with pytest.raises(ProviderError, match="Massive tells no ap"):
        parse.event({"ev": "Q", "sym": "AAPL", "bp": 1, "t": 1}, KNOWN)


def test_a_bar() -> None:
    """An aggregate bears the moment at which its window opened."""
    found = {"o": 1, "h": 4, "l": Decimal("0.5"), "c": 2, "v": 9, "t": MILLIS}
    bar = parse.bar(found, "AAPL", Timeframe.H1)
    assert (AT, Decimal("0.5"), Decimal(9)) == (bar.timestamp, bar.low, bar.volume)
    with pytest.raises(ProviderError, match="Massive tells no v"):
        parse.bar({**found, "v": None}, "AAPL", Timeframe.H1)


@given(number=st.decimals(min_value=0, max_value=10**12, places=8))
def test_numbers_are_exact(number: Decimal) -> None:
    """JSON's numbers never go through a float."""
    read_again = simplejson.loads(f"{number:f}", use_decimal=True)
    assert number == parse.decimal(read_again)


def test_no_numbers() -> None:
    """A float would have lost digits already."""
    values: list[object] = [0.1, True, [], {}]
    for value in values:
        with pytest.raises(ProviderError, match="not a number"):
            parse.decimal(value)


# Failures


def test_statuses_of_the_document() -> None:
    """Every failure that the document lists for what we call has a sentence."""
    path = find("massive-rest-js.json")
    if path is None:
        pytest.skip("Massive's document is not at hand")
    document = read(path)
    called = ("/v3/reference/tickers", "/v3/snapshot", "/v2/aggs/ticker/{stocksTicker}/range")
    listed = {
        int(status)
        for name, item in document["paths"].items()
        if name.startswith(called)
        for status in item["get"]["responses"]
        if status.isdecimal()
    }
    assert listed - {200} <= set(STATUSES)


def test_refusals_tell_no_secrets() -> None:
    """Only sentences of ours; what Massive wrote may repeat the request."""
    for status in (*STATUSES, 418):
        error = refusal(Answer(status, {"error": "apiKey=secret"}, {}))
        assert isinstance(error, ProviderError)
        assert "secret" not in str(error)


def test_statuses_of_streams() -> None:
    """All is well, or the stream ends; an unknown status ends it, too."""
    for status in PROGRESS:
        heard({"ev": "status", "status": status})
    for failure in (*FAILURES, "weird", None):
        with pytest.raises(ProviderError):
            heard({"ev": "status", "status": failure})


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Massive's own addresses unless others are named, which must be safe."""
    monkeypatch.setenv("TRADING_API_MASSIVE_API_KEY", "secret")
    settings = MassiveSettings(symbols=" AAPL, C:BTCUSD,")
    assert ("https://api.massive.com", "wss://socket.massive.com") == (
        settings.rest,
        settings.socket,
    )
    assert ["AAPL", "C:BTCUSD"] == settings.preloaded
    assert "secret" not in repr(settings)
    with pytest.raises(ValueError, match="must be https or wss"):
        MassiveSettings(socket_url="ws://evil.example")
