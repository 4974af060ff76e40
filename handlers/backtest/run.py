"""One run of a backtest, from its plan to its end: a server, and a strategy beside it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import uvicorn

from handlers.app import create_app
from handlers.backtest.strategy import Failure, Stage, Work
from handlers.server import UVICORN_OPTIONS
from handlers.settings import Settings
from providers.backtest.provider import BacktestProvider
from providers.backtest.runs import load_libraries
from providers.backtest.settings import BacktestSettings

LINGER = 5.0
"""Seconds that a finished run goes on answering, for a strategy that asks how it came out."""

_POLL = 0.02


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run: over which history, served how, for which strategy (None: one that connects)."""

    settings: BacktestSettings
    server: Settings
    strategy: Stage | None = None


class Server(uvicorn.Server):
    """One that tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready.set()


def carry_out(plan: Plan, provider: BacktestProvider) -> Failure:
    """Serve a run to its end; answers what the strategy has raised.

    Whether the run is complete, the provider knows.
    """
    with plan.strategy() if plan.strategy else nullcontext() as work:
        load_libraries(plan.settings)
        return asyncio.run(serve(plan.server, provider, work))


async def serve(settings: Settings, provider: BacktestProvider, work: Work | None) -> Failure:
    """Serve until the run is over, or a signal comes; answers what the strategy has raised."""
    server = Server(config_of(settings, provider))
    serving = asyncio.create_task(server.serve())
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        return await _run(work, provider, server, serving) if ready.done() else None
    finally:
        ready.cancel()
        server.should_exit = True
        await serving


def config_of(settings: Settings, provider: BacktestProvider) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings, provider),
        **UVICORN_OPTIONS,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


async def _run(
    work: Work | None,
    provider: BacktestProvider,
    server: uvicorn.Server,
    serving: asyncio.Task[None],
) -> Failure:
    """Until the strategy or the server has ended, whichever comes first."""
    url = url_of(server)
    working = asyncio.ensure_future(work(url) if work else _served(provider, server, url))
    await asyncio.wait({serving, working}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        return working.result()
    working.cancel()
    return None


async def _served(provider: BacktestProvider, server: uvicorn.Server, url: str) -> None:
    """For a strategy that connects: until the run is over and nobody is there any more."""
    sys.stderr.write(f"The run begins when a strategy connects to {url}/ws\n")
    sys.stderr.flush()
    await provider.over.wait()
    for _ in range(round(LINGER / _POLL)):
        if not server.server_state.connections:
            break
        await asyncio.sleep(_POLL)


def url_of(server: uvicorn.Server) -> str:
    """Where the server listens."""
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def on_signals(handler: Callable[..., Any]) -> Iterator[None]:
    """Ctrl-C and SIGTERM do this meanwhile."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
