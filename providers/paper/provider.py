"""The paper exchange: a simulated exchange whose time is the real one and whose store lasts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import uuid_utils

from providers.base import Clock, IdSource, MarketData, StreamQuery
from providers.exchange.calendars import is_open
from providers.exchange.exchange import SimulatedExchange, always_open
from providers.exchange.log import LoggedStore
from providers.paper.clock import MarketClock
from providers.paper.settings import MarketHours, PaperSettings
from providers.streaming.stream import EventStream


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """`ord_0192...`: unique everywhere, and sorted by time, which keeps indexes compact."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


class PaperProvider(SimulatedExchange):
    """A simulated exchange; see the module. `clock` and `ids` are replaced in tests."""

    name = "paper"

    def __init__(
        self,
        store: LoggedStore,
        market: MarketData,
        settings: PaperSettings,
        *,
        clock: Clock = utc_now,
        ids: IdSource = new_id,
    ) -> None:
        always = settings.market_hours is MarketHours.ALWAYS
        super().__init__(
            store,
            market,
            settings.rules(),
            clock=clock,
            ids=ids,
            sessions=always_open if always else is_open,
        )
        self.market_clock = MarketClock(
            store,
            market,
            self,
            clock=clock,
            holder=new_id("clock"),
            interval=settings.tick_interval,
            latency=settings.latency,
        )
        self.stream = EventStream(
            self.name, store, market, clock=clock, tick=settings.tick_interval
        )
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._store.open()
        await self._market.start()
        self._ticking = asyncio.create_task(self.market_clock.run(), name="market-clock")

    async def stop(self) -> None:
        await self.stream.stop()
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        await self._market.stop()
        await self._store.close()

    # The event stream

    def now(self) -> datetime:
        return self._clock()

    async def subscribe(self, account: str, query: StreamQuery) -> AsyncIterator[str]:
        return await self.stream.subscribe(account, query)

    async def acknowledge(self, account: str, event_ids: Sequence[str]) -> None:
        """Nothing waits for it: a client that resumes says itself where it was."""
