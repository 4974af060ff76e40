"""Servers under test, each a process of its own that is gone when the session is."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

STARTUP_SECONDS: Final = 90.0
STOP_SECONDS: Final = 10.0
COMMAND: Final = Path(sys.executable).with_name("trading-api")
PREFIX: Final = "TRADING_API_"


PORTS: Final = range(10_000, 32_000)
"""Below those that a system gives away by itself: nobody gets one while its server starts."""


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Server:
    """`trading-api serve` on a free port, with its own database and log in `directory`.

    `options` are settings without their prefix, such as {"PAPER_FAULT": "unavailable"}; those of
    the environment do not reach it. `environment` may be filled before a start.
    """

    def __init__(
        self,
        directory: Path,
        *,
        provider: str = "paper",
        options: Mapping[str, str] | None = None,
        database: Path | None = None,
    ) -> None:
        self.directory = directory
        self.database = database or directory / "orders.db"
        self.log = directory / "server.log"
        self.port = free_port()
        self.environment: dict[str, str] = {}
        self._options = dict(options or {})
        self._provider = provider
        self._marked = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        """Start the process and return once it answers; raises RuntimeError with its log if not."""
        command = [
            str(COMMAND),
            "serve",
            "--port",
            str(self.port),
            "--provider",
            self._provider,
            "--database-url",
            f"sqlite:///{self.database}",
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                command,
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_answer()
        return self

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        settings = {PREFIX + name: value for name, value in self._options.items()}
        return inherited | settings | self.environment

    def _await_answer(self) -> None:
        probe = "/health" if self._provider == "none" else "/ready"
        deadline = time.monotonic() + STARTUP_SECONDS
        with httpx.Client(base_url=self.url, trust_env=False, timeout=5) as http:
            while time.monotonic() < deadline and self.alive:
                try:
                    if http.get(probe).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the server did not start:\n{self.tail()}")

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End the process group at once, as a power cut would."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to finish, and kill it if it takes too long."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)

    def restart(self) -> None:
        """Kill it and start it again on the same port and database."""
        self.kill()
        self.start()

    def finish(self) -> None:
        """Tell it to stop, and start it again on the same port and database."""
        self.stop()
        self.start()

    def mark_log(self) -> None:
        """Let `tail` begin here."""
        self._marked = self.log.stat().st_size if self.log.exists() else 0

    def tail(self, lines: int = 25) -> str:
        """The end of what was logged since the mark."""
        text = self.log.read_bytes()[self._marked :] if self.log.exists() else b""
        return "\n".join(text.decode("utf-8", "replace").splitlines()[-lines:])
