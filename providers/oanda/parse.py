"""OANDA's JSON and our values, both ways: pure functions, total over what OANDA's enums list.

OANDA writes prices, units and money as strings, liquidity and volume as whole numbers. Units are
signed: negative ones sell, or are a short position. A pair is `EUR_USD`.

Instruments: CURRENCY pairs are FOREX. So is METAL, such as XAU_USD: it is quoted as a pair and its
day ends at 17:00 New York as well. A CFD on an index, a bond or a commodity is none of our asset
classes and left out; so is what is not quoted in the currency of the account, since what it earns
would have to be converted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from providers.base import Instrument
from providers.errors import ProviderError, UnsupportedOperation
from providers.live.reading import Specified, moment, plain
from providers.live.venue import Funds, Holding, Ticket
from providers.models import AssetClass, Bar, OrderType, Quote, Side, Timeframe, TimeInForce

Json = Mapping[str, Any]

INSTRUMENT_TYPES: Final = {
    "CURRENCY": AssetClass.FOREX,
    "METAL": AssetClass.FOREX,
    "CFD": None,
}

ORDER_TYPES: Final = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP": OrderType.STOP,
    "FIXED_PRICE": OrderType.MARKET,  # executed at once, by OANDA itself
    # A trigger that is neither a limit nor a stop; others may place it, and its fills show in what
    # is held.
    "MARKET_IF_TOUCHED": None,
    # Exits that hang on a trade of OANDA's and have no instrument or units of their own.
    "TAKE_PROFIT": None,
    "STOP_LOSS": None,
    "GUARANTEED_STOP_LOSS": None,  # documented later than the specification
    "TRAILING_STOP_LOSS": None,
}
"""None is an order that is not traded through us: those that others placed are left out."""

TIMES_IN_FORCE: Final = {
    "GTC": TimeInForce.GTC,
    "GFD": TimeInForce.DAY,
    "GTD": TimeInForce.GTC,  # never ours: it ends when whoever placed it said
    "FOK": TimeInForce.FOK,
    "IOC": TimeInForce.IOC,
}

WAITS: Final = {
    "PENDING": True,
    "TRIGGERED": True,  # reached, and about to fill
    "FILLED": False,
    "CANCELLED": False,
}
"""Of each state of an order, whether it is still open."""

QUOTED: Final = {"tradeable": True, "non-tradeable": True, "invalid": False}
"""Of each status of a price, whether it is one; while a market is closed its last ones are told."""

GRANULARITIES: Final = {
    Timeframe.M1: "M1",
    Timeframe.M2: "M2",
    Timeframe.M5: "M5",
    Timeframe.M10: "M10",
    Timeframe.M15: "M15",
    Timeframe.M30: "M30",
    Timeframe.H1: "H1",
    Timeframe.H2: "H2",
    Timeframe.H4: "H4",
    Timeframe.H12: "H12",
    Timeframe.D1: "D",
    Timeframe.W1: "W",
}

TO_TYPE: Final = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP",
}
TO_TIME_IN_FORCE: Final = {
    TimeInForce.GTC: "GTC",
    TimeInForce.DAY: "GFD",
    TimeInForce.FOK: "FOK",
    TimeInForce.IOC: "IOC",
}


as_specified = partial(Specified, "OANDA")


def symbol_of(name: str) -> str:
    """`EUR/USD` for `EUR_USD`."""
    return name.replace("_", "/")


def name_of(symbol: str) -> str:
    """`EUR_USD` for `EUR/USD`."""
    return symbol.replace("/", "_")


# Instruments and the account


def instruments(listed: Iterable[Json], currency: str) -> dict[str, Instrument]:
    """What can be traded with an account of this currency, by canonical symbol."""
    with as_specified("list of instruments"):
        found = (instrument(each, currency) for each in listed)
        return {each.symbol: each for each in found if each is not None}


def instrument(told: Json, currency: str) -> Instrument | None:
    """One instrument; None for one that is left out, see the module.

    Where the smallest trade is larger than the step of units, it is the step: all our quantities
    are then large enough.
    """
    asset_class = INSTRUMENT_TYPES[told["type"]]
    quoted_in = told["name"].partition("_")[2]
    if asset_class is None or quoted_in != currency:
        return None
    step = Decimal(1).scaleb(-int(told["tradeUnitsPrecision"]))
    return Instrument(
        symbol=symbol_of(told["name"]),
        asset_class=asset_class,
        price_increment=Decimal(1).scaleb(-int(told["displayPrecision"])),
        quantity_increment=max(step, Decimal(told["minimumTradeSize"])),
        currency=currency,
    )


def max_leverage(listed: Iterable[Json]) -> Decimal | None:
    """The highest leverage that any instrument allows."""
    with as_specified("margin rate"):
        rates = [Decimal(each["marginRate"]) for each in listed]
        return Decimal(1) / min(rates) if rates else None


def currency_of(account: Json) -> str:
    """The account's own currency. Raises ProviderError for an account that hedges."""
    with as_specified("summary of the account"):
        if account.get("hedgingEnabled", False):
            raise ProviderError("OANDA's account hedges; only one that nets can be traded")
        return str(account["currency"])


def funds(account: Json) -> Funds:
    """The balance has what was realized, financing and commissions, and moves with no price."""
    with as_specified("summary of the account"):
        return Funds(
            currency=account["currency"],
            money=Decimal(account["balance"]),
            margin_used=Decimal(account["marginUsed"]),
            leverage=Decimal(1) / Decimal(account["marginRate"]),
        )


def holdings(positions: Iterable[Json], known: Mapping[str, Instrument]) -> list[Holding]:
    """What is held of the known symbols."""
    with as_specified("position"):
        return [
            holding(each, side)
            for each in positions
            if symbol_of(each["instrument"]) in known
            for side in (each["long"], each["short"])
            if Decimal(side["units"])
        ]


def holding(position: Json, side: Json) -> Holding:
    """One side of a position; a short one has negative units."""
    average = side.get("averagePrice")
    return Holding(
        symbol=symbol_of(position["instrument"]),
        quantity=Decimal(side["units"]),
        average_price=Decimal(average) if average is not None else None,
    )


# Orders


def order_request(ticket: Ticket, units: Decimal | None = None) -> dict[str, Any]:
    """The body that places a ticket, or replaces an order by one of so many units.

    Raises UnsupportedOperation for what OANDA has not: our traits say so beforehand.
    """
    kind = TO_TYPE.get(ticket.order_type)
    if kind is None:
        raise UnsupportedOperation(f"{ticket.order_type.value} orders at OANDA")
    price = ticket.limit_price if kind == "LIMIT" else ticket.stop_price
    order = {
        "type": kind,
        "instrument": name_of(ticket.symbol),
        "units": plain(signed(ticket.side, ticket.quantity if units is None else units)),
        "timeInForce": TO_TIME_IN_FORCE[ticket.time_in_force],
        "positionFill": "REDUCE_ONLY" if ticket.reduce_only else "DEFAULT",
        "clientExtensions": {"id": ticket.client_id},
    }
    if price is not None:
        order["price"] = plain(price)
    return {"order": order}


def signed(side: Side, quantity: Decimal) -> Decimal:
    return quantity if side is Side.BUY else quantity.copy_negate()


def side_of(units: Decimal) -> Side:
    return Side.SELL if units < 0 else Side.BUY


# Prices


def quotes(prices: Iterable[Json], provider: str) -> list[Quote]:
    """The quotes among some prices."""
    with as_specified("price"):
        found = (quote(each, provider) for each in prices)
        return [each for each in found if each is not None]


def quote(price: Json, provider: str) -> Quote | None:
    """The best bid and ask; None where a side is empty, or the price says that it is none.

    OANDA tells of no trades, so there is no last price.
    """
    if not QUOTED[price.get("status", "tradeable")] or not price["bids"] or not price["asks"]:
        return None
    bid, ask = price["bids"][0], price["asks"][0]
    return Quote(
        symbol=symbol_of(price["instrument"]),
        provider=provider,
        bid=Decimal(bid["price"]),
        bid_size=Decimal(bid["liquidity"]),
        ask=Decimal(ask["price"]),
        ask_size=Decimal(ask["liquidity"]),
        last=None,
        timestamp=moment(price["time"]),
    )


def bars(candles: Iterable[Json], symbol: str, timeframe: Timeframe, provider: str) -> list[Bar]:
    """The complete candles among some, as bars of midpoint prices."""
    with as_specified("candle"):
        return [bar(each, symbol, timeframe, provider) for each in candles if each["complete"]]


def bar(candle: Json, symbol: str, timeframe: Timeframe, provider: str) -> Bar:
    """`volume` is how often the price changed: OANDA counts nothing else."""
    mid = candle["mid"]
    return Bar(
        symbol=symbol,
        provider=provider,
        timeframe=timeframe,
        timestamp=moment(candle["time"]),
        open=Decimal(mid["o"]),
        high=Decimal(mid["h"]),
        low=Decimal(mid["l"]),
        close=Decimal(mid["c"]),
        volume=Decimal(candle["volume"]),
    )


def query_of(url: str) -> dict[str, str]:
    """The parameters of a URL that OANDA gives for a page."""
    return dict(parse_qsl(urlsplit(url).query))
