"""Records of runs for tests: made of bars and fills, and accounted for here independently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from providers.backtest.results.record import EquityPoint, RunRecord
from providers.backtest.source import closes
from providers.models import (
    AssetClass,
    Bar,
    Order,
    OrderStatus,
    OrderType,
    Side,
    Timeframe,
    TimeInForce,
    Trade,
)

START = datetime(2020, 1, 6, tzinfo=UTC)
CASH = Decimal(100_000)
DAY = timedelta(days=1)

Deal = tuple[int, str, str | int, str | int]
"""The number of the bar, the symbol, what is bought (sold if below 0), and the price."""


def bars_of(symbol: str, prices: Iterable[Sequence[str | int]], **changes: Any) -> list[Bar]:
    """Bars of a day each, from (open, high, low, close) or from one price."""
    return [
        Bar(
            symbol=symbol,
            provider="backtest",
            timeframe=Timeframe.D1,
            timestamp=START + number * DAY,
            **dict(zip(("open", "high", "low", "close"), map(Decimal, each), strict=True)),
            volume=Decimal(1000),
        ).evolve(**changes)
        for number, each in enumerate(prices)
    ]


def flat(*prices: str | int) -> list[tuple[str | int, ...]]:
    """Bars that are a point each."""
    return [(price, price, price, price) for price in prices]


def trades_of(
    bars: Mapping[str, Sequence[Bar]], deals: Iterable[Deal], fee: str = "0"
) -> list[Trade]:
    """A fill of each deal at the opening of its bar; fee is a fraction of the notional."""
    return [
        Trade(
            id=f"trd_{number:06}",
            order_id=f"ord_{number:06}",
            symbol=symbol,
            side=Side.BUY if Decimal(quantity) > 0 else Side.SELL,
            quantity=abs(Decimal(quantity)),
            price=Decimal(price),
            commission=abs(Decimal(quantity)) * Decimal(price) * Decimal(fee),
            commission_currency="USD",
            is_maker=False,
            timestamp=bars[symbol][place].timestamp + number * timedelta(microseconds=1),
        )
        for number, (place, symbol, quantity, price) in enumerate(deals, start=1)
    ]


def order_of(trade: Trade) -> Order:
    """The order that a fill filled."""
    return Order(
        id=trade.order_id,
        symbol=trade.symbol,
        side=trade.side,
        order_type=OrderType.MARKET,
        quantity=trade.quantity,
        filled_quantity=trade.quantity,
        remaining_quantity=Decimal(0),
        average_fill_price=trade.price,
        filled_notional=trade.price * trade.quantity,
        status=OrderStatus.FILLED,
        time_in_force=TimeInForce.GTC,
        created_at=trade.timestamp,
        updated_at=trade.timestamp,
    )


def points_of(bars: Mapping[str, Sequence[Bar]], trades: Sequence[Trade]) -> list[EquityPoint]:
    """The account at every close: money paid and received, and what is held at the last close."""
    cash, held, marks = CASH, dict.fromkeys(bars, Decimal(0)), dict[str, Decimal]()
    waiting, points = list(trades), dict[datetime, EquityPoint]()
    for bar in sorted((bar for each in bars.values() for bar in each), key=closes):
        while waiting and waiting[0].timestamp < closes(bar):
            fill = waiting.pop(0)
            signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
            cash -= signed * fill.price + fill.commission
            held[fill.symbol] += signed
            marks.setdefault(fill.symbol, fill.price)
        marks[bar.symbol] = bar.close
        worth = sum((held[each] * mark for each, mark in marks.items()), Decimal(0))
        exposure = sum((abs(held[each] * mark) for each, mark in marks.items()), Decimal(0))
        points[closes(bar)] = EquityPoint(
            time=closes(bar), equity=cash + worth, balance=cash, exposure=exposure
        )
    return list(points.values())


def record_of(
    bars: Mapping[str, Sequence[Bar]],
    deals: Iterable[Deal] = (),
    fee: str = "0",
    **changes: Any,
) -> RunRecord:
    """The record of a run over these bars with these deals."""
    trades = trades_of(bars, deals, fee)
    ends = [closes(each[-1]) for each in bars.values() if each]
    record = RunRecord(
        settings={"data": "prices.csv", "initial_balance": "100000", "taker_fee": fee},
        timeframe=Timeframe.D1,
        status="complete",
        started=START,
        ended=max(ends, default=START),
        initial_balance=CASH,
        currency="USD",
        orders=[order_of(trade) for trade in trades],
        trades=trades,
        equity=points_of(bars, trades),
        bars=bars,
        asset_classes=dict.fromkeys(bars, AssetClass.CRYPTO),
    )
    return replace(record, **changes)


def walk(
    symbols: Sequence[str],
    length: int,
    *,
    seed: int = 7,
    step: timedelta = DAY,
    timeframe: Timeframe = Timeframe.D1,
    swing: int = 80,
) -> dict[str, list[Bar]]:
    """A random walk of each symbol, the same for the same seed; a bar is four moves of `swing`
    ten-thousandths.
    """
    chance, made = Random(seed), dict[str, list[Bar]]()  # noqa: S311  not for secrets
    for symbol in symbols:
        price, bars = Decimal(100), list[Bar]()
        for number in range(length):
            prices = [price]
            for _ in range(4):
                move = Decimal(round(chance.gauss(swing / 50, swing)))
                prices.append(round(prices[-1] * (1 + move / 10_000), 2))
            bars.append(
                Bar(
                    symbol=symbol,
                    provider="backtest",
                    timeframe=timeframe,
                    timestamp=START + number * step,
                    open=prices[0],
                    high=max(prices),
                    low=min(prices),
                    close=prices[-1],
                    volume=Decimal(chance.randrange(0, 5000)),
                )
            )
            price = prices[-1]
        made[symbol] = bars
    return made


def random_deals(bars: Mapping[str, Sequence[Bar]], number: int, *, seed: int = 3) -> list[Deal]:
    """Deals at the opening of random bars, in order, that enter, add, reduce and turn around."""
    chance, symbols = Random(seed), list(bars)  # noqa: S311  not for secrets
    length = min(len(each) for each in bars.values())
    places = sorted(chance.randrange(1, length) for _ in range(number))
    held, deals = dict.fromkeys(symbols, 0), list[Deal]()
    for place in places:
        symbol = chance.choice(symbols)
        size = chance.choice((-held[symbol], -held[symbol], 100, -100, 37, -53)) or 100
        held[symbol] += size
        deals.append((place, symbol, size, str(bars[symbol][place].open)))
    return deals
