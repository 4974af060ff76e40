"""The store port: where a simulated exchange keeps its accounts, on a disk or in memory.

A command is a plain function run inside one transaction against one account. It sees the account
as committed, emits events, and returns; what it returns is answered only after the commit is as
safe as the store makes it. Raising undoes that command and nothing else.

A command has no effect except through its session: a store may run it again after undoing it.
It may run in a thread of the store, so it must not touch the event loop, and it must not block.

Every method may raise ProviderUnavailable: the disk is full, the database is locked, damaged or
gone, or too many commands wait. A command answered so was not applied, with one exception the
caller cannot see: a commit whose outcome the disk did not report. Retry with the same
client_order_id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol, TypeVar

from providers.base import OrderQuery, Page, TradeQuery
from providers.engine.state import AccountState, Event, EventType, Ledger
from providers.models import Order, Position, Trade

T = TypeVar("T")


class LeaseLost(Exception):
    """Another holder has the lease now: stop doing what it was for."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do something alone until `expires_at`, unless renewed.

    `token` grows each time the lease changes hands, and stays the same over renewals.
    """

    name: str
    holder: str
    token: int
    expires_at: datetime


class PastSubmission(NamedTuple):
    """What a client_order_id was first used for."""

    fingerprint: str
    order_id: str


class Match(NamedTuple):
    """An open order that a tick touches, or whose time is up."""

    account: str
    order_id: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of an account's log; `json` is its WebSocket frame without `event_id`."""

    event_id: int
    type: EventType
    symbol: str | None
    json: str


class Session(Protocol):
    """One command's view of one account, inside its transaction."""

    @property
    def state(self) -> AccountState:
        """The account as committed plus what this command emitted; changed only by `emit`."""

    def find_order(self, order_id: str) -> Order | None:
        """An order of this account in any status."""

    def find_submission(self, client_order_id: str) -> PastSubmission | None: ...

    def group_traded(self, oco_group_id: str) -> bool:
        """Whether any order of an OCO group ever filled, wholly or partly."""

    def remember_submission(self, client_order_id: str, fingerprint: str, order_id: str) -> None:
        """Bind a client id to an order for ever; `find_submission` has found it free.

        The order has been emitted before, or is emitted by this command.
        """

    def forget_submission(self, client_order_id: str) -> None:
        """Free a client id again: a venue has refused its order."""

    def memos(self, kind: str) -> dict[str, str]:
        """What is noted of a kind, by key, sorted."""

    def memo(self, kind: str, key: str) -> str | None: ...

    def set_memo(self, kind: str, key: str, body: str | None) -> None:
        """Note something beside the account, replacing what the key had; None takes it away."""

    def emit(self, events: Sequence[Event]) -> None:
        """Apply the events to `state`, and write the snapshots and the log.

        Raises ValueError for a price that does not fit 18 digits before and after the point.
        """


class Reader(Protocol):
    """Committed state at one moment: every method of one reader sees the same snapshot."""

    def state(self, account: str) -> AccountState:
        """Money, open orders and open positions; a fresh account if it was never used."""

    def ledger(self, account: str) -> Ledger: ...

    def order(self, account: str, order_id: str) -> Order | None: ...

    def orders(self, account: str, query: OrderQuery, *, terminal: bool | None) -> Page[Order]:
        """Newest first; only terminal, only open, or (None) both. `query.status` narrows."""

    def trades(self, account: str, query: TradeQuery) -> Page[Trade]:
        """Newest first."""

    def memos(self, account: str, kind: str) -> dict[str, str]:
        """What is noted of a kind beside the account, by key, sorted."""

    def positions(self, account: str, symbol: str | None) -> list[Position]:
        """Open positions, oldest first."""

    def position(self, account: str, position_id: str) -> Position | None:
        """A position, also one closed since (its quantity is 0)."""

    def events(self, account: str, after: int, limit: int) -> list[Frame]:
        """The account's log after the event id `after`, oldest first."""

    def last_event(self, account: str) -> int:
        """The id of the account's newest event; 0 if there is none."""

    def triggered(self, symbol: str, bid: Decimal, ask: Decimal) -> list[Match]:
        """The OPEN and PARTIALLY_FILLED orders that act at this quote, in price-time priority.

        First what waits for nothing but size, then limits, then stops; see `triggers`.
        """

    def pending(self, accepted: datetime, ahead: datetime) -> list[Match]:
        """PENDING orders accepted at this moment or before, or after `ahead`; oldest first."""

    def leveraged_accounts(self) -> list[str]:
        """Accounts with an open position that can lose more than was paid for it."""

    def holdings(self, account: str) -> AccountState:
        """Money and open positions, without the orders."""

    def expired(self, now: datetime) -> list[Match]:
        """Open orders whose `expires_at` has come, earliest first."""

    def working_symbols(self) -> list[str]:
        """The symbols, sorted, that `triggered` could return orders for."""


class Store(Protocol):
    """Accounts, and commands on them, one at a time."""

    async def open(self) -> None:
        """Create or migrate the database; called once before anything else."""

    async def close(self) -> None:
        """Finish every command already accepted, then release everything."""

    async def transact(
        self, account: str, command: Callable[[Session], T], lease: Lease | None = None
    ) -> T:
        """Run one command atomically; answers after its commit is durable.

        With a lease, raises LeaseLost and runs nothing once another holder has it.
        """

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Run a query on one snapshot that includes every commit answered so far."""


class SharedStore(Store, Protocol):
    """A store that several processes use; a lease says which of them does what only one may."""

    async def acquire_lease(
        self, name: str, holder: str, ttl: timedelta, now: datetime
    ) -> Lease | None:
        """The lease, if it is free, expired at `now` or this holder's own; else None.

        One that would last longer than twice `ttl` was given before the clock was set back, and is
        free too.
        """

    async def renew_lease(self, lease: Lease, ttl: timedelta, now: datetime) -> Lease:
        """Hold on until `now + ttl`. Raises LeaseLost if another took it."""

    async def release_lease(self, lease: Lease) -> None:
        """Let the next one have it at once; nothing happens if it was lost."""
