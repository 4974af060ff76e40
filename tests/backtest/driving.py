"""One strategy on both sides: through BacktestProvider, and through the independent calculation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from providers.backtest.provider import BacktestProvider
from providers.backtest.settings import BacktestSettings, FillRule
from providers.backtest.source import MemoryBars
from providers.base import Instrument, StreamQuery
from providers.errors import OrderNotFound, OrderNotModifiable, OrderRejected
from providers.market_data.history import load
from providers.models import (
    AssetClass,
    Bar,
    ClosePositionRequest,
    ModifyOrderRequest,
    ModifyPositionRequest,
    OrderRequest,
    OrderType,
    Position,
    PositionSide,
    Side,
    Timeframe,
    TimeInForce,
    TrailingType,
)
from tests.backtest.actions import Action, Candle, Costs, Fill, Outcome, Strategy
from tests.backtest.independent import Simulator, simulate

ACCOUNT = "default"
SPANS = {Timeframe.M5: 300, Timeframe.H1: 3600, Timeframe.D1: 86400}

INSTRUMENTS = {
    symbol: Instrument(
        symbol=symbol,
        asset_class=kind,
        price_increment=Decimal(tick),
        quantity_increment=Decimal(lot),
    )
    for symbol, kind, tick, lot in (
        ("AAPL", AssetClass.STOCK, "0.01", "1"),
        ("IBM", AssetClass.STOCK, "0.01", "1"),
        ("BTC/USD", AssetClass.CRYPTO, "0.01", "0.0001"),
        ("EUR/USD", AssetClass.FOREX, "0.00001", "1"),
    )
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything a run depends on but the strategy; bars by opening time."""

    bars: Sequence[Candle]
    timeframe: Timeframe = Timeframe.D1
    costs: Costs = field(default_factory=Costs)
    penetrate: bool = False
    cash: Decimal = Decimal(1_000_000)

    @property
    def symbols(self) -> list[str]:
        """In the order in which they are listed."""
        return [symbol for symbol in INSTRUMENTS if any(b.symbol == symbol for b in self.bars)]

    @property
    def span(self) -> timedelta:
        return timedelta(seconds=SPANS[self.timeframe])

    def source(self) -> MemoryBars:
        instruments = [INSTRUMENTS[symbol] for symbol in self.symbols]
        bars = [api_bar(bar, self.timeframe) for bar in self.bars]
        return MemoryBars(bars, instruments, self.timeframe)

    def settings(self) -> BacktestSettings:
        return BacktestSettings(
            _env_file=None,
            initial_balance=self.cash,
            fill=FillRule("penetrate" if self.penetrate else "touch"),
            **vars(self.costs),
        )

    def simulator(self) -> Simulator:
        listed = {symbol: INSTRUMENTS[symbol] for symbol in self.symbols}
        return Simulator(
            self.cash,
            self.costs,
            {symbol: each.price_increment for symbol, each in listed.items()},
            {symbol: each.asset_class.value for symbol, each in listed.items()},
            penetrate=self.penetrate,
        )


def calculated(scene: Scene, strategy: Strategy) -> Outcome:
    """What should happen."""
    return simulate(scene.simulator(), scene.bars, strategy, scene.span)


async def provided(scene: Scene, strategy: Strategy) -> Outcome:
    """What happens."""
    provider = BacktestProvider(scene.source(), scene.settings())
    await provider.start()
    trader = Trader(provider, strategy)
    async for frame in frames(provider):
        await trader.react(frame)
    account = await provider.get_account(ACCOUNT)
    await provider.stop()
    return Outcome(trader.fills, account.balance)


async def frames(
    provider: BacktestProvider, texts: list[str] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """All frames of a run, each acknowledged when the loop body has dealt with it."""
    async for text in await provider.subscribe(ACCOUNT, StreamQuery()):
        if texts is not None:
            texts.append(text)
        frame = json.loads(text)
        yield frame
        if "event_id" in frame:
            await provider.acknowledge(ACCOUNT, [frame["event_id"]])


@dataclass
class Trader:
    """Shows a strategy what the stream says, and asks the provider for what it decides."""

    provider: BacktestProvider
    strategy: Strategy
    fills: list[Fill] = field(default_factory=list)
    candles: dict[str, int] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    async def react(self, frame: Mapping[str, Any]) -> None:
        if frame["type"] == "candle":
            candle = candle_of(frame["bar"])
            self.candles[candle.symbol] = self.candles.get(candle.symbol, 0) + 1
            await self._do(self.strategy.on_candle(candle, await self._held(candle.symbol)))
        elif frame["type"] == "trade":
            self.fills.append(fill := self._fill(frame["trade"]))
            await self._do(self.strategy.on_fill(fill, await self._held(fill.symbol)))

    def _fill(self, trade: Mapping[str, Any]) -> Fill:
        return Fill(
            self.candles.get(trade["symbol"], 0),
            trade["symbol"],
            trade["side"].lower(),
            Decimal(trade["quantity"]),
            Decimal(trade["price"]),
            Decimal(trade["commission"]),
            trade["is_maker"],
        )

    async def _position(self, symbol: str) -> Position | None:
        found = await self.provider.list_positions(ACCOUNT, symbol)
        return found[0] if found else None

    async def _held(self, symbol: str) -> Decimal:
        position = await self._position(symbol)
        if position is None:
            return Decimal(0)
        return position.quantity if position.side is PositionSide.LONG else -position.quantity

    async def _do(self, actions: Iterable[Action]) -> None:
        for action in actions:
            try:
                await self._request(action)
            except (OrderRejected, OrderNotModifiable, OrderNotFound):
                continue  # what comes of a refusal is seen in the trades

    async def _request(self, action: Action) -> None:
        if action.verb in ("buy", "sell"):
            done = await self.provider.submit_order(ACCOUNT, order_request(action))
            self.ids[action.tag or done.handle.id] = done.handle.id
        elif action.verb == "cancel":
            await self.provider.cancel_order(ACCOUNT, self.ids.get(action.tag or "", "none"))
        elif action.verb == "change":
            changes = ModifyOrderRequest(
                quantity=action.quantity,
                limit_price=action.limit,
                stop_price=action.stop,
                trailing_distance=action.trail,
            )
            order_id = self.ids.get(action.tag or "", "none")
            await self.provider.modify_order(ACCOUNT, order_id, changes)
        elif (position := await self._position(action.symbol)) is not None:
            await self._position_request(action, position.id)

    async def _position_request(self, action: Action, position_id: str) -> None:
        if action.verb == "close":
            how = ClosePositionRequest(quantity=action.quantity)
            await self.provider.close_position(ACCOUNT, position_id, how)
        else:
            exits = ModifyPositionRequest(stop_loss=action.sl, take_profit=action.tp)
            await self.provider.modify_position(ACCOUNT, position_id, exits)


def order_request(action: Action) -> OrderRequest:
    assert action.quantity is not None
    return OrderRequest(
        symbol=action.symbol,
        side=Side(action.verb.upper()),
        quantity=action.quantity,
        order_type=order_type(action),
        limit_price=action.limit,
        stop_price=action.stop,
        time_in_force=TimeInForce(action.tif),
        stop_loss=action.sl,
        take_profit=action.tp,
        reduce_only=action.reduce or None,
        post_only=action.post or None,
        oco_group_id=action.oco,
        trailing_distance=action.trail,
        trailing_type=TrailingType.PERCENT if action.percent else None,
    )


def order_type(action: Action) -> OrderType:
    if action.trail is not None:
        return OrderType.TRAILING_STOP
    by_prices = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }
    return by_prices[action.limit is not None, action.stop is not None]


def candle_of(bar: Mapping[str, Any]) -> Candle:
    """A bar of a candle frame."""
    prices = (Decimal(bar[name]) for name in ("open", "high", "low", "close"))
    return Candle(bar["symbol"], datetime.fromisoformat(bar["timestamp"]), *prices)


def api_bar(bar: Candle, timeframe: Timeframe) -> Bar:
    return Bar(
        symbol=bar.symbol,
        provider="test",
        timeframe=timeframe,
        timestamp=bar.start,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=Decimal(1_000_000),
    )


def drawn(
    text: str, start: datetime, span: timedelta, symbol: str = "AAPL", skip: Iterable[int] = ()
) -> list[Candle]:
    """Bars written as `open high low close, open high low close`; `skip` leaves gaps of time."""
    missing = set(skip)
    places = (place for place in range(1000) if place not in missing)
    return [
        Candle(symbol, start + place * span, *(Decimal(price) for price in bar.split()))
        for place, bar in zip(places, text.split(","), strict=False)
    ]


def shipped(name: str, timeframe: Timeframe, symbol: str) -> list[Candle]:
    """The history that comes with the package."""
    tick = INSTRUMENTS[symbol].price_increment
    return [
        Candle(
            symbol,
            datetime.fromtimestamp(bar.start, UTC),
            *(price * tick for price in (bar.open, bar.high, bar.low, bar.close)),
        )
        for bar in load(name, SPANS[timeframe]).bars
    ]


NewStrategy = Callable[[], Strategy]
"""Makes a fresh strategy for each side."""
