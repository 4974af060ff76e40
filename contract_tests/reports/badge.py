"""The report as an endpoint badge of shields.io."""

from __future__ import annotations

import json
from collections.abc import Callable

from contract_tests.reports.reading import Document, count


def badge(document: Document) -> str:
    """JSON that shields.io turns into a picture: the verdict, and how much of the profile holds."""
    held, total = count(document, "passed"), sum(map(_counts(document), document["requirements"]))
    message = f"{document['verdict']} · {document['run']['profile']} {held}/{total}"
    whole = held + count(document, "not declared") == total
    shown = {
        "schemaVersion": 1,
        "label": document["spec"]["title"],
        "message": message,
        "color": _color(document["verdict"], whole=whole),
    }
    return json.dumps(shown, ensure_ascii=False) + "\n"


def _counts(document: Document) -> Callable[[Document], bool]:
    """Whether a requirement belongs to what was asked: what the profile leaves out does not."""
    only, skip = document["run"]["only"], document["run"]["skip"]

    def counts(one: Document) -> bool:
        chosen = one["id"] in skip or (only and one["id"] not in only)
        return bool(one["outcome"] != "skipped" or one["checks"] or chosen)

    return counts


def _color(verdict: str, *, whole: bool) -> str:
    """Bright green is for all that applies; a warning or a gap makes it a lesser green."""
    if verdict == "conformant":
        return "brightgreen" if whole else "yellowgreen"
    return "red" if verdict == "not conformant" else "lightgrey"
