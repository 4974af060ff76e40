"""What Massive says of the instruments and quotes of the exchange inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from providers.base import Instrument
from providers.models import AssetClass, Quote

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLUSTERS = {
    "stocks": AssetClass.STOCK,
    "crypto": AssetClass.CRYPTO,
    "forex": AssetClass.FOREX,
}
MARKETS = {AssetClass.STOCK: "stocks", AssetClass.CRYPTO: "crypto", AssetClass.FOREX: "fx"}
LOT = 100


def ticker(listed: Instrument) -> str:
    prefix = {AssetClass.STOCK: "", AssetClass.CRYPTO: "X:", AssetClass.FOREX: "C:"}
    return prefix[listed.asset_class] + listed.symbol.replace("/", "")


def millis(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def nanos(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1000


def reference(listed: Instrument) -> dict[str, Any]:
    """A result of /v3/reference/tickers."""
    common = {"ticker": ticker(listed), "name": listed.symbol, "active": True}
    if listed.asset_class is AssetClass.STOCK:
        more = {"locale": "us", "currency_name": "usd", "primary_exchange": "XNAS", "type": "CS"}
    else:
        base, _, currency = listed.symbol.partition("/")
        more = {"locale": "global", "currency_symbol": currency, "base_currency_symbol": base}
    return common | more | {"market": MARKETS[listed.asset_class]}


def lots(size: Decimal | None, listed: Instrument) -> Decimal | None:
    """The size of a quote in the unit that Massive tells it in."""
    stock = listed.asset_class is AssetClass.STOCK
    return size // LOT if stock and size is not None else size


def snapshot(listed: Instrument, quote: Quote) -> dict[str, Any]:
    """A result of /v3/snapshot."""
    day = quote.last
    names = ("close", "high", "low", "open", "previous_close", "price")
    return {
        "ticker": ticker(listed),
        "type": MARKETS[listed.asset_class],
        "name": listed.symbol,
        "market_status": "open",
        "last_quote": {
            "ask": quote.ask,
            "ask_size": lots(quote.ask_size, listed),
            "bid": quote.bid,
            "bid_size": lots(quote.bid_size, listed),
            "last_updated": nanos(quote.timestamp),
            "timeframe": "REAL-TIME",
        },
        "last_trade": {"price": quote.last, "size": 1, "timeframe": "REAL-TIME"},
        "session": {
            "change": 0,
            "change_percent": 0,
            "volume": quote.volume,
            **dict.fromkeys(names, day),
        },
    }


def event(listed: Instrument, quote: Quote) -> dict[str, Any]:
    """A message of a stream of quotes."""
    at = millis(quote.timestamp)
    bid, ask = quote.bid, quote.ask
    sizes = {"bs": lots(quote.bid_size, listed), "as": lots(quote.ask_size, listed)}
    if listed.asset_class is AssetClass.FOREX:
        return {"ev": "C", "p": listed.symbol, "x": 48, "a": ask, "b": bid, "t": at}
    if listed.asset_class is AssetClass.CRYPTO:
        name = listed.symbol.replace("/", "-")
        return {"ev": "XQ", "pair": name, "bp": bid, "ap": ask, **sizes, "t": at, "x": 1, "r": at}
    whole = {name: int(size or 0) for name, size in sizes.items()}
    codes = {"bx": 4, "ax": 7, "c": 0, "i": [604], "t": at, "q": at % 10**9, "z": 3}
    return {"ev": "Q", "sym": listed.symbol, "bp": bid, "ap": ask, **whole, **codes}
