"""Renders a report document (see report.schema.json) in the forms that others read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from contract_tests.reports.badge import badge
from contract_tests.reports.html import html
from contract_tests.reports.junit import junit
from contract_tests.reports.reading import Document
from contract_tests.reports.sarif import sarif


@dataclass(frozen=True, slots=True)
class Kind:
    """A form of the report: the name of its file, what it is for, and what renders it."""

    file: str
    purpose: str
    render: Callable[[Document], str]


def _json(document: Document) -> str:
    """The document itself, in ASCII: escapes carry even what UTF-8 cannot say."""
    return json.dumps(document, indent=1) + "\n"


KINDS: Final = {
    "html": Kind("conformance-report.html", "one page for people", html),
    "json": Kind("conformance-report.json", "the whole report, for verify, replay and diff", _json),
    "junit": Kind("conformance-report.xml", "test results for CI systems", junit),
    "sarif": Kind("conformance-report.sarif", "findings for code scanning", sarif),
    "badge": Kind("conformance-report.badge.json", "an endpoint for shields.io", badge),
}


def render(kind: str, document: Document) -> str:
    """The document in one form; raises KeyError when `kind` is none of KINDS."""
    return KINDS[kind].render(document)
