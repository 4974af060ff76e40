"""A grid of runs: what it needs, and what is told of it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from handlers import logs
from handlers.backtest.arguments import axes_of, pairs, settings_of
from handlers.backtest.cluster import Cluster
from handlers.backtest.grid import Grid, GridRun, Outcomes, combinations
from handlers.backtest.grid_folder import best_of, check_grid_folder, write_grid
from handlers.backtest.local import locally
from handlers.backtest.run import on_signals
from handlers.backtest.screen import open_report, table
from handlers.backtest.strategy import load_class
from handlers.settings import Settings
from providers.backtest.extras import extra
from providers.backtest.results.performance import MEANINGS
from providers.backtest.results.writing import check_folder
from providers.backtest.runs import create
from providers.backtest.settings import BacktestSettings

log = logging.getLogger("trading_api.backtest")


def prepare_grid(options: dict[str, Any]) -> Callable[[], int]:
    """A grid of runs. Raises ValueError and MissingExtra for what cannot begin."""
    settings, server = settings_of(options)
    grid = grid_of(options, settings.output)
    check_grid_folder(grid.output)
    runs = runs_of(grid, settings, server)
    for run in runs[:1]:
        load_class(run.strategy, run.parameters)
    cluster, jobs = options["cluster"], options["jobs"]
    if cluster is not None and jobs is not None:
        raise ValueError("--jobs is for this machine; a --cluster has its own")
    if jobs is not None and jobs < 1:
        raise ValueError("--jobs must be at least 1")
    if sys.stderr.isatty():
        extra("tqdm", "parameter grids")
    if cluster is not None:
        return partial(run_grid, grid, runs, Cluster(cluster), show=options["show"])
    check_folder(grid.output / "new")
    create(settings).source.close()  # bad data is told once, and not by every run
    here = partial(locally, jobs=jobs or os.cpu_count() or 1)
    return partial(run_grid, grid, runs, here, show=options["show"])


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


def runs_of(grid: Grid, settings: BacktestSettings, server: Settings) -> list[GridRun]:
    """A run for each combination, whose server is for its own strategy alone."""
    private = server.model_copy(update={"host": "127.0.0.1", "port": 0, "api_keys": ()})
    return [
        GridRun(
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
    runs: Sequence[GridRun],
    carry_out: Callable[[Sequence[GridRun]], Outcomes],
    *,
    show: bool,
) -> int:
    """Carry out all runs, write what came of them, and tell of it."""
    logs.configure(runs[0].server.log_level, runs[0].server.log_format)
    try:
        # SIGTERM like Ctrl-C: the processes of the runs must be ended too.
        with on_signals(signal.default_int_handler), closing(carry_out(runs)) as outcomes:
            rows = write_grid(grid, watched(outcomes, len(runs)))
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
    progress = (
        extra("tqdm", "parameter grids").tqdm(total=count, unit="run")
        if sys.stderr.isatty()
        else None
    )
    told = False
    for run, outcome in outcomes:
        if outcome.trace and not told:
            log.error("Run %d has failed\n%s", run.number, outcome.trace.rstrip())
            told = True
        yield run, outcome
        if progress is not None:
            progress.update()
    if progress is not None:
        progress.close()
