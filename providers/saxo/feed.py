"""Saxo as a source of quotes and candles."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from providers.base import BarQuery, Instrument
from providers.errors import SymbolNotFound
from providers.live.reconnecting import reconnecting
from providers.live.venue import Connection, Wanted
from providers.models import Bar, Quote
from providers.saxo import listings
from providers.saxo.catalog import Catalog
from providers.saxo.client import MOST_SAMPLES, PRICE_FIELDS, PRICE_SUBSCRIPTIONS, Client
from providers.saxo.listings import MINUTES, Listing, merged
from providers.saxo.settings import SaxoSettings
from providers.saxo.streams import Channel, opened, rows
from providers.saxo.values import Body, moment, reading

PRICES_AT_ONCE = 100
"""How many instruments one request asks for prices of."""


class SaxoFeed:
    """Prices of whatever Saxo has; `instruments` grows by what is looked up."""

    def __init__(self, settings: SaxoSettings) -> None:
        self.name = f"saxo-{settings.environment.value}"
        self._client = Client(self.name, settings)
        self._catalog = Catalog(self._client, settings)
        self._url = settings.endpoints.stream

    @property
    def client(self) -> Client:
        return self._client

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._catalog.instruments

    async def start(self) -> None:
        await self._catalog.load()

    async def stop(self) -> None:
        await self._client.close()

    async def look_up(self, symbol: str) -> Instrument:
        return (await self._catalog.of(symbol)).instrument

    async def quotes(self, symbols: Iterable[str]) -> Sequence[Quote]:
        found: list[Quote] = []
        for asset_type, group in (await by_kind(self._catalog, symbols)).items():
            names = {each.uic: each.symbol for each in group}
            uics = list(names)
            for first in range(0, len(uics), PRICES_AT_ONCE):
                part = ",".join(map(str, uics[first : first + PRICES_AT_ONCE]))
                for body in await self._client.prices(part, asset_type):
                    found += quotes_of(body, names, self.name)
        return found

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        """See `Feed`. Of pairs the bids count; their candles have no volume."""
        listing = await self._catalog.of(query.symbol)
        minutes, base = MINUTES[query.timeframe], listings.horizon(query.timeframe)
        factor = minutes // base
        last = at if query.end is None else min(at, query.end + timedelta(minutes=minutes - base))
        first = None if query.start is None else listings.floor(query.start, minutes)
        bodies = await self._candles(listing, base, last, first, (query.limit + 1) * factor)
        bars = sorted(
            (listings.candle(body, query, self.name) for body in bodies),
            key=lambda bar: bar.timestamp,
        )
        if factor > 1:
            bars = listings.gathered(bars, minutes)
        return [bar for bar in bars if listings.is_within(bar, query, at)][-query.limit :]

    async def _candles(
        self, listing: Listing, base: int, last: datetime, first: datetime | None, needed: int
    ) -> list[Body]:
        """At least `needed` samples up to `last`, or all there are since `first`."""
        found: dict[datetime, Body] = {}
        until = last
        while len(found) < needed:
            count = min(MOST_SAMPLES, needed - len(found))
            page = await self._client.candles(listing, base, until, count)
            with reading("candles"):
                times = {moment(body["Time"]): body for body in page}
            earliest = min(times, default=until)
            found |= times
            if len(page) < count or (first is not None and earliest <= first):
                break
            until = earliest - timedelta(minutes=base)
        return list(found.values())

    def stream(self, wanted: Wanted) -> AsyncIterator[Quote | Connection]:
        def session() -> AsyncGenerator[Quote | Connection, None]:
            return PriceSession(self._client, self._catalog, self._url, self.name).quotes(wanted)

        return reconnecting(self.name, session)


async def by_kind(catalog: Catalog, symbols: Iterable[str]) -> dict[str, list[Listing]]:
    """The instruments of symbols, by asset type; one that nobody knows is left out."""
    groups: dict[str, list[Listing]] = {}
    for symbol in dict.fromkeys(symbols):
        try:
            listing = await catalog.of(symbol)
        except SymbolNotFound:
            continue
        groups.setdefault(listing.asset_type, []).append(listing)
    return groups


def quotes_of(body: Body, names: Mapping[int, str], provider: str) -> list[Quote]:
    """The quote of an info price, where it is of one of these instruments and there is one."""
    with reading("a price"):
        symbol = names.get(int(body["Uic"]))
    if symbol is None:
        return []
    found = listings.quote(body, symbol, provider)
    return [] if found is None else [found]


@dataclass(slots=True)
class Subscribed:
    """A subscription to prices, and what it has told of each Uic."""

    reference: str
    uics: str
    state: dict[int, Body] = field(default_factory=dict)


class PriceSession:
    """One connection's worth of prices: a subscription for each asset type that is wanted."""

    def __init__(self, client: Client, catalog: Catalog, url: str, name: str) -> None:
        self._client = client
        self._catalog = catalog
        self._url = url
        self._name = name
        self._symbols: frozenset[str] = frozenset()
        self._subscribed: dict[str, Subscribed] = {}  # by asset type
        self._names: dict[int, str] = {}

    async def quotes(self, wanted: Wanted) -> AsyncGenerator[Quote | Connection, None]:
        """See `reconnecting`. Raises what the connection and the calls raise."""
        async with opened(self._client, self._url) as channel:
            snapshots = await self._choose(channel, wanted.symbols)
            yield Connection(up=True)
            for quote in snapshots:
                yield quote
            async with aclosing(channel.frames()) as told:
                async for frame in told:
                    if wanted.symbols != self._symbols:
                        for quote in await self._choose(channel, wanted.symbols):
                            yield quote
                    if frame is not None:
                        for quote in self._take(frame.reference, rows(frame.payload)):
                            yield quote

    async def _choose(self, channel: Channel, symbols: frozenset[str]) -> list[Quote]:
        """Subscribe to these and no others; answers the quotes of the new snapshots."""
        groups = await by_kind(self._catalog, sorted(symbols))
        found: list[Quote] = []
        for asset_type in sorted(self._subscribed.keys() | groups.keys()):
            group = groups.get(asset_type, [])
            self._names |= {each.uic: each.symbol for each in group}
            uics = ",".join(str(each.uic) for each in group)
            old = self._subscribed.get(asset_type)
            if old is None or old.uics != uics:
                found += await self._renew(channel, asset_type, uics, old)
        self._symbols = symbols
        return found

    async def _renew(
        self, channel: Channel, asset_type: str, uics: str, old: Subscribed | None
    ) -> list[Quote]:
        """One subscription in place of another; none where there are no instruments."""
        if not uics:
            if old is not None:
                await channel.unsubscribe(PRICE_SUBSCRIPTIONS, old.reference)
                del self._subscribed[asset_type]
            return []
        arguments = {
            "Uics": uics,
            "AssetType": asset_type,
            "FieldGroups": PRICE_FIELDS.split(","),
        }
        reference, snapshot = await channel.subscribe(
            PRICE_SUBSCRIPTIONS, arguments, instead_of=old.reference if old else None
        )
        self._subscribed[asset_type] = Subscribed(reference, uics)
        return self._take(reference, snapshot)

    def _take(self, reference: str, deltas: Iterable[Body]) -> list[Quote]:
        """The quotes that these deltas make of what was told before; none of old subscriptions."""
        mine = (each for each in self._subscribed.values() if each.reference == reference)
        subscribed = next(mine, None)
        if subscribed is None:
            return []
        state, found = subscribed.state, []
        for delta in deltas:
            with reading("a price"):
                uic = int(delta["Uic"])
            state[uic] = merged(state.get(uic, {}), delta)
            found += quotes_of(state[uic], self._names, self._name)
        return found
