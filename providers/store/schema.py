"""Opening an SQLite database: connections, the numbered migrations, and what a failure means."""

from __future__ import annotations

import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from providers.errors import ProviderUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL"]

CHECKPOINT_PAGES = 4000
"""Length of the write-ahead log, in pages, at which a commit also moves it into the database."""

_POLL_SECONDS = 0.001
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BUGS = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Which file, how safely a commit is written, how many seconds to wait for a lock.

    FULL survives a power cut; NORMAL survives the death of the process, and is faster.
    """

    path: Path
    synchronous: Synchronous = "FULL"
    busy_timeout: float = 5.0


class Migration(NamedTuple):
    number: int
    name: str
    script: str


def connect(database: Database, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode; threads may share it, one at a time."""
    connection = sqlite3.connect(
        database.path,
        timeout=database.busy_timeout if read_only else 0,  # writers wait in `begin`
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
    )
    try:
        _configure(connection, database, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection, database: Database, *, read_only: bool) -> None:
    _use_write_ahead_log(connection, database.busy_timeout)
    connection.execute(f"PRAGMA synchronous = {database.synchronous}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    if read_only:
        connection.execute("PRAGMA query_only = ON")


def _use_write_ahead_log(connection: sqlite3.Connection, timeout: float) -> None:
    # SQLite does not wait by itself here for other processes that start at the same moment.
    switch = "PRAGMA journal_mode = WAL"
    (mode,) = when_free(lambda: connection.execute(switch).fetchone(), timeout)
    if mode != "wal":
        raise sqlite3.OperationalError("this file system cannot share a database")


def begin(connection: sqlite3.Connection, timeout: float) -> None:
    """Start a transaction as the only writer of all processes.

    SQLite's own waiting sleeps up to 100 ms between two looks; ours looks again at once.
    """
    when_free(lambda: connection.execute("BEGIN IMMEDIATE"), timeout)


def when_free(action: Callable[[], T], timeout: float) -> T:
    """Do it as soon as no other process holds the lock. Raises OperationalError after `timeout`."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in _BUSY
            if not busy or time.monotonic() >= deadline:
                raise
        time.sleep(_POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret


@contextmanager
def failures_translated(database: Database) -> Iterator[None]:
    """Turn what the disk or another process does to us into ProviderUnavailable."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if not is_storage_failure(error):
            raise
        report(database, error)
        raise unavailable() from error


def is_storage_failure(error: BaseException) -> bool:
    """Whether the disk or another process is to blame; else the error is a bug of ours."""
    return isinstance(error, (sqlite3.Error, OSError)) and not isinstance(error, _BUGS)


def report(database: Database, error: BaseException) -> None:
    """One line for whoever can mend it."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    log.error("the database %s failed: %s (%s)", database.path, error, name)


def unavailable() -> ProviderUnavailable:
    return ProviderUnavailable("The order store is unavailable")


def migrate(database: Database) -> None:
    """Bring the database to the newest schema, all or nothing, also when several processes start.

    Raises ProviderUnavailable if a newer release of this software wrote it.
    """
    database.path.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(database)
    try:
        begin(connection, database.busy_timeout)
        _apply(connection, _pending(connection, database))
        connection.execute("COMMIT")
    finally:
        connection.close()


def _pending(connection: sqlite3.Connection, database: Database) -> list[Migration]:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations ("
        " number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)"
    )
    (version,) = connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()
    known = migrations()
    if version > known[-1].number:
        log.error("%s has schema %d, this release knows %d", database.path, version, len(known))
        raise ProviderUnavailable("The database was written by a newer release")
    return [migration for migration in known if migration.number > version]


def _apply(connection: sqlite3.Connection, pending: list[Migration]) -> None:
    for migration in pending:
        for statement in statements(migration.script):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO migrations VALUES (?, ?, ?)",
            (migration.number, migration.name, time.time_ns() // 1000),
        )
        log.info("applied migration %s", migration.name)


def migrations() -> list[Migration]:
    """Every migration of this release, in order: files named `0001_what_it_does.sql`."""
    folder = files("providers.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Migration(int(name.partition("_")[0]), name, (folder / name).read_text(encoding="utf-8"))
        for name in names
    ]


def statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
