"""Several processes on one file, and processes that die."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from providers.base import OrderQuery
from providers.exchange.store import Session
from providers.store.schema import migrations
from providers.store.sqlite import SqliteStore

OpenStore = Callable[..., Awaitable[SqliteStore]]
StartChild = Callable[..., Awaitable[Process]]

ACKNOWLEDGED_BEFORE_KILL = 400


async def line(child: Process) -> str:
    assert child.stdout is not None
    return (await child.stdout.readline()).decode().strip()


def let_go(child: Process) -> None:
    assert child.stdin is not None
    child.stdin.write(b"go\n")


async def test_processes_that_start_together_make_one_database(
    start_child: StartChild, path: Path
) -> None:
    """However many processes migrate at once, each migration is applied once."""
    children = [await start_child("open") for _ in range(4)]
    for child in children:
        let_go(child)
    assert ["open"] * 4 == [await line(child) for child in children]
    assert [0] * 4 == [await child.wait() for child in children]
    with closing(sqlite3.connect(path)) as connection:
        numbers = [number for (number,) in connection.execute("SELECT number FROM migrations")]
    assert [migration.number for migration in migrations()] == numbers


async def test_one_client_id_in_two_processes_makes_one_order(
    start_child: StartChild, open_store: OpenStore
) -> None:
    """Two processes given the same client ids at once answer the same orders."""
    children = [await start_child("submit", "100") for _ in range(2)]
    assert ["open"] * 2 == [await line(child) for child in children]
    for child in children:
        let_go(child)
    answers = [json.loads(await line(child)) for child in children]
    assert answers[0] == answers[1]
    assert [0, 0] == [await child.wait() for child in children]
    store = await open_store()
    page = await store.read(lambda r: r.orders("default", OrderQuery(), terminal=None))
    assert sorted(answers[0]) == sorted(order.id for order in page.items)
    assert 100 == len({order.created_at for order in page.items})


async def test_a_killed_process_loses_nothing_and_repeats_nothing(
    start_child: StartChild, open_store: OpenStore, path: Path
) -> None:
    """After kill -9 under load every acknowledged order is there, once, with its event."""
    acknowledged: dict[str, str] = {}
    for generation in range(3):
        acknowledged |= await answers_until_killed(start_child, str(generation))
    store = await open_store()
    for client_order_id, order_id in acknowledged.items():
        assert order_id == await store.transact("default", bound_to(client_order_id))
    assert set(acknowledged.values()) <= consistent_orders(path)
    state = await store.transact("default", lambda session: session.state)
    assert set(acknowledged.values()) <= set(state.orders)


def bound_to(client_order_id: str) -> Callable[[Session], str | None]:
    def command(session: Session) -> str | None:
        past = session.find_submission(client_order_id)
        return past and past.order_id

    return command


async def answers_until_killed(start_child: StartChild, prefix: str) -> dict[str, str]:
    """What a process under load has answered by the time it is killed."""
    child = await start_child("load", prefix)
    assert await line(child) == "open"
    let_go(child)
    told = [await line(child) for _ in range(ACKNOWLEDGED_BEFORE_KILL)]
    child.kill()
    assert child.stdout is not None
    rest = (await child.stdout.read()).decode().split("\n")[:-1]  # the last line may be cut off
    await child.wait()
    return {name: order_id for name, _, order_id in (a.partition(" ") for a in [*told, *rest])}


def consistent_orders(path: Path) -> set[str]:
    """The ids of all orders, after checking that tables, log and file agree."""
    with closing(sqlite3.connect(path)) as connection:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
        assert [] == connection.execute("PRAGMA foreign_key_check").fetchall()
        orders = {row[0] for row in connection.execute("SELECT id FROM orders")}
        documents = [
            row[0] for row in connection.execute("SELECT document FROM events ORDER BY id")
        ]
        bound = [row[0] for row in connection.execute("SELECT order_id FROM submissions")]
        newest = connection.execute("SELECT max(id) FROM events").fetchone()
        version = connection.execute("SELECT version FROM accounts").fetchone()
    created = Counter(json.loads(document)["id"] for document in documents)
    moments = [datetime.fromisoformat(json.loads(doc)["created_at"]) for doc in documents]
    assert dict.fromkeys(orders, 1) == created
    assert sorted(orders) == sorted(bound)
    assert newest == version
    assert moments == sorted(set(moments))
    return orders


async def test_processes_share_an_account(open_store: OpenStore, start_child: StartChild) -> None:
    """Orders of several processes on one account all survive, with distinct timestamps."""
    children = [await start_child("load", f"p{n}") for n in range(2)]
    for child in children:
        assert await line(child) == "open"
        let_go(child)
    told = [await line(child) for _ in range(100) for child in children]
    for child in children:
        child.kill()
    await asyncio.gather(*(child.communicate() for child in children))
    store = await open_store()
    state = await store.transact("default", lambda session: session.state)
    assert {answer.split()[1] for answer in told} <= set(state.orders)
    moments = [order.created_at for order in state.orders.values()]
    assert len(moments) == len(set(moments))
