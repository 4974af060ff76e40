"""`trading-api backtest --grid`: a run for each combination."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from handlers.backtest.grid import Grid, combinations
from handlers.backtest.grid_folder import Row, best_of
from handlers.backtest.screen import table
from tests.handlers.tiny_runs import COMMAND, backtest, content, prepare


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return prepare(tmp_path)


def test_the_order_of_a_grid() -> None:
    """The product in the order given, the last parameter fastest."""
    assert combinations({"b": ["2", "10"], "a": ["x", "y"]}) == [
        {"b": "2", "a": "x"},
        {"b": "2", "a": "y"},
        {"b": "10", "a": "x"},
        {"b": "10", "a": "y"},
    ]


def test_as_many_jobs_as_you_like(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same bytes, whatever --jobs; one that fails is a row; the best is marked and first."""
    grid = [*options, "--grid", "leave=x,8", "--grid", "enter=2"]
    assert backtest(*grid, "--jobs", "1", "--output", "one") == 1
    assert capfd.readouterr().err.count("Traceback") == 1
    assert backtest(*grid, "--jobs", "2", "--output", "two", "--rank-by", "sharpe") == 1
    assert content(tmp_path / "one") == content(tmp_path / "two")

    with (tmp_path / "one" / "grid.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["folder"] for row in rows] == ["0001-leave=x-enter=2", "0002-leave=8-enter=2"]
    assert [row["status"] for row in rows] == ["failed", "complete"]
    assert [row["best"] for row in rows] == ["", "best"]
    assert rows[0]["error"].startswith("ValueError: invalid literal")
    summary = json.loads((tmp_path / "one" / rows[1]["folder"] / "summary.json").read_text())
    assert rows[1]["sharpe"] == str(summary["figures"]["sharpe"])
    grid_json = json.loads((tmp_path / "one" / "grid.json").read_text())
    run = grid_json["runs"][1]
    assert run["figures"]["final_equity"] == summary["figures"]["final_equity"]
    assert run["parameters"] == {"leave": "8", "enter": "2"}
    assert (grid_json["best"], grid_json["rank_by"]) == (2, "sharpe")

    heading, first, *_ = capfd.readouterr().out.splitlines()
    assert heading.split()[:3] == ["leave", "enter", "status"]
    assert first.split()[:4] == ["2", "8", "2", "complete"]


def test_runs_that_fail_leave_the_others_alone(options: list[str], tmp_path: Path) -> None:
    """The process of one dies, the next one raises in the middle of its run."""
    assert backtest(*options, "--grid", "do=die,raise", "--jobs", "1", "--output", "grid") == 1
    runs = json.loads((tmp_path / "grid" / "grid.json").read_text())
    assert [run["status"] for run in runs["runs"]] == ["failed", "failed"]
    died, raised = (run["error"] for run in runs["runs"])
    assert died == "RuntimeError: its process ended with exit code 7"
    assert raised.startswith("HTTPStatusError: Client error '404 Not Found'")
    assert "http://127.0.0.1/orders/unknown" in raised  # without the port, which is by chance
    assert runs["best"] is None


def row_of(number: int, figures: dict[str, object], status: str = "complete") -> Row:
    return Row(number=number, folder="x", parameters={}, status=status, figures=figures, error=None)


@pytest.mark.parametrize(
    ("rank_by", "values", "best"),
    [
        ("sharpe", [0.5, 1.5, 1.5, None], 2),
        ("final_equity", ["999.5", "1000", "-5", None], 2),
        ("max_drawdown", [0.3, 0.1, 0.2, None], 2),
        ("sharpe", [None], None),
    ],
)
def test_the_best(rank_by: str, values: list[object], best: int | None) -> None:
    """By the figure, less of a risk being better; only complete runs count, of equals the first."""
    grid = Grid(strategy="x", axes={}, fixed={}, rank_by=rank_by, output=Path())
    rows = [row_of(number, {rank_by: value}) for number, value in enumerate(values, start=1)]
    rows.append(row_of(9, {rank_by: 0 if rank_by == "max_drawdown" else 2000}, "aborted"))
    found = best_of(grid, rows)
    assert (found and found.number) == best


def test_a_long_table_is_cut() -> None:
    """What does not fit on a screen is only counted."""
    grid = Grid(strategy="x", axes={}, fixed={}, rank_by="sharpe", output=Path())
    lines = list(table(grid, [row_of(number, {"sharpe": number}) for number in range(1, 31)]))
    assert len(lines) == 22
    assert lines[1].split()[0] == "30"
    assert lines[-1] == "and 10 more"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--grid", "leave"], "--grid must be NAME=VALUE"),
        (["--grid", "leave=5,,6"], "--grid must be NAME=VALUE,VALUE, each value once"),
        (["--grid", "leave=5,5"], "--grid must be NAME=VALUE,VALUE, each value once"),
        (["--grid", "leave=5", "--grid", "leave=6"], "--grid must be NAME=VALUE, each name once"),
        (["--grid", "leave=5", "--set", "leave=6"], "leave is given by --grid and by --set"),
        (["--grid", "speed=5"], "cannot use the strategy tiny:Tiny: got an unexpected keyword"),
        (["--grid", "leave=5", "--rank-by", "luck"], "--rank-by must be one of final_equity, "),
        (["--grid", "leave=5", "--jobs", "0"], "--jobs must be at least 1"),
        (["--grid", "leave=5", "--output", "."], ". holds AAPL.csv, which is not of a grid"),
        (["--grid", "leave=5", "--symbols", "MSFT+IBM"], ""),
    ],
)
def test_what_cannot_begin_is_explained_in_a_line(
    options: list[str],
    arguments: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """No traceback, exit code 2, nothing written."""
    assert backtest(*options, "--output", "grid", *arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"trading-api: {complaint}")
    assert not (tmp_path / "grid").exists()


def test_a_grid_needs_a_strategy_and_a_place(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest(*options, "--grid", "leave=5") == 2
    assert "--grid needs --strategy and --output" in capsys.readouterr().err


def test_a_grid_that_is_broken_off(options: list[str], tmp_path: Path) -> None:
    """SIGTERM ends the processes of the runs too, and nothing is written."""
    arguments = [*options, "--grid", "leave=5,6", "--jobs", "1", "--output", "grid"]
    environment = {**os.environ, "TINY_MARKS": str(tmp_path), "TINY_HANGS": "yes"}
    strategy = (tmp_path / "tiny.py").read_text()
    (tmp_path / "tiny.py").write_text(strategy.replace("mark(marks).exists()", "True"))
    with subprocess.Popen(
        [*COMMAND, *arguments], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            run = hung(tmp_path)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (1, "Broken off: nothing is written\n")
    assert not (tmp_path / "grid").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(run, 0)


def hung(folder: Path) -> int:
    """The process of a run that has begun and hangs."""
    limit = time.monotonic() + 60
    while not (found := list(folder.glob("*.hangs"))):
        assert time.monotonic() < limit
        time.sleep(0.05)
    return int(found[0].stem)
