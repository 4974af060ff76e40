"""A store in memory: for a run that starts from nothing and whose results are written at its end.

Everything happens in the thread of the event loop, one command after the other. Nothing is undone:
the engine decides before anything is emitted, so a command that raises has emitted nothing; if one
should, the store refuses everything from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from providers.base import OrderQuery, Page, TradeQuery
from providers.engine.state import TERMINAL, AccountState, Event, Ledger, Notice
from providers.errors import ProviderUnavailable
from providers.exchange.book_index import BookIndex
from providers.exchange.documents import EPOCH, document_of, to_micros
from providers.exchange.frames import logged
from providers.exchange.store import Frame, Lease, Match, PastSubmission, Reader, Session
from providers.models import Order, Position, PositionSide, Trade

T = TypeVar("T")

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Books:
    """All that one account has and had."""

    state: AccountState
    orders: dict[str, Order] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    submissions: dict[str, PastSubmission] = field(default_factory=dict)
    groups_traded: set[str] = field(default_factory=set)
    notices: list[Notice] = field(default_factory=list)
    memos: dict[tuple[str, str], str] = field(default_factory=dict)
    events: list[Frame] = field(default_factory=list)


class MemoryStore:
    """`Store` and `Reader` at once. `opening` is what an account starts with.

    `number` gives the id of the next event, `publish` takes each frame of the log as it is made.
    """

    newest: int
    """The id of the newest event."""

    def __init__(
        self,
        opening: Ledger,
        *,
        number: Callable[[], int],
        publish: Callable[[str, Frame], None] = lambda *_: None,
    ) -> None:
        self.book = BookIndex()
        self._opening = opening
        self._number = number
        self._publish = publish
        self._accounts: dict[str, Books] = {}
        self.newest = 0
        self._broken = False

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to release."""

    async def transact(
        self, account: str, command: Callable[[Session], T], lease: Lease | None = None
    ) -> T:
        """Run a command; nobody else can have the lease of a store in memory."""
        del lease
        if self._broken:
            raise ProviderUnavailable("The exchange has failed and must be started anew")
        session = MemorySession(self, self.books(account))
        try:
            return command(session)
        except BaseException:
            self._broken = session.emitted
            raise

    async def read(self, query: Callable[[Reader], T]) -> T:
        return query(self)

    def last_time(self) -> datetime:
        """The latest moment at which anything happened to an account."""
        return max((books.state.last_time for books in self._accounts.values()), default=EPOCH)

    def books(self, account: str) -> Books:
        """An account, which comes into being when it is first asked for."""
        found = self._accounts.get(account)
        if found is None:
            found = self._accounts[account] = Books(AccountState(account, self._opening, EPOCH))
        return found

    def put(self, books: Books, event: Event) -> None:
        """Write one event into the books and the log; the state is the session's to change."""
        entity = event.entity
        if isinstance(entity, Order):
            self.book.put(books.state.account, entity)
            books.orders[entity.id] = entity
            if entity.filled_quantity and entity.oco_group_id is not None:
                books.groups_traded.add(entity.oco_group_id)
        elif isinstance(entity, Trade):
            books.trades.append(entity)
        elif isinstance(entity, Position):
            books.positions[entity.id] = entity
        elif isinstance(entity, Notice):
            books.notices.append(entity)
        self._log(books, event)

    def _log(self, books: Books, event: Event) -> None:
        json = logged(event.type, event.name, to_micros(event.at), document_of(event))
        symbol = getattr(event.entity, "symbol", None)
        self.newest = self._number()
        frame = Frame(self.newest, event.type, symbol, json)
        books.events.append(frame)
        self._publish(books.state.account, frame)

    # Reader

    def state(self, account: str) -> AccountState:
        return self.books(account).state

    def holdings(self, account: str) -> AccountState:
        return self.state(account)

    def ledger(self, account: str) -> Ledger:
        return self.state(account).ledger

    def order(self, account: str, order_id: str) -> Order | None:
        return self.books(account).orders.get(order_id)

    def orders(self, account: str, query: OrderQuery, *, terminal: bool | None) -> Page[Order]:
        books = self.books(account)
        candidates = books.state.orders if terminal is False else books.orders
        found = (order for order in candidates.values() if _wanted(order, query, terminal))
        return Page.of(sorted(found, key=lambda order: order.created_at, reverse=True), query.limit)

    def trades(self, account: str, query: TradeQuery) -> Page[Trade]:
        newest = reversed(self.books(account).trades)
        return Page.of([trade for trade in newest if _asked_for(trade, query)], query.limit)

    def memos(self, account: str, kind: str) -> dict[str, str]:
        noted = sorted(self.books(account).memos.items())
        return {key: body for (found, key), body in noted if found == kind}

    def positions(self, account: str, symbol: str | None) -> list[Position]:
        held = self.state(account).positions.values()
        found = [position for position in held if symbol in (None, position.symbol)]
        return sorted(found, key=lambda position: position.opened_at)

    def position(self, account: str, position_id: str) -> Position | None:
        return self.books(account).positions.get(position_id)

    def events(self, account: str, after: int, limit: int) -> list[Frame]:
        newer = (frame for frame in self.books(account).events if frame.event_id > after)
        return [frame for frame, _ in zip(newer, range(limit), strict=False)]

    def last_event(self, account: str) -> int:
        events = self.books(account).events
        return events[-1].event_id if events else 0

    def triggered(self, symbol: str, bid: Decimal, ask: Decimal) -> list[Match]:
        return self.book.triggered(symbol, bid, ask)

    def pending(self, accepted: datetime, ahead: datetime) -> list[Match]:
        return [
            match
            for symbol in self.book.symbols
            for match in self.book.pending(symbol, accepted, ahead)
        ]

    def arrived(self, symbol: str, accepted: datetime) -> list[Match]:
        """PENDING orders in a symbol accepted at this moment or earlier, oldest first."""
        return self.book.pending(symbol, accepted, END_OF_TIME)

    def expired(self, now: datetime) -> list[Match]:
        return self.book.expired(now)

    def working_symbols(self) -> list[str]:
        return self.book.working_symbols()

    def leveraged_accounts(self) -> list[str]:
        return [
            account
            for account, books in self._accounts.items()
            if any(_leveraged(position) for position in books.state.positions.values())
        ]


class MemorySession:
    """One command's view of its account."""

    def __init__(self, store: MemoryStore, books: Books) -> None:
        self._store = store
        self._books = books
        self.emitted = False

    @property
    def state(self) -> AccountState:
        return self._books.state

    def find_order(self, order_id: str) -> Order | None:
        return self._books.orders.get(order_id)

    def find_submission(self, client_order_id: str) -> PastSubmission | None:
        return self._books.submissions.get(client_order_id)

    def group_traded(self, oco_group_id: str) -> bool:
        return oco_group_id in self._books.groups_traded

    def remember_submission(self, client_order_id: str, fingerprint: str, order_id: str) -> None:
        self._books.submissions[client_order_id] = PastSubmission(fingerprint, order_id)

    def forget_submission(self, client_order_id: str) -> None:
        self._books.submissions.pop(client_order_id, None)

    def memos(self, kind: str) -> dict[str, str]:
        return self._store.memos(self.state.account, kind)

    def memo(self, kind: str, key: str) -> str | None:
        return self._books.memos.get((kind, key))

    def set_memo(self, kind: str, key: str, body: str | None) -> None:
        if body is None:
            self._books.memos.pop((kind, key), None)
        else:
            self._books.memos[kind, key] = body

    def emit(self, events: Sequence[Event]) -> None:
        for event in events:
            self.emitted = True
            self._store.put(self._books, event)
        self._books.state.apply_all(events)


def _wanted(order: Order, query: OrderQuery, terminal: bool | None) -> bool:
    return (
        (terminal is None or (order.status in TERMINAL) is terminal)
        and (not query.status or order.status in query.status)
        and all(
            wanted is None or wanted == found
            for wanted, found in (
                (query.symbol, order.symbol),
                (query.side, order.side),
                (query.client_order_id, order.client_order_id),
                (query.oco_group_id, order.oco_group_id),
            )
        )
        and _within(order.created_at, query)
    )


def _asked_for(trade: Trade, query: TradeQuery) -> bool:
    return (
        query.symbol in (None, trade.symbol)
        and query.order_id in (None, trade.order_id)
        and _within(trade.timestamp, query)
    )


def _within(moment: datetime, query: OrderQuery | TradeQuery) -> bool:
    return (query.since is None or moment >= query.since) and (
        query.until is None or moment < query.until
    )


def _leveraged(position: Position) -> bool:
    """Whether the position can lose more than was paid for it."""
    return position.side is PositionSide.SHORT or (position.leverage or 1) > 1
