"""A process of its own on the test's database: `store_child.py TASK FILE [ARGUMENT]`.

Every task waits for a line on standard input, so that several can be let go at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from providers.engine.state import Event, EventType
from providers.errors import ProviderUnavailable
from providers.exchange.store import Session
from providers.models import Order, OrderStatus, OrderType, Side, TimeInForce
from providers.store.sqlite import SqliteStore

START = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
QUANTITY = Decimal(100)


def submission(client_order_id: str) -> Callable[[Session], str]:
    """A command that creates one order for a client id, and answers its id from then on."""

    def command(session: Session) -> str:
        past = session.find_submission(client_order_id)
        if past is not None:
            return past.order_id
        now = max(START, session.state.last_time + timedelta(microseconds=1))
        order = new_order(f"ord_{os.getpid()}_{client_order_id}", client_order_id, now)
        session.emit([Event(EventType.ORDER, "ORDER_CREATED", order, now)])
        session.remember_submission(client_order_id, "fingerprint", order.id)
        return order.id

    return command


def new_order(id_: str, client_order_id: str, now: datetime) -> Order:
    return Order(
        id=id_,
        client_order_id=client_order_id,
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        status=OrderStatus.OPEN,
        quantity=QUANTITY,
        filled_quantity=Decimal(0),
        remaining_quantity=QUANTITY,
        limit_price=Decimal("150.00"),
        time_in_force=TimeInForce.GTC,
        created_at=now,
        updated_at=now,
    )


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def just_open(store: SqliteStore, _: str) -> None:
    """Wait, then open: for races at the very start."""
    sys.stdin.readline()
    await store.open()
    tell("open")


async def submit(store: SqliteStore, count: str) -> None:
    """Submit the client ids 0..count-1 at once and tell the orders' ids."""
    await opened(store)
    answers = await asyncio.gather(
        *(store.transact("default", submission(str(n))) for n in range(int(count)))
    )
    tell(json.dumps(answers))


async def load(store: SqliteStore, prefix: str) -> None:
    """Submit for ever, sixteen at a time, and tell each answer; to be killed."""
    await opened(store)

    async def client(name: str) -> None:
        n = 0
        while True:
            client_order_id = f"{prefix}-{name}-{n}"
            order_id = await store.transact("default", submission(client_order_id))
            tell(f"{client_order_id} {order_id}")
            n += 1

    await asyncio.gather(*(client(str(n)) for n in range(16)))


async def fill_disk(store: SqliteStore, kilobytes: str) -> None:
    """Submit until files may not grow any more; tell what was acknowledged, then what failed."""
    await opened(store)
    size = int(kilobytes) * 1024
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    acknowledged: list[str] = []
    failed: list[str] = []
    n = 0
    while not failed:
        names = [str(n + k) for k in range(8)]
        n += len(names)
        answers = await asyncio.gather(
            *(store.transact("default", submission(name)) for name in names),
            return_exceptions=True,
        )
        for name, answer in zip(names, answers, strict=True):
            refused = isinstance(answer, ProviderUnavailable)
            (failed if refused else acknowledged).append(name)
    tell(json.dumps({"acknowledged": acknowledged, "failed": failed}))


async def opened(store: SqliteStore) -> None:
    await store.open()
    tell("open")
    sys.stdin.readline()


TASKS: dict[str, Callable[[SqliteStore, str], Awaitable[None]]] = {
    "open": just_open,
    "submit": submit,
    "load": load,
    "fill_disk": fill_disk,
}


async def main(task: str, path: str, argument: str = "") -> None:
    store = SqliteStore(Path(path), initial_balance=Decimal(100_000))
    await TASKS[task](store, argument)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
