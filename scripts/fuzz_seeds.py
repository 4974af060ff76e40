"""A stock Schemathesis with many seeds and a larger budget than the tests give it.

Each seed has a server of its own.

Usage: python -m scripts.fuzz_seeds [--seeds N] [--first N] [--times N] [--output DIR]
Prints a line a seed: what was found, how many requests it took and how long. What Schemathesis
printed of a seed that found something is in DIR. The exit status is 1 if any did.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from contract_tests.laboratory.servers import Server

ROOT = Path(__file__).parents[1]
SETTINGS = ROOT / "contract_tests" / "fuzzing" / "schemathesis.toml"
COMMAND = Path(sys.executable).with_name("schemathesis")
STILL = {"PAPER_VOLATILITY": "0", "PAPER_INITIAL_BALANCE": "1000000000000000"}


def settings(seed: int, times: int) -> str:
    """The settings that are checked in, with a seed and every number of examples multiplied."""
    text = SETTINGS.read_text("utf-8").replace("deterministic = true", "deterministic = false")
    more = re.sub(
        r"(max-examples = )(\d+)", lambda found: f"{found[1]}{int(found[2]) * times}", text
    )
    return f"seed = {seed}\n{more}"


def fuzz(seed: int, times: int, directory: Path) -> tuple[int, str, int]:
    """One run: its exit status, what it printed, and the number of its requests."""
    config, requests = directory / "schemathesis.toml", directory / "requests.ndjson"
    config.write_text(settings(seed, times), "utf-8")
    server = Server(directory, options=STILL).start()
    command = [COMMAND, "--config-file", config, "run", f"{server.url}/openapi.yaml"]
    command += ["--report", "ndjson", "--report-ndjson-path", requests]
    try:
        done = subprocess.run(
            [*map(str, command), "--output-truncate", "false"],
            cwd=directory,
            env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        server.stop()
    sent = requests.read_text("utf-8").count('"status_code":') if requests.exists() else 0
    return done.returncode, done.stdout + done.stderr + server.tail(), sent


def main(argv: Sequence[str] | None = None) -> int:
    """Run every seed, and go on after one that found something."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, default in (("seeds", 20), ("first", 1), ("times", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--output", type=Path, default=Path("reports/fuzz"))
    given = parser.parse_args(argv)
    given.output.mkdir(parents=True, exist_ok=True)
    worst = 0
    for seed in range(given.first, given.first + given.seeds):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as name:
            status, text, sent = fuzz(seed, given.times, Path(name))
        print(
            f"seed {seed}: status {status}, {sent} requests, {time.monotonic() - began:.0f} s",
            flush=True,
        )
        if status:
            worst = 1
            (given.output / f"seed-{seed}.txt").write_text(text, "utf-8")
    return worst


if __name__ == "__main__":
    sys.exit(main())
