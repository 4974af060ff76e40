"""The report on a terminal: progress while checks run, and a summary at the end.

Everything from the server is shown as plain text: neither markup nor a control character acts.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from contract_tests.reports import wording
from contract_tests.reports.reading import (
    BAD,
    Document,
    Problem,
    area_name,
    by_area,
    count,
    problems,
    unjudged,
)
from contract_tests.reports.text import line
from contract_tests.spec import requirements

_STYLES: Final = {
    "passed": "green",
    "failed": "red",
    "not exercised": "dark_orange",
    "broken": "magenta",
}
_HEADINGS: Final = {"needs": "not offered"}
_MARKS: Final = {"passed": "✓", "failed": "✗", "not exercised": "?", "broken": "%"}
_VERDICTS: Final = {
    "conformant": "bold white on green",
    "not conformant": "bold white on red",
    "nothing exercised": "bold black on yellow",
}
_SHOWN: Final = 240
_PARTS: Final = 10


class Progress:
    """Shows how far the run is, and a line for every check that ends badly.

    Without a terminal there is no bar, but a line each tenth of the way: a log should move too.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done: Counter[str] = Counter()
        self._bar = Bar(
            TextColumn("[bold]{task.description:9}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[bad]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[check]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("judging", total=total, bad="", check="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def started(self, check_id: str) -> None:
        """A check begins."""
        self._bar.update(self._task, check=_short(check_id))

    def finished(self, check: Mapping[str, Any]) -> None:
        """A check has ended; `check` has the form it has in the document."""
        self._done[check["outcome"]] += 1
        if check["outcome"] in BAD:
            self._console.print(_bad_line(check), soft_wrap=not self._console.is_terminal)
        bad = sum(self._done[outcome] for outcome in BAD)
        self._bar.update(self._task, advance=1, bad=f"[red]{bad} bad" if bad else "")
        self._log(bad)

    def _log(self, bad: int) -> None:
        done, step = self._done.total(), max(self._total // _PARTS, 1)
        if not self._console.is_terminal and (done % step == 0 or done == self._total):
            self._console.print(f"{done}/{self._total} checks, {bad} bad", highlight=False)


def _short(check_id: str) -> str:
    """The requirement in a check's id: its first two parts."""
    return "-".join(check_id.split("-")[:2])


def _bad_line(check: Mapping[str, Any]) -> Text:
    """One check that ended badly, on one line."""
    known = requirements().get(_short(check["id"]))
    level = known.level if known else ""
    style = _STYLES[check["outcome"]] if level in {"MUST", ""} else "yellow"
    failure = check["failure"]
    told = line(check["reason"])
    if failure:
        told = f"{line(failure['what'])}: {line(failure['actual'], 80)}"
    shown = Text.assemble(
        (f"{_short(check['id'])} {level:6} {check['outcome']}", style), f"  {told}", no_wrap=True
    )
    shown.overflow = "ellipsis"
    return shown


def summary(console: Console, document: Document, *, report: Path | None = None) -> None:
    """Print what failed, what was not judged, the areas, the verdict, and what to do next.

    `report` is the file that holds the report in JSON, if one was written. The verdict comes last:
    there the eye is when the command has ended.
    """
    found = problems(document)
    errors = [one for one in found if one.severity == "error"]
    base = wording.base_url(document)
    for part in (
        *(_problem(one, base) for one in errors),
        _warnings(found),
        _gaps(document),
        _areas(document),
        _verdict(document),
    ):
        if part is not None:
            console.print()
            console.print(part, highlight=False)
    for command, purpose in _next(document, errors, report):
        console.print(Text(f"\n# {purpose}", "dim"))
        console.print(Text(command, "bold cyan"), soft_wrap=True)  # so that it can be copied


def _grid(rows: Iterable[tuple[str, ...]], *styles: str) -> RenderableType:
    """Cells under each other, indented; all columns but the last are as wide as they need be."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for style in styles:
        grid.add_column(style=style, no_wrap=True)
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    return Padding(grid, (0, 0, 0, 2), expand=False)


# --- problems ---


def _problem(problem: Problem, base: str) -> RenderableType:
    """Everything about a failure that fits without its traffic."""
    requirement, failure = problem.requirement, problem.failure
    style = _STYLES.get(problem.outcome, "red")
    name = Text(f"✗ {requirement['id']} {requirement['level']}", f"bold {style}")
    rows = [("check", problem.id), (problem.outcome, line(failure["what"], _SHOWN))]
    if failure["expected"] or failure["actual"]:
        rows.append(("expected", line(failure["expected"], _SHOWN)))
        rows.append(("actual", line(failure["actual"], _SHOWN)))
    if problem.judged:
        rows.append(("answer to", _answer(problem.judged, base)))
    return Group(_sentence(name, requirement["text"]), _grid(rows, "dim"))


def _sentence(name: Text, text: str) -> RenderableType:
    """A requirement's sentence beside its name, wrapped under itself."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(name, Text(line(text)))
    return grid


def _answer(exchange: Mapping[str, Any], base: str) -> str:
    came = exchange["status"] or "none"
    return f"{line(exchange['method'])} {line(wording.path(exchange['url'], base), 120)}: {came}"


def _warnings(found: list[Problem]) -> RenderableType | None:
    """What does not count: one line each kind, with the requirements concerned."""
    kinds = {"warning": "SHOULD warn", "note": "MAY inform", "known": "known failures"}
    rows = []
    for severity, name in kinds.items():
        ids = sorted({one.requirement["id"] for one in found if one.severity == severity})
        if ids:
            rows.append((f"{len(ids):>3}", name, " ".join(ids)))
    return (
        Group(Text("Failed without weight", "bold"), _grid(rows, "yellow", "dim")) if rows else None
    )


# --- what was not judged, and the areas ---


def _gaps(document: Document) -> RenderableType | None:
    rows = [
        (f"{len(group.ids):>3}", _HEADINGS.get(group.outcome, group.outcome), group.reason)
        for group in unjudged(document)
    ]
    sentences = [Padding(Text(line(one)), (0, 0, 0, 2)) for one in wording.reservations(document)]
    if not rows and not sentences:
        return None
    return Group(Text("Not judged", "bold"), *sentences, _grid(rows, "", "dim"))


def _areas(document: Document) -> Table:
    """How each area fared, in numbers and with a mark for every requirement."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("area", no_wrap=True)
    for heading in ("held", "failing", "unjudged"):
        table.add_column(heading, justify="right")
    table.add_column("", overflow="fold")
    for prefix, found in by_area(document).items():
        name = Text.assemble((prefix, "dim"), f" {area_name(prefix)}")
        marks = Text.assemble(*map(_mark, found))
        table.add_row(name, *_numbers(found), marks)
    table.add_section()
    table.add_row(Text("all", "bold"), *_numbers(document["requirements"]), "")
    return table


def _numbers(found: list[dict[str, Any]]) -> list[Text]:
    held = sum(one["outcome"] == "passed" for one in found)
    bad = sum(one["outcome"] in BAD for one in found)
    counts = {"green": held, "red": bad, "": len(found) - held - bad}
    return [Text(str(n), style) if n else Text("·", "dim") for style, n in counts.items()]


def _mark(requirement: Document) -> tuple[str, str]:
    outcome, must = requirement["outcome"], requirement["level"] == "MUST"
    if outcome in BAD and not must:
        return "!", "yellow"
    return _MARKS.get(outcome, "·"), _STYLES.get(outcome, "dim")


# --- the verdict, and what to do next ---


def _verdict(document: Document) -> RenderableType:
    run, spec = document["run"], document["spec"]
    title = Text(f" {document['verdict'].upper()} ", _VERDICTS[document["verdict"]])
    facts = (
        f"{line(spec['title'])} {line(spec['version'])}, profile {run['profile']}, "
        f"seed {run['seed']}, {wording.duration(run['seconds'])}"
    )
    return Group(
        Text.assemble(title, "  ", (line(wording.base_url(document)), "bold")),
        Text(wording.verdict_sentence(document)),
        Text(facts, "dim"),
    )


def _next(document: Document, errors: list[Problem], report: Path | None) -> list[tuple[str, str]]:
    """The commands to type next, each with its purpose."""
    if errors:
        return _after_failure(document, errors[0], report)
    if not document["run"]["allow_fills"] and count(document, "needs"):
        return [(f"{wording.command(document)} --allow-fills", "what only fills can show")]
    return []


def _after_failure(
    document: Document, first: Problem, report: Path | None
) -> list[tuple[str, str]]:
    name = first.requirement["id"]
    commands = [(f"trading-conformance explain {name}", "what it asks, and how it is judged")]
    if report is not None and first.exchanges:
        words = ["trading-conformance", "replay", str(report), name]
        words += ["--against", document["target"]["url"]]
        commands.append((shlex.join(words), "the same requests again"))
    return commands
