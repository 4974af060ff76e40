"""The results of runs as one reads them on a terminal."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from handlers.backtest.grid import HEADLINE, Grid
from handlers.backtest.grid_folder import Row, ranked
from providers.backtest.results.performance import MEANINGS
from providers.backtest.results.writing import REPORT

SHOWN = 20
"""Rows of a table on the screen, at most."""


def headline(summary: Mapping[str, Any]) -> Iterator[str]:
    """A line for each of the first figures of a summary.json."""
    yield f"{'Status':18} {summary['status']}"
    for name in HEADLINE:
        unit = f" {summary['currency']}" if MEANINGS[name].unit == "money" else ""
        yield f"{MEANINGS[name].label:18} {shown(name, summary['figures'][name])}{unit}"


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


def open_report(folder: Path) -> None:
    webbrowser.open((folder / REPORT).resolve().as_uri())
