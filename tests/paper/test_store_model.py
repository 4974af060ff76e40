"""The store against a model: whatever is done, from whichever process, both hold the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.base import OrderQuery
from providers.engine.state import AccountState, Event, EventType, Ledger
from providers.exchange.documents import EPOCH
from providers.exchange.store import PastSubmission, Reader, Session
from providers.models import Order, OrderStatus, Position
from providers.store.sqlite import SqliteStore

Make = Callable[..., Any]

OPENING = Ledger(Decimal(1000), Decimal(1000), "USD")
ACCOUNTS = ("alice", "bob")


class Refused(Exception):
    """What a step raises that is to leave nothing."""


@dataclass
class Model:
    """What one account should be, in plain dictionaries."""

    orders: dict[str, Order] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    ledger: Ledger = OPENING
    events: int = 0
    submissions: dict[str, PastSubmission] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        entity = event.entity
        if isinstance(entity, Order):
            self.orders[entity.id] = entity
        elif isinstance(entity, Position):
            self.positions[entity.id] = entity
        elif isinstance(entity, Ledger):
            self.ledger = entity
        self.events += 1


CHANGES = st.one_of(
    st.tuples(st.just("order"), st.integers(0, 5), st.sampled_from(OrderStatus)),
    st.tuples(st.just("position"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("ledger"), st.integers(0, 9), st.none()),
)
STEPS = st.fixed_dictionaries(
    {
        "process": st.integers(0, 1),
        "account": st.sampled_from(ACCOUNTS),
        "changes": st.lists(CHANGES, max_size=4),
        "client_order_id": st.sampled_from([None, "a", "b"]),
        "raises": st.booleans(),
        "restart": st.sampled_from([False, False, False, True]),
    }
)


@settings(max_examples=30)
@given(st.lists(st.lists(STEPS, min_size=1, max_size=5), max_size=8))
def test_the_store_does_what_the_model_does(
    tmp_path_factory: pytest.TempPathFactory,
    make_order: Make,
    make_position: Make,
    at: Make,
    crowds: list[list[dict[str, Any]]],
) -> None:
    """Commands of two processes, some at once, some raising, with restarts, leave what they say."""
    path = tmp_path_factory.mktemp("model") / "store.db"

    def entity(kind: str, n: int, value: Any, account: str) -> Order | Position | Ledger:
        if kind == "order":
            order: Order = make_order(n, id=f"{account}_{n}", status=value)
            return order
        if kind == "position":
            position: Position = make_position(n, id=f"{account}_{n}", quantity=Decimal(value))
            return position
        return Ledger(Decimal(n), OPENING.deposits, "USD")

    def events(step: dict[str, Any]) -> list[Event]:
        return [
            Event(EventType(kind if kind != "ledger" else "account"), "CHANGED", thing, at(n))
            for kind, n, value in step["changes"]
            for thing in [entity(kind, n, value, step["account"])]
        ]

    asyncio.run(compare(path, crowds, events))


async def compare(
    path: Path, crowds: list[list[dict[str, Any]]], events: Callable[[dict[str, Any]], list[Event]]
) -> None:
    models = {account: Model() for account in ACCOUNTS}
    stores = [await opened(path), await opened(path)]
    for crowd in crowds:
        # One process after the other, the commands of each at once: so their order is known.
        for process in (0, 1):
            steps = [step for step in crowd if step["process"] == process]
            await asyncio.gather(
                *(run(stores[process], step, events(step), models) for step in steps)
            )
            if any(step["restart"] for step in steps):
                await stores[process].close()
                stores[process] = await opened(path)
    for store in stores:
        for account, model in models.items():
            await check(store, account, model)
        await store.close()


async def opened(path: Path) -> SqliteStore:
    store = SqliteStore(path, initial_balance=OPENING.balance, synchronous="NORMAL")
    await store.open()
    return store


async def run(
    store: SqliteStore, step: dict[str, Any], events: list[Event], models: dict[str, Model]
) -> None:
    """Do one step in the store and in the model."""
    account, client_order_id = step["account"], step["client_order_id"]

    def command(session: Session) -> None:
        model = deepcopy(models[account])
        for event in events:
            session.emit([event])
            model.apply(event)
        last = next(reversed(model.orders), None)
        if client_order_id and last and not session.find_submission(client_order_id):
            session.remember_submission(client_order_id, "f", last)
            model.submissions[client_order_id] = PastSubmission("f", last)
        if step["raises"]:
            raise Refused
        assert_same(session.state, model)
        models[account] = model

    with suppress(Refused):
        await store.transact(account, command)


async def check(store: SqliteStore, account: str, model: Model) -> None:
    """The store's every face shows the model."""
    assert_same(await store.read(lambda reader: reader.state(account)), model)
    await store.transact(account, lambda session: assert_same(session.state, model))
    page = await store.read(orders_of(account))
    assert sorted(model.orders) == sorted(order.id for order in page.items)
    frames = await store.read(lambda reader: reader.events(account, 0, 1000))
    assert model.events == len(frames)
    for client_order_id in ("a", "b"):
        past = await store.transact(account, submission_of(client_order_id))
        assert model.submissions.get(client_order_id) == past


def orders_of(account: str) -> Callable[[Reader], Any]:
    return lambda reader: reader.orders(account, OrderQuery(), terminal=None)


def submission_of(client_order_id: str) -> Callable[[Session], PastSubmission | None]:
    return lambda session: session.find_submission(client_order_id)


def assert_same(state: AccountState, model: Model) -> None:
    """The state is what is open in the model."""
    rebuilt = AccountState("model", OPENING, EPOCH)
    entities: list[Order | Position] = [*model.orders.values(), *model.positions.values()]
    for entity in entities:
        kind = EventType.ORDER if isinstance(entity, Order) else EventType.POSITION
        rebuilt.apply(Event(kind, "CHANGED", entity, EPOCH))
    assert rebuilt.orders == state.orders
    assert rebuilt.positions == state.positions
    assert model.ledger == state.ledger
