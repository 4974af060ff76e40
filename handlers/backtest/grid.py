"""Parameter grids: a run for each combination, wherever it is carried out.

The results of `run_one` come back as bytes: nothing is shared, and what is written does not depend
on where and in which order the runs were made.
"""

from __future__ import annotations

import gc
import pickle
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_exception
from typing import Any

import orjson

from handlers.backtest.run import Plan, carry_out
from handlers.backtest.strategy import in_thread, load_class
from handlers.settings import Settings
from providers.backtest.extras import MissingExtra
from providers.backtest.results.writing import SUMMARY, check_folder
from providers.backtest.runs import create
from providers.backtest.settings import BacktestSettings

HEADLINE = ("total_return", "sharpe", "max_drawdown", "trades", "final_equity")
"""The figures of a run that come first, of those in its summary.json."""

Axes = Mapping[str, Sequence[str]]
"""The values of each parameter, as text, in the order given."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What is tried, and where the results go; `fixed` are the arguments that every run has."""

    strategy: str
    axes: Axes
    fixed: Mapping[str, str]
    rank_by: str
    output: Path

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys([self.rank_by, *HEADLINE]))


@dataclass(frozen=True, kw_only=True)
class GridRun:
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


Outcomes = Generator[tuple[GridRun, RunOutcome], None, None]


def combinations(axes: Axes) -> list[dict[str, str]]:
    """The product in the order given: the last parameter changes fastest."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def run_one(run: GridRun, scratch: Path | None = None) -> RunOutcome:
    """Carry out a run, in the main thread of a process or in any other thread.

    What the strategy raises, and a history that cannot be replayed, are outcomes. All that is
    written meanwhile lies in a folder of its own in `scratch`.
    """
    with TemporaryDirectory(prefix="trading-api-", dir=scratch) as place:
        folder = Path(place, "results")
        settings = run.settings.model_copy(update={"output": folder})
        try:
            check_folder(folder)
            provider = create(settings, Path(place))
        except (ValueError, MissingExtra) as error:
            return failed(error)
        strategy = partial(in_thread, partial(start, run))
        served = Plan(settings=settings, server=run.server, strategy=strategy)
        failure = carry_out(served, provider)
        gc.unfreeze()  # the application freezes what lives as long as its process; here it does not
        files = {each.name: each.read_bytes() for each in sorted(folder.glob("*"))}
    return outcome_of(files, failure)


def start(run: GridRun, url: str) -> Any:
    """Make the strategy and run it, plain or async."""
    return strategy_class(run)(**run.parameters).run(url)


def strategy_class(run: GridRun) -> Callable[..., Any]:
    if run.code is None:
        return load_class(run.strategy, run.parameters)
    found: Callable[..., Any] = pickle.loads(run.code)  # noqa: S301 - from the client whose task this is
    return found


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
