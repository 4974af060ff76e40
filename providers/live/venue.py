"""The ports of a live venue: what the bridge asks of a broker, and of a source of market data.

A venue speaks of tickets and reports. A ticket is one order as it goes to the venue; one order of
ours may need several in its life, since a venue may replace an order by a new one, and an exit that
we hold ourselves only gets its ticket when it is due. A report says how the venue's order stands.
All symbols here are canonical (`BTC/USD`); all times timezone-aware UTC.

What every call may raise, besides what its own docstring says:

- `ProviderUnavailable`: the venue was not reached, or said that it did not do it.
- `Unanswered`, a kind of that: the call was sent and nobody knows what became of it.
- `RateLimited`: the venue refuses to look at it for now; nothing was done.
- `ProviderError`: the venue answered what its own specification does not allow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from providers.base import BarQuery, Instrument
from providers.errors import ProviderUnavailable
from providers.models import (
    AssetClass,
    Bar,
    OrderType,
    Quote,
    RateLimits,
    RejectReason,
    Side,
    TimeInForce,
    TrailingType,
)

ZERO = Decimal(0)


class Unanswered(ProviderUnavailable):
    """A command was sent and its outcome is not known: a time-out, a cut connection, a 5xx.

    Whoever sent it asks for the order by its client id before anything else is done about it.
    """


class Refused(Exception):
    """The venue refuses a ticket or a change, for certain: nothing was done."""

    def __init__(self, reason: RejectReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Gone(Exception):
    """The order that should be changed or cancelled is not open at the venue any more.

    How it ended is to be asked for.
    """


class Progress(StrEnum):
    """How an order stands at the venue; the last four never change again."""

    PENDING = "PENDING"
    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"

    @property
    def over(self) -> bool:
        return self not in (Progress.PENDING, Progress.WORKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One order as it goes to the venue.

    `client_id` is unique for ever at this venue. `venue_id` is the venue's own id, once it is
    known. `quantity` is the whole quantity of this ticket, whatever of it has filled; `filled` is
    what we knew to have filled when we made up our mind.
    """

    client_id: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    time_in_force: TimeInForce = TimeInForce.GTC
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_distance: Decimal | None = None
    trailing_type: TrailingType | None = None
    display_quantity: Decimal | None = None
    post_only: bool = False
    reduce_only: bool = False
    venue_id: str | None = None
    filled: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill of a venue's order.

    `cumulative` is how much of the order has filled with this one: an execution is known by it, so
    that one told twice counts once, and one that is missing is noticed. `commission` is a cost in
    the currency of the account, negative where the venue pays. `fee_in_kind` is how much of what
    was bought the venue kept as its fee: `quantity` fills, and that much less is held; its worth is
    in `commission`, too.
    """

    quantity: Decimal
    price: Decimal
    cumulative: Decimal
    at: datetime
    commission: Decimal = ZERO
    fee_in_kind: Decimal = ZERO
    is_maker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How an order stands at the venue.

    `filled` counts all its executions; `executions` are those that the venue has told along, any
    number of them, by growing `cumulative`. `average_price` is that of all it has filled.
    `client_id` is empty for an order that has none. `reason` and `message` tell why it was
    REJECTED. `replaced_by` is the venue's id of the order that stands in its place, where the venue
    replaces orders by new ones; this one is CANCELLED then.
    """

    client_id: str
    venue_id: str
    progress: Progress
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    filled: Decimal
    at: datetime
    time_in_force: TimeInForce = TimeInForce.GTC
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    average_price: Decimal | None = None
    executions: tuple[Execution, ...] = ()
    reason: RejectReason | None = None
    message: str = ""
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The stream of order updates came up, or went down; `error` says why it did.

    Whatever happened while it was down was not told: who listens asks once it is up again.
    """

    up: bool
    error: str = ""


Update = Report | Connection


class Amends(StrEnum):
    """What a venue does to change a working order."""

    IN_PLACE = "IN_PLACE"  # the order stays the one it is
    NEW_ORDER = "NEW_ORDER"  # a new order, with ids of its own, takes its place in one step
    NONE = "NONE"  # it cannot: one is cancelled, then the other placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a venue can do by itself; what it cannot, the bridge holds, or it is refused with 501.

    `orders` has, for each kind of instrument, each order type that rests or executes there and the
    times in force it takes. `dedupes` says that a ticket sent twice makes one order, for ever.
    `client_ids` is a pattern of what the venue takes as a client's own id, matched whole.
    `trails` has the distances that a native TRAILING_STOP takes. `money_is_cash`: what
    `Funds.money` counts; see there.
    """

    orders: Mapping[AssetClass, Mapping[OrderType, frozenset[TimeInForce]]]
    amends: Amends
    money_is_cash: bool
    dedupes: bool = False
    post_only: frozenset[AssetClass] = frozenset()
    iceberg: frozenset[AssetClass] = frozenset()
    short_selling: frozenset[AssetClass] = frozenset()
    trails: frozenset[TrailingType] = frozenset(TrailingType)
    max_leverage: Decimal | None = None
    client_ids: str = r"[A-Za-z0-9_-]{1,36}"
    rate_limits: RateLimits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the venue says is held of a symbol: `quantity` is negative for a short position.

    `average_price` is None where the venue does not know it.
    """

    symbol: str
    quantity: Decimal
    average_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """The venue's account.

    `money` does not move with the market. Where `Traits.money_is_cash`, it is cash: buying takes
    the price of what is bought off it. Else it is the balance of a margin account: deposits plus
    what was realized, minus commissions. `margin_used` is what the venue says positions and open
    orders bind, `leverage` by what it divides the worth of what is held for that.
    """

    currency: str
    money: Decimal
    margin_used: Decimal | None = None
    leverage: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a venue has last said of its rate limit: requests left, and when they are full again."""

    remaining: int
    reset_at: datetime | None = None


class Venue(Protocol):
    """One account at one venue, for orders. Only REST calls and one stream; it keeps no orders."""

    name: str
    """As /ready and the frames of the stream name it, such as `alpaca-paper`."""

    @property
    def traits(self) -> Traits: ...

    @property
    def limits(self) -> Limits | None:
        """None where the venue does not tell, or has not yet."""

    async def start(self) -> None:
        """Open connections and learn what can be traded.

        Raises Unauthorized-like failures as ProviderError: a wrong key is not worth a retry.
        """

    async def stop(self) -> None: ...

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """What can be traded, by canonical symbol; known after `start`."""

    async def submit(self, ticket: Ticket) -> Report:
        """Send a new order, once: it is never sent again here. Raises Refused."""

    async def replace(self, ticket: Ticket, changed: Ticket) -> Report:
        """Change a working order: quantity and prices, to those of `changed`.

        Where the venue makes a new order of it, that one has the client id of `changed`, the report
        is about it, and `changed.quantity` is what it is to fill besides `ticket.filled`: less,
        if more of the old one has filled meanwhile. Not called where `amends` is NONE. Raises
        Refused and Gone.
        """

    async def cancel(self, ticket: Ticket) -> Report | None:
        """Ask for an order to be cancelled; that may take a while. Raises Refused and Gone.

        The report, where the venue gives one, tells how the order stands now.
        """

    async def find(self, ticket: Ticket) -> Report | None:
        """How an order stands, by its client id; None if the venue has never heard of it."""

    async def open_orders(self) -> Sequence[Report]:
        """All open orders of the account, whoever placed them."""

    async def executions(self, ticket: Ticket) -> Sequence[Execution] | None:
        """All fills of an order by growing `cumulative`; None if the venue does not tell them."""

    async def holdings(self) -> Sequence[Holding]: ...

    async def funds(self) -> Funds: ...

    async def ping(self) -> None:
        """The cheapest call that shows the venue to be there."""

    def updates(self) -> AsyncIterator[Update]:
        """The stream of order updates, for ever: it connects again by itself, with backoff.

        Begins with a Connection, and has one each time it comes up or goes down. May repeat, and
        may tell in another order than things happened.
        """


class Feed(Protocol):
    """A source of market data."""

    name: str

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """What there are prices of, by canonical symbol; may grow by what `look_up` finds."""

    async def look_up(self, symbol: str) -> Instrument:
        """An instrument that `instruments` may not have yet. Raises SymbolNotFound."""

    async def quotes(self, symbols: Iterable[str]) -> Sequence[Quote]:
        """The quotes in force; a symbol without one is left out."""

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        """Bars closed at `at`, ascending, the most recent `query.limit` of the window.

        Raises SymbolNotFound, and InvalidValue for a timeframe that cannot be made of the source's.
        """

    def stream(self, wanted: Wanted) -> AsyncIterator[Quote | Connection]:
        """Quotes of the wanted symbols as they change, for ever; see `Venue.updates`."""


class Wanted:
    """The symbols a stream is to tell; they change while the stream runs."""

    def __init__(self) -> None:
        self.symbols: frozenset[str] = frozenset()
        self._changed = asyncio.Event()

    def choose(self, symbols: Iterable[str]) -> None:
        """From now on these, and no others."""
        self.symbols = frozenset(symbols)
        self._changed.set()

    async def change(self) -> frozenset[str]:
        """The symbols, once they have been chosen anew since the last call."""
        await self._changed.wait()
        self._changed.clear()
        return self.symbols
