"""The way of the price through a bar.

History tells where a bar opened and closed and how far it went, not in which order. The price is
taken to go from the open to the extreme that is nearer, then to the other, then to the close, and
to pass every price on its way. Where both are equally near it goes to the low first.

Source: the adaptive path of NautilusTrader, which visits the nearer extreme first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from providers.models import Bar


class Exits(NamedTuple):
    """A stop-loss and a take-profit of one side, of which only one can happen."""

    stop: Decimal
    limit: Decimal


def waypoints(bar: Bar) -> list[Decimal]:
    """Where the price turns after the open: the nearer extreme, the other, the close."""
    if bar.high - bar.open < bar.open - bar.low:
        return [bar.high, bar.low, bar.close]
    return [bar.low, bar.high, bar.close]


def stop_first(price: Decimal, ahead: Sequence[Decimal], exits: Iterable[Exits]) -> list[Decimal]:
    """The way ahead, changed so that no take-profit is reached before its stop-loss.

    Where both lie on the way, nobody can know which came first, and it is the stop-loss that is
    taken to have (as backtesting.py, freqtrade and LEAN do): the price goes to the extreme behind
    the stop first.
    """
    way = list(ahead)
    for pair in exits:
        stop, limit = first_reached(price, way, pair.stop), first_reached(price, way, pair.limit)
        if stop is None or limit is None or stop <= limit:
            continue
        turn = (min if pair.stop < pair.limit else max)(way)
        if stop == 1 and len(way) == 3:
            return [way[1], way[0], way[2]]
        return [turn, *way]
    return way


def first_reached(price: Decimal, way: Sequence[Decimal], wanted: Decimal) -> int | None:
    """On which leg of the way a price is reached; None if it is not."""
    for number, turn in enumerate(way):
        if min(price, turn) <= wanted <= max(price, turn):
            return number
        price = turn
    return None
