"""Saxo's instruments, quotes and candles, and ours. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from providers.base import BarQuery, Instrument
from providers.errors import ProviderError
from providers.models import AssetClass, Bar, Quote, Timeframe
from providers.saxo.values import Body, known, maybe, moment, number, reading
from providers.values import trusted

KINDS: Final[Mapping[str, AssetClass | None]] = {
    "FxSpot": AssetClass.FOREX,
    **dict.fromkeys(("Stock", "Etf", "Etc", "Etn"), AssetClass.STOCK),
    **dict.fromkeys(
        """
        Bond Cash CertificateBonus CertificateCappedBonus CertificateCappedCapitalProtected
        CertificateCappedOutperformance CertificateConstantLeverage CertificateDiscount
        CertificateExpress CertificateTracker CertificateUncappedCapitalProtection
        CertificateUncappedOutperformance CfdIndexOption CfdOnCompanyWarrant CfdOnEtc CfdOnEtf
        CfdOnEtn CfdOnFund CfdOnFutures CfdOnIndex CfdOnRights CfdOnStock CompanyWarrant
        ContractFutures Fund FuturesOption FuturesStrategy FxBinaryOption FxForwards FxKnockInOption
        FxKnockOutOption FxNoTouchOption FxOneTouchOption FxVanillaOption GuaranteeNote IpoOnStock
        ManagedFund MiniFuture MutualFund PortfolioNote Rights SrdOnEtf SrdOnStock StockIndex
        StockIndexOption StockOption Warrant WarrantDoubleKnockOut WarrantKnockOut
        WarrantOpenEndKnockOut WarrantSpread
        """.split(),
        None,
    ),
}
"""Our class of each of Saxo's asset types; None for what cannot be traded here."""

SHARES: Final = "Stock,Etf,Etc,Etn"
PAIRS: Final = "FxSpot"
CASH_SETTLED: Final = frozenset(SHARES.split(","))
"""What is paid in cash when it is bought; the rest is held on margin."""

EXTRA_DECIMALS: Final[Mapping[str, int | None]] = {
    "Normal": 0,
    "Percentage": 0,
    "AllowDecimalPips": 1,
    "AllowTwoDecimalPips": 2,
    "Fractions": None,
    "ModernFractions": None,
}
"""How many decimals a price has beyond those told; None: those count halvings instead."""

WHOLE_LOTS: Final[Mapping[str, bool]] = {
    "NotUsed": False,
    "OddLotsAllowed": False,
    "BuyOnly": True,
    "OddLotsNotAllowed": True,
}
"""Whether only whole lots trade, for each lot size type."""

HAS_PRICE: Final[Mapping[str, bool]] = {
    "Tradable": True,
    "Indicative": True,
    "OldIndicative": True,
    "NoMarket": False,
    "NoAccess": False,
    "None": False,
    "Pending": False,
}
"""Whether a price of this quality is one."""

MINUTES: Final[Mapping[Timeframe, int]] = {
    Timeframe.M1: 1,
    Timeframe.M2: 2,
    Timeframe.M5: 5,
    Timeframe.M10: 10,
    Timeframe.M15: 15,
    Timeframe.M30: 30,
    Timeframe.H1: 60,
    Timeframe.H2: 120,
    Timeframe.H4: 240,
    Timeframe.H12: 720,
    Timeframe.D1: 1440,
    Timeframe.W1: 10_080,
}
BASES: Final[Mapping[int, int]] = {2: 1, 720: 60}
"""Timeframes that Saxo's specification lacks, and the horizon that they are made of."""

new_quote = trusted(Quote)
new_bar = trusted(Bar)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An instrument of Saxo's: `uic` and `asset_type` name it, `native` is its symbol there."""

    instrument: Instrument
    uic: int
    asset_type: str
    native: str
    order_types: frozenset[str]

    @property
    def symbol(self) -> str:
        """The canonical symbol."""
        return self.instrument.symbol


def canonical(native: str, asset_type: str, currency: str) -> str:
    """Our symbol: EUR/USD of EURUSD, AAPL of AAPL:xnas. Raises ProviderError for a strange pair."""
    if asset_type != PAIRS:
        return native.partition(":")[0]
    base = native.removesuffix(currency)
    if base == native or not base:
        raise ProviderError(f"Saxo told a pair that does not end with its currency: {native}")
    return f"{base}/{currency}"


def listing(body: Body) -> Listing | None:
    """An instrument of `ref/v1/instruments/details`; None for a kind that cannot be traded here.

    Raises ProviderError.
    """
    with reading("an instrument"):
        asset_type = body["AssetType"]
        kind = known(KINDS, asset_type, "asset type")
        if kind is None:
            return None
        currency = body["CurrencyCode"]
        instrument = Instrument(
            symbol=canonical(body["Symbol"], asset_type, currency),
            asset_class=kind,
            price_increment=tick(body),
            quantity_increment=lot(body),
            currency=currency,
        )
        return Listing(
            instrument=instrument,
            uic=int(body["Uic"]),
            asset_type=asset_type,
            native=body["Symbol"],
            order_types=frozenset(body.get("SupportedOrderTypes") or ()),
        )


def tick(body: Body) -> Decimal:
    """The step that all orders' prices may have.

    Of limits and stops the coarser counts. A stock's step depends on its price: the usual one
    counts, and below it the venue refuses what it must.
    """
    names = ("TickSizeLimitOrder", "TickSizeStopOrder")
    told = [number(body[name]) for name in names if body.get(name)]
    if told:
        return max(told)
    scheme = body.get("TickSizeScheme") or {}
    single = maybe(scheme.get("DefaultTickSize")) or maybe(body.get("TickSize"))
    return single or displayed(body["Format"])


def displayed(body: Body) -> Decimal:
    """The step of prices as they are shown."""
    extra = known(EXTRA_DECIMALS, body.get("Format", "Normal"), "price format")
    decimals = int(body["Decimals"])
    if extra is None:
        return Decimal(2) ** -decimals
    return Decimal(1).scaleb(-decimals - extra)


def lot(body: Body) -> Decimal:
    """The step of quantities."""
    whole = known(WHOLE_LOTS, body.get("LotSizeType", "NotUsed"), "lot size type")
    size = maybe(body.get("LotSize"))
    if whole and size:
        return size
    return Decimal(1).scaleb(-int(body.get("AmountDecimals", 0)))


def chosen(native: str, found: Iterable[Body]) -> Body | None:
    """The search result whose symbol is exactly this one."""
    return next((body for body in found if body.get("Symbol") == native), None)


def nearest(symbol: str, found: Iterable[Body], exchanges: Sequence[str]) -> Body | None:
    """The search result for a share without its exchange: that of the first exchange named."""
    places = {name: rank for rank, name in enumerate(exchanges)}

    def rank(body: Body) -> int:
        return places.get(str(body["Symbol"]).partition(":")[2].lower(), len(places))

    same = [body for body in found if str(body.get("Symbol")).partition(":")[0] == symbol]
    return min(same, key=rank, default=None)


# Quotes


def merged(state: Body, delta: Body) -> dict[str, Any]:
    """A body with what a delta tells of it: objects inside are merged, all else is replaced."""
    result = dict(state)
    for name, value in delta.items():
        before = result.get(name)
        both = isinstance(before, dict) and isinstance(value, dict)
        result[name] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def quote(body: Body, symbol: str, provider: str) -> Quote | None:
    """An info price; None where one side has no price. Raises ProviderError."""
    with reading("a price"):
        told, details = body.get("Quote") or {}, body.get("PriceInfoDetails") or {}
        if not (_has_price(told, "Bid") and _has_price(told, "Ask")):
            return None
        return new_quote(
            symbol=symbol,
            provider=provider,
            bid=number(told["Bid"]),
            bid_size=maybe(details.get("BidSize")),
            ask=number(told["Ask"]),
            ask_size=maybe(details.get("AskSize")),
            last=maybe(details.get("LastTraded")),
            volume=maybe(details.get("Volume")),
            timestamp=moment(body["LastUpdated"]),
        )


def _has_price(told: Body, side: str) -> bool:
    quality = told.get(f"PriceType{side}")
    return told.get(side) is not None and known(HAS_PRICE, str(quality), "price type")


# Candles


def horizon(timeframe: Timeframe) -> int:
    """Minutes of the candles that a timeframe is made of."""
    minutes = MINUTES[timeframe]
    return BASES.get(minutes, minutes)


def candle(body: Body, query: BarQuery, provider: str) -> Bar:
    """A sample of `chart/v3/charts`; pairs have bids and asks, of which the bids count.

    Raises ProviderError.
    """
    with reading("a candle"):
        side = "" if "Open" in body else "Bid"
        return new_bar(
            symbol=query.symbol,
            provider=provider,
            timeframe=query.timeframe,
            timestamp=moment(body["Time"]),
            open=number(body[f"Open{side}"]),
            high=number(body[f"High{side}"]),
            low=number(body[f"Low{side}"]),
            close=number(body[f"Close{side}"]),
            volume=number(body.get("Volume") or 0),
        )


def gathered(bars: Sequence[Bar], minutes: int) -> list[Bar]:
    """Ascending candles made into longer ones, which begin at multiples of their length."""
    groups: dict[datetime, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(floor(bar.timestamp, minutes), []).append(bar)
    return [
        group[0].evolve(
            timestamp=start,
            high=max(bar.high for bar in group),
            low=min(bar.low for bar in group),
            close=group[-1].close,
            volume=sum((bar.volume for bar in group), Decimal(0)),
        )
        for start, group in groups.items()
    ]


def floor(at: datetime, minutes: int) -> datetime:
    """The beginning of the interval of that many minutes, counted from 1970, UTC."""
    length = minutes * 60
    return datetime.fromtimestamp(int(at.timestamp()) // length * length, UTC)


def is_within(bar: Bar, query: BarQuery, at: datetime) -> bool:
    """Whether a candle is in the window and closed at `at`."""
    begun = query.start is None or bar.timestamp >= query.start
    ended = query.end is None or bar.timestamp <= query.end
    return begun and ended and bar.timestamp + timedelta(minutes=MINUTES[query.timeframe]) <= at
