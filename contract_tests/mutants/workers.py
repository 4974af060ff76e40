"""Processes that each have servers of their own and judge mutants."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from contract_tests.mutants.catalogue import mutants
from contract_tests.mutants.matrix import Row, control, judge
from contract_tests.mutants.mutant import Mutant
from contract_tests.mutants.stage import Stage
from contract_tests.mutants.stock import Stock
from contract_tests.spec import requirements
from contract_tests.toolkit import expect

STREAM_AREA: Final = "WS-"
"""How the ids of asyncapi.yaml begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long checks wait, and which mutants the stock Schemathesis is let loose on."""

    patience: float
    stock: str = "none"
    examples: int = 1

    def meets_stock(self, mutant: Mutant) -> bool:
        """Whether it is let loose on a mutant; it speaks no WebSocket."""
        if self.stock == "none" or mutant.breaks.startswith(STREAM_AREA):
            return False
        if self.stock == "must" and requirements()[mutant.breaks].level != "MUST":
            return False
        first = next(one for one in mutants() if one.breaks == mutant.breaks)
        return self.stock == "all" or mutant is first


class Worker:
    """What a process keeps between two mutants."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._directory = tempfile.TemporaryDirectory(prefix="mutants-")
        self.stage = Stage(Path(self._directory.name))
        self._stock = Stock(self.stage, Path(self._directory.name), plan.examples)
        expect.PATIENCE.seconds = plan.patience

    def judge(self, mutant: Mutant) -> Row:
        """The row of a mutant."""
        row = judge(mutant, self.stage)
        if self._plan.meets_stock(mutant):
            row.stock = self._stock.notices(mutant)
        return row

    def close(self) -> None:
        """Stop all servers."""
        self.stage.close()
        self._directory.cleanup()


_WORKER: Final[list[Worker]] = []
"""The one of this process."""


def _begin(plan: Plan) -> None:
    worker = Worker(plan)
    _WORKER.append(worker)
    Finalize(None, worker.close, exitpriority=10)


def _judge(name: str) -> Row:
    return _WORKER[0].judge(next(one for one in mutants() if one.name == name))


def _control(requirements: list[str]) -> int:
    return len(list(control(requirements, _WORKER[0].stage)))


class Workers:
    """As many processes as there are jobs."""

    def __init__(self, plan: Plan, jobs: int) -> None:
        self._jobs = jobs
        self._pool = ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(plan,),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def control(self, chosen: Iterable[Mutant]) -> int:
        """The number of checks that pass; raises ControlFailed for one that does not."""
        wanted = list(dict.fromkeys(mutant.breaks for mutant in chosen))
        shares = [wanted[job :: self._jobs] for job in range(self._jobs)]
        return sum(self._pool.map(_control, shares))

    def judge(self, chosen: Sequence[Mutant]) -> Iterator[Row]:
        """The rows, in the order in which they are done."""
        tasks = [self._pool.submit(_judge, mutant.name) for mutant in chosen]
        for task in as_completed(tasks):
            yield task.result()
