"""What protects a position, and what fills and cancels along: brackets, OCO groups, reduce-only.

A bracket is an entry order with a stop_loss or a take_profit. As the entry fills, its legs come
into being, reduce-only and sized to what has filled: a STOP at stop_loss, a LIMIT at take_profit,
both with the entry as parent. What one leg fills is taken off the other. The exits that a client
sets on a position are legs of the position in the same way.

After every fill, in this order: the other orders of its OCO group are cancelled, its bracket legs
are made or resized, the other leg shrinks, and reduce-only orders shrink to the position they
reduce or end with it. So exits never add up to more than is held.
"""

from __future__ import annotations

from decimal import Decimal

from providers.engine.book import closing, end, resize, room
from providers.engine.fills import due, marketable
from providers.engine.links import grouped, legs_of, reducing
from providers.engine.margin import DIRECTION
from providers.engine.turn import Turn
from providers.models import (
    Order,
    OrderStatus,
    OrderType,
    Position,
)


def follow_fill(turn: Turn, order: Order, quantity: Decimal, position: Position | None) -> None:
    """Everything that a fill of an order entails for other orders.

    `position` is what the fill opened, added to or reduced, if it is still there.
    """
    if order.oco_group_id is not None:
        cancel_group(turn, order)
    if order.parent_order_id is not None:
        shrink_siblings(turn, order, quantity)
    release(turn, order)
    if order.stop_loss is not None or order.take_profit is not None:
        protect(turn, order, quantity, position)


def cancel_group(turn: Turn, order: Order) -> None:
    """One fills, also partly: the others of its group are cancelled."""
    for other in turn.linked(grouped(order.oco_group_id or "")):
        if other.id != order.id:
            end(turn, other, OrderStatus.CANCELLED)


def shrink_siblings(turn: Turn, leg: Order, quantity: Decimal) -> None:
    for other in turn.linked(legs_of(leg.parent_order_id or "")):
        if other.id != leg.id:
            resize(turn, other, other.remaining_quantity - quantity)


def release(turn: Turn, filled: Order) -> None:
    """Shrink the reduce-only orders of a symbol to what a fill has left for them to reduce."""
    for order in turn.linked(reducing(filled.symbol)):
        left = room(turn, order)
        if left < order.remaining_quantity:
            resize(turn, order, left)


def protect(turn: Turn, entry: Order, quantity: Decimal, position: Position | None) -> None:
    """Make the legs of an entry, or let them grow by what has just filled."""
    if position is None or position.side is not DIRECTION[entry.side]:
        return  # the fill only reduced: there is nothing to protect
    quantity = min(quantity, position.quantity)
    legs = {leg.order_type: leg for leg in turn.linked(legs_of(entry.id))}
    for kind, price in ((OrderType.STOP, entry.stop_loss), (OrderType.LIMIT, entry.take_profit)):
        if price is None:
            continue
        if kind in legs:
            resize(turn, legs[kind], legs[kind].remaining_quantity + quantity)
        else:
            add_exit(turn, position, kind, price, quantity, entry.id)


def add_exit(
    turn: Turn,
    position: Position,
    kind: OrderType,
    price: Decimal,
    quantity: Decimal,
    parent_id: str,
) -> Order:
    """Put a STOP or LIMIT order on the book that can only reduce this position."""
    order = closing(turn, position, kind, quantity).evolve(parent_order_id=parent_id)
    if kind is OrderType.STOP:
        order = order.evolve(stop_price=price, triggered=False)
    else:
        order = order.evolve(limit_price=price)
    turn.owe(order, resting=False)
    return turn.order_event("BRACKET_ORDER_CREATED", order)


def move_legs(turn: Turn, before: Order, entry: Order) -> None:
    """Bring the legs of a changed entry to its prices, and make those it had not asked for.

    Legs that it had and that have ended are not made again: what they protected is gone.
    """
    held = turn.position(entry.position_id) if entry.position_id else None
    if held is None or not entry.filled_quantity or held.side is not DIRECTION[entry.side]:
        return  # nothing has filled, or it only reduced
    legs = {leg.order_type: leg for leg in turn.linked(legs_of(entry.id))}
    if not legs and (before.stop_loss is not None or before.take_profit is not None):
        return
    covered = min(entry.filled_quantity, held.quantity)
    quantity = max((leg.remaining_quantity for leg in legs.values()), default=covered)
    for kind, price in ((OrderType.STOP, entry.stop_loss), (OrderType.LIMIT, entry.take_profit)):
        if price is not None and kind in legs:
            move_exit(turn, legs[kind], price)
        elif price is not None:
            add_exit(turn, held, kind, price, quantity, entry.id)


def set_exits(
    turn: Turn, position: Position, stop_loss: Decimal | None, take_profit: Decimal | None
) -> None:
    """Create or move the exits of a position; None leaves what there is."""
    for kind, price in ((OrderType.STOP, stop_loss), (OrderType.LIMIT, take_profit)):
        if price is None:
            continue
        found = [order for order in exits_of(turn, position) if order.order_type is kind]
        for order in found:
            move_exit(turn, order, price)
        if not found:
            add_exit(turn, position, kind, price, position.quantity, position.id)


def move_exit(turn: Turn, order: Order, price: Decimal) -> None:
    """Move a STOP or LIMIT exit to a price, unless it has triggered and is already going."""
    field = "stop_price" if order.order_type is OrderType.STOP else "limit_price"
    if getattr(order, field) == price or order.triggered:
        return
    if due(order, turn.world) or not marketable(order, turn.world.quote(order.symbol)):
        turn.owe(order, resting=False)
    moved = order.evolve(**{field: price}, updated_at=turn.stamp())
    turn.order_event("BRACKET_ORDER_MODIFIED", moved)


def exits_of(turn: Turn, position: Position) -> list[Order]:
    """The open stop-losses and take-profits of a position: its own, and its brackets' legs.

    Other reduce-only orders are the client's own; nobody else moves or cancels them.
    """
    return [
        order
        for order in turn.linked(reducing(position.symbol))
        if order.position_id == position.id and order.parent_order_id is not None
    ]


def cancel_exits(turn: Turn, position: Position) -> None:
    for order in exits_of(turn, position):
        end(turn, order, OrderStatus.CANCELLED)
