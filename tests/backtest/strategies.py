"""Strategies for long histories, each of which leans on another part of the rules.

They decide on closes, highs and lows that they have seen, and on what is held; so two sides that
fill differently soon part company for good.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

from tests.backtest.actions import Action, Candle, Fill


class Seen(ABC):
    """A strategy that remembers the last candles of its only symbol; subclasses say `decide`.

    `scale` is for its distances: 1 is right for days of a stock.
    """

    memory = 20

    def __init__(self, symbol: str, size: str, tick: Decimal, scale: str = "1") -> None:
        self.symbol, self.size, self.tick, self.scale = symbol, Decimal(size), tick, Decimal(scale)
        self.past: deque[Candle] = deque(maxlen=self.memory)
        self.number = 0

    def on_candle(self, candle: Candle, held: Decimal) -> Iterable[Action]:
        self.past.append(candle)
        self.number += 1
        if len(self.past) < self.memory:
            return []
        return list(self.decide(candle, held))

    def on_fill(self, fill: Fill, held: Decimal) -> Iterable[Action]:
        return []

    @abstractmethod
    def decide(self, candle: Candle, held: Decimal) -> Iterable[Action]:
        """What to do at a candle, once there are enough of them."""

    @property
    def day(self) -> str:
        """DAY, but for stocks: their holidays are not known to the calculation."""
        return "DAY" if "/" in self.symbol else "GTC"

    def act(self, verb: str, quantity: Decimal | None = None, **fields: object) -> Action:
        return Action(verb=verb, symbol=self.symbol, quantity=quantity, **fields)  # type: ignore[arg-type]

    def at(self, price: Decimal, share: str) -> Decimal:
        """The price changed by a share of it, on the tick grid."""
        return self.grid(price * (1 + self.scale * Decimal(share)))

    def grid(self, price: Decimal) -> Decimal:
        return (price / self.tick).quantize(Decimal(1), ROUND_HALF_EVEN) * self.tick

    def mean(self, count: int) -> Decimal:
        """The mean of the last closes."""
        closes = [candle.close for candle in self.past][-count:]
        return sum(closes, Decimal(0)) / len(closes)


class LongOrFlat(Seen):
    """Crossing means: in at the market, out by closing the position."""

    def decide(self, candle: Candle, held: Decimal) -> Iterable[Action]:
        rising = self.mean(5) > self.mean(20)
        if rising and not held:
            yield self.act("buy", self.size)
        elif held and not rising:
            yield self.act("close")


class LongOrShort(Seen):
    """Crossing means, always in the market: one order reverses the position."""

    def decide(self, candle: Candle, held: Decimal) -> Iterable[Action]:
        wanted = self.size if self.mean(5) > self.mean(20) else -self.size
        if wanted != held:
            yield self.act("buy" if wanted > held else "sell", abs(wanted - held))


class Breakout(Seen):
    """A stop entry above the last highs with its stop-loss, replaced while it waits."""

    def decide(self, candle: Candle, held: Decimal) -> Iterable[Action]:
        if held:
            yield self.act("protect", sl=self.grid(min(bar.low for bar in self.past)))
            return
        yield self.act("cancel", tag=f"entry {self.number - 1}")
        entry = self.grid(max(bar.high for bar in self.past) + self.tick)
        tif = self.day if self.number % 3 == 0 else "GTC"
        yield self.act("buy", self.size, stop=entry, sl=self.at(entry, "-0.02"), tif=tif,
                       tag=f"entry {self.number}")  # fmt: skip


class Brackets(Seen):
    """A bracket every few bars, long and short in turn, so tight that one bar often has both ends:
    at the market, by limit or by stop.
    """

    def decide(self, candle: Candle, held: Decimal) -> Iterable[Action]:
        if held or self.number % 3:
            return
        turn = self.number // 3
        verb, down, up = ("buy", "-", "") if turn % 2 else ("sell", "", "-")
        yield self.act("cancel", tag=f"{turn - 1}")
        price = candle.close
        entry: dict[str, Decimal] = {}
        if turn % 3 == 1:
            entry = {"limit": (price := self.at(price, f"{down}0.003"))}
        elif turn % 3 == 2:
            entry = {"stop": (price := self.at(price, f"{up}0.003"))}
        sl, tp = self.at(price, f"{down}0.01"), self.at(price, f"{up}0.01")
        yield self.act(verb, self.size, sl=sl, tp=tp, tag=f"{turn}", **entry)


class Trails(Seen):
    """In by the trend, out by a reduce-only trailing stop, absolute and by percentage in turn."""

    def decide(self, candle: Candle, held: Decimal) -> Iterable[Action]:
        if not held:
            yield self.act("buy" if candle.close > self.mean(20) else "sell", self.size)
            return
        if self.number % 4 == 0:
            percent = self.number % 8 == 0
            trail = self.at(candle.close, "0.015") - candle.close
            verb = "sell" if held > 0 else "buy"
            yield self.act(verb, abs(held), reduce=True, percent=percent,
                           trail=self.scale * Decimal("1.7") if percent else trail)  # fmt: skip


class Ladder(Seen):
    """Limits on both sides, whole and in part, reduce-only exits, and closing in two halves."""

    def decide(self, candle: Candle, held: Decimal) -> Iterable[Action]:
        step, price = self.number % 6, candle.close
        half = self.size / 2
        if step == 0:
            for before in ("low", "high"):
                yield self.act("cancel", tag=f"{before} {self.number - 6}")
            low, high = self.at(price, "-0.008"), self.at(price, "0.009")
            yield self.act("buy", self.size, limit=low, tif=self.day, tag=f"low {self.number}")
            yield self.act("sell", half, limit=high, tif=self.day, tag=f"high {self.number}")
            yield self.act("buy", half, limit=self.at(price, "0.001"), tif="IOC")
        elif held and step in (2, 4):
            verb, away = ("sell", "0.006") if held > 0 else ("buy", "-0.006")
            yield self.act(verb, half * 3, limit=self.at(price, away), reduce=True)
        elif held and step == 5:
            yield self.act("close", abs(held) / 2 if self.number % 12 == 5 else None)


class Straddle(Seen):
    """A stop-limit on either side in one group; what fills has a stop-loss and a take-profit."""

    def decide(self, candle: Candle, held: Decimal) -> Iterable[Action]:
        if held or self.number % 4:
            return
        group = f"group {self.number}"
        for before in ("up", "down"):
            yield self.act("cancel", tag=f"{before} {self.number - 4}")
        for tag, verb, way, back in (("up", "buy", "", "-"), ("down", "sell", "-", "")):
            stop = self.at(candle.close, f"{way}0.006")
            limit = self.at(candle.close, f"{way}0.009" if self.number % 8 else f"{way}0.004")
            yield self.act(verb, self.size, stop=stop, limit=limit, oco=group,
                           sl=self.at(limit, f"{back}0.012"), tp=self.at(limit, f"{way}0.02"),
                           tag=f"{tag} {self.number}")  # fmt: skip


STRATEGIES = (LongOrFlat, LongOrShort, Breakout, Brackets, Trails, Ladder, Straddle)
