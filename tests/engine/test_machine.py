"""Anything may happen in any order, and what must hold still holds.

Random orders of every kind, changes, cancels, closes, exits, quotes, gaps, session ends and
restarts, with netted and hedged positions, on margin of both modes, checked after every step
against the invariants of the exchange and against books kept by another hand. The number of runs is
in the environment: `ENGINE_RUNS=10000 pytest tests/engine/test_machine.py`, or `make machine`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, settings
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
from providers.engine.sessions import is_open, session_end
from providers.engine.state import TERMINAL, AccountState, Event, EventType, Ledger
from providers.engine.world import Decision, Rules, World
from providers.errors import OrderNotModifiable, OrderRejected, TradingError
from providers.models import (
    CloseOrderType,
    ClosePositionRequest,
    MarginMode,
    ModifyOrderRequest,
    ModifyPositionRequest,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    PositionMode,
    Quote,
    Side,
    TimeInForce,
    Trade,
    TrailingType,
)
from tests.engine.auditor import Auditor
from tests.engine.desk import INSTRUMENTS, OPENING, picture

T = TypeVar("T")

RUNS = int(os.environ.get("ENGINE_RUNS", "300"))
SYMBOLS = ("AAPL", "BTC/USD")
Tick = tuple[str, Decimal, int, tuple[Decimal | None, ...]]
"""Symbol, bid, spread in quarters, sizes of bid and ask."""
KINDS = [*[OrderType.LIMIT] * 4, *[OrderType.MARKET] * 3, *list(OrderType)]
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)

EVERYTHING = {
    *("ORDER_CREATED", "ORDER_MODIFIED", "ORDER_PARTIALLY_FILLED", "ORDER_FILLED"),
    *("ORDER_CANCELLED", "ORDER_EXPIRED", "ORDER_REJECTED"),
    *("BRACKET_ORDER_CREATED", "BRACKET_ORDER_MODIFIED"),
    *("TRADE_FILLED", "BALANCE_UPDATED", "MARGIN_WARNING", "MARGIN_CALL", "LIQUIDATION"),
    *("POSITION_OPENED", "POSITION_MODIFIED", "POSITION_CLOSED"),
    *("maker", "taker", "reduce-only fill", "flip", "triggered at rest", "trailed", "iceberg"),
    *("exit", "isolated reduction", "isolated liquidation", "gapped through"),
    *("INSUFFICIENT_MARGIN", "INVALID_QUANTITY", "INVALID_PRICE", "LEVERAGE_EXCEEDED"),
    *("POST_ONLY_VIOLATED", "REDUCE_ONLY_VIOLATED", "OCO_GROUP_CLOSED", "MARKET_CLOSED"),
    *("POSITION_NOT_FOUND", "INVALID_VALUE", "ORDER_NOT_MODIFIABLE"),
}
"""What the runs together must have seen: a machine in which little happens proves little."""

# Few prices, close together, so that orders meet quotes often and averages do not terminate.
prices = st.sampled_from([100 + step * Decimal("0.25") for step in range(-8, 9)])
sizes = st.sampled_from([None, *(Decimal(size) / 2 for size in range(31))])
ticks = st.tuples(st.sampled_from(SYMBOLS), prices, st.integers(1, 4), st.tuples(sizes, sizes))
gaps = st.sampled_from([Decimal(price) for price in (40, 70, 85, 93, 96, 104, 108, 120, 150, 220)])
limits = st.one_of(st.none(), prices)
picks = st.integers(0, 30)
rarely = st.sampled_from([False] * 19 + [True])
sometimes = st.sampled_from([False] * 3 + [True])
COSTLY = {"unit_fee": "0.01", "order_fee": "0.5", "slippage": "0.001"}
levers = st.sampled_from([Decimal(2), Decimal(7), Decimal(20)])


def quantities(symbol: str) -> st.SearchStrategy[Decimal]:
    """Up to thirty, in the steps of the symbol."""
    step = INSTRUMENTS[symbol].quantity_increment
    return st.integers(1, int(30 / step)).map(lambda count: count * step)


@st.composite
def order_requests(draw: st.DrawFn) -> OrderRequest:
    symbol = draw(st.sampled_from(SYMBOLS))
    kind = draw(st.sampled_from(KINDS))
    stops = kind in STOPS
    lasting = [TimeInForce.GTC, TimeInForce.DAY]
    order = OrderRequest(
        symbol=symbol,
        side=draw(st.sampled_from(Side)),
        quantity=draw(quantities(symbol)) + off_step(draw),
        order_type=kind,
        limit_price=draw(prices) + off_step(draw) if "LIMIT" in kind else None,
        stop_price=draw(prices) + off_step(draw) if stops else None,
        time_in_force=draw(st.sampled_from(lasting if stops else lasting * 2 + list(TimeInForce))),
    )
    return order.model_copy(update=trailing(draw, order) | extras(draw, order))


def trailing(draw: st.DrawFn, order: OrderRequest) -> dict[str, Any]:
    """The distance of a trailing stop, which has no stop of its own."""
    if order.order_type is not OrderType.TRAILING_STOP:
        return {}
    return {
        "stop_price": None,
        "trailing_distance": draw(st.integers(1, 8)) * Decimal("0.3"),
        "trailing_type": draw(st.sampled_from([None, *TrailingType])),
    }


def extras(draw: st.DrawFn, order: OrderRequest) -> dict[str, Any]:
    """What an order may have besides type and prices: as a rule one or two of them."""
    rests = order.order_type is OrderType.LIMIT and order.time_in_force in (
        TimeInForce.GTC,
        TimeInForce.DAY,
    )
    half = INSTRUMENTS[order.symbol].quantity_increment * 3
    return {
        "reduce_only": True if draw(sometimes) and draw(sometimes) else None,
        "post_only": True if rests and draw(sometimes) else None,
        "hidden": True if draw(rarely) else None,
        "display_quantity": half if rests and order.quantity > half and draw(sometimes) else None,
        "oco_group_id": draw(st.sampled_from("abcdefgh")) if draw(sometimes) else None,
        **(bracket(draw, order) if draw(sometimes) else {}),
    }


def bracket(draw: st.DrawFn, order: OrderRequest) -> dict[str, Any]:
    """Exits around a price near the entry; now and then on its wrong side."""
    entry = order.limit_price or order.stop_price or Decimal(100)
    sign = 1 if order.side is Side.BUY else -1
    away = st.one_of(st.none(), st.integers(0, 8).map(lambda n: n * Decimal("0.25") * sign))
    below, above = draw(away), draw(away)
    return {
        "stop_loss": None if below is None else entry - below,
        "take_profit": None if above is None else entry + above,
    }


def off_step(draw: st.DrawFn) -> Decimal:
    """Almost always nothing; now and then too little for any step."""
    return Decimal("0.00001") if draw(rarely) else Decimal(0)


@st.composite
def changes(draw: st.DrawFn) -> ModifyOrderRequest:
    return ModifyOrderRequest(
        quantity=draw(st.one_of(st.none(), st.integers(1, 30).map(Decimal))),
        limit_price=draw(prices) + off_step(draw) if draw(st.booleans()) else None,
        stop_price=draw(prices) if draw(rarely) else None,
        stop_loss=draw(prices) if draw(rarely) else None,
        take_profit=draw(prices) if draw(rarely) else None,
        trailing_distance=Decimal("0.7") if draw(rarely) else None,
    )


class Exchange(RuleBasedStateMachine):
    """One account with two symbols; see the module."""

    seen: ClassVar[Counter[str]] = Counter()

    @initialize(
        deposits=st.sampled_from(["5000", "100000"]),
        mode=st.sampled_from(PositionMode),
        leverage=st.sampled_from([None, "1", "3"]),
        costs=st.sampled_from([{}, {"maker_fee": "0.0002", "taker_fee": "0.0005"}, COSTLY]),
        latency=st.sampled_from([0, 0, 2]),
        sessions=sometimes,
    )
    def open_the_account(
        self,
        deposits: str,
        mode: PositionMode,
        leverage: str | None,
        costs: dict[str, str],
        latency: int,
        sessions: bool,
    ) -> None:
        """Without a leverage of the exchange, orders name their own."""
        rules = Rules(
            position_mode=mode,
            leverage=Decimal(leverage or 5),
            latency=timedelta(seconds=latency),
            **{name: Decimal(value) for name, value in costs.items()},
        )
        self.named_leverage, self.sessions = leverage is None, sessions
        self.ledger = Ledger(Decimal(deposits), Decimal(deposits), "USD")
        self.now, self.made = OPENING, 0
        self.quotes: dict[str, Quote] = {}
        for symbol in SYMBOLS:
            self._quote(symbol, Decimal(100), 1, (Decimal(10), Decimal(10)))
        self.auditor = Auditor(self.ledger.deposits, rules, self.quotes)
        self.auditor.seen = self.seen
        if sessions:
            self.auditor.trades_at = lambda symbol, at: is_open(INSTRUMENTS[symbol].asset_class, at)
        self.state = self._empty()
        self.log: list[Event] = []

    # What may happen

    @rule(requests=st.lists(order_requests(), min_size=1, max_size=4))
    def submit(self, requests: list[OrderRequest]) -> None:
        for request in requests:
            self._submit(request)

    @precondition(lambda self: self.named_leverage)
    @rule(
        request=order_requests(),
        leverage=st.one_of(levers, levers, st.just(Decimal(25))),
        mode=st.sampled_from([None, *MarginMode, MarginMode.ISOLATED]),
    )
    def submit_on_margin(
        self, request: OrderRequest, leverage: Decimal, mode: MarginMode | None
    ) -> None:
        self._submit(request.model_copy(update={"leverage": leverage, "margin_mode": mode}))

    @precondition(lambda self: self.named_leverage)
    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(Side),
        mode=st.sampled_from(MarginMode),
        share=st.integers(1, 4),
        leverage=levers,
        then=st.one_of(st.none(), st.tuples(gaps, st.booleans())),
    )
    def lever_up(
        self,
        symbol: str,
        side: Side,
        mode: MarginMode,
        share: int,
        leverage: Decimal,
        then: tuple[Decimal, bool] | None,
    ) -> None:
        """A quarter and up to all that is available, on margin, in a market without limits; and
        then perhaps it turns.
        """
        self.now += timedelta(seconds=1)
        self._quote(symbol, Decimal(100), 1, (None, None))
        available = figures(self.state, self._world()).margin_available
        quantity = int(available * leverage * share / 4 / 101)
        if quantity > 0:
            self._submit(
                OrderRequest(
                    symbol=symbol,
                    side=side,
                    quantity=Decimal(quantity),
                    order_type=OrderType.MARKET,
                    leverage=leverage,
                    margin_mode=mode,
                )
            )
        if then is not None:
            bid, met = then
            self.gap(symbol, bid, None, met)

    @precondition(lambda self: self.auditor.books.holdings)
    @rule(request=order_requests(), pick=picks)
    def submit_for_a_position(self, request: OrderRequest, pick: int) -> None:
        """An order that names a position, now and then one that is gone."""
        known = list(self.ids if pick % 7 == 0 else self.state.positions)
        self._submit(request.model_copy(update={"position_id": known[pick % len(known)]}))

    @precondition(lambda self: self.state.positions)
    @rule(pick=picks, stop_loss=limits, take_profit=limits)
    def protect(self, pick: int, stop_loss: Decimal | None, take_profit: Decimal | None) -> None:
        """Give a position exits, or move those it has."""
        held = list(self.state.positions.values())
        exits = ModifyPositionRequest(stop_loss=stop_loss, take_profit=take_profit)
        before = picture(self.state)
        result = self._decide(partial(engine.protect, self.state, held[pick % len(held)], exits))
        if isinstance(result, OrderRejected):
            assert before["positions"] == picture(self.state)["positions"]
        if isinstance(result, Position):
            self._refreshes(result.id, result.symbol)

    def _refreshes(self, id_: str, symbol: str) -> None:
        """A change of an order or a position may move it, or its exits, within the same quote."""
        moved = [one.id for one in self.auditor.orders.values() if one.parent_order_id == id_]
        for each in (id_, *moved):
            self.auditor.refreshed.add((each, self.quotes[symbol].timestamp))

    @precondition(lambda self: self.auditor.orders)
    @rule(pick=picks, change=changes())
    def modify(self, pick: int, change: ModifyOrderRequest) -> None:
        order = self._pick(pick)
        result = self._decide(partial(engine.modify, self.state, order, change))
        if order.status in TERMINAL:
            assert isinstance(result, OrderNotModifiable)
        if isinstance(result, OrderRejected):
            prices = change.model_dump(exclude={"quantity"}).values()
            assert any(prices) or (change.quantity or 0) > order.quantity
        if isinstance(result, Order):
            if change.quantity is not None:
                self.auditor.resized.add(order.id)
            self._refreshes(order.id, order.symbol)

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
        before = list(self.state.orders)
        for order_id in before:
            order = self.state.orders.get(order_id)
            if order is not None and symbol in (None, order.symbol):
                self._decide(partial(engine.cancel, self.state, order))
        left = [self.state.orders[each] for each in before if each in self.state.orders]
        assert all(symbol not in (None, order.symbol) for order in left)

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

    @rule(symbol=st.sampled_from(SYMBOLS), bid=gaps, size=sizes, met=st.booleans())
    def gap(self, symbol: str, bid: Decimal, size: Decimal | None, met: bool) -> None:
        """The market jumps, and whoever comes first may find it there."""
        self.now += timedelta(seconds=1)
        self._quote(symbol, bid, 1, (size, size))
        if met:
            self.market_clock()

    @rule(hours=st.sampled_from([1, 7, 24, 80]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.market_clock()

    @rule()
    def market_clock(self) -> None:
        """Every order meets its quote, and the margin is looked after; a second time nothing
        happens.
        """
        self._all_meet()
        assert self._all_meet() == 0
        self._margin_is_guarded()
        for order in self.state.orders.values():
            assert order.expires_at is None or order.expires_at > self.now
            if not self.sessions:
                self.auditor.has_met(order)

    def _margin_is_guarded(self) -> None:
        """A CROSS account has more than its maintenance, or nothing that could be closed; it is
        warned while it has not much more; no ISOLATED position is left without margin.
        """
        for _ in range(2):  # what was closed down recovers at the next look
            self._decide(partial(engine.guard_margin, self.state))
        before = len(self.log)
        self._decide(partial(engine.guard_margin, self.state))
        assert before == len(self.log)
        equity, maintenance = self.auditor.cross(self._symbols())
        rules, world = self.auditor.rules, self._world()
        near = bool(maintenance) and equity <= maintenance * Fraction(rules.warning)
        assert near is self.state.ledger.warned
        for held in self.state.positions.values():
            if world.trades_now(held.symbol):
                cross = held.margin_mode is not MarginMode.ISOLATED
                assert not (cross and equity <= maintenance)

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
            is_open=is_open if self.sessions else lambda *_: True,
            group_traded=lambda group: any(
                order.oco_group_id == group and order.filled_quantity
                for order in self.auditor.orders.values()
            ),
            rules=self.auditor.rules,
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


def test_whatever_happens_the_invariants_hold() -> None:
    """Over random commands, quotes, session ends and restarts no invariant is ever violated."""
    Exchange.seen.clear()
    run_state_machine_as_test(
        Exchange,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=50,
            suppress_health_check=[HealthCheck.too_slow],
            phases=[
                Phase.explicit,
                Phase.reuse,
                Phase.generate,
            ],  # a run is read sooner than shrunk
        ),
    )
    assert set() == EVERYTHING - set(Exchange.seen)
