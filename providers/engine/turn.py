"""One decision in the making: the account as it was, and what has happened since.

A turn never touches the account it started from. It collects events and answers questions as if
they were applied, so that each step of a decision sees the steps before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from providers.engine.margin import figures, marked
from providers.engine.money import EXACT
from providers.engine.state import TERMINAL, AccountState, Event, EventType, Ledger
from providers.engine.world import Decision, World
from providers.errors import TradingError
from providers.models import Order, Position, Trade

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
        for position in {**self._state.positions, **self._positions}.values():
            if position.quantity:
                yield position

    def position_in(self, symbol: str) -> Position | None:
        """The open position of a symbol (netting holds at most one)."""
        return next((p for p in self.positions() if p.symbol == symbol), None)

    def reducing(self, symbol: str) -> list[Order]:
        """The open reduce-only orders of a symbol, oldest first."""
        ids = self._state.reducing | {o.id for o in self._orders.values() if o.reduce_only}
        orders = [order for order in map(self.order, ids) if order and order.symbol == symbol]
        return sorted(
            (order for order in orders if order.status not in TERMINAL),
            key=lambda order: order.created_at,
        )

    # What happens

    def order_event(self, name: str, order: Order) -> Order:
        self._orders[order.id] = order
        self.events.append(Event(EventType.ORDER, name, order, order.updated_at))
        return order

    def trade_event(self, trade: Trade) -> None:
        self.events.append(Event(EventType.TRADE, "TRADE_FILLED", trade, trade.timestamp))

    def position_event(self, name: str, position: Position) -> None:
        """The position as it is now, marked at the present quote."""
        position = marked(position, self.world.quote(position.symbol))
        self._positions[position.id] = position
        self.events.append(Event(EventType.POSITION, name, position, position.updated_at))

    def pay(self, amount: Decimal) -> None:
        """Add to the balance; a cost is negative."""
        ledger = self._ledger
        balance = EXACT.add(ledger.balance, amount)
        self._ledger = Ledger(balance, ledger.deposits, ledger.currency)

    def decision(self, result: T | TradingError) -> Decision[T]:
        """The finished turn: a changed balance is reported once, after all that changed it."""
        if self._ledger != self._state.ledger:
            shown = figures(self.state(), self.world)
            self.events.append(
                Event(EventType.ACCOUNT, "BALANCE_UPDATED", self._ledger, self.stamp(), shown)
            )
        return Decision(tuple(self.events), result)
