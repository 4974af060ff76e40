"""The fill policy: at what price, and how much of it, an order trades against one quote.

Policy only: it reads an order and a quote and changes nothing. What a fill does to the account is
in `transitions`.

A quote is used by an order once. An order younger than the quote has already met it on arrival,
so `due` keeps the market clock, which comes a moment later, from trading it a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from providers.engine.money import trim
from providers.engine.world import touch
from providers.models import Order, OrderType, Quote, Side, TimeInForce

STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})


@dataclass(frozen=True, slots=True)
class Fill:
    """A price, a quantity, and whether the order made (rested) or took liquidity."""

    price: Decimal
    quantity: Decimal
    is_maker: bool


def due(order: Order, quote: Quote) -> bool:
    """Whether the order has not met this quote yet."""
    return order.updated_at < quote.timestamp


def triggers(order: Order, quote: Quote) -> bool:
    """Whether a waiting stop is reached: BUY when the ask rises to it, SELL when the bid falls."""
    if order.stop_price is None or order.triggered:
        return False
    price, _ = touch(quote, order.side)
    return reaches(price, order.stop_price, order.side)


def reaches(price: Decimal, stop: Decimal, side: Side) -> bool:
    return price >= stop if side is Side.BUY else price <= stop


def marketable(order: Order, quote: Quote) -> bool:
    """Whether the order would trade against this quote now."""
    if order.order_type in STOPS and not order.triggered:
        return False
    if order.order_type not in LIMITED:
        return True
    assert order.limit_price is not None, "the request rules require it"  # noqa: S101
    price, _ = touch(quote, order.side)
    return price <= order.limit_price if order.side is Side.BUY else price >= order.limit_price


def fill_for(order: Order, quote: Quote, lot: Decimal, *, resting: bool) -> Fill | None:
    """The fill of a triggered or plain order against this quote, or None.

    Taking, it pays the touch; resting, it gets its limit. Either way at most the size shown, in
    whole lots, so that what is left can be traded too; and an FOK order all or nothing.
    """
    if not marketable(order, quote):
        return None
    price, size = touch(quote, order.side)
    quantity = order.remaining_quantity
    if size is not None and size < quantity:
        quantity = trim(size - size % lot)
    if order.time_in_force is TimeInForce.FOK and quantity < order.remaining_quantity:
        return None
    if not quantity:
        return None
    if resting and order.order_type in LIMITED:
        assert order.limit_price is not None, "the request rules require it"  # noqa: S101
        return Fill(order.limit_price, quantity, is_maker=True)
    return Fill(price, quantity, is_maker=False)
