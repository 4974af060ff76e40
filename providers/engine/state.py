"""What the engine knows of one account, and the events that change it.

An event carries the full new snapshot of one entity, so applying a log of events, in order,
to an empty account gives its state; nothing else may change it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from providers.engine.links import Index
from providers.engine.reserves import Reserves
from providers.models import Account, Order, OrderStatus, Position, Trade

TERMINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)
"""The statuses no order ever leaves."""


class EventType(StrEnum):
    """Which entity an event is about; also the `type` of its WebSocket frame."""

    ORDER = "order"
    POSITION = "position"
    TRADE = "trade"
    ACCOUNT = "account"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Ledger:
    """The money of an account: what was paid in, and what is there now, in `currency`.

    `warned` is whether the account has been told that its margin runs short.
    """

    balance: Decimal
    deposits: Decimal
    currency: str
    warned: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that went against the account, such as a LIQUIDATION; the frame of type error."""

    code: str
    message: str
    details: Mapping[str, str]


class Event(NamedTuple):
    """One thing that happened: the entity as it is from now on.

    `name` is the frame's `event`, such as ORDER_CREATED. `shown` is what the frame carries where
    that is more than the entity: for an ACCOUNT event, the Account with its equity and margin.
    """

    type: EventType
    name: str
    entity: Order | Position | Trade | Ledger | Notice
    at: datetime
    shown: Account | None = None


@dataclass(slots=True)
class AccountState:
    """Open orders, open positions and money of one account.

    `last_time` is the largest timestamp given out; the next must be later. The indexes are kept in
    step with the orders, so that a decision need not visit all of them.
    """

    account: str
    ledger: Ledger
    last_time: datetime
    orders: dict[str, Order] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    reserves: Reserves = field(init=False, default_factory=Reserves)
    index: Index = field(init=False, default_factory=Index)

    def __post_init__(self) -> None:
        for order in self.orders.values():
            self._count(order)

    def apply(self, event: Event) -> None:
        """Put the snapshot in; a terminal order or a flat position leaves the state."""
        entity = event.entity
        if isinstance(entity, Order):
            self._put_order(entity)
        elif isinstance(entity, Position):
            self._put_position(entity)
        elif isinstance(entity, Ledger):
            self.ledger = entity
        self.last_time = max(self.last_time, event.at)

    def apply_all(self, events: Iterable[Event]) -> None:
        """Apply a decision; of an order that changed more than once only the last state counts."""
        last: dict[str, Event] = {}
        for event in events:
            if event.type is EventType.ORDER and isinstance(event.entity, Order):
                last[event.entity.id] = event
            else:
                self.apply(event)
        for event in last.values():
            self.apply(event)

    def with_changes(
        self, orders: dict[str, Order], positions: dict[str, Position], ledger: Ledger
    ) -> AccountState:
        """A view for computing figures: these changes made, open orders only as reserves."""
        view = AccountState(self.account, ledger, self.last_time)
        view.positions = {
            id: held for id, held in {**self.positions, **positions}.items() if held.quantity
        }
        view.reserves = self.reserves_with(orders)
        return view

    def reserves_with(self, orders: dict[str, Order]) -> Reserves:
        """The reserves with these orders changed or added."""
        working = [order for order in orders.values() if order.status not in TERMINAL]
        replaced = [self.orders[id] for id in orders if id in self.orders]
        if not working and not replaced:
            return self.reserves
        reserves = self.reserves.copy()
        for order in replaced:
            reserves.remove(order)
        for order in working:
            reserves.add(order)
        return reserves

    def _put_order(self, order: Order) -> None:
        before = self.orders.get(order.id)
        if before is not None:
            self.reserves.remove(before)
            self.index.remove(before)
        if order.status in TERMINAL:
            self.orders.pop(order.id, None)
        else:
            self.orders[order.id] = order  # a changed order keeps its place: oldest first
            self._count(order)

    def _count(self, order: Order) -> None:
        self.reserves.add(order)
        self.index.add(order)

    def _put_position(self, position: Position) -> None:
        if position.quantity:
            self.positions[position.id] = position
        else:
            self.positions.pop(position.id, None)
