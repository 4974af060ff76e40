"""What the synthetic market lists, and how each instrument behaves."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from providers.base import Instrument
from providers.market_data.aggregate import DAY, HOUR
from providers.models import AssetClass

LISTED = 16_436 * DAY
"""Symbols without a history start to trade on 2015-01-01T00:00Z."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What instruments of one asset class have in common.

    `spread` is the usual distance from bid to ask in parts per million of the price; the sizes
    shown run from one to `depth` lots; volumes are counted in `volume_increment`.
    """

    alias_prefix: str
    quantity_increment: Decimal
    volume_increment: Decimal
    spread: int
    depth: int


HABITS = {
    AssetClass.STOCK: Habits(
        alias_prefix="S:",
        quantity_increment=Decimal("0.0001"),  # fractional shares, as retail brokers offer them
        volume_increment=Decimal(1),
        spread=100,
        depth=9,
    ),
    AssetClass.FOREX: Habits(
        alias_prefix="F:",
        quantity_increment=Decimal(1),
        volume_increment=Decimal(1),
        spread=60,
        depth=9,
    ),
    AssetClass.CRYPTO: Habits(
        alias_prefix="C:",
        quantity_increment=Decimal("0.00000001"),
        volume_increment=Decimal("0.0001"),
        spread=100,
        depth=40,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An instrument and the figures its prices are drawn from.

    `sigma` is the standard deviation of a day's return in parts per million, `lot` the step of
    the sizes shown. A listing with a `history`, the length in seconds of the bars in its file,
    goes on from its last close with its usual volume. One without starts from `start_price`, in
    increments, with a `daily_volume`, in volume increments.
    """

    instrument: Instrument
    habits: Habits
    sigma: int
    lot: Decimal
    history: int | None
    start_price: int
    daily_volume: int

    @property
    def symbol(self) -> str:
        """The canonical symbol."""
        return self.instrument.symbol

    @property
    def compact(self) -> str:
        """The symbol without its slash: what the history file is called."""
        return self.symbol.replace("/", "")

    @property
    def alias(self) -> str:
        """`S:AAPL` for AAPL, `F:EURUSD` for EUR/USD, `C:BTCUSD` for BTC/USD."""
        return self.habits.alias_prefix + self.compact


def _listing(
    symbol: str,
    asset_class: AssetClass,
    increment: str,
    lot: str,
    sigma: int,
    *,
    history: int | None = None,
    start: tuple[str, int] = ("0", 0),
) -> Listing:
    """One row of the table below; `start` is a price and a daily volume in whole units."""
    habits, step = HABITS[asset_class], Decimal(increment)
    price, volume = Decimal(start[0]), Decimal(start[1])
    return Listing(
        instrument=Instrument(
            symbol=symbol,
            asset_class=asset_class,
            price_increment=step,
            quantity_increment=habits.quantity_increment,
            currency=symbol.partition("/")[2] or "USD",
        ),
        habits=habits,
        sigma=sigma,
        lot=Decimal(lot),
        history=history,
        start_price=int(price / step),
        daily_volume=int(volume / habits.volume_increment),
    )


_STOCK, _FOREX, _CRYPTO = AssetClass.STOCK, AssetClass.FOREX, AssetClass.CRYPTO

_TABLE = (
    _listing("AAPL", _STOCK, "0.01", "100", 18_000, history=DAY),
    _listing("GOOG", _STOCK, "0.01", "100", 16_000, history=DAY),
    _listing("IBM", _STOCK, "0.01", "100", 11_000, history=DAY),
    _listing("MSFT", _STOCK, "0.01", "100", 14_000, history=DAY),
    _listing("SPY", _STOCK, "0.01", "100", 10_000, start=("200", 90_000_000)),
    _listing("EUR/USD", _FOREX, "0.00001", "100000", 5_000, history=HOUR),
    _listing("GBP/USD", _FOREX, "0.00001", "100000", 5_500, start=("1.25", 90_000_000_000)),
    _listing("USD/JPY", _FOREX, "0.001", "100000", 5_500, start=("110", 90_000_000_000)),
    _listing("BTC/USD", _CRYPTO, "0.01", "0.1", 28_000, start=("40000", 25_000)),
    _listing("ETH/USD", _CRYPTO, "0.01", "1", 35_000, start=("2500", 300_000)),
)

LISTINGS = {listing.symbol: listing for listing in _TABLE}
"""Everything the market can list, by canonical symbol."""

DEFAULT_SYMBOLS = tuple(
    symbol for symbol, listing in LISTINGS.items() if listing.instrument.currency == "USD"
)
"""What it lists unless told otherwise: all that is quoted in dollars.

USD/JPY is quoted in yen: only an exchange that converts profits into the currency of its
accounts may list it.
"""
