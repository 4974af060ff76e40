"""What a fill does to order, position and balance: the transitions that keep the invariants.

    quantity = filled_quantity + remaining_quantity
    balance  = deposits + realized profit and loss - commissions

A position keeps its exact cost. Reducing it realizes (price - average entry) per unit and takes
the same average off the cost; closing it takes the whole rest, so that over the life of a
position what was realized is exactly what was paid and received, to the last digit.
"""

from __future__ import annotations

from decimal import Decimal

from providers.engine.book import end
from providers.engine.fills import Fill
from providers.engine.links import placed_in
from providers.engine.margin import DIRECTION, cost, isolated
from providers.engine.money import ZERO, quotient, trim
from providers.engine.reserves import leverage_of
from providers.engine.turn import Turn
from providers.models import (
    MarginMode,
    Order,
    OrderStatus,
    Position,
    PositionMode,
    PositionSide,
    Trade,
)
from providers.values import trusted

new_trade = trusted(Trade)
new_position = trusted(Position)


def fill(turn: Turn, order: Order, at: Fill) -> tuple[Order, Position | None]:
    """Trade: the order advances, a trade is made, the position and the balance follow.

    Returns the order and the position that the fill opened, added to or reduced, None if it
    closed it.
    """
    held = turn.position_for(order)
    opened = turn.world.new_id("pos") if opens(held, order, at) else None
    commission = at.commission
    if commission is None:
        commission = turn.world.rules.commission(
            at.price, at.quantity, maker=at.is_maker, first=not order.filled_quantity
        )
    filled = advance(turn, order, at, opened or (held.id if held else None))
    turn.trade_event(trade_of(turn, order, at, commission))
    realized, position = settle(turn, filled, at, held)
    turn.pay(realized - commission)
    return filled, position


def opens(held: Position | None, order: Order, at: Fill) -> bool:
    """Whether the fill opens a position: there is none, or it is larger than the one it closes."""
    if held is None:
        return True
    return held.side is not DIRECTION[order.side] and at.quantity > held.quantity


def trade_of(turn: Turn, order: Order, at: Fill, commission: Decimal) -> Trade:
    return new_trade(
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


def advance(turn: Turn, order: Order, at: Fill, position_id: str | None) -> Order:
    """The order with one more fill, which goes into this position."""
    quantity = order.filled_quantity + at.quantity
    remaining = order.quantity - quantity
    notional = (order.filled_notional or ZERO) + at.price * at.quantity
    name = "ORDER_PARTIALLY_FILLED" if remaining else "ORDER_FILLED"
    changed = order.evolve(
        filled_quantity=quantity,
        remaining_quantity=remaining,
        filled_notional=trim(notional),
        average_fill_price=quotient(notional, quantity),
        status=OrderStatus.PARTIALLY_FILLED if remaining else OrderStatus.FILLED,
        position_id=position_id,
        updated_at=turn.stamp(),
    )
    return turn.order_event(name, changed)


def settle(
    turn: Turn, order: Order, at: Fill, held: Position | None
) -> tuple[Decimal, Position | None]:
    """Put the fill into the position held; what exceeds it on the other side opens a new one.

    `order` already names the position it ends up in. Returns the profit realized, and that
    position, None if the fill closed it.
    """
    if held is None:
        return ZERO, open_position(turn, order, at.quantity, at.price)
    if held.side is DIRECTION[order.side]:
        return ZERO, add_to(turn, held, order, at)
    closing = min(held.quantity, at.quantity)
    realized = reduce(turn, held, closing, at.price)
    if at.quantity > closing:
        return realized, open_position(turn, order, at.quantity - closing, at.price)
    return realized, turn.position(held.id)


def open_position(turn: Turn, order: Order, quantity: Decimal, price: Decimal) -> Position:
    """A new position, on the terms of the order that names it."""
    now = turn.stamp()
    position = new_position(
        id=named(order),
        symbol=order.symbol,
        side=DIRECTION[order.side],
        quantity=quantity,
        average_entry_price=price,
        cost_basis=trim(price * quantity),
        current_price=price,
        unrealized_pnl=ZERO,
        realized_pnl=ZERO,
        margin_mode=order.margin_mode or MarginMode.CROSS,
        leverage=leverage_of(order),
        opened_at=now,
        updated_at=now,
    )
    return turn.position_event("POSITION_OPENED", position, {})


def named(order: Order) -> str:
    if order.position_id is None:
        raise ValueError("a filled order names its position")
    return order.position_id


def add_to(turn: Turn, held: Position, order: Order, at: Fill) -> Position:
    """More of the same position, in the margin mode that it has."""
    total = held.quantity + at.quantity
    spent = cost(held) + at.price * at.quantity
    changes = {
        "quantity": trim(total),
        "cost_basis": trim(spent),
        "average_entry_price": quotient(spent, total),
        "leverage": blended(held, order, at),
        "updated_at": turn.stamp(),
    }
    return turn.position_event("POSITION_MODIFIED", held, changes)


def blended(held: Position, order: Order, at: Fill) -> Decimal:
    """The leverage with which the whole binds as much as its two parts do.

    So what is held is never put on other terms by what is added to it. The parts weigh by what
    their margin is a fraction of: the cost of an ISOLATED position, else the quantity, since both
    parts are marked alike.
    """
    old, new = leverage_of(held), leverage_of(order)
    if old == new:
        return old
    before, more = held.quantity, at.quantity
    if isolated(held):
        before, more = cost(held), at.price * at.quantity
    return quotient(before + more, quotient(before, old) + quotient(more, new))


def reduce(turn: Turn, held: Position, quantity: Decimal, price: Decimal) -> Decimal:
    """Take quantity off the position at a price; returns the profit realized."""
    rest = held.quantity - quantity
    released = held.average_entry_price * quantity if rest else cost(held)
    gain = price * quantity - released
    realized = gain if held.side is PositionSide.LONG else -gain
    changes = {
        "quantity": trim(rest),
        "cost_basis": trim(cost(held) - released),
        "realized_pnl": trim(held.realized_pnl + realized),
        "updated_at": turn.stamp(),
    }
    turn.position_event("POSITION_MODIFIED" if rest else "POSITION_CLOSED", held, changes)
    if not rest and turn.world.rules.position_mode is PositionMode.HEDGING:
        abandon(turn, held)
    return realized


def abandon(turn: Turn, closed: Position) -> None:
    """Cancel the orders that were placed to add to a position; not those that opened it."""
    for order in turn.linked(placed_in(closed.id)):
        if order.created_at > closed.opened_at:
            end(turn, order, OrderStatus.CANCELLED)
