"""Durable orders per second: `trading-api serve --provider paper` on SQLite, synchronous FULL.

Every answered order is on disk. Market orders of one share, bought and sold in turn, so that the
account neither runs dry nor grows.
"""

from __future__ import annotations

import itertools
import tempfile
from typing import Any

from scripts.bench_parts import load
from scripts.bench_parts.servers import serving
from scripts.bench_parts.subject import API_KEYS, Request

TARGET = 1500
CONNECTIONS = 32


def order(side: str) -> bytes:
    body = f'{{"symbol":"AAPL","side":"{side}","quantity":"1","order_type":"MARKET"}}'
    return Request("", "POST", "/orders", body.encode(), 201).raw


async def orders_per_second(seconds: float) -> dict[str, Any]:
    """Orders answered 201 per second, how long they took, and what else was answered."""
    turns = itertools.cycle([order("BUY"), order("SELL")])
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("-m", "handlers", "serve", "--provider", "paper", "--port", "0")
        database = f"sqlite:///{folder}/bench.db"
        with serving(*arguments, "--database-url", database, TRADING_API_API_KEYS=API_KEYS) as port:
            await load.run(port, lambda _: next(turns), connections=CONNECTIONS, seconds=1)
            outcome = await load.run(
                port, lambda _: next(turns), connections=CONNECTIONS, seconds=seconds
            )
    return {
        "orders_per_second": round(outcome.statuses[201] / outcome.seconds),
        "connections": CONNECTIONS,
        "milliseconds": {f"p{p}": round(outcome.percentile(p), 1) for p in (50, 95, 99)},
        "statuses": dict(outcome.statuses),
    }


def describe(result: dict[str, Any]) -> str:
    rate = result["orders_per_second"]
    verdict = "met" if rate >= TARGET else "MISSED"
    return (
        f"Durable orders (SQLite, FULL, {CONNECTIONS} connections)\n"
        f"  {rate} per second, {result['milliseconds']} ms, answers {result['statuses']}\n"
        f"  {verdict} {TARGET} per second"
    )
