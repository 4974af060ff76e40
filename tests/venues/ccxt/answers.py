"""The bodies of Coinbase Exchange's answers, made of what the exchange inside has."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from providers.base import BarQuery, MarketData
from providers.models import (
    Bar,
    Order,
    OrderStatus,
    OrderType,
    Quote,
    Timeframe,
    TimeInForce,
    Trade,
)
from tests.venues.exchange import Backing, symbols_of

GRANULARITIES = {
    60: (Timeframe.M1, 1),
    300: (Timeframe.M5, 1),
    900: (Timeframe.M15, 1),
    3600: (Timeframe.H1, 1),
    21600: (Timeframe.H2, 3),
    86400: (Timeframe.D1, 1),
}
"""The lengths of candles, in seconds, and of how many bars of ours each is made."""
MOST_CANDLES = 300


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def product_of(symbol: str) -> str:
    return symbol.replace("/", "-")


def symbol_of(market: MarketData, product: str) -> str | None:
    symbol = product.replace("-", "/")
    return symbol if symbol in symbols_of(market, "CRYPTO") else None


def to_uuid(order_id: str) -> str:
    """The venue's id of an order of the exchange inside, which has a UUID in its own."""
    return str(uuid.UUID(order_id.partition("_")[2]))


def from_uuid(venue_id: str) -> str | None:
    """The id at the exchange inside; None for what is no UUID."""
    try:
        return f"ord_{uuid.UUID(venue_id).hex}"
    except ValueError:
        return None


def currencies(market: MarketData) -> list[dict[str, Any]]:
    codes = {code for symbol in symbols_of(market, "CRYPTO") for code in symbol.split("/")}
    return [
        {
            "id": code,
            "name": code,
            "min_size": "0.00000001",
            "status": "online",
            "message": "",
            "max_precision": "0.01" if code == "USD" else "0.00000001",
            "convertible_to": [],
            "details": {"type": "fiat" if code == "USD" else "crypto"},
            "default_network": "",
            "supported_networks": [],
        }
        for code in sorted(codes)
    ]


def products(market: MarketData) -> list[dict[str, Any]]:
    listed = [market.instruments[symbol] for symbol in symbols_of(market, "CRYPTO")]
    return [
        {
            "id": product_of(each.symbol),
            "base_currency": each.symbol.partition("/")[0],
            "quote_currency": each.currency,
            "quote_increment": text(each.price_increment),
            "base_increment": text(each.quantity_increment),
            "display_name": each.symbol,
            "min_market_funds": "1",
            "margin_enabled": False,
            "post_only": False,
            "limit_only": False,
            "cancel_only": False,
            "trading_disabled": False,
            "status": "online",
            "status_message": "",
            "auction_mode": False,
        }
        for each in listed
    ]


def spark_lines(market: MarketData, now: datetime) -> Mapping[str, list[list[Any]]]:
    quotes = {symbol: market.quote(symbol, now) for symbol in symbols_of(market, "CRYPTO")}
    at = int(now.timestamp())
    return {
        product_of(symbol): [[at, *4 * [float(each.last or each.bid)]]]
        for symbol, each in quotes.items()
    }


def ticker(quote: Quote) -> dict[str, Any]:
    return {
        "trade_id": int(quote.timestamp.timestamp()),
        "price": text(quote.last),
        "size": "0.1",
        "time": iso(quote.timestamp),
        "bid": text(quote.bid),
        "ask": text(quote.ask),
        "volume": text(quote.volume),
    }


def told_ticker(quote: Quote, sequence: int) -> dict[str, Any]:
    """A message of the feed's channel `ticker`."""
    return {
        "type": "ticker",
        "sequence": sequence,
        "product_id": product_of(quote.symbol),
        "price": text(quote.last),
        "volume_24h": text(quote.volume),
        "best_bid": text(quote.bid),
        "best_bid_size": text(quote.bid_size),
        "best_ask": text(quote.ask),
        "best_ask_size": text(quote.ask_size),
        "side": "buy",
        "time": iso(quote.timestamp),
        "trade_id": sequence,
        "last_size": "0.1",
    }


async def candles(inside: Backing, request: Request) -> Response:
    """The newest first; a window of more than 300 is refused; the running one is among them."""
    symbol = symbol_of(inside.market, request.path_params["product"])
    granularity = int(request.query_params.get("granularity", "60"))
    if symbol is None or granularity not in GRANULARITIES:
        return JSONResponse({"message": "Unsupported granularity"}, 400)
    span, now = timedelta(seconds=granularity), inside.exchange.now()
    start = parsed(request.query_params.get("start")) or now - MOST_CANDLES * span
    end = parsed(request.query_params.get("end")) or now
    if (end - start) // span >= MOST_CANDLES:
        return JSONResponse({"message": "granularity too small for the requested time range"}, 400)
    timeframe, parts = GRANULARITIES[granularity]
    query = BarQuery(
        symbol=symbol,
        timeframe=timeframe,
        start=start,
        end=end + span - span / parts,
        limit=MOST_CANDLES * parts,
    )
    bars = await inside.market.bars(query, now + span)
    return JSONResponse([row(each) for each in joined(bars, granularity)][::-1])


def parsed(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def joined(bars: list[Bar], granularity: int) -> list[Bar]:
    """Bars put together to the length asked for."""
    groups: dict[int, list[Bar]] = {}
    for each in bars:
        opened = int(each.timestamp.timestamp()) // granularity * granularity
        groups.setdefault(opened, []).append(each)
    return [
        group[0].evolve(
            high=max(each.high for each in group),
            low=min(each.low for each in group),
            close=group[-1].close,
            volume=sum(each.volume for each in group),
        )
        for group in groups.values()
    ]


def row(bar: Bar) -> list[Any]:
    numbers = (bar.low, bar.high, bar.open, bar.close, bar.volume)
    return [int(bar.timestamp.timestamp()), *(float(each) for each in numbers)]


# Orders

TYPES = {OrderType.MARKET: "market", OrderType.LIMIT: "limit", OrderType.STOP_LIMIT: "limit"}


def order(found: Order, client_oid: str | None, fees: Decimal) -> dict[str, Any]:
    """An order as GET /orders has it."""
    body: dict[str, Any] = {
        "id": to_uuid(found.id),
        "product_id": product_of(found.symbol),
        "side": found.side.value.lower(),
        "type": TYPES[found.order_type],
        "size": text(found.quantity),
        "post_only": bool(found.post_only),
        "created_at": iso(found.created_at),
        "fill_fees": text(fees),
        "filled_size": text(found.filled_quantity),
        "executed_value": text(found.filled_notional or Decimal(0)),
        "market_type": "spot",
        **status(found),
    }
    if found.order_type is not OrderType.MARKET:
        body |= {"price": text(found.limit_price), "time_in_force": found.time_in_force.value}
    if found.stop_price is not None:
        body |= {"stop": "entry", "stop_price": text(found.stop_price)}
    return body | ({"client_oid": client_oid} if client_oid else {})


def status(found: Order) -> dict[str, Any]:
    over = {OrderStatus.FILLED: "filled", OrderStatus.CANCELLED: "canceled"}
    if found.status in over:
        reason = over[found.status]
        done_at = iso(found.updated_at)
        return {"status": "done", "done_reason": reason, "done_at": done_at, "settled": True}
    waits = found.order_type is OrderType.STOP_LIMIT and not found.triggered
    return {"status": "active" if waits else "open", "settled": False}


def pending(body: Mapping[str, Any], order_id: str, at: datetime) -> dict[str, Any]:
    """The answer to a new order, which is not matched yet."""
    return {
        "id": order_id,
        "product_id": body["product_id"],
        "side": body["side"],
        "type": body["type"],
        "size": body["size"],
        "stp": "dc",
        **{name: body[name] for name in ("price", "stop", "stop_price") if name in body},
        "time_in_force": body.get("time_in_force", "GTC"),
        "post_only": body.get("post_only", False),
        "created_at": iso(at),
        "fill_fees": "0.0000000000000000",
        "filled_size": "0.00000000",
        "executed_value": "0.0000000000000000",
        "status": "pending",
        "settled": False,
    }


def fill(trade: Trade) -> dict[str, Any]:
    return {
        "trade_id": trade_number(trade),
        "product_id": product_of(trade.symbol),
        "order_id": to_uuid(trade.order_id),
        "created_at": iso(trade.timestamp),
        "liquidity": "M" if trade.is_maker else "T",
        "price": text(trade.price),
        "size": text(trade.quantity),
        "fee": text(trade.commission),
        "side": trade.side.value.lower(),
        "settled": True,
        "usd_volume": text(trade.price * trade.quantity),
    }


def trade_number(trade: Trade) -> int:
    """Trade ids grow with time."""
    return int(trade.timestamp.timestamp() * 1_000_000)


IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
