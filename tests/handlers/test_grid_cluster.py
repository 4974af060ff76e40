"""`trading-api backtest --grid --cluster`: the runs on a real Dask cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.handlers.tiny_runs import COMMAND, backtest, content, prepare

GRID = ("--grid", "enter=1,2", "--grid", "leave=5,8")


def until(done: Callable[[], bool]) -> None:
    limit = time.monotonic() + 120
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.05)


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended with the test."""
    with subprocess.Popen(
        arguments,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_worker_dies_in_the_middle(tmp_path: Path) -> None:
    """Its runs are made again by another worker, and the results are those of --jobs 1.

    What it had begun lies in its own folder, which Dask empties, and not among all temporary files.
    """
    grid = [*prepare(tmp_path), *GRID]
    assert backtest(*grid, "--jobs", "1", "--output", "here") == 0
    marks = tmp_path / "marks"
    marks.mkdir()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with ExitStack() as stack:
        address = stack.enter_context(scheduler(tmp_path))
        stack.enter_context(worker(address, tmp_path / "sound", TINY_MARKS=str(marks)))
        doomed = stack.enter_context(
            worker(
                address,
                tmp_path / "doomed",
                TINY_MARKS=str(marks),
                TINY_HANGS="yes",
                TMPDIR=str(temporary),
            )
        )
        command = [*COMMAND, *grid, "--cluster", address, "--output", "there"]
        running = stack.enter_context(process(*command))
        # It has finished one run, and is in the middle of the next.
        hangs = marks / f"{doomed.pid}.hangs"
        until(lambda: hangs.exists() or running.poll() is not None)
        doomed.kill()
        out, _ = running.communicate(timeout=180)
    assert running.returncode == 0, out
    assert content(tmp_path / "here") == content(tmp_path / "there")
    assert [] == list(temporary.glob("trading-api-*"))


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """The address of a scheduler on a port of its own."""
    file = folder / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    module = ("-m", "distributed.cli.dask_scheduler")
    with process(sys.executable, *module, *options, "--scheduler-file", str(file)):
        until(lambda: file.exists() and file.stat().st_size > 0)
        yield json.loads(file.read_text())["address"]


@contextmanager
def worker(address: str, folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A worker that is ready; its folder does not hold the strategy."""
    folder.mkdir()
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    module = ("-m", "distributed.cli.dask_worker", address)
    place = ("--local-directory", str(folder))
    with process(sys.executable, *module, *options, *place, **environment) as started:
        assert started.stdout is not None
        assert any("Registered to" in line for line in started.stdout)
        yield started


def test_a_cluster_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Told in a line; exit status 2."""
    options = [*prepare(tmp_path), *GRID, "--output", "grid"]
    assert backtest(*options, "--cluster", "nonsense://127.0.0.1:1") == 2
    assert "no Dask scheduler answers at nonsense://127.0.0.1:1" in capsys.readouterr().err


def test_a_cluster_needs_its_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The complaint says what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    options = [*prepare(tmp_path), *GRID, "--output", "grid"]
    assert backtest(*options, "--cluster", "tcp://127.0.0.1:1") == 2
    assert "pip install 'trading-api[cluster]'" in capsys.readouterr().err
