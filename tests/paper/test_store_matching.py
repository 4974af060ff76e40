"""The matching index: which orders a tick touches, found without looking at the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.exchange.store import Match
from providers.exchange.triggers import TriggerKind, price_key, probes, trigger_of
from providers.models import Order, OrderStatus, OrderType, Side
from providers.store.reader import EXPIRED, TRIGGERED, WORKING_SYMBOLS
from providers.store.schema import Database, connect
from providers.store.sqlite import SqliteStore

Make = Callable[..., Any]

LARGEST = Decimal("999999999999999999.999999999999999999")
PRICES = st.decimals(
    min_value=0, max_value=LARGEST, places=18, allow_nan=False, allow_infinity=False
) | st.sampled_from([Decimal(0), Decimal("1E+17"), Decimal("1E-18"), LARGEST, Decimal("100.00")])


@given(PRICES, PRICES)
def test_keys_sort_like_prices(one: Decimal, other: Decimal) -> None:
    """Text order of the keys is numeric order of the prices, equality included."""
    keys = price_key(one), price_key(other)
    assert (one < other, one == other) == (keys[0] < keys[1], keys[0] == keys[1])


@given(PRICES, PRICES, st.sampled_from(TriggerKind))
def test_probes_select_what_fires(price: Decimal, quote: Decimal, kind: TriggerKind) -> None:
    """`key <= probe` says exactly what the rule of each kind says."""
    rules = {
        TriggerKind.IMMEDIATE: True,
        TriggerKind.LIMIT_BUY: quote <= price,
        TriggerKind.LIMIT_SELL: quote >= price,
        TriggerKind.STOP_BUY: quote >= price,
        TriggerKind.STOP_SELL: quote <= price,
    }
    keys = dict(probes(price, price))  # the key of an order at `price`
    assert rules[kind] == (keys[kind] <= dict(probes(quote, quote))[kind])


@pytest.mark.parametrize(
    "price", ["1000000000000000000", "0.0000000000000000001", "-1", "NaN", "Infinity"]
)
def test_a_price_that_does_not_fit_is_refused(price: str) -> None:
    """Only non-negative prices of 18 digits on either side have a key."""
    with pytest.raises(ValueError, match="matching index"):
        price_key(Decimal(price))


LIMIT, STOP = Decimal(10), Decimal(20)
MARKET_ORDER: dict[str, Any] = {"order_type": OrderType.MARKET, "limit_price": None}
STOP_ORDER: dict[str, Any] = {
    "order_type": OrderType.STOP,
    "limit_price": None,
    "stop_price": STOP,
}
STOP_LIMIT: dict[str, Any] = {
    "order_type": OrderType.STOP_LIMIT,
    "limit_price": LIMIT,
    "stop_price": STOP,
}
TRAILING: dict[str, Any] = {
    "order_type": OrderType.TRAILING_STOP,
    "limit_price": None,
    "stop_price": STOP,
    "trailing_distance": Decimal(1),
}


@pytest.mark.parametrize(
    ("changes", "kind", "price"),
    [
        ({"limit_price": LIMIT}, "LIMIT_BUY", LIMIT),
        ({"limit_price": LIMIT, "side": Side.SELL}, "LIMIT_SELL", LIMIT),
        ({"limit_price": LIMIT, "status": OrderStatus.PARTIALLY_FILLED}, "LIMIT_BUY", LIMIT),
        (MARKET_ORDER, "IMMEDIATE", None),
        (STOP_ORDER, "STOP_BUY", STOP),
        (STOP_ORDER | {"side": Side.SELL, "triggered": False}, "STOP_SELL", STOP),
        (STOP_ORDER | {"triggered": True}, "IMMEDIATE", None),
        (STOP_LIMIT, "STOP_BUY", STOP),
        (STOP_LIMIT | {"triggered": True}, "LIMIT_BUY", LIMIT),
        (STOP_LIMIT | {"triggered": True, "side": Side.SELL}, "LIMIT_SELL", LIMIT),
        (TRAILING, "IMMEDIATE", None),
    ],
)
def test_what_an_order_waits_for(
    make_order: Make, changes: dict[str, Any], kind: str, price: Decimal | None
) -> None:
    """The trigger of an order follows from its type, side and whether its stop was reached."""
    trigger = trigger_of(make_order(1, **changes))
    assert trigger is not None
    assert kind == trigger.kind.value
    keys = dict(probes(price, price)) if price else {TriggerKind.IMMEDIATE: ""}
    assert keys[trigger.kind] == trigger.key


@pytest.mark.parametrize(
    "status", [s for s in OrderStatus if s not in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)]
)
def test_only_working_orders_wait_for_a_quote(make_order: Make, status: OrderStatus) -> None:
    """An order that cannot trade has no trigger."""
    assert trigger_of(make_order(1, status=status)) is None


async def test_a_tick_finds_orders_in_price_time_priority(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """Immediate orders first, then limits, then stops; the best price first, then the oldest."""
    sell = {"side": Side.SELL}
    orders = {
        "not yet": make_order(1, limit_price=Decimal("99.98")),
        "buy 3": make_order(2, limit_price=Decimal("100.00")),
        "buy 1": make_order(3, limit_price=Decimal("100.50")),
        "buy 2": make_order(4, limit_price=Decimal("100.5")),
        "sell 2": make_order(5, limit_price=Decimal("99.90"), **sell),
        "sell 1": make_order(6, limit_price=Decimal("9.9"), **sell),
        "stop buy": make_order(7, **STOP_ORDER | {"stop_price": Decimal("99.99")}),
        "stop sell": make_order(8, **STOP_ORDER | sell | {"stop_price": Decimal("100.1")}),
        "market": make_order(9, **MARKET_ORDER),
        "elsewhere": make_order(10, symbol="MSFT", **MARKET_ORDER),
    }
    await store.transact("default", emit(*orders.values()))
    found = await store.read(
        lambda reader: reader.triggered("AAPL", Decimal("99.95"), Decimal("99.99"))
    )
    names = {order.id: name for name, order in orders.items()}
    expected = ["market", "buy 1", "buy 2", "buy 3", "sell 1", "sell 2", "stop buy", "stop sell"]
    assert expected == [names[match.order_id] for match in found]


async def test_time_priority_holds_between_accounts(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """At one price the older order comes first, whosever it is."""
    for n, account in ((3, "alice"), (1, "bob"), (2, "alice")):
        await store.transact(account, emit(make_order(n)))
    found = await store.read(lambda r: r.triggered("AAPL", Decimal(1), Decimal(2)))
    expected = [Match("bob", "ord_1"), Match("alice", "ord_2"), Match("alice", "ord_3")]
    assert expected == found


async def test_an_order_leaves_the_index_with_its_end(
    store: SqliteStore, make_order: Make, emit: Make, at: Make
) -> None:
    """A terminal order neither triggers nor expires, and its symbol is no longer worked."""
    day = {"expires_at": at(50)}
    await store.transact("default", emit(make_order(1, **day), make_order(2, symbol="B", **day)))
    assert ["AAPL", "B"] == await store.read(lambda reader: reader.working_symbols())
    await store.transact("default", emit(make_order(1, status=OrderStatus.CANCELLED, **day)))
    assert [] == await store.read(lambda r: r.triggered("AAPL", Decimal(1), Decimal(2)))
    assert [Match("default", "ord_2")] == await store.read(lambda r: r.expired(at(99)))
    assert ["B"] == await store.read(lambda reader: reader.working_symbols())


async def test_a_change_of_price_moves_the_order(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """The index follows the last snapshot, also within one command."""
    cheap, dear = make_order(1, limit_price=Decimal(5)), make_order(1, limit_price=Decimal(50))
    await store.transact("default", emit(cheap, dear))
    assert len(await store.read(lambda r: r.triggered("AAPL", Decimal(39), Decimal(40)))) == 1
    await store.transact("default", emit(cheap))
    assert [] == await store.read(lambda r: r.triggered("AAPL", Decimal(39), Decimal(40)))


async def test_orders_expire_at_their_time_and_not_before(
    store: SqliteStore, make_order: Make, emit: Make, at: Make
) -> None:
    """Expiry includes the moment itself, earliest first; no expiry means never."""
    pending = {"status": OrderStatus.PENDING}
    await store.transact(
        "default",
        emit(
            make_order(1, expires_at=at(20)),
            make_order(2, expires_at=at(10), **pending),
            make_order(3),
            make_order(4, expires_at=at(20) + timedelta(microseconds=1)),
        ),
    )
    found = await store.read(lambda reader: reader.expired(at(20)))
    assert ["ord_2", "ord_1"] == [match.order_id for match in found]


ORDERS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([{}, MARKET_ORDER, STOP_ORDER, STOP_LIMIT]),
        "side": st.sampled_from(Side),
        "price": st.integers(1, 12),
        "triggered": st.sampled_from([None, False, True]),
        "status": st.sampled_from(OrderStatus),
        "symbol": st.sampled_from(["AAPL", "BTC/USD"]),
    }
)


@settings(max_examples=30)
@given(st.lists(ORDERS, max_size=40), st.integers(1, 11))
def test_a_tick_touches_exactly_the_orders_it_should(
    tmp_path_factory: pytest.TempPathFactory,
    make_order: Make,
    emit: Make,
    specs: list[dict[str, Any]],
    bid: int,
) -> None:
    """The index returns what looking at every order would, for any orders and any quote."""
    orders = [build(make_order, n, spec) for n, spec in enumerate(specs)]
    quote = Decimal(bid), Decimal(bid + 1)
    path = tmp_path_factory.mktemp("tick") / "store.db"

    async def found() -> set[str]:
        store = SqliteStore(path, initial_balance=Decimal(1), synchronous="NORMAL")
        await store.open()
        await store.transact("default", emit(*orders))
        matches = await store.read(lambda reader: reader.triggered("AAPL", *quote))
        await store.close()
        return {match.order_id for match in matches}

    assert {order.id for order in orders if acts(order, *quote)} == asyncio.run(found())


def build(make_order: Make, n: int, spec: dict[str, Any]) -> Order:
    prices = {
        name: None if spec["kind"].get(name, "unset") is None else Decimal(spec["price"])
        for name in ("limit_price", "stop_price")
    }
    same = {name: spec[name] for name in ("side", "status", "triggered", "symbol")}
    order: Order = make_order(n, **spec["kind"] | prices | same)
    return order


def acts(order: Order, bid: Decimal, ask: Decimal) -> bool:
    """The rule, written without an index."""
    if order.symbol != "AAPL" or order.status not in ("OPEN", "PARTIALLY_FILLED"):
        return False
    buys = order.side == Side.BUY
    if order.order_type in ("STOP", "STOP_LIMIT") and not order.triggered:
        assert order.stop_price is not None
        return ask >= order.stop_price if buys else bid <= order.stop_price
    if order.order_type in ("LIMIT", "STOP_LIMIT"):
        assert order.limit_price is not None
        return ask <= order.limit_price if buys else bid >= order.limit_price
    return True


@pytest.mark.parametrize(
    ("sql", "values", "index"),
    [
        (TRIGGERED, ("AAPL", "LIMIT_BUY", "9"), "orders_to_match (symbol=? AND trigger_kind=? AND"),
        (EXPIRED, (0,), "orders_to_expire (expires_at<?)"),
        (WORKING_SYMBOLS, (), "orders_to_match"),
    ],
)
async def test_a_tick_reads_only_a_range_of_an_index(
    store: SqliteStore, path: Path, sql: str, values: tuple[Any, ...], index: str
) -> None:
    """Nothing that a tick asks walks through the orders it does not touch."""
    connection = connect(Database(path=path), read_only=True)
    try:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    finally:
        connection.close()
    steps = [step for step in plan if "orders" in step or step.startswith("SEARCH o ")]
    assert steps
    assert [] == [step for step in steps if not step.startswith("SEARCH") or index not in step]
    assert [] == [step for step in plan if "TEMP B-TREE" in step and sql == TRIGGERED]
