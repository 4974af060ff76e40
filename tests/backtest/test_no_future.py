"""Nothing that can be asked during a run tells of what comes later in it.

A diary holds every frame of a run, and after each of them the answers to everything that can be
asked at that moment. Two histories that are the same up to a moment must have the same diary up to
it, to the byte, whatever comes later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from providers.backtest.provider import BacktestProvider
from providers.base import BarQuery, OrderQuery, TradeQuery
from providers.errors import TradingError, UnsupportedOperation
from providers.market_data.aggregate import SECONDS
from providers.models import Bar, OrderStatus, Timeframe
from tests.backtest.actions import Candle, Scripted, plain
from tests.backtest.case import EVENING, MONDAY
from tests.backtest.driving import (
    ACCOUNT,
    Scene,
    Trader,
    drawn,
    frames,
    provided,
    shipped,
)
from tests.backtest.strategies import Brackets, Ladder

FAR = timedelta(days=4000)
DAY = timedelta(days=1)
SEEN = (1, 2, 6, 13)
QUERIES: tuple[dict[str, Any], ...] = (
    {},
    {"limit": 1},
    {"limit": 10**9},
    {"limit": 10**9, "end": "far"},
    {"start": "far", "end": "far", "limit": 10**9},
    {"start": "now", "limit": 10**9},
    {"start": "now", "end": "far", "limit": 10**9},
    {"start": "past", "end": "far", "limit": 10**9},
)
DAYS = Scene(bars=shipped("AAPL", Timeframe.D1, "AAPL")[:24])
HOURS = Scene(
    bars=shipped("EURUSD", Timeframe.H1, "EUR/USD")[:32], timeframe=Timeframe.H1, penetrate=True
)
SCENES = {"days": DAYS, "hours": HOURS}
SCRIPT = "; ".join(
    f"{bar}: {verb} 10 sl {loss} tp {gain}; {bar + 2}: close"
    for bar, verb, loss, gain in ((1, "buy", 30, 60), (5, "sell", 60, 30), (11, "buy", 43, 46))
)


async def bars_at(provider: BacktestProvider, symbol: str, timeframe: Timeframe) -> list[Bar]:
    """All bars that any query reveals; every query is tried."""
    now = provider.now()
    moments = {"now": now, "far": now + FAR, "past": now - FAR}
    found: list[Bar] = []
    for query in QUERIES:
        fields = {name: moments.get(value, value) for name, value in query.items()}
        asked = BarQuery(symbol=symbol, timeframe=timeframe, **fields)
        found += await provider.get_bars(asked)
    return found


async def prices_at(
    provider: BacktestProvider, symbol: str, timeframe: Timeframe
) -> list[tuple[object, ...]]:
    """The same as figures, which are faster to write down."""
    bars = await bars_at(provider, symbol, timeframe)
    return [(b.timestamp, b.open, b.high, b.low, b.close, b.volume) for b in bars]


async def answer(request: Callable[[], Awaitable[Any]]) -> str:
    """What is answered, or how it is refused."""
    try:
        return repr(await request())
    except TradingError as refusal:
        return f"{type(refusal).__name__}: {refusal.message}"


async def answers(provider: BacktestProvider, scene: Scene) -> list[str]:
    """Everything that can be asked without changing anything."""
    every = OrderQuery(status=tuple(OrderStatus), limit=1000)
    requests: list[Callable[[], Awaitable[Any]]] = [
        partial(provider.get_account, ACCOUNT),
        partial(provider.list_positions, ACCOUNT, None),
        partial(provider.list_orders, ACCOUNT, every),
        partial(provider.list_order_history, ACCOUNT, OrderQuery()),
        partial(provider.list_trades, ACCOUNT, TradeQuery()),
        provider.get_capabilities,
        provider.get_status,
    ]
    for symbol in scene.symbols:
        requests.append(partial(provider.get_quote, symbol))
        requests += [partial(prices_at, provider, symbol, timeframe) for timeframe in Timeframe]
    return [f"{provider.now()}", *[await answer(request) for request in requests]]


@dataclass(frozen=True)
class Entry:
    """A frame, as it came, and the answers that were given before it was acknowledged."""

    text: str
    type: str
    timestamp: datetime
    answers: list[str]


async def diary(scene: Scene, script: str) -> list[Entry]:
    provider = BacktestProvider(scene.source(), scene.settings())
    await provider.start()
    trader = Trader(provider, Scripted(script, scene.symbols[0]))
    texts: list[str] = []
    entries = []
    async for frame in frames(provider, texts):
        await trader.react(frame)
        moment = datetime.fromisoformat(frame["timestamp"])
        told = await answers(provider, scene)
        entries.append(Entry(texts[-1], frame["type"], moment, told))
    await provider.stop()
    return entries


def first_difference(expected: Sequence[Entry], actual: Sequence[Entry]) -> str:
    """Where two diaries part; nothing where they do not."""
    for mine, other in zip(expected, actual, strict=True):
        if mine != other:
            told = zip([mine.text, *mine.answers], [other.text, *other.answers], strict=True)
            return next(f"expected {was}\ngot {now}" for was, now in told if was != now)
    return ""


def script_of(scene: Scene) -> str:
    """The script at prices of the scene: those of AAPL are near 45."""
    if scene is DAYS:
        return SCRIPT
    return "; ".join(
        f"{bar}: {verb} 10 sl {loss} tp {gain} of EUR/USD; {bar + 2}: close of EUR/USD"
        for bar, verb, loss, gain in ((1, "buy", "1.04", "1.06"), (7, "sell", "1.06", "1.03"))
    )


def other_prices(bar: Candle) -> Candle:
    """The same bar with other prices."""
    factor = Decimal("1.25")
    prices = (price * factor for price in (bar.open, bar.high, bar.low, bar.close))
    return Candle(bar.symbol, bar.start, *prices)


@pytest.mark.parametrize("name", SCENES)
async def test_a_shorter_history_is_the_beginning_of_a_longer_one(name: str) -> None:
    """A run over the first bars ends as the whole run began, but for its last frame."""
    scene, script = SCENES[name], script_of(SCENES[name])
    whole = await diary(scene, script)
    for seen in SEEN:
        short = (await diary(replace(scene, bars=scene.bars[:seen]), script))[:-1]
        assert known_before(whole, seen) == known_before(short, seen) <= len(short)
        assert "" == first_difference(short, whole[: len(short)])


@pytest.mark.parametrize("name", SCENES)
async def test_another_future_changes_nothing_before_it(name: str) -> None:
    """Bars that have not opened yet may be any: everything told before is the same."""
    scene, script = SCENES[name], script_of(SCENES[name])
    whole = await diary(scene, script)
    for seen in (0, *SEEN):
        later = [other_prices(bar) for bar in scene.bars[seen:]]
        other = await diary(replace(scene, bars=[*scene.bars[:seen], *later]), script)
        known = known_before(whole, seen)
        assert known == known_before(other, seen)
        assert "" == first_difference(whole[:known], other[:known])
        assert whole != other


def known_before(entries: Sequence[Entry], seen: int) -> int:
    """How many entries there are up to the candle of the last bar seen."""
    candles = [number for number, entry in enumerate(entries) if entry.type == "candle"]
    return candles[seen - 1] + 1 if seen else 1


BARS = "100 100 100 100, 100 104 97 101, {}, 100 101 99 100"
OPEN_BARS = ("102 103 101 102", "102 140 101 135", "102 103 60 65", "102 102 102 102")


@pytest.mark.parametrize("bar", OPEN_BARS[1:])
async def test_at_the_open_nothing_is_known_of_the_bar(bar: str) -> None:
    """A fill at the open comes with the same answers whatever becomes of the bar."""
    scenes = [Scene(bars=drawn(BARS.format(way), MONDAY, DAY)) for way in (OPEN_BARS[0], bar)]
    first, other = [await diary(scene, "1: buy 10") for scene in scenes]
    known = 1 + next(number for number, each in enumerate(first) if each.type == "trade")
    assert "" == first_difference(first[:known], other[:known])


@pytest.mark.parametrize("end", ["101", "106", "109.50"])
async def test_inside_a_bar_nothing_is_known_of_its_rest(end: str) -> None:
    """A fill on the way up comes with the same answers wherever the way leads."""
    ways = ("101 108 100 106", f"101 109.50 100 {end}")
    scenes = [Scene(bars=drawn(BARS.format(way), MONDAY, DAY)) for way in ways]
    first, other = [await diary(scene, "1: buy 10 stop 105 sl 90") for scene in scenes]
    known = 1 + next(number for number, each in enumerate(first) if each.type == "trade")
    assert [each.answers for each in first[:known]] == [each.answers for each in other[:known]]
    assert "" == first_difference(first[:known], other[:known])


@pytest.mark.parametrize("name", SCENES)
async def test_bars_are_shown_when_they_have_closed(name: str) -> None:
    """At every frame every query for bars reveals only closed ones, and the newest of those."""
    scene, script = SCENES[name], script_of(SCENES[name])
    provider = BacktestProvider(scene.source(), scene.settings())
    trader = Trader(provider, Scripted(script, scene.symbols[0]))
    async for frame in frames(provider):
        await trader.react(frame)
        closed = [bar for bar in scene.bars if bar.start + scene.span <= provider.now()]
        for timeframe in Timeframe:
            await check_bars(provider, scene, timeframe, closed)
        if frame["type"] == "candle":
            assert provider.now() == datetime.fromisoformat(frame["timestamp"])
            assert len(closed) == trader.candles[scene.symbols[0]]


async def check_bars(
    provider: BacktestProvider, scene: Scene, timeframe: Timeframe, closed: Sequence[Candle]
) -> None:
    """Coarser bars are made of the closed ones within them, and have closed themselves."""
    span = timedelta(seconds=SECONDS[timeframe])
    if span % scene.span:
        with pytest.raises(UnsupportedOperation):
            await bars_at(provider, scene.symbols[0], timeframe)
        return
    shown = await bars_at(provider, scene.symbols[0], timeframe)
    for bar in {bar.timestamp: bar for bar in shown}.values():
        assert bar.timestamp + span <= provider.now()
        parts = [part for part in closed if bar.timestamp <= part.start < bar.timestamp + span]
        assert (parts[0].open, parts[-1].close) == (bar.open, bar.close)
        assert max(part.high for part in parts) == bar.high
        assert min(part.low for part in parts) == bar.low
    if closed and span == scene.span:
        assert closed[-1].start == max(bar.timestamp for bar in shown)


async def test_quotes_are_those_of_the_simulated_moment() -> None:
    """Between bars the close, at a fill its price; both sides of the book and the positions too."""
    scene = replace(DAYS, bars=DAYS.bars[:20])
    provider = BacktestProvider(scene.source(), scene.settings())
    trader = Trader(provider, Scripted(SCRIPT))
    seen = set()
    async for frame in frames(provider):
        await trader.react(frame)
        if frame["type"] not in ("candle", "trade"):
            continue
        price = frame["bar"]["close"] if frame["type"] == "candle" else frame["trade"]["price"]
        quote = await provider.get_quote("AAPL")
        assert {Decimal(price)} == {quote.bid, quote.ask, quote.last}
        assert quote.timestamp <= provider.now()
        for position in await provider.list_positions(ACCOUNT, None):
            assert quote.bid == position.current_price
        seen.add(frame["type"])
    assert {"candle", "trade"} == seen


async def test_time_never_runs_back_and_never_ahead() -> None:
    """Frames are in the order of their simulated time, trades within the bar that fills them."""
    entries = await diary(DAYS, SCRIPT)
    moments = [entry.timestamp for entry in entries]
    assert sorted(moments) == moments
    number = 0
    for entry in entries:
        if entry.type == "candle":
            number += 1
        elif entry.type == "trade":
            bar = DAYS.bars[number]
            assert bar.start <= entry.timestamp <= bar.start + DAYS.span


async def test_the_same_run_twice_is_the_same_to_the_byte() -> None:
    """Ids, times and prices of a run come from its data, settings and requests alone."""
    assert await diary(DAYS, SCRIPT) == await diary(DAYS, SCRIPT)


@pytest.mark.parametrize("make", [Brackets, Ladder])
async def test_trades_of_a_part_are_the_first_trades_of_the_whole(
    make: type[Brackets | Ladder],
) -> None:
    """A strategy that is stopped early has traded as it did in the longer run."""
    bars = shipped("AAPL", Timeframe.D1, "AAPL")[:300]
    tick = Decimal("0.01")
    whole = await provided(Scene(bars=bars), make("AAPL", "100", tick))
    for count in (101, 200):
        part = await provided(Scene(bars=bars[:count]), make("AAPL", "100", tick))
        assert part.fills == [fill for fill in whole.fills if fill.bar < count]
        assert len(part.fills) > count / 4


async def test_a_gap_of_days_reveals_nothing() -> None:
    """Over a weekend, and with another symbol that has bars meanwhile, answers stay as they are."""
    hour = timedelta(hours=1)
    own = drawn("100 101 99 100, 105 106 104 105", EVENING, hour, skip=(1, 2, 3))
    other = drawn("50 51 49 50, 51 52 50 51, 52 53 51 52, 53 54 52 53, 54 55 53 54", EVENING, hour,
                  "IBM")  # fmt: skip
    bars = sorted([*own, *other], key=lambda bar: bar.start)
    scene = Scene(bars=bars, timeframe=Timeframe.H1)
    provider = BacktestProvider(scene.source(), scene.settings())
    prices = [
        plain((await provider.get_quote("AAPL")).bid)
        async for frame in frames(provider)
        if frame["type"] == "candle" and frame["bar"]["symbol"] == "IBM"
    ]
    assert ["100", "100", "100", "100", "105"] == prices


def test_the_far_end_is_after_the_history() -> None:
    """The queries above do ask for the future."""
    assert DAYS.bars[-1].start + FAR < datetime(2030, 1, 1, tzinfo=UTC)
