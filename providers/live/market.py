"""Market data of a real venue as the exchanges and the bridge take it: the latest quote at hand.

Whoever asks for a quote keeps it coming: what was asked for within the last minute is wanted of the
feed's stream, and nothing else. While the stream is down, or has not told a symbol yet, quotes are
asked for one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from providers.base import BarQuery, Clock, Instrument
from providers.errors import ProviderError, ProviderUnavailable, RateLimited, SymbolNotFound
from providers.live.symbols import canonical
from providers.live.venue import Connection, Feed, Wanted
from providers.models import Bar, Quote

log = logging.getLogger(__name__)

KEPT_SECONDS: Final = 60.0
"""How long a quote keeps coming after it was last asked for."""
FRESH_SECONDS: Final = 1.0
"""How old a quote that was asked for one by one may be before it is asked for again."""
LOOK_SECONDS: Final = 0.25
"""How often what is wanted is compared with what comes."""
PATIENCE_SECONDS: Final = 10.0
"""How long quotes may fail to come before they are stale."""

Heard = Callable[[Quote], None]
Staleness = Callable[[frozenset[str], datetime | None], None]
"""Told which symbols have gone stale since a moment, or (None) are fresh again."""


class LiveMarket:
    """A `MarketData` over a feed. `heard` is called with each new quote, in the event loop."""

    def __init__(
        self,
        feed: Feed,
        *,
        clock: Clock,
        heard: Heard = lambda _: None,
        staleness: Staleness = lambda *_: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = feed.name
        self._feed = feed
        self._clock = clock
        self.heard = heard
        self.staleness = staleness
        self._now = monotonic
        self._latest: dict[str, Quote] = {}
        self._confirmed: dict[str, float] = {}
        self._demand: dict[str, float] = {}
        self._wanted = Wanted()
        self._streaming = False
        self._missed: frozenset[str] = frozenset()
        self._stale: dict[str, datetime] = {}
        self._asking = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._feed.instruments

    @property
    def followed(self) -> frozenset[str]:
        """The symbols whose quotes are coming."""
        return self._wanted.symbols

    async def start(self) -> None:
        await self._feed.start()
        self._tasks = [
            asyncio.create_task(self._listen(), name="quotes"),
            asyncio.create_task(self._look_after(), name="quotes-wanted"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._feed.stop()

    def resolve(self, symbol: str) -> Instrument:
        known = self._feed.instruments
        found = canonical(symbol, known)
        if found is None:
            raise SymbolNotFound(symbol)
        return known[found]

    def quote(self, symbol: str, at: datetime) -> Quote:
        """The latest quote; the feed has no other, so `at` is taken to be now."""
        del at
        self._demand[symbol] = self._now()
        try:
            return self._latest[symbol]
        except KeyError:
            self.resolve(symbol)
            message = f"There is no quote of {symbol} from {self.name} yet"
            raise ProviderUnavailable(message) from None

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        return await self._feed.bars(query, at)

    async def prepare(self, symbols: Iterable[str]) -> None:
        """See `MarketData`. Raises ProviderUnavailable where a quote is missing and fails to come;
        an old one does not make it fail.
        """
        found = [each async for each in self._known(symbols)]
        for symbol in found:
            self._demand[symbol] = self._now()
        if any(self._is_old(symbol) for symbol in found):
            await self._ask(found)

    async def _known(self, symbols: Iterable[str]) -> AsyncIterator[str]:
        for symbol in symbols:
            try:
                yield self.resolve(symbol).symbol
            except SymbolNotFound:
                with contextlib.suppress(SymbolNotFound):
                    yield (await self._feed.look_up(symbol)).symbol

    def _is_old(self, symbol: str) -> bool:
        """Whether the quote must be asked for; what the stream tells is in force until it tells
        another.
        """
        if symbol not in self._latest:
            return True
        told = self._streaming and symbol in self._wanted.symbols - self._missed
        return not told and self._now() - self._confirmed[symbol] > FRESH_SECONDS

    async def _ask(self, symbols: Iterable[str]) -> None:
        async with self._asking:  # who waited may find that another has asked for it
            old = [symbol for symbol in symbols if self._is_old(symbol)]
            if not old:
                return
            try:
                for quote in await self._feed.quotes(old):
                    self._take(quote)
            except (ProviderUnavailable, ProviderError, RateLimited) as error:
                if any(symbol not in self._latest for symbol in old):
                    raise
                log.warning("quotes of %s do not come: %s", self.name, error)

    def _take(self, quote: Quote) -> None:
        symbol = quote.symbol
        self._confirmed[symbol] = self._now()
        self._missed -= {symbol}
        self._freshen([symbol])
        before = self._latest.get(symbol)
        if quote.bid >= quote.ask or (before is not None and quote.timestamp < before.timestamp):
            return  # crossed for a moment, or told late: the one before stays in force
        told = last_between(quote)
        self._latest[symbol] = told
        if told != before:
            self.heard(told)

    async def _listen(self) -> None:
        while True:
            try:
                async for told in self._feed.stream(self._wanted):
                    self._hear(told)
            except Exception:  # nor may it leave us with quotes that never change again
                log.exception("the quotes of %s have ended", self.name)
            self._streaming = False
            await asyncio.sleep(LOOK_SECONDS)

    def _hear(self, told: Quote | Connection) -> None:
        if not isinstance(told, Connection):
            self._take(told)
            return
        self._streaming = told.up
        if told.up:
            self._missed = self._wanted.symbols

    async def _look_after(self) -> None:
        """Choose what the stream tells, and ask for what it does not."""
        while True:
            try:
                self._choose()
                await self._fill_in()
                self._judge()
            except Exception:  # a bug met with one quote must not blind us to the others
                log.exception("quotes of %s could not be looked after", self.name)
            await asyncio.sleep(LOOK_SECONDS)

    def _choose(self) -> None:
        now = self._now()
        for symbol, asked in list(self._demand.items()):
            if now - asked > KEPT_SECONDS:
                self._demand.pop(symbol, None)
                self._latest.pop(symbol, None)  # it would be an old one when it is wanted again
                self._confirmed.pop(symbol, None)
        wanted = frozenset(self._demand) & self._feed.instruments.keys()
        if wanted != self._wanted.symbols:
            self._wanted.choose(wanted)

    async def _fill_in(self) -> None:
        old = [symbol for symbol in self._wanted.symbols if self._is_old(symbol)]
        if old:
            with contextlib.suppress(ProviderUnavailable, ProviderError, RateLimited):
                await self._ask(old)

    def _judge(self) -> None:
        """Tell of what has not come for too long."""
        if self._streaming:
            self._freshen(self._stale)
            return
        late = {
            symbol
            for symbol in self._wanted.symbols - self._stale.keys()
            if self._now() - self._confirmed.get(symbol, self._now()) > PATIENCE_SECONDS
        }
        if late:
            since = self._clock()
            self._stale |= dict.fromkeys(late, since)
            log.warning("%s has no fresh quotes of %s", self.name, ", ".join(sorted(late)))
            self.staleness(frozenset(late), since)

    def _freshen(self, symbols: Iterable[str]) -> None:
        fresh = frozenset(symbols) & self._stale.keys()
        for symbol in fresh:
            del self._stale[symbol]
        if fresh:
            self.staleness(fresh, None)

    def is_stale(self, symbol: str) -> bool:
        """Whether the latest quote of a symbol is too old to act upon."""
        return symbol in self._stale


def last_between(quote: Quote) -> Quote:
    """The quote with a `last` between bid and ask: the middle where the last trade lies outside,
    as the API promises its clients.
    """
    if quote.last is None or quote.bid <= quote.last <= quote.ask:
        return quote
    return quote.evolve(last=(quote.bid + quote.ask) / 2)
