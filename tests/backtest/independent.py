"""The fills of a backtest, worked out a second time, from the written rules of bars alone.

It shares no code with the engine, and its idea is another: prices walk along the bar from point to
point, and whatever trades, trades at the price where the walk is. So there are two questions only:
at which price does something happen next, and which orders does a price meet.

The rules, as they are read here:

- The path is open, the extreme nearer the open (the low of two equally near), the other, close. If
  a stop-loss and a take-profit of one position (a reduce-only STOP and a reduce-only LIMIT,
  wherever they come from) both lie in what remains of it, it turns: to the end of the range on the
  side of the stop-loss, then to the other end, then to the close.
- An order meets the market for the first time at the first price after it was sent: on a candle,
  at the next open. A limit that is marketable then takes; one that rested makes, also where the bar
  opens beyond it. With `penetrate` one that rests trades only if prices go on beyond its limit.
- Exits of an entry work from its fill on; one that prices have passed already trades at once.
- Of orders that one price reaches, those that arrive come first. Then trailing stops, limits and
  stops, as `providers.exchange.triggers` has it for every tick: those first whose level a gap has
  passed first. All of them by age. A limit that must be penetrated has its turn after its price.
- An order that is changed meets the next price as if it arrived.
- An order sent at a fill inside a bar meets the rest of the path, from the price of the fill on.
- A trailing stop starts from the price at which it was accepted: of a candle, the close. Its stop
  is on the tick grid, never nearer than asked for.
- A DAY order works in every bar that opens before its session ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from tests.backtest.actions import Action, Candle, Costs, Fill, Outcome, Strategy

ZERO = Decimal(0)
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(eq=False)
class Ticket:
    """An order: `side` is 1 or -1, `left` what is still to trade, `twin` the other of two exits.

    `rested` of a limit: it has been at the market, and not traded. `best` is the reference of a
    trailing stop.
    """

    symbol: str
    side: int
    left: Decimal
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    percent: bool = False
    tif: str = "GTC"
    post: bool = False
    reduce: bool = False
    oco: str | None = None
    sl: Decimal | None = None
    tp: Decimal | None = None
    expires: datetime | None = None
    is_exit: bool = False
    of_position: bool = False
    twin: Ticket | None = None
    arrived: bool = False
    rested: bool = False
    triggered: bool = False
    best: Decimal = ZERO

    def __post_init__(self) -> None:
        self.triggered = self.stop is None and self.trail is None

    @property
    def live(self) -> bool:
        return self.left > 0

    def marketable(self, price: Decimal) -> bool:
        return self.limit is None or self.side * (price - self.limit) <= 0


@dataclass
class Holding:
    """What is held of a symbol, short is negative, and its mean price."""

    quantity: Decimal = ZERO
    average: Decimal = ZERO


class Simulator:
    """An account and its orders; `walk` takes them through a bar.

    `ticks` are the price increments, `kinds` the asset classes of the symbols.
    """

    def __init__(
        self,
        cash: Decimal,
        costs: Costs,
        ticks: Mapping[str, Decimal],
        kinds: Mapping[str, str],
        *,
        penetrate: bool = False,
    ) -> None:
        self.balance = cash
        self.costs, self.ticks, self.kinds, self.penetrate = costs, ticks, kinds, penetrate
        self.tickets: list[Ticket] = []
        self.tags: dict[str, Ticket] = {}
        self.held: dict[str, Holding] = {symbol: Holding() for symbol in ticks}
        self.fills: list[Fill] = []
        self.bars: dict[str, int] = dict.fromkeys(ticks, 0)
        self.price: dict[str, Decimal] = {}
        self.route: list[Decimal] = []
        self.traded_groups: set[str] = set()
        self.on_fill: Callable[[Fill], None] = lambda fill: None

    # The walk along a bar

    def walk(self, bar: Candle) -> None:
        """Everything that happens between the opening of a bar and its close."""
        self.tickets = [
            ticket
            for ticket in self.tickets
            if ticket.live and (ticket.expires is None or ticket.expires > bar.start)
        ]
        low_first = bar.open - bar.low <= bar.high - bar.open
        ends = [bar.low, bar.high] if low_first else [bar.high, bar.low]
        self.route = [*ends, bar.close]
        price: Decimal | None = bar.open
        self.price[bar.symbol] = bar.open
        if self.penetrate:  # whether a limit at the open is gone through depends on the way ahead
            self.stop_loss_first(bar.symbol)
        while price is not None:
            self.meet_all(bar.symbol, price)
            self.stop_loss_first(bar.symbol)
            price = self.next_level(bar.symbol) or (self.route.pop(0) if self.route else None)
        self.bars[bar.symbol] += 1

    def stop_loss_first(self, symbol: str) -> None:
        """Turn the path where a stop-loss and a take-profit lie in what remains of it."""
        ahead = [self.price[symbol], *self.route]
        low, high = min(ahead), max(ahead)
        exits = [ticket for ticket in self.live(symbol) if ticket.reduce and ticket.arrived]
        losses = [each for each in exits if each.limit is None and within(low, each.stop, high)]
        gains = [each for each in exits if each.stop is None and within(low, each.limit, high)]
        if self.penetrate:
            gains = [each for each in gains if each.limit != (low if each.side > 0 else high)]
        if losses and gains:
            ends = [low, high] if losses[0].side < 0 else [high, low]
            self.route = [*ends, self.route[-1]]

    def next_level(self, symbol: str) -> Decimal | None:
        """The first price before the next turn of the path at which an order acts."""
        if not self.route:
            return None
        here, goal = self.price[symbol], self.route[0]
        levels = [
            level
            for ticket in self.live(symbol)
            if (level := self.level(ticket)) is not None
            if min(here, goal) <= level <= max(here, goal) and self.acts(ticket, level, goal)
        ]
        return min(levels, key=lambda level: abs(level - here), default=None)

    def level(self, ticket: Ticket) -> Decimal | None:
        """The price an order waits for: its stop, as long as that has not triggered, or limit."""
        if ticket.triggered:
            return ticket.limit
        if ticket.trail is None:
            return ticket.stop
        distance = ticket.best * ticket.trail / 100 if ticket.percent else ticket.trail
        away = ROUND_CEILING if ticket.side > 0 else ROUND_FLOOR
        steps = (ticket.best + ticket.side * distance) / self.ticks[ticket.symbol]
        return steps.to_integral_value(away) * self.ticks[ticket.symbol]

    def acts(self, ticket: Ticket, price: Decimal, goal: Decimal) -> bool:
        """Whether an order that waits acts at a price, on the way to the next turn."""
        level = self.level(ticket)
        if level is None:
            return True
        if not ticket.triggered:
            return ticket.side * (price - level) >= 0
        beyond = -ticket.side * (price - level)
        if self.penetrate and beyond == 0:
            return -ticket.side * (goal - level) > 0
        return beyond >= 0

    # A price meets the orders

    def meet_all(self, symbol: str, price: Decimal) -> None:
        """Every order meets the price once, also those that it brings about."""
        self.price[symbol] = price
        met: list[Ticket] = []
        while waiting := [ticket for ticket in self.live(symbol) if ticket not in met]:
            met.append(ticket := min(waiting, key=self.turn))
            self.meet(ticket, price)

    def turn(self, ticket: Ticket) -> tuple[int, Decimal]:
        """Who is first at one price; of equals, `min` takes the oldest."""
        level = self.level(ticket)
        if not ticket.arrived or level is None:
            return 0, ZERO
        if ticket.trail is not None:
            return 1, ZERO
        passed = abs(level - self.price[ticket.symbol])
        if not ticket.triggered:
            return 3, -passed
        return 4 if self.penetrate and not passed else 2, -passed

    def live(self, symbol: str) -> list[Ticket]:
        return [each for each in self.tickets if each.symbol == symbol and each.live]

    def meet(self, ticket: Ticket, price: Decimal) -> None:
        ticket.arrived = True
        if not ticket.triggered:
            self.try_stop(ticket, price)
        elif not ticket.rested:
            self.try_limit(ticket, price)
        elif self.acts(ticket, price, self.route[0] if self.route else price):
            self.fill(ticket, price, maker=True)

    def try_stop(self, ticket: Ticket, price: Decimal) -> None:
        if ticket.trail is not None:
            ticket.best = min(ticket.best, price) if ticket.side > 0 else max(ticket.best, price)
        if self.acts(ticket, price, price):
            ticket.triggered = True
            self.try_limit(ticket, price)

    def try_limit(self, ticket: Ticket, price: Decimal) -> None:
        """An order at its first chance to trade: it takes, or rests, or ends."""
        if not ticket.marketable(price):
            ticket.rested = True
            if ticket.tif in ("IOC", "FOK"):
                ticket.left = ZERO
        elif ticket.post:
            ticket.left = ZERO
        else:
            self.fill(ticket, price, maker=False)

    # Trades and what they entail

    def fill(self, ticket: Ticket, price: Decimal, *, maker: bool) -> None:
        held = self.held[ticket.symbol]
        quantity = ticket.left
        if ticket.reduce:
            quantity = min(quantity, max(-ticket.side * held.quantity, ZERO))
        if ticket.tif == "FOK" and quantity < ticket.left:
            quantity = ZERO
        if not maker:
            price = self.slipped(ticket, price)
        if quantity:
            self.trade(ticket, quantity, price, maker=maker)
        else:
            ticket.left = ZERO

    def slipped(self, ticket: Ticket, price: Decimal) -> Decimal:
        """Worse by the slippage, on the tick grid, and not worse than a limit."""
        tick = self.ticks[ticket.symbol]
        away = ROUND_CEILING if ticket.side > 0 else ROUND_FLOOR
        worse = price * (1 + ticket.side * self.costs.slippage) / tick
        price = worse.to_integral_value(away) * tick
        if ticket.limit is None or ticket.marketable(price):
            return price
        return ticket.limit

    def trade(self, ticket: Ticket, quantity: Decimal, price: Decimal, *, maker: bool) -> None:
        costs = self.costs
        rate = costs.maker_fee if maker else costs.taker_fee
        commission = price * quantity * rate + quantity * costs.unit_fee + costs.order_fee
        was = self.held[ticket.symbol].quantity
        self.book(ticket.symbol, ticket.side * quantity, price)
        self.balance -= commission
        side = "buy" if ticket.side > 0 else "sell"
        bar = self.bars[ticket.symbol]
        self.fills.append(Fill(bar, ticket.symbol, side, quantity, price, commission, maker))
        concerned = self.follow_up(ticket, quantity, was)
        self.on_fill(self.fills[-1])
        for each in concerned:
            if each.live:
                self.meet(each, self.price[ticket.symbol])

    def book(self, symbol: str, change: Decimal, price: Decimal) -> None:
        """Add to a position at its mean price, or take profit or loss on what goes."""
        held = self.held[symbol]
        if held.quantity * change < 0:
            closing = min(abs(change), abs(held.quantity)).copy_sign(change)
            self.balance += (held.average - price) * closing
            held.quantity += closing
            change -= closing
        if change:
            total = held.quantity + change
            held.average = (held.quantity * held.average + change * price) / total
            held.quantity = total

    def follow_up(self, ticket: Ticket, quantity: Decimal, was: Decimal) -> list[Ticket]:
        """What a fill cancels, shrinks and creates; the latter two meet the price at once."""
        ticket.left -= quantity
        if not ticket.left or ticket.reduce:
            ticket.left = ZERO
        if ticket.oco is not None:
            self.traded_groups.add(ticket.oco)
            self.drop_all(lambda other: other.oco == ticket.oco)
        if ticket.twin is not None:
            ticket.twin.left -= quantity
        now = self.held[ticket.symbol].quantity
        concerned = []
        if was * ticket.side < 0:
            concerned = self.shrink(ticket.symbol, ZERO if was * now < 0 else abs(now))
        if now * ticket.side > 0:
            size = min(quantity, abs(now))
            concerned += self.add_exits(ticket.symbol, -ticket.side, size, ticket.sl, ticket.tp)
        return concerned

    def shrink(self, symbol: str, size: Decimal) -> list[Ticket]:
        """What only reduces is for no more than is left of the position, and ends with it."""
        larger = [each for each in self.live(symbol) if each.reduce and each.left > size]
        for ticket in larger:
            ticket.left = size
        return [ticket for ticket in larger if ticket.arrived]

    def add_exits(
        self, symbol: str, side: int, quantity: Decimal, sl: Decimal | None, tp: Decimal | None
    ) -> list[Ticket]:
        pair = [
            Ticket(symbol, side, quantity, limit=limit, stop=stop, reduce=True, is_exit=True)
            for stop, limit in ((sl, None), (None, tp))
            if stop is not None or limit is not None
        ]
        if len(pair) == 2:
            pair[0].twin, pair[1].twin = pair[1], pair[0]
        self.tickets += pair
        return pair

    def drop_all(self, which: Callable[[Ticket], bool]) -> None:
        for ticket in self.tickets:
            if which(ticket):
                ticket.left = ZERO

    # Requests

    def do(self, action: Action, now: datetime) -> None:
        """What an action asks for. A refusal changes nothing."""
        if action.verb in ("buy", "sell"):
            self.submit(action, now)
        elif action.verb == "close":
            self.close(action)
        elif action.verb == "protect":
            self.protect(action)
        else:
            self.alter(action)

    def submit(self, action: Action, now: datetime) -> None:
        side = 1 if action.verb == "buy" else -1
        assert action.quantity is not None
        if self.refused(action, side):
            return
        ticket = Ticket(
            action.symbol,
            side,
            action.quantity,
            **{name: getattr(action, name) for name in SHARED},
            expires=session_end(self.kinds[action.symbol], now) if action.tif == "DAY" else None,
            best=self.price[action.symbol],
        )
        self.tickets.append(ticket)
        if action.tag:
            self.tags[action.tag] = ticket

    def refused(self, action: Action, side: int) -> bool:
        """Reduce-only without a position, a group that has traded, exits on the wrong side."""
        priced = action.limit is not None or action.stop is not None
        return (
            (action.reduce and side * self.held[action.symbol].quantity >= 0)
            or action.oco in self.traded_groups
            or (not priced and self.wrong_side(action, side))
        )

    def wrong_side(self, action: Action, side: int) -> bool:
        """Whether an exit of something held on that side is at the present price or beyond."""
        price = self.price[action.symbol]
        return (action.sl is not None and side * (price - action.sl) <= 0) or (
            action.tp is not None and side * (action.tp - price) <= 0
        )

    def close(self, action: Action) -> None:
        """A reduce-only market order; the exits of the position go at once."""
        held = self.held[action.symbol].quantity
        if not held or (action.quantity or ZERO) > abs(held):
            return
        self.drop_all(lambda ticket: ticket.is_exit and ticket.symbol == action.symbol)
        quantity = action.quantity or abs(held)
        side = -1 if held > 0 else 1
        self.tickets.append(Ticket(action.symbol, side, quantity, reduce=True))

    def protect(self, action: Action) -> None:
        """Move the exits that there are, create those that there are not; all or nothing."""
        held = self.held[action.symbol].quantity
        if not held or self.wrong_side(action, 1 if held > 0 else -1):
            return
        exits = [ticket for ticket in self.live(action.symbol) if ticket.is_exit]
        losses = [ticket for ticket in exits if ticket.stop is not None]
        gains = [ticket for ticket in exits if ticket.limit is not None]
        for loss in losses:
            loss.stop = action.sl or loss.stop
        for gain in gains:
            gain.limit = action.tp or gain.limit
            gain.rested = gain.rested and not action.tp
        sl = None if losses else action.sl
        tp = None if gains else action.tp
        for each in self.add_exits(action.symbol, -1 if held > 0 else 1, abs(held), sl, tp):
            each.of_position = True
        if (sl is None) != (tp is None) and exits and exits[0].of_position:
            exits[0].twin, self.tickets[-1].twin = self.tickets[-1], exits[0]

    def alter(self, action: Action) -> None:
        """Cancel an order, or change one that has arrived."""
        ticket = self.tags.get(action.tag or "")
        if ticket is None or not ticket.live:
            return
        if action.verb == "cancel":
            ticket.left = ZERO
        elif ticket.arrived:
            ticket.left = action.quantity or ticket.left
            ticket.stop = action.stop or ticket.stop
            ticket.trail = action.trail or ticket.trail
            ticket.limit = action.limit or ticket.limit
            ticket.rested = False


def within(low: Decimal, price: Decimal | None, high: Decimal) -> bool:
    return price is not None and low <= price <= high


def session_end(kind: str, now: datetime) -> datetime:
    """The first end of a session after `now`; holidays are not known here."""
    hour, zone = {"STOCK": (16, NEW_YORK), "FOREX": (17, NEW_YORK)}.get(kind, (0, UTC))
    end = now.astimezone(zone).replace(hour=hour, minute=0, second=0, microsecond=0)
    while end <= now or (kind != "CRYPTO" and end.weekday() > 4):
        end += timedelta(days=1)
    return end


SHARED = ("limit", "stop", "trail", "percent", "tif", "post", "reduce", "oco", "sl", "tp")


def simulate(
    simulator: Simulator, bars: Iterable[Candle], strategy: Strategy, span: timedelta
) -> Outcome:
    """Run a strategy: the bars of a moment are walked, then their candles are shown."""
    now = datetime.min.replace(tzinfo=UTC)

    def filled(fill: Fill) -> None:
        for action in strategy.on_fill(fill, simulator.held[fill.symbol].quantity):
            simulator.do(action, now)

    simulator.on_fill = filled
    for start, group in groupby(bars, key=lambda bar: bar.start):
        together = list(group)
        now = start
        for bar in together:
            simulator.walk(bar)
        now = start + span
        for bar in together:
            for action in strategy.on_candle(bar, simulator.held[bar.symbol].quantity):
                simulator.do(action, now)
    return Outcome(simulator.fills, simulator.balance)
