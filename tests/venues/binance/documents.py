"""Binance's JSON as the emulator writes it: documents of symbols, orders, trades and prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from providers.models import Bar, Order, OrderStatus, Quote, Timeframe, Trade

ZERO = Decimal(0)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUOTE_ASSET = "USDT"
MIN_NOTIONAL = Decimal(5)
ICEBERG_PARTS = 10
HIGHEST, LOWEST = Decimal(5), Decimal("0.2")
"""How far from the market a price may be, as multiples of it (PERCENT_PRICE_BY_SIDE)."""

ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT")


@dataclass(frozen=True)
class Pair:
    """A symbol of the emulator, and the symbol of the exchange inside that is behind it."""

    name: str
    base: str
    behind: str
    tick: Decimal
    lot: Decimal
    first_order: int
    status: str = "TRADING"


PAIRS = {
    "BTCUSDT": Pair("BTCUSDT", "BTC", "BTC/USD", Decimal("0.01"), Decimal("0.00001"), 1000),
    "ETHUSDT": Pair("ETHUSDT", "ETH", "ETH/USD", Decimal("0.01"), Decimal("0.0001"), 1000),
}
DELISTED = Pair(
    "LUNAUSDT", "LUNA", "", Decimal("0.0001"), Decimal("0.01"), first_order=1, status="BREAK"
)
OF = {pair.behind: pair for pair in PAIRS.values()}

INTERVALS = {each.value: each for each in Timeframe if each not in (Timeframe.M2, Timeframe.M10)}
SPANS = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "2h": timedelta(hours=2),
    "4h": timedelta(hours=4),
    "12h": timedelta(hours=12),
    "1d": timedelta(days=1),
    "1w": timedelta(days=7),
}


def ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def eight(value: Decimal) -> str:
    """Eight decimals, as the venue writes all amounts."""
    return f"{value:.8f}"


@dataclass
class Placed:
    """An order as the venue knows it; `backing` is the id of the one inside."""

    number: int
    pair: Pair
    client_id: str
    kind: str
    side: str
    quantity: Decimal
    label: str
    created: datetime
    time_in_force: str = "GTC"
    price: Decimal = ZERO
    stop: Decimal = ZERO
    iceberg: Decimal = ZERO
    backing: str = ""
    cancel_id: str = ""
    cancel_pending: bool = False
    told: Decimal = ZERO
    told_paid: Decimal = ZERO
    over: bool = False


@dataclass(frozen=True)
class Deal:
    """A trade with the venue's number, and what it cost, in which asset."""

    number: int
    trade: Trade
    fee: Decimal = ZERO
    fee_asset: str = QUOTE_ASSET


def status_of(placed: Placed, order: Order) -> str:
    """The venue's word: what lapses by itself has expired, what was cancelled is cancelled."""
    if order.status is OrderStatus.FILLED:
        return "FILLED"
    if order.status is OrderStatus.CANCELLED:
        return "CANCELED" if placed.cancel_id else "EXPIRED"
    if order.status is OrderStatus.EXPIRED:
        return "EXPIRED"
    if placed.cancel_pending:
        return "PENDING_CANCEL"
    return "PARTIALLY_FILLED" if order.filled_quantity else "NEW"


def common(placed: Placed, order: Order) -> dict[str, Any]:
    return {
        "symbol": placed.pair.name,
        "orderId": placed.number,
        "orderListId": -1,
        "clientOrderId": placed.client_id,
        "price": eight(placed.price),
        "origQty": eight(placed.quantity),
        "executedQty": eight(order.filled_quantity),
        "cummulativeQuoteQty": eight(order.filled_notional or ZERO),
        "status": status_of(placed, order),
        "timeInForce": placed.time_in_force,
        "type": placed.kind,
        "side": placed.side,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingTime": ms(placed.created) if order.triggered is not False else -1,
    }


def details(placed: Placed, order: Order) -> dict[str, Any]:
    """An order as it is asked for."""
    return common(placed, order) | {
        "stopPrice": eight(placed.stop),
        "icebergQty": eight(placed.iceberg),
        "time": ms(placed.created),
        "updateTime": ms(order.updated_at),
        "isWorking": order.triggered is not False,
        "origQuoteOrderQty": eight(ZERO),
    }


def made(placed: Placed, order: Order, deals: list[Deal], detail: str) -> dict[str, Any]:
    """The answer to a new order: ACK, RESULT or FULL."""
    whole = common(placed, order) | {"transactTime": ms(order.updated_at)}
    if detail == "ACK":
        kept = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
        return {name: whole[name] for name in kept}
    if detail == "FULL":
        whole["fills"] = [
            {
                "price": eight(deal.trade.price),
                "qty": eight(deal.trade.quantity),
                "commission": eight(deal.fee),
                "commissionAsset": deal.fee_asset,
                "tradeId": deal.number,
            }
            for deal in deals
        ]
    return whole


def cancelled(placed: Placed, order: Order, at: datetime) -> dict[str, Any]:
    """The answer to a cancel, which has a client id of its own."""
    return common(placed, order) | {
        "origClientOrderId": placed.client_id,
        "clientOrderId": placed.cancel_id,
        "transactTime": ms(at),
    }


def my_trade(placed: Placed, deal: Deal) -> dict[str, Any]:
    trade = deal.trade
    return {
        "symbol": placed.pair.name,
        "id": deal.number,
        "orderId": placed.number,
        "orderListId": -1,
        "price": eight(trade.price),
        "qty": eight(trade.quantity),
        "quoteQty": eight(trade.price * trade.quantity),
        "commission": eight(deal.fee),
        "commissionAsset": deal.fee_asset,
        "time": ms(trade.timestamp),
        "isBuyer": placed.side == "BUY",
        "isMaker": bool(trade.is_maker),
        "isBestMatch": True,
    }


def execution_report(
    placed: Placed, kind: str, status: str, at: datetime, deal: Deal | None = None
) -> dict[str, Any]:
    """An event of the account's stream; a deal counts as told with it."""
    ended = kind == "CANCELED"
    return {
        "e": "executionReport",
        "E": ms(at),
        "s": placed.pair.name,
        "c": placed.cancel_id if ended else placed.client_id,
        "S": placed.side,
        "o": placed.kind,
        "f": placed.time_in_force,
        "q": eight(placed.quantity),
        "p": eight(placed.price),
        "P": eight(placed.stop),
        "F": eight(placed.iceberg),
        "g": -1,
        "C": placed.client_id if ended else "",
        "x": kind,
        "X": status,
        "r": "NONE",
        "i": placed.number,
        "l": eight(deal.trade.quantity if deal else ZERO),
        "z": eight(placed.told),
        "L": eight(deal.trade.price if deal else ZERO),
        "n": eight(deal.fee) if deal else "0",
        "N": deal.fee_asset if deal else None,
        "T": ms(at),
        "t": deal.number if deal else -1,
        "w": kind == "NEW",
        "m": bool(deal and deal.trade.is_maker),
        "M": False,
        "O": ms(placed.created),
        "Z": eight(placed.told_paid),
        "Y": eight(deal.trade.quantity * deal.trade.price if deal else ZERO),
        "Q": eight(ZERO),
        "V": "EXPIRE_MAKER",
        **({"eR": "UNFILLED_IOC_QUANTITY_EXPIRED"} if kind == "EXPIRED" else {}),
    }


def balances(held: Mapping[str, tuple[Decimal, Decimal]]) -> list[dict[str, str]]:
    """Free and locked amounts of each asset."""
    return [
        {"asset": asset, "free": eight(free), "locked": eight(locked)}
        for asset, (free, locked) in sorted(held.items())
    ]


def account(
    held: Mapping[str, tuple[Decimal, Decimal]], at: datetime, fee: Decimal
) -> dict[str, Any]:
    points = int(fee * 10_000)
    return {
        "makerCommission": points,
        "takerCommission": points,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": eight(fee),
            "taker": eight(fee),
            "buyer": eight(ZERO),
            "seller": eight(ZERO),
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": ms(at),
        "accountType": "SPOT",
        "balances": balances(held),
        "permissions": ["SPOT"],
        "uid": 354937868,
    }


def symbol_information(pair: Pair) -> dict[str, Any]:
    return {
        "symbol": pair.name,
        "status": pair.status,
        "baseAsset": pair.base,
        "baseAssetPrecision": 8,
        "quoteAsset": QUOTE_ASSET,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters(pair),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def filters(pair: Pair) -> list[dict[str, Any]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": eight(pair.tick),
            "maxPrice": "1000000.00000000",
            "tickSize": eight(pair.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": eight(pair.lot),
            "maxQty": "9000.00000000",
            "stepSize": eight(pair.lot),
        },
        {"filterType": "ICEBERG_PARTS", "limit": ICEBERG_PARTS},
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": str(HIGHEST),
            "bidMultiplierDown": str(LOWEST),
            "askMultiplierUp": str(HIGHEST),
            "askMultiplierDown": str(LOWEST),
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": eight(MIN_NOTIONAL),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]


def exchange_information(pairs: list[Pair], at: datetime) -> dict[str, Any]:
    limits = (
        ("REQUEST_WEIGHT", "MINUTE", 1, 6000),
        ("ORDERS", "SECOND", 10, 100),
        ("ORDERS", "DAY", 1, 200_000),
        ("RAW_REQUESTS", "MINUTE", 5, 61_000),
    )
    return {
        "timezone": "UTC",
        "serverTime": ms(at),
        "rateLimits": [
            {"rateLimitType": kind, "interval": unit, "intervalNum": number, "limit": limit}
            for kind, unit, number, limit in limits
        ],
        "exchangeFilters": [],
        "symbols": [symbol_information(pair) for pair in pairs],
    }


def kline(bar: Bar, span: timedelta) -> list[Any]:
    return [
        ms(bar.timestamp),
        *(eight(each) for each in (bar.open, bar.high, bar.low, bar.close, bar.volume)),
        ms(bar.timestamp + span) - 1,
        eight(bar.volume * bar.close),
        100,
        eight(bar.volume / 2),
        eight(bar.volume * bar.close / 2),
        "0",
    ]


def book_ticker(pair: Pair, quote: Quote) -> dict[str, str]:
    return {
        "symbol": pair.name,
        "bidPrice": eight(quote.bid),
        "bidQty": eight(quote.bid_size or ZERO),
        "askPrice": eight(quote.ask),
        "askQty": eight(quote.ask_size or ZERO),
    }


def streamed_ticker(pair: Pair, quote: Quote, number: int) -> dict[str, Any]:
    return {
        "u": number,
        "s": pair.name,
        "b": eight(quote.bid),
        "B": eight(quote.bid_size or ZERO),
        "a": eight(quote.ask),
        "A": eight(quote.ask_size or ZERO),
    }
