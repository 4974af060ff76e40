"""A crypto exchange behind ccxt as a source of quotes and bars; needs no credentials."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from providers.base import BarQuery, Instrument
from providers.ccxt import candles, parse
from providers.ccxt.client import Client
from providers.ccxt.settings import CcxtSettings
from providers.errors import ProviderUnavailable, SymbolNotFound
from providers.live.reading import SPANS
from providers.live.reconnecting import reconnecting
from providers.live.symbols import canonical
from providers.live.venue import Connection, Wanted
from providers.models import Bar, Quote, Timeframe

PAGE: Final = 300
"""Candles asked for at once, where ccxt does not say how many an exchange gives."""
EMPTY_PAGES: Final = 3
"""After so many pages without a candle there are taken to be no earlier ones."""

STREAMS: Final = (
    ("watchBidsAsks", "watch_bids_asks", "bidsasks"),
    ("watchTickers", "watch_tickers", "tickers"),
)
"""What a stream of quotes is called, and where ccxt keeps what it has told."""


class CcxtFeed:
    """The market data of one exchange. Raises ValueError as `Client` does."""

    def __init__(self, settings: CcxtSettings) -> None:
        self._settings = settings
        self._client = Client(settings, private=False)
        self.name = self._client.name
        self._instruments: Mapping[str, Instrument] = MappingProxyType({})
        self._one_by_one = not self._client.has("fetchTickers")

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._instruments

    async def start(self) -> None:
        markets = await self._client.read("load_markets")
        self._instruments = MappingProxyType(
            parse.instruments(
                markets.values(),
                self._client.library.precisionMode,
                self._settings.quote_currency,
                self._settings.chosen,
            )
        )

    async def stop(self) -> None:
        await self._client.close()

    async def look_up(self, symbol: str) -> Instrument:
        return self._listed(symbol)

    def _listed(self, symbol: str) -> Instrument:
        found = canonical(symbol, self._instruments)
        if found is None:
            raise SymbolNotFound(symbol)
        return self._instruments[found]

    async def quotes(self, symbols: Iterable[str]) -> Sequence[Quote]:
        """At once where the exchange tells bids and asks so, else symbol by symbol."""
        wanted = sorted(set(symbols) & self._instruments.keys())
        if not wanted:
            return ()
        now = datetime.now(UTC)
        tickers: Mapping[str, Any] = {}
        if not self._one_by_one:
            tickers = await self._client.read("fetch_tickers", wanted)
            self._one_by_one = not any(
                parse.quote(each, self.name, now) for each in tickers.values()
            )
        if self._one_by_one:
            tickers = {each: await self._client.read("fetch_ticker", each) for each in wanted}
        told = (parse.quote(tickers[each], self.name, now) for each in wanted if each in tickers)
        return [each for each in told if each is not None]

    # Bars

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        listed = self._listed(query.symbol)
        source = candles.source(query.timeframe, self._client.library.timeframes or ())
        span, step = SPANS[query.timeframe], candles.NATIVE[source]
        last = candles.floor(at - span, span)
        if query.end is not None:
            last = min(last, candles.floor(query.end, span))
        first = None if query.start is None else up(query.start, span)
        needed = query.limit * (span // step)
        finer = await self._candles(
            listed.symbol, source, last + span - step, first, query.timeframe, needed
        )
        found = candles.aggregated(query.timeframe, candles.aligned(finer, step))
        return [
            each
            for each in found
            if each.timestamp <= last and (not first or each.timestamp >= first)
        ][-query.limit :]

    async def _candles(
        self,
        symbol: str,
        source: str,
        last: datetime,
        first: datetime | None,
        timeframe: Timeframe,
        needed: int,
    ) -> list[Bar]:
        """At least `needed` candles up to `last`, if there are so many since `first`.

        Asks for earlier and earlier pages: most exchanges leave out candles without a trade.
        """
        step = candles.NATIVE[source]
        page = int(self._client.feature("fetchOHLCV").get("limit") or PAGE)
        found: list[Bar] = []
        empty = 0
        while len(found) < needed and empty < EMPTY_PAGES and (first is None or last >= first):
            start = last - (page - 1) * step
            if first is not None:
                start = max(start, first)
            told = await self._page(symbol, source, start, last, timeframe)
            empty = 0 if told else empty + 1
            found = told + found
            last = start - step
        return found

    async def _page(
        self, symbol: str, source: str, start: datetime, last: datetime, timeframe: Timeframe
    ) -> list[Bar]:
        """The candles of a window, also from an exchange that gives fewer at once."""
        step = candles.NATIVE[source]
        found: list[Bar] = []
        while start <= last:
            rows = await self._client.read(
                "fetch_ohlcv",
                symbol,
                source,
                parse.milliseconds(start),
                (last - start) // step + 1,
            )
            told = [parse.bar(row, symbol, timeframe, self.name) for row in rows]
            told = [each for each in told if start <= each.timestamp <= last]
            if not told:
                break
            found += told
            start = max(each.timestamp for each in told) + step
        return found

    # The stream of quotes

    def stream(self, wanted: Wanted) -> AsyncIterator[Quote | Connection]:
        return reconnecting(self.name, lambda: self._session(wanted))

    async def _session(self, wanted: Wanted) -> AsyncGenerator[Quote | Connection, None]:
        """One connection. The first quotes are asked for, which shows that it is up."""
        chosen = wanted.symbols
        first = await self.quotes(chosen)
        yield Connection(up=True)
        for quote in first:
            yield quote
        last: dict[str, Quote] = {}
        changing = asyncio.create_task(wanted.change(), name="ccxt-wanted")
        try:
            while True:
                if changing.done():
                    chosen = changing.result()
                    changing = asyncio.create_task(wanted.change(), name="ccxt-wanted")
                for quote in await self._next(chosen & self._instruments.keys(), changing):
                    if last.get(quote.symbol) != quote:
                        last[quote.symbol] = quote
                        yield quote
        finally:
            changing.cancel()

    async def _next(
        self, symbols: frozenset[str] | set[str], changing: asyncio.Task[Any]
    ) -> Sequence[Quote]:
        """The quotes once any has changed; none if the symbols have changed before."""
        method = next((each for each in STREAMS if self._client.has(each[0])), None)
        if method is None or not self._client.streams or not symbols:
            waits = self._settings.poll_interval if symbols else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(changing), waits)
            return () if changing.done() else await self.quotes(symbols)
        _, call, kept = method
        telling = asyncio.create_task(self._client.watch(call, sorted(symbols)), name="ccxt-quotes")
        try:
            await asyncio.wait({telling, changing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not telling.done():
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
        if telling.cancelled():
            if changing.done():
                return ()
            raise ProviderUnavailable("the stream of quotes has ended")
        telling.result()
        if found := self._kept(kept, symbols):
            return found
        # A stream of tickers without bids and asks only says that it is time to ask.
        await asyncio.sleep(self._settings.poll_interval)
        return await self.quotes(symbols)

    def _kept(self, name: str, symbols: Iterable[str]) -> Sequence[Quote]:
        """What the stream has told last: of several tickers at once, ccxt gives out only one.

        One that bears no time has that of when it was first seen here.
        """
        tickers, now = getattr(self._client.library, name), datetime.now(UTC)
        told = []
        for symbol in symbols:
            ticker = tickers.get(symbol)
            if ticker is not None and ticker.get("timestamp") is None:
                ticker["timestamp"] = parse.milliseconds(now)
            quote = None if ticker is None else parse.quote(ticker, self.name, now)
            told += [] if quote is None else [quote]
        return told


def up(at: datetime, span: timedelta) -> datetime:
    """When the first bar opens at or after a moment."""
    opened = candles.floor(at, span)
    return opened if opened == at else opened + span
