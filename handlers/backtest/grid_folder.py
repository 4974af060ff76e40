"""The folder of a grid: the results of each run, and a table of all."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from handlers.backtest.grid import Grid, GridRun, RunOutcome
from providers.backtest.results.performance import LESS_IS_BETTER

GRID_JSON, GRID_CSV = "grid.json", "grid.csv"
_OURS = re.compile(r"\d{4,}-.*|grid\.(json|csv)")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One combination and how it came out."""

    number: int
    folder: str
    parameters: Mapping[str, str]
    status: str
    figures: Mapping[str, Any]
    error: str | None


def check_grid_folder(folder: Path) -> None:
    """Raises ValueError where something stands that is not an earlier grid and would be lost."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: choose another place for the results")
    names = {path.name for path in folder.iterdir()}
    others = sorted(name for name in names if not _OURS.fullmatch(name))
    if others or (names and GRID_JSON not in names):
        lost = (others or sorted(names))[0]
        raise ValueError(f"{folder} holds {lost}, which is not of a grid: choose another folder")


def write_grid(grid: Grid, outcomes: Iterable[tuple[GridRun, RunOutcome]]) -> list[Row]:
    """Write the folder, which appears when all runs are made; the rows in the grid's order."""
    target = grid.output.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as workshop:
        made = Path(workshop, "new")
        made.mkdir()
        rows = sorted((kept(made, *each) for each in outcomes), key=lambda row: row.number)
        (made / GRID_JSON).write_bytes(as_json(grid, rows))
        (made / GRID_CSV).write_text(as_csv(grid, rows), "utf-8", newline="")
        if target.exists():
            target.rename(Path(workshop, "old"))
        made.rename(target)
    return rows


def kept(made: Path, run: GridRun, outcome: RunOutcome) -> Row:
    """Write down the files of a run at once: the whole grid need not fit into memory."""
    folder = folder_name(run)
    (made / folder).mkdir()
    for name, content in outcome.files.items():
        (made / folder / name).write_bytes(content)
    return Row(
        number=run.number,
        folder=folder,
        parameters=run.combination,
        status=outcome.status,
        figures=outcome.figures,
        error=outcome.error,
    )


def folder_name(run: GridRun) -> str:
    """Such as 0001-fast=5-slow=30; what a file system might not take is an underscore."""
    parts = [f"{name}={value}" for name, value in run.combination.items()]
    return re.sub(r"[^A-Za-z0-9_.=+-]", "_", "-".join([f"{run.number:04}", *parts]))[:120]


def ranked(grid: Grid, rows: Iterable[Row]) -> list[Row]:
    """The complete runs that have the figure, the best first; of equals the first in the grid."""
    sign = -1 if grid.rank_by in LESS_IS_BETTER else 1
    values = {row.number: row.figures.get(grid.rank_by) for row in rows}
    able = [row for row in rows if row.status == "complete" and values[row.number] is not None]
    return sorted(able, key=lambda row: -sign * Decimal(str(values[row.number])))


def best_of(grid: Grid, rows: Sequence[Row]) -> Row | None:
    return next(iter(ranked(grid, rows)), None)


def as_json(grid: Grid, rows: Sequence[Row]) -> bytes:
    best = best_of(grid, rows)
    document = {
        "strategy": grid.strategy,
        "grid": {name: list(values) for name, values in grid.axes.items()},
        "set": dict(grid.fixed),
        "rank_by": grid.rank_by,
        "best": best and best.number,
        "runs": [
            {
                "number": row.number,
                "folder": row.folder,
                "parameters": dict(row.parameters),
                "status": row.status,
                "best": row is best,
                "figures": {name: row.figures.get(name) for name in grid.columns},
                "error": row.error,
            }
            for row in rows
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def as_csv(grid: Grid, rows: Sequence[Row]) -> str:
    """A parameter that is named like another column keeps its name: columns stand in this order."""
    best = best_of(grid, rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["number", *grid.axes, "status", "best", *grid.columns, "error", "folder"])
    for row in rows:
        figures = (row.figures.get(name) for name in grid.columns)
        mark = "best" if row is best else ""
        values = [row.number, *row.parameters.values(), row.status, mark, *figures]
        writer.writerow([*values, row.error, row.folder])
    return text.getvalue()
