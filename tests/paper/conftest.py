"""A store in a temporary file, and entities to put into it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from providers.engine.state import Event, EventType, Ledger
from providers.exchange.store import Session
from providers.models import (
    Order,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    Side,
    TimeInForce,
    Trade,
)
from providers.store.sqlite import SqliteStore

START = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("store_child.py")

MakeOrder = Callable[..., Order]
OpenStore = Callable[..., Awaitable[SqliteStore]]
StartChild = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture(scope="session")
def at() -> Callable[[int], datetime]:
    """The n-th microsecond of the tests' time."""
    return lambda n: START + timedelta(microseconds=n)


@pytest.fixture(scope="session")
def make_order(at: Callable[[int], datetime]) -> MakeOrder:
    """`make_order(3, side=Side.SELL)`: an open LIMIT order, the third created."""

    def make(n: int, **changes: Any) -> Order:
        values: dict[str, Any] = {
            "id": f"ord_{n}",
            "symbol": "AAPL",
            "side": Side.BUY,
            "order_type": OrderType.LIMIT,
            "status": OrderStatus.OPEN,
            "quantity": Decimal(100),
            "filled_quantity": Decimal(0),
            "remaining_quantity": Decimal(100),
            "limit_price": Decimal("150.00"),
            "time_in_force": TimeInForce.GTC,
            "created_at": at(n),
            "updated_at": at(n),
        }
        return Order(**values | changes)

    return make


@pytest.fixture(scope="session")
def make_trade(at: Callable[[int], datetime]) -> Callable[..., Trade]:
    def make(n: int, **changes: Any) -> Trade:
        values: dict[str, Any] = {
            "id": f"trd_{n}",
            "order_id": "ord_1",
            "symbol": "AAPL",
            "side": Side.BUY,
            "quantity": Decimal(1),
            "price": Decimal("150.25"),
            "commission": Decimal("0.50"),
            "commission_currency": "USD",
            "is_maker": False,
            "timestamp": at(n),
        }
        return Trade(**values | changes)

    return make


@pytest.fixture(scope="session")
def make_position(at: Callable[[int], datetime]) -> Callable[..., Position]:
    def make(n: int, **changes: Any) -> Position:
        values: dict[str, Any] = {
            "id": f"pos_{n}",
            "symbol": "AAPL",
            "side": PositionSide.LONG,
            "quantity": Decimal(100),
            "average_entry_price": Decimal("150.25"),
            "current_price": Decimal("150.25"),
            "unrealized_pnl": Decimal(0),
            "realized_pnl": Decimal(0),
            "opened_at": at(n),
            "updated_at": at(n),
        }
        return Position(**values | changes)

    return make


@pytest.fixture(scope="session")
def emit(at: Callable[[int], datetime]) -> Callable[..., Callable[[Session], None]]:
    """`emit(order, trade)`: a command that puts these entities into the account."""

    def command(
        *entities: Order | Position | Trade | Ledger, name: str = "", when: int = 0
    ) -> Callable[[Session], None]:
        events = [
            Event(type_of(entity), name or "CHANGED", entity, at(when)) for entity in entities
        ]
        return lambda session: session.emit(events)

    return command


def type_of(entity: Order | Position | Trade | Ledger) -> EventType:
    types = {
        Order: EventType.ORDER,
        Position: EventType.POSITION,
        Trade: EventType.TRADE,
        Ledger: EventType.ACCOUNT,
    }
    return types[type(entity)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def open_store(path: Path) -> AsyncIterator[OpenStore]:
    """Opens stores on the test's file as a process of its own would; closes them at the end."""
    opened: list[SqliteStore] = []

    async def open_(**options: Any) -> SqliteStore:
        options.setdefault("initial_balance", Decimal(100_000))
        store = SqliteStore(path, **options)
        await store.open()
        opened.append(store)
        return store

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> SqliteStore:
    return await open_store()


@pytest.fixture
async def start_child(path: Path) -> AsyncIterator[StartChild]:
    """Starts `store_child.py` with a task of it; none is left behind."""
    children: list[asyncio.subprocess.Process] = []

    async def start(task: str, *arguments: str) -> asyncio.subprocess.Process:
        command = [sys.executable, "-X", "utf8", str(CHILD), task, str(path), *arguments]
        child = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env={"PYTHONPATH": str(ROOT)}
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.returncode is None:
            child.kill()
        await child.wait()
