"""Bars and orders by chance, on few prices, so that they often meet exactly."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st

from tests.backtest.actions import Candle, Costs
from tests.backtest.case import MONDAY
from tests.backtest.driving import Scene

DAY = timedelta(days=1)
BARS = 5
COSTS = Costs(
    maker_fee=Decimal("0.001"), taker_fee=Decimal("0.002"), order_fee=Decimal("0.50")
)  # fmt: skip

prices = st.integers(92, 108)
distances = st.integers(1, 9)
quantities = st.integers(1, 9)
sides = st.sampled_from(("buy", "sell"))


@st.composite
def candles(draw: st.DrawFn, symbol: str) -> list[Candle]:
    bars = []
    for number in range(BARS):
        opened, closed = draw(prices), draw(prices)
        high = max(opened, closed) + draw(st.integers(0, 8))
        low = min(opened, closed) - draw(st.integers(0, 8))
        figures = (Decimal(price) for price in (opened, high, low, closed))
        bars.append(Candle(symbol, MONDAY + number * DAY, *figures))
    return bars


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    bars = draw(candles("AAPL")) + draw(st.one_of(st.just([]), candles("IBM")))
    bars.sort(key=lambda bar: bar.start)
    costs = draw(st.sampled_from((Costs(), COSTS)))
    return Scene(bars=bars, costs=costs, penetrate=draw(st.booleans()))


def around(side: str, price: int, down: int | None, up: int | None) -> str:
    """Exits on the right sides of an entry."""
    sign = 1 if side == "buy" else -1
    loss = f" sl {price - sign * down}" if down else ""
    return loss + (f" tp {price + sign * up}" if up else "")


maybe = st.none() | distances


@st.composite
def entries(draw: st.DrawFn) -> str:
    """One order."""
    side, price, kind = draw(sides), draw(prices), draw(st.integers(0, 9))
    text = f"{side} {draw(quantities)}"
    if kind <= 1:
        text += around(side, 100, draw(maybe), draw(maybe))
    elif kind <= 4:
        text += f" limit {price}" + around(side, price, draw(maybe), draw(maybe))
        text += draw(st.sampled_from(("", "", " ioc", " fok", " day")))
    elif kind <= 6:
        text += f" stop {price}" + around(side, price, draw(maybe), draw(maybe))
    elif kind == 7:
        text += f" stop {price} limit {draw(prices)}"
    else:
        text += f" trail {draw(distances)}{draw(st.sampled_from(('', '%')))}"
    text += draw(st.sampled_from(("", "", " reduce", " oco g", " oco h")))
    return text + draw(st.sampled_from(("", "", " as a", " as b")))


others = st.sampled_from(("close", "close 2", "cancel a", "change b quantity 3", "protect sl 91",
                          "protect tp 109", "protect sl 109 tp 91"))  # fmt: skip


@st.composite
def plans(draw: st.DrawFn) -> str:
    """A script: on each candle some requests."""
    actions = st.lists(entries() | entries() | others, max_size=3)
    return "; ".join(f"{bar}: {action}" for bar in range(BARS) for action in draw(actions))
