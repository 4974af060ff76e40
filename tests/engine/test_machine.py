"""Anything may happen in any order, and what must hold still holds.

Random orders, changes, cancels, closes, quotes, session ends and restarts, checked after every
step against the invariants of the exchange and against books kept by another hand. The number of
runs is in the environment: `ENGINE_RUNS=10000 pytest tests/engine/test_machine.py`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from providers.engine import orders as engine
from providers.engine.margin import figures
from providers.engine.sessions import session_end
from providers.engine.state import TERMINAL, AccountState, Event, EventType, Ledger
from providers.engine.world import Decision, Rules, World
from providers.errors import OrderNotModifiable, OrderRejected, TradingError
from providers.models import (
    CloseOrderType,
    ClosePositionRequest,
    ModifyOrderRequest,
    Order,
    OrderRequest,
    OrderType,
    Position,
    PositionSide,
    Quote,
    Side,
    TimeInForce,
    Trade,
)
from tests.engine.auditor import Auditor
from tests.engine.desk import INSTRUMENTS, OPENING, picture

T = TypeVar("T")

RUNS = int(os.environ.get("ENGINE_RUNS", "400"))
SYMBOLS = ("AAPL", "BTC/USD")
Tick = tuple[str, Decimal, int, tuple[Decimal | None, ...]]
"""Symbol, bid, spread in quarters, sizes of bid and ask."""
KINDS = [*[OrderType.LIMIT] * 3, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT]

EVERYTHING = {
    *("ORDER_CREATED", "ORDER_MODIFIED", "ORDER_PARTIALLY_FILLED", "ORDER_FILLED"),
    *("ORDER_CANCELLED", "ORDER_EXPIRED", "ORDER_REJECTED"),
    *("TRADE_FILLED", "BALANCE_UPDATED"),
    *("POSITION_OPENED", "POSITION_MODIFIED", "POSITION_CLOSED"),
    *("maker", "taker", "reduce-only fill", "flip", "triggered at rest"),
    *("INSUFFICIENT_MARGIN", "INVALID_QUANTITY", "INVALID_PRICE"),
    *("INVALID_VALUE", "ORDER_NOT_MODIFIABLE"),
}
"""What the runs together must have seen: a machine in which little happens proves little."""

# Few prices, close together, so that orders meet quotes often and averages do not terminate.
prices = st.sampled_from([100 + step * Decimal("0.25") for step in range(-8, 9)])
sizes = st.sampled_from([None, *(Decimal(size) / 2 for size in range(31))])
ticks = st.tuples(st.sampled_from(SYMBOLS), prices, st.integers(1, 4), st.tuples(sizes, sizes))
limits = st.one_of(st.none(), prices)
picks = st.integers(0, 30)
rarely = st.sampled_from([False] * 19 + [True])


def quantities(symbol: str) -> st.SearchStrategy[Decimal]:
    """Up to thirty, in the steps of the symbol."""
    step = INSTRUMENTS[symbol].quantity_increment
    return st.integers(1, int(30 / step)).map(lambda count: count * step)


@st.composite
def order_requests(draw: st.DrawFn) -> OrderRequest:
    symbol = draw(st.sampled_from(SYMBOLS))
    kind = draw(st.sampled_from(KINDS))
    stops = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
    lasting = [TimeInForce.GTC, TimeInForce.DAY]
    return OrderRequest(
        symbol=symbol,
        side=draw(st.sampled_from(Side)),
        quantity=draw(quantities(symbol)) + off_step(draw),
        order_type=kind,
        limit_price=draw(prices) + off_step(draw) if "LIMIT" in kind else None,
        stop_price=draw(prices) + off_step(draw) if stops else None,
        time_in_force=draw(st.sampled_from(lasting if stops else lasting * 2 + list(TimeInForce))),
    )


def off_step(draw: st.DrawFn) -> Decimal:
    """Almost always nothing; now and then too little for any step."""
    return Decimal("0.00001") if draw(rarely) else Decimal(0)


@st.composite
def changes(draw: st.DrawFn) -> ModifyOrderRequest:
    return ModifyOrderRequest(
        quantity=draw(st.one_of(st.none(), st.integers(1, 30).map(Decimal))),
        limit_price=draw(prices) + off_step(draw) if draw(st.booleans()) else None,
        stop_price=draw(prices) if draw(rarely) else None,
    )


class Exchange(RuleBasedStateMachine):
    """One account with two symbols; see the module."""

    seen: ClassVar[Counter[str]] = Counter()

    @initialize(
        deposits=st.sampled_from(["5000", "100000"]),
        leverage=st.sampled_from(["1", "3"]),
        fees=st.sampled_from([("0", "0"), ("0.0002", "0.0005")]),
    )
    def open_the_account(self, deposits: str, leverage: str, fees: tuple[str, str]) -> None:
        maker, taker = map(Decimal, fees)
        rules = Rules(maker_fee=maker, taker_fee=taker, leverage=Decimal(leverage))
        self.ledger = Ledger(Decimal(deposits), Decimal(deposits), "USD")
        self.now, self.made = OPENING, 0
        self.quotes: dict[str, Quote] = {}
        for symbol in SYMBOLS:
            self._quote(symbol, Decimal(100), 1, (Decimal(10), Decimal(10)))
        self.auditor = Auditor(self.ledger.deposits, rules, self.quotes)
        self.auditor.seen = self.seen
        self.state = self._empty()
        self.log: list[Event] = []

    # What may happen

    @rule(requests=st.lists(order_requests(), min_size=1, max_size=4))
    def submit(self, requests: list[OrderRequest]) -> None:
        for request in requests:
            self._submit(request)

    @precondition(lambda self: self.auditor.orders)
    @rule(pick=picks, change=changes())
    def modify(self, pick: int, change: ModifyOrderRequest) -> None:
        order = self._pick(pick)
        result = self._decide(partial(engine.modify, self.state, order, change))
        if order.status in TERMINAL:
            assert isinstance(result, OrderNotModifiable)
        if isinstance(result, OrderRejected):
            wanted = change.limit_price, change.stop_price
            assert wanted != (None, None) or (change.quantity or 0) > order.quantity
        if isinstance(result, Order):
            self.auditor.refreshed.add((order.id, self.quotes[order.symbol].timestamp))

    @precondition(lambda self: self.auditor.orders)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        order = self._pick(pick)
        result = self._decide(partial(engine.cancel, self.state, order))
        assert not isinstance(result, TradingError)
        assert result.order == self.auditor.orders[order.id]
        assert result.order.status in TERMINAL
        assert not (result.success and order.status in TERMINAL)

    @precondition(lambda self: self.state.orders)
    @rule(symbol=st.sampled_from([None, *SYMBOLS]))
    def cancel_all(self, symbol: str | None) -> None:
        for order_id in list(self.state.orders):
            order = self.state.orders.get(order_id)
            if order is not None and symbol in (None, order.symbol):
                self._decide(partial(engine.cancel, self.state, order))
        assert all(symbol not in (None, order.symbol) for order in self.state.orders.values())

    @precondition(lambda self: self.state.positions)
    @rule(pick=picks, parts=st.lists(st.tuples(st.integers(1, 5), limits), min_size=1, max_size=3))
    def close(self, pick: int, parts: list[tuple[int, Decimal | None]]) -> None:
        """Close some quarters of a position, at the market or a limit, a few times over."""
        held = list(self.state.positions)
        for quarters, limit in parts:
            position = self.state.positions.get(held[pick % len(held)])
            if position is not None:
                self._close(position, quarters, limit)

    @rule(ticks=st.lists(ticks, min_size=1, max_size=6), met=st.integers(0, 3))
    def trade(self, ticks: list[Tick], met: int) -> None:
        """New quotes; now and then commands come before the market clock does."""
        for symbol, bid, spread, sizes in ticks:
            self.now += timedelta(seconds=1)
            self._quote(symbol, bid, spread, sizes)
            if met:
                self.market_clock()

    @rule(hours=st.sampled_from([1, 7, 24, 80]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.market_clock()

    @rule()
    def market_clock(self) -> None:
        """Every order meets its quote; a second time nothing happens."""
        self._all_meet()
        assert self._all_meet() == 0
        for order in self.state.orders.values():
            assert order.expires_at is None or order.expires_at > self.now
            self.auditor.has_met(order)

    @rule()
    def restart(self) -> None:
        """The account made of its log, and the account read back from its rows, is the account."""
        replayed = self._empty()
        for event in self.log:
            replayed.apply(event)
        assert picture(self.state) == picture(replayed)
        self.state = self._read_back()

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
        held = self.state.positions.values()
        assert len(held) == len({position.symbol for position in held})
        assert self.auditor.positions() == {
            position.symbol: (
                position.side,
                Fraction(position.quantity),
                Fraction(position.average_entry_price),
                Fraction(position.cost_basis or 0),
                Fraction(position.realized_pnl),
            )
            for position in held
        }

    @invariant()
    def margin_figures_hold(self) -> None:
        account = figures(self.state, self._world())
        assert self.auditor.figures() == (
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
            assert order.time_in_force in (TimeInForce.GTC, TimeInForce.DAY)

    @invariant()
    def what_only_reduces_has_something_to_reduce(self) -> None:
        for order in self.state.orders.values():
            if order.reduce_only:
                position = self.state.positions[order.position_id or ""]
                bought = position.side is PositionSide.LONG
                assert (order.side is Side.SELL) is bought

    @invariant()
    def sums_are_those_of_the_orders(self) -> None:
        assert picture(self.state) == picture(self._read_back())

    # How

    def _empty(self) -> AccountState:
        return AccountState("acc", self.ledger, OPENING - timedelta(days=1))

    def _read_back(self) -> AccountState:
        """The account as a store would rebuild it from its rows."""
        state = self.state
        return AccountState(
            state.account, state.ledger, state.last_time, dict(state.orders), dict(state.positions)
        )

    def _world(self) -> World:
        return World(
            now=self.now,
            new_id=self._new_id,
            quote=self.quotes.__getitem__,
            instrument=INSTRUMENTS.get,
            session_end=session_end,
            rules=self.auditor.rules,
        )

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
        self._is_carried(available, self.log[start:])
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
            cost += 2 * trade.quantity * (quote.ask - quote.bid) + trade.commission
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


def test_whatever_happens_the_invariants_hold() -> None:
    """Over random commands, quotes, session ends and restarts no invariant is ever violated."""
    Exchange.seen.clear()
    run_state_machine_as_test(
        Exchange,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=50,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert set() == EVERYTHING - set(Exchange.seen)
