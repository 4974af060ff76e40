"""The exchange's books, kept a second time and naively: what trades make of positions and money.

Written from the rules alone, in fractions and signed numbers: a short position is a negative
quantity with a negative cost. It shares no code and no number type with the engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

GRAIN = 10**18


def rounded(value: Fraction) -> Fraction:
    """To 18 places; Python's `round` takes the even one of two neighbours equally near."""
    return Fraction(round(value * GRAIN), GRAIN)


@dataclass
class Holding:
    """What is held of a symbol: signed quantity and cost; the average price is positive."""

    quantity: Fraction
    cost: Fraction
    average: Fraction
    realized: Fraction = Fraction(0)


class Books:
    """Deposits, and everything that trades have done to them since."""

    def __init__(self, deposits: Fraction) -> None:
        self.balance = deposits
        self.cash_flow = Fraction(0)
        self.commissions = Fraction(0)
        self.holdings: dict[str, Holding] = {}

    def trade(self, symbol: str, change: Fraction, price: Fraction, commission: Fraction) -> None:
        """A buy changes the quantity held upwards, a sale downwards."""
        self.cash_flow -= change * price
        self.commissions += commission
        self.balance -= commission
        held = self.holdings.get(symbol)
        if held is None or held.quantity * change > 0:
            self._increase(symbol, held, change, price)
        elif abs(change) <= abs(held.quantity):
            self._decrease(symbol, held, change, price)
        else:
            excess = held.quantity + change
            self._decrease(symbol, held, -held.quantity, price)
            self._increase(symbol, None, excess, price)

    @property
    def cost(self) -> Fraction:
        """What everything held has cost; negative where it was sold short."""
        return sum((held.cost for held in self.holdings.values()), Fraction(0))

    def _increase(
        self, symbol: str, held: Holding | None, change: Fraction, price: Fraction
    ) -> None:
        before = held or Holding(Fraction(0), Fraction(0), price)
        quantity = before.quantity + change
        cost = before.cost + change * price
        average = rounded(cost / quantity)
        self.holdings[symbol] = Holding(quantity, cost, average, before.realized)

    def _decrease(self, symbol: str, held: Holding, change: Fraction, price: Fraction) -> None:
        quantity = held.quantity + change
        # The average for each unit that goes, and the whole rest of the cost with the last.
        cost = held.cost + held.average * change if quantity else Fraction(0)
        gain = held.realized + cost - held.cost - change * price
        self.balance += gain - held.realized
        del self.holdings[symbol]
        if quantity:
            self.holdings[symbol] = Holding(quantity, cost, held.average, gain)


def reserve(orders: Iterable[tuple[Fraction, Fraction]], covered: Fraction) -> Fraction:
    """What open orders of one symbol and side bind: (quantity, price) each, at their mean price
    for what goes beyond the opposite position.
    """
    listed = list(orders)
    quantity = sum((size for size, _ in listed), Fraction(0))
    value = sum((size * price for size, price in listed), Fraction(0))
    if quantity <= covered:
        return Fraction(0)
    return rounded(value * (quantity - covered) / quantity)
