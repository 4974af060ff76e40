"""Market data set by hand, for tests of what depends on a market."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from types import MappingProxyType

from providers.base import BarQuery, Instrument
from providers.errors import SymbolNotFound
from providers.market_data.aggregate import EPOCH, SECONDS
from providers.models import Bar, Quote


class FixedMarketData:
    """A `MarketData` whose quotes stay in force until another is set.

    >>> market = FixedMarketData([instrument])
    >>> market.set_quote("AAPL", bid="149.95", ask="150.05")
    """

    name = "fixed"

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._quotes: dict[str, list[Quote]] = {symbol: [] for symbol in self._instruments}
        self._bars: list[Bar] = []

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """All instruments by symbol; read-only."""
        return MappingProxyType(self._instruments)

    def resolve(self, symbol: str) -> Instrument:
        """The instrument of that symbol; there are no aliases. Raises SymbolNotFound."""
        try:
            return self._instruments[symbol]
        except KeyError:
            raise SymbolNotFound(symbol) from None

    def set_quote(
        self,
        symbol: str,
        *,
        bid: str,
        ask: str,
        last: str | None = None,
        bid_size: str = "1000000",
        ask_size: str = "1000000",
        at: datetime = EPOCH,
    ) -> Quote:
        """Put a quote in force from `at` on; `last` is the bid unless given.

        Of two for the same moment the later set counts. Raises SymbolNotFound.
        """
        quote = Quote(
            symbol=self.resolve(symbol).symbol,
            provider=self.name,
            bid=Decimal(bid),
            bid_size=Decimal(bid_size),
            ask=Decimal(ask),
            ask_size=Decimal(ask_size),
            last=Decimal(bid if last is None else last),
            timestamp=at,
        )
        insort(self._quotes[symbol], quote, key=attrgetter("timestamp"))  # after its equals
        return quote

    def add_bars(self, bars: Iterable[Bar]) -> None:
        """Add bars for `bars` to serve."""
        self._bars = sorted([*self._bars, *bars], key=lambda bar: bar.timestamp)

    async def prepare(self, symbols: Iterable[str]) -> None:
        """All quotes are at hand."""

    def quote(self, symbol: str, at: datetime) -> Quote:
        """The latest quote set for `at` or before. Raises SymbolNotFound where there is none."""
        in_force = [quote for quote in self._quotes.get(symbol, ()) if quote.timestamp <= at]
        if not in_force:
            raise SymbolNotFound(symbol)
        return in_force[-1]

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        """The bars added that have closed by `at` and match. Raises SymbolNotFound."""
        symbol = self.resolve(query.symbol).symbol
        span = timedelta(seconds=SECONDS[query.timeframe])
        bars = [
            bar
            for bar in self._bars
            if bar.symbol == symbol
            and bar.timeframe == query.timeframe
            and (query.start is None or bar.timestamp >= query.start)
            and (query.end is None or bar.timestamp <= query.end)
            and bar.timestamp <= at - span
        ]
        return bars[-query.limit :]

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to release."""
