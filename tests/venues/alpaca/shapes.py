"""What Alpaca writes: the JSON of its orders, positions, assets, quotes, bars and errors."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import simplejson
from starlette.responses import Response

from providers.base import Instrument
from providers.models import AssetClass, Bar, Order, OrderStatus, Position, PositionSide, Quote

CLASSES = {AssetClass.STOCK: "us_equity", AssetClass.CRYPTO: "crypto"}
NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")

STATUSES = {
    OrderStatus.PENDING: "accepted",
    OrderStatus.OPEN: "new",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.PENDING_CANCEL: "pending_cancel",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELLED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REJECTED: "rejected",
}
OVER = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})


class Problem(Exception):
    """An error as Alpaca answers it."""

    def __init__(self, status: int, code: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, **more}


def unfit(message: str) -> Problem:
    return Problem(422, 42210000, message)


def malformed(message: str) -> Problem:
    return Problem(422, 40010001, message)


def forbidden(message: str, **more: str) -> Problem:
    return Problem(403, 40310000, message, **more)


def json_response(body: Any, status: int = 200) -> Response:
    """Decimals go out as JSON numbers, with all their places."""
    content = simplejson.dumps(body, use_decimal=True)
    return Response(content, status, media_type="application/json")


def text(value: Decimal | None) -> str | None:
    """A decimal as the trading API writes it."""
    if value is None:
        return None
    return format(value.normalize(), "f") if value else "0"


def stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def asset_id(symbol: str) -> str:
    return str(uuid.uuid5(NAMESPACE, symbol))


@dataclass(kw_only=True)
class Placed:
    """One of the venue's orders. The orders of a chain stand for one order of the exchange inside.

    `base` is what the chain had filled before it, `frozen` what it had when this one was replaced.
    """

    backing_id: str
    body: dict[str, str]
    kind: AssetClass
    created_at: datetime
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    base: Decimal = Decimal(0)
    replaces: str | None = None
    replaced_by: str | None = None
    frozen: Decimal | None = None
    frozen_price: Decimal | None = None
    ended_at: datetime | None = None
    pending: str | None = None

    @property
    def quantity(self) -> Decimal:
        return Decimal(self.body["qty"])

    def status(self, order: Order) -> str:
        if self.replaced_by is not None:
            return "replaced"
        status = STATUSES[order.status]
        if status not in OVER and self.pending is not None:
            return self.pending
        return status


def order_json(
    placed: Placed,
    order: Order,
    *,
    status: str | None = None,
    filled: Decimal | None = None,
    price: Decimal | None = None,
) -> dict[str, Any]:
    """An order as the trading API writes it, or as it was when only `filled` had filled."""
    body = placed.body
    status = status or placed.status(order)
    if filled is None:
        filled = order.filled_quantity if placed.frozen is None else placed.frozen
        price = order.average_fill_price if placed.frozen is None else placed.frozen_price
    at = stamp(placed.ended_at or order.updated_at)
    trailing = body["type"] == "trailing_stop"
    stop = text(order.stop_price) if trailing else body.get("stop_price")
    return {
        "id": placed.id,
        "client_order_id": body["client_order_id"],
        "created_at": stamp(placed.created_at),
        "submitted_at": stamp(placed.created_at),
        "updated_at": at,
        "filled_at": at if status == "filled" else None,
        "expired_at": at if status == "expired" else None,
        "canceled_at": at if status == "canceled" else None,
        "failed_at": at if status == "rejected" else None,
        "replaced_at": at if status == "replaced" else None,
        "replaced_by": placed.replaced_by,
        "replaces": placed.replaces,
        "asset_id": asset_id(body["symbol"]),
        "symbol": body["symbol"],
        "asset_class": CLASSES[placed.kind],
        "notional": None,
        "qty": text(placed.quantity),
        "filled_qty": text(filled),
        "filled_avg_price": text(price),
        "order_class": "",
        "order_type": body["type"],
        "type": body["type"],
        "side": body["side"],
        "status": status,
        "time_in_force": body["time_in_force"],
        "limit_price": body.get("limit_price"),
        "stop_price": stop,
        "extended_hours": False,
        "legs": None,
        "trail_percent": body.get("trail_percent"),
        "trail_price": body.get("trail_price"),
        "hwm": text(order.trailing_reference),
    }


def asset_json(instrument: Instrument) -> dict[str, Any]:
    stock = instrument.asset_class is AssetClass.STOCK
    found: dict[str, Any] = {
        "id": asset_id(instrument.symbol),
        "class": CLASSES[instrument.asset_class],
        "exchange": "NASDAQ" if stock else "CRYPTO",
        "symbol": instrument.symbol,
        "name": f"{instrument.symbol} of the emulator",
        "status": "active",
        "tradable": True,
        "marginable": stock,
        "shortable": stock,
        "fractionable": True,
    }
    if not stock:
        found["min_order_size"] = text(instrument.quantity_increment)
        found["min_trade_increment"] = text(instrument.quantity_increment)
        found["price_increment"] = text(instrument.price_increment)
    return found


def position_json(position: Position, kind: AssetClass, held: Decimal) -> dict[str, Any]:
    """`held` is what open orders hold of it."""
    sign = 1 if position.side is PositionSide.LONG else -1
    worth = position.quantity * position.current_price
    cost = position.quantity * position.average_entry_price
    return {
        "asset_id": asset_id(position.symbol),
        "symbol": position.symbol.replace("/", ""),
        "exchange": "NASDAQ" if kind is AssetClass.STOCK else "CRYPTO",
        "asset_class": CLASSES[kind],
        "asset_marginable": kind is AssetClass.STOCK,
        "avg_entry_price": text(position.average_entry_price),
        "qty": text(sign * position.quantity),
        "qty_available": text(sign * (position.quantity - held)),
        "side": "long" if sign > 0 else "short",
        "market_value": text(sign * worth),
        "cost_basis": text(sign * cost),
        "unrealized_pl": text(position.unrealized_pnl),
        "unrealized_plpc": text(round(position.unrealized_pnl / cost, 12)),
        "unrealized_intraday_pl": text(position.unrealized_pnl),
        "unrealized_intraday_plpc": text(round(position.unrealized_pnl / cost, 12)),
        "current_price": text(position.current_price),
        "lastday_price": text(position.average_entry_price),
        "change_today": "0",
    }


def quote_json(quote: Quote, kind: AssetClass) -> dict[str, Any]:
    found: dict[str, Any] = {
        "t": stamp(quote.timestamp),
        "bp": quote.bid,
        "bs": quote.bid_size,
        "ap": quote.ask,
        "as": quote.ask_size,
    }
    if kind is AssetClass.STOCK:
        found |= {"bs": int(quote.bid_size or 0), "as": int(quote.ask_size or 0)}
        found |= {"bx": "V", "ax": "V", "c": ["R"], "z": "C"}
    return found


def trade_json(quote: Quote, kind: AssetClass) -> dict[str, Any]:
    found: dict[str, Any] = {
        "t": stamp(quote.timestamp),
        "p": quote.last,
        "i": int(quote.timestamp.timestamp() * 1000),
    }
    if kind is AssetClass.STOCK:
        return found | {"s": 100, "x": "V", "c": ["@"], "z": "C"}
    return found | {"s": Decimal("0.1"), "tks": "B"}


def bar_json(bar: Bar, kind: AssetClass) -> dict[str, Any]:
    volume = int(bar.volume) if kind is AssetClass.STOCK else bar.volume
    return {
        "t": stamp(bar.timestamp),
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": volume,
        "n": 1,
        "vw": bar.close,
    }


def chosen(symbols: str, known: Mapping[str, Instrument], kind: AssetClass) -> Iterable[str]:
    """The symbols of a query, which must be of the kind that the path is for."""
    for symbol in symbols.split(","):
        if symbol not in known or known[symbol].asset_class is not kind:
            raise Problem(400, 40010000, f"invalid symbol: {symbol}")
        yield symbol
