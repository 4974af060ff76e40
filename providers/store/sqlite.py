"""The store in one SQLite file: embedded, durable, shared by the workers of one host.

::

    transact ──> Writer thread ── one transaction ──> commit ──> all its waiters
    read     ──> reader threads ── one snapshot each

Every process has one writer thread; the file's lock lets one write at a time. Reads never wait for
writes.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from providers.engine.state import Ledger
from providers.errors import ShuttingDown
from providers.exchange.store import Lease, Session
from providers.store import leases
from providers.store.reader import SqliteReader
from providers.store.schema import (
    Database,
    Synchronous,
    connect,
    failures_translated,
    migrate,
)
from providers.store.writer import Limits, Writer

T = TypeVar("T")


class SqliteStore:
    """`Store` over one file; the folder is made if it is missing.

    `initial_balance`, in `currency`, is what an account starts with. `busy_timeout` is how many
    seconds a commit waits for other processes before it answers ProviderUnavailable.
    """

    def __init__(
        self,
        path: Path,
        *,
        initial_balance: Decimal,
        currency: str = "USD",
        synchronous: Synchronous = "FULL",
        busy_timeout: float = 5.0,
        limits: Limits | None = None,
        readers: int = 2,
    ) -> None:
        self._database = Database(path=path, synchronous=synchronous, busy_timeout=busy_timeout)
        self._opening = Ledger(initial_balance, initial_balance, currency)
        self._writer = Writer(self._database, self._opening, limits or Limits())
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-reader")
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._open = False

    @property
    def commits(self) -> int:
        """How many transactions this process has committed."""
        return self._writer.commits

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener`, in the thread of the event loop, after each commit of this process."""
        self._writer.listener = listener

    async def open(self) -> None:
        with failures_translated(self._database):
            await asyncio.to_thread(migrate, self._database)
        self._writer.start()
        self._open = True

    async def close(self) -> None:
        self._open = False
        await self._writer.stop()
        await asyncio.to_thread(self._readers.shutdown)
        for connection in _drain(self._idle):
            connection.close()

    async def transact(
        self, account: str, command: Callable[[Session], T], lease: Lease | None = None
    ) -> T:
        return await self._writer.do(lambda unit: unit.command(account, command, lease))

    async def read(self, query: Callable[[SqliteReader], T]) -> T:
        if not self._open:
            raise ShuttingDown("The order store is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._query, query)

    async def acquire_lease(
        self, name: str, holder: str, ttl: timedelta, now: datetime
    ) -> Lease | None:
        return await self._writer.do(
            lambda unit: leases.acquire(unit.connection, name, holder, ttl, now)
        )

    async def renew_lease(self, lease: Lease, ttl: timedelta, now: datetime) -> Lease:
        return await self._writer.do(lambda unit: leases.renew(unit.connection, lease, ttl, now))

    async def release_lease(self, lease: Lease) -> None:
        await self._writer.do(lambda unit: leases.release(unit.connection, lease))

    def _query(self, query: Callable[[SqliteReader], T]) -> T:
        with failures_translated(self._database), self._connection() as connection:
            connection.execute("BEGIN")
            try:
                return query(SqliteReader(connection, self._opening))
            finally:
                connection.execute("ROLLBACK")  # nothing was written; the snapshot ends

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """An idle connection, kept for the next query unless the database failed on it."""
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = connect(self._database, read_only=True)
        try:
            yield connection
        except sqlite3.Error:
            connection.close()
            raise
        except BaseException:
            self._idle.put(connection)
            raise
        self._idle.put(connection)


def _drain(queue: SimpleQueue[T]) -> Iterator[T]:
    while not queue.empty():
        yield queue.get()
