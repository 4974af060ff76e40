"""A stock Schemathesis, with the settings that are checked in, finds nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from contract_tests.laboratory.fleet import KEYS, Fleet, SessionLab
from contract_tests.spec import operation_of, operations
from contract_tests.wire.traffic import Statuses

COMMAND = Path(sys.executable).with_name("schemathesis")
CONFIG = Path(__file__).parent / "fuzzing" / "schemathesis.toml"
QUIET_MARKET = {"PAPER_VOLATILITY": "0", "PAPER_INITIAL_BALANCE": "1000000000000000"}
"""What a request answers depends on the requests before it, and on nothing else."""


@dataclass(frozen=True)
class Run:
    """What a run printed, its exit status, and every request it sent."""

    status: int
    output: str
    entries: list[dict[str, Any]]

    def seen(self) -> dict[str, set[int]]:
        """The statuses of every operation."""
        found = Statuses()
        for entry in self.entries:
            request, response = entry["request"], entry["response"]
            operation = operation_of(request["method"], urlsplit(request["url"]).path)
            found.add(operation, response["status"])
        return found.seen


def schemathesis(directory: Path, *options: str) -> Run:
    """Run the stock command against a server."""
    har = directory / "requests.har"
    command = [str(COMMAND), *options, "--report", "har", "--report-har-path", str(har)]
    done = subprocess.run(
        [*command, "--output-truncate", "false"],
        cwd=directory,
        env={"PATH": "", "PYTHONPATH": str(CONFIG.parents[2]), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    entries = json.loads(har.read_text("utf-8"))["log"]["entries"] if har.exists() else []
    return Run(done.returncode, done.stdout[-20_000:] + done.stderr[-5_000:], entries)


@pytest.fixture(scope="module")
def url(fleet: Fleet) -> str:
    """The spec of a server that nothing else uses."""
    return f"{fleet.launch('fuzzed', options=QUIET_MARKET).url}/openapi.yaml"


@pytest.fixture(scope="module")
def fuzzed(url: str, statuses: Statuses, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of all phases."""
    directory = tmp_path_factory.mktemp("schemathesis")
    run = schemathesis(directory, "--config-file", str(CONFIG), "run", url)
    for operation_id, found in run.seen().items():
        for status in found:
            statuses.add(operations()[operation_id], status)
    return run


def test_all_phases_find_nothing(fuzzed: Run) -> None:
    """Examples, coverage, fuzzing and stateful phases pass, and no warning makes them void."""
    if fuzzed.status != 0:
        pytest.fail(fuzzed.output, pytrace=False)
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in fuzzed.output


def test_every_operation_succeeded_at_least_once(fuzzed: Run) -> None:
    """A run whose requests are all refused would prove nothing."""
    succeeded = {one for one, seen in fuzzed.seen().items() if seen & {200, 201}}
    assert operations().keys() - succeeded == set()


def test_orders_of_all_kinds_were_created(fuzzed: Run) -> None:
    """Orders that rest, fill at once and fill in part are among those that the run created."""
    created = [
        json.loads(entry["response"]["content"]["text"])["status"]
        for entry in fuzzed.entries
        if entry["response"]["status"] == 201
    ]
    assert len(created) > 100
    assert {"OPEN", "FILLED"} <= set(created)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("fuzzed")
def test_chains_of_requests_find_nothing(seed: int, url: str, tmp_path: Path) -> None:
    """What one request made, others find, change and take away, in chains of other seeds.

    The stateful phase ends early, without a word, once the same request has other results than
    before: several short runs go further than a long one.
    """
    settings = CONFIG.read_text("utf-8").replace("deterministic = true", "deterministic = false")
    config = tmp_path / "schemathesis.toml"
    config.write_text(f"seed = {seed}\n{settings}", "utf-8")
    run = schemathesis(tmp_path, "--config-file", str(config), "run", url, "--phases", "stateful")
    if run.status != 0:
        pytest.fail(run.output, pytrace=False)
    assert "✅ Stateful" in run.output
    assert {200} <= run.seen()["get_order"]


def test_keys_are_not_ignored(lab: SessionLab, tmp_path: Path) -> None:
    """Where keys are configured, no operation answers without a valid one."""
    url = f"{lab.keyed().api.client.base_url}/openapi.yaml"
    key = f"Authorization: Bearer {KEYS['alice']}"
    options = ("--phases", "examples,fuzzing", "-n", "5", "-c", "ignored_auth", "-H", key)
    run = schemathesis(tmp_path, "run", url, *options, "--generation-deterministic")
    if run.status != 0:
        pytest.fail(run.output, pytrace=False)
    assert 401 in run.seen()["get_account"]
