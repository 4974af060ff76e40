"""The store in memory holds what the durable one holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.base import OrderQuery, TradeQuery
from providers.engine.state import Event, EventType, Ledger, Notice
from providers.errors import ProviderUnavailable
from providers.exchange.memory import MemoryStore
from providers.exchange.store import Reader, Session
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

OPENING = Ledger(Decimal(1000), Decimal(1000), "USD")
START = datetime(2024, 1, 2, tzinfo=UTC)
ACCOUNTS = ("alice", "bob")
PRICES = st.integers(95, 105).map(Decimal)


def at(n: int) -> datetime:
    return START + timedelta(microseconds=n)


def order(
    n: int, account: str, kind: OrderType, price: Decimal, filled: int, **values: Any
) -> Order:
    """Order `n` of an account; its prices follow from its type."""
    limited = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    stops = kind in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
    return Order(
        id=f"{account}_{n}",
        symbol=("AAPL", "MSFT")[n % 2],
        order_type=kind,
        quantity=Decimal(10),
        filled_quantity=Decimal(filled),
        remaining_quantity=Decimal(10 - filled),
        limit_price=price if limited else None,
        stop_price=price if stops else None,
        triggered=False if stops else None,
        time_in_force=TimeInForce.DAY if n % 3 else TimeInForce.GTC,
        expires_at=at(50 + n) if n % 3 else None,
        client_order_id=f"c{n}",
        oco_group_id="group" if n % 4 == 0 else None,
        created_at=at(n),
        updated_at=at(n),
        **values,
    )


ORDERS = st.builds(
    order,
    st.integers(0, 7),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(OrderType),
    PRICES,
    st.sampled_from([0, 0, 4]),
    side=st.sampled_from(Side),
    status=st.sampled_from(OrderStatus),
)
POSITIONS = st.builds(
    lambda n, account, quantity, side, leverage: Position(
        id=f"{account}_{n}",
        symbol=("AAPL", "MSFT")[n % 2],
        side=side,
        quantity=Decimal(quantity),
        average_entry_price=Decimal(100),
        current_price=Decimal(100),
        unrealized_pnl=Decimal(0),
        realized_pnl=Decimal(0),
        leverage=Decimal(leverage),
        opened_at=at(n),
        updated_at=at(n),
    ),
    st.integers(0, 2),
    st.sampled_from(ACCOUNTS),
    st.integers(0, 2),
    st.sampled_from(PositionSide),
    st.integers(1, 2),
)


def events_of(things: list[Order | Position]) -> list[Event]:
    return [
        Event(
            EventType.ORDER if isinstance(thing, Order) else EventType.POSITION,
            "CHANGED",
            thing,
            thing.updated_at,
        )
        for thing in things
    ]


def memory() -> MemoryStore:
    """A store that counts its own events."""
    made: list[int] = []

    def number() -> int:
        made.append(len(made) + 1)
        return made[-1]

    return MemoryStore(OPENING, number=number)


def emitting(event: Event) -> Callable[[Session], None]:
    return lambda session: session.emit([event])


QUESTIONS: list[Callable[[Reader], Any]] = [
    lambda reader: [reader.state(account).orders for account in ACCOUNTS],
    lambda reader: [reader.state(account).last_time for account in ACCOUNTS],
    lambda reader: [reader.positions(account, None) for account in ACCOUNTS],
    lambda reader: reader.positions("alice", "AAPL"),
    lambda reader: [reader.position("bob", f"bob_{n}") for n in range(3)],
    lambda reader: [reader.order("bob", f"bob_{n}") for n in range(8)],
    lambda reader: [reader.holdings(account).positions for account in ACCOUNTS],
    lambda reader: sorted(reader.leveraged_accounts()),
    lambda reader: reader.working_symbols(),
    lambda reader: [sorted(reader.pending(at(n), at(m))) for n, m in ((0, 99), (3, 6), (9, 9))],
    lambda reader: [reader.expired(at(n)) for n in (0, 53, 99)],
    lambda reader: [
        reader.triggered(symbol, Decimal(bid), Decimal(bid + 1))
        for symbol in ("AAPL", "MSFT", "GOOG")
        for bid in range(93, 107)
    ],
    lambda reader: [
        (page.items, page.has_more)
        for terminal in (None, True, False)
        for query in (
            OrderQuery(),
            OrderQuery(limit=2),
            OrderQuery(symbol="AAPL"),
            OrderQuery(side=Side.SELL, since=at(2), until=at(6)),
            OrderQuery(status=(OrderStatus.OPEN, OrderStatus.FILLED)),
            OrderQuery(client_order_id="c3"),
            OrderQuery(oco_group_id="group"),
        )
        for page in [reader.orders("alice", query, terminal=terminal)]
    ],
    lambda reader: [
        [json.loads(frame.json) for frame in reader.events(account, 2, 3)] for account in ACCOUNTS
    ],
    lambda reader: [reader.last_event(account) for account in ACCOUNTS],
]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(things=st.lists(st.one_of(ORDERS, POSITIONS), max_size=40), data=st.data())
async def test_both_stores_answer_the_same(
    tmp_path_factory: pytest.TempPathFactory, things: list[Order | Position], data: st.DataObject
) -> None:
    """Whatever has been put in, in whatever order, every question has the same answer."""
    file = tmp_path_factory.mktemp("store") / "store.db"
    durable = SqliteStore(file, initial_balance=OPENING.balance, synchronous="NORMAL")
    kept = memory()
    await durable.open()
    try:
        for event in events_of(things):
            account = str(getattr(event.entity, "id", "")).split("_")[0]
            for store in (durable, kept):
                await store.transact(account, emitting(event))
        for question in QUESTIONS:
            assert await durable.read(question) == await kept.read(question)
    finally:
        await durable.close()


async def test_trades() -> None:
    """Newest first, by symbol, order and time."""
    store = memory()
    trades = [
        Trade(
            id=f"trd_{n}",
            order_id=f"ord_{n % 2}",
            symbol=("AAPL", "MSFT")[n % 2],
            side=Side.BUY,
            quantity=Decimal(1),
            price=Decimal(100),
            commission=Decimal(0),
            commission_currency="USD",
            timestamp=at(n),
        )
        for n in range(4)
    ]
    events = [Event(EventType.TRADE, "TRADE_FILLED", each, each.timestamp) for each in trades]
    await store.transact("alice", lambda session: session.emit(events))

    def ids(**filters: Any) -> list[str]:
        return [each.id for each in store.trades("alice", TradeQuery(**filters)).items]

    assert ids() == ["trd_3", "trd_2", "trd_1", "trd_0"]
    assert ids(symbol="AAPL") == ["trd_2", "trd_0"]
    assert ids(order_id="ord_1", until=at(3)) == ["trd_1"]
    assert ids(since=at(2), limit=1) == ["trd_3"]
    assert store.trades("alice", TradeQuery(limit=3)).has_more


async def test_what_a_session_sees() -> None:
    """Submissions, groups that have traded, and what the command itself has emitted."""
    store = memory()

    def command(session: Session) -> None:
        filled = order(
            0,
            "alice",
            OrderType.LIMIT,
            Decimal(100),
            4,
            side=Side.BUY,
            status=OrderStatus.PARTIALLY_FILLED,
        )
        assert not session.group_traded("group")
        session.emit([Event(EventType.ORDER, "CHANGED", filled, at(0))])
        session.remember_submission("c0", "mark", "alice_0")
        assert session.group_traded("group")
        assert session.find_order("alice_0") == filled

    await store.transact("alice", command)
    past = await store.transact("alice", lambda session: session.find_submission("c0"))
    assert past is not None
    assert ("mark", "alice_0") == past
    assert await store.transact("bob", lambda session: session.find_submission("c0")) is None


async def test_notices_are_kept() -> None:
    """A liquidation is part of what a run leaves behind."""
    store, notice = memory(), Notice("LIQUIDATION", "gone", {})
    event = Event(EventType.ERROR, notice.code, notice, at(0))
    await store.transact("alice", lambda session: session.emit([event]))
    assert store.books("alice").notices == [notice]


async def test_a_command_that_fails_half_way_stops_everything() -> None:
    """Nothing can be undone, so nothing more is done on what may be half applied."""
    store = memory()

    def refused(_: Session) -> None:
        raise LookupError("before anything was emitted")

    def broken(session: Session) -> None:
        session.emit([Event(EventType.ACCOUNT, "BALANCE_UPDATED", OPENING, at(0))])
        raise LookupError("in the middle")

    with pytest.raises(LookupError):
        await store.transact("alice", refused)
    with pytest.raises(LookupError):
        await store.transact("alice", broken)
    with pytest.raises(ProviderUnavailable):
        await store.transact("alice", refused)
