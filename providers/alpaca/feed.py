"""Alpaca as a source of market data."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final
from urllib.parse import quote as quote_path

from providers.alpaca import parse, prices
from providers.alpaca.client import MarketDataApi, TradingApi
from providers.alpaca.parse import Json
from providers.alpaca.settings import AlpacaSettings
from providers.alpaca.streams import Lines
from providers.base import BarQuery, Instrument
from providers.errors import InvalidValue, SymbolNotFound
from providers.live.reconnecting import reconnecting
from providers.live.venue import Connection, Limits, Wanted
from providers.models import AssetClass, Bar, Quote

SYMBOLS_AT_ONCE: Final = 200
"""So many fit into a URL."""
CRYPTO: Final = "/v1beta3/crypto/us"


class AlpacaFeed:
    """Quotes and bars of stocks and crypto pairs, each from a host path of its own."""

    name = prices.PROVIDER

    def __init__(self, settings: AlpacaSettings) -> None:
        self._trading = TradingApi(f"{self.name}-assets", settings)
        self._data = MarketDataApi(f"{self.name}-data", settings)
        self._settings = settings
        self._instruments: dict[str, Instrument] = {}
        self._paths = {
            AssetClass.STOCK: f"/v2/{settings.stock_feed.value}",
            AssetClass.CRYPTO: CRYPTO,
        }

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._instruments

    @property
    def limits(self) -> Limits | None:
        """What Alpaca has last said of the rate of requests to the trading API."""
        return self._trading.limits

    async def start(self) -> None:
        self._instruments = parse.instruments(await self._trading.assets())

    async def stop(self) -> None:
        await self._trading.close()
        await self._data.close()

    async def look_up(self, symbol: str) -> Instrument:
        if symbol not in self._instruments:
            asset = await self._trading.read(
                f"/v2/assets/{quote_path(parse.compact(symbol), safe='')}"
            )
            found = parse.instrument(asset) if asset else None
            if found is None or found.symbol != symbol:
                raise SymbolNotFound(symbol)
            self._instruments[symbol] = found
        return self._instruments[symbol]

    async def quotes(self, symbols: Iterable[str]) -> Sequence[Quote]:
        """The quotes in force, with the last trade and the volume of the day so far."""
        found: list[Quote] = []
        for kind, chosen in self._by_kind(symbols).items():
            for first in range(0, len(chosen), SYMBOLS_AT_ONCE):
                some = ",".join(chosen[first : first + SYMBOLS_AT_ONCE])
                found += await self._snapshots(kind, some)
        return found

    async def _snapshots(self, kind: AssetClass, symbols: str) -> list[Quote]:
        query = {"symbols": symbols}
        if kind is AssetClass.CRYPTO:
            answer = await self._data.read(f"{CRYPTO}/snapshots", query)
            return prices.snapshots(answer.get("snapshots") or {})
        query["feed"] = self._settings.stock_feed.value
        return prices.snapshots(await self._data.read("/v2/stocks/snapshots", query))

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        kind = (await self.look_up(query.symbol)).asset_class
        if query.timeframe not in prices.TIMEFRAMES:
            raise InvalidValue("timeframe", query.timeframe.value, "Alpaca has no such bars")
        found: list[Bar] = []
        page: str | None = None
        while len(found) < query.limit:
            parameters = prices.bars_request(query, at, page)
            if parameters["start"] > parameters["end"]:
                break
            some, page = prices.bars(await self._bars(kind, parameters), query)
            found += some
            if page is None:
                break
        return found[: query.limit][::-1]

    async def _bars(self, kind: AssetClass, parameters: dict[str, str]) -> Json:
        if kind is AssetClass.CRYPTO:
            return await self._data.read(f"{CRYPTO}/bars", parameters)
        stock = {
            "feed": self._settings.stock_feed.value,
            "adjustment": self._settings.stock_adjustment.value,
        }
        return await self._data.read("/v2/stocks/bars", parameters | stock)

    def _by_kind(self, symbols: Iterable[str]) -> dict[AssetClass, list[str]]:
        """The symbols that are known, by the kind of their instrument, sorted."""
        found: dict[AssetClass, list[str]] = {}
        for symbol in sorted(symbols):
            if symbol in self._instruments:
                found.setdefault(self._instruments[symbol].asset_class, []).append(symbol)
        return found

    # The stream

    def stream(self, wanted: Wanted) -> AsyncIterator[Quote | Connection]:
        return reconnecting(self.name, lambda: self._session(wanted))

    async def _session(self, wanted: Wanted) -> AsyncGenerator[Quote | Connection, None]:
        """All connections that the wanted symbols need; when one fails, all begin again."""
        async with Lines(self._settings, self._paths) as lines:
            await lines.choose(self._by_kind(wanted.symbols))
            yield Connection(up=True)
            lines.follow(wanted, self._by_kind)
            async with aclosing(lines.quotes()) as quotes:
                async for quote in quotes:
                    yield quote
