"""A backtest over the wire: bars per second, whether they scale, and a framework beside it.

The same moving-average crossover over the same one-minute bars: as a client of
`trading-api backtest`, a process of its own, and inside backtesting.py where that is installed. The
two must trade equally often, or the figures compare nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

START = datetime(2024, 1, 1, tzinfo=UTC)
FAST, SLOW = 10, 30
LISTENING = "connects to "


async def measure(few: int, many: int) -> dict[str, Any]:
    """Seconds over few bars and over many, and those of the framework over many."""
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, Any] = {"bars": [few, many]}
        for name, count in (("few", few), ("many", many)):
            result[name] = await over_the_wire(written(Path(folder), count))
        if find_spec("backtesting"):
            result["in_process"] = in_a_framework(written(Path(folder), many))
        return result


def describe(result: dict[str, Any]) -> str:
    few, many = result["bars"]
    first, second = few / result["few"]["seconds"], many / result["many"]["seconds"]
    lines = [
        "Backtest over the wire, one strategy, one-minute bars",
        f"  {few:7,} bars: {first:8,.0f} bars a second",
        f"  {many:7,} bars: {second:8,.0f} bars a second, {second / first:.2f} times the rate",
    ]
    if "in_process" in result:
        framework = many / result["in_process"]["seconds"]
        trades = result["many"]["trades"], result["in_process"]["trades"]
        lines += [
            f"  backtesting.py, in process: {framework:8,.0f} bars a second,"
            f" {framework / second:.1f} times the rate; trades: ours {trades[0]}, it {trades[1]}"
        ]
    return "\n".join(lines)


def written(folder: Path, count: int) -> Path:
    """A file of bars: a seeded random walk in cents."""
    path = folder / f"{count}.csv"
    draw = random.Random(count)  # noqa: S311 - prices, not secrets
    price = 10_000
    with path.open("w", encoding="utf-8") as file:
        file.write("timestamp,symbol,open,high,low,close,volume\n")
        for number in range(count):
            opened, price = price, max(1_000, price + draw.randint(-20, 20))
            high, low = max(opened, price) + draw.randint(0, 5), min(opened, price) - 5
            cells = (f"{cents / 100:.2f}" for cents in (opened, high, low, price))
            moment = START + timedelta(minutes=number)
            file.write(f"{moment:%Y-%m-%dT%H:%M:%SZ},BTC/USD,{','.join(cells)},1\n")
    return path


class Crossover:
    """Buys when the fast average crosses above the slow one, and sells all when below."""

    def __init__(self) -> None:
        self.closes: deque[float] = deque(maxlen=SLOW)
        self.long = False

    def on_close(self, close: float) -> str | None:
        """The side to trade on; None to do nothing."""
        self.closes.append(close)
        if len(self.closes) < SLOW:
            return None
        closes = list(self.closes)
        above = sum(closes[-FAST:]) / FAST > sum(closes) / SLOW
        if above is self.long:
            return None
        self.long = above
        return "BUY" if above else "SELL"


async def over_the_wire(data: Path) -> dict[str, Any]:
    """Run the strategy as a client; the clock runs from its connection to the end."""
    async with serving(data) as url, httpx.AsyncClient(base_url=url) as http:
        strategy, trades, started = Crossover(), 0, time.perf_counter()
        stream = f"ws{url.removeprefix('http')}/ws"
        async with connect(stream, compression=None) as events:
            async for text in events:
                frame = json.loads(text)
                if frame["type"] == "backtest_complete":
                    break
                if frame["type"] == "candle":
                    side = strategy.on_close(float(frame["bar"]["close"]))
                    if side is not None:
                        await order(http, side)
                trades += frame["type"] == "trade"
                if "event_id" in frame:
                    await events.send(acknowledgement(frame["event_id"]))
        return {"seconds": time.perf_counter() - started, "trades": trades}


async def order(http: httpx.AsyncClient, side: str) -> None:
    body = {"symbol": "BTC/USD", "side": side, "quantity": "1", "order_type": "MARKET"}
    (await http.post("/orders", json=body)).raise_for_status()


def acknowledgement(event_id: str) -> str:
    return json.dumps(
        {
            "type": "event_ack",
            "correlation_id": event_id,
            "events_processed": [event_id],
            "timestamp": 0,
        }
    )


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[str]:
    """`trading-api backtest` over a file; yields its address."""
    command = [str(Path(sys.executable).with_name("trading-api")), "backtest", "--port", "0"]
    command += ["--data", str(data), "--symbols", "BTC/USD", "--timeframe", "1m"]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        if process.stderr is None:
            raise RuntimeError("the server says nothing")
        said = ""
        while LISTENING not in said:
            said = (await process.stderr.readline()).decode()
            if not said:
                raise RuntimeError("the server did not start")
        yield said.rpartition(LISTENING)[2].strip().removesuffix("/ws")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def in_a_framework(data: Path) -> dict[str, Any]:
    """The same strategy in backtesting.py, which also fills market orders at the next open."""
    import pandas as pd
    from backtesting import Backtest, Strategy

    class Crossing(Strategy):  # type: ignore[misc]  # a package without types
        def init(self) -> None:
            self.rule = Crossover()
            for close in self.data.Close:
                self.rule.on_close(float(close))

        def next(self) -> None:
            side = self.rule.on_close(float(self.data.Close[-1]))
            if side == "BUY":
                self.buy(size=1)
            elif side == "SELL" and self.position:
                self.position.close()

    frame = pd.read_csv(data, parse_dates=["timestamp"], index_col="timestamp")
    frame.columns = [name.title() for name in frame.columns]
    test = Backtest(frame, Crossing, cash=1_000_000)
    started = time.perf_counter()
    trades = test.run()["_trades"]
    return {"seconds": time.perf_counter() - started, "trades": 2 * len(trades)}
