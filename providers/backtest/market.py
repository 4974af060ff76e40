"""The market of a backtest: one price for each symbol, as of the simulated moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from providers.backtest.source import PROVIDER, BarSource
from providers.base import BarQuery, Instrument
from providers.errors import ProviderUnavailable, SymbolNotFound
from providers.models import AssetClass, Bar, Quote
from providers.values import trusted

SIZE = Decimal(10**12)
"""Shown on both sides: a bar does not tell how much could have been traded at a price."""

_PREFIX = {
    AssetClass.STOCK: "S",
    AssetClass.CRYPTO: "C",
    AssetClass.FOREX: "F",
}

new_quote = trusted(Quote)


class ReplayMarket:
    """A `MarketData` whose prices are set by the replay.

    Bid and ask are both the price: history in bars knows no spread. What a spread would cost can be
    put in as slippage.
    """

    name = PROVIDER

    def __init__(self, source: BarSource) -> None:
        self._source = source
        self._quotes: dict[str, Quote] = {}
        self._aliases = {alias_of(each): symbol for symbol, each in source.instruments.items()}

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._source.instruments

    def resolve(self, symbol: str) -> Instrument:
        """The instrument of `AAPL` or `S:AAPL`. Raises SymbolNotFound."""
        try:
            return self._source.instruments[self._aliases.get(symbol, symbol)]
        except KeyError:
            raise SymbolNotFound(symbol) from None

    def move(self, symbol: str, price: Decimal, at: datetime) -> None:
        """From a moment on, a symbol trades at this price."""
        self._quotes[symbol] = new_quote(
            symbol=symbol,
            provider=PROVIDER,
            bid=price,
            bid_size=SIZE,
            ask=price,
            ask_size=SIZE,
            last=price,
            timestamp=at,
        )

    @property
    def priced(self) -> list[str]:
        """The symbols that have a price by now."""
        return list(self._quotes)

    def price(self, symbol: str) -> Decimal:
        """The present price. Raises ProviderUnavailable before the first."""
        return self.quote(symbol).bid

    async def prepare(self, symbols: Iterable[str]) -> None:
        """All quotes are at hand."""

    def quote(self, symbol: str, at: datetime | None = None) -> Quote:
        """The present quote, whatever `at` says: time stands still while somebody asks.

        Raises ProviderUnavailable before the symbol's first bar.
        """
        del at
        try:
            return self._quotes[symbol]
        except KeyError:
            raise ProviderUnavailable(f"{symbol} has no price before its first bar") from None

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        """Bars that have closed by `at`. Raises SymbolNotFound, UnsupportedOperation."""
        symbol = self.resolve(query.symbol).symbol
        return self._source.closed(replace(query, symbol=symbol), at)

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to release."""


def alias_of(instrument: Instrument) -> str:
    """`C:BTCUSD` for BTC/USD; what has no prefix is its own alias."""
    prefix = _PREFIX.get(instrument.asset_class)
    plain = instrument.symbol.replace("/", "")
    return f"{prefix}:{plain}" if prefix else instrument.symbol
