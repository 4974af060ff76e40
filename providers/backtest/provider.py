"""A backtest as a provider: history replayed through the simulated exchange, driven by acks.

The run begins when the first strategy subscribes. Time stands still until every event that was sent
has been acknowledged; what is asked in between is asked at that simulated moment. The end is the
frame `backtest_complete`; a run that is broken off never sends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from providers.backtest.clock import SimulatedClock
from providers.backtest.exchange import BacktestExchange
from providers.backtest.log import Reader, RunLog
from providers.backtest.market import ReplayMarket
from providers.backtest.replay import Replay, moments
from providers.backtest.results.record import EquityPoint
from providers.backtest.settings import BacktestSettings
from providers.backtest.source import PROVIDER, BarSource, closes
from providers.base import BarQuery, FrameType, StreamQuery
from providers.engine.margin import figures
from providers.engine.money import ZERO
from providers.engine.state import Ledger
from providers.errors import ProviderError
from providers.exchange.frames import backtest_complete, charted, connected
from providers.exchange.memory import MemoryStore
from providers.exchange.store import Frame
from providers.models import Bar

log = logging.getLogger(__name__)

Report = Callable[["BacktestProvider", bool], None]
"""Writes down what a run leaves behind; told whether it is complete."""


class BacktestProvider(BacktestExchange):
    """One run over one history. Raises ValueError for a history without a bar."""

    name = PROVIDER

    def __init__(
        self, source: BarSource, settings: BacktestSettings, report: Report | None = None
    ) -> None:
        first = next(moments(source.replay()), None)
        if first is None:
            raise ValueError("the history has no bars to replay")
        self.source = source
        self.settings = settings
        self.started = first[0].timestamp
        self.over = asyncio.Event()
        self.complete = False
        self.account = ""
        self._report = report
        self._run: asyncio.Task[None] | None = None
        self._events = RunLog()
        self._prices = market = ReplayMarket(source)
        clock = SimulatedClock(first[0].timestamp)
        balance = settings.initial_balance
        opening = Ledger(balance, balance, settings.currency)
        store = MemoryStore(opening, number=self._events.next_id, publish=self._publish)
        super().__init__(store, market, settings.rules(), clock)
        self.store = store
        self.equity: list[EquityPoint] = []
        self._replay = Replay(source, market, store, self, clock, self._rules)

    async def start(self) -> None:
        """Take the prices from before the run, as far as there are any."""
        for symbol in self.source.instruments:
            query = BarQuery(symbol=symbol, timeframe=self.source.timeframe, limit=1)
            for bar in self.source.closed(query, self.now()):
                self._prices.move(symbol, bar.close, closes(bar))

    async def stop(self) -> None:
        """Break the run off, unless it is over."""
        if self._run is not None and not self._run.done():
            self._run.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._run
        self.source.close()

    def now(self) -> datetime:
        return self._clock()

    def prices(self) -> dict[str, Decimal]:
        """The last price of each symbol that has one."""
        return {symbol: self._prices.price(symbol) for symbol in self._prices.priced}

    async def subscribe(self, account: str, query: StreamQuery) -> AsyncIterator[str]:
        if query.symbols is not None:
            chosen = frozenset(self._market.resolve(each).symbol for each in query.symbols)
            query = replace(query, symbols=chosen)
        reader = self._events.reader(account, query)
        if self._run is None:
            self.account = account
            self._run = asyncio.create_task(self._to_the_end(), name="backtest")
        return self._frames(reader)

    async def acknowledge(self, account: str, event_ids: Sequence[str]) -> None:
        del account
        self._events.acknowledge(event_ids)

    async def _frames(self, reader: Reader) -> AsyncIterator[str]:
        yield connected(self.now(), self.name, reader.place)
        async with contextlib.aclosing(reader.frames()) as frames:
            async for frame in frames:
                yield frame
        if self._run is not None and self._run.done() and not self._run.cancelled():
            failure = self._run.exception()
            if failure is not None:
                raise ProviderError("The backtest has failed") from failure

    async def _to_the_end(self) -> None:
        complete = False
        try:
            await self._replay.run(self._closed, self._events.settled)
            complete = True
        except Exception:  # raised again; logged too, since nobody may be listening
            log.exception("The backtest has failed")
            raise
        finally:
            self._finish(complete=complete)

    def _finish(self, *, complete: bool) -> None:
        """Results first: whoever hears that the run is complete may read them.

        A run whose results cannot be written is not complete.
        """
        try:
            if self._report is not None:
                if not complete:
                    self.equity.append(self._standing(self.now()))
                self._report(self, complete)
            if complete:
                done = backtest_complete(self.now(), self.name)
                self._events.append(None, FrameType.BACKTEST_COMPLETE, None, done)
                self.complete = True
        finally:
            self._events.close()
            self.over.set()

    def _closed(self, bars: list[Bar]) -> None:
        """Tell of bars that are complete, and note how the account stands."""
        for bar in bars:
            frame = charted(bar, closes(bar))
            self._events.append(None, FrameType.CANDLE, bar.symbol, frame)
        self.equity.append(self._standing(closes(bars[0])))

    def _standing(self, at: datetime) -> EquityPoint:
        state = self.store.state(self.account)
        standing = figures(state, self._world())
        exposure = sum(
            (each.quantity * self._prices.price(each.symbol) for each in state.positions.values()),
            ZERO,
        )
        return EquityPoint(
            time=at, equity=standing.equity, balance=standing.balance, exposure=exposure
        )

    def _publish(self, account: str, frame: Frame) -> None:
        self._events.append(account, FrameType(frame.type.value), frame.symbol, frame.json)
