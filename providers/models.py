# Generated from openapi.yaml by `make models`: never edit by hand.
"""The values of the API: money is `Decimal`, times are aware, all is frozen."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value; `evolve(...)` makes a changed one."""

    model_config = ConfigDict(frozen=True)

    def evolve(self, **changes: Any) -> Self:
        """A copy with these fields changed, as by `model_copy(update=...)` in half the time."""
        twin = self.__new__(type(self))
        put = object.__setattr__
        put(twin, "__dict__", {**self.__dict__, **changes})
        put(twin, "__pydantic_fields_set__", self.__pydantic_fields_set__ | changes.keys())
        put(twin, "__pydantic_extra__", None)
        put(twin, "__pydantic_private__", None)
        return twin


class Side(StrEnum):
    """The side of an order or trade."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """When and at what price an order may execute."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING_STOP = "TRAILING_STOP"


class CloseOrderType(StrEnum):
    """The order types that close a position."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class OrderStatus(StrEnum):
    """The state of an order. PENDING: received, not yet working. OPEN: working.
    PARTIALLY_FILLED: working, some of it traded. PENDING_CANCEL: a cancel is under way.
    FILLED, CANCELLED, REJECTED and EXPIRED are terminal.
    """

    PENDING = "PENDING"
    PENDING_CANCEL = "PENDING_CANCEL"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class TimeInForce(StrEnum):
    """How long an order works. GTC: until cancelled. DAY: until the session ends. IOC: what can
    trade at once, the rest is cancelled. FOK: all of it at once, or nothing.
    """

    GTC = "GTC"
    DAY = "DAY"
    IOC = "IOC"
    FOK = "FOK"


class PositionSide(StrEnum):
    """The direction of a position."""

    LONG = "LONG"
    SHORT = "SHORT"


class PositionMode(StrEnum):
    """NETTING holds one position per symbol, HEDGING one per opening order."""

    NETTING = "NETTING"
    HEDGING = "HEDGING"


class MarginMode(StrEnum):
    """CROSS shares the account's margin, ISOLATED confines loss to the position's own."""

    CROSS = "CROSS"
    ISOLATED = "ISOLATED"


class TrailingType(StrEnum):
    """What a trailing distance is measured in, price units or percent."""

    ABSOLUTE = "ABSOLUTE"
    PERCENT = "PERCENT"


class Timeframe(StrEnum):
    """A bar interval; weeks start on Monday 00:00 UTC."""

    M1 = "1m"
    M2 = "2m"
    M5 = "5m"
    M10 = "10m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H12 = "12h"
    D1 = "1d"
    W1 = "1w"


class AssetClass(StrEnum):
    """The kind of instrument."""

    STOCK = "STOCK"
    FOREX = "FOREX"
    CRYPTO = "CRYPTO"
    FUTURES = "FUTURES"


class Feature(StrEnum):
    """An optional feature of a provider."""

    BRACKET_ORDERS = "bracket_orders"
    OCO = "oco"
    TRAILING_STOP = "trailing_stop"
    HIDDEN_ORDERS = "hidden_orders"
    ICEBERG_ORDERS = "iceberg_orders"
    POST_ONLY = "post_only"
    REDUCE_ONLY = "reduce_only"
    SHORT_SELLING = "short_selling"
    HEDGING = "hedging"
    LEVERAGE = "leverage"
    ISOLATED_MARGIN = "isolated_margin"
    CROSS_MARGIN = "cross_margin"


class RejectReason(StrEnum):
    """Why an order was rejected. WASH_TRADE is the refusal of a venue that takes no order against
    another open one of the same account.
    """

    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    INVALID_QUANTITY = "INVALID_QUANTITY"
    INVALID_PRICE = "INVALID_PRICE"
    SYMBOL_NOT_TRADEABLE = "SYMBOL_NOT_TRADEABLE"
    MARKET_CLOSED = "MARKET_CLOSED"
    REDUCE_ONLY_VIOLATED = "REDUCE_ONLY_VIOLATED"
    POST_ONLY_VIOLATED = "POST_ONLY_VIOLATED"
    RATE_LIMITED = "RATE_LIMITED"
    LEVERAGE_EXCEEDED = "LEVERAGE_EXCEEDED"
    POSITION_NOT_FOUND = "POSITION_NOT_FOUND"
    OCO_GROUP_CLOSED = "OCO_GROUP_CLOSED"
    WASH_TRADE = "WASH_TRADE"
    UNKNOWN = "UNKNOWN"


class ErrorCode(StrEnum):
    """What went wrong, for programs."""

    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_VALUE = "INVALID_VALUE"
    UNAUTHORIZED = "UNAUTHORIZED"
    NOT_FOUND = "NOT_FOUND"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    POSITION_NOT_FOUND = "POSITION_NOT_FOUND"
    SYMBOL_NOT_FOUND = "SYMBOL_NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    ORDER_NOT_MODIFIABLE = "ORDER_NOT_MODIFIABLE"
    DUPLICATE_CLIENT_ORDER_ID = "DUPLICATE_CLIENT_ORDER_ID"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    ORDER_REJECTED = "ORDER_REJECTED"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    UNSUPPORTED_OPERATION = "UNSUPPORTED_OPERATION"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    SHUTTING_DOWN = "SHUTTING_DOWN"


class OrderRequest(Model):
    """A new order. Which fields it takes depends on order_type."""

    symbol: str
    """What to trade; an alias is resolved."""
    side: Side
    """Whether to buy or to sell."""
    quantity: Decimal
    """How much, in units of the instrument."""
    order_type: OrderType
    """Decides which other fields the order takes."""
    limit_price: Decimal | None = None
    """The worst price to trade at; for LIMIT and STOP_LIMIT."""
    stop_price: Decimal | None = None
    """The price that triggers the order; for STOP and STOP_LIMIT."""
    time_in_force: TimeInForce | None = None
    """GTC when absent."""
    client_order_id: str | None = None
    """The client's own id; makes the request safe to repeat."""
    stop_loss: Decimal | None = None
    """Stop price of the protective order that the fill creates."""
    take_profit: Decimal | None = None
    """Limit price of the profit-taking order that the fill creates."""
    reduce_only: bool | None = None
    """Only ever reduce the position."""
    post_only: bool | None = None
    """Reject rather than fill on arrival."""
    oco_group_id: str | None = None
    """Orders of one group cancel each other."""
    hidden: bool | None = None
    """Not visible in the order book."""
    display_quantity: Decimal | None = None
    """How much of the order the book shows; the rest is an iceberg below."""
    leverage: Decimal | None = None
    """The notional divided by the margin it binds; that of the account when absent."""
    margin_mode: MarginMode | None = None
    """Which margin backs the position; CROSS when absent."""
    position_id: str | None = None
    """The position to add to or reduce, for hedging accounts."""
    trailing_distance: Decimal | None = None
    """How far the stop trails the best price, in price units or in percent (below 100); for
    TRAILING_STOP.
    """
    trailing_type: TrailingType | None = None
    """ABSOLUTE when absent."""


class ModifyOrderRequest(Model):
    """The changes to an order; what is absent or null stays as it is."""

    quantity: Decimal | None = None
    """The new total quantity, at least what has filled."""
    limit_price: Decimal | None = None
    """The new limit price; for LIMIT and STOP_LIMIT."""
    stop_price: Decimal | None = None
    """The new stop price; for STOP and STOP_LIMIT."""
    stop_loss: Decimal | None = None
    """The new stop price of the protective order."""
    take_profit: Decimal | None = None
    """The new limit price of the profit-taking order."""
    trailing_distance: Decimal | None = None
    """The new trailing distance; for TRAILING_STOP."""


class ClosePositionRequest(Model):
    """How to close a position."""

    quantity: Decimal | None = None
    """How much to close; all of it when absent."""
    order_type: CloseOrderType | None = None
    """MARKET when absent."""
    limit_price: Decimal | None = None
    """The worst price to close at; needed by LIMIT."""
    cancel_associated_orders: bool | None = None
    """Cancel the position's stop-loss and take-profit orders; true when absent."""


class ModifyPositionRequest(Model):
    """The exits that a position should have; one that is absent or null is not touched."""

    stop_loss: Decimal | None = None
    """Stop price of the protective order, created or moved."""
    take_profit: Decimal | None = None
    """Limit price of the profit-taking order, created or moved."""


class OrderHandle(Model):
    """What a new order is called and the state it is in."""

    id: str
    """The id of the order, to be used in paths."""
    status: OrderStatus
    """The state when the request was answered."""
    client_order_id: str | None = None
    """The client_order_id of the request, if it had one."""


class Order(Model):
    """An order and what has become of it."""

    id: str
    """The id that the server gave the order."""
    client_order_id: str | None = None
    """The id that the client gave the order."""
    symbol: str
    """The canonical symbol."""
    side: Side
    """Whether the order buys or sells."""
    order_type: OrderType
    """The type as submitted."""
    quantity: Decimal
    """The total quantity ordered; filled_quantity plus remaining_quantity."""
    filled_quantity: Decimal
    """How much has traded."""
    remaining_quantity: Decimal
    """How much has not traded."""
    limit_price: Decimal | None = None
    """The worst price to trade at."""
    stop_price: Decimal | None = None
    """The price that triggers the order; of a TRAILING_STOP the present effective stop."""
    status: OrderStatus
    """The present state."""
    time_in_force: TimeInForce
    """How long the order works."""
    average_fill_price: Decimal | None = None
    """The quantity-weighted mean price of the fills, rounded half even to 18 places; null before
    the first.
    """
    filled_notional: Decimal | None = None
    """The exact sum of price times quantity over the fills; null before the first."""
    stop_loss: Decimal | None = None
    """Stop price of the protective order."""
    take_profit: Decimal | None = None
    """Limit price of the profit-taking order."""
    trailing_distance: Decimal | None = None
    """How far the stop trails the best price, in the unit of trailing_type."""
    trailing_type: TrailingType | None = None
    """The measure of trailing_distance."""
    trailing_reference: Decimal | None = None
    """The best price since acceptance, from which a TRAILING_STOP keeps its distance."""
    triggered: bool | None = None
    """Whether a stop order's stop_price was reached; null for orders without a stop."""
    reduce_only: bool | None = None
    """Only ever reduces the position."""
    post_only: bool | None = None
    """Would rather have been rejected than fill on arrival."""
    hidden: bool | None = None
    """Not visible in the order book."""
    display_quantity: Decimal | None = None
    """How much of the order the book shows."""
    oco_group_id: str | None = None
    """The OCO group that the order is in."""
    parent_order_id: str | None = None
    """What an exit belongs to, the entry order of a bracket or the position it was set on."""
    position_id: str | None = None
    """The position the order opens, adds to or reduces, where it names one."""
    leverage: Decimal | None = None
    """That of the request, or of the account where it named none."""
    margin_mode: MarginMode | None = None
    """Which margin backs the position."""
    reject_reason: RejectReason | None = None
    """Why a REJECTED order was refused."""
    expires_at: AwareDatetime | None = None
    """When a DAY order expires."""
    created_at: AwareDatetime
    """When the order was accepted; strictly increasing per account."""
    updated_at: AwareDatetime
    """When the order last changed."""


class ModifiedOrder(Order):
    """The order after a change; under /v1 with the order again as a member."""

    order: Order | None = None
    """The same order; present under /v1 only."""


class CancelOrderResult(Model):
    """Whether the order was cancelled by this request, and the order."""

    success: bool
    """Whether this request cancelled the order."""
    order: Order
    """The order after the request."""


class CancelAllResult(Model):
    """How many orders were cancelled, and which could not be."""

    cancelled_count: int
    """How many orders this request cancelled."""
    failed_count: int
    """How many could not be cancelled."""
    failed_order_ids: list[str] | None = None
    """Which could not be cancelled; null when none."""


class Position(Model):
    """What is held of a symbol."""

    id: str
    """The id of the position."""
    symbol: str
    """The canonical symbol."""
    side: PositionSide
    """LONG or SHORT."""
    quantity: Decimal
    """How much is held; positive on either side."""
    average_entry_price: Decimal
    """The quantity-weighted entry price, rounded half even to 18 places."""
    cost_basis: Decimal | None = None
    """The exact sum of entry price times quantity of what is held."""
    current_price: Decimal
    """The mark: the bid for LONG, the ask for SHORT."""
    unrealized_pnl: Decimal
    """Profit or loss if closed at the mark."""
    realized_pnl: Decimal
    """Profit or loss already taken by reducing this position."""
    margin_mode: MarginMode | None = None
    """Which margin backs the position."""
    leverage: Decimal | None = None
    """That of its orders; the mean where they named different ones."""
    liquidation_price: Decimal | None = None
    """The mark at which the position is liquidated."""
    opened_at: AwareDatetime
    """When the position was opened."""
    updated_at: AwareDatetime
    """When the position last changed."""


class Trade(Model):
    """A fill of an order."""

    id: str
    """The id of the fill."""
    order_id: str
    """The order that filled."""
    symbol: str
    """The canonical symbol."""
    side: Side
    """The side of the order."""
    quantity: Decimal
    """How much traded."""
    price: Decimal
    """At what price."""
    commission: Decimal
    """What the fill cost, in commission_currency."""
    commission_currency: str
    """The currency of commission."""
    is_maker: bool | None = None
    """Whether the order rested (maker) or took (taker)."""
    timestamp: AwareDatetime
    """When it traded; strictly increasing per account."""


class Account(Model):
    """Money and margin of the account."""

    balance: Decimal
    """Deposits plus realized profit and loss minus commissions."""
    equity: Decimal
    """balance plus unrealized_pnl."""
    margin_used: Decimal
    """What positions and open orders bind."""
    margin_available: Decimal
    """equity minus margin_used."""
    unrealized_pnl: Decimal
    """The sum over all open positions."""
    currency: str
    """The currency of all figures."""


class Quote(Model):
    """The best bid and ask of a symbol."""

    symbol: str
    """The canonical symbol."""
    provider: str
    """The source of the quote."""
    bid: Decimal
    """The best price to sell at."""
    bid_size: Decimal | None
    """How much can be sold at the bid."""
    ask: Decimal
    """The best price to buy at."""
    ask_size: Decimal | None
    """How much can be bought at the ask."""
    last: Decimal | None
    """The last traded price."""
    volume: Decimal | None = None
    """Volume of the day so far."""
    timestamp: AwareDatetime
    """When this quote came into force."""


class Bar(Model):
    """Open, high, low, close and volume of an interval."""

    symbol: str
    """The canonical symbol."""
    provider: str
    """The source of the bar."""
    timeframe: Timeframe
    """The interval."""
    timestamp: AwareDatetime
    """When the bar opened."""
    open: Decimal
    """The first price."""
    high: Decimal
    """The highest price."""
    low: Decimal
    """The lowest price."""
    close: Decimal
    """The last price."""
    volume: Decimal
    """How much traded."""


class RateLimits(Model):
    """How often the provider may be asked; null where unlimited."""

    requests_per_minute: int | None = None
    """Requests per minute."""
    orders_per_second: int | None = None
    """Orders per second."""
    orders_per_day: int | None = None
    """Orders per day."""


class Capabilities(Model):
    """What the provider supports."""

    supported_asset_classes: list[AssetClass]
    """Kinds of instrument that trade."""
    supported_order_types: list[OrderType]
    """Order types that are accepted."""
    position_mode: PositionMode
    """Whether positions net or hedge."""
    features: list[Feature]
    """Optional features that work."""
    max_leverage: Decimal | None = None
    """The highest leverage; null where there is none."""
    rate_limits: RateLimits | None = None
    """The venue's limits; null where there are none."""


class ConnectionStatus(Model):
    """The connection to the provider."""

    connected: bool
    """Whether the provider is connected."""
    latency_ms: int | None = None
    """The last round trip to the venue, in milliseconds."""
    last_heartbeat: AwareDatetime | None = None
    """When the venue last answered."""


class CircuitState(StrEnum):
    """closed lets calls through, open holds them back."""

    CLOSED = "closed"
    OPEN = "open"


class CircuitBreaker(Model):
    """What one breaker counts, and whether it is open."""

    failure_count: int
    """Failures that count, up to the number that opens the breaker."""
    state: CircuitState
    """Whether it lets calls through."""


class CircuitBreakers(Model):
    """The breakers between this API and the venue."""

    adapter: CircuitBreaker
    """Counts calls of the venue that failed."""
    exit_order: CircuitBreaker
    """Counts stop-losses and take-profits that could not be placed."""


class HealthStatus(StrEnum):
    """ok, for as long as the service answers."""

    OK = "ok"


class Health(Model):
    """Whether the service is running."""

    status: HealthStatus
    """Always ok."""


class Readiness(Model):
    """Whether a provider is configured."""

    ready: bool
    """Whether requests can be served."""
    providers: list[str]
    """Names of the providers configured."""
    provider_count: int
    """How many there are."""
    message: str | None = None
    """Why the service is not ready."""


class ErrorResponse(Model):
    """The one shape of every error."""

    code: ErrorCode
    """What went wrong, for programs."""
    message: str
    """What went wrong, for people."""
    details: dict[str, Any] | None
    """What it concerns; which members it has depends on the code."""
