"""History files for tests, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from providers.backtest.data.checks import BadData
from providers.backtest.data.duck_history import DuckHistory, open_files
from providers.models import Bar, Timeframe

HEADER = "timestamp,open,high,low,close,volume\n"
GOOD = "{},10,12,9,11,100\n"
DAYS = [f"2024-01-{day:02}" for day in range(1, 11)]
HOURS = [f"2024-01-02 {hour:02}:00" for hour in range(24)]
SEVERAL = ["AAPL", "MSFT"]


def rows(*times: str) -> str:
    """A sound file with a bar at each of some times."""
    return HEADER + "".join(GOOD.format(each) for each in times)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@contextmanager
def history(
    path: Path | str,
    symbols: list[str] | None = None,
    timeframe: Timeframe = Timeframe.D1,
    **options: Any,
) -> Iterator[DuckHistory]:
    with closing(open_files(path, symbols or ["AAPL"], timeframe, **options)) as opened:
        yield opened


Write = Callable[..., Path]


def bars_of(path: Path | str, symbols: list[str] | None = None, **options: Any) -> list[Bar]:
    with history(path, symbols, **options) as opened:
        return list(opened.replay())


def times_of(*arguments: Any, **options: Any) -> list[str]:
    return [f"{bar.timestamp:%Y-%m-%d %H:%M}" for bar in bars_of(*arguments, **options)]


def refusal(path: Path | str, symbols: list[str] | None = None, **options: Any) -> BadData:
    with pytest.raises(BadData) as caught, history(path, symbols, **options):
        pass
    return caught.value


def to_parquet(source: Path, types: str = "*") -> Path:
    target = source.with_suffix(".parquet")
    with duckdb.connect() as connection:
        table = connection.read_csv(str(source), all_varchar=True)
        table.project(types).write_parquet(str(target))
    return target


TYPED = (
    "timestamp::TIMESTAMP AS timestamp, open::DOUBLE AS open, high::FLOAT AS high,"
    " low::DECIMAL(9, 3) AS low, close, volume::BIGINT AS volume"
)
