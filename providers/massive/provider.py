"""Massive as a source of quotes and bars."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from providers.base import BarQuery, Instrument
from providers.errors import SymbolNotFound
from providers.live.reconnecting import reconnecting
from providers.live.settings import required
from providers.live.symbols import canonical
from providers.live.venue import Connection, Feed, Wanted
from providers.massive import parse
from providers.massive.client import Client
from providers.massive.settings import MassiveSettings
from providers.massive.sockets import Sockets
from providers.massive.windows import EARLIEST, WINDOWS, Window, floor, joined
from providers.models import Bar, Quote


class MassiveFeed:
    """All that Massive lists; what is asked for is looked up once. Raises ValueError without key.

    An API key usually has one stream of each kind of instrument: a second process with the same
    key takes the streams over from the first.
    """

    name = parse.PROVIDER

    def __init__(self, settings: MassiveSettings) -> None:
        (self._key,) = required(settings, "api_key")
        self._settings = settings
        self._client = Client(settings.rest, self._key)
        self._instruments: dict[str, Instrument] = {}

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return MappingProxyType(self._instruments)

    async def start(self) -> None:
        """Learn the instruments of the option `symbols`. Raises SymbolNotFound."""
        for symbol in self._settings.preloaded:
            await self.look_up(symbol)

    async def stop(self) -> None:
        await self._client.close()

    async def look_up(self, symbol: str) -> Instrument:
        """The instrument of a symbol or alias; not asked for again once it is found."""
        known = canonical(symbol, self._instruments)
        if known is not None:
            return self._instruments[known]
        for ticker in parse.candidates(symbol):
            found = await self._client.reference(ticker)
            listed = None if found is None else parse.instrument(found)
            if listed is not None:
                return self._instruments.setdefault(listed.symbol, listed)
        raise SymbolNotFound(symbol)

    async def quotes(self, symbols: Iterable[str]) -> Sequence[Quote]:
        asked = {}
        for symbol in sorted(set(symbols)):
            listed = await self._listed(symbol)
            if listed is not None:
                asked[parse.ticker(listed)] = listed
        if not asked:
            return ()
        found = await self._client.snapshots(sorted(asked))
        known = [each for each in found if each.get("ticker") in asked]
        told = (parse.snapshot(each, asked[each["ticker"]]) for each in known)
        return [each for each in told if each is not None]

    async def _listed(self, symbol: str) -> Instrument | None:
        try:
            return await self.look_up(symbol)
        except SymbolNotFound:
            return None

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        listed = await self.look_up(query.symbol)
        window = WINDOWS[query.timeframe]
        first = EARLIEST if query.start is None else max(EARLIEST, query.start)
        last = at if query.end is None else min(at, query.end + window.span)
        if last < first:
            return []
        found: list[Bar] = []
        begins = floor(first, window.span)
        limit = window.limit(query.limit)
        pages = self._client.aggregates(parse.ticker(listed), window, begins, last, limit)
        async for page in pages:
            told = [parse.bar(each, listed.symbol, query.timeframe) for each in page]
            found += told
            bars = chosen(joined(reversed(found), window), query, window, at)
            # The oldest may still be waiting for the rest of itself.
            if len(bars) > query.limit:
                break
        return chosen(joined(reversed(found), window), query, window, at)[-query.limit :]

    def stream(self, wanted: Wanted) -> AsyncIterator[Quote | Connection]:
        return reconnecting(self.name, lambda: self._session(wanted))

    async def _session(self, wanted: Wanted) -> AsyncGenerator[Quote | Connection, None]:
        """One connection to each kind of instrument that is wanted; all end with any of them."""
        told: asyncio.Queue[Any] = asyncio.Queue()
        sockets = Sockets(self._settings.socket, self._key, told)
        changing = asyncio.create_task(changes(wanted, told), name="massive-wanted")
        try:
            await sockets.follow(await self._topics(wanted.symbols))
            yield Connection(up=True)
            while True:
                item = await told.get()
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, frozenset):
                    await sockets.follow(await self._topics(item))
                elif (quote := parse.event(item, self._instruments)) is not None:
                    yield quote
        finally:
            changing.cancel()
            await sockets.close()

    async def _topics(self, symbols: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """What to subscribe to at which cluster; a symbol that is not found is left out."""
        topics: dict[str, frozenset[str]] = {}
        for symbol in symbols:
            listed = await self._listed(symbol)
            if listed is not None:
                cluster = parse.CLUSTERS[listed.asset_class]
                topics[cluster] = topics.get(cluster, frozenset()) | {parse.topic(listed)}
        return topics


def chosen(bars: Iterable[Bar], query: BarQuery, window: Window, at: datetime) -> list[Bar]:
    """Those of the window asked for that have closed."""
    return [
        each
        for each in bars
        if each.timestamp + window.span <= at
        and (query.start is None or each.timestamp >= query.start)
        and (query.end is None or each.timestamp <= query.end)
    ]


async def changes(wanted: Wanted, told: asyncio.Queue[Any]) -> None:
    """Put the wanted symbols into a queue whenever they are chosen anew."""
    while True:
        told.put_nowait(await wanted.change())


def feed(settings: MassiveSettings) -> Feed:
    return MassiveFeed(settings)
