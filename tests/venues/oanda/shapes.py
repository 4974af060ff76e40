"""OANDA's JSON as the emulator writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from providers.base import Instrument
from providers.models import (
    Account,
    Bar,
    OrderRequest,
    OrderType,
    Position,
    PositionSide,
    Quote,
    RejectReason,
    Side,
    TimeInForce,
)

Json = dict[str, Any]

TIMES = {
    "GTC": TimeInForce.GTC,
    "GFD": TimeInForce.DAY,
    "FOK": TimeInForce.FOK,
    "IOC": TimeInForce.IOC,
}
CANCELS = {
    RejectReason.INSUFFICIENT_MARGIN: "INSUFFICIENT_MARGIN",
    RejectReason.INSUFFICIENT_BALANCE: "INSUFFICIENT_MARGIN",
    RejectReason.MARKET_CLOSED: "MARKET_HALTED",
    RejectReason.REDUCE_ONLY_VIOLATED: "POSITION_CLOSEOUT_FAILED",
    RejectReason.INVALID_QUANTITY: "POSITION_CLOSEOUT_FAILED",  # more than there is to reduce
}
"""With what OANDA cancels an order that the exchange inside refuses. Which reason it has for a
REDUCE_ONLY order with nothing to reduce is not documented."""


@dataclass
class Problem(Exception):
    """An answer with a status from 400: by `reject` also a transaction that refuses."""

    status: int
    code: str
    message: str
    reject: bool = False
    extra: Json = field(default_factory=dict)


def refused(code: str, message: str = "The request was refused") -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, code, message, reject=True)


def malformed(message: str) -> Problem:
    code = "oanda::rest::core::InvalidParameterException"
    return Problem(HTTPStatus.BAD_REQUEST, code, message)


def stamp(at: datetime) -> str:
    """With nanoseconds, as OANDA has them."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def text(value: Decimal) -> str:
    """A decimal without an exponent and without zeros at its end."""
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def money(value: Decimal) -> str:
    """OANDA keeps four places of an amount."""
    return format(value.quantize(Decimal("0.0001")), "f")


def name_of(symbol: str) -> str:
    return symbol.replace("/", "_")


def symbol_of(name: str) -> str:
    return name.replace("_", "/")


def places(increment: Decimal) -> int:
    """How many decimal places a step has."""
    exponent = increment.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def priced(price: Decimal, instrument: Instrument) -> str:
    return f"{price:.{places(instrument.price_increment)}f}"


# Orders


@dataclass
class Placed:
    """An order as OANDA has it; `body` is the `order` of the request that placed it.

    `backing_id` names the order of the exchange inside that it stands for; it has none where that
    one did not take it.
    """

    id: str
    body: Json
    created_at: str
    backing_id: str = ""
    units_filled: Decimal = Decimal(0)
    state: str = "PENDING"
    ended: Json = field(default_factory=dict)
    cancel_reason: str | None = None

    @property
    def client_id(self) -> str:
        return str(self.body.get("clientExtensions", {}).get("id", ""))

    @property
    def quantity(self) -> Decimal:
        return abs(Decimal(self.body["units"]))

    @property
    def is_market(self) -> bool:
        return bool(self.body["type"] == "MARKET")


def terms(body: Json) -> Json:
    """What an order and the transaction that creates it say of it alike."""
    names = ("instrument", "units", "price", "timeInForce", "positionFill", "clientExtensions")
    said = {name: body[name] for name in names if name in body}
    if body["type"] != "MARKET":
        said["triggerCondition"] = body.get("triggerCondition", "DEFAULT")
    return said


def order_json(placed: Placed, **more: str) -> Json:
    return {
        "id": placed.id,
        "createTime": placed.created_at,
        "type": placed.body["type"],
        "state": placed.state,
        **terms(placed.body),
        **placed.ended,
        **more,
    }


def request_of(body: Json) -> OrderRequest:
    """The order for the exchange inside; it has no client's id, since OANDA's are kept here."""
    units = Decimal(body["units"])
    price = Decimal(body["price"]) if "price" in body else None
    return OrderRequest(
        symbol=symbol_of(body["instrument"]),
        side=Side.BUY if units > 0 else Side.SELL,
        quantity=abs(units),
        order_type=OrderType(body["type"]),
        limit_price=price if body["type"] == "LIMIT" else None,
        stop_price=price if body["type"] == "STOP" else None,
        time_in_force=TIMES[body["timeInForce"]],
        reduce_only=body.get("positionFill") == "REDUCE_ONLY" or None,
    )


# The account


def summary_json(
    account: Account, account_id: str, rate: Decimal, counts: Mapping[str, int]
) -> Json:
    return {
        "id": account_id,
        "alias": "emulated",
        "currency": account.currency,
        "balance": money(account.balance),
        "hedgingEnabled": False,
        "marginRate": text(rate),
        "marginUsed": money(account.margin_used),
        "marginAvailable": money(account.margin_available),
        "unrealizedPL": money(account.unrealized_pnl),
        "NAV": money(account.equity),
        **counts,
    }


def position_json(position: Position, instrument: Instrument) -> Json:
    long = position.side is PositionSide.LONG
    held = {
        "units": text(position.quantity if long else -position.quantity),
        "averagePrice": f"{position.average_entry_price:.5f}",
        "unrealizedPL": money(position.unrealized_pnl),
    }
    nothing = {"units": "0", "unrealizedPL": money(Decimal(0))}
    return {
        "instrument": name_of(instrument.symbol),
        "unrealizedPL": money(position.unrealized_pnl),
        "long": held if long else nothing,
        "short": nothing if long else held,
    }


def instrument_json(instrument: Instrument, rate: Decimal, kind: str = "CURRENCY") -> Json:
    digits = places(instrument.price_increment)
    return {
        "name": name_of(instrument.symbol),
        "type": kind,
        "displayName": instrument.symbol,
        "pipLocation": 1 - digits,
        "displayPrecision": digits,
        "tradeUnitsPrecision": places(instrument.quantity_increment),
        "minimumTradeSize": text(instrument.quantity_increment),
        "maximumOrderUnits": "100000000",
        "maximumPositionSize": "0",
        "marginRate": text(rate),
    }


# Prices


def price_json(quote: Quote, instrument: Instrument) -> Json:
    bid, ask = priced(quote.bid, instrument), priced(quote.ask, instrument)
    return {
        "type": "PRICE",
        "instrument": name_of(quote.symbol),
        "time": stamp(quote.timestamp),
        "status": "tradeable",
        "tradeable": True,
        "bids": [{"price": bid, "liquidity": int(quote.bid_size or 0)}],
        "asks": [{"price": ask, "liquidity": int(quote.ask_size or 0)}],
        "closeoutBid": bid,
        "closeoutAsk": ask,
    }


def candle_json(bar: Bar, instrument: Instrument, *, complete: bool = True) -> Json:
    prices = {"o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close}
    return {
        "time": stamp(bar.timestamp),
        "mid": {name: priced(price, instrument) for name, price in prices.items()},
        "volume": int(bar.volume),
        "complete": complete,
    }
