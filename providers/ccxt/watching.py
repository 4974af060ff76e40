"""How orders change, told as a stream: the exchange's own only says when to look.

ccxt's structures of streamed orders differ from exchange to exchange and are often partial. So
whatever the exchange's stream tells is taken for a nudge, and the orders are then asked for, which
gives the same full reports as everything else. Where there is no stream, or it keeps silent, they
are looked at from time to time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Protocol

from providers.errors import ProviderUnavailable
from providers.live.venue import Connection, Report, Update

LONGEST_SILENCE: Final = 30.0
"""Seconds without a look, at most, although the exchange's stream is up and tells nothing."""


class Orders(Protocol):
    """What is asked of the exchange."""

    async def open_orders(self) -> Sequence[Report]: ...

    async def look(self, last: Report) -> Report:
        """How an order stands that was last told so."""


class Watch:
    """The orders that are watched, from when they are placed or first seen until they end.

    `told` waits until the exchange's stream tells something; None where it has no stream.
    `interval` is in seconds.
    """

    def __init__(
        self, orders: Orders, told: Callable[[], Awaitable[None]] | None, interval: float
    ) -> None:
        self._orders = orders
        self._told = told
        self._interval = interval
        self._nudge = asyncio.Event()
        self._last: dict[str, Report] = {}
        self._fresh: set[str] = set()

    def expect(self, report: Report) -> None:
        """An order was placed: it is watched, also if it ends before the next look, and told."""
        if not report.progress.over:
            self._last[report.venue_id] = report
            self._fresh.add(report.venue_id)
        self._nudge.set()

    def nudge(self) -> None:
        """Something may have changed: look soon."""
        self._nudge.set()

    async def session(self) -> AsyncGenerator[Update, None]:
        """One connection: its Connection first, then each change.

        Raises ProviderUnavailable and whatever the exchange is not reached with.
        """
        async with self._listening() as listener:
            seen = await self._seen()
            yield Connection(up=True)
            for report in filter(self._news, seen):
                yield report
            wait = self._interval
            while True:
                nudged = await self._nudged(wait)
                if listener is not None and listener.done():
                    ended(listener)
                for report in filter(self._news, await self._seen()):
                    yield report
                quiet = listener is not None and not nudged
                wait = min(2 * wait, LONGEST_SILENCE) if quiet else self._interval

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[asyncio.Task[None] | None]:
        if self._told is None:
            yield None
            return
        listener = asyncio.create_task(self._listen(self._told), name="ccxt-orders")
        listener.add_done_callback(lambda _: self._nudge.set())
        try:
            yield listener
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _listen(self, told: Callable[[], Awaitable[None]]) -> None:
        """Nudge for each thing told; what comes in between is seen by the look that follows."""
        while True:
            await told()
            self._nudge.set()

    async def _nudged(self, wait: float) -> bool:
        """Whether a nudge came within so many seconds."""
        try:
            await asyncio.wait_for(self._nudge.wait(), wait)
        except TimeoutError:
            return False
        return True

    async def _seen(self) -> list[Report]:
        """How all orders stand that are open or were when they were last seen."""
        self._nudge.clear()
        seen = list(await self._orders.open_orders())
        still_open = {report.venue_id for report in seen}
        others = [last for venue_id, last in self._last.items() if venue_id not in still_open]
        return seen + [await self._orders.look(last) for last in others]

    def _news(self, report: Report) -> bool:
        """Whether a report tells anything that was not told; it counts as told from now on."""
        last = self._last.get(report.venue_id)
        fresh = report.venue_id in self._fresh
        self._fresh.discard(report.venue_id)
        if report.progress.over:
            self._last.pop(report.venue_id, None)
        else:
            self._last[report.venue_id] = report
        return fresh or last is None or standing(last) != standing(report)


def standing(report: Report) -> tuple[object, ...]:
    return report.progress, report.filled, report.quantity, report.limit_price, report.stop_price


def ended(listener: asyncio.Task[None]) -> None:
    """Raise what ended the exchange's stream."""
    if listener.cancelled() or (failure := listener.exception()) is None:
        raise ProviderUnavailable("the stream of orders has ended")
    raise failure
