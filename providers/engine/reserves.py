"""How much the open orders of an account would buy or sell, by symbol and side.

Kept as sums, so that the margin of one more order costs the same whether ten or ten thousand
orders rest. What an order will pay is known for a limit (its limit) and a waiting stop (its stop
price); an order that executes at the market is valued at the quote when the sum is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from providers.engine.money import EXACT, ZERO, quotient
from providers.models import Order, Side


@dataclass(frozen=True, slots=True)
class Resting:
    """Sums over the open orders of one symbol and side that may add exposure."""

    priced: Decimal = ZERO  # quantity of orders with a price
    notional: Decimal = ZERO  # its value at those prices
    at_market: Decimal = ZERO  # quantity of orders without one

    def plus(self, quantity: Decimal, price: Decimal | None) -> Resting:
        """These sums with one more order; a negative quantity takes one away."""
        if price is None:
            at_market = EXACT.add(self.at_market, quantity)
            return Resting(self.priced, self.notional, at_market)
        return Resting(
            EXACT.add(self.priced, quantity),
            EXACT.add(self.notional, EXACT.multiply(quantity, price)),
            self.at_market,
        )

    def value(self, market_price: Decimal, covered: Decimal) -> Decimal:
        """What executing everything would be worth beyond `covered`.

        `covered` is the quantity of the opposite position, which these orders would only close.
        It is taken off at the orders' mean price, since which of them closes it is not known.
        """
        quantity = self.priced + self.at_market
        if quantity <= covered:
            return ZERO
        value = self.notional + self.at_market * market_price
        return value if not covered else quotient(value * (quantity - covered), quantity)


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
        changed = self.of(*key).plus(quantity, expected_price(order))
        if changed.priced or changed.at_market:
            self._sums[key] = changed
        else:
            self._sums.pop(key, None)


def expected_price(order: Order) -> Decimal | None:
    """The price that an order is expected to trade at; None means the market's.

    Of a range of prices it is the highest, since that binds most.
    """
    if order.limit_price is None:
        return None if order.triggered else order.stop_price
    if order.stop_price is None or order.triggered or order.side is Side.BUY:
        return order.limit_price
    return max(order.limit_price, order.stop_price)  # sells from its stop down to its limit
