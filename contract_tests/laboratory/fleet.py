"""A Lab of servers that are started when a check first asks for them.

Nothing here knows the server but its command and its environment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from contract_tests.laboratory.servers import Server
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.lab import NEEDS, Keyed, Lab, Restartable, Session

FUNDS: Final = {"PAPER_INITIAL_BALANCE": "10000000"}
"""Enough to buy more than a quote shows, several times over."""

KEYS: Final = {"alice": "alice-key-for-the-tests", "bob": "bob-key-for-the-tests"}
"""API keys by account, of the server that asks for them."""

NERVOUS: Final = {
    "PAPER_INITIAL_BALANCE": "3000",
    "PAPER_VOLATILITY": "10",
    "PAPER_TICK_INTERVAL": "0.25",
    "PAPER_MAX_LEVERAGE": "20",
    "PAPER_MAINTENANCE": "0.0499",
    "PAPER_MAKER_FEE": "0",
    "PAPER_TAKER_FEE": "0",
}
"""Of a margin of 5 % a move of 0.01 % leaves less than the maintenance."""

IMPATIENT: Final = {"PAPER_TICK_INTERVAL": "0.01", "STREAM_SEND_SECONDS": "0.2"}
"""Hundreds of quotes a second: what the systems buffer on a thin line is soon full."""

BRISK: Final = {"HEARTBEAT_SECONDS": "1"}
"""Whoever waits for a ping does not wait long."""

SECONDS_BEFORE: Final = 48
"""The second at which a minute begins to end: a server takes some to start."""

TIME_SHIFT: Final = Path(__file__).with_name("time_shift")
DAY: Final = 86_400


class Connect(Protocol):
    """Makes an Api of a URL."""

    def __call__(
        self, url: str, headers: dict[str, str] | None = None, lab: Lab | None = None
    ) -> Api: ...


class Fleet:
    """The servers that run now."""

    def __init__(self, directory: Callable[[str], Path]) -> None:
        self._directory = directory
        self.servers: list[Server] = []

    def launch(self, name: str, **options: Any) -> Server:
        """Start a server; see Server for the options."""
        server = Server(self._directory(name), **options)
        self.servers.append(server)
        return server.start()

    def stop(self) -> None:
        """Stop them all."""
        while self.servers:
            self.servers.pop().stop()


class SessionLab(Lab):
    """Offers everything, each on a server of its own that starts when it is first asked for."""

    offers = frozenset(NEEDS)

    def __init__(self, fleet: Fleet, connect: Connect) -> None:
        self._fleet = fleet
        self._connect = connect
        self._running: dict[str, Server] = {}
        self._days_ahead = 0

    def server(
        self, name: str, *, provider: str = "paper", options: Mapping[str, str] | None = None
    ) -> Server:
        """The server of that name, started at the first call."""
        if name not in self._running:
            self._running[name] = self._fleet.launch(name, provider=provider, options=options)
        return self._running[name]

    def _keyed_server(self) -> Server:
        keys = ",".join(f"{account}:{key}" for account, key in KEYS.items())
        return self.server("keys", options=FUNDS | {"API_KEYS": keys})

    def keyed(self) -> Keyed:
        """A server with two accounts, seen by one of them."""
        url = self._keyed_server().url
        key = KEYS["alice"]
        bearer = {"Authorization": f"Bearer {key}"}
        return Keyed(api=self._connect(url, bearer), anonymous=self._connect(url), key=key)

    def accounts(self) -> tuple[Api, Api]:
        """Both accounts of that server."""
        url = self._keyed_server().url
        first, second = ({"X-API-Key": key} for key in KEYS.values())
        return self._connect(url, first), self._connect(url, second)

    def restartable(self) -> Restartable:
        """A server that nothing else uses."""
        server = self.server("restart")
        return Restartable(
            api=self._connect(server.url), restart=server.restart, finish=server.finish
        )

    def faulty(self, fault: str) -> Api:
        """A server whose provider fails in every operation."""
        return self._connect(self._faulty_server(fault).url)

    def _faulty_server(self, fault: str) -> Server:
        return self.server(f"fault-{fault}", options={"PAPER_FAULT": fault})

    def breaking(self) -> Api:
        """A server that is started anew: no failure counts yet."""
        running = "breaking" in self._running
        server = self.server("breaking", options={"PAPER_FAULT": "provider_error"})
        if running:
            server.restart()
        return self._connect(server.url)

    def without_provider(self) -> Api:
        """A server that was told to have none."""
        return self._connect(self.server("no-provider", provider="none").url)

    def minute_end(self) -> Api:
        """A server that is started anew with its clock a few seconds before the full minute."""
        server = self.server("minute")
        server.stop()
        ahead = (SECONDS_BEFORE - time.time()) % 60
        server.environment = {"PYTHONPATH": str(TIME_SHIFT), "SHIFT_SECONDS": f"{ahead:.3f}"}
        server.start()
        return self._connect(server.url)

    def impatient(self) -> Api:
        """A server with a great many quotes."""
        return self._connect(self.server("impatient", options=FUNDS | IMPATIENT).url)

    def nervous(self) -> Api:
        """A server whose market moves by more than its margins bear."""
        return self._connect(self.server("nervous", options=NERVOUS).url)

    def hedging(self) -> Api:
        """A server whose accounts hedge."""
        options = FUNDS | {"PAPER_POSITION_MODE": "HEDGING"}
        return self._connect(self.server("hedging", options=options).url, lab=self)

    def session(self) -> Session:
        """A server that is stopped, and started again with its clock two days further ahead."""
        server = self.server("session")

        def end() -> None:
            server.stop()
            self._days_ahead += 2
            shift = str(self._days_ahead * DAY)
            server.environment = {"PYTHONPATH": str(TIME_SHIFT), "SHIFT_SECONDS": shift}
            server.start()

        return Session(api=self._connect(server.url), end=end)
