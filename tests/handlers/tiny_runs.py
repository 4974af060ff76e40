"""A history of some days and a strategy that trades them, for tests of `trading-api backtest`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handlers import cli

COMMAND = (sys.executable, "-c", "from handlers.cli import main; main()", "backtest")
CLOSES = (100, 103, 101, 106, 104, 109, 112, 108, 111, 115, 113, 118)
STRATEGY = '''
"""Buys at the close of bar `enter`, sells at that of bar `leave`, has had enough at `stop`."""

import json
import os
import threading
import time
from pathlib import Path

import httpx
from websockets.sync.client import connect


class Tiny:
    def __init__(self, enter="2", leave="6", stop="0", do="trade"):
        self.turns = {int(enter): "BUY", int(leave): "SELL"}
        self.stop, self.do = int(stop), do

    def run(self, url):
        marks = os.environ.get("TINY_MARKS")
        if marks and mark(marks).exists():
            self.second(Path(marks))
        if self.do == "die":
            os._exit(7)
        with httpx.Client(base_url=url) as http:
            with connect(f"ws{url.removeprefix('http')}/ws?types=candle") as events:
                self.trade(http, events)
        if marks:
            mark(marks).touch()

    def second(self, marks):
        """The second run of a process hangs, or waits until another one does."""
        if os.environ.get("TINY_HANGS"):
            mark(marks).with_suffix(".hangs").touch()
            threading.Event().wait()
        while not list(marks.glob("*.hangs")):
            time.sleep(0.05)

    def trade(self, http, events):
        seen = 0
        for text in events:
            frame = json.loads(text)
            if frame["type"] == "backtest_complete":
                return
            if frame["type"] == "candle":
                seen += 1
                if self.do == "raise":
                    http.get("/orders/unknown").raise_for_status()
                if seen == self.stop:
                    return
                if seen in self.turns:
                    self.order(http, self.turns[seen])
            if "event_id" in frame:
                ack = {"type": "event_ack", "correlation_id": "x", "timestamp": 0}
                events.send(json.dumps({**ack, "events_processed": [frame["event_id"]]}))

    def order(self, http, side):
        order = {"symbol": "AAPL", "side": side, "quantity": "10", "order_type": "MARKET"}
        http.post("/orders", json=order).raise_for_status()


def mark(folder):
    return Path(folder, str(os.getpid()))
'''


def prepare(folder: Path) -> list[str]:
    """Write history and strategy into a folder; the options of a run over them."""
    bars = [
        f"2024-01-{day:02},{close},{close + 2},{close - 2},{close + 1},1000\n"
        for day, close in enumerate(CLOSES, start=1)
    ]
    data = folder / "AAPL.csv"
    data.write_text("timestamp,open,high,low,close,volume\n" + "".join(bars))
    (folder / "tiny.py").write_text(STRATEGY)
    return ["--data", str(data), "--strategy", "tiny:Tiny"]


def backtest(*arguments: str) -> int:
    """Run the command in this process; the exit status."""
    with as_it_was(), pytest.raises(SystemExit) as caught:
        cli.main(["backtest", *arguments])
    code = caught.value.code
    assert isinstance(code, int)
    return code


@contextmanager
def as_it_was() -> Iterator[None]:
    """Undo what belongs to a process of the command's own."""
    root = logging.getLogger()
    handlers, level, path = root.handlers[:], root.level, sys.path[:]
    interval = sys.getswitchinterval()
    try:
        yield
    finally:
        root.handlers[:], sys.path[:] = handlers, path
        root.setLevel(level)
        sys.setswitchinterval(interval)
        sys.modules.pop("tiny", None)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
