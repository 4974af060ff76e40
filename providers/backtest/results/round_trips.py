"""Fills paired into round trips: from flat to flat, by average-price accounting.

The arithmetic is the engine's, to the last digit: an average entry price is rounded half even to
18 places, a partial exit takes it off the cost, the last exit takes the rest. So the profits of
all round trips, the open ones at the mark, add up to what the equity has changed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from providers.backtest.results.record import RunRecord
from providers.backtest.source import closes
from providers.engine.margin import DIRECTION
from providers.engine.money import ZERO, exact, quotient, trim
from providers.models import Bar, PositionMode, PositionSide, Trade

_AT_OPEN: Final = timedelta(milliseconds=1)
"""Until then a fill is one at the opening: fills of one moment are told apart by microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """A fill that closed a part of a position, or the rest of it."""

    time: datetime
    price: Decimal
    quantity: Decimal
    pnl: Decimal
    """Profit or loss on this part, before commissions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """A position from its first fill until it was flat, or until the run ended."""

    number: int
    status: str
    """closed or open; of an open one `pnl` is at the last price."""
    symbol: str
    side: PositionSide
    quantity: Decimal
    """All that was entered."""
    entry_time: datetime
    entry_price: Decimal
    """The average over all entries."""
    exit_time: datetime | None
    exit_price: Decimal | None
    """The average over all exits; of an open trip None."""
    pnl: Decimal
    """Net of commissions."""
    commission: Decimal
    net_return: Decimal
    """pnl as a fraction of what was paid to enter."""
    bars: int | None
    """How many bars of the run closed while it lasted; None of a run that closed none."""
    adverse: Decimal | None
    """How far the price is known to have gone against the average entry, a fraction of it; None
    without bars.
    """
    favourable: Decimal | None
    exits: tuple[Exit, ...]


@dataclass(slots=True)
class _Held:
    """A position in the making."""

    symbol: str
    side: PositionSide
    opened: Trade
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    average: Decimal = ZERO
    entered: Decimal = ZERO
    paid: Decimal = ZERO
    commission: Decimal = ZERO
    exits: list[Exit] = field(default_factory=list)

    def enter(self, quantity: Decimal, price: Decimal) -> None:
        self.quantity += quantity
        self.cost += price * quantity
        self.entered += quantity
        self.paid += price * quantity
        self.average = quotient(self.cost, self.quantity)

    def exit(self, fill: Trade, quantity: Decimal) -> None:
        rest = self.quantity - quantity
        released = self.average * quantity if rest else self.cost
        gain = self.signed(fill.price * quantity - released)
        self.quantity, self.cost = rest, self.cost - released
        done = Exit(time=fill.timestamp, price=fill.price, quantity=quantity, pnl=trim(gain))
        self.exits.append(done)

    def signed(self, gain: Decimal) -> Decimal:
        return gain if self.side is PositionSide.LONG else -gain

    def pnl(self, mark: Decimal) -> Decimal:
        """Net of commissions, what is still held at the mark."""
        realized = sum((each.pnl for each in self.exits), ZERO)
        return realized + self.signed(mark * self.quantity - self.cost) - self.commission


def round_trips(record: RunRecord) -> list[RoundTrip]:
    """All round trips in the order in which they began, those still open at the end too."""
    with exact():
        trips = _paired(record)
        closed = [point.time for point in record.equity]
        symbols = {held.symbol for held in trips}
        histories = {symbol: _History(record.bars.get(symbol, ())) for symbol in symbols}
        return [
            _finished(number, held, histories[held.symbol], closed, record)
            for number, held in enumerate(trips, start=1)
        ]


def _paired(record: RunRecord) -> list[_Held]:
    """The positions that the fills opened, in order."""
    hedging = record.position_mode is PositionMode.HEDGING
    position_of = {order.id: order.position_id for order in record.orders} if hedging else {}
    held: dict[str, _Held] = {}
    made: list[_Held] = []
    for fill in record.trades:
        key = position_of.get(fill.order_id) or fill.symbol
        after = _settled(held.get(key), fill, made)
        if after.quantity:
            held[key] = after
        else:
            held.pop(key, None)
    return made


def _settled(held: _Held | None, fill: Trade, made: list[_Held]) -> _Held:
    """The position after a fill, which may be a new one: it is added to those made then."""
    side, commission, quantity = DIRECTION[fill.side], fill.commission, fill.quantity
    if held is not None and held.side is not side:
        closing = min(held.quantity, quantity)
        share = quotient(commission * closing, quantity) if closing < quantity else commission
        held.exit(fill, closing)
        held.commission += share
        quantity, commission = quantity - closing, commission - share
        if not quantity:
            return held
        held = None
    if held is None:
        held = _Held(fill.symbol, side, fill)
        made.append(held)
    held.enter(quantity, fill.price)
    held.commission += commission
    return held


def _finished(
    number: int, held: _Held, history: _History, closed: Sequence[datetime], record: RunRecord
) -> RoundTrip:
    last = held.exits[-1] if held.exits and not held.quantity else None
    mark = (None if last else record.mark(held.symbol)) or held.average
    pnl = held.pnl(mark)
    entry = quotient(held.paid, held.entered)
    until = last.time if last else record.ended
    seen = history.at(until) if last else history.closed_by(until)
    adverse, favourable = _excursions(held, entry, history, seen)
    return RoundTrip(
        number=number,
        status="closed" if last else "open",
        symbol=held.symbol,
        side=held.side,
        quantity=trim(held.entered),
        entry_time=held.opened.timestamp,
        entry_price=entry,
        exit_time=last.time if last else None,
        exit_price=_average(held.exits) if last else None,
        pnl=trim(pnl),
        commission=trim(held.commission),
        net_return=quotient(pnl, held.paid),
        bars=bisect_right(closed, until) - bisect_right(closed, held.opened.timestamp)
        if closed
        else None,
        adverse=adverse,
        favourable=favourable,
        exits=tuple(held.exits),
    )


def _excursions(
    held: _Held, entry: Decimal, history: _History, stop: int
) -> tuple[Decimal, Decimal] | tuple[None, None]:
    """How far the price went against the trip and in its favour before the bar `stop`."""
    if not history.bars:
        return None, None
    moves = [
        trim(held.signed(quotient(price - entry, entry))) for price in history.extremes(held, stop)
    ]
    return min(*moves, ZERO), max(*moves, ZERO)


def _average(exits: Iterable[Exit]) -> Decimal:
    done = list(exits)
    total = sum((each.quantity for each in done), ZERO)
    return quotient(sum((each.price * each.quantity for each in done), ZERO), total)


class _History:
    """The bars of a symbol, to find those of a moment."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.bars = bars
        self.opens = [bar.timestamp for bar in bars]

    def at(self, moment: datetime) -> int:
        """The place of the bar that a moment falls into."""
        return max(bisect_right(self.opens, moment) - 1, 0)

    def closed_by(self, moment: datetime) -> int:
        """How many bars have closed by a moment."""
        return bisect_right(self.bars, moment, key=closes)

    def extremes(self, held: _Held, stop: int) -> tuple[Decimal, Decimal]:
        """The lowest and highest price that is certain to have been seen before the bar `stop`.

        Of the bar of the entry all counts if the fill was at its open, else its close alone; of
        the bar of the exit nothing but the fill.
        """
        seen = [held.opened.price, *(each.price for each in held.exits)]
        first = self.at(held.opened.timestamp)
        if first < stop and held.opened.timestamp - self.opens[first] > _AT_OPEN:
            seen.append(self.bars[first].close)
            first += 1
        inside = self.bars[first:stop]
        low = min((bar.low for bar in inside), default=seen[0])
        high = max((bar.high for bar in inside), default=seen[0])
        return min(low, *seen), max(high, *seen)
