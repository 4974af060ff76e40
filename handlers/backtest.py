"""The command `trading-api backtest`: a run over history, or one for each point of a grid.

The composition root of a backtest, as `app` is that of a server.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from handlers import logs
from handlers.backtest_results import (
    MEANINGS,
    Grid,
    best_of,
    check_grid_folder,
    headline,
    table,
    write_grid,
)
from handlers.backtest_run import Plan, carry_out
from handlers.backtest_strategy import Stage, in_process, load_class
from handlers.grid import Axes, Cluster, Outcomes, RunPlan, combinations, locally
from handlers.options import add_options, complain, complaints, given
from handlers.settings import PREFIX, Settings, refusal_to_bind
from providers.backtest.extras import MissingExtra, extra
from providers.backtest.provider import BacktestProvider
from providers.backtest.results.writing import REPORT, SUMMARY, check_folder
from providers.backtest.runs import create
from providers.backtest.settings import BacktestSettings

log = logging.getLogger("trading_api.backtest")

_SERVER = ("host", "port", "log_level", "log_format")
_EXAMPLES = """\
examples:
  trading-api backtest --symbols AAPL
      replays the history that comes with the package on http://localhost:8080; the run begins when
      a strategy connects to ws://localhost:8080/ws, and ends the command
  trading-api backtest --data bars/ --symbols AAPL,MSFT --timeframe 1h --cash 10000 --fees 0.0005
  trading-api backtest --strategy examples:Crossover --set fast=10 --set slow=30 --output results
      runs the strategy too: Crossover(fast="10", slow="30").run(url)
  trading-api backtest --strategy examples:Crossover --grid fast=5,10,20 --grid slow=30,50 \\
          --output grid
      runs all six combinations, as many at a time as there are processors

Every option may also be set as TRADING_API_BACKTEST_NAME in the environment or in a file .env.
The command ends with 0 when every run was complete, with 1 when one was broken off or failed, with
2 when it could not begin.
"""


def add_command(commands: Any) -> None:
    """Add `backtest` to the commands of `trading-api`."""
    parser = commands.add_parser(
        "backtest",
        help="replay history for a strategy",
        description="Serves the Trading API over history: the same endpoints, in simulated time.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_run(parser.add_argument_group("the run"))
    _add_strategy(parser.add_argument_group("the strategy"))
    _add_grid(parser.add_argument_group("many runs"))
    parser.add_argument(
        "--open", action="store_true", dest="show", help="Show the report in a browser at the end."
    )
    server = parser.add_argument_group("the server")
    add_options(server, Settings, _SERVER)
    parser.set_defaults(command=backtest)


def _add_run(group: Any) -> None:
    add_options(group, BacktestSettings)
    group.add_argument(
        "--cash",
        dest="initial_balance",
        metavar="AMOUNT",
        default=argparse.SUPPRESS,
        help="The same as --initial-balance.",
    )
    group.add_argument(
        "--fees",
        metavar="FRACTION",
        default=argparse.SUPPRESS,
        help="Sets --maker-fee and --taker-fee.",
    )


def _add_strategy(group: Any) -> None:
    group.add_argument(
        "--strategy", metavar="MODULE:CLASS", help="Run this too; without it one may connect."
    )
    group.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        dest="parameters",
        help="An argument of the strategy's class, as text.",
    )


def _add_grid(group: Any) -> None:
    group.add_argument(
        "--grid",
        metavar="NAME=VALUE,VALUE",
        action="append",
        default=[],
        help="Values to try for an argument of the strategy's class; each combination of all that"
        " are given is a run.",
    )
    group.add_argument(
        "--jobs", metavar="N", type=int, help="Runs at a time. Default: one for each processor."
    )
    group.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="Run them on a Dask cluster instead, whose scheduler is at tcp://HOST:PORT.",
    )
    group.add_argument(
        "--rank-by",
        metavar="FIGURE",
        default="sharpe",
        help="The figure of summary.json that tells which run is best. Default: sharpe.",
    )


def backtest(**options: Any) -> int:
    """Carry out what the command line means; the exit status."""
    try:
        prepared = prepare_grid(options) if options["grid"] else prepare_run(options)
    except ValidationError as error:
        prefix = PREFIX if error.title == "Settings" else f"{PREFIX}BACKTEST_"
        return complain(*complaints(error, prefix))
    except (ValueError, MissingExtra) as error:
        return complain(str(error))
    return prepared()


def settings_of(options: dict[str, Any]) -> tuple[BacktestSettings, Settings]:
    """The settings of the run and of its server. Raises pydantic's ValidationError."""
    if "fees" in options:
        options = {"maker_fee": options["fees"], "taker_fee": options["fees"], **options}
    server: dict[str, Any] = {"log_level": "error", **given(options, Settings)}
    if options["strategy"] is not None:
        server.setdefault("port", "0")
    return BacktestSettings(**given(options, BacktestSettings)), Settings(**server)


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as names and values. Raises ValueError."""
    split = [text.partition("=") for text in texts]
    names = {name for name, _, _ in split}
    if len(names) < len(split) or not all(each[0].isidentifier() and each[1] for each in split):
        raise ValueError(f"{option} must be NAME=VALUE, each name once, not {' '.join(texts)}")
    return {name: value for name, _, value in split}


def prepare_run(options: dict[str, Any]) -> Callable[[], int]:
    """A single run. Raises ValueError and MissingExtra for what cannot begin."""
    for each in ("jobs", "cluster"):
        if options[each] is not None:
            raise ValueError(f"--{each} is for many runs: it needs --grid")
    settings, server = settings_of(options)
    if refusal := refusal_to_bind(server, [server.host]):
        raise ValueError(refusal)
    strategy = strategy_of(options["strategy"], pairs("--set", options["parameters"]))
    if settings.output is not None:
        check_folder(settings.output)
    plan = Plan(settings=settings, server=server, strategy=strategy)
    return partial(run, plan, create(settings), show=options["show"])


def strategy_of(name: str | None, parameters: Mapping[str, str]) -> Stage | None:
    """A strategy that is made when it is run; None without a name. Raises ValueError."""
    if name is None:
        if parameters:
            raise ValueError("--set is for a strategy: it needs --strategy")
        return None
    load_class(name, parameters)
    return partial(in_process, name, parameters)


def run(plan: Plan, provider: BacktestProvider, *, show: bool) -> int:
    """Carry out a single run and tell of it."""
    logs.configure(plan.server.log_level, plan.server.log_format)
    output = plan.settings.output
    before = stamp(output)
    with on_signals(lambda *_: None):  # uvicorn ends in order, and then raises its signal anew
        failure = carry_out(plan, provider)
    if failure is not None:
        log.error("The strategy has failed\n%s", failure)
    written = output is None or stamp(output) != before
    if output is None:
        status = "complete" if provider.complete else "aborted"
        print(f"{'Status':18} {status}; the results are kept with --output DIR")
    elif written:
        tell(output, show=show)
    return 0 if provider.complete and failure is None and written else 1


def stamp(folder: Path | None) -> tuple[int, int] | None:
    """Tells the results of one run in a folder from those of another."""
    if folder is None or not (folder / SUMMARY).exists():
        return None
    status = (folder / SUMMARY).stat()
    return status.st_ino, status.st_mtime_ns


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


def tell(folder: Path, *, show: bool) -> None:
    """Print the headline of the results, and open the report if that is wanted."""
    summary = orjson.loads((folder / SUMMARY).read_bytes())
    for line in headline(summary):
        print(line)
    print(f"{'Report':18} {folder / REPORT}")
    if show:
        open_report(folder)


def open_report(folder: Path) -> None:
    webbrowser.open((folder / REPORT).resolve().as_uri())


def prepare_grid(options: dict[str, Any]) -> Callable[[], int]:
    """A grid of runs. Raises ValueError and MissingExtra for what cannot begin."""
    settings, server = settings_of(options)
    grid = grid_of(options, settings.output)
    check_grid_folder(grid.output)
    plans = plans_of(grid, settings, server)
    for plan in plans[:1]:
        load_class(plan.strategy, plan.parameters)
    cluster, jobs = options["cluster"], options["jobs"]
    if cluster is not None and jobs is not None:
        raise ValueError("--jobs is for this machine; a --cluster has its own")
    if jobs is not None and jobs < 1:
        raise ValueError("--jobs must be at least 1")
    if sys.stderr.isatty():
        extra("tqdm")
    if cluster is not None:
        return partial(run_grid, grid, plans, Cluster(cluster), show=options["show"])
    check_folder(grid.output / "new")
    create(settings).source.close()  # bad data is told once, and not by every run
    here = partial(locally, jobs=jobs or os.cpu_count() or 1)
    return partial(run_grid, grid, plans, here, show=options["show"])


def grid_of(options: dict[str, Any], output: Path | None) -> Grid:
    """Raises ValueError."""
    axes, fixed = axes_of(options["grid"]), pairs("--set", options["parameters"])
    if both := axes.keys() & fixed.keys():
        raise ValueError(f"{min(both)} is given by --grid and by --set")
    if options["strategy"] is None or output is None:
        raise ValueError("--grid needs --strategy and --output")
    if options["rank_by"] not in MEANINGS:
        raise ValueError(f"--rank-by must be one of {', '.join(MEANINGS)}")
    return Grid(
        strategy=options["strategy"],
        axes=axes,
        fixed=fixed,
        rank_by=options["rank_by"],
        output=output,
    )


def axes_of(texts: Sequence[str]) -> Axes:
    """`NAME=VALUE,VALUE` texts as names and values. Raises ValueError."""
    axes = {name: values.split(",") for name, values in pairs("--grid", texts).items()}
    for name, values in axes.items():
        if not all(values) or len(set(values)) < len(values):
            raise ValueError(
                f"--grid must be NAME=VALUE,VALUE, each value once, not {name}={','.join(values)}"
            )
    return axes


def plans_of(grid: Grid, settings: BacktestSettings, server: Settings) -> list[RunPlan]:
    """A plan for each combination, whose server is for its own strategy alone."""
    private = server.model_copy(update={"host": "127.0.0.1", "port": 0, "api_keys": ()})
    return [
        RunPlan(
            number=number,
            combination=combination,
            strategy=grid.strategy,
            parameters={**grid.fixed, **combination},
            settings=settings.model_copy(update={"output": None}),
            server=private,
        )
        for number, combination in enumerate(combinations(grid.axes), start=1)
    ]


def run_grid(
    grid: Grid,
    plans: Sequence[RunPlan],
    runs: Callable[[Sequence[RunPlan]], Outcomes],
    *,
    show: bool,
) -> int:
    """Carry out all runs, write what came of them, and tell of it."""
    logs.configure(plans[0].server.log_level, plans[0].server.log_format)
    try:
        # SIGTERM like Ctrl-C: the processes of the runs must be ended too.
        with on_signals(signal.default_int_handler), closing(runs(plans)) as outcomes:
            rows = write_grid(grid, watched(outcomes, len(plans)))
    except KeyboardInterrupt:
        print("Broken off: nothing is written", file=sys.stderr)
        return 1
    for line in table(grid, rows):
        print(line)
    print(f"All results are in {grid.output}")
    best = best_of(grid, rows)
    if best is not None:
        print(f"The best by {grid.rank_by} is in {grid.output / best.folder}")
        if show:
            open_report(grid.output / best.folder)
    return 0 if all(row.status == "complete" for row in rows) else 1


def watched(outcomes: Outcomes, count: int) -> Outcomes:
    """The same, with progress on a terminal, and the first traceback told."""
    progress = extra("tqdm").tqdm(total=count, unit="run") if sys.stderr.isatty() else None
    told = False
    for plan, outcome in outcomes:
        if outcome.trace and not told:
            log.error("Run %d has failed\n%s", plan.number, outcome.trace.rstrip())
            told = True
        yield plan, outcome
        if progress is not None:
            progress.update()
    if progress is not None:
        progress.close()
