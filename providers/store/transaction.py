"""One transaction that many commands share, and the session that each command sees."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

from providers.engine.state import AccountState, Event, Ledger
from providers.exchange.store import Lease, LeaseLost, PastSubmission, Session
from providers.models import Order
from providers.store.reader import SqliteReader
from providers.store.rows import Rows

T = TypeVar("T")


class AccountCache:
    """The accounts used last, as this process left them, each with its version.

    The version is the id of the account's newest event: another process that changed the account
    has changed it too.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._accounts: OrderedDict[str, tuple[AccountState, int]] = OrderedDict()

    def get(self, account: str) -> tuple[AccountState, int] | None:
        found = self._accounts.get(account)
        if found is not None:
            self._accounts.move_to_end(account)
        return found

    def put(self, state: AccountState, version: int) -> None:
        self._accounts[state.account] = (state, version)
        if len(self._accounts) > self._size:
            self._accounts.popitem(last=False)

    def drop(self, account: str) -> None:
        self._accounts.pop(account, None)

    def clear(self) -> None:
        self._accounts.clear()


class Transaction:
    """Runs commands one after the other; each one's rows join `rows` only when it has returned."""

    def __init__(
        self, connection: sqlite3.Connection, opening: Ledger, cache: AccountCache
    ) -> None:
        self.connection = connection
        self.reader = SqliteReader(connection, opening)
        self.rows = Rows()
        self._cache = cache
        self._checked: set[str] = set()
        self._last_id: int | None = None

    def command(
        self, account: str, command: Callable[[Session], T], lease: Lease | None = None
    ) -> T:
        """Run one command. Raises what it raises, having undone it, or LeaseLost."""
        if lease is not None and self.reader.lease_token(lease.name) != lease.token:
            raise LeaseLost(lease.name)
        session = SqliteSession(self, self._state(account))
        try:
            result = command(session)
        except BaseException:
            if session.emitted:
                self._cache.drop(account)
            raise
        self._keep(session)
        return result

    def flush(self) -> None:
        """Write what the commands so far have emitted."""
        self.rows.write(self.connection)

    def next_event_id(self) -> int:
        """Ids grow in commit order: this transaction is the only one that writes."""
        if self._last_id is None:
            self._last_id = self.reader.newest_event()
        self._last_id += 1
        return self._last_id

    def _state(self, account: str) -> AccountState:
        """The account, from the cache as far as no other process has changed it since."""
        cached = self._cache.get(account)
        if cached is not None and account in self._checked:
            return cached[0]
        if account in self.rows.accounts:
            self.flush()
        state, version = self.reader.refreshed(account, *cached or (None, 0))
        self._cache.put(state, version)
        self._checked.add(account)
        return state

    def _keep(self, session: SqliteSession) -> None:
        self.rows.merge(session.rows)
        if session.emitted:
            self.rows.add_account(session.state, session.emitted)
            self._cache.put(session.state, session.emitted)


class SqliteSession:
    """A command's view of its account; `emitted` is the id of its last event, 0 before."""

    def __init__(self, transaction: Transaction, state: AccountState) -> None:
        self._transaction = transaction
        self._state = state
        self.rows = Rows()
        self.emitted = 0

    @property
    def state(self) -> AccountState:
        return self._state

    def find_order(self, order_id: str) -> Order | None:
        key = (self._state.account, order_id)
        for rows in (self.rows, self._transaction.rows):
            if key in rows.orders:
                return rows.orders[key].order
        opened = self._state.orders.get(order_id)
        return opened or self._transaction.reader.order(*key)

    def find_submission(self, client_order_id: str) -> PastSubmission | None:
        key = (self._state.account, client_order_id)
        for rows in (self.rows, self._transaction.rows):
            if key in rows.submissions:
                return rows.submissions[key]
        return self._transaction.reader.submission(*key)

    def group_traded(self, oco_group_id: str) -> bool:
        account = self._state.account
        self._transaction.flush()
        return self._transaction.reader.group_traded(account, oco_group_id)

    def remember_submission(self, client_order_id: str, fingerprint: str, order_id: str) -> None:
        key = (self._state.account, client_order_id)
        self.rows.submissions[key] = PastSubmission(fingerprint, order_id)

    def memos(self, kind: str) -> dict[str, str]:
        account = self._state.account
        self._transaction.flush()
        found: dict[str, str | None] = dict(self._transaction.reader.memos(account, kind))
        for (_, noted, key), body in self.rows.memos.items():
            if noted == kind:
                found[key] = body
        return {key: body for key, body in sorted(found.items()) if body is not None}

    def memo(self, kind: str, key: str) -> str | None:
        place = (self._state.account, kind, key)
        for rows in (self.rows, self._transaction.rows):
            if place in rows.memos:
                return rows.memos[place]
        return self._transaction.reader.memo(*place)

    def set_memo(self, kind: str, key: str, body: str | None) -> None:
        self.rows.memos[self._state.account, kind, key] = body

    def forget_submission(self, client_order_id: str) -> None:
        self.rows.submissions[self._state.account, client_order_id] = None

    def emit(self, events: Sequence[Event]) -> None:
        for event in events:
            event_id = self._transaction.next_event_id()
            self.rows.add(self._state.account, event, event_id)
            self.emitted = event_id
        self._state.apply_all(events)
