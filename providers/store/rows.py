"""Rows waiting to be written: what the commands of one transaction have emitted.

They are written together just before the commit, many to a statement. So a command that raises has
written nothing, and the writer thread gives the interpreter away a few times per commit instead of
several times per command.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from providers.engine.state import TERMINAL, AccountState, Event, Ledger, Notice
from providers.exchange.documents import document_of, to_micros
from providers.exchange.store import PastSubmission
from providers.exchange.triggers import trigger_of
from providers.models import Order, Position, PositionSide, Trade

Row = tuple[Any, ...]
Key = tuple[str, str]
"""An account and something unique in it."""
MemoKey = tuple[str, str, str]
"""Account, kind and key."""

_CHUNKS = (64, 16, 4, 1)
"""Rows per statement: few distinct statements, so that each stays prepared."""


class Table:
    """How to put rows into one table, replacing some columns where the key exists."""

    def __init__(self, name: str, columns: str, key: str = "", replaced: str = "") -> None:
        width = len(columns.split())
        head = f"INSERT INTO {name} ({', '.join(columns.split())}) VALUES "  # noqa: S608 - ours
        row = f"({', '.join('?' * width)})"
        tail = _upsert(key, replaced.split()) if replaced else ""
        self._sql = {size: head + ", ".join([row] * size) + tail for size in _CHUNKS}

    def write(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        for chunk in _chunks(rows):
            connection.execute(self._sql[len(chunk)], list(chain.from_iterable(chunk)))


def _upsert(key: str, replaced: list[str]) -> str:
    changes = ", ".join(f"{column} = excluded.{column}" for column in replaced)
    return f" ON CONFLICT ({key}) DO UPDATE SET {changes}"


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start = 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


ACCOUNTS = Table(
    "accounts",
    "account balance deposits currency warned last_time version",
    key="account",
    replaced="balance deposits currency warned last_time version",
)
EVENTS = Table("events", "id account type name symbol at document")
ORDERS = Table(
    "orders",
    "account id symbol side status terminal client_order_id oco_group_id created_at"
    " expires_at trigger_kind trigger_key filled event_id",
    key="id",
    replaced="status terminal expires_at trigger_kind trigger_key filled event_id",
)
POSITIONS = Table(
    "positions",
    "account id symbol flat leveraged opened_at event_id",
    key="id",
    replaced="flat leveraged event_id",
)
TRADES = Table("trades", "account id order_id symbol at event_id")
SUBMISSIONS = Table("submissions", "account client_order_id fingerprint order_id")
MEMOS = Table("memos", "account kind key body", key="account, kind, key", replaced="body")


class Snapshot(NamedTuple):
    """An order as a command left it, and its row."""

    order: Order
    row: Row


@dataclass(slots=True)
class Rows:
    """Rows by table, the last snapshot of each entity only; events in order."""

    accounts: dict[str, Row] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    orders: dict[Key, Snapshot] = field(default_factory=dict)
    positions: dict[Key, Row] = field(default_factory=dict)
    trades: list[Row] = field(default_factory=list)
    submissions: dict[Key, PastSubmission | None] = field(default_factory=dict)
    memos: dict[MemoKey, str | None] = field(default_factory=dict)

    def add(self, account: str, event: Event, event_id: int) -> None:
        """Note an event and the row of its entity. Raises ValueError for an unsortable price."""
        entity = event.entity
        row = _event_row(account, event, event_id)
        if isinstance(entity, Order):
            order = Snapshot(entity, _order_row(account, entity, event_id))
            self.orders[account, entity.id] = order
        elif isinstance(entity, Position):
            self.positions[account, entity.id] = _position_row(account, entity, event_id)
        elif isinstance(entity, Trade):
            self.trades.append(_trade_row(account, entity, event_id))
        self.events.append(row)

    def add_account(self, state: AccountState, version: int) -> None:
        ledger = state.ledger
        self.accounts[state.account] = (
            state.account,
            format(ledger.balance, "f"),
            format(ledger.deposits, "f"),
            ledger.currency,
            int(ledger.warned),
            to_micros(state.last_time),
            version,
        )

    def merge(self, other: Rows) -> None:
        """Take over the rows of a command that succeeded."""
        self.accounts.update(other.accounts)
        self.events += other.events
        self.orders.update(other.orders)
        self.positions.update(other.positions)
        self.trades += other.trades
        self.submissions.update(other.submissions)
        self.memos.update(other.memos)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write everything, what is referred to first, and start anew."""
        ACCOUNTS.write(connection, list(self.accounts.values()))
        EVENTS.write(connection, self.events)
        ORDERS.write(connection, [snapshot.row for snapshot in self.orders.values()])
        POSITIONS.write(connection, list(self.positions.values()))
        TRADES.write(connection, self.trades)
        self._write_submissions(connection)
        self._write_memos(connection)
        self._clear()

    def _write_submissions(self, connection: sqlite3.Connection) -> None:
        connection.executemany(
            "DELETE FROM submissions WHERE account = ? AND client_order_id = ?",
            [key for key, submission in self.submissions.items() if submission is None],
        )
        bound = [(*key, *each) for key, each in self.submissions.items() if each is not None]
        SUBMISSIONS.write(connection, bound)

    def _write_memos(self, connection: sqlite3.Connection) -> None:
        kept = [(*key, body) for key, body in self.memos.items() if body is not None]
        MEMOS.write(connection, kept)
        connection.executemany(
            "DELETE FROM memos WHERE account = ? AND kind = ? AND key = ?",
            [key for key, body in self.memos.items() if body is None],
        )

    def _clear(self) -> None:
        for rows in (self.accounts, self.orders, self.positions, self.submissions, self.memos):
            rows.clear()
        self.events.clear()
        self.trades.clear()


def _event_row(account: str, event: Event, event_id: int) -> Row:
    entity = event.entity
    return (
        event_id,
        account,
        event.type.value,
        event.name,
        None if isinstance(entity, Ledger | Notice) else entity.symbol,
        to_micros(event.at),
        document_of(event),
    )


def _order_row(account: str, order: Order, event_id: int) -> Row:
    terminal = order.status in TERMINAL
    trigger = trigger_of(order)
    kind, key = (trigger.kind.value, trigger.key) if trigger else (None, None)
    expires_at = None if terminal or order.expires_at is None else to_micros(order.expires_at)
    return (
        account,
        order.id,
        order.symbol,
        order.side.value,
        order.status.value,
        int(terminal),
        order.client_order_id,
        order.oco_group_id,
        to_micros(order.created_at),
        expires_at,
        kind,
        key,
        int(bool(order.filled_quantity)),
        event_id,
    )


def _position_row(account: str, position: Position, event_id: int) -> Row:
    return (
        account,
        position.id,
        position.symbol,
        int(not position.quantity),
        int(_is_leveraged(position)),
        to_micros(position.opened_at),
        event_id,
    )


def _is_leveraged(position: Position) -> bool:
    short = position.side is PositionSide.SHORT
    return bool(position.quantity) and (short or (position.leverage or 1) > 1)


def _trade_row(account: str, trade: Trade, event_id: int) -> Row:
    return (
        account,
        trade.id,
        trade.order_id,
        trade.symbol,
        to_micros(trade.timestamp),
        event_id,
    )
