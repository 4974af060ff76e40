"""Judge our server in front of each emulated venue, and write the table of README.

`make venue-matrix` runs the conformance suite for each venue, which takes some minutes each, and
puts what it found between the marks in README.md. It fails if a venue is not conformant.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contract_tests.laboratory.servers import Server
from contract_tests.reports.reading import AREAS
from tests.venues.behind import SYMBOLS, behind

ROOT = Path(__file__).resolve().parents[1]
SUITE = Path(sys.executable).with_name("trading-conformance")
BEGIN, END = "<!-- venues: written by scripts/venue_matrix.py -->\n", "<!-- /venues -->\n"
HELD = "passed"
FAILED = frozenset({"failed", "not exercised", "error"})
UNDECLARED = "not declared"


@contextmanager
def running(provider: str, folder: Path) -> Any:
    """The arguments of the suite for a provider, while its server runs."""
    if provider == "paper":
        server = Server(folder).start()
        try:
            yield [server.url]
        finally:
            server.stop()
        return
    with behind(provider, folder, tick_interval="1") as both:
        yield both.arguments


def judge(provider: str, profile: str) -> dict[str, Any]:
    """The report of the suite about one provider."""
    with tempfile.TemporaryDirectory() as folder, running(provider, Path(folder)) as arguments:
        report = Path(folder) / "report.json"
        command = [
            str(SUITE),
            "run",
            *arguments,
            "--allow-fills",
            "--seed=1",
            f"--profile={profile}",
            f"--report=json={report}",
        ]
        done = subprocess.run(command, check=False)
        document: dict[str, Any] = json.loads(report.read_text())
        document["exit_code"] = done.returncode
        return document


def outcomes(document: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """By area, how many requirements held, failed and were not judged."""
    found: dict[str, Counter[str]] = {}
    for requirement in document["requirements"]:
        area = requirement["id"].partition("-")[0]
        found.setdefault(area, Counter())[requirement["outcome"]] += 1
    return found


def cell(counts: Counter[str]) -> str:
    """`12` all that were judged held, `12 of 14` not all, `-` nothing of it is offered."""
    held = counts[HELD]
    judged = held + sum(counts[each] for each in FAILED)
    if not judged:
        return "-"
    return str(held) if held == judged else f"{held} of {judged}"


def table(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """The matrix in Markdown, an area a row, a provider a column."""
    by_provider = {provider: outcomes(found) for provider, found in documents.items()}
    lines = [
        "| area | " + " | ".join(f"`{provider}`" for provider in documents) + " |",
        "|---|" + "---|" * len(documents),
    ]
    for area, name in AREAS.items():
        cells = [cell(found.get(area, Counter())) for found in by_provider.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def missed(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """What does not hold, by provider."""
    lines = []
    for provider, document in documents.items():
        failing = [
            f"{each['id']} ({each['level']})"
            for each in document["requirements"]
            if each["outcome"] in FAILED
        ]
        if failing:
            lines.append(f"- `{provider}`: {', '.join(failing)}")
    return "\n".join(["", "What does not hold, or could not be brought about:", "", *lines, ""])


def write(text: str) -> None:
    readme = ROOT / "README.md"
    before = readme.read_text(encoding="utf-8")
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit("README.md has no place for the table")
    readme.write_text(head + begin + text + end + tail, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("providers", nargs="*", default=["paper", *SYMBOLS])
    parser.add_argument("--profile", default="full")
    parser.add_argument("--print", action="store_true", help="leave README.md alone")
    arguments = parser.parse_args()
    documents = {each: judge(each, arguments.profile) for each in arguments.providers}
    text = table(documents) + missed(documents)
    if arguments.print:
        print(text)
    else:
        write(text)
    return max(int(document["exit_code"]) for document in documents.values())


if __name__ == "__main__":
    sys.exit(main())
