"""OANDA's market data: prices of an account, and candles of midpoint prices.

Candles have an opening time aligned to midnight UTC and weeks that begin on Monday, as ours. What
is quoted in a currency that is not the account's is left out, as it is in trading.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from providers.base import BarQuery, Instrument
from providers.errors import SymbolNotFound
from providers.live.reading import SPANS, moment, timestamp
from providers.live.reconnecting import reconnecting
from providers.live.venue import Connection, Wanted
from providers.models import Bar, Quote
from providers.oanda import parse
from providers.oanda.client import Client
from providers.oanda.parse import Json, as_specified
from providers.oanda.settings import OandaSettings

T = TypeVar("T")

PAGE: Final = 5000
"""Candles: more are refused."""
AHEAD: Final = timedelta(minutes=1)
"""OANDA refuses a `to` that is later than its clock, which may be behind ours by this."""
BETWEEN_STREAMS: Final = 0.5
"""Seconds: OANDA asks for at most two new connections a second."""

ALIGNMENT: Final = {
    "price": "M",
    "smooth": "false",
    "dailyAlignment": "0",
    "alignmentTimezone": "UTC",
    "weeklyAlignment": "Monday",
}


class OandaFeed:
    """See `providers.live.venue.Feed`."""

    def __init__(self, settings: OandaSettings) -> None:
        self.name = settings.name
        self._client = Client(settings)
        self._instruments: dict[str, Instrument] = {}

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._instruments

    async def start(self) -> None:
        with as_specified("summary of the account"):
            account = (await self._client.get("/summary"))["account"]
        listed = (await self._client.get("/instruments")).get("instruments", ())
        self._instruments = parse.instruments(listed, parse.currency_of(account))

    async def stop(self) -> None:
        await self._client.close()

    async def look_up(self, symbol: str) -> Instrument:
        """OANDA lists all it has at once: there are no others."""
        try:
            return self._instruments[symbol]
        except KeyError:
            raise SymbolNotFound(symbol) from None

    async def quotes(self, symbols: Iterable[str]) -> Sequence[Quote]:
        names = [parse.name_of(each) for each in symbols if each in self._instruments]
        if not names:
            return []
        body = await self._client.get("/pricing", {"instruments": ",".join(names)})
        return parse.quotes(body.get("prices", ()), self.name)

    # Candles

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        """From the newest page backwards, until there are enough of them, or no more."""
        await self.look_up(query.symbol)
        span = SPANS[query.timeframe]
        newest = at if query.end is None else min(query.end + span, at)
        until = newest if newest < datetime.now(UTC) - AHEAD else None
        found: list[Bar] = []
        while True:
            page, first = await self._page(query, until)
            if first is None or (until is not None and first >= until):
                return found[-query.limit :]
            found = older(page, found, query, at - span) + found
            if len(found) >= query.limit or (query.start is not None and first <= query.start):
                return found[-query.limit :]
            until = first

    async def _page(
        self, query: BarQuery, until: datetime | None
    ) -> tuple[list[Bar], datetime | None]:
        """The newest candles before a moment, and when the first of them opened."""
        count = min(query.limit + 1, PAGE)  # the newest is not complete
        asked = {
            **ALIGNMENT,
            "granularity": parse.GRANULARITIES[query.timeframe],
            "count": str(count),
        }
        if until is not None:
            asked["to"] = timestamp(until)
        path = f"/instruments/{parse.name_of(query.symbol)}/candles"
        body = await self._client.get_public(path, asked)
        with as_specified("list of candles"):
            candles: list[Json] = list(body["candles"])
            first = moment(candles[0]["time"]) if candles else None
        return parse.bars(candles, query.symbol, query.timeframe, self.name), first

    # The stream

    def stream(self, wanted: Wanted) -> AsyncIterator[Quote | Connection]:
        return reconnecting(self.name, lambda: self._session(wanted))

    async def _session(self, wanted: Wanted) -> AsyncGenerator[Quote | Connection, None]:
        """Streams for the symbols that are wanted, one after another: OANDA's do not change.

        While nothing is wanted there is none, and while one is exchanged for the next some prices
        are not told; each begins with the present ones.
        """
        up = False
        while True:
            names = [
                parse.name_of(each) for each in sorted(wanted.symbols & set(self._instruments))
            ]
            changed = asyncio.ensure_future(wanted.change())
            try:
                if not names:
                    await changed
                    continue
                query = {"instruments": ",".join(names)}
                async with self._client.stream("/pricing/stream", query) as told:
                    if not up:
                        up = True
                        yield Connection(up=True)
                    async for message in until_done(told, changed):
                        for quote in self._quotes(message):
                            yield quote
                if not changed.done():
                    return
                await asyncio.sleep(BETWEEN_STREAMS)
            finally:
                await dropped(changed)

    def _quotes(self, message: Json) -> list[Quote]:
        with as_specified("message of the stream"):
            price = {"PRICE": True, "HEARTBEAT": False}[message["type"]]
        return parse.quotes([message], self.name) if price else []


def older(page: Iterable[Bar], than: Sequence[Bar], query: BarQuery, newest: datetime) -> list[Bar]:
    """What a page has before the bars found so far, in the window, and not opened after `newest`:
    those have closed.
    """
    return [
        bar
        for bar in page
        if (not than or bar.timestamp < than[0].timestamp)
        and (query.start is None or bar.timestamp >= query.start)
        and (query.end is None or bar.timestamp <= query.end)
        and bar.timestamp <= newest
    ]


async def until_done(
    told: AsyncIterator[Json], changed: asyncio.Future[frozenset[str]]
) -> AsyncIterator[Json]:
    """The messages of a stream until it ends, or until something else is done."""
    while True:
        following = asyncio.ensure_future(anext(told))
        try:
            await asyncio.wait((following, changed), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            yield following.result()
        except StopAsyncIteration:
            return
        finally:
            await dropped(following)


async def dropped(task: asyncio.Future[T]) -> None:
    """End a task that nobody waits for any more."""
    task.cancel()
    await asyncio.wait((task,))
