"""The schema grows by numbered steps, all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from providers.errors import ProviderUnavailable
from providers.store import schema
from providers.store.schema import Migration, migrations, statements
from providers.store.sqlite import SqliteStore

OpenStore = Callable[..., Awaitable[SqliteStore]]


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def add_migration(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Appends a migration to those of this release."""

    def add(script: str) -> None:
        known = migrations()
        extra = Migration(known[-1].number + 1, "9999_more.sql", script)
        monkeypatch.setattr(schema, "migrations", lambda: [*known, extra])

    return add


def test_migrations_are_numbered_without_gaps() -> None:
    """Each migration follows the one before."""
    numbers = [migration.number for migration in migrations()]
    assert list(range(1, len(numbers) + 1)) == numbers


def test_a_script_is_split_at_its_statements() -> None:
    """A semicolon in a comment or a string ends nothing."""
    script = "-- one; two\nCREATE TABLE a (x);\n\nINSERT INTO a\nVALUES ('b;c');\n-- the end\n"
    assert ["-- one; two\nCREATE TABLE a (x);\n", "\nINSERT INTO a\nVALUES ('b;c');\n"] == list(
        statements(script)
    )


async def test_opening_again_changes_nothing(open_store: OpenStore, path: Path) -> None:
    """A database of this release is left as it is."""
    await open_store()
    before = rows(path, "SELECT * FROM migrations")
    await open_store()
    assert before == rows(path, "SELECT * FROM migrations")
    assert [("wal",)] == rows(path, "PRAGMA journal_mode")


async def test_a_new_migration_is_applied_to_an_old_database(
    open_store: OpenStore, path: Path, add_migration: Callable[[str], None]
) -> None:
    """A newer release adds what is missing, once."""
    await open_store()
    add_migration("CREATE TABLE extra (x INTEGER);\nINSERT INTO extra VALUES (1);\n")
    await open_store()
    await open_store()
    assert [(1,)] == rows(path, "SELECT x FROM extra")


async def test_a_failing_migration_leaves_the_database_as_it_was(
    open_store: OpenStore, path: Path, add_migration: Callable[[str], None]
) -> None:
    """Half a migration does not exist."""
    await open_store()
    before = rows(path, "SELECT name FROM sqlite_master"), rows(path, "SELECT * FROM migrations")
    add_migration("CREATE TABLE extra (x INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(ProviderUnavailable):
        await open_store()
    after = rows(path, "SELECT name FROM sqlite_master"), rows(path, "SELECT * FROM migrations")
    assert before == after


async def test_a_database_of_a_newer_release_is_refused(
    open_store: OpenStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An older release does not touch what it does not understand."""
    await open_store()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO migrations VALUES (99, '0099_future.sql', 0)")
    with pytest.raises(ProviderUnavailable, match="newer release"):
        await open_store()
    assert "schema 99" in caplog.text
