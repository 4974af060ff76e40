"""Trailing stops: where the effective stop stands, and how it moves.

The stop keeps its distance from the best price since acceptance: the highest bid for a SELL, the
lowest ask for a BUY. It only ever moves towards the market. `trailing_reference` is that best
price, `stop_price` the effective stop, rounded to the tick size away from the market, so that it
is never nearer than asked for.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from providers.engine.money import EXACT, trim
from providers.engine.world import World, touch
from providers.models import Order, OrderType, Side, TrailingType


def trails(order: Order) -> bool:
    """Whether the order is a trailing stop that still waits."""
    return order.order_type is OrderType.TRAILING_STOP and not order.triggered


def follow(order: Order, world: World) -> Order:
    """The order with its stop moved up to the present quote; itself if it stays."""
    price, _ = touch(world.quote(order.symbol), order.side)
    reference = order.trailing_reference
    if reference is not None and not improves(price, reference, order.side):
        return order
    return anchored(order, price, world)


def anchored(order: Order, reference: Decimal, world: World) -> Order:
    """The order trailing from this best price."""
    step = world.listed(order.symbol).price_increment
    stop = stop_from(reference, order, step)
    return order.evolve(trailing_reference=reference, stop_price=stop)


def improves(price: Decimal, reference: Decimal, side: Side) -> bool:
    """Whether a stop on this side would follow: down for a BUY, up for a SELL."""
    return price < reference if side is Side.BUY else price > reference


def stop_from(reference: Decimal, order: Order, step: Decimal) -> Decimal:
    """The effective stop, on the tick grid; not positive if the distance leaves no room."""
    distance = order.trailing_distance or Decimal(0)
    if order.trailing_type is TrailingType.PERCENT:
        distance = reference * distance * Decimal("0.01")
    buys = order.side is Side.BUY
    exact = reference + distance if buys else reference - distance
    return to_step(exact, step, ROUND_CEILING if buys else ROUND_FLOOR)


def to_step(price: Decimal, step: Decimal, rounding: str) -> Decimal:
    """The price rounded to a whole number of steps."""
    steps, rest = divmod(price, step)
    if rest and rounding == ROUND_CEILING:
        steps += 1
    return trim(EXACT.multiply(steps, step))
