"""One decision in the making: the account as it was, and what has happened since.

A turn never touches the account it started from. It collects events and answers questions as if
they were applied, so that each step of a decision sees the steps before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from providers.engine.links import Link, links
from providers.engine.margin import account_of, revalued
from providers.engine.money import EXACT
from providers.engine.reserves import Reserves
from providers.engine.state import (
    TERMINAL,
    AccountState,
    Event,
    EventType,
    Ledger,
    Notice,
)
from providers.engine.world import Decision, World
from providers.errors import TradingError
from providers.models import Order, Position, PositionMode, Trade

T = TypeVar("T")

TICK = timedelta(microseconds=1)


class Turn:
    """Collects the events of one decision."""

    def __init__(self, state: AccountState, world: World) -> None:
        self.world = world
        self.events: list[Event] = []
        self._state = state
        self._orders: dict[str, Order] = {}
        self._positions: dict[str, Position] = {}
        self._ledger = state.ledger
        self._last_time = state.last_time
        self._owed: dict[str, bool] = {}

    def stamp(self) -> datetime:
        """The moment of the next event: now, but always later than the one before it."""
        self._last_time = max(self.world.now, self._last_time + TICK)
        return self._last_time

    # What is there

    def state(self) -> AccountState:
        """The account with this turn's changes made."""
        if not self.events:
            return self._state
        return self._state.with_changes(self._orders, self._positions, self._ledger)

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    def order(self, order_id: str) -> Order | None:
        """The order as it is now, if it was open when the turn began or was made in it."""
        return self._orders.get(order_id) or self._state.orders.get(order_id)

    def positions(self) -> Iterator[Position]:
        """The open positions."""
        before, changed = self._state.positions, self._positions
        for position in ({**before, **changed} if changed else before).values():
            if position.quantity:
                yield position

    def position(self, position_id: str) -> Position | None:
        """The open position of that id."""
        held = self._positions.get(position_id) or self._state.positions.get(position_id)
        return held if held is not None and held.quantity else None

    def position_for(self, order: Order) -> Position | None:
        """The open position that a fill of the order goes into.

        Netting, that is the one of the symbol; hedging, the one that the order names.
        """
        if self.world.rules.position_mode is PositionMode.HEDGING:
            return self.position(order.position_id) if order.position_id else None
        for held in self.positions():
            if held.symbol == order.symbol:
                return held
        return None

    def open_orders(self) -> list[Order]:
        """All of them, oldest first."""
        return self._working({**self._state.orders, **self._orders})

    def linked(self, link: Link) -> list[Order]:
        """The open orders that a link holds together, oldest first."""
        made = {order.id for order in self._orders.values() if link in links(order)}
        return self._working(made | self._state.index.get(link))

    def _working(self, ids: Iterable[str]) -> list[Order]:
        orders = [order for order in map(self.order, ids) if order]
        working = [order for order in orders if order.status not in TERMINAL]
        return sorted(working, key=lambda order: order.created_at) if working else working

    def owe(self, order: Order, *, resting: bool) -> None:
        """Have an order meet the present quote before the turn ends.

        For one that comes into being, or is changed before it has met the quote: it is younger
        than the quote then, and would pass for having met it.
        """
        self._owed[order.id] = resting

    def owed(self) -> tuple[Order, bool] | None:
        """The oldest open order that has yet to meet the quote, and whether it rests."""
        if not self._owed:
            return None
        for order in self._working(self._owed):
            return order, self._owed.pop(order.id)
        return None

    # What happens

    def order_event(self, name: str, order: Order) -> Order:
        """Keep the order as it is now, and tell what happened; changes of exits have a name."""
        if name == "ORDER_MODIFIED" and order.parent_order_id is not None:
            name = "BRACKET_ORDER_MODIFIED"
        self._orders[order.id] = order
        self.events.append(Event(EventType.ORDER, name, order, order.updated_at))
        return order

    def trade_event(self, trade: Trade) -> None:
        self.events.append(Event(EventType.TRADE, "TRADE_FILLED", trade, trade.timestamp))

    def position_event(self, name: str, held: Position, changes: dict[str, Any]) -> Position:
        """The position with these changes, marked at the present quote."""
        position = revalued(held, self.world, changes)
        self._positions[position.id] = position
        self.events.append(Event(EventType.POSITION, name, position, position.updated_at))
        return position

    def pay(self, amount: Decimal) -> None:
        """Add to the balance; a cost is negative."""
        balance = EXACT.add(self._ledger.balance, amount)
        self._ledger = Ledger(
            balance, self._ledger.deposits, self._ledger.currency, self._ledger.warned
        )

    def deposit(self, amount: Decimal, currency: str) -> None:
        """Money that was paid in, or (negative) out; what there was counts in this currency now."""
        before = self._ledger
        balance = EXACT.add(before.balance, amount)
        deposits = EXACT.add(before.deposits, amount)
        self._ledger = Ledger(balance, deposits, currency, before.warned)

    def account_event(self, name: str, *, warned: bool) -> None:
        """Tell the account how its margin stands."""
        if warned is not self._ledger.warned:
            self._ledger = replace(self._ledger, warned=warned)
        shown = account_of(self._ledger, self.positions(), self._reserves(), self.world)
        self.events.append(Event(EventType.ACCOUNT, name, self._ledger, self.stamp(), shown))

    def _reserves(self) -> Reserves:
        """The reserves of the open orders, as this turn has changed them."""
        return self._state.reserves_with(self._orders)

    def recovered(self) -> None:
        """The margin suffices again: the next shortage is worth another warning."""
        self.account_event("BALANCE_UPDATED", warned=False)

    def notice(self, notice: Notice) -> None:
        self.events.append(Event(EventType.ERROR, notice.code, notice, self.stamp()))

    def decision(self, result: T | TradingError) -> Decision[T]:
        """The finished turn: a changed balance is reported once, after all that changed it."""
        before = self._state.ledger
        if (self._ledger.balance, self._ledger.currency) != (before.balance, before.currency):
            self.account_event("BALANCE_UPDATED", warned=self._ledger.warned)
        return Decision(tuple(self.events), result)
