"""Why an order or a change may be refused, given the account, the market and the instrument.

What can be judged from the request alone has been judged before; see the request rules of the
HTTP face.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from providers.engine.fills import IMMEDIATE, LIMITED, marketable
from providers.engine.margin import DIRECTION, shortfall
from providers.engine.money import is_multiple
from providers.engine.reserves import Resting, expected_price, leverage_of
from providers.engine.state import AccountState
from providers.engine.world import World, touch
from providers.errors import InvalidValue, OrderNotModifiable, TradingError
from providers.models import (
    Order,
    OrderStatus,
    OrderType,
    Position,
    PositionMode,
    RejectReason,
    Side,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason for programs and a sentence for people."""

    reason: RejectReason
    message: str


PRICES = ("limit_price", "stop_price", "stop_loss", "take_profit")


def refusal_of(state: AccountState, order: Order, world: World) -> Refusal | None:
    """Why a new order cannot be accepted, or None: the first that applies."""
    instrument = world.instrument(order.symbol)
    if instrument is None or instrument.currency != state.ledger.currency:
        message = f"{order.symbol} cannot be traded here"
        return Refusal(RejectReason.SYMBOL_NOT_TRADEABLE, message)
    for check in (off_step, closed_market, beyond_leverage, misplaced_exits, closed_group):
        refusal = check(order, world)
        if refusal is not None:
            return refusal
    return (
        unknown_position(state, order, world)
        or reduces_nothing(state, order)
        or other_margin(state, order, world)
        or would_take(order, world)
        or unaffordable(state, order, world, added(state, order, world))
    )


def refusal_of_change(
    state: AccountState, order: Order, changed: Order, world: World
) -> Refusal | None:
    """Why a working order cannot become the changed one, or None."""
    moved = order.limit_price != changed.limit_price
    return (
        off_step(changed, world)
        or grown_beyond(state, order, changed)
        or (misplaced_exits(changed, world) if repriced(order, changed) else None)
        or (would_take(changed, world) if moved else None)
        or unaffordable(state, changed, world, replaced(state, order, changed, world))
    )


def repriced(order: Order, changed: Order) -> bool:
    """Whether a change moves a price; one of the quantity alone leaves what was judged before."""
    return any(getattr(order, name) != getattr(changed, name) for name in PRICES)


def off_step(order: Order, world: World) -> Refusal | None:
    """Whether quantity or a price lies off the instrument's lot or tick size."""
    instrument = world.listed(order.symbol)
    for name in ("quantity", "display_quantity"):
        quantity: Decimal | None = getattr(order, name)
        if quantity is not None and not is_multiple(quantity, instrument.quantity_increment):
            message = f"{name} must be a multiple of {instrument.quantity_increment:f}"
            return Refusal(RejectReason.INVALID_QUANTITY, message)
    for name in PRICES:
        price: Decimal | None = getattr(order, name)
        if price is not None and not is_multiple(price, instrument.price_increment):
            message = f"{name} must be a multiple of {instrument.price_increment:f}"
            return Refusal(RejectReason.INVALID_PRICE, message)
    return None


def closed_market(order: Order, world: World) -> Refusal | None:
    """Whether the order wants to trade at once and the market is closed."""
    at_once = order.order_type is OrderType.MARKET or order.time_in_force in IMMEDIATE
    if not at_once or world.trades_now(order.symbol):
        return None
    return Refusal(RejectReason.MARKET_CLOSED, f"The market of {order.symbol} is closed")


def beyond_leverage(order: Order, world: World) -> Refusal | None:
    highest = world.rules.max_leverage
    if leverage_of(order) <= highest:
        return None
    return Refusal(RejectReason.LEVERAGE_EXCEEDED, f"leverage may be at most {highest:f}")


def misplaced_exits(order: Order, world: World) -> Refusal | None:
    """Whether stop_loss or take_profit lies on the wrong side of the price the order expects.

    An order that names its price is measured by it, another by the quote; a trailing stop that has
    no room left is misplaced too.
    """
    if order.stop_price is not None and order.stop_price <= 0:
        message = "trailing_distance leaves no room for a stop"
        return Refusal(RejectReason.INVALID_PRICE, message)
    entries = named_prices(order) or [touch(world.quote(order.symbol), order.side)[0]]
    found = misplaced_exit(order, entries)
    if found is None:
        return None
    name, entry = found
    message = f"{name} lies on the wrong side of the entry, {entry:f}"
    return Refusal(RejectReason.INVALID_PRICE, message)


def misplaced_exit(order: Order, entries: Sequence[Decimal]) -> tuple[str, Decimal] | None:
    """The exit that lies on the wrong side of a price at which the order may enter, and which."""
    for name, below in (("stop_loss", Side.BUY), ("take_profit", Side.SELL)):
        price: Decimal | None = getattr(order, name)
        if price is None:
            continue
        for entry in entries:
            if not (price < entry if order.side is below else price > entry):
                return name, entry
    return None


def named_prices(order: Order) -> list[Decimal]:
    """The prices that an order names itself; only the market knows those of the others."""
    if order.order_type is OrderType.TRAILING_STOP:
        return []
    return [price for price in (order.limit_price, order.stop_price) if price is not None]


def closed_group(order: Order, world: World) -> Refusal | None:
    group = order.oco_group_id
    if group is None or not world.group_traded(group):
        return None
    return Refusal(RejectReason.OCO_GROUP_CLOSED, f"The group {group} has traded")


def unknown_position(state: AccountState, order: Order, world: World) -> Refusal | None:
    """Whether the order names a position that is not there, or that it cannot go into."""
    if order.position_id is None:
        if order.reduce_only and world.rules.position_mode is PositionMode.HEDGING:
            message = "A reduce_only order of a hedging account names its position_id"
            return Refusal(RejectReason.REDUCE_ONLY_VIOLATED, message)
        return None
    held = state.positions.get(order.position_id)
    if held is None or held.symbol != order.symbol:
        message = f"There is no position {order.position_id} in {order.symbol}"
        return Refusal(RejectReason.POSITION_NOT_FOUND, message)
    return exceeds(held, order)


def exceeds(held: Position, order: Order) -> Refusal | None:
    """Whether an order that names the position it reduces is larger than it."""
    wanted = order.remaining_quantity
    if held.side is DIRECTION[order.side] or wanted <= held.quantity:
        return None
    message = f"The position holds {held.quantity:f}, less than {wanted:f}"
    return Refusal(RejectReason.INVALID_QUANTITY, message)


def reduces_nothing(state: AccountState, order: Order) -> Refusal | None:
    """Whether a reduce-only order opposes no position."""
    if not order.reduce_only:
        return None
    for held in state.positions.values():
        opposes = held.symbol == order.symbol and held.side is not DIRECTION[order.side]
        if opposes and order.position_id in (None, held.id):
            return None
    message = f"There is no position in {order.symbol} for this order to reduce"
    return Refusal(RejectReason.REDUCE_ONLY_VIOLATED, message)


def grown_beyond(state: AccountState, order: Order, changed: Order) -> Refusal | None:
    """Whether an order that can only reduce a certain position would become larger than it."""
    if not order.reduce_only or changed.quantity <= order.quantity:
        return None
    held = state.positions.get(order.position_id or "")
    return exceeds(held, changed) if held is not None else None


def other_margin(state: AccountState, order: Order, world: World) -> Refusal | None:
    """Whether the order would add to a position of the other margin mode, which that keeps."""
    hedging = world.rules.position_mode is PositionMode.HEDGING
    for held in state.positions.values():
        joins = held.id == order.position_id if hedging else held.symbol == order.symbol
        if not joins or held.side is not DIRECTION[order.side]:
            continue
        if order.margin_mode not in (None, held.margin_mode):
            message = f"The position it would add to is {held.margin_mode}"
            return Refusal(RejectReason.UNKNOWN, message)
    return None


def would_take(order: Order, world: World) -> Refusal | None:
    on_its_way = order.status is OrderStatus.PENDING  # judged when it arrives
    if not order.post_only or on_its_way or not marketable(order, world.quote(order.symbol)):
        return None
    message = "A post_only order at this price would trade at once"
    return Refusal(RejectReason.POST_ONLY_VIOLATED, message)


def unaffordable(
    state: AccountState, order: Order, world: World, change: tuple[Resting, Resting]
) -> Refusal | None:
    """Whether the order binds more margin than is available. One that only reduces binds none."""
    if order.reduce_only or not world.judges_margin:
        return None
    short = shortfall(state, world, order.symbol, order.side, change)
    if short is None:
        return None
    (needed, available), currency = short, state.ledger.currency
    message = (
        f"The order needs {needed:f} {currency} of margin and {available:f} {currency} "
        "are available"
    )
    return Refusal(RejectReason.INSUFFICIENT_MARGIN, message)


def added(state: AccountState, order: Order, world: World) -> tuple[Resting, Resting]:
    """The sums of the order's symbol and side before and with it."""
    before = state.reserves.of(order.symbol, order.side)
    return before, with_order(before, order, world)


def replaced(
    state: AccountState, order: Order, changed: Order, world: World
) -> tuple[Resting, Resting]:
    """The sums before and after a working order is changed."""
    before = state.reserves.of(order.symbol, order.side)
    leverage = leverage_of(order)
    rest = before.plus(order.remaining_quantity.copy_negate(), expected_price(order), leverage)
    has_met = marketable(order, world.quote(order.symbol))  # the quote, and rests
    if has_met or not repriced(order, changed):
        price = expected_price(changed)
        return before, rest.plus(changed.remaining_quantity, price, leverage)
    return before, with_order(rest, changed, world)


def with_order(resting: Resting, order: Order, world: World) -> Resting:
    """The sums with one more order. One that may take at once, at a price above the one it names,
    is worth that price: the touch.
    """
    price = expected_price(order)
    if price is not None and (order.side, order.order_type) in MAY_TAKE_HIGHER:
        price = max(price, touch(world.quote(order.symbol), order.side)[0])
    return resting.plus(order.remaining_quantity, price, leverage_of(order))


def misfit(order: Order, wanted: Mapping[str, Decimal]) -> TradingError | None:
    """Why these changes make no sense for this order, or None."""
    for field, takes in TAKEN_BY.items():
        if field in wanted and not takes(order):
            reason = f"this {order.order_type.value} order has none"
            return InvalidValue(field, f"{wanted[field]:f}", reason)
    if order.triggered and not wanted.keys().isdisjoint({"stop_price", "trailing_distance"}):
        return OrderNotModifiable(order.id, order.status, "its stop has triggered")
    return wrong_quantity(order, wanted) or wrong_side(order, wanted)


def wrong_quantity(order: Order, wanted: Mapping[str, Decimal]) -> InvalidValue | None:
    quantity = wanted.get("quantity", order.quantity)
    if quantity < order.filled_quantity:
        reason = f"{order.filled_quantity:f} has already filled"
        return InvalidValue("quantity", f"{quantity:f}", reason)
    shown = order.display_quantity
    if shown is not None and quantity <= shown and "quantity" in wanted:
        reason = f"must be more than the display_quantity, {shown:f}"
        return InvalidValue("quantity", f"{quantity:f}", reason)
    return None


def wrong_side(order: Order, wanted: Mapping[str, Decimal]) -> InvalidValue | None:
    """Whether the changed prices put an exit on the wrong side of the price the order names."""
    changed = order.evolve(**wanted)
    found = misplaced_exit(changed, named_prices(changed))
    if found is None:
        return None
    name, entry = found
    field = name if name in wanted else next(iter(wanted))
    reason = f"puts {name} on the wrong side of the entry, {entry:f}"
    return InvalidValue(field, f"{wanted[field]:f}", reason)


MAY_TAKE_HIGHER = frozenset({(Side.BUY, OrderType.STOP), (Side.SELL, OrderType.LIMIT)})
"""A stop below the ask buys at the ask; a limit below the bid sells at the bid."""

TAKEN_BY: Mapping[str, Callable[[Order], bool]] = {
    "limit_price": lambda order: order.order_type in LIMITED,
    "stop_price": lambda order: order.order_type in (OrderType.STOP, OrderType.STOP_LIMIT),
    "trailing_distance": lambda order: order.order_type is OrderType.TRAILING_STOP,
    "stop_loss": lambda order: not order.reduce_only,
    "take_profit": lambda order: not order.reduce_only,
}
"""The changes that only some orders have a use for."""
