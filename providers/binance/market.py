"""What can be traded and what it costs: Binance's JSON as instruments, quotes and bars. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from providers.base import Instrument
from providers.binance.wire import EPOCH, Body, amount, from_ms, known, reading
from providers.models import (
    AssetClass,
    Bar,
    OrderType,
    Quote,
    RateLimits,
    Timeframe,
    TimeInForce,
)

SYMBOL_STATUSES: Final = {
    "TRADING": True,
    "END_OF_DAY": True,
    "HALT": True,
    "BREAK": False,
    "PRE_TRADING": False,
    "POST_TRADING": False,
    "AUCTION_MATCH": False,
}
"""Whether a symbol is listed: while it is halted orders are refused, yet what is held stays."""

NATIVE: Final[Mapping[OrderType, tuple[str, frozenset[TimeInForce]]]] = {
    OrderType.LIMIT: (
        "LIMIT",
        frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
    ),
    # A market order takes no timeInForce. It meets the whole book at once, far beyond the size that
    # a quote shows; only where the book ends does the rest expire.
    OrderType.MARKET: ("MARKET", frozenset({TimeInForce.GTC})),
    OrderType.STOP: ("STOP_LOSS", frozenset({TimeInForce.GTC})),
    OrderType.STOP_LIMIT: ("STOP_LOSS_LIMIT", frozenset({TimeInForce.GTC})),
}
"""What our order types are called there, and the times in force that each takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A symbol of the venue: `native` is BTCUSDT, `base` BTC, `quote` USDT."""

    instrument: Instrument
    native: str
    base: str
    quote: str
    order_types: frozenset[str]
    iceberg: bool

    @property
    def symbol(self) -> str:
        """The canonical symbol."""
        return self.instrument.symbol


# What can be traded


def listings(body: Body, quote_asset: str) -> dict[str, Listing]:
    """The symbols of exchangeInfo that are quoted in an asset, by what the venue calls them."""
    return reading(_listings, body, quote_asset)


def _listings(body: Body, quote_asset: str) -> dict[str, Listing]:
    return {
        each["symbol"]: _listing(each)
        for each in body["symbols"]
        if each["quoteAsset"] == quote_asset and _is_listed(each)
    }


def _is_listed(body: Body) -> bool:
    """Whether it can be traded here; one that ASCII cannot write has no canonical symbol."""
    listed = known(SYMBOL_STATUSES, body["status"], "status of a symbol")
    return listed and body["isSpotTradingAllowed"] and body["baseAsset"].isascii()


def _listing(body: Body) -> Listing:
    filters = {each["filterType"]: each for each in body["filters"]}
    tick = amount(filters["PRICE_FILTER"]["tickSize"])  # zero switches the rule off
    lot = amount(filters["LOT_SIZE"]["stepSize"])
    base, quote = body["baseAsset"], body["quoteAsset"]
    instrument = Instrument(
        symbol=f"{base}/{quote}",
        asset_class=AssetClass.CRYPTO,
        price_increment=tick or Decimal(1).scaleb(-body["quoteAssetPrecision"]),
        quantity_increment=lot or Decimal(1).scaleb(-body["baseAssetPrecision"]),
        currency=quote,
    )
    return Listing(
        instrument=instrument,
        native=body["symbol"],
        base=base,
        quote=quote,
        order_types=frozenset(body["orderTypes"]),
        iceberg=body["icebergAllowed"],
    )


def rate_limits(body: Body) -> RateLimits:
    """The limits of exchangeInfo; requests are counted by their weight."""
    return reading(_rate_limits, body)


def _rate_limits(body: Body) -> RateLimits:
    found = {
        (each["rateLimitType"], each["interval"]): each["limit"] // each["intervalNum"]
        for each in body["rateLimits"]
    }
    return RateLimits(
        requests_per_minute=found.get(("REQUEST_WEIGHT", "MINUTE")),
        orders_per_second=found.get(("ORDERS", "SECOND")),
        orders_per_day=found.get(("ORDERS", "DAY")),
    )


def native_orders(found: Iterable[Listing]) -> dict[OrderType, frozenset[TimeInForce]]:
    """The order types that every one of the symbols takes, with their times in force."""
    taken = [each.order_types for each in found]
    common = frozenset[str]() if not taken else frozenset.intersection(*taken)
    return {kind: times for kind, (name, times) in NATIVE.items() if name in common}


# Prices


Names = tuple[str, str, str, str]
REST: Final[Names] = ("bidPrice", "bidQty", "askPrice", "askQty")
STREAM: Final[Names] = ("b", "B", "a", "A")
"""What the two sides of a book ticker are called."""


def quotes(body: Any, found: Mapping[str, Listing], provider: str, at: datetime) -> list[Quote]:
    """Book tickers of REST, of those symbols that have both sides. They tell no last price."""
    return reading(_quotes, body, found, provider, at)


def _quotes(body: Any, found: Mapping[str, Listing], provider: str, at: datetime) -> list[Quote]:
    told = (
        _quote(each, REST, found[each["symbol"]], provider, at)
        for each in body
        if each["symbol"] in found
    )
    return [each for each in told if each is not None]


def streamed_quote(body: Body, listing: Listing, provider: str, at: datetime) -> Quote | None:
    """A book ticker of the stream; None while a side of the book is empty."""
    return reading(_quote, body, STREAM, listing, provider, at)


def _quote(body: Body, names: Names, listing: Listing, provider: str, at: datetime) -> Quote | None:
    bid, bid_size, ask, ask_size = (amount(body[name]) for name in names)
    if not bid or not ask:
        return None
    return Quote(
        symbol=listing.symbol,
        provider=provider,
        bid=bid,
        bid_size=bid_size,
        ask=ask,
        ask_size=ask_size,
        last=None,
        timestamp=at,
    )


# Bars

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MONDAY: Final = EPOCH + 4 * DAY
"""All intervals are aligned in UTC, weeks to Mondays; each of the others divides a day."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What a timeframe is made of: `count` candles of the venue's interval `name`."""

    name: str
    span: timedelta
    count: int = 1

    @property
    def whole(self) -> timedelta:
        return self.span * self.count


INTERVALS: Final = {
    Timeframe.M1: Interval("1m", MINUTE),
    Timeframe.M2: Interval("1m", MINUTE, 2),
    Timeframe.M5: Interval("5m", 5 * MINUTE),
    Timeframe.M10: Interval("5m", 5 * MINUTE, 2),
    Timeframe.M15: Interval("15m", 15 * MINUTE),
    Timeframe.M30: Interval("30m", 30 * MINUTE),
    Timeframe.H1: Interval("1h", HOUR),
    Timeframe.H2: Interval("2h", 2 * HOUR),
    Timeframe.H4: Interval("4h", 4 * HOUR),
    Timeframe.H12: Interval("12h", 12 * HOUR),
    Timeframe.D1: Interval("1d", DAY),
    Timeframe.W1: Interval("1w", 7 * DAY),
}


def floor_to(moment: datetime, span: timedelta) -> datetime:
    """When the bar of this length opened that contains the moment."""
    return moment - (moment - MONDAY) % span


def candles(body: Any, listing: Listing, provider: str, timeframe: Timeframe) -> list[Bar]:
    """Klines: lists of opening time, open, high, low, close, volume and what we do not use."""
    return reading(_candles, body, listing, provider, timeframe)


def _candles(body: Any, listing: Listing, provider: str, timeframe: Timeframe) -> list[Bar]:
    return [
        Bar(
            symbol=listing.symbol,
            provider=provider,
            timeframe=timeframe,
            timestamp=from_ms(each[0]),
            open=amount(each[1]),
            high=amount(each[2]),
            low=amount(each[3]),
            close=amount(each[4]),
            volume=amount(each[5]),
        )
        for each in body
    ]


def merged(bars: Sequence[Bar], span: timedelta) -> list[Bar]:
    """Ascending bars as bars of this length."""
    groups = groupby(bars, lambda bar: floor_to(bar.timestamp, span))
    return [_merge(opened, list(group)) for opened, group in groups]


def _merge(opened: datetime, bars: Sequence[Bar]) -> Bar:
    return bars[0].evolve(
        timestamp=opened,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=sum((bar.volume for bar in bars), Decimal(0)),
    )
