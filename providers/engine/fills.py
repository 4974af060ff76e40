"""The fill policy: at what price, and how much of it, an order trades against one quote.

Policy only: it reads an order and the market and changes nothing. What a fill does to the account
is in `transitions`.

A quote is used by an order once. An order younger than the quote has already met it on arrival,
so `due` keeps the market clock, which comes a moment later, from trading it a second time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from providers.engine.money import trim
from providers.engine.trailing import to_step
from providers.engine.world import World, touch
from providers.models import Order, OrderType, Quote, Side, TimeInForce

STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})

BURST = timedelta(seconds=1)
"""Events of one moment are stamped a microsecond apart; no burst of them gets so far ahead."""


class Fill(NamedTuple):
    """A price, a quantity, and whether the order made (rested) or took liquidity.

    `commission` is what a venue has charged for it; None leaves it to the rules.
    """

    price: Decimal
    quantity: Decimal
    is_maker: bool
    commission: Decimal | None = None


def due(order: Order, world: World) -> bool:
    """Whether the order has not met the quote in force yet.

    One from before the clock was set back may have; better that it meets a quote twice than none
    until the clock is there again.
    """
    stamped = order.updated_at
    return stamped < world.quote(order.symbol).timestamp or is_ahead(stamped, world)


def is_ahead(stamped: datetime, world: World) -> bool:
    """Whether a stamp is from before the clock was set back: ahead by more than a burst."""
    return stamped > world.now + BURST


def rests(order: Order, world: World) -> bool:
    """Whether the order meets a quote as one that rests, and makes.

    One that came while the market was closed has not met any, so it takes at first; a post_only
    order never does.
    """
    asset_class = world.listed(order.symbol).asset_class
    return order.post_only is True or world.is_open(asset_class, order.updated_at)


def triggers(order: Order, quote: Quote) -> bool:
    """Whether a waiting stop is reached: BUY when the ask rises to it, SELL when the bid falls."""
    if order.stop_price is None or order.triggered:
        return False
    price, _ = touch(quote, order.side)
    return price >= order.stop_price if order.side is Side.BUY else price <= order.stop_price


def marketable(order: Order, quote: Quote) -> bool:
    """Whether the order would trade against this quote now."""
    if order.order_type in STOPS and not order.triggered:
        return False
    if order.order_type not in LIMITED or order.limit_price is None:
        return True
    price, _ = touch(quote, order.side)
    return not worse(price, order.limit_price, order.side)


def worse(price: Decimal, limit: Decimal, side: Side) -> bool:
    """Whether the price is worse than the limit for an order of this side."""
    return price > limit if side is Side.BUY else price < limit


def fill_for(order: Order, world: World, *, resting: bool) -> Fill | None:
    """The fill of a triggered or plain order against the present quote, or None.

    Taking, it pays the touch and the slippage, never beyond its limit; resting, it gets its limit,
    or the touch where the market has leapt over that.
    Either way at most the size shown, in whole lots, so that what is left can be traded too; a
    resting iceberg at most what it shows itself, and an FOK order all or nothing.
    """
    quote = world.quote(order.symbol)
    if not marketable(order, quote):
        return None
    makes = resting and order.order_type in LIMITED
    if makes and world.rules.penetrate and touch(quote, order.side)[0] == order.limit_price:
        return None
    quantity = available(order, world, makes=makes)
    if order.time_in_force is TimeInForce.FOK and quantity < order.remaining_quantity:
        return None
    if not quantity:
        return None
    if makes and order.limit_price is not None:
        price = touch(quote, order.side)[0] if world.gapped else order.limit_price
        return Fill(price, quantity, is_maker=True)
    return Fill(taken_price(order, world), quantity, is_maker=False)


def available(order: Order, world: World, *, makes: bool) -> Decimal:
    """How much of the order this quote can fill."""
    _, size = touch(world.quote(order.symbol), order.side)
    quantity = order.remaining_quantity
    if makes and order.display_quantity is not None:
        quantity = min(quantity, order.display_quantity)
    if size is None or size >= quantity:
        return quantity
    return trim(size - size % world.listed(order.symbol).quantity_increment)


def taken_price(order: Order, world: World) -> Decimal:
    """The touch, made worse by the slippage and rounded to the tick against the order."""
    price, _ = touch(world.quote(order.symbol), order.side)
    if not world.rules.slippage:
        return price
    slip = price * world.rules.slippage
    step = world.listed(order.symbol).price_increment
    if order.side is Side.BUY:
        price = to_step(price + slip, step, ROUND_CEILING)
    else:
        price = max(to_step(price - slip, step, ROUND_FLOOR), step)
    if order.limit_price is not None and worse(price, order.limit_price, order.side):
        return order.limit_price
    return price
