"""Which orders a tick touches, as a sortable key: the matching index of every store.

Each working order has one trigger kind and one key, written so that what fires first sorts
first. A quote gives one probe per kind, and exactly the orders with `key <= probe` act:

=============  =====================  ===========================
kind           fires when             key
=============  =====================  ===========================
IMMEDIATE      always                 empty
LIMIT_BUY      ask <= limit_price     limit_price, descending
LIMIT_SELL     bid >= limit_price     limit_price
STOP_BUY       ask >= stop_price      stop_price
STOP_SELL      bid <= stop_price      stop_price, descending
=============  =====================  ===========================

IMMEDIATE are MARKET orders and triggered stops that wait for more size, and trailing stops, which
must see every quote. A STOP_LIMIT is a stop until `triggered`, then a limit.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from providers.models import Order, OrderStatus, OrderType, Side

DIGITS = 18
"""Digits before, and digits after the point: the most that the spec allows a decimal."""

WORKING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
"""The statuses in which an order can trade."""

_COMPLEMENT = str.maketrans("0123456789", "9876543210")


class TriggerKind(StrEnum):
    """In the order in which one tick serves them."""

    IMMEDIATE = "IMMEDIATE"
    LIMIT_BUY = "LIMIT_BUY"
    LIMIT_SELL = "LIMIT_SELL"
    STOP_BUY = "STOP_BUY"
    STOP_SELL = "STOP_SELL"


class Trigger(NamedTuple):
    kind: TriggerKind
    key: str


_LIMIT = {Side.BUY: TriggerKind.LIMIT_BUY, Side.SELL: TriggerKind.LIMIT_SELL}
_STOP = {Side.BUY: TriggerKind.STOP_BUY, Side.SELL: TriggerKind.STOP_SELL}
_DESCENDING = frozenset({TriggerKind.LIMIT_BUY, TriggerKind.STOP_SELL})
_NOW = Trigger(TriggerKind.IMMEDIATE, "")


def price_key(price: Decimal) -> str:
    """The price as 36 digits whose text order is the numeric order.

    Raises ValueError for a negative price or one of more than 18 digits on either side.
    """
    whole, _, fraction = format(price, "f").partition(".")
    key = whole.zfill(DIGITS) + fraction.rstrip("0").ljust(DIGITS, "0")
    if len(key) != 2 * DIGITS or not key.isdecimal():
        raise ValueError(f"{price} has no place in the matching index")
    return key


def trigger_of(order: Order) -> Trigger | None:
    """What makes this order act; None if nothing does, because it is not working."""
    if order.status not in WORKING:
        return None
    stops = order.order_type in (OrderType.STOP, OrderType.STOP_LIMIT)
    if stops and not order.triggered and order.stop_price is not None:
        return _at(_STOP[order.side], order.stop_price)
    if (
        order.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        and order.limit_price is not None
    ):
        return _at(_LIMIT[order.side], order.limit_price)
    return _NOW


def probes(bid: Decimal, ask: Decimal) -> list[Trigger]:
    """For each kind, the largest key that acts at this quote."""
    return [
        _NOW,
        _at(TriggerKind.LIMIT_BUY, ask),
        _at(TriggerKind.LIMIT_SELL, bid),
        _at(TriggerKind.STOP_BUY, ask),
        _at(TriggerKind.STOP_SELL, bid),
    ]


def _at(kind: TriggerKind, price: Decimal) -> Trigger:
    key = price_key(price)
    return Trigger(kind, key.translate(_COMPLEMENT) if kind in _DESCENDING else key)
