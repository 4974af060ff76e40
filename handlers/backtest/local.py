"""A grid in processes of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from handlers import logs
from handlers.backtest.child import Child, ChildDied
from handlers.backtest.grid import GridRun, Outcomes, RunOutcome, failed, run_one


@dataclass(frozen=True)
class Running:
    """A run in a process of its own. What lies in `scratch` goes with it, however it ends."""

    run: GridRun
    child: Child
    scratch: TemporaryDirectory[str]

    def outcome(self) -> RunOutcome:
        """What the process has sent, or that it died without a word."""
        try:
            outcome: RunOutcome = self.child.answer()
        except ChildDied as died:
            return failed(RuntimeError(str(died)))
        return outcome

    def end(self) -> None:
        self.child.end()
        self.scratch.cleanup()


def locally(runs: Sequence[GridRun], jobs: int) -> Outcomes:
    """Each run in a process of its own, `jobs` at a time, as they are finished.

    Not through a ProcessPoolExecutor: there, one process that dies takes all other runs with it.
    """
    waiting = iter(runs)
    running: dict[Any, Running] = {}
    try:
        while True:
            for run in islice(waiting, jobs - len(running)):
                begun = begin(run)
                running[begun.child.pipe] = begun
            if not running:
                return
            for ready in wait(list(running)):
                outcome = running[ready].outcome()
                done = running.pop(ready)
                done.end()
                yield done.run, outcome
    finally:
        for each in running.values():
            each.child.terminate()
        for each in running.values():
            each.end()


def begin(run: GridRun) -> Running:
    scratch = TemporaryDirectory(prefix="trading-api-", ignore_cleanup_errors=True)
    child = Child(f"run {run.number}", send_outcome, run, Path(scratch.name))
    return Running(run, child, scratch)


def send_outcome(pipe: Connection, run: GridRun, scratch: Path) -> None:
    """What such a process does."""
    logs.configure(run.server.log_level, run.server.log_format)
    outcome = run_one(run, scratch)
    with suppress(BrokenPipeError):
        pipe.send(outcome)
