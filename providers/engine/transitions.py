"""What a fill does to order, position and balance: the transitions that keep the invariants.

    quantity = filled_quantity + remaining_quantity
    balance  = deposits + realized profit and loss - commissions

A position keeps its exact cost. Reducing it realizes (price - average entry) per unit and takes
the same average off the cost; closing it takes the whole rest, so that over the life of a
position what was realized is exactly what was paid and received, to the last digit.
"""

from __future__ import annotations

from decimal import Decimal

from providers.engine.fills import Fill
from providers.engine.margin import DIRECTION, cost
from providers.engine.money import ZERO, quotient, trim
from providers.engine.turn import Turn
from providers.models import Order, OrderStatus, Position, PositionSide, Trade


def fill(turn: Turn, order: Order, at: Fill) -> Order:
    """Trade: the order advances, a trade is made, the position and the balance follow."""
    filled = advance(turn, order, at)
    notional = at.price * at.quantity
    commission = turn.world.rules.commission(notional, is_maker=at.is_maker)
    turn.trade_event(
        Trade(
            id=turn.world.new_id("trd"),
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            quantity=at.quantity,
            price=at.price,
            commission=commission,
            commission_currency=turn.ledger.currency,
            is_maker=at.is_maker,
            timestamp=turn.stamp(),
        )
    )
    realized = settle(turn, order, at)
    turn.pay(realized - commission)
    return filled


def advance(turn: Turn, order: Order, at: Fill) -> Order:
    """The order with one more fill."""
    quantity = order.filled_quantity + at.quantity
    remaining = order.quantity - quantity
    notional = (order.filled_notional or ZERO) + at.price * at.quantity
    name = "ORDER_PARTIALLY_FILLED" if remaining else "ORDER_FILLED"
    changed = order.model_copy(
        update={
            "filled_quantity": quantity,
            "remaining_quantity": remaining,
            "filled_notional": trim(notional),
            "average_fill_price": quotient(notional, quantity),
            "status": OrderStatus.PARTIALLY_FILLED if remaining else OrderStatus.FILLED,
            "updated_at": turn.stamp(),
        }
    )
    return turn.order_event(name, changed)


def settle(turn: Turn, order: Order, at: Fill) -> Decimal:
    """Net the fill against the position of the symbol; returns the profit realized."""
    held = turn.position_in(order.symbol)
    direction = DIRECTION[order.side]
    if held is None:
        open_position(turn, order.symbol, direction, at.quantity, at.price)
        return ZERO
    if held.side is direction:
        add_to(turn, held, at.quantity, at.price)
        return ZERO
    closing = min(held.quantity, at.quantity)
    realized = reduce(turn, held, closing, at.price)
    if at.quantity > closing:
        open_position(turn, order.symbol, direction, at.quantity - closing, at.price)
    return realized


def open_position(
    turn: Turn, symbol: str, side: PositionSide, quantity: Decimal, price: Decimal
) -> None:
    now = turn.stamp()
    position = Position(
        id=turn.world.new_id("pos"),
        symbol=symbol,
        side=side,
        quantity=quantity,
        average_entry_price=price,
        cost_basis=trim(price * quantity),
        current_price=price,
        unrealized_pnl=ZERO,
        realized_pnl=ZERO,
        opened_at=now,
        updated_at=now,
    )
    turn.position_event("POSITION_OPENED", position)


def add_to(turn: Turn, held: Position, quantity: Decimal, price: Decimal) -> None:
    total = held.quantity + quantity
    spent = cost(held) + price * quantity
    changed = held.model_copy(
        update={
            "quantity": trim(total),
            "cost_basis": trim(spent),
            "average_entry_price": quotient(spent, total),
            "updated_at": turn.stamp(),
        }
    )
    turn.position_event("POSITION_MODIFIED", changed)


def reduce(turn: Turn, held: Position, quantity: Decimal, price: Decimal) -> Decimal:
    """Take quantity off the position at a price; returns the profit realized."""
    rest = held.quantity - quantity
    released = held.average_entry_price * quantity if rest else cost(held)
    gain = price * quantity - released
    realized = gain if held.side is PositionSide.LONG else -gain
    changed = held.model_copy(
        update={
            "quantity": trim(rest),
            "cost_basis": trim(cost(held) - released),
            "realized_pnl": trim(held.realized_pnl + realized),
            "updated_at": turn.stamp(),
        }
    )
    turn.position_event("POSITION_MODIFIED" if rest else "POSITION_CLOSED", changed)
    return realized
