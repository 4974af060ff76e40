"""The orders of a store in memory by what makes them act; see `triggers` for the keys."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from providers.engine.state import TERMINAL
from providers.exchange.store import Match
from providers.exchange.triggers import Trigger, TriggerKind, probes, trigger_of
from providers.models import Order, OrderStatus


class Entry(NamedTuple):
    """An order in the index; entries of one kind are kept sorted."""

    key: str
    created_at: datetime
    order: Order
    account: str


class BookIndex:
    """Kept in step with the orders by `put`; every question costs what its answer is long."""

    def __init__(self) -> None:
        self._placed: dict[str, tuple[Trigger, Entry]] = {}
        self._kinds: defaultdict[tuple[str, TriggerKind], list[Entry]] = defaultdict(list)
        self._pending: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
        self._expiring: dict[str, Entry] = {}

    @property
    def symbols(self) -> list[str]:
        """The symbols that have PENDING orders."""
        return sorted(symbol for symbol, orders in self._pending.items() if orders)

    def put(self, account: str, order: Order) -> None:
        """Note the order as it is now. Raises ValueError for a price without a key."""
        trigger = trigger_of(order)
        self._remove(order.id)
        entry = Entry(trigger.key if trigger else "", order.created_at, order, account)
        if trigger is not None:
            insort(self._kinds[order.symbol, trigger.kind], entry, key=_place)
            self._placed[order.id] = trigger, entry
        self._note(self._pending[order.symbol], entry, order.status is OrderStatus.PENDING)
        expires = order.status not in TERMINAL and order.expires_at is not None
        self._note(self._expiring, entry, expires)

    def first(self, symbol: str, kind: TriggerKind) -> Iterator[Order]:
        """The orders of one kind, those that act first first."""
        return (entry.order for entry in self._kinds.get((symbol, kind), ()))

    def triggered(self, symbol: str, bid: Decimal, ask: Decimal) -> list[Match]:
        found = []
        for kind, key in probes(bid, ask):
            for entry in self._kinds.get((symbol, kind), ()):
                if entry.key > key:
                    break
                found.append(Match(entry.account, entry.order.id))
        return found

    def pending(self, symbol: str, accepted: datetime, ahead: datetime) -> list[Match]:
        waiting = self._pending.get(symbol)
        if not waiting:
            return []
        return [
            Match(entry.account, order_id)
            for order_id, entry in waiting.items()
            if entry.created_at <= accepted or entry.created_at > ahead
        ]

    def expired(self, now: datetime) -> list[Match]:
        if not self._expiring:
            return []
        due = sorted(
            (expires, entry.created_at, entry.account, order_id)
            for order_id, entry in self._expiring.items()
            if (expires := entry.order.expires_at) is not None and expires <= now
        )
        return [Match(account, order_id) for _, _, account, order_id in due]

    def working_symbols(self) -> list[str]:
        return sorted({symbol for (symbol, _), entries in self._kinds.items() if entries})

    def _remove(self, order_id: str) -> None:
        placed = self._placed.pop(order_id, None)
        if placed is None:
            return
        trigger, entry = placed
        entries = self._kinds[entry.order.symbol, trigger.kind]
        at = bisect_left(entries, _place(entry), key=_place)
        while entries[at] is not entry:
            at += 1
        del entries[at]

    def _note(self, table: dict[str, Entry], entry: Entry, belongs: bool) -> None:
        if belongs:
            table[entry.order.id] = entry
        else:
            table.pop(entry.order.id, None)


def _place(entry: Entry) -> tuple[str, datetime]:
    return entry.key, entry.created_at
