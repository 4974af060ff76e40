"""What the open orders of an account would bind in margin, by symbol and side.

Kept as sums, so that the margin of one more order costs the same whether ten or ten thousand
orders rest. What an order will pay is known for a limit (its limit) and a waiting stop (its stop
price); an order that executes at the market is valued at the quote when the sum is asked for.
"""

from __future__ import annotations

from collections.abc import ItemsView
from decimal import Decimal
from typing import NamedTuple

from providers.engine.money import EXACT, ONE, ZERO, quotient
from providers.models import Order, Position, Side


class Resting(NamedTuple):
    """Sums over the open orders of one symbol and side that may add exposure.

    `margin` is what the priced orders would bind; `scaled` is the quantity of the others, each
    divided by its leverage, so that times a price it is what they would bind.
    """

    quantity: Decimal = ZERO
    margin: Decimal = ZERO
    scaled: Decimal = ZERO

    def plus(self, quantity: Decimal, price: Decimal | None, leverage: Decimal) -> Resting:
        """These sums with one more order; a negative quantity takes one away."""
        total = EXACT.add(self.quantity, quantity)
        if price is None:
            scaled = EXACT.add(self.scaled, quotient(quantity, leverage))
            return Resting(total, self.margin, scaled)
        bound = quotient(EXACT.multiply(quantity, price), leverage)
        return Resting(total, EXACT.add(self.margin, bound), self.scaled)

    def value(self, market_price: Decimal, covered: Decimal) -> Decimal:
        """What executing everything would bind beyond `covered`.

        `covered` is the quantity of the opposite position, which these orders would only close.
        It is taken off at the orders' mean margin, since which of them closes it is not known.
        """
        if self.quantity <= covered:
            return ZERO
        value = self.margin + self.scaled * market_price
        return quotient(value * (self.quantity - covered), self.quantity) if covered else value


NOTHING = Resting()


class Reserves:
    """The sums of every symbol and side, kept in step with the orders."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[tuple[str, Side], Resting] = {}

    def copy(self) -> Reserves:
        twin = Reserves()
        twin._sums.update(self._sums)
        return twin

    def of(self, symbol: str, side: Side) -> Resting:
        return self._sums.get((symbol, side), NOTHING)

    def items(self) -> ItemsView[tuple[str, Side], Resting]:
        """The sums that are not nothing, by symbol and side."""
        return self._sums.items()

    def symbols(self) -> set[str]:
        return {symbol for symbol, _ in self._sums}

    def add(self, order: Order) -> None:
        self._change(order, order.remaining_quantity)

    def remove(self, order: Order) -> None:
        self._change(order, order.remaining_quantity.copy_negate())  # unary minus would round

    def _change(self, order: Order, quantity: Decimal) -> None:
        if order.reduce_only:
            return  # it can only ever close
        key = (order.symbol, order.side)
        changed = self.of(*key).plus(quantity, expected_price(order), leverage_of(order))
        if changed.quantity:
            self._sums[key] = changed
        else:
            self._sums.pop(key, None)


def leverage_of(entity: Order | Position) -> Decimal:
    return entity.leverage or ONE


def expected_price(order: Order) -> Decimal | None:
    """The price that an order is expected to trade at; None means the market's.

    Of a range of prices it is the highest, since that binds most.
    """
    if order.limit_price is None:
        return None if order.triggered else order.stop_price
    if order.stop_price is None or order.triggered or order.side is Side.BUY:
        return order.limit_price
    return max(order.limit_price, order.stop_price)  # sells from its stop down to its limit
