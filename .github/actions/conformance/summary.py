"""Prints a report of trading-conformance as Markdown, for the summary of a job."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BAD = ("broken", "failed", "not exercised")
SHOWN = 50


def summary(report: dict[str, Any]) -> Iterator[str]:
    """The verdict, the totals by level, and what does not hold."""
    run, totals = report["run"], report["totals"]
    outcomes = sorted({outcome for counts in totals.values() for outcome in counts})
    yield f"## {report['spec']['title']}: {report['verdict']}"
    yield f"`{cell(report['target']['url'])}`, profile {run['profile']}, seed {run['seed']}\n"
    titles = ["not offered" if one == "needs" else one for one in outcomes]
    yield f"| | {' | '.join(titles)} |"
    yield "|---|" + "---:|" * len(outcomes)
    for level in ("MUST", "SHOULD", "MAY"):
        counts = [str(totals.get(level, {}).get(outcome, 0)) for outcome in outcomes]
        yield f"| {level} | {' | '.join(counts)} |"
    wrong = [one for one in report["requirements"] if one["outcome"] in BAD]
    if wrong:
        yield "\n| requirement | level | outcome | why |\n|---|---|---|---|"
    for one in wrong[:SHOWN]:
        known = " (known)" if one["known_failure"] else ""
        why = cell(f"{one['text']} {one['reason']}")
        yield f"| {one['id']} | {one['level']} | {one['outcome']}{known} | {why} |"
    if wrong[SHOWN:]:
        yield f"\n{len(wrong) - SHOWN} more are in the report."


def cell(text: str) -> str:
    """Text of a server, which is not to be Markdown."""
    plain = " ".join(text.split()).replace("|", "\\|")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace("`", "'")


if __name__ == "__main__":
    lines = summary(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    sys.stdout.write("\n".join(lines) + "\n")
