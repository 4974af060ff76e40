"""The history that comes with the package, as the bars of a backtest: AAPL, GOOG, IBM and MSFT by
the day, EUR/USD by the hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from providers.backtest.data.checks import BadData
from providers.backtest.source import PROVIDER, MemoryBars, coarser, new_bar
from providers.errors import UnsupportedOperation
from providers.market_data.aggregate import SECONDS, to_datetime
from providers.market_data.history import load
from providers.market_data.instruments import LISTINGS, Listing
from providers.models import Bar, Timeframe


def shipped(
    symbols: Sequence[str],
    timeframe: Timeframe,
    start: datetime | None = None,
    end: datetime | None = None,
) -> MemoryBars:
    """Bars of the package's own history. Raises BadData for what it does not have."""
    listings = [_listing(symbol) for symbol in symbols]
    bars = [bar for listing in listings for bar in _bars(listing, timeframe)]
    run = [bar for bar in bars if end is None or bar.timestamp <= end]
    for symbol in symbols:
        if not any(b.symbol == symbol and (start is None or b.timestamp >= start) for b in run):
            raise BadData(f"{symbol} has no bars between start and end")
    return MemoryBars(run, [each.instrument for each in listings], timeframe, start=start)


def _listing(symbol: str) -> Listing:
    listing = LISTINGS.get(symbol)
    if listing is None or listing.history is None:
        known = ", ".join(name for name, each in LISTINGS.items() if each.history)
        raise BadData(f"the package has no history of {symbol}: it has {known}")
    return listing


def _bars(listing: Listing, timeframe: Timeframe) -> list[Bar]:
    """All bars of one symbol in a timeframe. Raises BadData where they cannot be made."""
    own = next(frame for frame, length in SECONDS.items() if length == listing.history)
    try:
        return coarser(list(_own(listing, own)), own, timeframe)
    except UnsupportedOperation as error:
        raise BadData(
            f"the bars of {listing.symbol} are of {own}, coarser than {timeframe}"
        ) from error


def _own(listing: Listing, own: Timeframe) -> Iterator[Bar]:
    price, volume = listing.instrument.price_increment, listing.habits.volume_increment
    for raw in load(listing.compact, SECONDS[own]).bars:
        opened, high, low, close = (
            Decimal(units) * price for units in (raw.open, raw.high, raw.low, raw.close)
        )
        yield new_bar(
            symbol=listing.symbol,
            provider=PROVIDER,
            timeframe=own,
            timestamp=to_datetime(raw.start),
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=raw.volume * volume,
        )
