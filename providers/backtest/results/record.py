"""What a run leaves behind, as plain values: everything that is known of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from providers.backtest.source import closes
from providers.engine.state import Notice
from providers.models import AssetClass, Bar, Order, PositionMode, Timeframe, Trade

Status = Literal["complete", "aborted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """The account at one moment, usually the close of a bar."""

    time: datetime
    equity: Decimal
    balance: Decimal
    exposure: Decimal
    """The notional of all positions at the mark, without sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run. All times are simulated, so that the same run leaves the same record.

    `settings` are for everyone to read: names of the settings of a backtest and their values as
    the user gave them.
    """

    settings: Mapping[str, str]
    timeframe: Timeframe
    status: Status
    started: datetime
    ended: datetime
    initial_balance: Decimal
    currency: str
    orders: Sequence[Order]
    trades: Sequence[Trade]
    """In the order in which they happened."""
    equity: Sequence[EquityPoint]
    """Ascending; the last one is the account as the run left it."""
    bars: Mapping[str, Sequence[Bar]]
    """By symbol, ascending; the first symbol is what buy and hold is measured by. They may be
    longer than those of the run.
    """
    asset_classes: Mapping[str, AssetClass] = field(default_factory=dict)
    """By symbol. Where there are none the bars tell whether weekends are traded."""
    position_mode: PositionMode = PositionMode.NETTING
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    """By symbol, the price at the end of the run, where the last of the bars is not yet it."""
    notices: Sequence[Notice] = ()
    """What went against the account, such as LIQUIDATION."""

    @property
    def final_equity(self) -> Decimal:
        return self.equity[-1].equity if self.equity else self.initial_balance

    def run_bars(self, symbol: str) -> Sequence[Bar]:
        """The bars of a symbol that belong to the run; those before its start are left out."""
        bars = self.bars[symbol]
        if not bars or bars[0].timestamp >= self.started:
            return bars
        return [bar for bar in bars if bar.timestamp >= self.started]

    def mark(self, symbol: str) -> Decimal | None:
        """The last price of a symbol that the run has seen, None where nothing tells it."""
        if symbol in self.marks:
            return self.marks[symbol]
        bars = self.bars.get(symbol, ())
        seen = (bar.close for bar in reversed(bars) if closes(bar) <= self.ended)
        return next(seen, None)
