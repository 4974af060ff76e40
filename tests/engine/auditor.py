"""Watches every event of one account and holds it against the rules, as it comes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from providers.engine.state import TERMINAL, Event, Notice
from providers.engine.world import Rules
from providers.models import (
    MarginMode,
    Order,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Quote,
    Side,
    Trade,
)
from tests.engine.desk import INSTRUMENTS
from tests.engine.reference import Books, Holding, Terms, reserve, rounded

PENDING, OPEN, PART = OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED
UNFILLED_ENDS = {OrderStatus.CANCELLED, OrderStatus.EXPIRED}
MAY_BECOME = {
    None: {PENDING, OPEN, OrderStatus.REJECTED},
    PENDING: {PENDING, OPEN, OrderStatus.REJECTED} | UNFILLED_ENDS,
    OPEN: {OPEN, PART, OrderStatus.FILLED} | UNFILLED_ENDS,
    PART: {PART, OrderStatus.FILLED} | UNFILLED_ENDS,
}
"""The next status by the present one; nothing follows a terminal status."""

MAY_CHANGE = {
    *("quantity", "filled_quantity", "remaining_quantity", "filled_notional"),
    *("average_fill_price", "limit_price", "stop_price", "status", "triggered", "updated_at"),
    *("stop_loss", "take_profit", "trailing_distance", "trailing_reference"),
    *("position_id", "reject_reason"),
}
"""What may ever change of an order."""

GRAINS = Fraction(1, 10**12)
"""Room for what quotients of 18 places lose."""


class Auditor:
    """What the log of one account adds up to, and a complaint (AssertionError) if it does not.

    `quotes` are the present ones and belong to the caller. `trades_at` tells whether a symbol's
    market was open at a moment. `refreshed` are orders changed at a
    quote: a changed price may use the quote again, as a new order would. `resized` are exits whose
    quantity the client has changed: what they may fill is no longer their entry's.
    """

    def __init__(self, deposits: Decimal, rules: Rules, quotes: Mapping[str, Quote]) -> None:
        self.rules = rules
        self.quotes = quotes
        self.books = Books(Fraction(deposits))
        self.orders: dict[str, Order] = {}
        self.trades: defaultdict[str, list[Trade]] = defaultdict(list)
        self.seen: Counter[str] = Counter()
        self.refreshed: set[tuple[str, datetime]] = set()
        self.trades_at: Callable[[str, datetime], bool] = lambda *_: True
        self.resized: set[str] = set()
        self._used: defaultdict[tuple[str, datetime], Fraction] = defaultdict(Fraction)
        self._rests_since: dict[str, datetime] = {}
        self._ids: set[str] = set()
        self._liquidations: set[str] = set()
        self._groups: defaultdict[str, set[str]] = defaultdict(set)

    def expect(self, events: Iterable[Event]) -> None:
        """Learn which orders of a decision liquidate: the notice comes after the trade."""
        notices = [event.entity for event in events if isinstance(event.entity, Notice)]
        self._liquidations |= {notice.details["order_id"] for notice in notices}

    def note(self, event: Event) -> None:
        """Judge one event; call it in the order of the log, before applying it."""
        if isinstance(event.entity, Order):
            self._note_order(event.entity, event.at)
        elif isinstance(event.entity, Trade):
            self._note_trade(event.entity)
        self.seen[event.name] += 1

    # Orders

    def _note_order(self, order: Order, at: datetime) -> None:
        before = self.orders.get(order.id)
        if before is None or _terms(before) != _terms(order) or not self._could_make(order):
            self._rests_since[order.id] = at
        assert order.status in MAY_BECOME[before.status if before else None]
        assert order.quantity == order.filled_quantity + order.remaining_quantity
        assert 0 <= order.filled_quantity <= order.quantity
        assert (order.status is OrderStatus.FILLED) is (order.remaining_quantity == 0)
        if before is None:
            self._is_new(order.id)
        else:
            assert order.model_dump(exclude=MAY_CHANGE) == before.model_dump(exclude=MAY_CHANGE)
            self._note_trigger(before, order)
            self._note_trail(before, order)
        if order.status is OrderStatus.EXPIRED:
            assert order.expires_at is not None
            assert order.expires_at <= at
        if order.reject_reason:
            self.seen[order.reject_reason.value] += 1
        self.orders[order.id] = order

    def _could_make(self, order: Order) -> bool:
        """Whether the market was open when the order took its present terms."""
        since = self._rests_since[order.id]
        return order.post_only is True or self.trades_at(order.symbol, since)

    def _note_trigger(self, before: Order, order: Order) -> None:
        if order.triggered == before.triggered:
            return
        assert order.triggered
        assert order.stop_price is not None
        price = self.touch(order)
        assert price >= order.stop_price if order.side is Side.BUY else price <= order.stop_price
        self.seen["triggered at rest"] += order.created_at < self.quotes[order.symbol].timestamp

    def _note_trail(self, before: Order, order: Order) -> None:
        """The stop of a trailing order only moves towards the market, and not once triggered."""
        if order.order_type is not OrderType.TRAILING_STOP or before.stop_price is None:
            return
        if order.trailing_distance != before.trailing_distance:
            return
        moved = (order.stop_price or 0) - before.stop_price
        assert moved <= 0 if order.side is Side.BUY else moved >= 0
        assert not (moved and before.triggered)
        self.seen["trailed"] += moved != 0

    def _is_new(self, id_: str) -> None:
        assert id_ not in self._ids
        self._ids.add(id_)

    # Trades

    def _note_trade(self, trade: Trade) -> None:
        order = self.orders[trade.order_id]
        self._is_new(trade.id)
        change = Fraction(trade.quantity) * (1 if trade.side is Side.BUY else -1)
        if order.id in self._liquidations:
            self._fair_liquidation(order, trade)
        else:
            self._fair_price(order, trade)
            self._fair_size(order, trade)
        self._only_reduces(order, change)
        self._alone_in_its_group(order)
        price, commission = Fraction(trade.price), Fraction(trade.commission)
        assert commission == self._fee(order, trade)
        self._loses_its_margin_at_most(order, change, price)
        isolated = order.margin_mode is MarginMode.ISOLATED
        terms = Terms(Fraction(order.leverage or 1), isolated)
        self.books.trade(self.key(order), change, price, commission, terms)
        self.trades[order.id].append(trade)
        self.sums_up(order)
        self.seen["maker" if trade.is_maker else "taker"] += 1

    def key(self, order: Order) -> str:
        """What the books call the position that the order's fills go into."""
        if self.rules.position_mode is PositionMode.NETTING:
            return order.symbol
        assert order.position_id is not None
        return order.position_id

    def _fee(self, order: Order, trade: Trade) -> Fraction:
        rate = self.rules.maker_fee if trade.is_maker else self.rules.taker_fee
        quantity = Fraction(trade.quantity)
        fee = Fraction(trade.price) * quantity * Fraction(rate)
        fee += quantity * Fraction(self.rules.unit_fee)
        return fee if self.trades[order.id] else fee + Fraction(self.rules.order_fee)

    def _fair_price(self, order: Order, trade: Trade) -> None:
        """What rested before the quote makes and gets its limit; the rest takes and gets the
        touch, made worse by the slippage. Neither is worse than the limit.
        """
        assert order.triggered in (None, True)
        quote = self.quotes[order.symbol]
        rested = self._rests_since[order.id] < quote.timestamp and self._could_make(order)
        assert trade.is_maker is (rested and order.limit_price is not None)
        assert not (order.post_only and not trade.is_maker)
        price = Fraction(order.limit_price or 0) if trade.is_maker else self._taken(order)
        assert trade.price == self._payable(order, price)
        if order.limit_price is not None:
            lowest, highest = sorted((order.limit_price, self.touch(order)))
            bought = order.side is Side.BUY
            assert order.limit_price == (highest if bought else lowest)

    def _payable(self, order: Order, price: Fraction) -> Fraction:
        """The price, or the tick before it at which an ISOLATED position can pay its loss."""
        held = self.books.holdings.get(self.key(order))
        sign = 1 if order.side is Side.SELL else -1
        if held is None or not held.isolated or held.quantity * sign < 0:
            return price
        last = rounded((abs(held.cost) - sign * held.own_margin()) / abs(held.quantity))
        ticks = last / Fraction(INSTRUMENTS[order.symbol].price_increment)
        whole = (-(-ticks // 1) if sign > 0 else ticks // 1) * last / ticks
        return max(price, whole) if sign > 0 else min(price, whole)

    def _taken(self, order: Order) -> Fraction:
        """The touch and the slippage, in whole ticks against the order, within its limit."""
        buys = order.side is Side.BUY
        tick = Fraction(INSTRUMENTS[order.symbol].price_increment)
        slip = Fraction(self.rules.slippage) * (1 if buys else -1)
        ticks = Fraction(self.touch(order)) * (1 + slip) / tick
        price = (-(-ticks // 1) if buys else ticks // 1) * tick
        if order.limit_price is None:
            return Fraction(price)
        limit = Fraction(order.limit_price)
        return Fraction(min(price, limit) if buys else max(price, limit))

    def _fair_size(self, order: Order, trade: Trade) -> None:
        """All that an order trades against one quote is within the size that the quote shows."""
        assert trade.quantity > 0
        key = order.id, self.quotes[order.symbol].timestamp
        self._used[key] += Fraction(trade.quantity)
        size = self.size(order)
        assert size is None or self._used[key] <= size or key in self.refreshed
        if trade.is_maker and order.display_quantity is not None:
            assert trade.quantity <= order.display_quantity
            self.seen["iceberg"] += order.remaining_quantity > 0

    def _fair_liquidation(self, order: Order, trade: Trade) -> None:
        """All of the position at the mark, or better where its own margin ends before."""
        held = self.books.holdings[self.key(order)]
        mark = Fraction(self.touch(order))
        assert abs(held.quantity) == Fraction(trade.quantity)
        if not held.isolated:
            assert Fraction(trade.price) == mark
            return
        kept = Fraction(self.rules.maintenance) * abs(held.quantity) * mark
        assert held.own_margin() + held.profit(mark) <= kept + GRAINS
        better = Fraction(trade.price) - mark
        assert better >= 0 if order.side is Side.SELL else better <= 0
        self.seen["isolated liquidation"] += 1
        self.seen["gapped through"] += better != 0

    def _only_reduces(self, order: Order, change: Fraction) -> None:
        held = self.books.holdings.get(self.key(order))
        if order.reduce_only:
            assert held is not None
            assert held.quantity * change < 0
            assert abs(change) <= abs(held.quantity)
            self.seen["reduce-only fill"] += 1
        elif held is not None and held.quantity * (held.quantity + change) < 0:
            assert self.rules.position_mode is PositionMode.NETTING
            self.seen["flip"] += 1

    def _alone_in_its_group(self, order: Order) -> None:
        """No other order of its OCO group has filled; of the legs of an entry no more fill than
        the entry has.
        """
        if order.oco_group_id is not None:
            self._groups[order.oco_group_id].add(order.id)
            assert self._groups[order.oco_group_id] == {order.id}
        entry = self.orders.get(order.parent_order_id or "")
        if entry is not None:
            legs = [leg for leg in self.orders.values() if leg.parent_order_id == entry.id]
            if self.resized.isdisjoint(leg.id for leg in legs):
                assert sum(leg.filled_quantity for leg in legs) <= entry.filled_quantity
            self.seen["exit"] += 1

    def _loses_its_margin_at_most(self, order: Order, change: Fraction, price: Fraction) -> None:
        """An ISOLATED position loses no more than it was given, in proportion to what goes."""
        held = self.books.holdings.get(self.key(order))
        if held is None or not held.isolated or held.quantity * change > 0:
            return
        closing = min(abs(change), abs(held.quantity))
        gain = (price - held.average) * closing * (1 if held.quantity > 0 else -1)
        assert -gain <= held.average * closing / held.leverage + GRAINS
        self.seen["isolated reduction"] += 1

    # At rest

    def touch(self, order: Order) -> Decimal:
        quote = self.quotes[order.symbol]
        return quote.ask if order.side is Side.BUY else quote.bid

    def size(self, order: Order) -> Decimal | None:
        """The whole lots of the size shown."""
        quote = self.quotes[order.symbol]
        size = quote.ask_size if order.side is Side.BUY else quote.bid_size
        lot = INSTRUMENTS[order.symbol].quantity_increment
        return None if size is None else size - size % lot

    def has_met(self, order: Order) -> None:
        """An open order that could trade at its quote has had all that the quote shows."""
        key = order.id, self.quotes[order.symbol].timestamp
        waits = order.triggered is False or order.reduce_only or key in self.refreshed
        if waits or order.status is PENDING or not self._is_within_limit(order):
            return
        size, shown = self.size(order), order.display_quantity
        enough = {size, shown if size is None else min(size, shown or size)}
        assert self._used[key] in enough

    def _is_within_limit(self, order: Order) -> bool:
        limit, touch = order.limit_price, self.touch(order)
        return limit is None or (touch <= limit if order.side is Side.BUY else touch >= limit)

    def sums_up(self, order: Order) -> None:
        """What the order says has filled is what its trades say."""
        trades = self.trades[order.id]
        filled = sum((Fraction(trade.quantity) for trade in trades), Fraction(0))
        notional = sum((Fraction(t.quantity) * Fraction(t.price) for t in trades), Fraction(0))
        average = order.average_fill_price
        assert Fraction(order.filled_quantity) == filled
        assert Fraction(order.filled_notional or 0) == notional
        assert (average is None) is (filled == 0)
        assert average is None or Fraction(average) == rounded(notional / filled)

    def groups_are_settled(self) -> None:
        """Where one order of a group has filled, no other is open."""
        for order in self.orders.values():
            if order.oco_group_id is not None and order.status not in TERMINAL:
                assert self._groups[order.oco_group_id] <= {order.id}

    def room(self, order: Order) -> Fraction:
        """How much the order could close."""
        netting = self.rules.position_mode is PositionMode.NETTING
        held = self.books.holdings.get(order.symbol if netting else order.position_id or "")
        signed = held.quantity if held else Fraction(0)
        return max(signed if order.side is Side.SELL else -signed, Fraction(0))

    # The account

    def positions(self) -> dict[str, tuple[object, ...]]:
        """By key: side, quantity, average entry, cost, realized profit, leverage and mode."""
        return {
            key: (
                PositionSide.LONG if held.quantity > 0 else PositionSide.SHORT,
                abs(held.quantity),
                held.average,
                abs(held.cost),
                held.realized,
                held.leverage,
                held.isolated,
            )
            for key, held in self.books.holdings.items()
        }

    def figures(self, symbols: Mapping[str, str]) -> tuple[Fraction, Fraction, Fraction]:
        """Balance, unrealized profit and margin used, from trades and open orders alone.

        `symbols` are those of the positions by their key.
        """
        used = profit = Fraction(0)
        for key, held in self.books.holdings.items():
            mark = self._mark(held, symbols[key])
            used += held.margin(mark)
            profit += held.profit(mark)
        for symbol in self.quotes:
            used += sum(self._reserved(symbol, side) for side in Side)
        return self.books.balance, profit, used

    def cross(self, symbols: Mapping[str, str]) -> tuple[Fraction, Fraction]:
        """What backs the CROSS positions, and their maintenance."""
        equity, notional = self.books.balance, Fraction(0)
        for key, held in self.books.holdings.items():
            mark = self._mark(held, symbols[key])
            equity += -held.own_margin() if held.isolated else held.profit(mark)
            notional += Fraction(0) if held.isolated else abs(held.quantity) * mark
        return equity, notional * Fraction(self.rules.maintenance)

    def _mark(self, held: Holding, symbol: str) -> Fraction:
        quote = self.quotes[symbol]
        return Fraction(quote.bid if held.quantity > 0 else quote.ask)

    def _reserved(self, symbol: str, side: Side) -> Fraction:
        covered = Fraction(0)
        if self.rules.position_mode is PositionMode.NETTING and symbol in self.books.holdings:
            signed = self.books.holdings[symbol].quantity
            covered = max(covered, signed if side is Side.SELL else -signed)
        return reserve(
            [
                (Fraction(order.remaining_quantity), self._bound(order))
                for order in self.orders.values()
                if (order.symbol, order.side) == (symbol, side)
                and order.status not in TERMINAL
                and not order.reduce_only
            ],
            covered,
        )

    def _bound(self, order: Order) -> Fraction:
        """What one order would bind: priced by itself, or by the market."""
        quantity, leverage = Fraction(order.remaining_quantity), Fraction(order.leverage or 1)
        price = self._expected_price(order)
        if price is None:
            return rounded(quantity / leverage) * Fraction(self.touch(order))
        return rounded(quantity * Fraction(price) / leverage)

    @staticmethod
    def _expected_price(order: Order) -> Decimal | None:
        stop = None if order.triggered else order.stop_price
        if order.limit_price is None:
            return stop
        if stop is not None and order.side is Side.SELL:
            return max(stop, order.limit_price)
        return order.limit_price


def _terms(order: Order) -> tuple[object, ...]:
    """What makes an order arrive anew when it changes."""
    return order.limit_price, order.stop_price, order.triggered, order.status is PENDING
