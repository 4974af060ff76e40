"""What may be wrong with a history file, what may be done about it, and the rules for single rows.

The rules are SQL over the cells of a row, so that a file of any size is judged by DuckDB; each
gives the number of the rule and a sentence about the cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

PLACES = 8
"""Prices and volumes have at most this many decimals."""

NUMBERS = ("open", "high", "low", "close", "volume")
PRICES = NUMBERS[:4]


class Repair(StrEnum):
    """What to do about bad data instead of refusing it; nothing is repaired unasked.

    sort: put rows in order of time. drop_duplicates: of the rows of one symbol and moment keep the
    first in the file. drop_bad: leave out rows that break a rule of their own (an empty or
    unreadable cell, a price that is not above zero, high below low, a time off the grid).
    fill_gaps: put flat bars at the previous close, with volume 0, where bars are missing.
    allow_gaps: go on without them. round: round to 8 decimals, half away from zero. no_volume: the
    file has no column of volumes; they count as 0.
    """

    SORT = "sort"
    DROP_DUPLICATES = "drop_duplicates"
    DROP_BAD = "drop_bad"
    FILL_GAPS = "fill_gaps"
    ALLOW_GAPS = "allow_gaps"
    ROUND = "round"
    NO_VOLUME = "no_volume"


class BadData(ValueError):
    """A history that cannot be replayed as it is.

    `row` is the line in a CSV file, whose header is line 1, and the index of the row, from 0, in a
    Parquet file. `repairs` are those that would get past it.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
        repairs: tuple[Repair, ...] = (),
    ) -> None:
        self.problem, self.file, self.row = problem, file, row
        self.column, self.repairs = column, repairs
        super().__init__("".join(self._parts()))

    def _parts(self) -> Iterator[str]:
        where = [self.file] if self.file else []
        if self.row is not None:
            parquet = self.file is not None and is_parquet(self.file)
            where.append(f"{'row' if parquet else 'line'} {self.row}")
        if self.column:
            where.append(f"column {self.column}")
        if where:
            yield f"{', '.join(where)}: "
        yield self.problem
        if self.repairs:
            yield f" (repair: {' or '.join(self.repairs)})"


def is_parquet(name: str) -> bool:
    """Whether a file is Parquet, by its name; all others are CSV."""
    return name.lower().endswith((".parquet", ".pq"))


@dataclass(frozen=True, slots=True)
class Rule:
    """A row is bad where `condition` holds; `problem` is the sentence about it, both in SQL."""

    column: str
    condition: str
    problem: str
    repair: Repair = Repair.DROP_BAD


def row_rules(repairs: frozenset[Repair]) -> list[Rule]:
    """The rules that rows are judged by, the first one broken counts.

    A cell is `<column>_text`, the number in it `<column>`. `exact` is false where the numbers of
    the file are binary fractions: these are rounded without a word.
    """
    rules = [
        Rule("", "surplus IS NOT NULL", "'the row has more cells than the header'"),
        Rule("symbol", "symbol_text IS NULL", "'the cell is empty'"),
        Rule("time", "time_text IS NULL", "'the cell is empty'"),
        Rule("time", "moment IS NULL", _cell("time", " is not a time")),
    ]
    for column in NUMBERS:
        rules += _number_rules(column, rounds=Repair.ROUND in repairs)
    rules += [
        Rule("high", "high < low", _cell("high", " is below the low, ", "low")),
        _within("open"),
        _within("close"),
    ]
    return rules


def _number_rules(column: str, *, rounds: bool) -> Iterator[Rule]:
    text = f"{column}_text"
    yield Rule(column, f"{text} IS NULL", "'the cell is empty'")
    yield Rule(
        column,
        f"{column} IS NULL AND TRY_CAST({text} AS DECIMAL(38, {PLACES})) IS NOT NULL",
        _cell(column, " is too large"),
    )
    yield Rule(column, f"{column} IS NULL", _cell(column, " is not a number"))
    if not rounds:
        yield Rule(
            column,
            # Only long texts are looked at again: the second cast costs more than the first.
            f"exact AND length({text}) > {PLACES}"
            f" AND {column} <> TRY_CAST({text} AS DECIMAL(38, 18))",
            _cell(column, f" has more than {PLACES} decimals"),
            Repair.ROUND,
        )
    if column == "volume":
        yield Rule(column, "volume < 0", _cell(column, " is negative"))
    else:
        yield Rule(column, f"{column} <= 0", _cell(column, " is not above zero"))


def _within(column: str) -> Rule:
    return Rule(
        column,
        f"{column} NOT BETWEEN low AND high",
        _cell(column, " is not between the low, ", "low") + " || ', and the high, ' || high_text",
    )


def _cell(column: str, words: str, other: str | None = None) -> str:
    """SQL for a sentence that begins with a cell and may end with another."""
    return f"{column}_text || '{words}'" + (f" || {other}_text" if other else "")


def verdict(rules: list[Rule]) -> str:
    """SQL for the first rule that a row breaks, as `<number>|<sentence>`; NULL for a sound row."""
    cases = " ".join(
        f"WHEN {rule.condition} THEN '{number}|' || {rule.problem}"
        for number, rule in enumerate(rules)
    )
    return f"CASE {cases} END"
