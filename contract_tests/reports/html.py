"""The report as one page that needs nothing else: no network, no script, no second file.

What the server sent is escaped by the template and can load or run nothing: the page's own policy
allows the style and the script that stand in it, by their digests, and forbids all else.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

from contract_tests.reports import curl, reading, text, wording
from contract_tests.reports.reading import Document, Problem, Turn
from contract_tests.running import judging

_HERE: Final = Path(__file__).parent
_MARKS: Final = {
    "passed": "✓",
    "failed": "✕",
    "not exercised": "?",
    "broken": "⚡",
    "needs": "-",
    "pending": "…",
    "not declared": "○",
    "skipped": "»",
}
_GROUPS: Final = {
    "error": ("Failures", "in the way of conformance"),
    "warning": ("Warnings", "what SHOULD hold and does not"),
    "note": ("Notes", "what MAY hold and does not"),
    "known": ("Known failures", "listed as such, so they do not count"),
}
_LABELS: Final = {"needs": "not offered"}
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_FRAMES: Final = 60
"""Messages of a WebSocket that the page shows, the last ones."""

_CHAIN: Final = 40
"""Turns of a check that the page shows; the curl script has all."""


@dataclass(frozen=True, slots=True)
class Level:
    """How the requirements of a level fared: counts by outcome, and the parts of a bar."""

    name: str
    held: int
    judged: int
    counts: list[tuple[str, int]]
    bar: list[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A problem with what the page shows of its requests."""

    problem: Problem
    chain: list[Turn]
    hidden: int
    script: str


@dataclass(frozen=True, slots=True)
class Group:
    """The problems of one severity."""

    severity: str
    title: str
    meaning: str
    shown: list[Shown]


def html(document: Document) -> str:
    """The page."""
    style, script = _inline("report.css"), _inline("report.js")
    return _template().render(
        document=document,
        style=style,
        script=script,
        policy=_policy(style, script),
        outcomes=reading.OUTCOMES,
        counts=Counter(one["outcome"] for one in document["requirements"]),
        levels=[_level(document, name) for name in reading.LEVELS if name in document["totals"]],
        areas=reading.by_area(document),
        groups=_groups(document),
        unjudged=reading.unjudged(document),
        features=reading.features(document),
        base=wording.base_url(document),
        reservations=wording.reservations(document),
        sentence=wording.verdict_sentence(document),
        provenance=wording.provenance(document),
        command=wording.command(document),
        capabilities=text.cut(json.dumps(document["target"]["capabilities"], indent=2)),
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: text.visible(value) if type(value) is str else value,
    )
    environment.globals.update(
        marks=_MARKS,
        meanings=reading.MEANINGS,
        most_frames=_FRAMES,
        bad=reading.BAD,
        area_name=reading.area_name,
        is_stale=judging.is_stale,
        body=text.body,
        frame=text.message,
        headers=text.headers,
        moment=wording.moment,
        status=_status,
        duration=wording.duration,
    )
    environment.filters.update(slug=_slug, label=_label, line=text.line, path=wording.path)
    return environment.get_template("report.html.j2")


def _inline(name: str) -> Markup:
    """One of our own files, which stand in the page as they are."""
    return Markup((_HERE / name).read_text("utf-8"))  # noqa: S704  ours, and without any input


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy under which nothing but the two can act, and nothing is loaded."""
    digests = (hashlib.sha256(part.encode()).digest() for part in (style, script))
    allowed = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return (
        f"default-src 'none'; style-src {allowed[0]}; script-src {allowed[1]}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _level(document: Document, name: str) -> Level:
    counts = {outcome: reading.count(document, outcome, name) for outcome in _best_first()}
    present = [(outcome, number) for outcome, number in counts.items() if number]
    total = sum(counts.values())
    widths = [100 * number / total for _, number in present]
    starts = itertools.accumulate(widths, initial=0.0)
    parts = zip(present, starts, widths, strict=False)
    bar = [(outcome, start, width) for (outcome, _), start, width in parts]
    judged = sum(counts[outcome] for outcome in ("passed", *reading.BAD))
    return Level(name, counts["passed"], judged, present, bar)


def _best_first() -> list[str]:
    return ["passed", *(outcome for outcome in reading.OUTCOMES if outcome != "passed")]


def _groups(document: Document) -> list[Group]:
    """The problems by severity; a severity without any is left out."""
    base = wording.base_url(document)
    shown = [_shown(one, base) for one in reading.problems(document)]
    groups = [
        Group(name, *titles, [one for one in shown if one.problem.severity == name])
        for name, titles in _GROUPS.items()
    ]
    return [group for group in groups if group.shown]


def _shown(problem: Problem, base: str) -> Shown:
    chain = reading.turns(problem.exchanges)
    script = curl.script(problem.check, base) if chain else ""
    return Shown(problem, chain[-_CHAIN:], max(len(chain) - _CHAIN, 0), script)


def _status(exchange: Document) -> str:
    """The status with the name that HTTP gives it, or why there is none."""
    code: int | None = exchange["status"]
    if code is None:
        return f"no answer: {text.line(exchange.get('error', 'the connection failed'))}"
    return f"{code} {_PHRASES.get(code, '')}".strip()


def _slug(name: str) -> str:
    return name.replace(" ", "-")


def _label(outcome: str) -> str:
    return _LABELS.get(outcome, outcome)
