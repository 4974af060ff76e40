"""The commands of an account: submit, modify, cancel, close, and what the market clock does.

Each takes the account and the world and returns a Decision: the events, and the answer. A refusal
is an answer. Nothing here reads a clock, makes an id or does I/O; the same inputs give the same
decision, always.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from providers.engine.checks import Refusal, misfit, refusal_of, refusal_of_change
from providers.engine.execution import arrive, catch_up, end
from providers.engine.fills import STOPS, marketable
from providers.engine.money import ZERO, exact
from providers.engine.state import TERMINAL, AccountState
from providers.engine.turn import Turn
from providers.engine.world import Decision, World
from providers.errors import OrderNotModifiable, OrderRejected
from providers.models import (
    CancelOrderResult,
    ClosePositionRequest,
    ModifyOrderRequest,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    RejectReason,
    Side,
    TimeInForce,
)

MODIFIABLE = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


@exact
def submit(state: AccountState, request: OrderRequest, world: World) -> Decision[Order]:
    """Accept an order and let it meet the market, or reject it and keep it as REJECTED.

    `request.symbol` is canonical where the symbol is known at all.
    """
    turn = Turn(state, world)
    order = new_order(turn, request)
    return accept(turn, order, refusal_of(state, order, world))


@exact
def close(
    state: AccountState, position: Position, request: ClosePositionRequest, world: World
) -> Decision[Order]:
    """Submit the order that closes a position, wholly or in part; it can only reduce."""
    turn = Turn(state, world)
    binding = {"reduce_only": True, "position_id": position.id}
    order = new_order(turn, closing_order(position, request)).model_copy(update=binding)
    return accept(turn, order, exceeds(position, order) or refusal_of(state, order, world))


@exact
def modify(
    state: AccountState, order: Order, change: ModifyOrderRequest, world: World
) -> Decision[Order]:
    """Change a working order; a price that makes it marketable lets it trade at once."""
    turn = Turn(state, world)
    order = catch_up(turn, order)
    if order.status not in MODIFIABLE:
        return turn.decision(OrderNotModifiable(order.id, order.status))
    wanted: dict[str, Decimal] = {name: value for name, value in change if value is not None}
    wrong = misfit(order, wanted)
    if wrong is not None or not wanted:
        return turn.decision(wrong or order)
    changed = with_changes(turn, order, wanted)
    refusal = refusal_of_change(turn.state(), order, changed, world)
    if refusal is not None:
        return turn.decision(OrderRejected(refusal.reason, refusal.message, order.id))
    return turn.decision(replace(turn, order, changed))


@exact
def cancel(state: AccountState, order: Order, world: World) -> Decision[CancelOrderResult]:
    """Cancel a working order; one that has meanwhile ended stays as it is."""
    turn = Turn(state, world)
    order = catch_up(turn, order)
    success = order.status not in TERMINAL
    if success:
        order = end(turn, order, OrderStatus.CANCELLED)
    return turn.decision(CancelOrderResult(success=success, order=order))


@exact
def advance(state: AccountState, order: Order, world: World) -> Decision[Order]:
    """Let a resting order meet the present quote or its expiry: what the market clock does."""
    turn = Turn(state, world)
    return turn.decision(catch_up(turn, order))


def accept(turn: Turn, order: Order, refusal: Refusal | None) -> Decision[Order]:
    """Put the order on the book and let it meet the market, or keep it as REJECTED."""
    if refusal is None:
        return turn.decision(arrive(turn, turn.order_event("ORDER_CREATED", order)))
    update = {"status": OrderStatus.REJECTED, "reject_reason": refusal.reason}
    turn.order_event("ORDER_REJECTED", order.model_copy(update=update))
    return turn.decision(OrderRejected(refusal.reason, refusal.message, order.id))


def replace(turn: Turn, order: Order, changed: Order) -> Order:
    """Put the changed order on the book; it meets the quote unless it has met it already."""
    if changed.status is OrderStatus.FILLED:
        return turn.order_event("ORDER_FILLED", changed)
    turn.order_event("ORDER_MODIFIED", changed)
    met = marketable(order, turn.world.quote(order.symbol))
    return changed if met else arrive(turn, changed)


def new_order(turn: Turn, request: OrderRequest) -> Order:
    """The order as it would stand on the book."""
    now = turn.stamp()
    time_in_force = request.time_in_force or TimeInForce.GTC
    return Order(
        id=turn.world.new_id("ord"),
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        order_type=request.order_type,
        quantity=request.quantity,
        filled_quantity=ZERO,
        remaining_quantity=request.quantity,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        status=OrderStatus.OPEN,
        time_in_force=time_in_force,
        triggered=False if request.order_type in STOPS else None,
        expires_at=expiry(turn.world, request.symbol, time_in_force),
        created_at=now,
        updated_at=now,
    )


def expiry(world: World, symbol: str, time_in_force: TimeInForce) -> datetime | None:
    """When a DAY order ends; None for the others."""
    instrument = world.instrument(symbol)
    if time_in_force is not TimeInForce.DAY or instrument is None:
        return None
    return world.session_end(instrument.asset_class, world.now)


def closing_order(position: Position, request: ClosePositionRequest) -> OrderRequest:
    """The order request that closes a position: MARKET and all of it unless told otherwise."""
    return OrderRequest(
        symbol=position.symbol,
        side=Side.SELL if position.side is PositionSide.LONG else Side.BUY,
        quantity=request.quantity or position.quantity,
        order_type=OrderType(request.order_type or OrderType.MARKET),
        limit_price=request.limit_price,
    )


def exceeds(position: Position, order: Order) -> Refusal | None:
    if order.quantity <= position.quantity:
        return None
    message = f"The position holds {position.quantity:f}, less than {order.quantity:f}"
    return Refusal(RejectReason.INVALID_QUANTITY, message)


def with_changes(turn: Turn, order: Order, wanted: dict[str, Decimal]) -> Order:
    """The order with these fields changed; a total equal to what has filled completes it."""
    remaining = wanted.get("quantity", order.quantity) - order.filled_quantity
    status = order.status if remaining else OrderStatus.FILLED
    update = {**wanted, "remaining_quantity": remaining, "status": status}
    return order.model_copy(update=update | {"updated_at": turn.stamp()})
