"""A single run: what it needs, and what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from handlers import logs
from handlers.backtest.arguments import pairs, settings_of
from handlers.backtest.run import Plan, carry_out, on_signals
from handlers.backtest.screen import headline, open_report
from handlers.backtest.strategy import Stage, in_process, load_class
from handlers.settings import refusal_to_bind
from providers.backtest.provider import BacktestProvider
from providers.backtest.results.writing import REPORT, SUMMARY, check_folder
from providers.backtest.runs import create

log = logging.getLogger("trading_api.backtest")


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
    with on_signals(lambda *_: None):  # uvicorn ends in order, and then raises its signal anew
        failure = carry_out(plan, provider)
    if failure is not None:
        log.error("The strategy has failed\n%s", failure)
    if output is None:
        status = "complete" if provider.complete else "aborted"
        print(f"{'Status':18} {status}; the results are kept with --output DIR")
    elif provider.reported:
        tell(output, show=show)
    return 0 if provider.complete and failure is None else 1


def tell(folder: Path, *, show: bool) -> None:
    """Print the headline of the results, and open the report if that is wanted."""
    summary = orjson.loads((folder / SUMMARY).read_bytes())
    for line in headline(summary):
        print(line)
    print(f"{'Report':18} {folder / REPORT}")
    if show:
        open_report(folder)
