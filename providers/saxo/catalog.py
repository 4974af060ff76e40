"""What is known of Saxo's instruments, of which there are too many to load them all."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from providers.base import Instrument
from providers.errors import SymbolNotFound
from providers.saxo import listings
from providers.saxo.client import Client
from providers.saxo.listings import PAIRS, SHARES, Listing
from providers.saxo.settings import SaxoSettings
from providers.saxo.values import Body, reading

log = logging.getLogger(__name__)

Key = tuple[int, str]
"""Uic and asset type."""


class Catalog:
    """Instruments by canonical symbol and by Saxo's key; it grows by what is asked for.

    The first instrument of a canonical symbol has it; one of the same name on another exchange
    goes by Saxo's own, such as `AAPL:xetr`.
    """

    def __init__(self, client: Client, settings: SaxoSettings) -> None:
        self._client = client
        self._settings = settings
        self._by_symbol: dict[str, Listing] = {}
        self._by_key: dict[Key, Listing | None] = {}
        self._instruments: dict[str, Instrument] = {}
        self.instruments: Mapping[str, Instrument] = MappingProxyType(self._instruments)

    async def load(self) -> None:
        """Learn the symbols of the settings; one that Saxo does not have is left out."""
        found = []
        for native in self._settings.listed:
            body = await self._exactly(native)
            if body is None:
                log.warning("%s is not among Saxo's instruments", native)
            else:
                found.append(body)
        await self._learn(found)

    async def of(self, symbol: str) -> Listing:
        """The instrument of a symbol or an alias, asked for if it is new. Raises SymbolNotFound."""
        if symbol in self._by_symbol:
            return self._by_symbol[symbol]
        body = await self._look_up(symbol)
        if body is None:
            raise SymbolNotFound(symbol)
        for learned in await self._learn([body]):
            return learned
        raise SymbolNotFound(symbol)

    async def by_key(self, uic: int, asset_type: str) -> Listing | None:
        """The instrument of a key; None for a kind that cannot be traded here."""
        key = (uic, asset_type)
        if key not in self._by_key:
            if listings.KINDS.get(asset_type) is None:
                self._by_key[key] = None
            else:
                await self._learn([{"Identifier": uic, "AssetType": asset_type}])
        return self._by_key.get(key)

    async def of_body(self, body: Body) -> Listing | None:
        """The instrument that an order, a position or a price is of."""
        with reading("an instrument"):
            key = (int(body["Uic"]), str(body["AssetType"]))
        return await self.by_key(*key)

    async def _look_up(self, symbol: str) -> Body | None:
        prefix, _, rest = symbol.partition(":")
        if prefix == "F" or "/" in symbol:
            return await self._exactly((rest or symbol).replace("/", ""))
        if prefix == "C":
            return None
        name = rest if prefix == "S" else symbol
        if ":" in name:
            return await self._exactly(name)
        found = await self._client.search(name, SHARES)
        return listings.nearest(name, found, self._settings.preferred)

    async def _exactly(self, native: str) -> Body | None:
        ticker, _, exchange = native.partition(":")
        found = await self._client.search(ticker, SHARES if exchange else PAIRS)
        return listings.chosen(native, found)

    async def _learn(self, found: Iterable[Body]) -> list[Listing]:
        """Enter the details of what a search has found; what is known stays as it is."""
        with reading("an instrument"):
            keys = [(int(each["Identifier"]), str(each["AssetType"])) for each in found]
        new = [key for key in keys if key not in self._by_key]
        if new:
            uics = ",".join(str(uic) for uic, _ in new)
            kinds = ",".join(sorted({kind for _, kind in new}))
            for body in await self._client.details(uics, kinds):
                self._enter(listings.listing(body))
        return [each for key in keys if (each := self._by_key.get(key)) is not None]

    def _enter(self, listing: Listing | None) -> None:
        if listing is None or (listing.uic, listing.asset_type) in self._by_key:
            return
        if listing.symbol in self._by_symbol:
            instrument = replace(listing.instrument, symbol=listing.native)
            listing = replace(listing, instrument=instrument)
        self._by_symbol[listing.symbol] = listing
        self._by_key[listing.uic, listing.asset_type] = listing
        self._instruments[listing.symbol] = listing.instrument
