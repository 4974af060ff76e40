"""Parameter grids: a run for each combination, in processes of this machine or on a Dask cluster.

Both ways carry out the same `run_one`, whose results come back as bytes: nothing is shared, and
what is written does not depend on where and in which order the runs were made.
"""

from __future__ import annotations

import gc
import pickle
import re
import signal
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from itertools import islice, product
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_exception
from typing import Any

import orjson

from handlers import logs
from handlers.backtest_run import Plan, carry_out
from handlers.backtest_strategy import in_thread, load_class
from handlers.settings import Settings
from providers.backtest.extras import MissingExtra
from providers.backtest.results.writing import SUMMARY, check_folder
from providers.backtest.runs import create
from providers.backtest.settings import BacktestSettings

RETRIES = 2
"""How often a run on a cluster is tried again after an error that is not the strategy's."""

Axes = Mapping[str, Sequence[str]]
"""The values of each parameter, as text, in the order given."""


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """One combination; can be sent to another process or machine."""

    number: int
    """From 1, in the order of the grid."""
    combination: dict[str, str]
    strategy: str
    parameters: dict[str, str]
    """All arguments of the strategy: the combination and those that every run has."""
    settings: BacktestSettings
    server: Settings
    code: bytes | None = None
    """The strategy's class itself, for a machine that cannot import it."""


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What came of a run; `status` is complete, aborted or failed."""

    status: str
    figures: dict[str, Any]
    files: dict[str, bytes]
    error: str | None = None
    trace: str = ""
    """The traceback of the strategy's error."""


Outcomes = Generator[tuple[RunPlan, RunOutcome], None, None]


def combinations(axes: Axes) -> list[dict[str, str]]:
    """The product in the order given: the last parameter changes fastest."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def run_one(plan: RunPlan) -> RunOutcome:
    """Carry out a run, in the main thread of a process or in any other thread.

    What the strategy raises, and a history that cannot be replayed, are outcomes.
    """
    with TemporaryDirectory(prefix="trading-api-") as place:
        folder = Path(place, "results")
        settings = plan.settings.model_copy(update={"output": folder})
        try:
            check_folder(folder)
            provider = create(settings)
        except (ValueError, MissingExtra) as error:
            return failed(error)
        strategy = partial(in_thread, partial(start, plan))
        served = Plan(settings=settings, server=plan.server, strategy=strategy)
        failure = carry_out(served, provider)
        gc.unfreeze()  # the application freezes what lives as long as its process; here it does not
        files = {each.name: each.read_bytes() for each in sorted(folder.glob("*"))}
    return outcome_of(files, failure)


def start(plan: RunPlan, url: str) -> Any:
    """Make the strategy and run it, plain or async."""
    if plan.code is None:
        made = load_class(plan.strategy, plan.parameters)
    else:
        made = pickle.loads(plan.code)  # noqa: S301 - from the client whose task this is
    return made(**plan.parameters).run(url)


def outcome_of(files: dict[str, bytes], failure: BaseException | None) -> RunOutcome:
    if failure is None and SUMMARY not in files:
        failure = RuntimeError("the strategy ended without having connected to the stream")
    if failure is not None:
        return replace(failed(failure), files=files)
    summary = orjson.loads(files[SUMMARY])
    return RunOutcome(status=summary["status"], figures=summary["figures"], files=files)


def failed(error: BaseException) -> RunOutcome:
    """Ports differ from run to run, so an error is told without that of the run's own server."""
    text = re.sub(r"(127\.0\.0\.1):\d+", r"\1", f"{type(error).__name__}: {error}")
    trace = "".join(format_exception(error))
    return RunOutcome(status="failed", figures={}, files={}, error=text, trace=trace)


def locally(plans: Sequence[RunPlan], jobs: int) -> Outcomes:
    """Each run in a process of its own, `jobs` at a time, as they are finished.

    Not through a ProcessPoolExecutor: there, one process that dies takes all other runs with it.
    """
    waiting = iter(plans)
    running: dict[Any, tuple[RunPlan, BaseProcess]] = {}
    try:
        while True:
            for plan in islice(waiting, jobs - len(running)):
                pipe, process = spawned(plan)
                running[pipe] = plan, process
            if not running:
                return
            for ready in wait(list(running)):
                plan, process = running.pop(ready)
                yield plan, received(ready, process)
    finally:
        for _, process in running.values():
            process.terminate()
            process.join()


def spawned(plan: RunPlan) -> tuple[Connection, BaseProcess]:
    """A fresh process that carries out a plan, and the pipe that its outcome comes through."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=send_outcome, args=(plan, theirs), name=f"run {plan.number}")
    process.start()
    theirs.close()
    return ours, process


def send_outcome(plan: RunPlan, pipe: Connection) -> None:
    """What such a process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started it
    logs.configure(plan.server.log_level, plan.server.log_format)
    outcome = run_one(plan)
    with suppress(BrokenPipeError):
        pipe.send(outcome)


def received(pipe: Any, process: BaseProcess) -> RunOutcome:
    """The outcome that a process has sent, or that it died without one."""
    with pipe:
        try:
            outcome: RunOutcome = pipe.recv()
        except EOFError:
            process.join()
            return failed(RuntimeError(f"its process ended with exit code {process.exitcode}"))
    process.join()
    return outcome


class Cluster:
    """A Dask cluster that exists. Raises ValueError where no scheduler answers, and MissingExtra.

    Its workers need this package, and what the strategy imports from modules other than its own.
    """

    def __init__(self, address: str) -> None:
        try:
            self._distributed: Any = import_module("distributed")
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"a cluster needs {error.name}: pip install 'trading-api[cluster]'"
            ) from error
        try:
            self._client = self._distributed.Client(address, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"no Dask scheduler answers at {address}: {error}") from error

    def __call__(self, plans: Sequence[RunPlan]) -> Outcomes:
        """The outcomes as they come; the runs of a worker that dies are done again elsewhere."""
        code = self._code(plans[0])
        with self._client as client:
            futures = {
                client.submit(run_one, replace(plan, code=code), pure=False, retries=RETRIES): plan
                for plan in plans
            }
            for future in self._distributed.as_completed(list(futures), loop=client.loop):
                lost = future.exception()
                yield futures.pop(future), failed(lost) if lost else future.result()

    def _code(self, plan: RunPlan) -> bytes:
        """The strategy's class, with its module: workers would keep an earlier version of that."""
        cloudpickle = import_module("cloudpickle")
        found = load_class(plan.strategy, plan.parameters)
        module = sys.modules[found.__module__]
        cloudpickle.register_pickle_by_value(module)
        try:
            code: bytes = cloudpickle.dumps(found)
        finally:
            cloudpickle.unregister_pickle_by_value(module)
        return code
