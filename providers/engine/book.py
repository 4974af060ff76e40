"""The small moves of orders on the book that everything else is made of."""

from __future__ import annotations

from decimal import Decimal

from providers.engine.fills import due, rests
from providers.engine.margin import DIRECTION, total_quantity
from providers.engine.money import ZERO
from providers.engine.turn import Turn
from providers.models import (
    Order,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    Side,
    TimeInForce,
)
from providers.values import trusted

trusted_order = trusted(Order)

EXIT_SIDE = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}


def end(turn: Turn, order: Order, status: OrderStatus) -> Order:
    """Move a working order to a terminal state without a fill, or have its venue do so."""
    if turn.world.at_venue(order.id):
        return ask_to_cancel(turn, order)
    changed = order.evolve(status=status, updated_at=turn.stamp())
    return turn.order_event(f"ORDER_{status.value}", changed)


def ask_to_cancel(turn: Turn, order: Order) -> Order:
    """The order as one that its venue has been asked to cancel; it may still fill."""
    if order.status is OrderStatus.PENDING_CANCEL:
        return order
    asked = order.evolve(status=OrderStatus.PENDING_CANCEL, updated_at=turn.stamp())
    return turn.order_event("ORDER_MODIFIED", asked)


def resize(turn: Turn, order: Order, remaining: Decimal) -> Order:
    """Change what an exit still has to fill; one with nothing left is cancelled."""
    if remaining <= 0:
        return end(turn, order, OrderStatus.CANCELLED)
    if remaining == order.remaining_quantity:
        return order
    if due(order, turn.world):
        turn.owe(order, resting=rests(order, turn.world))
    resized = order.evolve(
        quantity=order.filled_quantity + remaining,
        remaining_quantity=remaining,
        updated_at=turn.stamp(),
    )
    return turn.order_event("ORDER_MODIFIED", resized)


def closing(turn: Turn, position: Position, kind: OrderType, quantity: Decimal) -> Order:
    """A new order of the exchange's own making that can only reduce this position."""
    now = turn.stamp()
    return trusted_order(
        id=turn.world.new_id("ord"),
        symbol=position.symbol,
        side=EXIT_SIDE[position.side],
        order_type=kind,
        quantity=quantity,
        filled_quantity=ZERO,
        remaining_quantity=quantity,
        status=OrderStatus.OPEN,
        time_in_force=TimeInForce.GTC,
        reduce_only=True,
        position_id=position.id,
        created_at=now,
        updated_at=now,
    )


def room(turn: Turn, order: Order) -> Decimal:
    """How much a reduce-only order may still fill: what is held against it."""
    return total_quantity(
        held
        for held in turn.positions()
        if held.symbol == order.symbol
        and held.side is not DIRECTION[order.side]
        and order.position_id in (None, held.id)
    )
