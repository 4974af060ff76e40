"""The market clock: lets resting orders meet each new quote, in exactly one process at a time.

Every worker runs one of these; the one that holds the lease in the store works, the others wait to
take over when it lets go or dies. A tick asks the store which orders the quotes touch or time has
run out for, and advances just those. Advancing an order twice at one quote does nothing the second
time, so a tick repeated after a take-over is harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Protocol

from providers.base import Clock, MarketData
from providers.engine.fills import BURST
from providers.engine.state import AccountState
from providers.errors import ProviderUnavailable, SymbolNotFound
from providers.exchange.store import Lease, LeaseLost, Match, Reader, SharedStore

log = logging.getLogger(__name__)

LEASE = "market-clock"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT_ONCE = 256
"""Accounts advanced at the same time, so that a tick never crowds out the clients' commands."""


class Exchange(Protocol):
    """What the clock asks of the exchange whose time it keeps."""

    async def advance(self, account: str, order_ids: Sequence[str], lease: Lease) -> None:
        """Bring orders of an account, in this order, to the present."""

    async def guard_margin(self, account: str, lease: Lease) -> None:
        """Warn or liquidate an account as the present quotes demand."""

    def at_risk(self, state: AccountState) -> bool:
        """Whether the margin of an account wants attention."""


class MarketClock:
    """Drives the resting orders of one store on one market, and watches over margin.

    `holder` names this process in the lease.
    """

    def __init__(
        self,
        store: SharedStore,
        market: MarketData,
        exchange: Exchange,
        *,
        clock: Clock,
        holder: str,
        interval: timedelta,
        latency: timedelta = timedelta(0),
    ) -> None:
        self._store = store
        self._market = market
        self._exchange = exchange
        self._clock = clock
        self._holder = holder
        self._interval = interval
        self._latency = latency
        self._ttl = max(5 * interval, timedelta(seconds=5))
        self._lease: Lease | None = None

    async def run(self) -> None:
        """Tick until cancelled; then let the next holder have the lease at once."""
        try:
            while True:
                await self._turn()
                await asyncio.sleep(self._until_next_tick())
        finally:
            if self._lease is not None:
                with suppress(ProviderUnavailable):  # it runs out by itself
                    await self._store.release_lease(self._lease)

    async def _turn(self) -> None:
        try:
            if await self._hold():
                await self.tick()
        except LeaseLost:
            log.info("another process drives the market clock now")
            self._lease = None
        except ProviderUnavailable as error:
            log.warning("the market clock missed a tick: %s", error)
        except Exception:  # a bug met in one tick must not stop the market for good
            log.exception("the market clock missed a tick")

    async def _hold(self) -> bool:
        now = self._clock()
        if self._lease is not None:
            self._lease = await self._store.renew_lease(self._lease, self._ttl, now)
            return True
        self._lease = await self._store.acquire_lease(LEASE, self._holder, self._ttl, now)
        if self._lease is not None:
            log.info("this process drives the market clock")
        return self._lease is not None

    async def tick(self) -> int:
        """Advance every order that the present quotes or its expiry touch; returns how many."""
        lease = self._lease
        if lease is None:
            raise LeaseLost
        await self._market.prepare(await self._store.read(_symbols))
        matches, risky = await self._store.read(self._touched)
        orders = _by_account(matches).items()
        await _all(partial(self._exchange.advance, *each, lease) for each in orders)
        await _all(partial(self._exchange.guard_margin, account, lease) for account in risky)
        return len(matches)

    def _touched(self, reader: Reader) -> tuple[list[Match], list[str]]:
        """Orders that expiry, arrival or a quote touch; accounts whose margin wants attention."""
        now = self._clock()
        matches = reader.expired(now) + reader.pending(now - self._latency, now + BURST)
        for symbol in reader.working_symbols():
            # Not listed any more, or without a quote yet: nothing there can trade.
            with suppress(SymbolNotFound, ProviderUnavailable):
                quote = self._market.quote(symbol, now)
                matches += reader.triggered(symbol, quote.bid, quote.ask)
        leveraged = (reader.holdings(account) for account in reader.leveraged_accounts())
        return matches, [each.account for each in leveraged if self._exchange.at_risk(each)]

    def _until_next_tick(self) -> float:
        """Seconds until quotes change next."""
        return ((EPOCH - self._clock()) % self._interval).total_seconds()


def _symbols(reader: Reader) -> set[str]:
    """The symbols whose quotes a tick wants."""
    held = (reader.holdings(account) for account in reader.leveraged_accounts())
    positions = (position.symbol for state in held for position in state.positions.values())
    return {*reader.working_symbols(), *positions}


async def _all(works: Iterable[Callable[[], Awaitable[None]]]) -> None:
    waiting = iter(works)
    while some := list(islice(waiting, AT_ONCE)):
        await asyncio.gather(*(work() for work in some))


def _by_account(matches: Iterable[Match]) -> dict[str, list[str]]:
    """The orders of each account, in the order in which they act."""
    orders: dict[str, list[str]] = {}
    for account, order_id in matches:
        orders.setdefault(account, []).append(order_id)
    return orders
