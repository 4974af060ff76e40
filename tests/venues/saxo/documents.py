"""The JSON that the emulator speaks, made of what the exchange inside knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from providers.models import (
    Account,
    Bar,
    Order,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    Quote,
    TimeInForce,
    Trade,
)

Body = dict[str, Any]
ZERO = Decimal(0)

CLIENT_KEY = "Cf4xZWiYL6W1nMKpygBLLA=="
ACCOUNT_KEY = "LZTc7DdejXODf-WSl2aCyQ=="
ACCOUNT_ID = "9226397"
CLIENT_ID = "9226397"

DURATIONS = {
    "GoodTillCancel": TimeInForce.GTC,
    "DayOrder": TimeInForce.DAY,
    "ImmediateOrCancel": TimeInForce.IOC,
    "FillOrKill": TimeInForce.FOK,
}
ORDER_TYPES = {
    "Market": OrderType.MARKET,
    "Limit": OrderType.LIMIT,
    "Stop": OrderType.STOP,
    "StopIfTraded": OrderType.STOP,
    "StopLimit": OrderType.STOP_LIMIT,
    "TrailingStop": OrderType.TRAILING_STOP,
    "TrailingStopIfTraded": OrderType.TRAILING_STOP,
}
PAIR_ORDERS = ["Market", "Limit", "Stop", "StopLimit", "TrailingStop"]
SHARE_ORDERS = ["Market", "Limit", "StopIfTraded", "StopLimit", "TrailingStopIfTraded"]


@dataclass(frozen=True)
class Product:
    """An instrument as Saxo lists it; `inside` is its symbol at the exchange inside."""

    uic: int
    asset_type: str
    native: str
    inside: str
    description: str

    @property
    def is_pair(self) -> bool:
        return self.asset_type == "FxSpot"


PRODUCTS = (
    Product(21, "FxSpot", "EURUSD", "EUR/USD", "Euro/US Dollar"),
    Product(31, "FxSpot", "GBPUSD", "GBP/USD", "British Pound/US Dollar"),
    Product(211, "Stock", "AAPL:xnas", "AAPL", "Apple Inc."),
    Product(261, "Stock", "MSFT:xnas", "MSFT", "Microsoft Corp."),
    Product(1_249, "Stock", "GOOG:xnas", "GOOG", "Alphabet Inc."),
    Product(1_250, "Stock", "IBM:xnys", "IBM", "International Business Machines Corp."),
    Product(36_590, "Etf", "SPY:arcx", "SPY", "SPDR S&P 500 ETF Trust"),
)
FOREIGN = Product(99_211, "Stock", "AAPL:xwbo", "", "Apple Inc.")
"""The same share in Vienna, which does not trade inside."""
CONTRACT = Product(4_912, "CfdOnStock", "AAPL:xnas", "", "Apple Inc. CFD")
"""Of a kind that our API does not have."""

BY_KEY = {(each.uic, each.asset_type): each for each in (*PRODUCTS, FOREIGN, CONTRACT)}
INSIDE = {each.inside: each for each in PRODUCTS}


@dataclass
class Placed:
    """An order as the venue keeps it. `steps` are its log besides fills and its end.

    `backing_id` is its id inside, once that is known; `locked` that a cancel is under way.
    """

    order_id: str
    product: Product
    request: Body
    backing_id: str | None = None
    locked: bool = False
    steps: list[tuple[datetime, str, str]] = field(default_factory=list)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def without_nulls(body: Body) -> Body:
    """Saxo leaves out what has no value."""
    return {name: value for name, value in body.items() if value is not None}


# Orders


def order_price(order: Order) -> Decimal | None:
    """The price of an order: its trigger if it has one."""
    if order.order_type is OrderType.MARKET:
        return None
    return order.stop_price if order.stop_price is not None else order.limit_price


def second_price(order: Order) -> Decimal | None:
    return order.limit_price if order.order_type is OrderType.STOP_LIMIT else None


def open_order(placed: Placed, order: Order) -> Body:
    """An `OrderResponse`."""
    return without_nulls(
        {
            "AccountId": ACCOUNT_ID,
            "AccountKey": ACCOUNT_KEY,
            "Amount": order.quantity,
            "AssetType": placed.product.asset_type,
            "BuySell": placed.request["BuySell"],
            "ClientId": CLIENT_ID,
            "ClientKey": CLIENT_KEY,
            "Duration": {"DurationType": placed.request["OrderDuration"]["DurationType"]},
            "ExternalReference": placed.request.get("ExternalReference"),
            "FilledAmount": order.filled_quantity or None,
            "IsMarketOpen": True,
            "OpenOrderType": placed.request["OrderType"],
            "OrderAmountType": "Quantity",
            "OrderId": placed.order_id,
            "OrderRelation": "StandAlone",
            "OrderTime": iso(order.created_at),
            "Price": order_price(order),
            "Status": "WorkingLockedCancelPending" if placed.locked else "Working",
            "StopLimitPrice": second_price(order),
            "TrailingStopDistanceToMarket": order.trailing_distance,
            "TrailingStopStep": placed.request.get("TrailingStopStep"),
            "TradingStatus": "Tradable",
            "Uic": placed.product.uic,
        }
    )


ENDS = {
    OrderStatus.CANCELLED: "Cancelled",
    OrderStatus.EXPIRED: "Expired",
}


def order_log(placed: Placed, order: Order, trades: Sequence[Trade]) -> list[Body]:
    """The entries of one order, oldest first; ids are in sequence of time and never change."""
    moments: list[tuple[datetime, int, Body]] = []
    moments += [
        (at, rank, {"Status": status, "SubStatus": sub})
        for rank, (at, status, sub) in enumerate(placed.steps)
    ]
    moments += [(each.timestamp, 100, dict(fill)) for each, fill in fills(order, trades)]
    if order.status in ENDS:
        end = {"Status": ENDS[order.status], "SubStatus": "Confirmed"}
        moments.append((order.updated_at, 200, end))
    moments.sort(key=lambda each: each[:2])
    return list(numbered(placed, order, moments))


def fills(order: Order, trades: Sequence[Trade]) -> Iterator[tuple[Trade, Body]]:
    paid, filled = ZERO, ZERO
    for trade in sorted(trades, key=lambda each: each.timestamp):
        filled += trade.quantity
        paid += trade.quantity * trade.price
        last = order.status is OrderStatus.FILLED and filled == order.filled_quantity
        yield (
            trade,
            {
                "Status": "FinalFill" if last else "Fill",
                "SubStatus": "Confirmed",
                "FillAmount": trade.quantity,
                "ExecutionPrice": trade.price,
                "AveragePrice": paid / filled,
                "PositionId": trade.id,
            },
        )


def numbered(
    placed: Placed, order: Order, moments: Sequence[tuple[datetime, int, Body]]
) -> Iterator[Body]:
    filled = ZERO
    for index, (at, _, step) in enumerate(moments):
        filled += step.get("FillAmount", ZERO)
        yield without_nulls(
            {
                "AccountId": ACCOUNT_ID,
                "ActivityTime": iso(at),
                "Amount": order.quantity,
                "AssetType": placed.product.asset_type,
                "BuySell": placed.request["BuySell"],
                "ClientId": CLIENT_ID,
                "Duration": {"DurationType": placed.request["OrderDuration"]["DurationType"]},
                "ExternalReference": placed.request.get("ExternalReference"),
                "FilledAmount": filled or None,
                "HandledBy": CLIENT_ID,
                "LogId": str(int(at.timestamp() * 1_000_000) * 100 + index),
                "OrderId": placed.order_id,
                "OrderRelation": "StandAlone",
                "OrderType": placed.request["OrderType"],
                "Price": order_price(order),
                "StopLimitPrice": second_price(order),
                "Uic": placed.product.uic,
                **step,
            }
        )


# The account


def signed(position: Position) -> Decimal:
    long = position.side is PositionSide.LONG
    return position.quantity if long else -position.quantity


def net_position(product: Product, position: Position) -> Body:
    """A `NetPositionResponse` with the groups that are told unless others are asked for."""
    amount = signed(position)
    return {
        "NetPositionId": f"{product.native}__{product.asset_type}",
        "NetPositionBase": {
            "AccountId": ACCOUNT_ID,
            "Amount": amount,
            "AssetType": product.asset_type,
            "CanBeClosed": True,
            "ClientId": CLIENT_ID,
            "IsMarketOpen": True,
            "Uic": product.uic,
        },
        "NetPositionView": {
            "AverageOpenPrice": position.average_entry_price,
            "CalculationReliability": "Ok",
            "ConversionRateCurrent": Decimal(1),
            "CurrentPrice": position.current_price,
            "Exposure": amount,
            "PositionCount": 1,
            "ProfitLossOnTrade": position.unrealized_pnl,
            "Status": "Open",
        },
    }


def balance(account: Account, positions: Sequence[tuple[Product, Position]]) -> Body:
    """A `BalanceResponse`: shares are paid in cash, pairs are held on margin."""
    shares = [each for product, each in positions if not product.is_pair]
    pairs = [each for product, each in positions if product.is_pair]
    paid = sum((signed(each) * each.average_entry_price for each in shares), ZERO)
    worth = sum((signed(each) * each.current_price for each in shares), ZERO)
    open_profit = sum((each.unrealized_pnl for each in pairs), ZERO)
    exposure = sum((each.quantity * each.current_price for _, each in positions), ZERO)
    cash = account.balance - paid
    return {
        "CalculationReliability": "Ok",
        "CashBalance": cash,
        "Currency": account.currency,
        "CurrencyDecimals": 2,
        "MarginNetExposure": exposure,
        "MarginUsedByCurrentPositions": -account.margin_used,
        "NonMarginPositionsValue": worth,
        "TotalValue": cash + worth + open_profit,
        "TransactionsNotBooked": ZERO,
        "UnrealizedMarginClosedProfitLoss": ZERO,
        "UnrealizedMarginOpenProfitLoss": open_profit,
        "UnrealizedMarginProfitLoss": open_profit,
        "UnrealizedPositionsValue": worth + open_profit,
    }


# Instruments and prices


def summary(product: Product) -> Body:
    """A `SummaryInfo`."""
    return {
        "AssetType": product.asset_type,
        "CurrencyCode": "USD",
        "Description": product.description,
        "ExchangeId": "SBFX" if product.is_pair else product.native.partition(":")[2],
        "GroupId": product.uic,
        "Identifier": product.uic,
        "SummaryType": "Instrument",
        "Symbol": product.native,
        "TradableAs": [product.asset_type],
    }


def details(product: Product) -> Body:
    """An `InstrumentDetails`."""
    common: Body = {
        "AmountDecimals": 0,
        "AssetType": product.asset_type,
        "CurrencyCode": "USD",
        "Description": product.description,
        "GroupId": product.uic,
        "IsTradable": True,
        "Symbol": product.native,
        "TradableAs": [product.asset_type],
        "TradingStatus": "Tradable",
        "Uic": product.uic,
    }
    if product.is_pair:
        return common | {
            "Format": {"Decimals": 4, "Format": "AllowDecimalPips", "OrderDecimals": 4},
            "IncrementSize": 1000,
            "MinimumTradeSize": 1000,
            "SupportedOrderTypes": PAIR_ORDERS,
            "TickSize": Decimal("0.00001"),
            "TickSizeLimitOrder": Decimal("0.00001"),
            "TickSizeStopOrder": Decimal("0.00001"),
        }
    return common | {
        "Format": {"Decimals": 2, "Format": "Normal", "OrderDecimals": 2},
        "LotSize": 1,
        "LotSizeType": "OddLotsAllowed",
        "SupportedOrderTypes": SHARE_ORDERS,
        "TickSizeScheme": {
            "DefaultTickSize": Decimal("0.01"),
            "Elements": [{"HighPrice": Decimal("0.9999"), "TickSize": Decimal("0.0001")}],
        },
    }


def info_price(product: Product, quote: Quote) -> Body:
    """An `InfoPriceResponse` with Quote and PriceInfoDetails."""
    return {
        "AssetType": product.asset_type,
        "LastUpdated": iso(quote.timestamp),
        "PriceSource": "SBFX" if product.is_pair else "NASDAQ",
        "Quote": {
            "Amount": 1000,
            "Ask": quote.ask,
            "Bid": quote.bid,
            "DelayedByMinutes": 0,
            "ErrorCode": "None",
            "MarketState": "Open",
            "Mid": (quote.ask + quote.bid) / 2,
            "PriceTypeAsk": "Tradable",
            "PriceTypeBid": "Tradable",
        },
        "PriceInfoDetails": without_nulls(
            {
                "AskSize": quote.ask_size,
                "BidSize": quote.bid_size,
                "LastTraded": quote.last,
                "Volume": quote.volume,
            }
        ),
        "Uic": product.uic,
    }


def sample(product: Product, bar: Bar, spread: Decimal) -> Body:
    """A `ChartSample`: of a pair bids and asks, without volume."""
    prices = {"Open": bar.open, "High": bar.high, "Low": bar.low, "Close": bar.close}
    if not product.is_pair:
        return {**prices, "Time": iso(bar.timestamp), "Volume": bar.volume}
    bids = {f"{name}Bid": price for name, price in prices.items()}
    asks = {f"{name}Ask": price + spread for name, price in prices.items()}
    return {**bids, **asks, "Time": iso(bar.timestamp)}
