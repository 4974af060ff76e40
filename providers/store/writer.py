"""The one thread of a process that writes: it gathers commands and commits them together.

A commit costs a wait for the disk, whatever it holds, so all commands that arrive while one commit
is under way share the next. Each stays atomic by itself: see `sqlite_transaction`.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from providers.engine.state import Ledger
from providers.errors import ProviderUnavailable, ShuttingDown
from providers.store.schema import (
    Database,
    begin,
    connect,
    is_storage_failure,
    report,
    unavailable,
)
from providers.store.transaction import AccountCache, Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")

CACHED_ACCOUNTS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many commands share a commit at most, and how many may wait before more are refused.

    While commands come in crowds, the thread lets `linger` seconds pass before it gathers them:
    otherwise the first of a crowd is committed alone and the others wait for two commits.
    """

    batch: int = 256
    waiting: int = 4096
    linger: float = 0.0002


@dataclass(slots=True)
class Job:
    """Something to do inside a transaction, and who waits for it."""

    work: Callable[[Transaction], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def run(self, transaction: Transaction) -> None:
        """Note the result or the error; only a failure of the storage concerns the others."""
        self.result = self.error = None
        try:
            self.result = self.work(transaction)
        except sqlite3.Error:
            raise
        except StopIteration as error:  # a future refuses it, and all who wait would hang
            self.error = RuntimeError("a command raised StopIteration")
            self.error.__cause__ = error
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            self.error = error

    def settle(self) -> None:
        if self.future.done():
            return  # whoever waited has gone away
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """Accepts work in the event loop's thread, does it in its own."""

    def __init__(self, database: Database, opening: Ledger, limits: Limits) -> None:
        self.commits = 0
        self.listener: Callable[[], None] | None = None
        self._database = database
        self._opening = opening
        self._limits = limits
        self._cache = AccountCache(CACHED_ACCOUNTS)
        self._connection: sqlite3.Connection | None = None
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._waiting = 0
        self._accepting = False
        self._crowded = False

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._accepting = True
        self._thread.start()

    async def stop(self) -> None:
        """Finish everything accepted so far."""
        if self._accepting:
            self._accepting = False
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    async def do(self, work: Callable[[Transaction], T]) -> T:
        """Do the work in a transaction and answer after its commit.

        Raises what the work raises, or ProviderUnavailable.
        """
        if not self._accepting:
            raise ShuttingDown("The order store is closed")
        if self._waiting >= self._limits.waiting:
            raise ProviderUnavailable("The order store is overloaded")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._queue.put(Job(work, future))
        return await future

    def _settle(self, jobs: list[Job]) -> None:
        self._waiting -= len(jobs)
        for job in jobs:
            job.settle()
        if self.listener is not None:
            self.listener()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            jobs = self._gather(first)
            self._process(jobs)
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._settle, jobs)
        self._disconnect()

    def _gather(self, first: Job) -> list[Job]:
        if self._crowded:
            time.sleep(self._limits.linger)
        jobs = [first]
        with suppress(Empty):
            while len(jobs) < self._limits.batch:
                job = self._queue.get_nowait()
                if job is None:
                    self._queue.put(None)  # the last entry: nothing is accepted after it
                    break
                jobs.append(job)
        self._crowded = len(jobs) > 1
        return jobs

    def _process(self, jobs: list[Job]) -> None:
        """Commit the jobs together; if a bug in one spoils that, each by itself."""
        try:
            self._commit(jobs)
        except Exception as error:  # noqa: BLE001 - raised again where the jobs are awaited
            self._disconnect()
            if is_storage_failure(error):
                self._fail(jobs, error)
            elif len(jobs) == 1:
                jobs[0].error = error
            else:
                for job in jobs:
                    self._process([job])

    def _fail(self, jobs: list[Job], cause: Exception) -> None:
        report(self._database, cause)
        for job in jobs:
            job.error = unavailable()
            job.error.__cause__ = cause

    def _commit(self, jobs: list[Job]) -> None:
        connection = self._connection = self._connection or connect(self._database)
        begin(connection, self._database.busy_timeout)
        transaction = Transaction(connection, self._opening, self._cache)
        for job in jobs:
            job.run(transaction)
        transaction.flush()
        connection.execute("COMMIT")
        self.commits += 1

    def _disconnect(self) -> None:
        """Roll back what is open and trust nothing that was remembered."""
        self._cache.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
