"""Leases: one holder at a time, another after its death, and no late word from the dead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers.exchange.store import Lease, LeaseLost, Session
from providers.store.sqlite import SqliteStore

Make = Callable[..., Any]
OpenStore = Callable[..., Awaitable[SqliteStore]]

NOW = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
TTL = timedelta(seconds=10)


async def acquire(store: SqliteStore, holder: str, now: datetime = NOW) -> Lease | None:
    return await store.acquire_lease("clock", holder, TTL, now)


async def held(store: SqliteStore, holder: str, now: datetime = NOW) -> Lease:
    lease = await acquire(store, holder, now)
    assert lease is not None
    return lease


def never(_: Session) -> None:
    raise AssertionError("this command must not run")


async def test_a_lease_has_one_holder(store: SqliteStore) -> None:
    """While one holds it, another gets nothing."""
    assert Lease("clock", "one", 1, NOW + TTL) == await acquire(store, "one")
    assert await acquire(store, "two") is None
    assert await acquire(store, "two", NOW + TTL - timedelta(microseconds=1)) is None


async def test_leases_of_different_names_are_independent(store: SqliteStore) -> None:
    """Holding one lease does not matter to another."""
    await held(store, "one")
    assert await store.acquire_lease("other", "two", TTL, NOW) is not None


async def test_an_expired_lease_goes_to_the_next(store: SqliteStore) -> None:
    """At the end of its time anyone may take it, under a new token; the old holder has lost it."""
    first = await held(store, "one")
    second = await held(store, "two", NOW + TTL)
    assert second.token > first.token
    with pytest.raises(LeaseLost):
        await store.renew_lease(first, TTL, NOW + TTL)


async def test_a_lease_of_another_time_is_free(store: SqliteStore) -> None:
    """A lease of the future was given before the clock was set back; nobody waits that long."""
    first = await held(store, "one", NOW + timedelta(hours=1))
    second = await held(store, "two")
    assert NOW + TTL == second.expires_at
    with pytest.raises(LeaseLost):
        await store.renew_lease(first, TTL, NOW)


async def test_renewing_keeps_the_lease_and_its_token(store: SqliteStore) -> None:
    """A renewed lease lasts from the renewal on."""
    lease = await held(store, "one")
    renewed = await store.renew_lease(lease, TTL, NOW + TTL / 2)
    assert replace(lease, expires_at=NOW + TTL / 2 + TTL) == renewed
    assert await acquire(store, "two", NOW + TTL) is None


async def test_a_late_renewal_works_while_nobody_took_the_lease(store: SqliteStore) -> None:
    """An expired lease that is still free is its old holder's."""
    lease = await held(store, "one")
    renewed = await store.renew_lease(lease, TTL, NOW + 5 * TTL)
    assert lease.token == renewed.token
    assert await acquire(store, "two", NOW + 5 * TTL) is None


async def test_a_released_lease_is_free_at_once(store: SqliteStore) -> None:
    """The next holder need not wait, and a second release does not harm it."""
    first = await held(store, "one")
    await store.release_lease(first)
    second = await held(store, "two")
    await store.release_lease(first)
    assert second.token == (await store.renew_lease(second, TTL, NOW)).token


async def test_a_holder_that_starts_anew_gets_a_new_token(store: SqliteStore) -> None:
    """Under its own name it need not wait, but its former self has lost the lease."""
    before = await held(store, "one")
    after = await held(store, "one")
    assert after.token > before.token
    with pytest.raises(LeaseLost):
        await store.transact("default", never, before)


async def test_one_of_many_processes_gets_the_lease(open_store: OpenStore) -> None:
    """Of all that ask at once, exactly one holds it."""
    stores = [await open_store() for _ in range(4)]
    answers = await asyncio.gather(*(acquire(store, str(n)) for n, store in enumerate(stores)))
    assert 1 == len([lease for lease in answers if lease])


async def test_a_holder_may_write_under_its_lease(
    store: SqliteStore, make_order: Make, emit: Make
) -> None:
    """A command under the present lease runs, also after a renewal."""
    lease = await held(store, "one")
    await store.transact("default", emit(make_order(1)), lease)
    await store.renew_lease(lease, TTL, NOW)
    await store.transact("default", emit(make_order(2)), lease)
    state = await store.transact("default", lambda session: session.state)
    assert ["ord_1", "ord_2"] == list(state.orders)


async def test_a_stale_holder_cannot_write(
    open_store: OpenStore, make_order: Make, emit: Make
) -> None:
    """After another process took the lease, a command under the old one does nothing."""
    ours, theirs = await open_store(), await open_store()
    stale = await held(ours, "one")
    current = await held(theirs, "two", NOW + TTL)
    with pytest.raises(LeaseLost):
        await ours.transact("default", never, stale)
    await theirs.transact("default", emit(make_order(1)), current)


async def test_a_lease_nobody_ever_had_permits_nothing(store: SqliteStore) -> None:
    """A made-up lease is a lost one."""
    with pytest.raises(LeaseLost):
        await store.transact("default", never, Lease("clock", "one", 1, NOW + TTL))
