"""The ports: what every provider and every market-data source offers.

Handlers know only this module, the models and the errors; venues implement it.
Prices, quantities and money are `Decimal`; times are timezone-aware UTC `datetime`;
`account` is the account id that authentication resolved.

Errors are raised from `providers.errors`; each method names the ones a caller must expect
besides `ProviderUnavailable`, which any call may raise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from providers.breakers import CircuitBreakers
from providers.models import (
    Account,
    AssetClass,
    Bar,
    CancelAllResult,
    CancelOrderResult,
    Capabilities,
    ClosePositionRequest,
    ConnectionStatus,
    ModifyOrderRequest,
    ModifyPositionRequest,
    Order,
    OrderHandle,
    OrderRequest,
    OrderStatus,
    Position,
    Quote,
    Side,
    Timeframe,
    Trade,
)

Clock = Callable[[], datetime]
"""Returns the present moment, timezone-aware UTC."""

IdSource = Callable[[str], str]
"""Returns a new unique id for a prefix: `ids("ord") -> "ord_..."`."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderQuery:
    """Filters of GET /orders and GET /orders/history; None or empty means no filter.

    `since` is inclusive and `until` exclusive, both on `created_at`.
    """

    symbol: str | None = None
    status: Sequence[OrderStatus] = ()
    side: Side | None = None
    client_order_id: str | None = None
    oco_group_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeQuery:
    """Filters of GET /trades; `since` is inclusive and `until` exclusive, both on `timestamp`."""

    symbol: str | None = None
    order_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BarQuery:
    """The window of GET /bars: `start` and `end` inclusive, on the bar's opening time.

    `limit` keeps the most recent bars of the window.
    """

    symbol: str
    timeframe: Timeframe
    start: datetime | None = None
    end: datetime | None = None
    limit: int = 500


class FrameType(StrEnum):
    """What a frame of the event stream is about: its `type`, as asyncapi.yaml has them."""

    PING = "ping"
    ORDER = "order"
    POSITION = "position"
    ACCOUNT = "account"
    TRADE = "trade"
    QUOTE = "quote"
    CANDLE = "candle"
    CONNECTION = "connection"
    DATA_STALENESS = "data_staleness"
    RATE_LIMIT = "rate_limit"
    ERROR = "error"
    FINANCING = "financing"
    BACKTEST_COMPLETE = "backtest_complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuery:
    """What a client of the event stream wants to hear; None means everything.

    `after` is the id of the last event it has seen: all later ones follow. Without it the stream
    begins now. `symbols` and `types` leave out what they do not name; what concerns the connection
    itself, and frames without a symbol where only `symbols` are chosen, always come.
    """

    after: int | None = None
    symbols: frozenset[str] | None = None
    types: frozenset[FrameType] | None = None


class SlowReader(Exception):
    """A client of the event stream has fallen so far behind that frames would be lost to it."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Newest-first items and whether older ones exist beyond the limit."""

    items: list[T]
    has_more: bool = False

    @classmethod
    def of(cls, found: list[T], limit: int) -> Page[T]:
        """The first `limit` of what was found; there are more if more was found."""
        return cls(found[:limit], has_more=len(found) > limit)


@dataclass(frozen=True, slots=True)
class Submission:
    """The answer to an order: its handle, and whether an earlier request already made it."""

    handle: OrderHandle
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What may be traded and in which steps.

    `price_increment` is the tick size and `quantity_increment` the lot size; a price or a
    quantity off the step is refused with INVALID_PRICE or INVALID_QUANTITY.
    """

    symbol: str
    asset_class: AssetClass
    price_increment: Decimal
    quantity_increment: Decimal
    currency: str = "USD"


class MarketData(Protocol):
    """A source of quotes and bars.

    `quote` is synchronous because a matching decision needs it in the middle of a transaction:
    sources that do I/O keep their latest quotes in memory.
    """

    name: str

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """All instruments by canonical symbol."""

    def resolve(self, symbol: str) -> Instrument:
        """The instrument behind a symbol or an alias such as `C:BTCUSD`.

        Raises SymbolNotFound.
        """

    async def prepare(self, symbols: Iterable[str]) -> None:
        """Have these symbols and their quotes at hand, where that takes asking somebody.

        Symbols may be aliases; one that nobody knows is left to `resolve` to refuse.
        """

    def quote(self, symbol: str, at: datetime) -> Quote:
        """The quote of a canonical symbol in force at `at`.

        Raises SymbolNotFound, and ProviderUnavailable where it has not been prepared.
        """

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        """Bars already closed at `at`, ascending. Raises SymbolNotFound."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Provider(Protocol):
    """One venue behind the API: a simulated exchange or a real broker."""

    name: str

    @property
    def breakers(self) -> CircuitBreakers:
        """Where it records what the venue fails in; handlers ask them before a new order."""

    async def start(self) -> None:
        """Open connections, run migrations; called once before the first request."""

    async def stop(self) -> None:
        """Finish what was accepted and release everything; called once."""

    async def submit_order(self, account: str, request: OrderRequest) -> Submission:
        """Raises OrderRejected, DuplicateClientOrderId, UnsupportedOperation, SymbolNotFound."""

    async def list_orders(self, account: str, query: OrderQuery) -> Page[Order]:
        """Open orders, or exactly those of `query.status` when it is given."""

    async def list_order_history(self, account: str, query: OrderQuery) -> Page[Order]:
        """Terminal orders."""

    async def get_order(self, account: str, order_id: str) -> Order:
        """Raises OrderNotFound."""

    async def modify_order(self, account: str, order_id: str, change: ModifyOrderRequest) -> Order:
        """Raises OrderNotFound, OrderNotModifiable, InvalidValue, OrderRejected."""

    async def cancel_order(self, account: str, order_id: str) -> CancelOrderResult:
        """Raises OrderNotFound; an order already terminal answers `success: false`."""

    async def cancel_all_orders(self, account: str, symbol: str | None) -> CancelAllResult: ...

    async def list_positions(self, account: str, symbol: str | None) -> list[Position]: ...

    async def get_position(self, account: str, position_id: str) -> Position:
        """Raises PositionNotFound."""

    async def modify_position(
        self, account: str, position_id: str, change: ModifyPositionRequest
    ) -> Position:
        """Create or move the exits. Raises PositionNotFound, OrderRejected."""

    async def close_position(
        self, account: str, position_id: str, request: ClosePositionRequest
    ) -> OrderHandle:
        """Raises PositionNotFound, OrderRejected, UnsupportedOperation."""

    async def close_all_positions(self, account: str, symbol: str | None) -> list[OrderHandle]:
        """A handle for each position; one that could not be closed has a REJECTED order."""

    async def list_trades(self, account: str, query: TradeQuery) -> Page[Trade]: ...

    async def get_account(self, account: str) -> Account: ...

    async def get_quote(self, symbol: str) -> Quote:
        """Raises SymbolNotFound."""

    async def get_bars(self, query: BarQuery) -> list[Bar]:
        """Raises SymbolNotFound."""

    async def get_capabilities(self) -> Capabilities: ...

    async def get_status(self) -> ConnectionStatus: ...

    # The event stream

    def now(self) -> datetime:
        """The moment at the venue: the real one, or the simulated one of a backtest."""

    async def subscribe(self, account: str, query: StreamQuery) -> AsyncIterator[str]:
        """Frames for one client, each as it goes over the wire, without gap or repeat.

        Ends after the last frame there will ever be, and raises SlowReader, in the middle of the
        iteration, where the client takes them too slowly. Closing the iterator (`aclose`) ends the
        subscription.

        Raises SymbolNotFound, and InvalidValue for an `after` that is not an id of the log.
        """

    async def acknowledge(self, account: str, event_ids: Sequence[str]) -> None:
        """The client has dealt with these events; ids that are unknown or repeated do nothing."""
