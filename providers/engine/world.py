"""What a decision may know besides the account: time, ids, market and rules, all passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Generic, NamedTuple, Protocol, TypeVar

from providers.engine.money import ZERO, trim
from providers.engine.state import Event
from providers.errors import TradingError
from providers.models import AssetClass, PositionMode, Quote, Side

T = TypeVar("T")


class Tradeable(Protocol):
    """An instrument as the engine needs it: its steps and the currency it is paid in."""

    @property
    def symbol(self) -> str: ...

    @property
    def asset_class(self) -> AssetClass: ...

    @property
    def price_increment(self) -> Decimal: ...

    @property
    def quantity_increment(self) -> Decimal: ...

    @property
    def currency(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The policy of the exchange.

    `maker_fee`, `taker_fee` and `slippage` are fractions (0.0005 is 5 basis points), the first two
    of the notional, the last of the price that a taking order pays. `unit_fee` is per unit traded,
    `order_fee` per order, at its first fill; all fees add up. `leverage` counts for an order that
    names none. A position is liquidated when what backs it falls to `maintenance`, a fraction of
    its notional, and the account is warned at `warning` times that. An order waits `latency`
    before it meets a quote. With `penetrate` a resting limit trades only where the market goes
    through it, not where it is merely touched.
    """

    position_mode: PositionMode = PositionMode.NETTING
    maker_fee: Decimal = ZERO
    taker_fee: Decimal = ZERO
    unit_fee: Decimal = ZERO
    order_fee: Decimal = ZERO
    slippage: Decimal = ZERO
    leverage: Decimal = Decimal(1)
    max_leverage: Decimal = Decimal(20)
    maintenance: Decimal = Decimal("0.02")
    warning: Decimal = Decimal("1.5")
    latency: timedelta = timedelta(0)
    penetrate: bool = False

    def commission(self, price: Decimal, quantity: Decimal, *, maker: bool, first: bool) -> Decimal:
        """What one fill costs; exact, never rounded."""
        rate = self.maker_fee if maker else self.taker_fee
        fee = price * quantity * rate + quantity * self.unit_fee
        return trim(fee + self.order_fee if first else fee)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The surroundings of one decision.

    `now` is the moment of the command; `quote` and `instrument` answer for a canonical symbol as
    of that moment, `instrument` with None where there is none; `new_id` makes ids. `group_traded`
    tells whether any order of an OCO group ever filled. `session_end` is the first end of an asset
    class's session after a moment, `is_open` whether it trades then.

    Where a market is replayed, time stands still `between` two quotes: the one in force has been
    seen, so nothing trades on it and new orders wait for the next. `gapped` says that the market
    has leapt to its quote, so that there was no trading at the prices in between.

    Where a real venue executes, `at_venue` tells whether an order, by its id, stands there: to end
    it is the venue's then, and until that has happened it is PENDING_CANCEL. Whether the money
    suffices is for the venue to judge, too, so `judges_margin` is False.
    """

    now: datetime
    new_id: Callable[[str], str]
    quote: Callable[[str], Quote]
    instrument: Callable[[str], Tradeable | None]
    rules: Rules
    session_end: Callable[[AssetClass, datetime], datetime]
    is_open: Callable[[AssetClass, datetime], bool] = lambda *_: True
    group_traded: Callable[[str], bool] = lambda _: False
    between: bool = False
    gapped: bool = False
    at_venue: Callable[[str], bool] = lambda _: False
    judges_margin: bool = True

    def listed(self, symbol: str) -> Tradeable:
        """The instrument of an accepted order or position, which has one."""
        instrument = self.instrument(symbol)
        if instrument is None:
            raise LookupError(f"{symbol} is traded and not listed")
        return instrument

    def trades_now(self, symbol: str) -> bool:
        """Whether the market of a listed symbol is open."""
        return self.is_open(self.listed(symbol).asset_class, self.now)


class Decision(NamedTuple, Generic[T]):
    """What happened, and the answer; a refusal is an answer, not an exception."""

    events: tuple[Event, ...]
    result: T | TradingError


def touch(quote: Quote, side: Side) -> tuple[Decimal, Decimal | None]:
    """Price and size that an order of this side trades against; a size of None is unlimited."""
    if side is Side.BUY:
        return quote.ask, quote.ask_size
    return quote.bid, quote.bid_size
