"""Reads reports that others bring."""

from __future__ import annotations

import json
from pathlib import Path

from contract_tests.commands.output import Unusable
from contract_tests.running import report
from contract_tests.running.report import Document


def read_report(path: Path) -> Document:
    """The report in a file. Raises Unusable for a file that holds none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Unusable(f"{path} is no report: {error}") from error
    if errors := report.errors(found):
        raise Unusable(f"{path} is no report: {errors[0]}")
    document: Document = found
    return document
