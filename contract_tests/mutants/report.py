"""The matrix as JSON, as Markdown, and in a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from contract_tests.mutants.matrix import Row
from contract_tests.spec import requirements


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All rows of a run, and how long it took."""

    rows: Sequence[Row]
    seconds: float

    @property
    def killed(self) -> list[Row]:
        """Noticed by their own requirement."""
        return [row for row in self.rows if row.killed]

    @property
    def unrelated(self) -> list[Row]:
        """Noticed by other requirements alone."""
        return [row for row in self.rows if not row.killed and row.others]

    @property
    def survivors(self) -> list[Row]:
        """Noticed by nothing."""
        return [row for row in self.rows if not row.killed and not row.others]

    @property
    def tried_by_stock(self) -> list[Row]:
        """Those that the stock Schemathesis was let loose on."""
        return [row for row in self.rows if row.stock is not None]

    @property
    def noticed_by_stock(self) -> list[Row]:
        """Those of them that it noticed."""
        return [row for row in self.tried_by_stock if row.stock]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "mutants": len(self.rows),
            "killed": len(self.killed),
            "requirements": len({row.breaks for row in self.rows}),
            "stock": {
                "tried": len(self.tried_by_stock),
                "noticed": len(self.noticed_by_stock),
            },
            "seconds": round(self.seconds),
            "rows": [asdict(row) | {"killed": row.killed} for row in self.rows],
        }


def summary(matrix: Matrix) -> list[str]:
    """The figures, and by name what got away."""
    lines = [
        f"{len(matrix.rows)} mutants of {len({row.breaks for row in matrix.rows})} requirements:"
        f" {len(matrix.killed)} killed by the requirement that they break"
        f" ({_percent(len(matrix.killed), len(matrix.rows))}) in {matrix.seconds / 60:.1f} minutes",
    ]
    tried = len(matrix.tried_by_stock)
    if tried:
        noticed = len(matrix.noticed_by_stock)
        lines.append(
            f"stock schemathesis noticed {noticed} of {tried} ({_percent(noticed, tried)})"
        )
    lines += [f"by an unrelated check only: {_named(row)}" for row in matrix.unrelated]
    lines += [f"survived: {_named(row)}" for row in matrix.survivors]
    return lines


def _named(row: Row) -> str:
    why = f" ({'; '.join(row.unsure)})" if row.unsure else ""
    return f"{row.breaks}, {row.name}{why}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"


def markdown(matrix: Matrix) -> str:
    """One table row a mutant, below the figures."""
    head = "| requirement | level | the server that is wrong | killed by | also seen by | stock |"
    rows = [head, "|---|---|---|---|---|---|", *map(_row, matrix.rows)]
    return "\n".join(["# Mutants", "", *_list(summary(matrix)), "", *rows, ""])


def _list(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _row(row: Row) -> str:
    level = requirements()[row.breaks].level
    own = ", ".join(one.removeprefix(f"{row.breaks}-") for one in row.own) or "**nothing**"
    others = str(len(row.others)) if row.others else ""
    return f"| {row.breaks} | {level} | {row.name} | {own} | {others} | {_stock(row)} |"


def _stock(row: Row) -> str:
    if row.stock is None:
        return "not tried"
    return "; ".join(row.stock) if row.stock else "missed"
