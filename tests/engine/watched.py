"""One account under random commands: how a command is carried out, and what must hold after it.

Everything is checked against the invariants of the exchange and against books kept by another hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import ClassVar, TypeVar

from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
)

from providers.engine import orders as engine
from providers.engine.margin import figures
from providers.engine.state import TERMINAL, AccountState, Event, EventType, Ledger
from providers.engine.world import Decision, World
from providers.errors import OrderRejected, TradingError
from providers.models import (
    CloseOrderType,
    ClosePositionRequest,
    MarginMode,
    Order,
    OrderRequest,
    OrderStatus,
    Position,
    PositionMode,
    Quote,
    Side,
    TimeInForce,
    Trade,
)
from tests.engine.auditor import Auditor
from tests.engine.desk import OPENING, copied, picture, surroundings

T = TypeVar("T")


class WatchedAccount(RuleBasedStateMachine):
    """An account with two symbols; `open_the_account` of a machine sets its attributes."""

    named_leverage: bool
    sessions: bool
    ledger: Ledger
    now: datetime
    made: int
    quotes: dict[str, Quote]
    auditor: Auditor
    state: AccountState
    log: list[Event]
    seen: ClassVar[Counter[str]] = Counter()

    # What must hold after every step

    @invariant()
    def money_is_conserved(self) -> None:
        """Deposits and the cash flow of all trades are the balance and what positions cost."""
        books, ledger = self.auditor.books, self.state.ledger
        cash = Fraction(ledger.deposits) + books.cash_flow - books.commissions
        assert cash == Fraction(ledger.balance) - books.cost
        assert self.ledger.deposits == ledger.deposits

    @invariant()
    def positions_are_those_of_the_books(self) -> None:
        held = self.state.positions
        assert len(held) == len(self._symbols())
        assert self.auditor.positions() == {
            key: (
                position.side,
                Fraction(position.quantity),
                Fraction(position.average_entry_price),
                Fraction(position.cost_basis or 0),
                Fraction(position.realized_pnl),
                Fraction(position.leverage or 0),
                position.margin_mode is MarginMode.ISOLATED,
            )
            for key, position in zip(self._symbols(), held.values(), strict=True)
        }

    @invariant()
    def margin_figures_hold(self) -> None:
        account = figures(self.state, self._world())
        assert self.auditor.figures(self._symbols()) == (
            Fraction(account.balance),
            Fraction(account.unrealized_pnl),
            Fraction(account.margin_used),
        )
        assert account.equity == account.balance + account.unrealized_pnl
        assert account.margin_available == account.equity - account.margin_used

    @invariant()
    def orders_are_the_sum_of_their_trades(self) -> None:
        for order in self.state.orders.values():
            self.auditor.sums_up(order)
            assert order.status not in TERMINAL
            lasts = order.time_in_force in (TimeInForce.GTC, TimeInForce.DAY)
            assert lasts or order.status is OrderStatus.PENDING

    @invariant()
    def what_only_reduces_has_something_to_reduce(self) -> None:
        """And no exit that an entry has made is larger than that."""
        for order in self.state.orders.values():
            if order.reduce_only:
                room = self.auditor.room(order)
                assert room > 0
                if order.parent_order_id and order.id not in self.auditor.resized:
                    assert order.remaining_quantity <= room

    @invariant()
    def one_of_a_group_fills(self) -> None:
        self.auditor.groups_are_settled()

    @invariant()
    def sums_are_those_of_the_orders(self) -> None:
        assert picture(self.state) == picture(self._read_back())

    # How

    def _empty(self) -> AccountState:
        return AccountState("acc", self.ledger, OPENING - timedelta(days=1))

    def _read_back(self) -> AccountState:
        """The account as a store would rebuild it from its rows."""
        return copied(self.state)

    def _world(self) -> World:
        return surroundings(
            now=self.now,
            new_id=self._new_id,
            quotes=self.quotes,
            orders=self.auditor.orders,
            rules=self.auditor.rules,
            sessions=self.sessions,
        )

    def _symbols(self) -> dict[str, str]:
        """The symbols of what is held, by the key of the auditor's books."""
        netting = self.auditor.rules.position_mode is PositionMode.NETTING
        held = self.state.positions.values()
        return {each.symbol if netting else each.id: each.symbol for each in held}

    @property
    def ids(self) -> list[str]:
        """Every position there ever was."""
        return [event.entity.id for event in self.log if isinstance(event.entity, Position)]

    def _new_id(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}_{self.made}"

    def _quote(
        self, symbol: str, bid: Decimal, spread: int, sizes: tuple[Decimal | None, ...]
    ) -> None:
        self.quotes[symbol] = Quote(
            symbol=symbol,
            provider="machine",
            bid=bid,
            ask=bid + spread * Decimal("0.25"),
            bid_size=sizes[0],
            ask_size=sizes[1],
            last=bid,
            timestamp=self.now,
        )

    def _submit(self, request: OrderRequest) -> None:
        before, start = picture(self.state), len(self.log)
        available = figures(self.state, self._world()).margin_available
        result = self._decide(partial(engine.submit, self.state, request))
        if isinstance(result, TradingError):
            self._is_rejected(before, result)
            return
        if not self.named_leverage:
            self._is_carried(available, self.log[start:])
        if result.status is OrderStatus.PENDING:
            assert self.auditor.rules.latency
            return
        if request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            assert result.status in TERMINAL
        if request.time_in_force is TimeInForce.FOK:
            assert result.filled_quantity in (0, request.quantity)

    def _is_carried(self, available: Decimal, events: list[Event]) -> None:
        """An accepted order binds no more than was available, but for what trading it has cost:
        the spread, once in equity and once in the mark, and the commission.
        """
        cost = Decimal("1E-15")  # room for rounding
        for trade in (event.entity for event in events if isinstance(event.entity, Trade)):
            quote = self.quotes[trade.symbol]
            slip = abs(trade.price - (quote.ask if trade.side is Side.BUY else quote.bid))
            cost += 2 * trade.quantity * (quote.ask - quote.bid + slip) + trade.commission
        left = figures(self.state, self._world()).margin_available
        assert left >= min(available, Decimal(0)) - cost

    def _close(self, position: Position, quarters: int, limit: Decimal | None) -> None:
        request = ClosePositionRequest(
            quantity=None if quarters == 4 else position.quantity * quarters / 4,
            order_type=CloseOrderType.LIMIT if limit else None,
            limit_price=limit,
        )
        before = picture(self.state)
        result = self._decide(partial(engine.close, self.state, position, request))
        if isinstance(result, TradingError):
            self._is_rejected(before, result)
        assert quarters < 5 or isinstance(result, OrderRejected)

    def _pick(self, pick: int) -> Order:
        """An open order, or now and then any order ever seen."""
        some = self.auditor.orders if pick % 5 == 0 or not self.state.orders else self.state.orders
        return list(some.values())[pick % len(some)]

    def _all_meet(self) -> int:
        """Every order meets its quote, the oldest first; returns how many events came of it."""
        before = len(self.log)
        for order in sorted(self.state.orders.values(), key=lambda order: order.created_at):
            if order.id in self.state.orders:
                order = self.state.orders[order.id]
                self._decide(partial(engine.advance, self.state, order))
        return len(self.log) - before

    def _decide(self, decide: Callable[[World], Decision[T]]) -> T | TradingError:
        """Decide, twice, the same and without touching the account; then apply."""
        before, made = picture(self.state), self.made
        first = decide(self._world())
        self.made = made
        second = decide(self._world())
        assert first.events == second.events
        assert _value(first.result) == _value(second.result)
        assert before == picture(self.state)
        self.auditor.expect(first.events)
        for event in first.events:
            self._apply(event)
        if first.events and first.events[-1].type is EventType.ACCOUNT:
            assert first.events[-1].shown == figures(self.state, self._world())
        if isinstance(first.result, TradingError):
            self.seen[first.result.code.value] += 1
        return first.result

    def _apply(self, event: Event) -> None:
        assert event.at > self.state.last_time
        assert event.at >= self.now
        self.auditor.note(event)
        self.log.append(event)
        self.state.apply(event)

    def _is_rejected(self, before: dict[str, object], refusal: TradingError) -> None:
        """A refused order is an event with a reason, and nothing else."""
        assert isinstance(refusal, OrderRejected)
        order = self.log[-1].entity
        assert isinstance(order, Order)
        assert refusal.details == {"reject_reason": order.reject_reason, "order_id": order.id}
        assert before == picture(self.state) | {"last_time": before["last_time"]}


def _value(result: object) -> object:
    if isinstance(result, TradingError):
        return type(result), result.message, result.details
    return result
