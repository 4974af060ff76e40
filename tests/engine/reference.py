"""The exchange's books, kept a second time and naively: what trades make of positions and money.

Written from the rules alone, in fractions and signed numbers: a short position is a negative
quantity with a negative cost. It shares no code and no number type with the engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    leverage: Fraction = Fraction(1)
    isolated: bool = False

    def own_margin(self) -> Fraction:
        """What an isolated position was given."""
        return rounded(abs(self.cost) / self.leverage)

    def margin(self, mark: Fraction) -> Fraction:
        """What the position binds at this mark."""
        if self.isolated:
            return max(self.own_margin() + self.profit(mark), Fraction(0))
        return rounded(abs(self.quantity) * mark / self.leverage)

    def profit(self, mark: Fraction) -> Fraction:
        return self.quantity * mark - self.cost


@dataclass
class Terms:
    """What an order makes of a position that it opens; one that adds brings its leverage."""

    leverage: Fraction
    isolated: bool


class Books:
    """Deposits, and everything that trades have done to them since.

    What is held goes by a key: the symbol where positions are netted, else the position.
    """

    def __init__(self, deposits: Fraction) -> None:
        self.balance = deposits
        self.cash_flow = Fraction(0)
        self.commissions = Fraction(0)
        self.holdings: dict[str, Holding] = {}

    def trade(
        self, key: str, change: Fraction, price: Fraction, commission: Fraction, terms: Terms
    ) -> None:
        """A buy changes the quantity held upwards, a sale downwards."""
        self.cash_flow -= change * price
        self.commissions += commission
        self.balance -= commission
        held = self.holdings.get(key)
        if held is None or held.quantity * change > 0:
            self._increase(key, held, change, price, terms)
        elif abs(change) <= abs(held.quantity):
            self._decrease(key, held, change, price)
        else:
            excess = held.quantity + change
            self._decrease(key, held, -held.quantity, price)
            self._increase(key, None, excess, price, terms)

    @property
    def cost(self) -> Fraction:
        """What everything held has cost; negative where it was sold short."""
        return sum((held.cost for held in self.holdings.values()), Fraction(0))

    def _increase(
        self, key: str, held: Holding | None, change: Fraction, price: Fraction, terms: Terms
    ) -> None:
        before = held or Holding(Fraction(0), Fraction(0), price, isolated=terms.isolated)
        quantity = before.quantity + change
        cost = before.cost + change * price
        average = rounded(cost / quantity)
        leverage = terms.leverage
        if held is not None:
            leverage = self._blended(held, change, price, terms.leverage)
        self.holdings[key] = Holding(
            quantity, cost, average, before.realized, leverage, before.isolated
        )

    @staticmethod
    def _blended(held: Holding, change: Fraction, price: Fraction, leverage: Fraction) -> Fraction:
        """What the parts bind, each by its leverage, is what the whole binds by the result."""
        if leverage == held.leverage:
            return leverage
        parts = (held.quantity, held.leverage), (change, leverage)
        if held.isolated:
            parts = (held.cost, held.leverage), (change * price, leverage)
        whole, bound = Fraction(0), Fraction(0)
        for size, each in parts:
            whole += abs(size)
            bound += rounded(abs(size) / each)
        return rounded(whole / bound)

    def _decrease(self, key: str, held: Holding, change: Fraction, price: Fraction) -> None:
        quantity = held.quantity + change
        # The average for each unit that goes, and the whole rest of the cost with the last.
        cost = held.cost + held.average * change if quantity else Fraction(0)
        gain = held.realized + cost - held.cost - change * price
        self.balance += gain - held.realized
        del self.holdings[key]
        if quantity:
            rest = replace(held, quantity=quantity, cost=cost, realized=gain)
            self.holdings[key] = rest


def reserve(orders: Iterable[tuple[Fraction, Fraction]], covered: Fraction) -> Fraction:
    """What open orders of one symbol and side bind: (quantity, margin) each, at their mean margin
    for what goes beyond the opposite position.
    """
    listed = list(orders)
    quantity = sum((size for size, _ in listed), Fraction(0))
    value = sum((margin for _, margin in listed), Fraction(0))
    if quantity <= covered:
        return Fraction(0)
    return rounded(value * (quantity - covered) / quantity) if covered else value
