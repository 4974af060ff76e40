"""What becomes of a working order at one quote: expiry, trigger, fill, and what follows a fill."""

from __future__ import annotations

from decimal import Decimal

from providers.engine.fills import Fill, due, fill_for, triggers
from providers.engine.margin import DIRECTION, total_quantity
from providers.engine.state import TERMINAL
from providers.engine.transitions import fill
from providers.engine.turn import Turn
from providers.models import Order, OrderStatus, TimeInForce

IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def arrive(turn: Turn, order: Order) -> Order:
    """A new or changed order meets the quote: it may trigger and take; IOC and FOK end here."""
    order = execute(turn, order, resting=False)
    if order.time_in_force in IMMEDIATE and order.status not in TERMINAL:
        return end(turn, order, OrderStatus.CANCELLED)
    return order


def catch_up(turn: Turn, order: Order) -> Order:
    """Bring a resting order to the present: expire it, or let it meet a quote it has not met.

    The market clock does this for every order that a quote touches; commands do it first, so that
    their outcome does not depend on how far the clock has come.
    """
    if order.status in TERMINAL:
        return order
    if order.expires_at is not None and order.expires_at <= turn.world.now:
        return end(turn, order, OrderStatus.EXPIRED)
    if not due(order, turn.world.quote(order.symbol)):
        return order
    return execute(turn, order, resting=True)


def execute(turn: Turn, order: Order, *, resting: bool) -> Order:
    """Trigger and fill the order as far as the present quote allows."""
    quote = turn.world.quote(order.symbol)
    if triggers(order, quote):
        order = turn.order_event("ORDER_MODIFIED", triggered(turn, order))
        resting = False  # it takes, like an order that has just arrived
    instrument = turn.world.instrument(order.symbol)
    assert instrument is not None, "a working order has an instrument"  # noqa: S101
    lot = instrument.quantity_increment
    at = capped(fill_for(order, quote, lot, resting=resting), room(turn, order))
    if at is None:
        return order
    order = fill(turn, order, at)
    release_reducing(turn, order.symbol)
    return turn.order(order.id) or order


def triggered(turn: Turn, order: Order) -> Order:
    return order.model_copy(update={"triggered": True, "updated_at": turn.stamp()})


def room(turn: Turn, order: Order) -> Decimal | None:
    """How much the order may still fill: a reduce-only order what it opposes, others any (None)."""
    if not order.reduce_only:
        return None
    return total_quantity(
        held
        for held in turn.positions()
        if held.symbol == order.symbol
        and held.side is not DIRECTION[order.side]
        and order.position_id in (None, held.id)
    )


def capped(at: Fill | None, limit: Decimal | None) -> Fill | None:
    """The fill cut to a limit; nothing is left of it at zero."""
    if at is None or limit is None or at.quantity <= limit:
        return at
    return Fill(at.price, limit, at.is_maker) if limit else None


def release_reducing(turn: Turn, symbol: str) -> None:
    """Cancel the reduce-only orders of a symbol that have nothing left to reduce."""
    for order in turn.reducing(symbol):
        if not room(turn, order):
            end(turn, order, OrderStatus.CANCELLED)


def end(turn: Turn, order: Order, status: OrderStatus) -> Order:
    """Move a working order to a terminal state without a fill."""
    changed = order.model_copy(update={"status": status, "updated_at": turn.stamp()})
    return turn.order_event(f"ORDER_{status.value}", changed)
