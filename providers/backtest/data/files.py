"""Which files a history is made of, what their columns are called, and whose bars they hold."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from providers.backtest.data.checks import NUMBERS, BadData, Repair, is_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ALIASES = {
    "time": ("timestamp", "datetime", "date", "time", "opentime", "start"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "symbol": ("symbol", "ticker"),
}
"""What the columns may be called, apart from case, blanks, `_`, `<` and `>`."""

_DATA = re.compile(r"\.(csv|parquet|pq)(\.gz)?$", re.IGNORECASE)
_REMOTE = re.compile(r"^[a-z0-9]+://")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file and how to read it.

    `columns` are the names of the columns by what they hold; in a CSV file, of `width` columns,
    they are called c0, c1 and so on. Without a column of symbols all rows belong to the symbol
    number `place`.
    """

    path: str
    width: int
    columns: Mapping[str, str]
    inexact: frozenset[str]
    delimiter: str = ","
    place: int | None = None

    @property
    def parquet(self) -> bool:
        return is_parquet(self.path)


def find_files(connection: DuckDBPyConnection, path: str) -> list[str]:
    """The data files that a path names: itself, all in a folder, or those that match a pattern.

    Raises BadData where there is none.
    """
    if _REMOTE.match(path):
        found = _remote_files(connection, path)
    elif Path(path).is_dir():
        found = [str(each) for each in Path(path).iterdir() if _DATA.search(each.name)]
    elif Path(path).is_file():
        found = [path]
    else:
        # Unlike this, Path.glob knows no absolute patterns.
        matches = glob(path, recursive=True)  # noqa: PTH207
        found = [each for each in matches if Path(each).is_file()]
    if not found:
        raise BadData("there is no such file, and no CSV or Parquet file there", file=path)
    return sorted(found)


def _remote_files(connection: DuckDBPyConnection, path: str) -> list[str]:
    import duckdb

    try:
        connection.execute("LOAD httpfs")
        return [row[0] for row in connection.execute("SELECT file FROM glob(?)", [path]).fetchall()]
    except duckdb.Error as error:
        raise BadData(
            "remote files need DuckDB's extension httpfs, once installed with "
            f"duckdb.connect().install_extension('httpfs'): {_first_line(error)}",
            file=path,
        ) from error


def unreadable(path: str, error: Exception) -> BadData:
    """The error about a file that DuckDB does not understand, with the line where it says so."""
    reasons = {"utf-8": "it is not UTF-8", "quoted new line": "a cell goes over several lines"}
    text, line = str(error), re.search(r"Line: (\d+)", str(error))
    reason = next((words for sign, words in reasons.items() if sign in text), _first_line(error))
    row = int(line[1]) if line else None
    return BadData(f"the file cannot be read: {reason}", file=path, row=row)


def _first_line(error: Exception) -> str:
    """What DuckDB says first; the rest are hints about options that our users do not have."""
    return str(error).partition("\n")[0]


def describe(
    connection: DuckDBPyConnection, paths: Sequence[str], symbols: Sequence[str], volumes: bool
) -> list[DataFile]:
    """The files among `paths` that hold, or may hold, one of the symbols.

    `volumes`: whether a file must have a column of volumes. Raises BadData where a column is
    missing, or where it cannot be told whose bars a file holds.
    """
    places = {path: place_of(path, symbols) for path in paths}
    if len(paths) == len(symbols) == 1:
        places = {paths[0]: 0}
    found = []
    for path in paths:
        header, delimiter, inexact = _header(connection, path)
        names = _roles(path, header)
        place = None if "symbol" in names else places[path]
        if place is None and "symbol" not in names:
            continue
        _check_columns(path, names, volumes)
        if not is_parquet(path):
            names = {role: f"c{header.index(name)}" for role, name in names.items()}
        found.append(DataFile(path, len(header), names, inexact, delimiter, place))
    if not found:
        raise BadData(_unknown(symbols, paths))
    return found


def place_of(path: str, symbols: Sequence[str]) -> int | None:
    """Which of the symbols a file is named after: EUR_USD.csv, eurusd.csv.gz, EURUSD-2024-01.csv.

    After the symbol may come a separator and what begins with a digit. None for no symbol.
    """
    stem = _DATA.sub("", Path(path).name)
    found = [
        (len(compact(symbol)), -place)
        for place, symbol in enumerate(symbols)
        if re.fullmatch(_loose(symbol) + r"([-_. ]\d.*)?", stem, re.IGNORECASE)
    ]
    return -max(found)[1] if found else None


def compact(symbol: str) -> str:
    """A symbol as it is compared: EURUSD for EUR/USD, eur_usd and EUR-USD."""
    return re.sub(r"[/_-]", "", symbol).upper()


def _loose(symbol: str) -> str:
    return "[_-]?".join(re.escape(letter) for letter in compact(symbol))


def _unknown(symbols: Sequence[str], paths: Sequence[str]) -> str:
    names = ", ".join(Path(path).name for path in islice(paths, 10))
    return (
        f"no file has a column of symbols or is named after {' or '.join(symbols)}: "
        f"there are {names}{', ...' if len(paths) > 10 else ''}"
    )


def _header(
    connection: DuckDBPyConnection, path: str
) -> tuple[tuple[str, ...], str, frozenset[str]]:
    """The column names, the delimiter, and which columns are binary fractions."""
    import duckdb

    try:
        if is_parquet(path):
            described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path])
            types = {row[0]: row[1] for row in described.fetchall()}
            inexact = frozenset(name for name, kind in types.items() if kind in _BINARY)
            return tuple(types), ",", inexact
        line = connection.execute(_FIRST_LINE, [path]).fetchone()
    except duckdb.Error as error:
        raise unreadable(path, error) from error
    if line is None:
        raise BadData("the file is empty", file=path)
    delimiter = max(",;\t|", key=line[0].count)
    return tuple(next(csv.reader([line[0]], delimiter=delimiter))), delimiter, frozenset()


_BINARY = frozenset({"DOUBLE", "FLOAT"})
_FIRST_LINE = """
    SELECT * FROM read_csv(?, auto_detect = false, header = false, delim = chr(1), quote = '',
                           escape = '', columns = {'line': 'VARCHAR'}) LIMIT 1
"""


def _roles(path: str, header: Iterable[str]) -> dict[str, str]:
    """The names of the columns by what they hold. Raises BadData for two of a kind."""
    found: dict[str, str] = {}
    for name in header:
        plain = re.sub(r"[\s_<>]", "", name).lower()
        for role in (role for role, aliases in ALIASES.items() if plain in aliases):
            if role in found:
                raise BadData(f"the columns {found[role]} and {name} both say {role}", file=path)
            found[role] = name
    return found


def _check_columns(path: str, names: Mapping[str, str], volumes: bool) -> None:
    for role in ("time", *NUMBERS):
        if role not in names and (role != "volume" or volumes):
            raise BadData(
                f"there is no such column ({', '.join(ALIASES[role])})",
                file=path,
                column=role,
                repairs=(Repair.NO_VOLUME,) if role == "volume" else (),
            )
