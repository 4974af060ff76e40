"""A breakout on nothing but httpx and websockets: what the protocol looks like on the wire.

    trading-api backtest --symbols EUR/USD --timeframe 1h \\
        --strategy scripts.examples.breakout:Breakout

Each bar a BUY STOP rests above the highest high of the last bars, with a stop-loss and a
take-profit that the server looks after.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from decimal import Decimal
from typing import Any

import httpx
from websockets.asyncio.client import connect


class Breakout:
    """Trades one symbol; the arguments may come from a command line, as text."""

    def __init__(
        self, symbol: str = "EUR/USD", quantity: str = "10000", bars: str | int = 48
    ) -> None:
        self.symbol = symbol
        self.quantity = quantity
        self.bars: deque[dict[str, Any]] = deque(maxlen=int(bars))
        self.entry: str | None = None
        self.holds = False

    async def run(self, url: str) -> None:
        """Trade until the stream ends."""
        stream = f"ws{url.removeprefix('http')}/ws?types=candle,order,position"
        async with httpx.AsyncClient(base_url=url) as http, connect(stream) as events:
            async for text in events:
                frame = json.loads(text)
                await self.on_frame(http, frame)
                if frame["type"] == "backtest_complete":
                    return
                if "event_id" in frame:
                    await events.send(acknowledgement(frame))

    async def on_frame(self, http: httpx.AsyncClient, frame: dict[str, Any]) -> None:
        """What the stream tells: bars, and what has become of the entry and the position."""
        if frame["type"] == "candle" and frame["bar"]["symbol"] == self.symbol:
            await self.on_bar(http, frame["bar"])
        elif frame["type"] == "order" and frame["order"]["id"] == self.entry:
            self.entry = frame["order"]["id"] if is_open(frame["order"]) else None
        elif frame["type"] == "position" and frame["position"]["symbol"] == self.symbol:
            self.holds = Decimal(frame["position"]["quantity"]) > 0

    async def on_bar(self, http: httpx.AsyncClient, bar: dict[str, Any]) -> None:
        """While nothing is held, keep one entry where the market would break out."""
        self.bars.append(bar)
        if self.holds or len(self.bars) < (self.bars.maxlen or 0):
            return
        high = max(Decimal(bar["high"]) for bar in self.bars)
        if self.entry is None:
            await self.place(http, high)
        elif high != self.stop:
            (await http.delete(f"/orders/{self.entry}")).raise_for_status()
            await self.place(http, high)

    async def place(self, http: httpx.AsyncClient, high: Decimal) -> None:
        self.stop = high
        width = high - min(Decimal(bar["low"]) for bar in self.bars)
        order = {
            "symbol": self.symbol,
            "side": "BUY",
            "quantity": self.quantity,
            "order_type": "STOP",
            "stop_price": str(high),
            "stop_loss": str(high - width),
            "take_profit": str(high + 2 * width),
        }
        answer = await http.post("/orders", json=order)
        self.entry = answer.raise_for_status().json()["id"]


def is_open(order: dict[str, Any]) -> bool:
    return order["status"] in {"PENDING", "OPEN", "PARTIALLY_FILLED"}


def acknowledgement(frame: dict[str, Any]) -> str:
    """In a backtest time goes on only when every event has been acknowledged."""
    processed = [frame["event_id"]]
    ack = {"type": "event_ack", "correlation_id": frame["event_id"], "timestamp": 0}
    return json.dumps({**ack, "events_processed": processed})


if __name__ == "__main__":
    asyncio.run(Breakout().run(*sys.argv[1:] or ["http://localhost:8080"]))
