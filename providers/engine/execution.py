"""What becomes of a working order at one quote: activation, expiry, trigger, fill."""

from __future__ import annotations

from decimal import Decimal

from providers.engine.book import end, room
from providers.engine.exits import follow_fill
from providers.engine.fills import (
    IMMEDIATE,
    Fill,
    due,
    fill_for,
    is_ahead,
    marketable,
    rests,
    triggers,
)
from providers.engine.liquidation import liquidate, used_up, within_margin
from providers.engine.margin import DIRECTION, isolated
from providers.engine.state import TERMINAL
from providers.engine.trailing import follow, trails
from providers.engine.transitions import fill
from providers.engine.turn import Turn
from providers.engine.world import World
from providers.models import Order, OrderStatus, RejectReason, TimeInForce


def arrive(turn: Turn, order: Order) -> Order:
    """A new or changed order meets the quote: it may trigger and take; IOC and FOK end here."""
    order = execute(turn, order, resting=False)
    if order.time_in_force in IMMEDIATE and order.status not in TERMINAL:
        return end(turn, order, OrderStatus.CANCELLED)
    return order


def catch_up(turn: Turn, order: Order) -> Order:
    """Bring an order to the present: activate or expire it, or let it meet a quote it has not met.

    The market clock does this for every order that a quote touches; commands do it first, so that
    their outcome does not depend on how far the clock has come.
    """
    if order.status in TERMINAL:
        return order
    if expired(order, turn.world):
        return end(turn, order, OrderStatus.EXPIRED)
    if order.status is OrderStatus.PENDING:
        return activate(turn, order)
    if not due(order, turn.world):
        return order
    return execute(turn, order, resting=rests(order, turn.world))


def meet_again(turn: Turn) -> None:
    """Let the orders that the fills of others have made or changed meet the present quote too."""
    while (owed := turn.owed()) is not None:
        order, resting = owed
        if expired(order, turn.world):
            end(turn, order, OrderStatus.EXPIRED)
        elif order.status is not OrderStatus.PENDING:
            execute(turn, order, resting=resting)


def expired(order: Order, world: World) -> bool:
    return order.expires_at is not None and order.expires_at <= world.now


def activate(turn: Turn, order: Order) -> Order:
    """Let an order whose latency is over reach the market."""
    world, accepted = turn.world, order.created_at
    waits = world.now < accepted + world.rules.latency and not is_ahead(accepted, world)
    if world.between or waits:
        return order
    if order.post_only and marketable(order, turn.world.quote(order.symbol)):
        return reject(turn, order, RejectReason.POST_ONLY_VIOLATED)
    opened = order.evolve(status=OrderStatus.OPEN, updated_at=turn.stamp())
    return arrive(turn, turn.order_event("ORDER_MODIFIED", opened))


def reject(turn: Turn, order: Order, reason: RejectReason) -> Order:
    """Keep the order as REJECTED."""
    rejected = order.evolve(
        status=OrderStatus.REJECTED, reject_reason=reason, updated_at=turn.stamp()
    )
    return turn.order_event("ORDER_REJECTED", rejected)


def execute(turn: Turn, order: Order, *, resting: bool) -> Order:
    """Trail, trigger and fill the order as far as the present quote allows."""
    if turn.world.between or not turn.world.trades_now(order.symbol):
        return order
    order = liquidate_first(turn, order)
    if order.status in TERMINAL:
        return order
    order = trail(turn, order)
    if triggers(order, turn.world.quote(order.symbol)):
        triggered = order.evolve(triggered=True, updated_at=turn.stamp())
        order = turn.order_event("ORDER_MODIFIED", triggered)
        resting = False  # it takes, like an order that has just arrived
    at = capped(turn, order, fill_for(order, turn.world, resting=resting))
    if at is None:
        return order
    filled, position = fill(turn, order, bounded(turn, order, at))
    follow_fill(turn, filled, at.quantity, position)
    return turn.order(order.id) or filled


def liquidate_first(turn: Turn, order: Order) -> Order:
    """Close an ISOLATED position whose margin is gone before the order can trade it further."""
    held = turn.position_for(order)
    if held is not None and used_up(turn, held):
        liquidate(turn, held)
    return turn.order(order.id) or order


def trail(turn: Turn, order: Order) -> Order:
    """Move the stop of a trailing order."""
    if not trails(order):
        return order
    moved = follow(order, turn.world)
    if moved is order:
        return order
    return turn.order_event("ORDER_MODIFIED", moved.evolve(updated_at=turn.stamp()))


def bounded(turn: Turn, order: Order, at: Fill) -> Fill:
    """The fill at a price that the ISOLATED position it reduces can pay.

    A limit may lie beyond that where the market has leapt over both; a better price keeps it.
    """
    held = turn.position_for(order)
    if held is None or not isolated(held) or held.side is DIRECTION[order.side]:
        return at
    return Fill(within_margin(at.price, held, turn.world), at.quantity, at.is_maker)


def capped(turn: Turn, order: Order, at: Fill | None) -> Fill | None:
    """The fill of a reduce-only order cut to what it reduces; an FOK order is not cut."""
    if at is None or not order.reduce_only:
        return at
    quantity: Decimal = min(at.quantity, room(turn, order))
    if order.time_in_force is TimeInForce.FOK and quantity < at.quantity:
        return None
    return Fill(at.price, quantity, at.is_maker) if quantity else None
