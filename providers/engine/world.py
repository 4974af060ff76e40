"""What a decision may know besides the account: time, ids, market and rules, all passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from providers.engine.money import ZERO, trim
from providers.engine.state import Event
from providers.errors import TradingError
from providers.models import AssetClass, Quote, Side

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

    Fees are fractions of the notional (0.0005 is 5 basis points); `leverage` divides the margin
    of positions and orders.
    """

    maker_fee: Decimal = ZERO
    taker_fee: Decimal = ZERO
    leverage: Decimal = Decimal(1)

    def commission(self, notional: Decimal, *, is_maker: bool) -> Decimal:
        return trim(notional * (self.maker_fee if is_maker else self.taker_fee))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The surroundings of one decision.

    `now` is the moment of the command; `quote` and `instrument` answer for a canonical symbol as
    of that moment, `instrument` with None where there is none; `new_id` makes ids.
    """

    now: datetime
    new_id: Callable[[str], str]
    quote: Callable[[str], Quote]
    instrument: Callable[[str], Tradeable | None]
    session_end: Callable[[AssetClass, datetime], datetime]
    rules: Rules


@dataclass(frozen=True, slots=True)
class Decision(Generic[T]):
    """What happened, and the answer; a refusal is an answer, not an exception."""

    events: tuple[Event, ...]
    result: T | TradingError


def touch(quote: Quote, side: Side) -> tuple[Decimal, Decimal | None]:
    """Price and size that an order of this side trades against; a size of None is unlimited."""
    if side is Side.BUY:
        return quote.ask, quote.ask_size
    return quote.bid, quote.bid_size
