"""The strategy of a backtest: found by its name, and run beside the server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from importlib import import_module
from inspect import isawaitable, signature
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from traceback import format_exception
from typing import Any, TypeVar

from handlers.backtest.child import Child, ChildDied

T = TypeVar("T")

Strategy = Callable[[str], Any]
"""Trades at a URL until the stream ends; may be async."""

Failure = BaseException | None
"""What a strategy has raised."""

Work = Callable[[str], Awaitable[Failure]]
"""Runs a strategy at a URL, while the event loop goes on."""

Stage = Callable[[], AbstractContextManager[Work]]
"""Makes a strategy ready to run, and clears up after it."""

SWITCH = 0.0002
"""Seconds after which a busy thread lets the other go on: server and strategy talk all the time."""


class StrategyFailed(Exception):
    """A strategy in another process has raised something: its traceback, as text."""


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


def play(strategy: Strategy, url: str) -> Failure:
    """Run a strategy, plain or async, to its end."""
    try:
        result = strategy(url)
        if isawaitable(result):
            asyncio.run(_awaited(result))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the run's owner is told
        return error
    return None


async def _awaited(result: Any) -> None:
    await result


@contextmanager
def in_thread(strategy: Strategy) -> Iterator[Work]:
    """In this process: where there are as many runs as processors already.

    In a daemon thread: a strategy that does not notice that its server is gone holds nothing up.
    """
    sys.setswitchinterval(SWITCH)
    yield lambda url: aside(partial(play, strategy, url))


@contextmanager
def in_process(name: str, parameters: Mapping[str, str]) -> Iterator[Work]:
    """In a process of its own, which imports the strategy while the server starts.

    Server and strategy then have a processor each. A process that is still there at the end is
    ended.
    """
    child = Child("strategy", _far, name, parameters)
    try:
        yield lambda url: aside(partial(_outcome, child, url))
    finally:
        child.end()


def _outcome(child: Child, url: str) -> Failure:
    """Tell the process where the server is, and wait until it is done."""
    try:
        failure: Failure = child.ask(url)
    except ChildDied as died:
        return StrategyFailed(str(died))
    return failure


def _far(pipe: Connection, name: str, parameters: Mapping[str, str]) -> None:
    """What such a process does."""
    strategy = load_class(name, parameters)
    with suppress(EOFError, OSError):  # whoever started it is gone
        failure = play(lambda url: strategy(**parameters).run(url), pipe.recv())
        pipe.send(failure and StrategyFailed("".join(format_exception(failure)).rstrip()))


def aside(work: Callable[[], T]) -> asyncio.Future[T]:
    """The result of work that is done in a daemon thread; to be awaited."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def carry_out() -> None:
        result = work()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, done, result)

    Thread(target=carry_out, name="strategy", daemon=True).start()
    return done


def _settle(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)
