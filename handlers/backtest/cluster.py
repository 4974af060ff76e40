"""A grid on a Dask cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from handlers.backtest.grid import GridRun, Outcomes, RunOutcome, failed, run_one
from handlers.backtest.strategy import load_class
from providers.backtest.extras import extra

RETRIES = 2
"""How often a run on a cluster is tried again after an error that is not the strategy's."""


class Cluster:
    """A Dask cluster that exists. Raises ValueError where no scheduler answers, and MissingExtra.

    Its workers need this package, and what the strategy imports from modules other than its own.
    """

    def __init__(self, address: str) -> None:
        self._distributed: Any = extra("distributed", "runs on a cluster", "cluster")
        try:
            self._client = self._distributed.Client(address, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"no Dask scheduler answers at {address}: {error}") from error

    def __call__(self, runs: Sequence[GridRun]) -> Outcomes:
        """The outcomes as they come; the runs of a worker that dies are done again elsewhere."""
        code = self._code(runs[0])
        with self._client as client:
            futures = {
                client.submit(
                    run_on_worker, replace(run, code=code), pure=False, retries=RETRIES
                ): run
                for run in runs
            }
            for future in self._distributed.as_completed(list(futures), loop=client.loop):
                lost = future.exception()
                yield futures.pop(future), failed(lost) if lost else future.result()

    def _code(self, run: GridRun) -> bytes:
        """The strategy's class, with its module: workers would keep an earlier version of that."""
        cloudpickle = import_module("cloudpickle")
        found = load_class(run.strategy, run.parameters)
        module = sys.modules[found.__module__]
        cloudpickle.register_pickle_by_value(module)
        try:
            code: bytes = cloudpickle.dumps(found)
        finally:
            cloudpickle.unregister_pickle_by_value(module)
        return code


def run_on_worker(run: GridRun) -> RunOutcome:
    """Carry out a run in the folder of the worker, which Dask empties if the worker was killed."""
    worker = import_module("distributed").get_worker()
    return run_one(run, Path(worker.local_directory))
