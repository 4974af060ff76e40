"""Quotes of a feed as the exchanges and the bridge take them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from providers.base import BarQuery
from providers.errors import ProviderUnavailable, SymbolNotFound
from providers.live import market as module
from providers.live.market import FRESH_SECONDS, KEPT_SECONDS, PATIENCE_SECONDS, LiveMarket
from providers.live.market import last_between as between
from providers.live.venue import Connection
from providers.models import Quote, Timeframe
from tests.live.books import NOW
from tests.live.fake import FakeFeed, quoted, until

AWAY = ProviderUnavailable("not reached")
DOWN, UP = Connection(up=False, error="gone"), Connection(up=True)


@dataclass
class Watched:
    """A market over the fake feed, with a time of its own."""

    feed: FakeFeed = field(default_factory=FakeFeed)
    time: float = 1000.0
    heard: list[Quote] = field(default_factory=list)
    stale: list[tuple[frozenset[str], datetime | None]] = field(default_factory=list)
    market: LiveMarket = field(init=False)

    def __post_init__(self) -> None:
        self.market = LiveMarket(
            self.feed,
            clock=lambda: NOW,
            heard=self.heard.append,
            staleness=lambda symbols, since: self.stale.append((symbols, since)),
            monotonic=lambda: self.time,
        )

    def bid(self, symbol: str = "BTC/USD") -> Decimal:
        return self.market.quote(symbol, NOW).bid

    async def followed(self) -> None:
        """BTC/USD has been asked for, and the stream is told to tell it."""
        await self.market.prepare(["BTC/USD"])
        await until(lambda: self.market.followed == {"BTC/USD"})
        await until(lambda: self.feed.streams)


@asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    made = Watched()
    await made.market.start()
    try:
        yield made
    finally:
        await made.market.stop()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.005)


async def test_a_quote_is_asked_for() -> None:
    """Who prepares a symbol has its quote at hand; one asked for a moment ago is still good."""
    async with watched() as w:
        w.feed.tell(DOWN)
        await w.market.prepare(["BTC/USD"])
        await w.market.prepare(["C:BTCUSD"])
        assert Decimal(100) == w.bid()
        assert ["BTC/USD"] == w.feed.asked[0]


async def test_without_preparation_there_is_none() -> None:
    """A quote that nobody has asked for is not at hand, and an unknown symbol has none."""
    async with watched() as w:
        with pytest.raises(ProviderUnavailable):
            w.bid()
        with pytest.raises(SymbolNotFound):
            w.bid("NOPE/USD")


async def test_unknown_symbols_are_passed_over() -> None:
    """What nobody knows is left to others to refuse; what the feed learns is known."""
    async with watched() as w:
        await w.market.prepare(["NOPE/USD", "LATE/USD", "BTC/USD"])
        assert "LATE/USD" == w.market.resolve("LATE/USD").symbol
        assert Decimal(100) == w.bid()
        with pytest.raises(SymbolNotFound):
            w.market.resolve("NOPE/USD")


async def test_a_missing_quote_that_does_not_come() -> None:
    """Without any quote the failure is told; with an old one that is taken."""
    async with watched() as w:
        w.feed.error = AWAY
        w.feed.tell(DOWN)
        with pytest.raises(ProviderUnavailable):
            await w.market.prepare(["BTC/USD"])
        w.feed.error = None
        await w.market.prepare(["BTC/USD"])
        w.feed.error, w.time = AWAY, w.time + 2 * FRESH_SECONDS
        await w.market.prepare(["BTC/USD"])
        assert Decimal(100) == w.bid()


async def test_what_the_stream_tells() -> None:
    """A told quote is in force, and is heard of once."""
    async with watched() as w:
        await w.followed()
        quote = quoted("BTC/USD", 105, 106)
        w.feed.tell(quote)
        w.feed.tell(quote)
        await until(lambda: w.bid() == Decimal(105))
        assert [Decimal(100), Decimal(105)] == [each.bid for each in w.heard]


async def test_the_stream_saves_asking() -> None:
    """What the stream tells is in force until it tells another, however long that takes."""
    async with watched() as w:
        await w.followed()
        w.feed.tell(quoted("BTC/USD", 105, 106))
        await until(lambda: w.bid() == Decimal(105))
        asked = len(w.feed.asked)
        w.time += 30
        await w.market.prepare(["BTC/USD"])
        assert asked == len(w.feed.asked)


async def test_a_stream_that_is_down() -> None:
    """While it is, quotes are asked for one by one."""
    async with watched() as w:
        await w.followed()
        w.feed.tell(DOWN)
        await until(lambda: not w.market._streaming)
        w.time += 2 * FRESH_SECONDS
        w.feed.latest["BTC/USD"] = quoted("BTC/USD", 107, 108)
        await until(lambda: w.bid() == Decimal(107))


async def test_after_a_gap() -> None:
    """What the stream has missed while it was down is asked for once it is up."""
    async with watched() as w:
        await w.followed()
        w.feed.error = AWAY
        w.feed.tell(DOWN)
        await until(lambda: not w.market._streaming)
        w.time += 2 * FRESH_SECONDS
        w.feed.latest["BTC/USD"] = quoted("BTC/USD", 107, 108)
        w.feed.tell(UP)
        await until(lambda: w.market._streaming)
        w.feed.error = None
        await until(lambda: w.bid() == Decimal(107))


async def test_crossed_and_late_quotes() -> None:
    """A quote that is crossed, locked, or older than the one in force is none."""
    async with watched() as w:
        await w.followed()
        newest = quoted("BTC/USD", 105, 106)
        early = newest.timestamp - timedelta(seconds=5)
        w.feed.tell(newest)
        for quote in (
            quoted("BTC/USD", 108, 107),
            quoted("BTC/USD", 108, 108),
            quoted("BTC/USD", 90, 91, timestamp=early),
        ):
            w.feed.tell(quote)
        last = quoted("BTC/USD", 109, 110)
        w.feed.tell(last)
        await until(lambda: w.bid() == Decimal(109))
        assert [Decimal(100), Decimal(105), Decimal(109)] == [each.bid for each in w.heard]


@pytest.mark.parametrize(
    ("last", "expected"), [(None, None), (100, 100), (102, 102), (99, 101), (103, 101)]
)
def test_last_between(last: int | None, expected: int | None) -> None:
    """The last price lies between bid and ask, as the API promises."""
    quote = quoted("BTC/USD", 100, 102, last=None if last is None else Decimal(last))
    assert (None if expected is None else Decimal(expected)) == between(quote).last


async def test_demand_ends() -> None:
    """What nobody asks for any more is not told any more, and its old quote is forgotten."""
    async with watched() as w:
        await w.followed()
        w.time += KEPT_SECONDS + 1
        await until(lambda: not w.market.followed)
        with pytest.raises(ProviderUnavailable):
            w.bid()


async def test_staleness() -> None:
    """Quotes that fail to come are stale after a while, and fresh when they come again."""
    async with watched() as w:
        await w.followed()
        w.feed.error = AWAY
        w.feed.tell(DOWN)
        await until(lambda: not w.market._streaming)
        w.time += PATIENCE_SECONDS + 1
        await until(lambda: w.market.is_stale("BTC/USD"))
        assert [(frozenset({"BTC/USD"}), NOW)] == w.stale
        w.feed.error = None
        await until(lambda: not w.market.is_stale("BTC/USD"))
        assert (frozenset({"BTC/USD"}), None) == w.stale[-1]


async def test_a_defect_of_the_stream() -> None:
    """A feed that ends in a bug is listened to again; until then its quotes are asked for."""
    async with watched() as w:
        await w.followed()
        w.feed.tell(KeyError("bid"))
        await until(lambda: w.feed.streams == 2)
        w.feed.tell(quoted("BTC/USD", 105, 106))
        await until(lambda: w.bid() == Decimal(105))


async def test_a_defect_of_an_answer() -> None:
    """A bug met in one look does not end them."""
    async with watched() as w:
        w.feed.tell(DOWN)
        await w.market.prepare(["BTC/USD"])
        w.feed.error = KeyError("ask")
        w.time += 2 * FRESH_SECONDS
        asked = len(w.feed.asked)
        await until(lambda: len(w.feed.asked) > asked + 1)
        w.feed.error = None
        w.feed.latest["BTC/USD"] = quoted("BTC/USD", 107, 108)
        await until(lambda: w.bid() == Decimal(107))


async def test_many_ask_at_once() -> None:
    """Who waits while another asks takes that answer."""
    async with watched() as w:
        w.feed.tell(DOWN)
        await asyncio.gather(*(w.market.prepare(["BTC/USD"]) for _ in range(5)))
        assert 1 == len(w.feed.asked)


async def test_bars_and_the_end() -> None:
    """Bars are the feed's; stopping leaves nothing behind."""
    async with watched() as w:
        with pytest.raises(ProviderUnavailable):
            await w.market.bars(BarQuery(symbol="BTC/USD", timeframe=Timeframe.M1), NOW)
    assert (1, True) == (w.feed.stops, all(task.done() for task in w.market._tasks))
