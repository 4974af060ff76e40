"""Tables of a run as Parquet files, made of the JSON files beside them.

Numbers are DECIMAL, exactly: with the 18 places and 20 digits before them that the protocol can
write, or with as many places as the longest number of a column needs. A column with a number that
no DECIMAL holds is text. Moments are in UTC. The same table gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from pydantic import AwareDatetime

from providers.backtest.extras import extra

_DIGITS: Final = 38
_PLACES: Final = 18
_LARGEST: Final = 16 * 1024 * 1024
"""What DuckDB takes for one row of JSON unless it is told."""

_KINDS: Final = {
    AwareDatetime: "TIMESTAMPTZ",
    datetime: "TIMESTAMPTZ",
    bool: "BOOLEAN",
    int: "BIGINT",
}
_CONFIG: Final = {
    "threads": 1,
    "preserve_insertion_order": True,
    "autoinstall_known_extensions": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Entities of one class that stand as rows in a JSON file."""

    source: Path
    model: type
    rows: Sequence[object]
    longest: int
    """Bytes of the longest row."""


def write_parquet(table: Table, target: Path) -> None:
    """The table as a Parquet file. A field that is a tuple becomes a list of structures."""
    types = ", ".join(_columns(table.model, table.rows))
    size = max(_LARGEST, 2 * table.longest)
    query = (
        f"COPY (SELECT * FROM read_json({_quoted(str(table.source))}, format = 'array', "  # noqa: S608
        f"columns = {{{types}}}, maximum_object_size = {size})) "
        f"TO {_quoted(str(target))} (FORMAT parquet, COMPRESSION zstd)"
    )
    with extra("duckdb").connect(":memory:", config=_CONFIG) as database:
        database.execute(query)


def _columns(model: type, rows: Sequence[object]) -> Iterable[str]:
    for name, hint in get_type_hints(model).items():
        if not name.startswith("model_"):
            yield f'"{name}": {_quoted(_type(name, hint, rows))}'


def _type(name: str, hint: Any, rows: Sequence[object]) -> str:
    kinds = get_args(hint) or (hint,)
    if Decimal in kinds:
        return _decimal(getattr(row, name) for row in rows)
    if Ellipsis in kinds:
        inner = [each for row in rows for each in getattr(row, name)]
        members = (f'"{one}" {_type(one, of, inner)}' for one, of in _hints(kinds[0]))
        return f"STRUCT({', '.join(members)})[]"
    return next((_KINDS[kind] for kind in kinds if kind in _KINDS), "VARCHAR")


def _hints(model: type) -> Iterable[tuple[str, Any]]:
    return get_type_hints(model).items()


def _decimal(values: Iterable[Decimal | None]) -> str:
    """DECIMAL(38,18), or one of as many places as these numbers need to be exact."""
    whole = places = 0
    for value in values:
        if value is not None:
            whole = max(whole, value.adjusted() + 1)
            places = max(places, -int(value.as_tuple().exponent))
    if whole + places > _DIGITS:
        return "VARCHAR"
    return f"DECIMAL({_DIGITS},{max(places, min(_PLACES, _DIGITS - whole))})"


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
