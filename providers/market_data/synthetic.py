"""The market of the paper exchange: real history, then a seeded random walk without an end.

Up to the end of 2013-03-01 the stocks have their real daily bars, through 2017 EUR/USD its real
hourly ones (data/SOURCES.md). What is finer than those is drawn to fit them, and so is everything
after. The drawn market trades around the clock, every day of the week. Symbols without a history
are drawn from the day they were listed.

Bars and quotes are views of one price path: a minute's open, high, low and close are those of the
`last` prices of its quotes, and every longer bar is the sum of shorter ones.

The same seed gives the same market in every process, on every machine, for ever; a request for a
past moment gives what was served at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from providers.base import BarQuery, Instrument
from providers.errors import SymbolNotFound
from providers.market_data.aggregate import (
    EPOCH,
    MINUTE,
    SECONDS,
    RawBar,
    floor_to,
    to_datetime,
    to_seconds,
    to_seconds_up,
)
from providers.market_data.draws import UNIFORM
from providers.market_data.feed import Drawing, SymbolFeed, Tick
from providers.market_data.instruments import DEFAULT_SYMBOLS, LISTINGS, Listing
from providers.models import Bar, Quote, Timeframe

_MINUTE = timedelta(seconds=MINUTE)


class SyntheticMarketData:
    """A `MarketData` that computes its quotes and bars; see the module for what they are.

    `symbols` are canonical, by default all quoted in USD. `volatility` multiplies that of the
    drawn prices (0 freezes them; history is never touched). A new quote comes every
    `tick_interval`, which divides a minute into at least four; bars do not depend on it.

    Raises ValueError for an unknown symbol, a negative volatility or an odd tick interval.
    """

    name = "synthetic"

    def __init__(
        self,
        seed: int = 0,
        *,
        symbols: Sequence[str] = DEFAULT_SYMBOLS,
        volatility: Decimal = Decimal(1),
        tick_interval: timedelta = timedelta(seconds=1),
    ) -> None:
        ticks = _MINUTE // tick_interval if tick_interval else 0
        if ticks < 4 or ticks * tick_interval != _MINUTE:
            raise ValueError(f"tick_interval must divide a minute into >= 4, not {tick_interval}")
        if volatility < 0:
            raise ValueError(f"volatility must not be negative, not {volatility}")
        if unknown := sorted(set(symbols) - LISTINGS.keys()):
            raise ValueError(f"unknown symbols {unknown}; known are {sorted(LISTINGS)}")
        self.tick_interval = tick_interval
        self._drawing = Drawing(seed=seed, volatility=int(volatility * 1000), ticks=ticks)
        self._listings = {symbol: LISTINGS[symbol] for symbol in symbols}
        self._aliases = {listing.alias: symbol for symbol, listing in self._listings.items()}
        self._instruments = MappingProxyType(
            {symbol: listing.instrument for symbol, listing in self._listings.items()}
        )
        self._feeds: dict[str, SymbolFeed] = {}
        self._quotes: dict[str, tuple[int, Quote]] = {}

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """All instruments by canonical symbol; read-only."""
        return self._instruments

    def resolve(self, symbol: str) -> Instrument:
        """The instrument behind `AAPL` or `S:AAPL`, `EUR/USD` or `F:EURUSD`, `BTC/USD` or
        `C:BTCUSD`; upper case as written here.

        Raises SymbolNotFound.
        """
        try:
            return self._instruments[self._aliases.get(symbol, symbol)]
        except KeyError:
            raise SymbolNotFound(symbol) from None

    def tick_time(self, at: datetime) -> datetime:
        """The moment of the last tick at or before `at`: all symbols tick together."""
        return at - (at - EPOCH) % self.tick_interval

    async def prepare(self, symbols: Iterable[str]) -> None:
        """All quotes are at hand."""

    def quote(self, symbol: str, at: datetime) -> Quote:
        """The quote in force at `at`: that of the last tick, or of the last one before a gap.

        Until a symbol's first bar there is nothing to quote: before that it is not found, rather
        than quoted from its future. `volume` is that of the UTC day so far.

        Raises SymbolNotFound.
        """
        number = (at - EPOCH) // self.tick_interval
        known = self._quotes.get(symbol)
        if known and known[0] == number:
            return known[1]
        feed = self._feed(symbol)
        tick = feed.tick(number)
        if tick is None:
            raise SymbolNotFound(symbol)
        quote = self._to_quote(feed.listing, tick)
        self._quotes[quote.symbol] = number, quote
        return quote

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        """Bars that have closed by `at`, ascending, the newest `query.limit` of the window.

        Raises SymbolNotFound.
        """
        feed = self._feed(query.symbol)
        span = SECONDS[query.timeframe]
        last = floor_to(to_seconds(at) - span, span)
        if query.end is not None:
            last = min(last, to_seconds(query.end))
        first = floor_to(feed.first, span)
        if query.start is not None:
            first = max(first, to_seconds_up(query.start))
        raw = feed.bars(span, first, last, query.limit)
        return [self._to_bar(feed.listing, query.timeframe, bar) for bar in raw]

    async def start(self) -> None:
        """Read the history now rather than on the first request."""
        for symbol in self._listings:
            self._feed(symbol)

    async def stop(self) -> None:
        """Nothing to release."""

    def _feed(self, symbol: str) -> SymbolFeed:
        known = self._feeds.get(symbol)
        if known:
            return known
        canonical = self.resolve(symbol).symbol
        if canonical not in self._feeds:
            self._feeds[canonical] = SymbolFeed(self._listings[canonical], self._drawing)
        return self._feeds[canonical]

    def _to_quote(self, listing: Listing, tick: Tick) -> Quote:
        price = listing.instrument.price_increment
        bid_size, ask_size = (1 + listing.habits.depth * draw // UNIFORM for draw in tick.sizes)
        return Quote(
            symbol=listing.symbol,
            provider=self.name,
            bid=tick.bid * price,
            bid_size=bid_size * listing.lot,
            ask=tick.ask * price,
            ask_size=ask_size * listing.lot,
            last=tick.last * price,
            volume=tick.volume * listing.habits.volume_increment,
            timestamp=EPOCH + tick.number * self.tick_interval,
        )

    def _to_bar(self, listing: Listing, timeframe: Timeframe, bar: RawBar) -> Bar:
        price = listing.instrument.price_increment
        return Bar(
            symbol=listing.symbol,
            provider=self.name,
            timeframe=timeframe,
            timestamp=to_datetime(bar.start),
            open=bar.open * price,
            high=bar.high * price,
            low=bar.low * price,
            close=bar.close * price,
            volume=bar.volume * listing.habits.volume_increment,
        )
