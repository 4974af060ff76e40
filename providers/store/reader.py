"""What is asked of the database: every SELECT of the store, on one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from providers.base import OrderQuery, Page, TradeQuery
from providers.engine.state import TERMINAL, AccountState, Event, EventType, Ledger
from providers.exchange.documents import EPOCH, decode, from_micros, to_micros
from providers.exchange.frames import logged
from providers.exchange.log import Logged
from providers.exchange.store import Frame, Match, PastSubmission
from providers.exchange.triggers import probes
from providers.models import Order, Position, Trade

M = TypeVar("M", bound=BaseModel)

TRIGGERED = """
    SELECT account, id FROM orders
    WHERE symbol = ? AND trigger_kind = ? AND trigger_key <= ?
    ORDER BY trigger_key, created_at"""

EXPIRED = """
    SELECT account, id FROM orders WHERE expires_at <= ? ORDER BY expires_at, created_at"""

PENDING = """
    SELECT account, id FROM orders WHERE status = 'PENDING' AND (created_at <= ? OR created_at > ?)
    ORDER BY created_at"""

LEVERAGED = "SELECT DISTINCT account FROM positions WHERE leveraged = 1"

# Steps from one symbol to the next in the index instead of reading all of it.
WORKING_SYMBOLS = """
    WITH RECURSIVE working (symbol) AS (
        SELECT min(symbol) FROM orders WHERE trigger_kind IS NOT NULL
        UNION ALL
        SELECT (SELECT min(o.symbol) FROM orders o
                WHERE o.trigger_kind IS NOT NULL AND o.symbol > working.symbol)
        FROM working WHERE working.symbol IS NOT NULL
    )
    SELECT symbol FROM working WHERE symbol IS NOT NULL"""

LOG = """
    SELECT id, account, type, name, symbol, at, document FROM events
    WHERE id > ? ORDER BY id LIMIT ?"""

EVENTS_SINCE = """
    SELECT type, name, at, document FROM events
    WHERE account = ? AND id > ? AND type IN ('order', 'position') ORDER BY id LIMIT ?"""

ENTITIES: dict[str, type[Order] | type[Position]] = {
    EventType.ORDER.value: Order,
    EventType.POSITION.value: Position,
}

CATCH_UP = 500
"""With this many events of other processes to apply, reading the account anew is cheaper."""


class AccountRow(NamedTuple):
    """An account but for its orders and positions."""

    ledger: Ledger
    last_time: datetime
    version: int

    def event(self) -> Event:
        return Event(EventType.ACCOUNT, "BALANCE_UPDATED", self.ledger, self.last_time)


class Search:
    """A SELECT of documents under construction; column names are ours, values are bound."""

    def __init__(self, table: str, account: str) -> None:
        self._table = table
        self._conditions = ["t.account = ?"]
        self._values: list[Any] = [account]

    def where(self, condition: str, value: Any) -> None:
        """Narrow by a condition with one placeholder; None narrows nothing."""
        if value is not None:
            self._conditions.append(condition)
            self._values.append(value)

    def where_in(self, column: str, values: Sequence[str]) -> None:
        if values:
            self._conditions.append(f"{column} IN ({', '.join('?' * len(values))})")
            self._values += values

    def statement(self, order: str, limit: int = -1) -> tuple[str, list[Any]]:
        """SQL and its values; a negative limit is none."""
        sql = (
            f"SELECT e.document FROM {self._table} t JOIN events e ON e.id = t.event_id"  # noqa: S608
            f" WHERE {' AND '.join(self._conditions)} ORDER BY {order} LIMIT ?"
        )
        return sql, [*self._values, limit]


def search_orders(account: str, query: OrderQuery, *, terminal: bool) -> Search:
    search = Search("orders", account)
    search.where("t.terminal = ?", int(terminal))
    search.where("t.symbol = ?", query.symbol)
    search.where_in("t.status", [status.value for status in query.status])
    search.where("t.side = ?", query.side and query.side.value)
    search.where("t.client_order_id = ?", query.client_order_id)
    search.where("t.oco_group_id = ?", query.oco_group_id)
    search.where("t.created_at >= ?", query.since and to_micros(query.since))
    search.where("t.created_at < ?", query.until and to_micros(query.until))
    return search


def search_trades(account: str, query: TradeQuery) -> Search:
    search = Search("trades", account)
    search.where("t.symbol = ?", query.symbol)
    search.where("t.order_id = ?", query.order_id)
    search.where("t.at >= ?", query.since and to_micros(query.since))
    search.where("t.at < ?", query.until and to_micros(query.until))
    return search


class SqliteReader:
    """Answers from whatever transaction the connection is in."""

    def __init__(self, connection: sqlite3.Connection, opening: Ledger) -> None:
        self._connection = connection
        self._opening = opening

    def state(self, account: str) -> AccountState:
        return self._load(account, self._account(account))

    def refreshed(
        self, account: str, state: AccountState | None, version: int
    ) -> tuple[AccountState, int]:
        """The account and its version, given what it was at an older version.

        Applies to `state` what other processes did since, or reads all of it if that is much.
        """
        row = self._account(account)
        if state is None:
            return self._load(account, row), row.version
        if row.version > version:
            events = self._events_since(account, version)
            if len(events) == CATCH_UP:
                return self._load(account, row), row.version
            for event in [*events, row.event()]:
                state.apply(event)
        return state, row.version

    def ledger(self, account: str) -> Ledger:
        return self._account(account).ledger

    def last_event(self, account: str) -> int:
        row = self._row("SELECT version FROM accounts WHERE account = ?", account)
        return row[0] if row else 0

    def newest_event(self) -> int:
        """The largest event id of all accounts."""
        row = self._row("SELECT max(id) FROM events")
        return (row and row[0]) or 0

    def order(self, account: str, order_id: str) -> Order | None:
        return self._one(Order, "orders", account, order_id)

    def orders(self, account: str, query: OrderQuery, *, terminal: bool | None) -> Page[Order]:
        wanted = {status in TERMINAL for status in query.status} or {False, True}
        kinds = wanted if terminal is None else wanted & {terminal}
        # One search per kind: both together would have to sort the whole history.
        found = [order for kind in kinds for order in self._orders(account, query, terminal=kind)]
        found.sort(key=lambda order: order.created_at, reverse=True)
        return Page.of(found, query.limit)

    def trades(self, account: str, query: TradeQuery) -> Page[Trade]:
        search = search_trades(account, query)
        return Page.of(
            self._documents(Trade, *search.statement("t.at DESC", query.limit + 1)), query.limit
        )

    def positions(self, account: str, symbol: str | None) -> list[Position]:
        search = Search("positions", account)
        search.where("t.flat = ?", 0)
        search.where("t.symbol = ?", symbol)
        return self._documents(Position, *search.statement("t.opened_at"))

    def position(self, account: str, position_id: str) -> Position | None:
        return self._one(Position, "positions", account, position_id)

    def submission(self, account: str, client_order_id: str) -> PastSubmission | None:
        row = self._row(
            "SELECT fingerprint, order_id FROM submissions"
            " WHERE account = ? AND client_order_id = ?",
            account,
            client_order_id,
        )
        return PastSubmission(*row) if row else None

    def memos(self, account: str, kind: str) -> dict[str, str]:
        sql = "SELECT key, body FROM memos WHERE account = ? AND kind = ? ORDER BY key"
        return dict(self._connection.execute(sql, (account, kind)))

    def memo(self, account: str, kind: str, key: str) -> str | None:
        sql = "SELECT body FROM memos WHERE account = ? AND kind = ? AND key = ?"
        row = self._row(sql, account, kind, key)
        return row[0] if row else None

    def events(self, account: str, after: int, limit: int) -> list[Frame]:
        rows = self._connection.execute(
            "SELECT id, type, name, symbol, at, document FROM events"
            " WHERE account = ? AND id > ? ORDER BY id LIMIT ?",
            (account, after, limit),
        )
        return [_frame(*row) for row in rows]

    def log(self, after: int, limit: int) -> list[Logged]:
        """The events of all accounts after an id, oldest first."""
        rows = self._connection.execute(LOG, (after, limit))
        return [
            Logged(id_, account, EventType(type_), name, symbol, at, document)
            for id_, account, type_, name, symbol, at, document in rows
        ]

    def triggered(self, symbol: str, bid: Decimal, ask: Decimal) -> list[Match]:
        return [
            match
            for kind, key in probes(bid, ask)
            for match in self._matches(TRIGGERED, symbol, kind.value, key)
        ]

    def expired(self, now: datetime) -> list[Match]:
        return self._matches(EXPIRED, to_micros(now))

    def pending(self, accepted: datetime, ahead: datetime) -> list[Match]:
        return self._matches(PENDING, to_micros(accepted), to_micros(ahead))

    def leveraged_accounts(self) -> list[str]:
        return [account for (account,) in self._connection.execute(LEVERAGED)]

    def group_traded(self, account: str, oco_group_id: str) -> bool:
        sql = "SELECT 1 FROM orders WHERE account = ? AND oco_group_id = ? AND filled = 1 LIMIT 1"
        return self._row(sql, account, oco_group_id) is not None

    def working_symbols(self) -> list[str]:
        return [symbol for (symbol,) in self._connection.execute(WORKING_SYMBOLS)]

    def lease_token(self, name: str) -> int | None:
        row = self._row("SELECT token FROM leases WHERE name = ?", name)
        return row[0] if row else None

    def _account(self, account: str) -> AccountRow:
        row = self._row(
            "SELECT balance, deposits, currency, warned, last_time, version FROM accounts"
            " WHERE account = ?",
            account,
        )
        if row is None:
            return AccountRow(self._opening, EPOCH, 0)
        balance, deposits, currency, warned, last_time, version = row
        ledger = Ledger(Decimal(balance), Decimal(deposits), currency, bool(warned))
        return AccountRow(ledger, from_micros(last_time), version)

    def holdings(self, account: str) -> AccountState:
        row = self._account(account)
        held = {position.id: position for position in self.positions(account, None)}
        return AccountState(account, row.ledger, row.last_time, positions=held)

    def _load(self, account: str, row: AccountRow) -> AccountState:
        orders = {order.id: order for order in self._open_orders(account)}
        positions = {position.id: position for position in self.positions(account, None)}
        return AccountState(account, row.ledger, row.last_time, orders, positions)

    def _events_since(self, account: str, version: int) -> list[Event]:
        """The next CATCH_UP order and position events; the account row has the money."""
        rows = self._connection.execute(EVENTS_SINCE, (account, version, CATCH_UP))
        return [
            Event(EventType(type_), name, decode(ENTITIES[type_], document), from_micros(at))
            for type_, name, at, document in rows
        ]

    def _open_orders(self, account: str) -> list[Order]:
        search = Search("orders", account)
        search.where("t.terminal = ?", 0)
        return self._documents(Order, *search.statement("t.created_at"))

    def _one(self, model: type[M], table: str, account: str, id_: str) -> M | None:
        search = Search(table, account)
        search.where("t.id = ?", id_)
        found = self._documents(model, *search.statement("t.id"))
        return found[0] if found else None

    def _orders(self, account: str, query: OrderQuery, *, terminal: bool) -> list[Order]:
        search = search_orders(account, query, terminal=terminal)
        return self._documents(Order, *search.statement("t.created_at DESC", query.limit + 1))

    def _documents(self, model: type[M], sql: str, values: Iterable[Any]) -> list[M]:
        rows = self._connection.execute(sql, tuple(values))
        return [decode(model, document) for (document,) in rows]

    def _matches(self, sql: str, *values: Any) -> list[Match]:
        return [Match(*row) for row in self._connection.execute(sql, values)]

    def _row(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        return row


def _frame(
    event_id: int, type_: str, name: str, symbol: str | None, at: int, document: str
) -> Frame:
    kind = EventType(type_)
    return Frame(event_id, kind, symbol, logged(kind, name, at, document))
