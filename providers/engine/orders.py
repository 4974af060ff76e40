"""The commands of an account: submit, modify, cancel, close, and what the market clock does.

Each takes the account and the world and returns a Decision: the events, and the answer. A refusal
is an answer. Nothing here reads a clock, makes an id or does I/O; the same inputs give the same
decision, always.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from providers.engine.book import EXIT_SIDE, end, trusted_order
from providers.engine.checks import Refusal, exceeds, misfit, refusal_of, refusal_of_change
from providers.engine.execution import arrive, catch_up, meet_again
from providers.engine.exits import cancel_exits, exits_of, move_legs, set_exits
from providers.engine.fills import STOPS, marketable
from providers.engine.liquidation import guard
from providers.engine.margin import DIRECTION, revalued
from providers.engine.money import ZERO, exact, is_multiple
from providers.engine.state import TERMINAL, AccountState
from providers.engine.trailing import anchored, follow, trails
from providers.engine.turn import Turn
from providers.engine.world import Decision, World
from providers.errors import OrderNotModifiable, OrderRejected, PositionNotFound
from providers.models import (
    CancelOrderResult,
    ClosePositionRequest,
    ModifyOrderRequest,
    ModifyPositionRequest,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    RejectReason,
    TimeInForce,
    TrailingType,
)

MODIFIABLE = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


def submit(state: AccountState, request: OrderRequest, world: World) -> Decision[Order]:
    """Accept an order and let it meet the market, or reject it and keep it as REJECTED.

    `request.symbol` is canonical where the symbol is known at all.
    """
    with exact():
        turn = Turn(state, world)
        order = on_terms(turn, new_order(turn, request))
        return accept(turn, order, refusal_of(state, order, world))


def close(
    state: AccountState, position: Position, request: ClosePositionRequest, world: World
) -> Decision[Order]:
    """Submit the order that closes a position, wholly or in part; it can only reduce.

    Its exits are cancelled first unless the request says otherwise.
    """
    with exact():
        turn = Turn(state, world)
        order = new_order(turn, closing_order(position, request))
        refusal = exceeds(position, order) or refusal_of(state, order, world)
        if refusal is None and request.cancel_associated_orders is not False:
            cancel_exits(turn, position)
            now = turn.stamp()  # later than the cancellations
            order = order.evolve(created_at=now, updated_at=now)
        return accept(turn, order, refusal)


def modify(
    state: AccountState, order: Order, change: ModifyOrderRequest, world: World
) -> Decision[Order]:
    """Change a working order; a price that makes it marketable lets it trade at once."""
    with exact():
        turn = Turn(state, world)
        order = up_to_date(turn, order)
        if order.status not in MODIFIABLE:
            return turn.decision(OrderNotModifiable(order.id, order.status))
        wanted = {name: value for name, value in vars(change).items() if value is not None}
        wrong = misfit(order, wanted)
        if wrong is not None or not wanted:
            return turn.decision(wrong or order)
        changed = with_changes(turn, order, wanted)
        refusal = refusal_of_change(turn.state(), order, changed, world)
        if refusal is not None:
            return turn.decision(OrderRejected(refusal.reason, refusal.message, order.id))
        return turn.decision(settled(turn, replace(turn, order, changed)))


def protect(
    state: AccountState, position: Position, change: ModifyPositionRequest, world: World
) -> Decision[Position]:
    """Create or move the stop-loss and take-profit of a position; null leaves what there is.

    What is made covers what is held now. The exits that are there meet the market first: they may
    have closed the position already, or be about to.
    """
    with exact():
        turn = Turn(state, world)
        held = present(turn, position)
        if held is None:
            return turn.decision(PositionNotFound(position.id))
        refusal = misplaced(held, change, world) or under_way(turn, held, change)
        if refusal is not None:
            return turn.decision(OrderRejected(refusal.reason, refusal.message, None))
        set_exits(turn, held, change.stop_loss, change.take_profit)
        return turn.decision(held)


def cancel(state: AccountState, order: Order, world: World) -> Decision[CancelOrderResult]:
    """Cancel a working order; one that has meanwhile ended stays as it is."""
    with exact():
        turn = Turn(state, world)
        order = up_to_date(turn, order)
        success = order.status not in TERMINAL
        if success:
            order = end(turn, order, OrderStatus.CANCELLED)
        return turn.decision(CancelOrderResult(success=success, order=order))


def advance(state: AccountState, order: Order, world: World) -> Decision[Order]:
    """Bring an order to the present: what the market clock does."""
    with exact():
        turn = Turn(state, world)
        return turn.decision(up_to_date(turn, order))


def guard_margin(state: AccountState, world: World) -> Decision[None]:
    """Warn or liquidate as the present quotes demand; nothing happens to a sound account."""
    with exact():
        turn = Turn(state, world)
        guard(turn)
        meet_again(turn)
        return turn.decision(None)


def up_to_date(turn: Turn, order: Order) -> Order:
    """The order at the present quote, whether the market clock has come round or not."""
    return settled(turn, catch_up(turn, order))


def settled(turn: Turn, order: Order) -> Order:
    """The order, once every other that it has changed has met the quote too."""
    meet_again(turn)
    return turn.order(order.id) or order


def accept(turn: Turn, order: Order, refusal: Refusal | None) -> Decision[Order]:
    """Put the order on the book and let it meet the market, or keep it as REJECTED."""
    if refusal is not None:
        rejected = order.evolve(status=OrderStatus.REJECTED, reject_reason=refusal.reason)
        turn.order_event("ORDER_REJECTED", rejected)
        return turn.decision(OrderRejected(refusal.reason, refusal.message, order.id))
    order = turn.order_event("ORDER_CREATED", order)
    if order.status is OrderStatus.PENDING:
        return turn.decision(order)
    return turn.decision(settled(turn, arrive(turn, order)))


def replace(turn: Turn, order: Order, changed: Order) -> Order:
    """Put the changed order on the book; it meets the quote unless it has met it already."""
    completed = changed.status is OrderStatus.FILLED
    turn.order_event("ORDER_FILLED" if completed else "ORDER_MODIFIED", changed)
    move_legs(turn, order, changed)
    if completed:
        return changed
    met = marketable(order, turn.world.quote(order.symbol))
    return changed if met else arrive(turn, changed)


def new_order(turn: Turn, request: OrderRequest) -> Order:
    """The order as it was asked for."""
    now = turn.stamp()
    rules, stop = turn.world.rules, request.order_type in STOPS
    trailing = request.order_type is OrderType.TRAILING_STOP
    asked = vars(request) | {
        "time_in_force": request.time_in_force or TimeInForce.GTC,
        "trailing_type": (request.trailing_type or TrailingType.ABSOLUTE) if trailing else None,
        "leverage": request.leverage or (None if request.reduce_only else rules.leverage),
    }
    return trusted_order(
        **asked,
        id=turn.world.new_id("ord"),
        filled_quantity=ZERO,
        remaining_quantity=request.quantity,
        status=OrderStatus.PENDING if waits(turn.world) else OrderStatus.OPEN,
        triggered=False if stop else None,
        expires_at=expiry(turn.world, request),
        created_at=now,
        updated_at=now,
    )


def waits(world: World) -> bool:
    """Whether a new order meets a later quote than the one in force."""
    return world.between or bool(world.rules.latency)


def on_terms(turn: Turn, order: Order) -> Order:
    """The order with what follows from what it is: one against the position it names only reduces,
    and a trailing stop starts to trail.
    """
    held = turn.position(order.position_id) if order.position_id else None
    if held is not None and held.side is not DIRECTION[order.side]:
        order = order.evolve(reduce_only=True)
    if trails(order) and turn.world.instrument(order.symbol) is not None:
        return follow(order, turn.world)
    return order


def expiry(world: World, request: OrderRequest) -> datetime | None:
    """When a DAY order ends; None for the others."""
    instrument = world.instrument(request.symbol)
    if request.time_in_force is not TimeInForce.DAY or instrument is None:
        return None
    return world.session_end(instrument.asset_class, world.now)


def closing_order(position: Position, request: ClosePositionRequest) -> OrderRequest:
    """The order request that closes a position: MARKET and all of it unless told otherwise."""
    return OrderRequest(
        symbol=position.symbol,
        side=EXIT_SIDE[position.side],
        quantity=request.quantity or position.quantity,
        order_type=OrderType(request.order_type or OrderType.MARKET),
        limit_price=request.limit_price,
        reduce_only=True,
        position_id=position.id,
    )


def present(turn: Turn, position: Position) -> Position | None:
    """The position at its mark, once its exits have met the market; None if they closed it."""
    for order in exits_of(turn, position):
        catch_up(turn, turn.order(order.id) or order)
    meet_again(turn)
    held = turn.position(position.id)
    return revalued(held, turn.world, {}) if held else None


def misplaced(position: Position, change: ModifyPositionRequest, world: World) -> Refusal | None:
    """Whether an exit would lie on the wrong side of the mark, or off the tick size."""
    step = world.listed(position.symbol).price_increment
    long = position.side is PositionSide.LONG
    for name, below in (("stop_loss", long), ("take_profit", not long)):
        price: Decimal | None = getattr(change, name)
        if price is None:
            continue
        if not is_multiple(price, step):
            return Refusal(RejectReason.INVALID_PRICE, f"{name} must be a multiple of {step:f}")
        mark = position.current_price
        if not (price < mark if below else price > mark):
            message = f"{name} lies on the wrong side of the mark, {mark:f}"
            return Refusal(RejectReason.INVALID_PRICE, message)
    return None


def under_way(turn: Turn, position: Position, change: ModifyPositionRequest) -> Refusal | None:
    """Whether the stop-loss to be moved has triggered and is closing the position already."""
    if change.stop_loss is None or not any(order.triggered for order in exits_of(turn, position)):
        return None
    return Refusal(RejectReason.UNKNOWN, "The stop-loss has triggered and is being executed")


def with_changes(turn: Turn, order: Order, wanted: dict[str, Decimal]) -> Order:
    """The order with these fields changed; a total equal to what has filled completes it."""
    remaining = wanted.get("quantity", order.quantity) - order.filled_quantity
    status = order.status if remaining else OrderStatus.FILLED
    update = {**wanted, "remaining_quantity": remaining, "status": status}
    changed = order.evolve(**update, updated_at=turn.stamp())
    if "trailing_distance" in wanted and order.trailing_reference is not None:
        return anchored(changed, order.trailing_reference, turn.world)
    return changed
