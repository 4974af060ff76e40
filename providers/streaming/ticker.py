"""Quotes and candles as frames: computed and encoded once, while anybody wants them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from providers.base import BarQuery, Clock, FrameType, MarketData, SlowReader
from providers.errors import ProviderUnavailable, SymbolNotFound
from providers.exchange.documents import EPOCH
from providers.exchange.frames import charted, quoted
from providers.models import Quote, Timeframe
from providers.streaming.told import Listener, Pump, Ring, Told

log = logging.getLogger(__name__)

MINUTE = timedelta(minutes=1)
KEPT = 8192
"""Frames of the market that stay in memory; who falls further behind is a slow reader."""
PAUSE_SHARE = 4
"""A fourth of that is for the bars told at once after a pause of the process or the machine; the
next tick tells more of them, so that a pause makes no slow readers."""


class Ticker:
    """Tells each quote that differs from the one before, and each minute's bar once it closed.

    Prices change every `interval`, counted from the epoch.
    """

    def __init__(
        self, market: MarketData, *, clock: Clock, interval: timedelta, kept: int = KEPT
    ) -> None:
        self._market = market
        self._clock = clock
        self._interval = interval
        self._most_bars = max(1, kept // PAUSE_SHARE)
        self._ring = Ring(kept)
        self._pump = Pump("ticker", self._run)
        self._quoted: Counter[str] = Counter()
        self._charted: Counter[str] = Counter()
        self._latest: dict[str, tuple[Quote, Told]] = {}
        self._next_bars: dict[str, datetime] = {}

    @contextmanager
    def listening(
        self, listener: Listener, quotes: frozenset[str], candles: frozenset[str]
    ) -> Iterator[MarketEvents]:
        """The market from now on: quotes of some symbols, candles of some."""
        if not quotes and not candles:
            yield MarketEvents(self._ring, [])
            return
        self._want(quotes, candles)
        self._pump.join(listener)
        try:
            yield MarketEvents(self._ring, self._present(quotes))
        finally:
            self._pump.leave(listener)
            self._unwant(quotes, candles)

    async def stop(self) -> None:
        await self._pump.stop()

    async def tick(self) -> None:
        """Tell what has changed since the last tick."""
        newest = self._ring.newest
        for symbol in self._quoted:
            self._refresh(symbol)
        if self._charted:
            await self._chart()
        if self._ring.newest != newest:
            for listener in self._pump.listeners:
                listener.wake()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(((EPOCH - self._clock()) % self._interval).total_seconds())
            await self.tick()

    def _want(self, quotes: Iterable[str], candles: Iterable[str]) -> None:
        self._quoted.update(quotes)
        self._charted.update(candles)
        minute = minute_of(self._clock())
        for symbol in candles:
            self._next_bars.setdefault(symbol, minute)

    def _unwant(self, quotes: Iterable[str], candles: Iterable[str]) -> None:
        self._quoted -= Counter(quotes)  # what nobody wants any more leaves the counter
        self._charted -= Counter(candles)
        for symbol in self._latest.keys() - self._quoted.keys():
            del self._latest[symbol]
        for symbol in self._next_bars.keys() - self._charted.keys():
            del self._next_bars[symbol]

    def _present(self, symbols: Iterable[str]) -> list[Told]:
        """The quotes in force, of symbols that have one."""
        for symbol in symbols:
            self._refresh(symbol)
        return [self._latest[symbol][1] for symbol in sorted(symbols) if symbol in self._latest]

    def _refresh(self, symbol: str) -> None:
        """Tell the quote of a symbol if it is a new one."""
        try:
            quote = self._market.quote(symbol, self._clock())
        except (SymbolNotFound, ProviderUnavailable):
            return  # it has no price yet
        known = self._latest.get(symbol)
        if known is None or (known[0] is not quote and known[0] != quote):
            self._latest[symbol] = quote, self.tell(FrameType.QUOTE, symbol, quoted(quote))

    async def _chart(self) -> None:
        """Tell the bars that have closed."""
        now = self._clock()
        for symbol, start in list(self._next_bars.items()):
            if start > now + MINUTE:  # the clock was set back
                self._next_bars[symbol] = minute_of(now)
            elif start + MINUTE <= now:
                try:
                    await self._chart_from(symbol, start, now)
                except (SymbolNotFound, ProviderUnavailable) as error:
                    log.warning("there are no bars of %s to tell: %s", symbol, error)

    async def _chart_from(self, symbol: str, start: datetime, now: datetime) -> None:
        """Tell the closed bars of a symbol; after a pause the first of them."""
        limit = max(1, self._most_bars // len(self._next_bars))
        end = start + limit * MINUTE
        query = BarQuery(
            symbol=symbol,
            timeframe=Timeframe.M1,
            start=start,
            end=end - MINUTE,
            limit=limit,
        )
        bars = await self._market.bars(query, now)
        if symbol not in self._next_bars:
            return  # nobody wants them any more
        for bar in bars:
            self._next_bars[symbol] = closed = bar.timestamp + MINUTE
            self.tell(FrameType.CANDLE, symbol, charted(bar, closed))
        if end <= now:
            self._next_bars[symbol] = end  # that nothing traded later must not hold it up

    def tell(self, type_: FrameType, symbol: str | None, text: str) -> Told:
        """Put a frame into the ring."""
        told = Told(self._ring.newest + 1, type_, symbol, text)
        self._ring.append(told)
        return told


class MarketEvents:
    """One reader's way through the ticker's frames; `present` are the quotes to begin with."""

    def __init__(self, ring: Ring, present: list[Told]) -> None:
        self.present = present
        self._ring = ring
        self._position = ring.newest

    def next(self) -> list[Told]:
        """What was told since the last time. Raises SlowReader where some of it is forgotten."""
        told = self._ring.after(self._position)
        if told is None:
            raise SlowReader
        self._position = told[-1].position if told else self._position
        return told


def minute_of(moment: datetime) -> datetime:
    """The beginning of its minute, which is that of the bar then open."""
    return moment - (moment - EPOCH) % MINUTE
