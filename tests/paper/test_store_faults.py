"""When the disk, the file or another process fails: no wrong answer, no lost answer."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from providers.engine.state import AccountState
from providers.errors import ProviderUnavailable
from providers.exchange.store import Session
from providers.models import OrderStatus
from providers.store.sqlite import SqliteStore

Make = Callable[..., Any]
OpenStore = Callable[..., Awaitable[SqliteStore]]
StartChild = Callable[..., Awaitable[asyncio.subprocess.Process]]


class FailingDisk(sqlite3.Connection):
    """A connection whose statements fail, while `fails` names how they begin."""

    fails = ""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if self.fails and sql.lstrip().startswith(self.fails):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return super().execute(sql, *values)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> type[FailingDisk]:
    """Every connection opened from here on is of this class."""
    connect = sqlite3.connect
    monkeypatch.setattr(FailingDisk, "fails", "")
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **options: connect(*args, factory=FailingDisk, **options)
    )
    return FailingDisk


def state_of(session: Session) -> AccountState:
    return session.state


@pytest.mark.parametrize("statement", ["COMMIT", "INSERT INTO events", "BEGIN IMMEDIATE", "SELECT"])
async def test_a_failing_disk_fails_every_command_of_the_commit(
    disk: type[FailingDisk],
    open_store: OpenStore,
    make_order: Make,
    emit: Make,
    caplog: pytest.LogCaptureFixture,
    statement: str,
) -> None:
    """All waiters get ProviderUnavailable, nothing is kept, and afterwards the store works."""
    store = await open_store()
    kept = make_order(1)
    await store.transact("default", emit(kept))
    disk.fails = statement
    commands = [store.transact("default", emit(make_order(n))) for n in range(1, 9)]
    answers = await asyncio.gather(*commands, return_exceptions=True)
    assert [ProviderUnavailable] * 8 == [type(answer) for answer in answers]
    lines = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert lines
    assert all("store.db failed: disk I/O error" in line for line in lines)
    disk.fails = ""
    state = await store.transact("default", state_of)
    assert {"ord_1": kept} == state.orders
    assert {"ord_1": kept} == (await store.read(lambda reader: reader.state("default"))).orders


async def test_what_a_failed_commit_held_is_forgotten(
    disk: type[FailingDisk], open_store: OpenStore, make_order: Make, emit: Make
) -> None:
    """After a failed commit the account is what another process made of it meanwhile."""
    ours, theirs = await open_store(), await open_store()
    await ours.transact("default", emit(make_order(1)))
    disk.fails = "COMMIT"
    with pytest.raises(ProviderUnavailable):
        await ours.transact("default", emit(make_order(2)))
    disk.fails = ""
    await theirs.transact("default", emit(make_order(3)))
    state = await ours.transact("default", state_of)
    assert {"ord_1", "ord_3"} == set(state.orders)


async def test_a_failing_disk_fails_reads_until_it_works_again(
    disk: type[FailingDisk], open_store: OpenStore, make_order: Make, emit: Make
) -> None:
    """A query that the disk fails is ProviderUnavailable, never an empty answer."""
    store = await open_store()
    await store.transact("default", emit(make_order(1)))
    disk.fails = "SELECT"
    with pytest.raises(ProviderUnavailable):
        await store.read(lambda reader: reader.order("default", "ord_1"))
    disk.fails = ""
    assert await store.read(lambda reader: reader.order("default", "ord_1")) == make_order(1)


async def test_a_full_disk_loses_nothing_acknowledged(
    start_child: StartChild, open_store: OpenStore
) -> None:
    """When files cannot grow any more, exactly the acknowledged orders are in the database."""
    child = await start_child("fill_disk", "400")
    output, _ = await child.communicate(b"go\n")
    told = json.loads(output.splitlines()[-1])
    assert told["acknowledged"]
    assert told["failed"]
    store = await open_store()
    state = await store.transact("default", state_of)
    found = [order.client_order_id for order in state.orders.values()]
    assert sorted(told["acknowledged"]) == sorted(filter(None, found))


async def test_a_database_locked_by_another_process_is_unavailable(
    open_store: OpenStore, path: Path, make_order: Make, emit: Make
) -> None:
    """A command that cannot get the lock in time is refused; reading goes on meanwhile."""
    store = await open_store(busy_timeout=0.05)
    await store.transact("default", emit(make_order(1)))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProviderUnavailable):
            await store.transact("default", emit(make_order(2)))
        assert await store.read(lambda reader: reader.order("default", "ord_1"))
        other.execute("ROLLBACK")
    await store.transact("default", emit(make_order(3)))
    assert {"ord_1", "ord_3"} == set((await store.transact("default", state_of)).orders)


async def test_a_command_waits_for_another_process_to_finish(
    open_store: OpenStore, path: Path, make_order: Make, emit: Make
) -> None:
    """A lock that is released in time delays a command and does not fail it."""
    store = await open_store(busy_timeout=30)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(store.transact("default", emit(make_order(1))))
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done
        other.execute("ROLLBACK")
    await waiting


@pytest.mark.parametrize("content", [b"this is not a database" * 99, b"SQLite format 3\0" * 99])
async def test_a_file_that_is_no_database_is_refused(
    path: Path, open_store: OpenStore, content: bytes
) -> None:
    """Opening something else fails and leaves it as it was."""
    await asyncio.to_thread(path.write_bytes, content)
    with pytest.raises(ProviderUnavailable):
        await open_store()
    assert content == await asyncio.to_thread(path.read_bytes)


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """A path below a file is reported as unavailable, with the reason in the log."""
    (tmp_path / "file").write_text("in the way")
    store = SqliteStore(tmp_path / "file" / "store.db", initial_balance=0)  # type: ignore[arg-type]
    with pytest.raises(ProviderUnavailable):
        await store.open()
    await store.close()


@pytest.mark.parametrize("cached", [True, False])
async def test_a_damaged_document_is_no_answer(
    open_store: OpenStore, path: Path, make_order: Make, emit: Make, cached: bool
) -> None:
    """What cannot be read back is ProviderUnavailable for its account, and for no other."""
    store = await open_store()
    await store.transact("default", emit(make_order(1)))
    await store.transact("other", emit(make_order(2)))
    with closing(sqlite3.connect(path)) as vandal, vandal:
        vandal.execute("UPDATE events SET document = '{}' WHERE account = 'default'")
    if not cached:
        await store.close()
        store = await open_store()
        with pytest.raises(ProviderUnavailable):
            await store.transact("default", state_of)
    with pytest.raises(ProviderUnavailable):
        await store.read(lambda reader: reader.state("default"))
    assert {"ord_2"} == set((await store.transact("other", state_of)).orders)


async def test_a_damaged_file_is_no_answer(
    open_store: OpenStore, path: Path, make_order: Make, emit: Make
) -> None:
    """With pages overwritten, commands and queries fail instead of inventing something."""
    first = await open_store()
    for n in range(200):
        await first.transact("default", emit(make_order(n)))
    await first.close()
    overwrite(path, start=8192)

    async def read() -> None:
        second = await open_store()  # it may be too damaged even for that
        await second.read(lambda reader: reader.state("default"))

    async def write() -> None:
        second = await open_store()
        await second.transact("default", emit(make_order(1, status=OrderStatus.FILLED)))

    for attempt in (read, write):
        with pytest.raises(ProviderUnavailable):
            await attempt()


def overwrite(path: Path, start: int) -> None:
    """Replace everything behind the first pages."""
    content = path.read_bytes()
    path.write_bytes(content[:start] + b"\xff" * (len(content) - start))
