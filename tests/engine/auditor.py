"""Watches every event of one account and holds it against the rules, as it comes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from providers.engine.state import TERMINAL, Event
from providers.engine.world import Rules
from providers.models import Order, OrderStatus, PositionSide, Quote, Side, Trade
from tests.engine.desk import INSTRUMENTS
from tests.engine.reference import Books, reserve, rounded

OPEN, PART = OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED
ENDS = {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED}
MAY_BECOME = {
    None: {OPEN, OrderStatus.REJECTED},
    OPEN: {OPEN, PART} | ENDS,
    PART: {PART} | ENDS,
}
"""The next status by the present one; nothing follows a terminal status."""

MAY_CHANGE = {
    *("quantity", "filled_quantity", "remaining_quantity", "filled_notional"),
    *("average_fill_price", "limit_price", "stop_price", "status", "triggered", "updated_at"),
}
"""What may ever change of an order."""


class Auditor:
    """What the log of one account adds up to, and a complaint (AssertionError) if it does not.

    `quotes` are the present ones and belong to the caller. `refreshed` are orders changed at a
    quote: a changed price may use the quote again, as a new order would.
    """

    def __init__(self, deposits: Decimal, rules: Rules, quotes: Mapping[str, Quote]) -> None:
        self.rules = rules
        self.quotes = quotes
        self.books = Books(Fraction(deposits))
        self.orders: dict[str, Order] = {}
        self.trades: defaultdict[str, list[Trade]] = defaultdict(list)
        self.seen: Counter[str] = Counter()
        self.refreshed: set[tuple[str, datetime]] = set()
        self._used: defaultdict[tuple[str, datetime], Fraction] = defaultdict(Fraction)
        self._rests_since: dict[str, datetime] = {}
        self._ids: set[str] = set()

    def note(self, event: Event) -> None:
        """Judge one event; call it in the order of the log, before applying it."""
        if isinstance(event.entity, Order):
            self._note_order(event.entity, event.at)
            if event.name in ("ORDER_CREATED", "ORDER_MODIFIED"):
                self._rests_since[event.entity.id] = event.at
        elif isinstance(event.entity, Trade):
            self._note_trade(event.entity)
        self.seen[event.name] += 1

    # Orders

    def _note_order(self, order: Order, at: datetime) -> None:
        before = self.orders.get(order.id)
        assert order.status in MAY_BECOME[before.status if before else None]
        assert order.quantity == order.filled_quantity + order.remaining_quantity
        assert 0 <= order.filled_quantity <= order.quantity
        assert (order.status is OrderStatus.FILLED) is (order.remaining_quantity == 0)
        if before is None:
            self._is_new(order.id)
        else:
            assert order.model_dump(exclude=MAY_CHANGE) == before.model_dump(exclude=MAY_CHANGE)
            self._note_trigger(before, order)
        if order.status is OrderStatus.EXPIRED:
            assert order.expires_at is not None
            assert order.expires_at <= at
        if order.reject_reason:
            self.seen[order.reject_reason.value] += 1
        self.orders[order.id] = order

    def _note_trigger(self, before: Order, order: Order) -> None:
        if order.triggered == before.triggered:
            return
        assert order.triggered
        assert order.stop_price is not None
        price = self.touch(order)
        assert price >= order.stop_price if order.side is Side.BUY else price <= order.stop_price
        self.seen["triggered at rest"] += order.created_at < self.quotes[order.symbol].timestamp

    def _is_new(self, id_: str) -> None:
        assert id_ not in self._ids
        self._ids.add(id_)

    # Trades

    def _note_trade(self, trade: Trade) -> None:
        order = self.orders[trade.order_id]
        self._is_new(trade.id)
        self._fair_price(order, trade)
        self._fair_size(order, trade)
        fee = self.rules.maker_fee if trade.is_maker else self.rules.taker_fee
        price, commission = Fraction(trade.price), Fraction(trade.commission)
        assert commission == price * Fraction(trade.quantity) * Fraction(fee)
        change = Fraction(trade.quantity) * (1 if trade.side is Side.BUY else -1)
        self._only_reduces(order, change)
        self.books.trade(trade.symbol, change, price, commission)
        self.trades[order.id].append(trade)
        self.sums_up(order)
        self.seen["maker" if trade.is_maker else "taker"] += 1

    def _fair_price(self, order: Order, trade: Trade) -> None:
        """What rested before the quote makes and gets its limit; the rest takes and gets the
        touch. Neither is worse than the limit.
        """
        touch = self.touch(order)
        assert order.triggered in (None, True)
        rested = self._rests_since[order.id] < self.quotes[order.symbol].timestamp
        assert trade.is_maker is (rested and order.limit_price is not None)
        assert trade.price == (order.limit_price if trade.is_maker else touch)
        if order.limit_price is not None:
            lowest, highest = sorted((order.limit_price, touch))
            bought = order.side is Side.BUY
            assert order.limit_price == (highest if bought else lowest)

    def _fair_size(self, order: Order, trade: Trade) -> None:
        """All that an order trades against one quote is within the size that the quote shows."""
        assert trade.quantity > 0
        key = order.id, self.quotes[order.symbol].timestamp
        self._used[key] += Fraction(trade.quantity)
        size = self.size(order)
        assert size is None or self._used[key] <= size or key in self.refreshed

    def _only_reduces(self, order: Order, change: Fraction) -> None:
        held = self.books.holdings.get(order.symbol)
        if order.reduce_only:
            assert held is not None
            assert held.quantity * change < 0
            assert abs(change) <= abs(held.quantity)
            self.seen["reduce-only fill"] += 1
        elif held is not None and held.quantity * (held.quantity + change) < 0:
            self.seen["flip"] += 1

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
        if not waits and self._is_within_limit(order):
            assert self.size(order) is not None
            assert self._used[key] == self.size(order)

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

    # The account

    def positions(self) -> dict[str, tuple[PositionSide, Fraction, Fraction, Fraction, Fraction]]:
        """By symbol: side, quantity, average entry price, cost basis and realized profit."""
        return {
            symbol: (
                PositionSide.LONG if held.quantity > 0 else PositionSide.SHORT,
                abs(held.quantity),
                held.average,
                abs(held.cost),
                held.realized,
            )
            for symbol, held in self.books.holdings.items()
        }

    def figures(self) -> tuple[Fraction, Fraction, Fraction]:
        """Balance, unrealized profit and margin used, from trades and open orders alone."""
        value = profit = Fraction(0)
        for symbol, held in self.books.holdings.items():
            quote = self.quotes[symbol]
            mark = Fraction(quote.bid if held.quantity > 0 else quote.ask)
            value += abs(held.quantity) * mark
            profit += held.quantity * mark - held.cost
        for symbol in self.quotes:
            value += sum(self._reserved(symbol, side) for side in Side)
        return self.books.balance, profit, rounded(value / Fraction(self.rules.leverage))

    def _reserved(self, symbol: str, side: Side) -> Fraction:
        held = self.books.holdings.get(symbol)
        signed = held.quantity if held else Fraction(0)
        covered = max(Fraction(0), signed if side is Side.SELL else -signed)
        return reserve(
            [
                (Fraction(order.remaining_quantity), Fraction(self._expected_price(order)))
                for order in self.orders.values()
                if (order.symbol, order.side) == (symbol, side)
                and order.status not in TERMINAL
                and not order.reduce_only
            ],
            covered,
        )

    def _expected_price(self, order: Order) -> Decimal:
        stop = None if order.triggered else order.stop_price
        if order.limit_price is None:
            return stop or self.touch(order)
        if stop is not None and order.side is Side.SELL:
            return max(stop, order.limit_price)
        return order.limit_price
