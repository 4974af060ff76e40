"""Which open orders belong together: what they reduce, their entry, their OCO group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from providers.models import Order

Link = tuple[str, str]


class Index:
    """The ids of open orders by what links them, kept in step with the orders."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: defaultdict[Link, set[str]] = defaultdict(set)

    def get(self, link: Link) -> frozenset[str]:
        return frozenset(self._ids.get(link, ()))

    def add(self, order: Order) -> None:
        for link in links(order):
            self._ids[link].add(order.id)

    def remove(self, order: Order) -> None:
        for link in links(order):
            self._ids[link].discard(order.id)
            if not self._ids[link]:
                del self._ids[link]


def reducing(symbol: str) -> Link:
    """Links the reduce-only orders of a symbol."""
    return "reducing", symbol


def legs_of(order_id: str) -> Link:
    """Links the bracket legs of an entry order."""
    return "entry", order_id


def grouped(oco_group_id: str) -> Link:
    """Links the orders of an OCO group."""
    return "group", oco_group_id


def placed_in(position_id: str) -> Link:
    """Links the orders that add to a position."""
    return "position", position_id


def links(order: Order) -> Iterator[Link]:
    if order.reduce_only:
        yield reducing(order.symbol)
    elif order.position_id is not None:
        yield placed_in(order.position_id)
    if order.parent_order_id is not None:
        yield legs_of(order.parent_order_id)
    if order.oco_group_id is not None:
        yield grouped(order.oco_group_id)
