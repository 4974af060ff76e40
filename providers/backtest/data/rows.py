"""History files read into one table of typed rows, each judged by the rules of its own.

Cells are read as text, and from text into decimals: no price is ever a float. The row id of the
table counts the rows of all files in their order, which DuckDB keeps.
"""

from __future__ import annotations

import gzip
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from providers.backtest.data.checks import (
    NUMBERS,
    PLACES,
    BadData,
    Repair,
    Rule,
    row_rules,
    verdict,
)
from providers.backtest.data.files import DataFile, compact, unreadable
from providers.backtest.data.workshop import UNITS, Workshop


@dataclass(slots=True)
class Rows:
    """What has been read: the files, and at which row id each begins."""

    files: list[DataFile]
    begins: list[int] = field(default_factory=list)

    def locate(self, row: int) -> tuple[str, int]:
        """The file of a row, and its line there (Parquet: its index)."""
        number = bisect_right(self.begins, row) - 1
        file, index = self.files[number], row - self.begins[number]
        return file.path, index if file.parquet else line_of(file, index)

    def bad(
        self, row: int, problem: str, column: str = "time", repairs: tuple[Repair, ...] = ()
    ) -> BadData:
        """The error about a row."""
        file, line = self.locate(row)
        return BadData(problem, file=file, row=line, column=column or None, repairs=repairs)


def line_of(file: DataFile, index: int) -> int:
    """The line of a CSV file at which the record number `index` stands, empty lines counted.

    Of a remote file the records are counted, for it is not read again.
    """
    if not Path(file.path).is_file():
        return index + 2
    opened = gzip.open if file.path.lower().endswith(".gz") else open
    with opened(file.path, "rt", encoding="utf-8-sig", newline="") as text:
        left = index
        for number, line in enumerate(text, start=1):
            if number > 1 and line.strip("\r\n"):
                if not left:
                    return number
                left -= 1
    return index + 2


def read_rows(
    shop: Workshop, files: list[DataFile], symbols: Sequence[str], repairs: frozenset[Repair]
) -> Rows:
    """Fill the table `rows` with the rows of the symbols; those of others stay empty.

    Raises BadData for a file that is no table, and for a row that breaks a rule.
    """
    rules, rows = row_rules(repairs), Rows(files)
    shop.run(_TABLE)
    for number, file in enumerate(files):
        rows.begins.append(shop.run("SELECT count(*) FROM rows")[0][0])
        _read(shop, number, file, symbols, rules)
        if rows.begins[-1] == shop.run("SELECT count(*) FROM rows")[0][0]:
            raise BadData("the file has no rows", file=file.path)
    _check_verdicts(shop, rows, rules, repairs)
    _check_clocks(shop, rows)
    return rows


_TABLE = """
    CREATE TABLE rows (
        file INTEGER, place INTEGER, clock VARCHAR, ahead BIGINT, moment BIGINT,
        open BIGINT, high BIGINT, low BIGINT, close BIGINT, volume HUGEINT, fault VARCHAR
    )
"""

# Layer by layer: the cells as text; what kind of time each row has; its values; its verdict.
_INSERT = """
    INSERT INTO rows
    WITH cells AS (SELECT $cells FROM $source),
    kinds AS (SELECT *, $place AS place, $clock AS clock FROM cells),
    typed AS (
        SELECT *, $numbers, $moment AS moment, $ahead AS ahead, $exact AS exact FROM kinds
    )
    SELECT $file, place, clock, ahead, moment, $units,
           CASE WHEN place IS NOT NULL OR symbol_text IS NULL THEN $verdict END
    FROM typed
"""

_DAY = r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
_TIME = r"[T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?"
_CLOCK = f"""CASE
    WHEN regexp_full_match(time_text, '{_DAY}({_TIME})?') THEN 'naive'
    WHEN regexp_full_match(time_text, '{_DAY}{_TIME} ?(Z|UTC|[+-][0-9]{{2}}(:?[0-9]{{2}})?)')
        THEN 'zoned'
    WHEN regexp_full_match(time_text, '[0-9]{{9,19}}') THEN 'epoch' END"""
# Seconds have 10 digits until 2286; milli-, micro- and nanoseconds 3 more each.
_MOMENT = """CASE clock
    WHEN 'naive' THEN epoch_us(TRY_CAST(time_text AS TIMESTAMP))
    WHEN 'zoned' THEN epoch_us(TRY_CAST(regexp_replace(time_text, ' ?UTC', 'Z') AS TIMESTAMPTZ))
    WHEN 'epoch' THEN CASE
        WHEN length(time_text) <= 11 THEN CAST(time_text AS BIGINT) * 1000000
        WHEN length(time_text) <= 14 THEN CAST(time_text AS BIGINT) * 1000
        WHEN length(time_text) <= 17 THEN CAST(time_text AS BIGINT)
        ELSE TRY_CAST(time_text AS BIGINT) // 1000 END END"""
# A cast to TIMESTAMP leaves the offset out, so the difference is the offset.
_AHEAD = """CASE WHEN clock = 'zoned' THEN
    epoch_us(TRY_CAST(regexp_replace(time_text, ' ?UTC', 'Z') AS TIMESTAMP)) - moment ELSE 0 END"""


def _read(
    shop: Workshop, number: int, file: DataFile, symbols: Sequence[str], rules: list[Rule]
) -> None:
    import duckdb

    wide = {name: 28 if name == "volume" else 18 for name in NUMBERS}
    try:
        shop.run(
            _INSERT,
            [file.path],
            cells=_cells(file),
            source="read_parquet(?)" if file.parquet else _csv_source(file),
            place=_place(file, symbols),
            clock=_CLOCK,
            numbers=", ".join(
                f"TRY_CAST({name}_text AS DECIMAL({width}, {PLACES})) AS {name}"
                for name, width in wide.items()
            ),
            moment=_MOMENT,
            ahead=_AHEAD,
            exact=_exact(file),
            file=number,
            units=", ".join(
                f"CAST(CAST({name} AS DECIMAL(28, {PLACES})) * {UNITS} AS {kind})"
                for name, kind in zip(NUMBERS, [*["BIGINT"] * 4, "HUGEINT"], strict=True)
            ),
            verdict=verdict(rules),
        )
    except duckdb.Error as error:
        raise unreadable(file.path, error) from error


def _cells(file: DataFile) -> str:
    """SQL for the cells of a row as text, NULL for an empty one."""
    roles = ("time", "symbol", *NUMBERS)
    cells = [f"{_cell(file, role)} AS {role}_text" for role in roles]
    surplus = "NULL" if file.parquet else f"c{file.width}"
    return ", ".join([*cells, f"{surplus} AS surplus"])


def _cell(file: DataFile, role: str) -> str:
    if role in file.columns:
        return f"nullif(trim(CAST({_quoted(file.columns[role], chr(34))} AS VARCHAR)), '')"
    return "'0'" if role == "volume" else "''"


def _csv_source(file: DataFile) -> str:
    # One column more than there are, for cells that belong to none.
    columns = ", ".join(f"c{number}: 'VARCHAR'" for number in range(file.width + 1))
    return f"""read_csv(?, auto_detect = false, header = false, skip = 1, null_padding = true,
        delim = {_quoted(file.delimiter)}, quote = '"', escape = '"', columns = {{{columns}}})"""


def _place(file: DataFile, symbols: Sequence[str]) -> str:
    """SQL for the number of the symbol that a row belongs to; NULL for none of ours."""
    if "symbol" not in file.columns:
        return str(file.place)
    known = ", ".join(_quoted(compact(symbol)) for symbol in symbols)
    return f"list_position([{known}], upper(translate(symbol_text, '/_-', ''))) - 1"


def _exact(file: DataFile) -> str:
    """SQL for whether the numbers were decimal in the file."""
    return "false" if file.inexact & set(file.columns.values()) else "true"


def _quoted(text: str, mark: str = "'") -> str:
    """SQL for a text or, in double quotes, a name."""
    return f"{mark}{text.replace(mark, 2 * mark)}{mark}"


def _check_verdicts(
    shop: Workshop, rows: Rows, rules: list[Rule], repairs: frozenset[Repair]
) -> None:
    """Raises BadData for the first row that breaks a rule, unless it is to be left out."""
    forgiven = [str(number) for number, rule in enumerate(rules) if rule.repair in repairs]
    found = shop.run(
        """
        SELECT rowid, fault FROM rows
        WHERE fault IS NOT NULL AND split_part(fault, '|', 1) NOT IN (SELECT unnest(?))
        ORDER BY rowid LIMIT 1
        """,
        [forgiven or ["none"]],
    )
    for row, fault in found:
        number, _, problem = fault.partition("|")
        rule = rules[int(number)]
        raise rows.bad(row, problem, rule.column, (rule.repair,))


def _check_clocks(shop: Workshop, rows: Rows) -> None:
    """Raises BadData where the times of a file are not all of one kind.

    Offsets may differ by an hour, as with summer time.
    """
    found = shop.run(
        """
        WITH firsts AS (
            SELECT file, arg_min(clock, rowid) AS clock, arg_min(ahead, rowid) AS ahead FROM rows
            WHERE place IS NOT NULL AND fault IS NULL GROUP BY file
        )
        SELECT r.rowid, r.clock, f.clock FROM rows r JOIN firsts f USING (file)
        WHERE r.place IS NOT NULL AND r.fault IS NULL
        AND (r.clock <> f.clock OR abs(r.ahead - f.ahead) > 3600000000)
        ORDER BY r.rowid LIMIT 1
        """
    )
    for row, clock, first in found:
        problem = f"the time is {_CLOCKS[clock]}, the first one is {_CLOCKS[first]}"
        if clock == first:
            problem = "the time has another offset than the first one, by more than an hour"
        raise rows.bad(row, problem)


_CLOCKS = {"naive": "without an offset", "zoned": "with an offset", "epoch": "a number"}
