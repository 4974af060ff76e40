"""Fault schedules: a strategy trades through us at an emulated venue that fails as a seed has it.

Requests are refused, fail after they were carried out, are cut off or come late; the stream breaks
off, repeats itself and tells in another order; orders fill while they are cancelled; our own server
dies in the middle and starts again. Then everything is calm, and both sides must agree: no order
stands or has stood at the venue twice, no fill is lost or counted twice, positions and money are
the same.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx

from providers.base import Instrument, OrderQuery, TradeQuery
from providers.errors import TradingError
from providers.live import http
from providers.live.assembly import live_provider
from providers.live.pace import Pace
from providers.live.provider import LiveProvider
from providers.live.slips import LIVE, PAST, Slip, Stage, decoded
from providers.market_data import feed, history
from providers.models import (
    ClosePositionRequest,
    ModifyOrderRequest,
    ModifyPositionRequest,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    Side,
    TimeInForce,
)
from providers.store.opening import open_store
from tests.venues.emulated import Emulated, Emulator
from tests.venues.exchange import ACCOUNT as AT_VENUE
from tests.venues.faults import STORM, Faults

ACCOUNT: Final = "default"
STEPS: Final = 24
QUICK: Final = Pace(
    ask_after=(0.02, 0.1, 0.2),
    answer=1.0,
    execution=0.05,
    look=0.05,
    poll=0.1,
    turn=0.05,
    overdue=1.5,
    overdue_cancel=0.3,
    compare=1.0,
    compare_again=0.1,
    pause=0.05,
    longest_pause=0.4,
)
CALM_SECONDS: Final = 30.0
"""How long both sides may take to agree once nothing fails any more."""
OPEN: Final = frozenset(
    {
        OrderStatus.PENDING,
        OrderStatus.OPEN,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.PENDING_CANCEL,
    }
)


class Disagreement(AssertionError):
    """Both sides do not tell the same story, with the seed that makes it happen again."""


@dataclass
class Trader:
    """Sends what comes to its mind, and notes what was acknowledged."""

    emulated: Emulated
    chance: random.Random
    acknowledged: dict[str, str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    _number: int = 0

    async def act(self, provider: LiveProvider) -> None:
        """One request; what is refused or fails is noted, nothing else may be raised."""
        actions: list[Callable[[LiveProvider], Awaitable[Any]]] = [
            *([self._submit] * 6),
            *([self._cancel] * 3),
            *([self._modify] * 2),
            self._close,
            self._protect,
            self._cancel_all,
        ]
        action = self.chance.choice(actions)
        try:
            await action(provider)
        except TradingError as error:
            self.outcomes[f"{action.__name__.strip('_')}: {error.code.value}"] += 1
        else:
            self.outcomes[f"{action.__name__.strip('_')}: done"] += 1

    async def _submit(self, provider: LiveProvider) -> None:
        quote = await provider.get_quote(self.emulated.symbol)
        self._number += 1
        request = self._request(quote.bid, quote.ask)
        submission = await provider.submit_order(ACCOUNT, request)
        if request.client_order_id is not None:
            self.acknowledged[request.client_order_id] = submission.handle.id

    def _request(self, bid: Decimal, ask: Decimal) -> OrderRequest:
        side = self.chance.choice([Side.BUY, Side.BUY, Side.SELL])
        kind = self.chance.choice(
            [OrderType.MARKET, OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT, OrderType.STOP]
        )
        tick = self.instrument.price_increment
        lot = max(self.instrument.quantity_increment, Decimal("0.01"))
        distance = tick * self.chance.randint(0, 400)
        price = bid - distance if side is Side.BUY else ask + distance
        touch = ask + distance + tick if side is Side.BUY else bid - distance - tick
        brackets = kind is OrderType.MARKET and self.chance.random() < 0.4
        below, above = bid - tick * 200, ask + tick * 200
        buys = side is Side.BUY
        return OrderRequest(
            symbol=self.emulated.symbol,
            side=side,
            quantity=lot * self.chance.randint(1, 60),
            order_type=kind,
            limit_price=grid(price, tick) if kind is OrderType.LIMIT else None,
            stop_price=grid(touch, tick) if kind is OrderType.STOP else None,
            stop_loss=grid(below if buys else above, tick) if brackets else None,
            take_profit=grid(above if buys else below, tick) if brackets else None,
            time_in_force=TimeInForce.GTC,
            client_order_id=f"strategy-{self._number}",
            oco_group_id=self.chance.choice([None, None, None, "group-1"]),
        )

    @property
    def instrument(self) -> Instrument:
        """As the exchange inside has it; its steps are the venue's."""
        listed = self.emulated.backing.market.instruments
        return listed.get(self.emulated.symbol) or listed["BTC/USD"]

    async def _some_order(self, provider: LiveProvider) -> Order | None:
        page = await provider.list_orders(ACCOUNT, OrderQuery())
        return self.chance.choice(page.items) if page.items else None

    async def _cancel(self, provider: LiveProvider) -> None:
        order = await self._some_order(provider)
        if order is not None:
            await provider.cancel_order(ACCOUNT, order.id)

    async def _modify(self, provider: LiveProvider) -> None:
        order = await self._some_order(provider)
        if order is None or order.limit_price is None:
            return
        price = order.limit_price + self.instrument.price_increment * self.chance.randint(-50, 50)
        await provider.modify_order(ACCOUNT, order.id, ModifyOrderRequest(limit_price=price))

    async def _close(self, provider: LiveProvider) -> None:
        for position in await provider.list_positions(ACCOUNT, None):
            await provider.close_position(ACCOUNT, position.id, ClosePositionRequest())

    async def _protect(self, provider: LiveProvider) -> None:
        tick = self.instrument.price_increment
        for position in await provider.list_positions(ACCOUNT, None):
            long = position.side is PositionSide.LONG
            away = tick * self.chance.randint(20, 300)
            mark = position.current_price
            change = ModifyPositionRequest(
                stop_loss=grid(mark - away if long else mark + away, tick),
                take_profit=grid(mark + away if long else mark - away, tick),
            )
            await provider.modify_position(ACCOUNT, position.id, change)

    async def _cancel_all(self, provider: LiveProvider) -> None:
        await provider.cancel_all_orders(ACCOUNT, None)


def grid(price: Decimal, tick: Decimal) -> Decimal:
    return price - price % tick


@dataclass
class Ours:
    """Our server, which can die."""

    emulated: Emulated
    path: Path
    provider: LiveProvider | None = None

    async def start(self) -> LiveProvider:
        while True:
            store = open_store(
                f"sqlite:///{self.path}", initial_balance=Decimal(0), synchronous="NORMAL"
            )
            provider = live_provider(
                self.emulated.venue(), self.emulated.feed(), store, account=ACCOUNT, pace=QUICK
            )
            try:
                await provider.start()
            except TradingError:  # the venue fails just now, as it may at any start
                await provider.stop()
                await asyncio.sleep(0.01)
            else:
                self.provider = provider
                return provider

    async def die(self) -> None:
        """Everything that is under way ends where it is; only what is durable remains."""
        if self.provider is not None:
            await self.provider.stop()
            self.provider = None


def hastened(put: Callable[[object, str, object], None] = setattr) -> None:
    """Let this process give up on silence soon, and read the market's history once."""
    put(http, "TIMEOUT", httpx.Timeout(1.0))
    put(feed, "load", functools.cache(history.load))


async def run(emulator: Emulator, folder: Path, seed: int) -> Counter[str]:
    """One schedule; what happened in it, counted. Raises Disagreement."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    faults = Faults(seed)
    market: dict[str, Any] = {"seed": seed, "volatility": 10, "tick_interval": "0.1"}
    async with emulator(folder, faults, **market) as emulated:
        ours = Ours(emulated, folder / "ours.db")
        trader = Trader(emulated, chance)
        provider = await ours.start()
        try:
            faults.odds = STORM
            provider = await storm(ours, trader, provider, chance)
            faults.calm()
            await agreement(provider, trader, emulated, seed)
            wrong = list(emulated.judge.violations)
            if wrong:
                raise Disagreement(f"seed {seed}: not as the venue specifies: {wrong[:3]}")
        finally:
            faults.calm()
            await ours.die()
    return trader.outcomes


async def storm(
    ours: Ours, trader: Trader, provider: LiveProvider, chance: random.Random
) -> LiveProvider:
    for _ in range(STEPS):
        acting = [asyncio.create_task(trader.act(provider)) for _ in range(chance.randint(1, 3))]
        if chance.random() < 0.06:
            await asyncio.sleep(chance.random() * 0.1)
            for task in acting:
                task.cancel()
            await asyncio.gather(*acting, return_exceptions=True)
            await ours.die()
            provider = await ours.start()
            trader.outcomes["died"] += 1
        else:
            await asyncio.gather(*acting)
    return provider


async def agreement(provider: LiveProvider, trader: Trader, emulated: Emulated, seed: int) -> None:
    """Wait until both sides agree. Raises Disagreement with what they differ in at the end."""
    deadline = asyncio.get_running_loop().time() + CALM_SECONDS
    provider.watch.look_soon()
    while True:
        try:
            wrong = await differences(provider, trader, emulated)
        except TradingError as error:  # it has started anew a moment ago
            wrong = [str(error)]
        if not wrong:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise Disagreement(f"seed {seed}: " + "; ".join(wrong))
        provider.watch.look_soon()
        await asyncio.sleep(0.1)


async def differences(provider: LiveProvider, trader: Trader, emulated: Emulated) -> list[str]:
    """What both sides do not agree in, or what is still under way."""
    venue, wrong = emulated.backing.exchange, []
    ours = {
        order.id: order
        for page in (
            await provider.list_orders(ACCOUNT, OrderQuery(limit=1000)),
            await provider.list_order_history(ACCOUNT, OrderQuery(limit=1000)),
        )
        for order in page.items
    }
    slips = await slips_of(provider)
    wrong += [
        f"{slip.client_id} is {slip.stage.value}"
        for slip in slips[LIVE]
        if slip.stage is not Stage.WORKING
    ]
    wrong += [
        f"{order.id} is {order.status.value}"
        for order in ours.values()
        if order.status in (OrderStatus.PENDING, OrderStatus.PENDING_CANCEL)
    ]
    wrong += await compare_fills(venue, provider, ours)
    wrong += await compare_open(venue, slips)
    wrong += compare_acknowledged(trader, ours)
    return wrong


async def slips_of(provider: LiveProvider) -> dict[str, list[Slip]]:
    def query(reader: Any) -> dict[str, list[Slip]]:
        return {kind: decoded(reader.memos(ACCOUNT, kind).values()) for kind in (LIVE, PAST)}

    return await provider._store.read(query)


async def compare_fills(venue: Any, provider: LiveProvider, ours: dict[str, Order]) -> list[str]:
    """Each side's fills, positions and money."""
    theirs = await venue.list_trades(AT_VENUE, TradeQuery(limit=1000))
    mine = await provider.list_trades(ACCOUNT, TradeQuery(limit=1000))
    wrong = []
    for side in Side:
        there = sum((one.quantity for one in theirs.items if one.side is side), Decimal(0))
        here = sum((one.quantity for one in mine.items if one.side is side), Decimal(0))
        if there != here:
            wrong.append(f"{side.value}: {there} filled at the venue, {here} in our books")
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    for trade in mine.items:
        filled[trade.order_id] += trade.quantity
    for order in ours.values():
        if filled[order.id] != order.filled_quantity:
            wrong.append(f"{order.id}: {order.filled_quantity} filled, trades {filled[order.id]}")
        if order.quantity != order.filled_quantity + order.remaining_quantity:
            wrong.append(f"{order.id}: {order.quantity} is not filled plus remaining")
    theirs_held = await venue.list_positions(AT_VENUE, None)
    ours_held = await provider.list_positions(ACCOUNT, None)
    held = [total(signed, theirs_held), total(signed, ours_held)]
    if held[0] != held[1]:
        wrong.append(f"{held[0]} held at the venue, {held[1]} in our books")
    cash = provider._venue.traits.money_is_cash
    money = (await venue.get_account(AT_VENUE)).balance
    balance = (await provider.get_account(ACCOUNT)).balance
    if cash:
        money, balance = money - total(spent, theirs_held), balance - total(spent, ours_held)
    if abs(money - balance) > Decimal("0.05"):
        wrong.append(f"the balance is {money} at the venue, {balance} in our books")
    return wrong


async def compare_open(venue: Any, slips: dict[str, list[Slip]]) -> list[str]:
    """What stands at the venue has a slip, and nothing else has."""
    there = await venue.list_orders(AT_VENUE, OrderQuery(limit=1000))
    open_there, open_here = len(there.items), len(slips[LIVE])
    if open_there != open_here:
        return [f"{open_there} orders open at the venue, {open_here} slips"]
    return []


def compare_acknowledged(trader: Trader, ours: dict[str, Order]) -> list[str]:
    """What was acknowledged is there, under its own id, once."""
    wrong = []
    by_client_id: defaultdict[str, list[Order]] = defaultdict(list)
    for order in ours.values():
        if order.client_order_id is not None and order.status is not OrderStatus.REJECTED:
            by_client_id[order.client_order_id].append(order)
    for client_order_id, order_id in trader.acknowledged.items():
        if order_id not in ours:
            wrong.append(f"{client_order_id} was acknowledged and is gone")
    for client_order_id, orders in by_client_id.items():
        if len(orders) > 1:
            wrong.append(f"{client_order_id} names {len(orders)} orders")
    return wrong


def total(of: Callable[[Position], Decimal], positions: list[Position]) -> Decimal:
    return sum((of(each) for each in positions), Decimal(0))


def spent(position: Position) -> Decimal:
    """What the position has taken off the cash; the split of the rest into realized and not
    depends on the order in which fills were told.
    """
    bound = position.cost_basis or Decimal(0)
    return bound if position.side is PositionSide.LONG else -bound


def signed(position: Position) -> Decimal:
    long = position.side is PositionSide.LONG
    return position.quantity if long else -position.quantity
