"""The results of backtests for people: the headline of a run, and the folder of a grid."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from handlers.grid import Axes, RunOutcome, RunPlan
from providers.backtest.results.performance import GROUPS

HEADLINE = ("total_return", "sharpe", "max_drawdown", "trades", "final_equity")
"""The figures of a run that come first, of those in its summary.json."""

LESS_IS_BETTER = frozenset(
    {"volatility", "max_drawdown", "max_drawdown_days", "commissions", "peak_leverage"}
)
SHOWN = 20
"""Rows of a table on the screen, at most."""

MEANINGS = {name: meaning for group in GROUPS.values() for name, meaning in group.items()}
GRID_JSON, GRID_CSV = "grid.json", "grid.csv"
_OURS = re.compile(r"\d{4,}-.*|grid\.(json|csv)")


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
class Row:
    """One combination and how it came out."""

    number: int
    folder: str
    parameters: Mapping[str, str]
    status: str
    figures: Mapping[str, Any]
    error: str | None


def shown(name: str, value: Any) -> str:
    """A figure of a summary as one reads it, `-` for one that has no value."""
    if value is None:
        return "-"
    match MEANINGS[name].unit:
        case "percent":
            return f"{value:.2%}"
        case "count":
            return str(value)
        case _:
            return f"{Decimal(str(value)):.2f}"


def headline(summary: Mapping[str, Any]) -> Iterator[str]:
    """A line for each of the first figures of a summary.json."""
    yield f"{'Status':18} {summary['status']}"
    for name in HEADLINE:
        unit = f" {summary['currency']}" if MEANINGS[name].unit == "money" else ""
        yield f"{MEANINGS[name].label:18} {shown(name, summary['figures'][name])}{unit}"


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


def write_grid(grid: Grid, outcomes: Iterable[tuple[RunPlan, RunOutcome]]) -> list[Row]:
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


def kept(made: Path, plan: RunPlan, outcome: RunOutcome) -> Row:
    """Write down the files of a run at once: the whole grid need not fit into memory."""
    folder = folder_name(plan)
    (made / folder).mkdir()
    for name, content in outcome.files.items():
        (made / folder / name).write_bytes(content)
    return Row(
        number=plan.number,
        folder=folder,
        parameters=plan.combination,
        status=outcome.status,
        figures=outcome.figures,
        error=outcome.error,
    )


def folder_name(plan: RunPlan) -> str:
    """Such as 0001-fast=5-slow=30; what a file system might not take is an underscore."""
    parts = [f"{name}={value}" for name, value in plan.combination.items()]
    return re.sub(r"[^A-Za-z0-9_.=+-]", "_", "-".join([f"{plan.number:04}", *parts]))[:120]


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


def table(grid: Grid, rows: Sequence[Row]) -> Iterator[str]:
    """The best runs, and then those without a rank, aligned; as many as fit on a screen."""
    order = ranked(grid, rows)
    order += [row for row in rows if row not in order]
    lines = [["", *grid.axes, "status", *grid.columns]]
    for row in order[:SHOWN]:
        figures = [shown(name, row.figures.get(name)) for name in grid.columns]
        lines.append([str(row.number), *row.parameters.values(), row.status, *figures])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
    if len(rows) > SHOWN:
        yield f"and {len(rows) - SHOWN} more"
