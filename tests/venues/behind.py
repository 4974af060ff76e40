"""Our server in front of an emulated venue, both as processes of their own, as users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from contract_tests.laboratory.servers import PREFIX, Server, free_port

COMMAND: Final = (sys.executable, "-m", "tests.venues.emulate")
ROOT: Final = Path(__file__).resolve().parents[2]
SYMBOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "alpaca": ("AAPL=2", "BTC/USD=0.02"),
    "binance": ("BTC/USDT=0.02", "ETH/USDT=0.2"),
    "oanda": ("EUR/USD=20000", "GBP/USD=20000"),
    "saxo": ("EUR/USD=20000", "AAPL=2"),
    "ccxt": ("BTC/USD=0.02", "ETH/USD=0.2"),
}
"""What the suite trades at each venue, in orders of a usual size."""


RICH: Final = 100_000_000
"""Enough to buy more than a quote shows, which some checks must."""


@dataclass(frozen=True)
class Behind:
    """`server` is ours, `violations` asks the emulator what broke its venue's specification."""

    server: Server
    emulator: str
    emulator_url: str

    @property
    def arguments(self) -> list[str]:
        """What `trading-conformance run` is told."""
        return [self.server.url, *(f"--symbol={symbol}" for symbol in SYMBOLS[self.emulator])]

    def violations(self) -> list[str]:
        """What was not as the venue specifies it."""
        found: list[str] = httpx.get(f"{self.emulator_url}/_violations", timeout=10).json()
        return found


@contextmanager
def behind(venue: str, folder: Path, **exchange: object) -> Iterator[Behind]:
    """Start both, and end both. `exchange` are settings of the exchange inside the emulator."""
    port = free_port()
    with emulating(venue, folder, port, exchange) as environment:
        options = {name.removeprefix(PREFIX): value for name, value in environment.items()}
        server = Server(folder, provider=venue, options=options).start()
        try:
            yield Behind(server, venue, f"http://127.0.0.1:{port}")
        finally:
            server.stop()


@contextmanager
def emulating(
    venue: str, folder: Path, port: int, exchange: Mapping[str, object]
) -> Iterator[dict[str, str]]:
    """An emulator as a process; yields the variables with which a server finds it."""
    chosen = {"initial_balance": RICH, **exchange}
    settings = [f"{name}={value}" for name, value in chosen.items()]
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.venues.emulate",
                venue,
                f"--port={port}",
                "--set",
                *settings,
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        yield told(process)
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def told(process: subprocess.Popen[str]) -> dict[str, str]:
    """The variables that it prints before it serves."""
    variables: dict[str, str] = {}
    for line in process.stdout or ():
        name, equals, value = line.rstrip("\n").partition("=")
        if not equals:
            return variables
        variables[name] = value
    raise RuntimeError(f"the emulator ended with {process.wait()}; see emulator.log")
