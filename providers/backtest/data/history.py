"""The history that a backtest names: the user's own files, or the one of the package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from providers.backtest.data.checks import BadData, Repair
from providers.backtest.data.duck_history import open_files
from providers.backtest.data.shipped import shipped
from providers.backtest.source import BarSource
from providers.models import AssetClass, Timeframe

SHIPPED = "shipped"
"""In place of a path: the history that comes with the package, which needs no DuckDB."""


def open_history(
    path: str | Path,
    symbols: Sequence[str],
    timeframe: Timeframe,
    start: datetime | None = None,
    end: datetime | None = None,
    repairs: Iterable[str] = (),
    asset_class: AssetClass | None = None,
) -> BarSource:
    """The bars of `symbols`, checked, in order, and of `timeframe`.

    `path` is a CSV file (`.gz` too) or a Parquet file, a folder of them, a pattern, s3://..., or
    `shipped`. Bars that open from `start` to `end` are the run; earlier ones can be asked for.
    `repairs` are names of `Repair`. `asset_class` is that of symbols which are not listed; without
    it their shape decides.

    Raises BadData for the first thing that is wrong and that `repairs` do not name, ValueError for
    an unknown repair, and MissingExtra for files without DuckDB.
    """
    if not symbols:
        raise BadData("no symbols are named")
    if str(path) == SHIPPED:
        return shipped(symbols, timeframe, start, end)
    chosen = [Repair(name) for name in repairs]
    return open_files(path, symbols, timeframe, start, end, chosen, asset_class)
