"""What a command sees and leaves behind, alone and among others in one commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.engine.state import AccountState, Ledger
from providers.errors import ProviderUnavailable, ShuttingDown
from providers.exchange.store import PastSubmission, Session
from providers.models import Order, OrderStatus, Position, Trade
from providers.store.sqlite import SqliteStore
from providers.store.writer import Limits

Make = Callable[..., Any]
OpenStore = Callable[..., Awaitable[SqliteStore]]


class Refused(Exception):
    """What the commands of these tests raise."""


def state_of(session: Session) -> AccountState:
    return session.state


def never(_: Session) -> None:
    raise AssertionError("this command must not run")


async def order_in(store: SqliteStore, order_id: str, account: str = "default") -> Order | None:
    return await store.read(lambda reader: reader.order(account, order_id))


async def test_a_new_account_starts_with_the_initial_balance(open_store: OpenStore) -> None:
    """An account exists from its first use and holds the initial balance."""
    store = await open_store(initial_balance=Decimal("2500.00"), currency="EUR")
    expected = Ledger(Decimal("2500.00"), Decimal("2500.00"), "EUR")
    seen = await store.transact("somebody", lambda session: session.state.ledger)
    assert expected == seen
    assert expected == await store.read(lambda reader: reader.ledger("nobody"))


async def test_the_result_of_a_command_is_answered(store: SqliteStore) -> None:
    """What the command returns is what transact returns."""
    assert await store.transact("default", lambda session: session.state.account) == "default"


async def test_emitted_entities_are_in_the_state_and_in_the_database(
    store: SqliteStore, make_order: Make, make_position: Make, make_trade: Make, emit: Make
) -> None:
    """After a command its entities are what later commands and readers see, to the last digit."""
    order, position, trade = make_order(1), make_position(2), make_trade(3)
    ledger = Ledger(Decimal("99.10"), Decimal(100), "USD")
    await store.transact("default", emit(order, position, trade, ledger))
    state = await store.transact("default", state_of)
    assert {"ord_1": order} == state.orders
    assert {"pos_2": position} == state.positions
    assert ledger == state.ledger
    read = await store.read(lambda reader: reader.state("default"))
    assert (state.orders, state.positions) == (read.orders, read.positions)
    assert (state.ledger, state.last_time) == (read.ledger, read.last_time)
    assert str(Decimal("150.00")) == str(read.orders["ord_1"].limit_price)


async def test_state_survives_a_restart(
    open_store: OpenStore, make_order: Make, make_position: Make, emit: Make, at: Make
) -> None:
    """Another process finds the account as it was left, its largest timestamp included."""
    first = await open_store()
    await first.transact("default", emit(make_order(1), make_position(2), when=77))
    await first.close()
    second = await open_store(initial_balance=Decimal(1))
    state = await second.transact("default", state_of)
    assert ["ord_1"] == list(state.orders)
    assert ["pos_2"] == list(state.positions)
    assert at(77) == state.last_time
    assert Decimal(100000) == state.ledger.balance


async def test_terminal_orders_and_flat_positions_leave_the_state_but_not_the_store(
    store: SqliteStore, make_order: Make, make_position: Make, emit: Make
) -> None:
    """What is over is still found by its id."""
    await store.transact("default", emit(make_order(1), make_position(1)))
    filled = make_order(1, status=OrderStatus.FILLED)
    flat = make_position(1, quantity=Decimal(0))
    await store.transact("default", emit(filled, flat))
    state = await store.transact("default", state_of)
    assert ({}, {}) == (state.orders, state.positions)
    found = await store.transact("default", lambda session: session.find_order("ord_1"))
    assert filled == found == await order_in(store, "ord_1")
    assert flat == await store.read(lambda reader: reader.position("default", "pos_1"))
    assert [] == await store.read(lambda reader: reader.positions("default", None))


async def test_a_command_sees_what_it_has_emitted(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """Within a command the state and both searches include its own doing."""
    order = make_order(1, status=OrderStatus.REJECTED)

    def command(session: Session) -> tuple[Order | None, PastSubmission | None]:
        emit(order)(session)
        session.remember_submission("mine", "f", "ord_1")
        return session.find_order("ord_1"), session.find_submission("mine")

    assert (order, PastSubmission("f", "ord_1")) == await store.transact("default", command)


async def test_a_submission_is_remembered_for_ever(
    open_store: OpenStore, make_order: Make, emit: Make
) -> None:
    """A client id stays bound to its order over restarts, in its own account only."""

    def submit(session: Session) -> None:
        emit(make_order(1))(session)
        session.remember_submission("mine", "fingerprint", "ord_1")

    first = await open_store()
    await first.transact("default", submit)
    await first.close()
    second = await open_store()
    expected = PastSubmission("fingerprint", "ord_1")
    assert expected == await second.transact("default", lambda s: s.find_submission("mine"))
    assert await second.transact("other", lambda s: s.find_submission("mine")) is None


async def test_accounts_do_not_see_each_other(
    store: SqliteStore, make_order: Make, make_position: Make, emit: Make
) -> None:
    """No account finds another's order, position or event, even knowing its id."""
    await store.transact("alice", emit(make_order(1), make_position(1)))
    assert await store.transact("bob", lambda session: session.find_order("ord_1")) is None
    assert await order_in(store, "ord_1", "bob") is None
    assert await store.read(lambda reader: reader.position("bob", "pos_1")) is None
    assert [] == await store.read(lambda reader: reader.events("bob", 0, 10))
    assert {} == (await store.transact("bob", state_of)).orders


async def test_a_command_that_raises_leaves_nothing(
    store: SqliteStore, path: Path, make_order: Make, make_trade: Make, emit: Make
) -> None:
    """Order, trade, submission, log and state of a failed command are gone; its error arrives."""
    await store.transact("default", emit(make_order(1)))

    def command(session: Session) -> None:
        emit(make_order(1, status=OrderStatus.FILLED), make_order(2), make_trade(1))(session)
        session.remember_submission("mine", "f", "ord_2")
        raise Refused("after the fact")

    with pytest.raises(Refused, match="after the fact"):
        await store.transact("default", command)
    state = await store.transact("default", state_of)
    assert {"ord_1": make_order(1)} == state.orders
    assert await store.transact("default", lambda s: s.find_submission("mine")) is None
    assert await order_in(store, "ord_2") is None
    assert {"orders": 1, "trades": 0, "events": 1} == count(path, "orders", "trades", "events")


async def test_commands_that_wait_share_a_commit(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """Everything that arrives while the writer is busy is committed at once."""
    async with busy(store) as first:
        commands = [store.transact("default", emit(make_order(n))) for n in range(50)]
        waiting = [asyncio.ensure_future(command) for command in commands]
        before = store.commits
        await arrived()
    await asyncio.gather(first, *waiting)
    assert before + 2 == store.commits
    assert len((await store.transact("default", state_of)).orders) == 50


async def test_a_command_that_raises_spares_the_others_of_its_commit(
    store: SqliteStore, make_order: Make, make_trade: Make, emit: Make
) -> None:
    """Of three commands in one commit, on one account, the middle one fails alone."""

    def failing(session: Session) -> None:
        emit(make_order(1, status=OrderStatus.CANCELLED), make_order(9))(session)
        raise Refused

    async with busy(store) as first:
        work = [emit(make_order(1), make_trade(1)), failing, emit(make_order(2), make_trade(2))]
        waiting = [asyncio.ensure_future(store.transact("default", command)) for command in work]
        await arrived()
        before = store.commits
    await first
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(None), Refused, type(None)] == [type(answer) for answer in answers]
    assert before + 2 == store.commits
    state = await store.transact("default", state_of)
    assert [make_order(1), make_order(2)] == list(state.orders.values())
    assert state.orders == (await store.read(lambda reader: reader.state("default"))).orders


async def test_a_later_command_of_a_commit_sees_the_earlier_ones(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """Commands of one commit see each other's orders and client ids, also terminal ones."""
    cancelled = make_order(1, status=OrderStatus.CANCELLED)

    def submit(session: Session) -> None:
        emit(cancelled)(session)
        session.remember_submission("mine", "f", "ord_1")

    def look(session: Session) -> tuple[Order | None, PastSubmission | None]:
        return session.find_order("ord_1"), session.find_submission("mine")

    async with busy(store) as first:
        submitted = asyncio.ensure_future(store.transact("default", submit))
        looked = asyncio.ensure_future(store.transact("default", look))
        await arrived()
    await asyncio.gather(first, submitted)
    assert (cancelled, PastSubmission("f", "ord_1")) == await looked


async def test_a_row_that_cannot_be_written_fails_its_own_command(
    store: SqliteStore, make_order: Make, make_trade: Make, emit: Make
) -> None:
    """A constraint that a command's rows break is raised there, and the others commit."""
    await store.transact("default", emit(make_order(1), make_trade(1)))
    async with busy(store) as first:
        work = [emit(make_order(2)), emit(make_order(3), make_trade(1)), emit(make_order(4))]
        waiting = [asyncio.ensure_future(store.transact("default", command)) for command in work]
        await arrived()
    await first
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    expected = [type(None), sqlite3.IntegrityError, type(None)]
    assert expected == [type(answer) for answer in answers]
    state = await store.transact("default", state_of)
    assert ["ord_1", "ord_2", "ord_4"] == sorted(state.orders)


async def test_a_client_id_is_never_bound_twice(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """Even a command that forgets to look cannot bind a client id again."""
    await store.transact("default", emit(make_order(1), make_order(2)))
    await store.transact("default", lambda s: s.remember_submission("mine", "f", "ord_1"))
    with pytest.raises(sqlite3.IntegrityError):
        await store.transact("default", lambda s: s.remember_submission("mine", "f", "ord_2"))
    expected = PastSubmission("f", "ord_1")
    assert expected == await store.transact("default", lambda s: s.find_submission("mine"))


@pytest.mark.parametrize("raised", [StopIteration, GeneratorExit, LookupError])
async def test_nothing_that_a_command_raises_hangs_the_waiters(
    store: SqliteStore, raised: type[BaseException]
) -> None:
    """Whatever a command raises arrives, if need be as a RuntimeError, and the writer lives on."""

    def command(_: Session) -> None:
        raise raised

    expected = RuntimeError if raised is StopIteration else raised
    with pytest.raises(expected):
        await store.transact("default", command)
    await store.transact("default", state_of)


async def test_an_unsortable_price_is_refused_with_nothing_written(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """An order that the matching index cannot hold fails its command."""
    with pytest.raises(ValueError, match="matching index"):
        await store.transact("default", emit(make_order(1, limit_price=Decimal("1E-19"))))
    assert {} == (await store.transact("default", state_of)).orders


async def test_too_many_waiting_commands_are_refused(
    open_store: OpenStore, make_order: Make, emit: Make
) -> None:
    """Beyond the bound a command is refused at once, and the store goes on with the others."""
    store = await open_store(limits=Limits(waiting=3))
    async with busy(store) as first:
        waiting = [
            asyncio.ensure_future(store.transact("default", emit(make_order(n)))) for n in range(2)
        ]
        await arrived()
        with pytest.raises(ProviderUnavailable, match="overloaded"):
            await store.transact("default", never)
    await asyncio.gather(first, *waiting)
    await store.transact("default", emit(make_order(9)))


async def test_a_large_crowd_is_committed_in_bounded_batches(
    open_store: OpenStore, make_order: Make, emit: Make
) -> None:
    """No commit carries more commands than the limit says."""
    store = await open_store(limits=Limits(batch=10))
    async with busy(store) as first:
        commands = [store.transact("default", emit(make_order(n))) for n in range(25)]
        waiting = [asyncio.ensure_future(command) for command in commands]
        await arrived()
        before = store.commits
    await asyncio.gather(first, *waiting)
    assert before + 1 + 3 == store.commits


async def test_closing_finishes_what_was_accepted(
    open_store: OpenStore, make_order: Make, emit: Make
) -> None:
    """Commands accepted before close are answered; later ones are refused."""
    store = await open_store()
    accepted = [
        asyncio.ensure_future(store.transact("default", emit(make_order(n)))) for n in range(20)
    ]
    await arrived()
    await store.close()
    assert [None] * 20 == await asyncio.gather(*accepted)
    with pytest.raises(ShuttingDown):
        await store.transact("default", never)
    with pytest.raises(ShuttingDown):
        await store.read(lambda reader: reader.ledger("default"))


async def test_a_waiter_that_left_does_not_disturb(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """The others of its commit are answered when one waiter was cancelled."""
    async with busy(store) as first:
        left = asyncio.ensure_future(store.transact("default", emit(make_order(1))))
        stayed = asyncio.ensure_future(store.transact("default", emit(make_order(2))))
        await arrived()
        left.cancel()
    await asyncio.gather(first, stayed)
    assert left.cancelled()
    assert "ord_2" in (await store.transact("default", state_of)).orders


async def test_another_process_s_changes_are_seen(
    open_store: OpenStore, make_order: Make, make_position: Make, emit: Make
) -> None:
    """A store whose account is cached catches up with what another one committed."""
    ours, theirs = await open_store(), await open_store()
    await ours.transact("default", emit(make_order(1), make_order(2), make_position(1)))
    await theirs.transact("default", emit(make_order(1, status=OrderStatus.FILLED)))
    await theirs.transact("default", emit(make_position(1, quantity=Decimal(7)), make_order(3)))
    await theirs.transact("default", emit(Ledger(Decimal(5), Decimal(6), "USD"), when=9))
    state = await ours.transact("default", state_of)
    read = await ours.read(lambda reader: reader.state("default"))
    assert {"ord_2", "ord_3"} == set(state.orders)
    assert (read.orders, read.positions) == (state.orders, state.positions)
    assert (read.ledger, read.last_time) == (state.ledger, state.last_time)


async def test_many_changes_of_another_process_are_seen(
    open_store: OpenStore, make_order: Make, emit: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached account that is far behind is read anew."""
    monkeypatch.setattr("providers.store.reader.CATCH_UP", 5)
    ours, theirs = await open_store(), await open_store()
    await ours.transact("default", emit(make_order(0)))
    await theirs.transact("default", emit(*(make_order(n) for n in range(1, 20))))
    state = await ours.transact("default", state_of)
    assert {f"ord_{n}" for n in range(20)} == set(state.orders)


async def test_more_accounts_than_the_cache_holds(
    open_store: OpenStore, make_order: Make, emit: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accounts dropped from the cache, in the middle of a commit too, come back as they were."""
    monkeypatch.setattr("providers.store.writer.CACHED_ACCOUNTS", 2)
    store = await open_store()
    orders = [make_order(n) for n in range(20)]
    await asyncio.gather(
        *(store.transact(f"account {n % 5}", emit(order)) for n, order in enumerate(orders))
    )
    for n in range(5):
        state = await store.transact(f"account {n}", state_of)
        assert orders[n::5] == list(state.orders.values())


async def test_entities_of_every_kind_keep_their_order_of_writing(
    store: SqliteStore, make_order: Make, make_trade: Make, make_position: Make, emit: Make
) -> None:
    """A command may emit a trade before its order: references hold at the commit."""
    entities: list[Trade | Position | Order] = [make_trade(1), make_position(1), make_order(1)]
    await store.transact("default", emit(*entities))
    types = await store.read(
        lambda reader: [frame.type.value for frame in reader.events("default", 0, 9)]
    )
    assert ["trade", "position", "order"] == types


def count(path: Path, *tables: str) -> dict[str, int]:
    """How many rows each table has, asked on a connection of the test's own."""
    connection = sqlite3.connect(path)
    try:
        counts = {}
        for table in tables:
            (counts[table],) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return counts
    finally:
        connection.close()


async def arrived() -> None:
    """Let every task that was started reach the store."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@asynccontextmanager
async def busy(store: SqliteStore) -> AsyncIterator[asyncio.Future[None]]:
    """Keeps the writer inside a command, which it yields, until the block ends."""
    entered, leave = threading.Event(), threading.Event()

    def command(_: Session) -> None:
        entered.set()
        leave.wait(30)

    done = asyncio.ensure_future(store.transact("busy", command))
    await asyncio.to_thread(entered.wait, 30)
    try:
        yield done
    finally:
        leave.set()
