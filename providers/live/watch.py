"""What goes on without being asked: the venue's stream, the quotes, and the look at both sides.

One process at a time does it, by a lease in the store; another takes over when it lets go or dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from providers.base import FrameType
from providers.errors import ProviderError, ProviderUnavailable, RateLimited, TradingError
from providers.exchange.frames import broker_connection, rate_limit
from providers.exchange.store import Lease, LeaseLost, SharedStore
from providers.live.account import LiveAccount
from providers.live.courier import Courier
from providers.live.pace import seconds
from providers.live.reconcile import Reconciler
from providers.live.slips import LIVE, Slip, Stage, decoded
from providers.live.venue import Connection, Report
from providers.models import Quote

log = logging.getLogger(__name__)

LEASE: Final = "venue"
FEW_REQUESTS: Final = 10
"""So few requests left until the venue's limit are worth a warning."""
TTL: Final = timedelta(seconds=10)

FAILURES = (ProviderUnavailable, ProviderError, RateLimited)


class Watch:
    """Follows one account at its venue. `announce` is told frames for every client."""

    def __init__(
        self, account: LiveAccount, courier: Courier, store: SharedStore, *, holder: str
    ) -> None:
        self._account = account
        self._courier = courier
        self._store = store
        self._holder = holder
        self._reconciler = Reconciler(account, courier)
        self._lease: Lease | None = None
        self._next_look = account.clock()
        self._quoted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None
        self._errands: set[asyncio.Task[None]] = set()
        self._down_since: datetime | None = None
        self._limit_told: str | None = None
        self.announce: Callable[[FrameType, str], None] = no_announcement
        self.connected = False
        self.ready = False
        self.last_heard: datetime | None = None

    async def start(self) -> None:
        await self._turn()
        self._tasks = [
            asyncio.create_task(self._lead(), name="venue-watch"),
            asyncio.create_task(self._react(), name="venue-quotes"),
        ]

    async def stop(self) -> None:
        await cancelled([*self._tasks, *self._errands])
        await self._stop_listening()
        if self._lease is not None:
            with contextlib.suppress(ProviderUnavailable):  # it runs out by itself
                await self._store.release_lease(self._lease)

    def heard(self, quote: Quote) -> None:
        """A new quote: orders that we hold may be due."""
        if quote.symbol in self._account.watched:
            self._quoted.set()

    def look_soon(self) -> None:
        """Compare both sides with the next turn."""
        self._next_look = self._account.clock()

    async def ask_about(self, order_id: str) -> None:
        """Ask the venue for the tickets of an order that somebody waits for."""
        for slip in await self._slips():
            if slip.order_id == order_id and slip.stage is not Stage.CHANGING:
                await self._ask(slip)

    async def _lead(self) -> None:
        while True:
            await asyncio.sleep(self._account.pace.turn)
            await self._turn()

    async def _turn(self) -> None:
        try:
            if await self._hold():
                await self._look()
            else:
                self.connected = self.ready = True  # another process sees to it
        except LeaseLost:
            log.info("another process watches the venue now")
            self._lease = None
            await self._stop_listening()
        except TradingError as error:
            log.warning("the look at the venue failed: %s", error)
        except Exception:  # a bug met in one turn must not end the watch for good
            log.exception("the look at the venue failed")

    async def _hold(self) -> bool:
        now = self._account.clock()
        if self._listening is not None and self._listening.done():
            self._listen_again(self._listening)
        if self._lease is not None:
            if self._lease.expires_at - now < TTL / 2:
                self._lease = await self._store.renew_lease(self._lease, TTL, now)
            return True
        self._lease = await self._store.acquire_lease(LEASE, self._holder, TTL, now)
        if self._lease is not None:
            log.info("this process watches the venue")
            self._next_look = now
            self._listening = asyncio.create_task(self._listen(), name="venue-stream")
        return self._lease is not None

    def _listen_again(self, ended: asyncio.Task[None]) -> None:
        """The stream has met a bug of ours, or has ended: what it missed is looked for."""
        log.error("the stream of %s has ended", self._account.venue.name, exc_info=_why(ended))
        self._connection(Connection(up=False, error="the stream has ended"))
        self._next_look = self._account.clock()
        self._listening = asyncio.create_task(self._listen(), name="venue-stream")

    async def _stop_listening(self) -> None:
        if self._listening is not None:
            await cancelled([self._listening])
            self._listening = None

    async def _look(self) -> None:
        """Ask for what is overdue, do what is due, and compare both sides now and then."""
        now, pace = self._account.clock(), self._account.pace
        for slip in await self._slips():
            if slip.stage is not Stage.WORKING and now - slip.since > self._overdue(slip):
                await self._settle(slip)
        now = self._account.clock()
        if now >= self._next_look:
            again = self._next_look = now + seconds(pace.compare_again)
            agreed = await self._reconciler.compare()
            self.ready = True
            self.last_heard = self._account.clock()
            if agreed and self._next_look is again:  # nobody has asked for another meanwhile
                self._next_look = now + seconds(pace.compare)
        if self.ready:
            await self._courier.work()
        self._mind_limits()

    def _mind_limits(self) -> None:
        """Tell once when the venue's rate limit is nearly used up, and once when it is."""
        limits = self._account.venue.limits
        event = None if limits is None else limit_event(limits.remaining)
        if limits is not None and event not in (None, self._limit_told):
            now = self._account.clock()
            reset_at = limits.reset_at or now + timedelta(minutes=1)
            frame = rate_limit(now, str(event), limits.remaining, reset_at)
            self.announce(FrameType.RATE_LIMIT, frame)
        self._limit_told = event

    def _overdue(self, slip: Slip) -> timedelta:
        """How long a slip may be under way before it is asked for."""
        pace = self._account.pace
        cancels = slip.stage is Stage.CANCELLING
        return seconds(pace.overdue_cancel if cancels else pace.overdue)

    async def _settle(self, slip: Slip) -> None:
        if slip.stage is Stage.CHANGING:
            with contextlib.suppress(*FAILURES):
                await self._courier.carry(await self._courier.settle_change(slip))
        else:
            await self._ask(slip)

    async def _ask(self, slip: Slip) -> None:
        """Ask for one ticket; one whose cancel had no effect is cancelled again."""
        with contextlib.suppress(*FAILURES):
            await self._courier.carry(await self._courier.ask(slip))
            await self._courier.resume(slip)

    async def _slips(self) -> list[Slip]:
        name = self._account.name
        bodies = await self._store.read(lambda reader: reader.memos(name, LIVE))
        return decoded(bodies.values())

    # Quotes

    async def _react(self) -> None:
        """Let held orders meet the quotes."""
        while True:
            await self._quoted.wait()
            self._quoted.clear()
            if self._lease is not None and self.ready:
                await self._safely(self._courier.work())

    # The stream

    async def _listen(self) -> None:
        async for told in self._account.venue.updates():
            if isinstance(told, Connection):
                self._connection(told)
            else:
                await self._safely(self._told(told))

    async def _told(self, report: Report) -> None:
        self.last_heard = self._account.clock()
        slips = await self._courier.told(report)
        if slips:  # what follows must not keep us from listening
            errand = asyncio.create_task(self._safely(self._courier.carry(slips)))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    def _connection(self, told: Connection) -> None:
        now, name = self._account.clock(), self._account.venue.name
        if told.up:
            self._next_look = now
            if self._down_since is not None:
                gap = round((now - self._down_since).total_seconds() * 1000)
                frame = broker_connection(now, "BROKER_RECONNECTED", name, gap_duration_ms=gap)
                self.announce(FrameType.CONNECTION, frame)
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
            frame = broker_connection(now, "BROKER_DISCONNECTED", name, error=told.error)
            self.announce(FrameType.CONNECTION, frame)
        self.connected = told.up

    async def _safely(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except TradingError as error:
            log.warning("%s: %s", self._account.venue.name, error)
            self._next_look = self._account.clock()
        except Exception:  # a bug met with one report must not deafen us to the others
            log.exception("a report of %s could not be dealt with", self._account.venue.name)
            self._next_look = self._account.clock()


def _why(ended: asyncio.Task[None]) -> BaseException | None:
    return None if ended.cancelled() else ended.exception()


def limit_event(remaining: int) -> str | None:
    """What is to be told of so many requests left."""
    if remaining > FEW_REQUESTS:
        return None
    return "RATE_LIMIT_WARNING" if remaining else "RATE_LIMIT_HIT"


def no_announcement(_: FrameType, __: str) -> None:
    """Nobody listens yet."""


async def cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait for their end."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
