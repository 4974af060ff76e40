"""What can be asked of a store: orders, trades, positions and the event log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.base import OrderQuery, Page, TradeQuery
from providers.engine.state import Event, EventType, Ledger
from providers.exchange.store import Frame, Reader
from providers.models import Account, Order, OrderStatus, Side
from providers.store.reader import search_orders, search_trades
from providers.store.schema import Database, connect
from providers.store.sqlite import SqliteStore

Make = Callable[..., Any]
OpenStore = Callable[..., Awaitable[SqliteStore]]

OPEN, FILLED, CANCELLED = OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.CANCELLED


@pytest.fixture
async def busy_store(store: SqliteStore, make_order: Make, emit: Make) -> SqliteStore:
    """A store with six orders in `default` and one of another account."""
    await store.transact(
        "default",
        emit(
            make_order(1, symbol="AAPL", client_order_id="c1"),
            make_order(2, symbol="MSFT", side=Side.SELL, oco_group_id="g"),
            make_order(3, symbol="AAPL", status=FILLED, client_order_id="c3"),
            make_order(4, symbol="AAPL", status=CANCELLED, side=Side.SELL),
            make_order(5, symbol="MSFT", status=OrderStatus.PARTIALLY_FILLED, oco_group_id="g"),
            make_order(6, symbol="MSFT", status=OrderStatus.REJECTED, client_order_id="c1"),
        ),
    )
    await store.transact("other", emit(make_order(7, symbol="AAPL")))
    return store


@pytest.mark.parametrize(
    ("terminal", "filters", "expected"),
    [
        (False, {}, [5, 2, 1]),
        (True, {}, [6, 4, 3]),
        (None, {}, [6, 5, 4, 3, 2, 1]),
        (False, {"symbol": "MSFT"}, [5, 2]),
        (True, {"symbol": "AAPL"}, [4, 3]),
        (False, {"side": Side.SELL}, [2]),
        (False, {"oco_group_id": "g"}, [5, 2]),
        (None, {"client_order_id": "c1"}, [6, 1]),
        (True, {"client_order_id": "c1"}, [6]),
        (False, {"client_order_id": "nothing"}, []),
        (None, {"status": [OPEN]}, [2, 1]),
        (None, {"status": [OPEN, FILLED]}, [3, 2, 1]),
        (True, {"status": [CANCELLED, FILLED]}, [4, 3]),
        (True, {"status": [OPEN]}, []),
        (False, {"symbol": "AAPL", "side": Side.BUY, "status": [OPEN]}, [1]),
    ],
)
async def test_order_filters(
    busy_store: SqliteStore, terminal: bool | None, filters: dict[str, Any], expected: list[int]
) -> None:
    """Every filter narrows, filters combine, and the newest order comes first."""
    query = OrderQuery(**filters)
    page = await busy_store.read(lambda reader: reader.orders("default", query, terminal=terminal))
    assert [f"ord_{n}" for n in expected] == [order.id for order in page.items]
    assert not page.has_more


async def test_since_is_inclusive_and_until_exclusive(busy_store: SqliteStore, at: Make) -> None:
    """The window of created_at includes its start and not its end."""
    query = OrderQuery(since=at(2), until=at(5))
    page = await busy_store.read(lambda reader: reader.orders("default", query, terminal=None))
    assert ["ord_4", "ord_3", "ord_2"] == [order.id for order in page.items]


@pytest.mark.parametrize("terminal", [None, False])
async def test_paging_by_until_visits_every_order_once(
    store: SqliteStore, make_order: Make, emit: Make, terminal: bool | None
) -> None:
    """Asking again until the last one seen gives everything exactly once, and says when it ends."""
    statuses = [OPEN, FILLED] if terminal is None else [OPEN]
    orders = [make_order(n, status=statuses[n % len(statuses)]) for n in range(10)]
    await store.transact("default", emit(*orders))
    seen: list[str] = []
    until: datetime | None = None
    more = True
    while more:
        page = await store.read(orders_of(OrderQuery(until=until, limit=4), terminal))
        seen += [order.id for order in page.items]
        until, more = page.items[-1].created_at, page.has_more
    assert [f"ord_{n}" for n in reversed(range(10))] == seen


def orders_of(query: OrderQuery, terminal: bool | None) -> Callable[[Reader], Page[Order]]:
    return lambda reader: reader.orders("default", query, terminal=terminal)


async def test_a_full_page_with_nothing_behind_it_says_so(busy_store: SqliteStore) -> None:
    """`has_more` is about older orders, not about a full page."""
    query = OrderQuery(limit=3)
    page = await busy_store.read(lambda reader: reader.orders("default", query, terminal=False))
    assert (3, False) == (len(page.items), page.has_more)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [4, 3, 2, 1]),
        ({"symbol": "MSFT"}, [3]),
        ({"order_id": "ord_2"}, [4, 2]),
        ({"order_id": "nothing"}, []),
        ({"limit": 2}, [4, 3]),
    ],
)
async def test_trade_filters(
    store: SqliteStore,
    make_order: Make,
    make_trade: Make,
    emit: Make,
    filters: dict[str, Any],
    expected: list[int],
) -> None:
    """Trades are filtered by symbol and order, newest first, up to the limit."""
    await store.transact(
        "default",
        emit(
            make_order(1),
            make_order(2),
            make_trade(1),
            make_trade(2, order_id="ord_2"),
            make_trade(3, symbol="MSFT"),
            make_trade(4, order_id="ord_2"),
        ),
    )
    page = await store.read(lambda reader: reader.trades("default", TradeQuery(**filters)))
    assert [f"trd_{n}" for n in expected] == [trade.id for trade in page.items]
    assert (filters.get("limit") == 2) == page.has_more


async def test_trades_are_bounded_in_time(
    store: SqliteStore, make_order: Make, make_trade: Make, emit: Make, at: Make
) -> None:
    """The window of a trade's timestamp includes its start and not its end."""
    trades = [make_trade(n) for n in range(1, 5)]
    await store.transact("default", emit(make_order(1), *trades))
    query = TradeQuery(since=at(2), until=at(4))
    page = await store.read(lambda reader: reader.trades("default", query))
    assert [trades[2], trades[1]] == page.items


async def test_positions_are_filtered_by_symbol(
    store: SqliteStore, make_position: Make, emit: Make
) -> None:
    """Open positions come oldest first, of one symbol where it is given."""
    apple, euro = make_position(2), make_position(1, symbol="EUR/USD")
    await store.transact("default", emit(apple, euro))
    assert [euro, apple] == await store.read(lambda r: r.positions("default", None))
    assert [apple] == await store.read(lambda r: r.positions("default", "AAPL"))


async def test_the_log_holds_every_event_as_its_frame(
    store: SqliteStore, make_order: Make, emit: Make, at: Make
) -> None:
    """Each event is in the log once, in order, as the frame that goes to the client."""
    await store.transact("default", emit(make_order(1), name="ORDER_CREATED", when=1))
    filled = make_order(1, status=FILLED, average_fill_price=Decimal("150.10"))
    await store.transact("default", emit(filled, name="ORDER_FILLED", when=2))
    first, second = await store.read(lambda reader: reader.events("default", 0, 10))
    frame = json.loads(second.json)
    assert ["type", "timestamp", "event", "order"] == list(frame)
    assert ("order", "ORDER_FILLED") == (frame["type"], frame["event"])
    assert frame["timestamp"] == "2025-01-15T10:30:00.000002Z"
    assert ("FILLED", "150.10") == (frame["order"]["status"], frame["order"]["average_fill_price"])
    assert json.loads(first.json)["order"]["status"] == "OPEN"
    assert first.event_id < second.event_id
    assert (EventType.ORDER, "AAPL") == (second.type, second.symbol)


async def test_a_reader_of_the_log_resumes_without_gap_or_repeat(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """Reading on from the last event seen gives every event of the account, and no other's."""
    for n in range(7):
        await store.transact("default", emit(make_order(n)))
        await store.transact("other", emit(make_order(100 + n)))
    seen: list[Frame] = []
    while batch := await store.read(after(seen[-1].event_id if seen else 0)):
        seen += batch
    assert [f"ord_{n}" for n in range(7)] == [json.loads(f.json)["order"]["id"] for f in seen]
    assert seen[-1].event_id == await store.read(lambda reader: reader.last_event("default"))
    assert await store.read(lambda reader: reader.last_event("nobody")) == 0


def after(event_id: int) -> Callable[[Reader], list[Frame]]:
    return lambda reader: reader.events("default", event_id, 3)


async def test_an_account_event_shows_the_account(store: SqliteStore, at: Make) -> None:
    """The frame of a balance change carries the figures it was emitted with."""
    figures = [Decimal(n) for n in ("10.5", "11", "1", "10", "0.5")]
    names = ("balance", "equity", "margin_used", "margin_available", "unrealized_pnl")
    account = Account(**dict(zip(names, figures, strict=True)), currency="USD")
    ledger = Ledger(Decimal("10.5"), Decimal(10), "USD")
    event = Event(EventType.ACCOUNT, "BALANCE_UPDATED", ledger, at(1), account)
    await store.transact("default", lambda session: session.emit([event]))
    (frame,) = await store.read(lambda reader: reader.events("default", 0, 10))
    shown = json.loads(frame.json)["account"]
    assert {"equity": "11", "currency": "USD"} == {
        key: shown[key] for key in ("equity", "currency")
    }
    assert ledger == await store.read(lambda reader: reader.ledger("default"))


async def test_moments_are_kept_to_the_microsecond_in_utc(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """A stored moment is the moment that was written, whatever zone it came in."""
    moment = datetime(2031, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    await store.transact("default", emit(make_order(1, created_at=moment)))
    query = OrderQuery(since=moment, until=None)
    page = await store.read(lambda reader: reader.orders("default", query, terminal=False))
    assert [moment] == [order.created_at for order in page.items]


async def test_a_read_is_one_snapshot(open_store: OpenStore, make_order: Make, emit: Make) -> None:
    """A query sees nothing that is committed while it runs."""
    store = await open_store()
    await store.transact("default", emit(make_order(1)))
    loop = asyncio.get_running_loop()

    def query(reader: Reader) -> tuple[set[str], set[str]]:
        before = set(reader.state("default").orders)
        late = store.transact("default", emit(make_order(2)))
        asyncio.run_coroutine_threadsafe(late, loop).result(30)
        return before, set(reader.state("default").orders)

    assert ({"ord_1"}, {"ord_1"}) == await store.read(query)
    assert {"ord_1", "ord_2"} == set((await store.read(lambda r: r.state("default"))).orders)


async def test_an_error_of_a_query_is_raised_and_harms_nothing(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """What a query raises arrives, and the next query works."""

    def query(_: Reader) -> None:
        raise LookupError("not there")

    for _ in range(3):
        with pytest.raises(LookupError, match="not there"):
            await store.read(query)
    await store.transact("default", emit(make_order(1)))
    assert await store.read(lambda reader: reader.order("default", "ord_1")) == make_order(1)


async def test_lists_are_read_along_an_index(busy_store: SqliteStore, path: Path) -> None:
    """No list of orders or trades is sorted after the fact or searches a whole table."""
    searches = [
        search_orders("default", OrderQuery(), terminal=False).statement("t.created_at DESC", 9),
        search_orders("default", OrderQuery(symbol="AAPL"), terminal=True).statement(
            "t.created_at DESC", 9
        ),
        search_trades("default", TradeQuery()).statement("t.at DESC", 9),
        search_trades("default", TradeQuery(symbol="AAPL")).statement("t.at DESC", 9),
    ]
    connection = connect(Database(path=path), read_only=True)
    try:
        plans = [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            for sql, values in searches
        ]
    finally:
        connection.close()
    steps = [step for plan in plans for step in plan]
    assert [] == [step for step in steps if "SCAN" in step or "TEMP" in step]
    assert ["orders_by_time"] * 2 + ["trades_by_time"] * 2 == [
        plan[0].split("USING INDEX ")[1].split()[0] for plan in plans
    ]
