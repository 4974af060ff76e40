"""Prints which check kills which mutant: `python -m contract_tests.mutants`.

Exit codes: 0 every mutant is killed by the requirement that it breaks, 1 one is not, 2 usage,
3 a server that is right fails a check, so that what it kills means nothing.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from contract_tests.mutants.catalogue import chosen
from contract_tests.mutants.matrix import ControlFailed, Row
from contract_tests.mutants.mutant import Mutant
from contract_tests.mutants.report import Matrix, markdown, summary
from contract_tests.mutants.workers import Plan, Workers

ALL_KILLED, SURVIVED, _, NO_CONTROL = range(4)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command; exits with one of the codes above."""
    # Whoever ends this ends its servers too: they are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = _parser()
    options = parser.parse_args(arguments)
    mutants = chosen(options.only, options.part)
    if not mutants:
        parser.error("no mutant was chosen")
    console = Console(highlight=False)
    plan = Plan(patience=options.patience, stock=options.stock, examples=options.max_examples)
    try:
        matrix = run(mutants, plan, options.jobs, console)
    except ControlFailed as failure:
        console.print(f"A server that is right fails {failure}", markup=False)
        sys.exit(NO_CONTROL)
    for line in summary(matrix):
        console.print(line, markup=False)
    if options.output:
        _write(matrix, options.output)
    sys.exit(ALL_KILLED if len(matrix.killed) == len(matrix.rows) else SURVIVED)


def run(mutants: Sequence[Mutant], plan: Plan, jobs: int, console: Console) -> Matrix:
    """The control first, then every mutant; a line for each as it is done."""
    started = time.monotonic()
    with Workers(plan, jobs) as workers:
        passed = workers.control(mutants)
        console.print(f"control: {passed} checks pass against servers that are right")
        rows: list[Row] = []
        for row in workers.judge(mutants):
            console.print(_line(row), markup=False, soft_wrap=True)
            rows.append(row)
    return Matrix(rows=rows, seconds=time.monotonic() - started)


def _line(row: Row) -> str:
    verdict = "killed" if row.killed else "UNRELATED" if row.others else "SURVIVED"
    stock = "" if row.stock is None else f"; stock {'notices' if row.stock else 'misses'}"
    killers = ", ".join(one.removeprefix(f"{row.breaks}-") for one in row.own)
    if not row.killed and row.unsure:
        killers = "; ".join(row.unsure)
    others = f" and {len(row.others)} others" if row.others else ""
    return f"{row.breaks} {verdict:9} {row.name}: {killers}{others}{stock}"


def _write(matrix: Matrix, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(matrix.as_json(), indent=1) + "\n"
    (directory / "mutants.json").write_text(text, "utf-8")
    (directory / "mutants.md").write_text(markdown(matrix), "utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m contract_tests.mutants",
        description="Which checks notice which mutant of our own server.",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ID-OR-WORDS",
        help="mutants that break this requirement, or one of this area such as WS, or have these"
        " words in their name",
    )
    parser.add_argument(
        "--part", type=_part, default=(1, 1), metavar="K/N", help="the Kth of N parts"
    )
    parser.add_argument("--jobs", type=int, default=2, help="workers, each with its own servers")
    parser.add_argument(
        "--stock",
        choices=("none", "must", "first", "all"),
        default="must",
        help="let a stock schemathesis loose on none, on the first of each MUST, on the first of"
        " each requirement, or on all, but for those of the stream",
    )
    parser.add_argument(
        "--no-stock", dest="stock", action="store_const", const="none", help="as --stock none"
    )
    parser.add_argument(
        "--max-examples", type=int, default=1, metavar="N", help="of the stock schemathesis"
    )
    parser.add_argument(
        "--patience", type=float, default=6.0, metavar="SECONDS", help="that a check waits"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIRECTORY", help="write mutants.json and mutants.md there"
    )
    return parser


def _part(text: str) -> tuple[int, int]:
    part, slash, of = text.partition("/")
    if not (slash and part.isdigit() and of.isdigit() and 1 <= int(part) <= int(of)):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with K from 1 to N")
    return int(part), int(of)


if __name__ == "__main__":
    main()
