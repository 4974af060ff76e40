"""Anything may happen in any order, and what must hold still holds.

Random orders of every kind, changes, cancels, closes, exits, quotes, gaps, session ends and
restarts, with netted and hedged positions, on margin of both modes, checked after every step
against the invariants of the exchange and against books kept by another hand. The number of runs is
in the environment: `ENGINE_RUNS=10000 pytest tests/engine/test_machine.py`, or `make machine`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from providers.engine import orders as engine
from providers.engine.margin import figures
from providers.engine.sessions import is_open
from providers.engine.state import TERMINAL, Event, Ledger
from providers.engine.world import Rules
from providers.errors import OrderNotModifiable, OrderRejected, TradingError
from providers.models import (
    MarginMode,
    ModifyOrderRequest,
    ModifyPositionRequest,
    Order,
    OrderRequest,
    OrderType,
    Position,
    PositionMode,
    Quote,
    Side,
)
from tests.engine.auditor import Auditor
from tests.engine.desk import INSTRUMENTS, OPENING, picture
from tests.engine.generated import (
    COSTLY,
    SYMBOLS,
    Tick,
    changes,
    gaps,
    levers,
    limits,
    order_requests,
    picks,
    sizes,
    sometimes,
    ticks,
)
from tests.engine.watched import WatchedAccount

RUNS = int(os.environ.get("ENGINE_RUNS", "450"))

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


class Exchange(WatchedAccount):
    """One account with two symbols; see the module."""

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
        fees: dict[str, Any] = {name: Decimal(value) for name, value in costs.items()}
        rules = Rules(
            position_mode=mode,
            leverage=Decimal(leverage or 5),
            latency=timedelta(seconds=latency),
            **fees,
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
        start = len(self.log)
        result = self._decide(partial(engine.protect, self.state, held[pick % len(held)], exits))
        if isinstance(result, OrderRejected):  # exits may have traded before, but none is made
            assert "BRACKET_ORDER_CREATED" not in {event.name for event in self.log[start:]}
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
        if change.quantity is not None:  # it may trade by it at once
            self.auditor.resized.add(order.id)
        result = self._decide(partial(engine.modify, self.state, order, change))
        if order.status in TERMINAL:
            assert isinstance(result, OrderNotModifiable)
        if isinstance(result, OrderRejected):
            prices = change.model_dump(exclude={"quantity"}).values()
            assert any(prices) or (change.quantity or 0) > order.quantity
        if isinstance(result, Order):
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
        for symbol, bid, spread, shown in ticks:
            self.now += timedelta(seconds=1)
            self._quote(symbol, bid, spread, shown)
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
        self._margin_is_guarded()
        assert self._all_meet() == 0
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
