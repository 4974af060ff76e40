"""What a case of the tables is: small bars, what is done on them, and the trades that it makes.

Bars are `open high low close`; what is done is written as in `actions`; trades are `bar side
quantity @ price`, with `maker` where the order rested. Orders of bar 0 are sent on its candle and
meet bar 1 at its open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from providers.models import Timeframe
from tests.backtest.actions import Costs, Scripted
from tests.backtest.driving import Scene, drawn

MONDAY = datetime(2024, 1, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A row of a table: bars, what is done on them, and the trades that it makes.

    IBM, where there is any, has bars and trades of its own.
    """

    name: str
    bars: str
    script: str
    trades: str
    ibm: str = ""
    ibm_trades: str = ""
    ibm_skip: tuple[int, ...] = ()
    penetrate: bool = False
    costs: Costs = field(default_factory=Costs)
    timeframe: Timeframe = Timeframe.D1
    start: datetime = MONDAY
    balance: str = ""

    def scene(self) -> Scene:
        spans = Scene(bars=[], timeframe=self.timeframe).span
        bars = drawn(self.bars, self.start, spans, self.symbol)
        if self.ibm:
            bars += drawn(self.ibm, self.start, spans, "IBM", self.ibm_skip)
        bars.sort(key=lambda bar: bar.start)  # keeps AAPL before IBM
        return Scene(
            bars=bars, timeframe=self.timeframe, costs=self.costs, penetrate=self.penetrate
        )

    @property
    def symbol(self) -> str:
        return next((each for each in ("BTC/USD", "EUR/USD") if each in self.script), "AAPL")

    def strategy(self) -> Scripted:
        return Scripted(self.script, self.symbol)

    def expected(self) -> dict[str, list[str]]:
        """The trades by symbol, in words."""
        own = [part.strip() for part in self.trades.split(";") if part.strip()]
        other = [part.strip() for part in self.ibm_trades.split(";") if part.strip()]
        return {self.symbol: own} | ({"IBM": other} if self.ibm else {})


def fees(**amounts: str) -> Costs:
    return Costs(**{name: Decimal(amount) for name, amount in amounts.items()})


FLAT = "100 100 100 100, "

EVENING = datetime(2024, 1, 10, 19, tzinfo=UTC)
"""14:00 in New York, a Wednesday."""
