"""A moving-average crossover on the published client `tektii` (pip install tektii).

    trading-api backtest --symbols AAPL --strategy scripts.examples.crossover:Crossover
    trading-api serve &  python -m scripts.examples.crossover http://localhost:8080

Long while the fast average is above the slow one, with a stop-loss at the server, flat otherwise.
What it holds it knows from the stream: asking at every bar would cost more than all the rest.
"""

from __future__ import annotations

import sys
from collections import deque
from decimal import Decimal
from typing import Any

from tektii import CandleEvent, Position, PositionEvent, TradingGateway


class Crossover:
    """Trades one symbol; the arguments may come from a command line, as text."""

    def __init__(
        self,
        symbol: str = "AAPL",
        quantity: str = "100",
        fast: str | int = 10,
        slow: str | int = 30,
        stop_percent: str | int = 10,
    ) -> None:
        self.symbol = symbol
        self.quantity = quantity
        self.fast = int(fast)
        self.closes: deque[Decimal] = deque(maxlen=int(slow))
        self.stop = 1 - Decimal(stop_percent) / 100
        self.held: Position | None = None

    def run(self, url: str) -> None:
        """Trade until the stream ends."""
        with TradingGateway(url) as gateway, gateway.stream() as events:
            for event in events:
                if isinstance(event, PositionEvent) and event.position.symbol == self.symbol:
                    self.held = event.position if Decimal(event.position.quantity) else None
                elif isinstance(event, CandleEvent) and event.bar.symbol == self.symbol:
                    self.on_close(gateway, Decimal(event.bar.close))

    def on_close(self, gateway: TradingGateway, close: Decimal) -> None:
        """Look at the averages, and bring the position in line with them."""
        self.closes.append(close)
        if len(self.closes) < (self.closes.maxlen or 0):
            return
        rising = average(list(self.closes)[-self.fast :]) > average(self.closes)
        if rising and self.held is None:
            stop = (close * self.stop).quantize(Decimal("0.01"))
            gateway.submit_order(self.symbol, "buy", self.quantity, stop_loss=str(stop))
        elif self.held is not None and not rising:
            gateway.close_position(self.held.id)


def average(prices: Any) -> Decimal:
    return sum(prices, Decimal(0)) / len(prices)


if __name__ == "__main__":
    Crossover().run(*sys.argv[1:] or ["http://localhost:8080"])
