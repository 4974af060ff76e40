"""`trading-api backtest` with a single run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.handlers.tiny_runs import COMMAND, backtest, prepare


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return [*prepare(tmp_path), "--output", "results"]


def test_a_complete_run(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit status 0, all files, and on the screen the headline and nothing else."""
    assert backtest(*options, "--cash", "5000", "--set", "leave=5") == 0
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert {"summary.json", "report.html", "trades.json", "trades.parquet"} <= names
    summary = json.loads((tmp_path / "results" / "summary.json").read_text())
    # In at the open of bar 3, out at that of bar 6.
    assert summary["figures"]["final_equity"] == "5080"
    printed = capfd.readouterr()
    assert printed.err == ""
    assert [line.split("  ")[0] for line in printed.out.splitlines()] == [
        "Status",
        "Total return",
        "Sharpe ratio",
        "Maximum drawdown",
        "Round trips",
        "Final equity",
        "Report",
    ]
    assert "1.60%" in printed.out
    assert "5080.00 USD" in printed.out


def test_a_strategy_that_stops_early(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The results say that the run was broken off, and so does the exit status."""
    assert backtest(*options, "--set", "stop=4") == 1
    assert json.loads((tmp_path / "results" / "summary.json").read_text())["status"] == "aborted"
    printed = capfd.readouterr()
    assert printed.out.split()[:2] == ["Status", "aborted"]
    assert printed.err == ""


def test_a_strategy_that_raises(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its traceback is shown once, with the strategy's own line, and nothing of the server."""
    assert backtest(*options, "--set", "do=raise") == 1
    printed = capfd.readouterr()
    assert printed.err.count("Traceback") == 1
    assert "trading_api.backtest [-] The strategy has failed" in printed.err
    assert 'tiny.py", line ' in printed.err
    assert "404" in printed.err
    assert "uvicorn" not in printed.err
    assert json.loads((tmp_path / "results" / "summary.json").read_text())["status"] == "aborted"


def test_a_run_that_never_began(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The results of an earlier run in the folder are not taken for those of this one."""
    assert backtest(*options) == 0
    (tmp_path / "tiny.py").write_text("class Tiny:\n    def run(self, url): pass\n")
    capfd.readouterr()
    assert backtest(*options) == 1
    assert capfd.readouterr().out == ""


def test_bad_data(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file and the line are named, in one line; exit status 2."""
    data = tmp_path / "AAPL.csv"
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join([*lines[:4], "2024-01-04,1,x,1,1,1\n", *lines[5:]]))
    assert backtest(*options) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(data) in line
    assert "line 5" in line


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--strategy", "tiny"], "--strategy must be MODULE:CLASS, not tiny"),
        (["--strategy", "nowhere:X"], "cannot use the strategy nowhere:X: No module"),
        (["--strategy", "tiny:mark"], "cannot use the strategy tiny:mark: "),
        (["--set", "speed=1"], "cannot use the strategy tiny:Tiny: got an unexpected keyword"),
        (["--set", "leave"], "--set must be NAME=VALUE"),
        (["--set", "leave=1", "--set", "leave=2"], "--set must be NAME=VALUE, each name once"),
        (["--jobs", "2"], "--jobs is for many runs: it needs --grid"),
        (["--cash", "-1"], "--initial-balance or TRADING_API_BACKTEST_INITIAL_BALANCE: "),
        (["--port", "x"], "--port or TRADING_API_PORT: "),
        (["--host", "0.0.0.0"], "Refusing to listen on 0.0.0.0"),  # noqa: S104
        (["--output", "."], ". holds no earlier run"),
    ],
)
def test_what_cannot_begin_is_explained_in_a_line(
    options: list[str],
    arguments: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback, exit code 2."""
    assert backtest(*options, *arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"trading-api: {complaint}")


def test_a_strategy_that_connects(options: list[str], tmp_path: Path) -> None:
    """Without --strategy the command says where it listens, and ends with the run."""
    arguments = [*options[:2], "--output", "results", "--port", "0"]
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            assert said.startswith("The run begins when a strategy connects to http://127.0.0.1:")
            listen(said.split()[-1].replace("http", "ws"))
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert out.split()[:2] == ["Status", "complete"]
    assert (tmp_path / "results" / "report.html").exists()


def listen(url: str) -> None:
    with connect(url) as events:
        for text in events:
            frame = json.loads(text)
            if frame["type"] == "backtest_complete":
                return
            if "event_id" in frame:
                ack = {"type": "event_ack", "correlation_id": "x", "timestamp": 0}
                events.send(json.dumps({**ack, "events_processed": [frame["event_id"]]}))


def test_a_signal_ends_a_run_in_order(options: list[str], tmp_path: Path) -> None:
    """SIGTERM: what has been done so far is written, and the exit status is 1."""
    arguments = [*options[:2], "--output", "results", "--port", "0"]
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            url = process.stderr.readline().split()[-1].replace("http", "ws")
            with connect(url) as events:
                assert json.loads(events.recv())["type"] == "connection"
                process.terminate()
                while json.loads(events.recv())["type"] != "connection":
                    pass
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (1, "")
    assert json.loads((tmp_path / "results" / "summary.json").read_text())["status"] == "aborted"
