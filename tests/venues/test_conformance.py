"""The conformance suite, against our server in front of each emulated venue."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.venues.behind import SYMBOLS, behind

SUITE = Path(sys.executable).with_name("trading-conformance")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("venue", SYMBOLS)
def test_the_server_is_conformant_in_front_of_a_venue(venue: str, tmp_path: Path) -> None:
    """Whatever stands behind it, the server keeps what the founding document states."""
    report = tmp_path / "report.json"
    with behind(venue, tmp_path, tick_interval="1") as both:
        command = [
            *(str(SUITE), "run", *both.arguments, "--allow-fills", "--seed=1", "--no-fuzz"),
            *("--profile=core", "--timeout=30", f"--report=json={report}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stdout[-6000:]
        assert [] == both.violations()
    judged = [each["id"] for each in json.loads(report.read_text())["requirements"]]
    assert len(judged) > 60
