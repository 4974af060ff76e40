"""One run of a backtest, from its plan to its end: the server and the strategy in one process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from inspect import isawaitable, signature
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn

from handlers.app import create_app
from handlers.server import UVICORN_OPTIONS
from handlers.settings import Settings
from providers.backtest.extras import extra
from providers.backtest.provider import BacktestProvider
from providers.backtest.settings import BacktestSettings

LINGER = 5.0
"""Seconds that a finished run goes on answering, for a strategy that asks how it came out."""

SWITCH = 0.0002
"""Seconds after which a busy thread lets the other go on: server and strategy talk all the time."""

_POLL = 0.02

Strategy = Callable[[str], Any]
"""Trades at a URL until the stream ends; may be async."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run: over which history, served how, for which strategy (None: one that connects)."""

    settings: BacktestSettings
    server: Settings
    strategy: Strategy | None = None


def load_class(name: str, parameters: Mapping[str, str]) -> Callable[..., Any]:
    """The class of a strategy `MODULE:CLASS`, which takes these arguments. Raises ValueError."""
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"--strategy must be MODULE:CLASS, not {name}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        found: Callable[..., Any] = getattr(import_module(module), attribute)
        found.run  # type: ignore[attr-defined]  # noqa: B018 - asks whether there is one
        signature(found).bind(**parameters)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"cannot use the strategy {name}: {error}") from error
    return found


class Server(uvicorn.Server):
    """One that tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready.set()


def carry_out(plan: Plan, provider: BacktestProvider) -> BaseException | None:
    """Serve a run to its end; answers what the strategy has raised.

    Whether the run is complete, the provider knows.
    """
    if plan.settings.output is not None:
        # Takes seconds to import; at the end of a run it would keep the stream from answering.
        extra("empyrical")
    return asyncio.run(serve(plan, provider))


async def serve(plan: Plan, provider: BacktestProvider) -> BaseException | None:
    """Serve until the run is over, or a signal comes; answers what the strategy has raised."""
    server = Server(config_of(plan.server, provider))
    serving = asyncio.create_task(server.serve())
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        return await _run(plan, provider, server, serving) if ready.done() else None
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
    plan: Plan, provider: BacktestProvider, server: uvicorn.Server, serving: asyncio.Task[None]
) -> BaseException | None:
    """Until the strategy or the server has ended, whichever comes first."""
    url = url_of(server)
    work = in_thread(plan.strategy, url) if plan.strategy else _served(provider, server, url)
    working = asyncio.ensure_future(work)
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


def in_thread(strategy: Strategy, url: str) -> asyncio.Future[BaseException | None]:
    """Run a strategy, plain or async, beside the server; the result is what it has raised.

    In a daemon thread: a strategy that does not notice that its server is gone holds nothing up.
    """
    sys.setswitchinterval(SWITCH)
    loop = asyncio.get_running_loop()
    done: asyncio.Future[BaseException | None] = loop.create_future()

    def work() -> None:
        failure = None
        try:
            result = strategy(url)
            if isawaitable(result):
                asyncio.run(_awaited(result))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the run's owner is told
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, done, failure)

    Thread(target=work, name="strategy", daemon=True).start()
    return done


async def _awaited(result: Any) -> None:
    await result


def settle(done: asyncio.Future[BaseException | None], failure: BaseException | None) -> None:
    if not done.done():
        done.set_result(failure)


def url_of(server: uvicorn.Server) -> str:
    """Where the server listens."""
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
