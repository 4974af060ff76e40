"""Massive's JSON and our values, both ways; pure.

Massive's own tickers are `AAPL`, `X:BTCUSD` for crypto and `C:EURUSD` for forex. Our aliases are
others: there `C:` means crypto. A ticker of Massive's never leaves this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from providers.base import Instrument
from providers.errors import ProviderError
from providers.models import AssetClass, Bar, Quote, Timeframe

Json = Mapping[str, Any]

PROVIDER: Final = "massive"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

MARKETS: Final[Mapping[str, AssetClass | None]] = {
    "stocks": AssetClass.STOCK,
    "otc": AssetClass.STOCK,
    "crypto": AssetClass.CRYPTO,
    "fx": AssetClass.FOREX,
    "indices": None,  # they have values, but neither bid nor ask
}
"""All markets of the reference data."""

PREFIXES: Final = {AssetClass.STOCK: "", AssetClass.CRYPTO: "X:", AssetClass.FOREX: "C:"}
ALIASES: Final = {"S:": "", "C:": "X:", "F:": "C:"}
"""Our prefixes, and Massive's for the same."""

CLUSTERS: Final = {
    AssetClass.STOCK: "stocks",
    AssetClass.CRYPTO: "crypto",
    AssetClass.FOREX: "forex",
}
"""The streams; each is a connection of its own."""

ROUND_LOT: Final = 100
"""Massive tells the sizes of stock quotes in round lots of so many shares."""

PENNY: Final = Decimal("0.01")
STEPS: Final = {
    AssetClass.STOCK: (PENNY, Decimal("0.0001")),
    AssetClass.CRYPTO: (Decimal("0.00000001"), Decimal("0.00000001")),
    AssetClass.FOREX: (Decimal("0.00001"), Decimal(1)),
}
"""Steps of price and quantity. Massive tells none, so these are the customary ones: Rule 612 of
Regulation NMS for stocks, a tenth of a pip for forex, and a satoshi for crypto."""
COARSE: Final = {"JPY": Decimal("0.001")}
"""Steps of price of pairs in currencies that are quoted with fewer digits."""


# Tickers


def candidates(symbol: str) -> list[str]:
    """The tickers that a symbol or an alias of ours may have, the likeliest first.

    A pair may be forex or crypto: `EUR/USD` is listed as both, and is forex.
    """
    prefix = ALIASES.get(symbol[:2])
    if prefix is not None:
        return [prefix + symbol[2:].replace("/", "")]
    if "/" not in symbol:
        return [symbol]
    plain = symbol.replace("/", "")
    return [f"C:{plain}", f"X:{plain}"]


def ticker(listed: Instrument) -> str:
    """What Massive calls an instrument."""
    return PREFIXES[listed.asset_class] + listed.symbol.replace("/", "")


def topic(listed: Instrument) -> str:
    """What its quotes are called in the stream of its cluster."""
    if listed.asset_class is AssetClass.STOCK:
        return f"Q.{listed.symbol}"
    if listed.asset_class is AssetClass.CRYPTO:
        return f"XQ.{listed.symbol.replace('/', '-')}"
    return f"C.{listed.symbol}"


def instrument(found: Json) -> Instrument | None:
    """An instrument of the reference data; None for an index. Raises ProviderError."""
    market = str(found.get("market"))
    if market not in MARKETS:
        raise ProviderError(f"unknown market {market!r}")
    asset_class = MARKETS[market]
    if asset_class is None:
        return None
    currency = str(found.get("currency_symbol") or found.get("currency_name") or "usd").upper()
    symbol = str(found["ticker"])
    if asset_class is not AssetClass.STOCK:
        symbol = pair(symbol, currency)
    price, quantity = STEPS[asset_class]
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        price_increment=COARSE.get(currency, price) if asset_class is AssetClass.FOREX else price,
        quantity_increment=quantity,
        currency=currency,
    )


def pair(name: str, currency: str) -> str:
    """`BTC/USD` of `X:BTCUSD` and `USD`. Raises ProviderError where they do not fit."""
    plain = name.partition(":")[2]
    base = plain.removesuffix(currency)
    if not base or base == plain:
        raise ProviderError(f"{name} is not paid in {currency}")
    return f"{base}/{currency}"


# Numbers


def decimal(value: Any) -> Decimal | None:
    """A JSON number, which was read as an int or a Decimal, or text. Raises ProviderError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise ProviderError(f"not a number: {value!r}")
    return Decimal(value)


def needed(found: Json, name: str) -> Decimal:
    value = decimal(found.get(name))
    if value is None:
        raise ProviderError(f"Massive tells no {name}")
    return value


def size(value: Any, asset_class: AssetClass) -> Decimal | None:
    number = decimal(value)
    if number is None or asset_class is not AssetClass.STOCK:
        return number
    return number * ROUND_LOT


def from_millis(value: Any) -> datetime:
    return EPOCH + timedelta(milliseconds=int(value))


def from_nanos(value: Any) -> datetime:
    """To the microsecond below."""
    return EPOCH + timedelta(microseconds=int(value) // 1000)


def to_millis(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


# Quotes


def snapshot(found: Json, listed: Instrument) -> Quote | None:
    """A result of /v3/snapshot; None where Massive has no quote, or the plan does not have it."""
    told = found.get("last_quote")
    if not told or "error" in found:
        return None
    return _quote(
        listed,
        bid=needed(told, "bid"),
        bid_size=size(told.get("bid_size"), listed.asset_class),
        ask=needed(told, "ask"),
        ask_size=size(told.get("ask_size"), listed.asset_class),
        last=decimal((found.get("last_trade") or {}).get("price")),
        volume=decimal((found.get("session") or {}).get("volume")),
        at=from_nanos(told["last_updated"]),
    )


def event(message: Json, known: Mapping[str, Instrument]) -> Quote | None:
    """A message of a stream; None for an instrument that is not known. Raises ProviderError."""
    kind = message.get("ev")
    if kind == "Q":
        listed = known.get(message["sym"])
        names = ("bp", "bs", "ap", "as")
    elif kind == "XQ":
        listed = known.get(message["pair"].replace("-", "/"))
        names = ("bp", "bs", "ap", "as")
    elif kind == "C":
        listed = known.get(message["p"])
        names = ("b", "bs", "a", "as")  # forex has no sizes
    else:
        raise ProviderError(f"unknown event {kind!r}")
    if listed is None:
        return None
    bid, bid_size, ask, ask_size = names
    return _quote(
        listed,
        bid=needed(message, bid),
        bid_size=size(message.get(bid_size), listed.asset_class),
        ask=needed(message, ask),
        ask_size=size(message.get(ask_size), listed.asset_class),
        at=from_millis(message["t"]),
    )


def _quote(
    listed: Instrument,
    *,
    bid: Decimal,
    bid_size: Decimal | None,
    ask: Decimal,
    ask_size: Decimal | None,
    at: datetime,
    last: Decimal | None = None,
    volume: Decimal | None = None,
) -> Quote | None:
    """A quote; None where one side is empty, which Massive tells as a price of 0."""
    if not bid or not ask:
        return None
    return Quote(
        symbol=listed.symbol,
        provider=PROVIDER,
        bid=bid,
        bid_size=bid_size,
        ask=ask,
        ask_size=ask_size,
        last=last,
        volume=volume,
        timestamp=at,
    )


def bar(found: Json, symbol: str, timeframe: Timeframe) -> Bar:
    """An aggregate. Raises ProviderError for one that is not whole."""
    return Bar(
        symbol=symbol,
        provider=PROVIDER,
        timeframe=timeframe,
        timestamp=from_millis(found["t"]),
        open=needed(found, "o"),
        high=needed(found, "h"),
        low=needed(found, "l"),
        close=needed(found, "c"),
        volume=needed(found, "v"),
    )
