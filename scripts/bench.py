"""Compare this server with others in one run, and measure durable orders per second.

GET /quotes/{symbol} and POST /orders, keys on, with a provider that has its answers ready: once
in this process, without sockets, and once over HTTP against uvicorn with one worker. Rounds are
interleaved, so that a slow moment of the machine meets every contender; ratios are taken round by
round. Then `trading-api serve --provider paper` takes orders to disk, and the matching engine runs
by itself. Last, a backtest over the wire.

Usage: bench.py [--quick] [--json FILE] [--part in-process|http|durable|engine|backtest ...]
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import platform
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from scripts.bench_parts import backtest, durable, engine, in_process, load, report
from scripts.bench_parts.contenders import CONTENDERS
from scripts.bench_parts.servers import contender
from scripts.bench_parts.subject import POST_ORDERS, REQUESTS


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds, and per contender and round the calls or the seconds."""

    rounds: int
    calls: int
    http_rounds: int
    http_seconds: float
    durable_seconds: float
    engine_batches: int
    engine_ticks: int
    bars: tuple[int, int]


FULL = Effort(
    rounds=40,
    calls=500,
    http_rounds=12,
    http_seconds=1,
    durable_seconds=10,
    engine_batches=40,
    engine_ticks=1000,
    bars=(10_000, 100_000),
)
QUICK = Effort(
    rounds=10,
    calls=100,
    http_rounds=3,
    http_seconds=0.5,
    durable_seconds=2,
    engine_batches=10,
    engine_ticks=200,
    bars=(1_000, 10_000),
)
CONNECTIONS = 16


async def measure_in_process(effort: Effort) -> dict[str, Any]:
    apps = {name: make() for name, make in CONTENDERS.items()}
    results = {}
    for request in REQUESTS:
        await in_process.one_round(apps, request, effort.calls)
        gc.collect()
        rounds = [
            await in_process.one_round(apps, request, effort.calls) for _ in range(effort.rounds)
        ]
        results[request.name] = report.compare(rounds, faster_is="less")
        print(report.table(f"{request.name}, in process", "us", results[request.name]))
    print(*report.judge(results[POST_ORDERS.name]), sep="\n")
    return results


async def measure_over_http(effort: Effort) -> dict[str, Any]:
    results = {}
    with ExitStack() as stack:
        ports = {name: stack.enter_context(contender(name)) for name in CONTENDERS}
        for request in REQUESTS:
            rounds = [
                {
                    name: await _per_second(port, request.raw, request.status, effort)
                    for name, port in ports.items()
                }
                for _ in range(effort.http_rounds)
            ]
            results[request.name] = report.compare(rounds, faster_is="more")
            title = f"{request.name}, over HTTP, {CONNECTIONS} connections"
            print(report.table(title, "per second", results[request.name]))
    print(*report.judge(results[POST_ORDERS.name]), sep="\n")
    return results


async def _per_second(port: int, raw: bytes, status: int, effort: Effort) -> float:
    outcome = await load.run(
        port, lambda _: raw, connections=CONNECTIONS, seconds=effort.http_seconds
    )
    if set(outcome.statuses) != {status}:
        raise RuntimeError(f"answered {dict(outcome.statuses)}")
    return outcome.per_second


async def measure_durable(effort: Effort) -> dict[str, Any]:
    result = await durable.orders_per_second(effort.durable_seconds)
    print(durable.describe(result))
    return result


async def measure_engine(effort: Effort) -> dict[str, Any]:
    result = await engine.measure(effort.engine_batches, effort.engine_ticks)
    print(engine.describe(result))
    return result


async def measure_backtest(effort: Effort) -> dict[str, Any]:
    result = await backtest.measure(*effort.bars)
    print(backtest.describe(result))
    return result


PARTS: dict[str, Callable[[Effort], Coroutine[Any, Any, dict[str, Any]]]] = {
    "in-process": measure_in_process,
    "http": measure_over_http,
    "durable": measure_durable,
    "engine": measure_engine,
    "backtest": measure_backtest,
}


async def measure(parts: list[str], effort: Effort) -> dict[str, Any]:
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    return {**machine, **{part: await PARTS[part](effort) for part in parts}}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a fraction of the rounds")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("trading_api").setLevel(logging.ERROR)
    results = uvloop.run(measure(options.part or list(PARTS), QUICK if options.quick else FULL))
    print(json.dumps(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
