"""Durable orders per second: `trading-api serve --provider paper` on SQLite, synchronous FULL.

Every answered order is on disk. Once with limit orders that rest, one event each, and once with
market orders that fill, five events each: order, fill, trade, position and balance. These are of
one share, bought and sold in turn, so that the position does not grow.
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


KINDS = {
    "LIMIT, resting": [("BUY", "LIMIT", ',"limit_price":"1.00"')],
    "MARKET, filling": [("BUY", "MARKET", ""), ("SELL", "MARKET", "")],
}


def order(side: str, kind: str, price: str) -> bytes:
    body = f'{{"symbol":"AAPL","side":"{side}","quantity":"1","order_type":"{kind}"{price}}}'
    return Request("", "POST", "/orders", body.encode(), 201).raw


async def orders_per_second(seconds: float) -> dict[str, Any]:
    """Orders of each kind answered 201 per second, and how long they took."""
    return {kind: await _measure(orders, seconds) for kind, orders in KINDS.items()}


async def _measure(orders: list[tuple[str, str, str]], seconds: float) -> dict[str, Any]:
    turns = itertools.cycle([order(*each) for each in orders])
    environment = {"TRADING_API_API_KEYS": API_KEYS, "TRADING_API_PAPER_INITIAL_BALANCE": "1e9"}
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("-m", "handlers", "serve", "--provider", "paper", "--port", "0")
        database = f"sqlite:///{folder}/bench.db"
        with serving(*arguments, "--database-url", database, **environment) as port:
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
    lines = [f"Durable orders (SQLite, FULL, {CONNECTIONS} connections)"]
    for kind, measured in result.items():
        rate = measured["orders_per_second"]
        lines.append(
            f"  {kind:16}{rate:6} per second ({'met' if rate >= TARGET else 'MISSED'} {TARGET}),"
            f" {measured['milliseconds']} ms, answers {measured['statuses']}"
        )
    return "\n".join(lines)
