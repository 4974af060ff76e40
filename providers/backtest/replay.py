"""History, replayed: the price goes its way through each bar, and orders meet it there.

At every price where something happens, and at the end of every bar, time stands still until the
strategy has dealt with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from providers.backtest.clock import SimulatedClock
from providers.backtest.exchange import BacktestExchange
from providers.backtest.market import ReplayMarket
from providers.backtest.path import Exits, stop_first, waypoints
from providers.backtest.source import BarSource, closes
from providers.engine.trailing import trails
from providers.engine.world import Rules
from providers.exchange.memory import MemoryStore
from providers.exchange.store import Match
from providers.exchange.triggers import TriggerKind
from providers.models import Bar, Order, PositionMode, PositionSide, Side

LEGS = 3
"""From the open to one extreme, to the other, to the close."""


class Replay:
    """Drives one run. `closed` is called with the bars that end at one moment, and `halt` waits
    until whoever trades has dealt with all that has happened.
    """

    def __init__(
        self,
        source: BarSource,
        market: ReplayMarket,
        store: MemoryStore,
        exchange: BacktestExchange,
        clock: SimulatedClock,
        rules: Rules,
    ) -> None:
        self._source = source
        self._market = market
        self._store = store
        self._exchange = exchange
        self._clock = clock
        self._rules = rules

    async def run(
        self, closed: Callable[[list[Bar]], None], halt: Callable[[], Awaitable[None]]
    ) -> None:
        """From the first bar to the last."""
        self._halt = halt
        for bars, following in with_next(moments(self._source.replay())):
            self._exchange.next_open = bars[0].timestamp
            await self._through(bars)
            self._exchange.next_open = following[0].timestamp if following else None
            self._exchange.pause()
            closed(bars)
            await halt()

    async def _through(self, bars: list[Bar]) -> None:
        """Bars of the same moment go side by side, one leg of their way at a time."""
        ways = [waypoints(bar) for bar in bars]
        for bar in bars:
            await self._step(bar.symbol, bar.open, bar.timestamp, gapped=True)
        for left in reversed(range(LEGS)):
            for bar, way in zip(bars, ways, strict=True):
                while len(way) > left:
                    await self._onward(bar, way)

    async def _onward(self, bar: Bar, way: list[Decimal]) -> None:
        """Move to the next price at which something may happen."""
        symbol, price = bar.symbol, self._market.price(bar.symbol)
        present = max(self._clock(), self._store.last_time())
        if self._store.arrived(symbol, present - self._rules.latency):
            await self._step(symbol, price, self._clock())
            return
        way[:] = stop_first(price, way, self._exits(symbol))
        reached = self._nearest(symbol, price, way[0])
        if reached is None:
            reached = way.pop(0)
        await self._step(symbol, reached, moment_in(bar, LEGS - len(way)))

    async def _step(
        self, symbol: str, price: Decimal, at: datetime, *, gapped: bool = False
    ) -> None:
        """The price is here now: orders act, margins are looked after."""
        before = self._store.newest
        now = self._clock.move(at, self._store.last_time())
        self._market.move(symbol, price, now)
        with self._exchange.moving(gapped=gapped):
            for account, order_ids in self._acting(symbol, price, now):
                await self._exchange.advance(account, order_ids)
            for account in self._store.leveraged_accounts():
                if self._exchange.at_risk(self._store.holdings(account)):
                    await self._exchange.guard_margin(account)
        if self._store.newest != before:
            await self._halt()

    def _acting(
        self, symbol: str, price: Decimal, now: datetime
    ) -> Iterable[tuple[str, list[str]]]:
        """The orders that act now, by account, in the order in which they do."""
        matches: list[Match] = [
            *self._store.expired(now),
            *self._store.arrived(symbol, now - self._rules.latency),
            *self._store.triggered(symbol, price, price),
        ]
        orders: dict[str, dict[str, None]] = {}
        for account, order_id in matches:
            orders.setdefault(account, {})[order_id] = None
        return [(account, list(ids)) for account, ids in orders.items()]

    # What lies on the way

    def _nearest(self, symbol: str, price: Decimal, target: Decimal) -> Decimal | None:
        """The first price on the way to `target` at which an order or a margin acts."""
        up = target > price
        found = [
            first_beyond(self._limits(symbol, up=up), price, target),
            first_beyond(self._stops(symbol, up=up), price, target),
            *(first_beyond([each], price, target) for each in self._trailing(symbol, up=up)),
            *(first_beyond([each], price, target) for each in self._margins(symbol, up=up)),
        ]
        ahead = [each for each in found if each is not None]
        return (min if up else max)(ahead) if ahead else None

    def _limits(self, symbol: str, *, up: bool) -> Iterator[Decimal]:
        """Where resting limits trade, the nearest first."""
        kind = TriggerKind.LIMIT_SELL if up else TriggerKind.LIMIT_BUY
        for order in self._store.book.first(symbol, kind):
            if order.limit_price is not None:
                yield self._reached(symbol, order.limit_price, up=up)

    def _reached(self, symbol: str, limit: Decimal, *, up: bool) -> Decimal:
        """The price at which a limit counts as reached: itself, or the tick beyond it."""
        if not self._rules.penetrate:
            return limit
        step = self._market.instruments[symbol].price_increment
        return limit + step if up else limit - step

    def _stops(self, symbol: str, *, up: bool) -> Iterator[Decimal]:
        kind = TriggerKind.STOP_BUY if up else TriggerKind.STOP_SELL
        for order in self._store.book.first(symbol, kind):
            if order.stop_price is not None:
                yield order.stop_price

    def _trailing(self, symbol: str, *, up: bool) -> Iterator[Decimal]:
        side = Side.BUY if up else Side.SELL
        for order in self._store.book.first(symbol, TriggerKind.IMMEDIATE):
            if order.side is side and trails(order) and order.stop_price is not None:
                yield order.stop_price

    def _margins(self, symbol: str, *, up: bool) -> Iterator[Decimal]:
        endangered = PositionSide.SHORT if up else PositionSide.LONG
        for side, price in self._exchange.liquidation_prices(symbol):
            if side is endangered:
                yield price

    def _exits(self, symbol: str) -> Iterator[Exits]:
        """The stop-loss and the take-profit of each position, the nearest of each."""
        for stop_kind, limit_kind, up in (
            (TriggerKind.STOP_SELL, TriggerKind.LIMIT_SELL, True),
            (TriggerKind.STOP_BUY, TriggerKind.LIMIT_BUY, False),
        ):
            stops = self._nearest_exits(symbol, stop_kind)
            limits = self._nearest_exits(symbol, limit_kind) if stops else {}
            for position in stops.keys() & limits.keys():
                stop, limit = stops[position].stop_price, limits[position].limit_price
                if stop is not None and limit is not None:
                    yield Exits(stop, self._reached(symbol, limit, up=up))

    def _nearest_exits(self, symbol: str, kind: TriggerKind) -> dict[str, Order]:
        """The first exit of one kind by the position that it reduces: hedging, the one it names."""
        netting = self._rules.position_mode is PositionMode.NETTING
        found: dict[str, Order] = {}
        for order in self._store.book.first(symbol, kind):
            if order.reduce_only:
                position = symbol if netting else order.position_id or symbol
                found.setdefault(position, order)
                if netting:
                    break
        return found


def first_beyond(prices: Iterable[Decimal], price: Decimal, target: Decimal) -> Decimal | None:
    """The first of some prices, the nearest first, that lies after `price` and up to `target`."""
    for each in prices:
        if price < each <= target or price > each >= target:
            return each
        if each > target > price or each < target < price:
            return None
    return None


def moment_in(bar: Bar, legs: int) -> datetime:
    """The moment at which so many legs of the way through a bar are done."""
    span: timedelta = closes(bar) - bar.timestamp
    return bar.timestamp + span * max(0, legs) / LEGS


def moments(bars: Iterable[Bar]) -> Iterator[list[Bar]]:
    """Bars that open at the same time, together."""
    for _, same in groupby(bars, key=lambda bar: bar.timestamp):
        yield list(same)


def with_next(groups: Iterable[list[Bar]]) -> Iterator[tuple[list[Bar], list[Bar] | None]]:
    """Each with the one after it; None after the last."""
    before: list[Bar] | None = None
    for group in groups:
        if before is not None:
            yield before, group
        before = group
    if before is not None:
        yield before, None
