"""A run on disk: a folder with its figures, its tables as JSON and Parquet, and its report.

The same record gives the same bytes in every file, with the same versions of the libraries. The
folder appears when it is complete and never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson
from pydantic import BaseModel

from providers.backtest.extras import require
from providers.backtest.results.parquet import Table, write_parquet
from providers.backtest.results.performance import Summary, Undefined, summarize
from providers.backtest.results.record import EquityPoint, RunRecord
from providers.backtest.results.round_trips import RoundTrip, round_trips
from providers.backtest.results.tearsheet import tear_sheet
from providers.exchange.documents import encode
from providers.models import Order, Trade

SUMMARY: Final = "summary.json"
REPORT: Final = "report.html"
_TABLES: Final = ("orders", "trades", "equity", "round_trips")
_OURS: Final = frozenset(
    {SUMMARY, REPORT, *(f"{name}.{kind}" for name in _TABLES for kind in ("json", "parquet"))}
)


def write_results(folder: Path, record: RunRecord) -> Summary:
    """Write the folder, in the place of one that an earlier run has left.

    Raises ValueError as `check_folder` does, and MissingExtra without the extra `backtest`.
    """
    check_folder(folder)
    trips = round_trips(record)
    summary = summarize(record, trips)
    target = folder.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as workshop:
        made = Path(workshop, "new")
        made.mkdir()
        _write(made, summary, trips)
        _put(made, target, Path(workshop, "old"))
    return summary


def check_folder(folder: Path) -> None:
    """Whether results can be written here, best asked before a long run.

    Raises ValueError where something else stands that would be lost, and MissingExtra.
    """
    require("duckdb", "empyrical", "jinja2")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: choose another place for the results")
    names = {path.name for path in folder.iterdir()}
    if names and SUMMARY not in names:
        raise ValueError(f"{folder} holds no earlier run, so it is not replaced: choose another")
    if others := sorted(names - _OURS):
        raise ValueError(
            f"{folder} holds {others[0]}, which is not of a run and would be lost: move it away"
        )


def _put(made: Path, target: Path, old: Path) -> None:
    """Move the new folder to its place, and the one there out of the way."""
    if not target.exists():
        made.rename(target)
        return
    target.rename(old)
    try:
        made.rename(target)
    except OSError:
        old.rename(target)
        raise


def _write(folder: Path, summary: Summary, trips: Sequence[RoundTrip]) -> None:
    record = summary.record
    _write_table(folder, "orders", Order, record.orders)
    _write_table(folder, "trades", Trade, record.trades)
    _write_table(folder, "equity", EquityPoint, record.equity)
    _write_table(folder, "round_trips", RoundTrip, trips)
    text = orjson.dumps(document(summary), default=_plain, option=_STYLE)
    (folder / SUMMARY).write_bytes(text)
    (folder / REPORT).write_text(tear_sheet(summary, trips), "utf-8", newline="\n")


def _write_table(folder: Path, name: str, model: type, rows: Sequence[object]) -> None:
    """The rows as a JSON array, a line each, and from that as Parquet."""
    source, longest = folder / f"{name}.json", 0
    with source.open("wb") as file:
        for number, row in enumerate(rows):
            line = _line(row)
            longest = max(longest, len(line))
            file.write((b",\n" if number else b"[\n") + line)
        file.write(b"\n]\n" if rows else b"[]\n")
    table = Table(source=source, model=model, rows=rows, longest=longest)
    write_parquet(table, folder / f"{name}.parquet")


_STYLE: Final = orjson.OPT_UTC_Z | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def _line(row: object) -> bytes:
    if isinstance(row, BaseModel):
        return encode(row).encode()
    return orjson.dumps(row, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no place in the results")


def document(summary: Summary) -> dict[str, Any]:
    """What summary.json holds: money as text, other figures as numbers, null with a reason."""
    record = summary.record
    figures = {name: figure.value for name, figure in summary.figures.items()}
    missing = {name: one.reason for name, one in figures.items() if isinstance(one, Undefined)}
    return {
        "status": record.status,
        "timeframe": record.timeframe,
        "started": record.started,
        "ended": record.ended,
        "symbols": list(record.bars),
        "currency": record.currency,
        "initial_balance": record.initial_balance,
        "periods_per_year": summary.calendar.periods_per_year,
        "returns": summary.calendar.basis,
        "figures": {name: None if name in missing else one for name, one in figures.items()},
        "undefined": missing,
        "warnings": list(summary.warnings),
        "settings": dict(record.settings),
    }
