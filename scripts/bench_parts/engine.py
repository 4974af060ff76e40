"""The matching engine by itself, and what a tick costs with few and with many orders at rest.

Decisions are measured without a store: one account, decide, apply, in CPU time of one core. A tick
is the store's search for the orders that a quote touches, with none that it does.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from providers.base import Instrument
from providers.engine.orders import submit
from providers.engine.sessions import session_end
from providers.engine.state import AccountState, Event, EventType, Ledger
from providers.engine.world import Rules, World
from providers.exchange.store import Session
from providers.models import (
    AssetClass,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Quote,
    Side,
    TimeInForce,
)
from providers.store.sqlite import SqliteStore

RESTING_TARGET, FILLING_TARGET = 20_000, 10_000
FLAT = 3.0
"""How many times as long the tick with many orders may take at most to be called flat."""

FEW, MANY, ACCOUNTS = 100, 100_000, 1_000
NOW = datetime(2025, 1, 15, 15, 0, tzinfo=UTC)
BATCH = 500
APPLE = Instrument(
    symbol="AAPL",
    asset_class=AssetClass.STOCK,
    price_increment=Decimal("0.01"),
    quantity_increment=Decimal(1),
)
QUOTE = Quote(
    symbol="AAPL",
    provider="bench",
    bid=Decimal("150.20"),
    bid_size=Decimal(100),
    ask=Decimal("150.25"),
    ask_size=Decimal(100),
    last=Decimal("150.22"),
    timestamp=NOW,
)


def request(side: Side, limit: str | None = None) -> OrderRequest:
    return OrderRequest(
        symbol="AAPL",
        side=side,
        quantity=Decimal(1),
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        limit_price=Decimal(limit) if limit else None,
    )


def resting() -> Iterator[OrderRequest]:
    return itertools.repeat(request(Side.BUY, "150.00"))


def filling() -> Iterator[OrderRequest]:
    """Bought and sold in turn, so that the position neither runs out nor grows."""
    return itertools.cycle([request(Side.BUY), request(Side.SELL)])


def decisions_per_second(requests: Callable[[], Iterator[OrderRequest]], batches: int) -> float:
    """The best of some batches, each on an account of its own."""
    return max(_batch(requests()) for _ in range(batches))


def _batch(requests: Iterator[OrderRequest]) -> float:
    million = Decimal(1_000_000)
    state = AccountState("bench", Ledger(million, million, "USD"), NOW - timedelta(days=1))
    numbers = itertools.count()
    world = World(
        now=NOW,
        new_id=lambda prefix: f"{prefix}_{next(numbers)}",
        quote=lambda _: QUOTE,
        instrument=lambda _: APPLE,
        rules=Rules(taker_fee=Decimal("0.0005")),
        session_end=session_end,
    )
    some = list(itertools.islice(requests, BATCH))
    start = time.process_time()
    for each in some:
        state.apply_all(submit(state, each, world).events)
    return BATCH / (time.process_time() - start)


async def milliseconds_per_tick(orders: int, ticks: int) -> float:
    """The median search for what a quote touches, with so many orders at rest in all accounts."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(
            Path(folder) / "bench.db", initial_balance=Decimal(100_000), synchronous="NORMAL"
        )
        await store.open()
        try:
            await _fill(store, orders)
            return await _ticks(store, ticks)
        finally:
            await store.close()


async def _fill(store: SqliteStore, orders: int) -> None:
    accounts = min(ACCOUNTS, orders)
    each = orders // accounts
    for account in range(accounts):
        events = [_created(account * each + number) for number in range(each)]
        await store.transact(f"acc{account}", _emission(events))


def _emission(events: list[Event]) -> Callable[[Session], None]:
    return lambda session: session.emit(events)


async def _ticks(store: SqliteStore, ticks: int) -> float:
    times = []
    for _ in range(ticks):
        start = time.perf_counter()
        found = await store.read(lambda r: r.triggered("AAPL", QUOTE.bid, QUOTE.ask))
        times.append(time.perf_counter() - start)
        if found:
            raise RuntimeError(f"the quote touched {len(found)} orders")
    return median(times) * 1000


def _created(number: int) -> Event:
    """A limit out of reach of the quote, each account's orders at many prices."""
    at = NOW + timedelta(microseconds=number)
    order = Order(
        id=f"ord_{number}",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(1),
        filled_quantity=Decimal(0),
        remaining_quantity=Decimal(1),
        limit_price=Decimal(100) + Decimal(number % 5000) / 100,
        status=OrderStatus.OPEN,
        time_in_force=TimeInForce.GTC,
        created_at=at,
        updated_at=at,
    )
    return Event(EventType.ORDER, "ORDER_CREATED", order, at)


async def measure(batches: int, ticks: int) -> dict[str, Any]:
    few = await milliseconds_per_tick(FEW, ticks)
    many = await milliseconds_per_tick(MANY, ticks)
    return {
        "resting_per_second": round(decisions_per_second(resting, batches)),
        "filling_per_second": round(decisions_per_second(filling, batches)),
        "tick_milliseconds": {str(FEW): round(few, 3), str(MANY): round(many, 3)},
        "tick_ratio": round(many / few, 2),
    }


def describe(result: dict[str, Any]) -> str:
    rests, fills = result["resting_per_second"], result["filling_per_second"]
    ratio = result["tick_ratio"]
    return "\n".join(
        [
            "Engine alone, decide and apply, one core",
            f"  {_verdict(rests >= RESTING_TARGET)} {RESTING_TARGET} resting LIMIT orders per"
            f" second: {rests}",
            f"  {_verdict(fills >= FILLING_TARGET)} {FILLING_TARGET} filling MARKET orders per"
            f" second: {fills}",
            f"A tick that touches nothing, {MANY} orders on {ACCOUNTS} accounts beside {FEW}",
            f"  {_verdict(ratio <= FLAT)} flat cost: {ratio} times as long"
            f" ({result['tick_milliseconds']} ms)",
        ]
    )


def _verdict(met: bool) -> str:
    return "met   " if met else "MISSED"
