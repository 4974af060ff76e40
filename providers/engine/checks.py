"""Why an order or a change may be refused, given the account, the market and the instrument.

What can be judged from the request alone has been judged before; see the request rules of the
HTTP face.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from providers.engine.fills import LIMITED, STOPS, marketable
from providers.engine.margin import shortfall
from providers.engine.money import is_multiple
from providers.engine.reserves import Resting, expected_price
from providers.engine.state import AccountState
from providers.engine.world import Tradeable, World, touch
from providers.errors import InvalidValue, OrderNotModifiable, TradingError
from providers.models import Order, OrderType, RejectReason, Side


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason for programs and a sentence for people."""

    reason: RejectReason
    message: str


def refusal_of(state: AccountState, order: Order, world: World) -> Refusal | None:
    """Why a new order cannot be accepted, or None."""
    instrument = world.instrument(order.symbol)
    if instrument is None or instrument.currency != state.ledger.currency:
        message = f"{order.symbol} cannot be traded here"
        return Refusal(RejectReason.SYMBOL_NOT_TRADEABLE, message)
    nothing = state.reserves.of(order.symbol, order.side)
    return off_step(order, instrument) or unaffordable(
        state, order, world, (nothing, with_order(nothing, order, world))
    )


def refusal_of_change(
    state: AccountState, order: Order, changed: Order, world: World
) -> Refusal | None:
    """Why a working order cannot become the changed one, or None."""
    instrument = world.instrument(order.symbol)
    assert instrument is not None, "a working order has an instrument"  # noqa: S101
    before = state.reserves.of(order.symbol, order.side)
    rest = before.plus(-order.remaining_quantity, expected_price(order))
    if marketable(order, world.quote(order.symbol)):  # it has met the quote, and rests
        after = rest.plus(changed.remaining_quantity, expected_price(changed))
    else:
        after = with_order(rest, changed, world)
    return off_step(changed, instrument) or unaffordable(state, changed, world, (before, after))


def off_step(order: Order, instrument: Tradeable) -> Refusal | None:
    """Whether quantity or price lies off the instrument's lot or tick size."""
    if not is_multiple(order.quantity, instrument.quantity_increment):
        message = f"quantity must be a multiple of {instrument.quantity_increment:f}"
        return Refusal(RejectReason.INVALID_QUANTITY, message)
    for name in ("limit_price", "stop_price"):
        price: Decimal | None = getattr(order, name)
        if price is not None and not is_multiple(price, instrument.price_increment):
            message = f"{name} must be a multiple of {instrument.price_increment:f}"
            return Refusal(RejectReason.INVALID_PRICE, message)
    return None


def unaffordable(
    state: AccountState, order: Order, world: World, change: tuple[Resting, Resting]
) -> Refusal | None:
    """Whether the order binds more margin than is available. One that only reduces binds none."""
    if order.reduce_only:
        return None
    short = shortfall(state, world, order.symbol, order.side, change)
    if short is None:
        return None
    needed, available = short
    currency = state.ledger.currency
    message = (
        f"The order needs {needed:f} {currency} of margin and {available:f} {currency} "
        "are available"
    )
    return Refusal(RejectReason.INSUFFICIENT_MARGIN, message)


def with_order(resting: Resting, order: Order, world: World) -> Resting:
    """The sums with one more order. One that may take at once, at a price above the one it names,
    is worth that price: the touch.
    """
    price = expected_price(order)
    if price is not None and (order.side, order.order_type) in MAY_TAKE_HIGHER:
        price = max(price, touch(world.quote(order.symbol), order.side)[0])
    return resting.plus(order.remaining_quantity, price)


def misfit(order: Order, wanted: dict[str, Decimal]) -> TradingError | None:
    """Why these changes make no sense for this order, or None."""
    for field, types in TAKEN_BY.items():
        if field in wanted and order.order_type not in types:
            reason = f"a {order.order_type.value} order has none"
            return InvalidValue(field, f"{wanted[field]:f}", reason)
    if "stop_price" in wanted and order.triggered:
        return OrderNotModifiable(order.id, order.status, "its stop has triggered")
    quantity = wanted.get("quantity")
    if quantity is not None and quantity < order.filled_quantity:
        reason = f"{order.filled_quantity:f} has already filled"
        return InvalidValue("quantity", f"{quantity:f}", reason)
    return None


MAY_TAKE_HIGHER = frozenset({(Side.BUY, OrderType.STOP), (Side.SELL, OrderType.LIMIT)})
"""A stop below the ask buys at the ask; a limit below the bid sells at the bid."""

TAKEN_BY = {
    "limit_price": LIMITED,
    "stop_price": STOPS,
    "trailing_distance": frozenset({OrderType.TRAILING_STOP}),
}
"""The changes that only some order types have a use for."""
