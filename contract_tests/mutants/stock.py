"""Whether a stock `schemathesis run`, with the same spec and no settings of ours, notices a mutant.

What it reports of a server that is right it would report of every mutant too: only what comes on
top of that counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from contract_tests.laboratory.fleet import KEYS
from contract_tests.mutants.messages import straight
from contract_tests.mutants.mutant import Mutant
from contract_tests.mutants.stage import On, Stage
from contract_tests.spec import SPEC_FILE

COMMAND: Final = Path(sys.executable).with_name("schemathesis")
LONGEST: Final = 600
Findings = frozenset[str]


class Stock:
    """Runs the stock command against the servers of a stage."""

    def __init__(self, stage: Stage, directory: Path, examples: int) -> None:
        self._stage = stage
        self._directory = directory
        self._examples = examples
        self._false_alarms: dict[On, Findings] = {}

    def notices(self, mutant: Mutant) -> list[str]:
        """What it reports of a mutant and not of a server that is right."""
        false_alarms = self._of_a_right_server(mutant.on)
        self._stage.become(mutant.make, mutant.restarted)
        found = self._run(mutant.on)
        self._stage.tidy()
        return sorted(found - false_alarms)

    def _of_a_right_server(self, on: On) -> Findings:
        if on not in self._false_alarms:
            self._stage.become(lambda: straight)
            self._false_alarms[on] = self._run(on)
            self._stage.tidy()
        return self._false_alarms[on]

    def _run(self, on: On) -> Findings:
        proxy = self._stage.proxy(self._stage.address(on))
        key = KEYS["alice"] if on is On.KEYS else self._stage.headers["x-api-key"]
        report = self._directory / "stock.json"
        report.unlink(missing_ok=True)
        command = [str(COMMAND), "run", str(SPEC_FILE.resolve()), "--url", proxy.url]
        command += ["--header", f"X-API-Key: {key}", "--max-examples", str(self._examples)]
        command += ["--generation-deterministic", "--no-shrink", "--request-timeout", "10"]
        command += ["--report", "json", "--report-json-path", str(report)]
        # The key is the command's to give or to leave out.
        proxy.headers = {}
        done = subprocess.run(  # noqa: S603
            command, cwd=self._directory, capture_output=True, timeout=LONGEST, check=False
        )
        if not report.exists():
            raise RuntimeError(f"schemathesis wrote no report: {done.stdout[-2000:]!r}")
        return frozenset(_findings(json.loads(report.read_text("utf-8"))))


def _findings(report: dict[str, Any]) -> Iterator[str]:
    for failure in report["failures"]:
        for operation in failure["operations"]:
            yield f"{failure['title']}: {operation}"
