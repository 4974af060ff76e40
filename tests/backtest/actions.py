"""What a strategy may do, in words that both sides of a comparison understand.

`0: buy 10 stop 105 sl 101 tp 120; 2: close` reads: on the candle of bar 0 an order, on that of
bar 2 another action. The words of an action:

    buy|sell QUANTITY [limit P] [stop P] [trail D|D%] [sl P] [tp P]
                      [day|ioc|fok] [post] [reduce] [oco GROUP] [as TAG] [of SYMBOL]
    close [QUANTITY] [of SYMBOL]          close the position
    protect [sl P] [tp P] [of SYMBOL]     give the position exits, or move them
    change TAG [quantity Q] [limit P] [stop P] [trail D]
    cancel TAG
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

SYMBOL = "AAPL"
"""What an action is about unless it says `of`."""


@dataclass(frozen=True, slots=True)
class Candle:
    """One bar; `start` is its opening time."""

    symbol: str
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True, kw_only=True)
class Action:
    """One request; `verb` is buy, sell, close, protect, change or cancel."""

    verb: str
    symbol: str = SYMBOL
    tag: str | None = None
    quantity: Decimal | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    percent: bool = False
    sl: Decimal | None = None
    tp: Decimal | None = None
    tif: str = "GTC"
    post: bool = False
    reduce: bool = False
    oco: str | None = None


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Fees and slippage, as the settings of a backtest name them."""

    maker_fee: Decimal = Decimal(0)
    taker_fee: Decimal = Decimal(0)
    unit_fee: Decimal = Decimal(0)
    order_fee: Decimal = Decimal(0)
    slippage: Decimal = Decimal(0)


@dataclass(frozen=True)
class Fill:
    """A trade; `bar` counts the bars of its symbol from 0."""

    bar: int
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    maker: bool

    def __str__(self) -> str:
        """`1 buy 10 @ 95 maker fee 0.5 of IBM`: what goes without saying is left out."""
        words = [f"{self.bar} {self.side} {plain(self.quantity)} @ {plain(self.price)}"]
        words += ["maker"] * self.maker
        words += [f"fee {plain(self.commission)}"] * bool(self.commission)
        words += [f"of {self.symbol}"] * (self.symbol != SYMBOL)
        return " ".join(words)


@dataclass(frozen=True)
class Outcome:
    """The trades in their order, and the balance at the end."""

    fills: list[Fill]
    balance: Decimal

    def of(self, symbol: str) -> list[str]:
        """The trades of one symbol, in words."""
        return [str(fill) for fill in self.fills if fill.symbol == symbol]


class Strategy(Protocol):
    """Decides on what both sides can tell: the candle, and what is held (short is negative)."""

    def on_candle(self, candle: Candle, held: Decimal) -> Iterable[Action]: ...

    def on_fill(self, fill: Fill, held: Decimal) -> Iterable[Action]: ...


class Scripted:
    """Does what is written for each candle (`3: buy 1`) and for each fill (`fill 0: sell 1`).

    Candles count by symbol; they are those of `symbol` unless another is named (`IBM 3: buy 1`).
    """

    def __init__(self, script: str, symbol: str = SYMBOL) -> None:
        self._symbol = symbol
        self._script: dict[str, list[Action]] = {}
        self._seen: dict[str, int] = {}
        when = ""
        for part in filter(None, (each.strip() for each in script.split(";"))):
            moment, colon, words = part.rpartition(":")
            when = moment.strip() if colon else when
            self._script.setdefault(when, []).append(read(words))

    def on_candle(self, candle: Candle, held: Decimal) -> Sequence[Action]:
        number = self._count(candle.symbol)
        when = f"{number}" if candle.symbol == self._symbol else f"{candle.symbol} {number}"
        return self._script.get(when, [])

    def on_fill(self, fill: Fill, held: Decimal) -> Sequence[Action]:
        return self._script.get(f"fill {self._count('fill')}", [])

    def _count(self, what: str) -> int:
        number = self._seen.get(what, 0)
        self._seen[what] = number + 1
        return number


def read(text: str) -> Action:
    """The action that words describe."""
    verb, *words = text.split()
    fields: dict[str, object] = {"verb": verb}
    if verb in ("change", "cancel"):
        fields["tag"] = words.pop(0)
    elif words and words[0][0].isdigit():
        fields["quantity"] = Decimal(words.pop(0))
    while words:
        fields |= _field(words)
    return Action(**fields)  # type: ignore[arg-type]


def _field(words: list[str]) -> dict[str, object]:
    word = words.pop(0)
    if word in ("day", "ioc", "fok"):
        return {"tif": word.upper()}
    if word in ("post", "reduce"):
        return {word: True}
    value = words.pop(0)
    if word in ("as", "of", "oco"):
        return {{"as": "tag", "of": "symbol", "oco": "oco"}[word]: value}
    if word == "trail":
        return {"trail": Decimal(value.rstrip("%")), "percent": value.endswith("%")}
    assert word in ("limit", "stop", "sl", "tp", "quantity"), f"{word} is no word of an action"
    return {word: Decimal(value)}


def plain(value: Decimal) -> str:
    """The number in plain notation without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
