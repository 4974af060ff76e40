"""Starts servers as processes of their own and points the suite at them.

Nothing here knows the server but its command and its environment.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract_tests.api import Api
from contract_tests.client import Client
from contract_tests.lab import NEEDS, Keyed, Lab, Restartable, Session
from contract_tests.runner import Watcher
from contract_tests.servers import Server
from contract_tests.traffic import Exchange, Statuses

FUNDS = {"PAPER_INITIAL_BALANCE": "10000000"}
"""Enough to buy more than a quote shows, several times over."""

KEYS = {"alice": "alice-key-for-the-tests", "bob": "bob-key-for-the-tests"}
"""API keys by account, of the server that asks for them."""

NERVOUS = {
    "PAPER_INITIAL_BALANCE": "1000",
    "PAPER_VOLATILITY": "10",
    "PAPER_TICK_INTERVAL": "0.25",
    "PAPER_MAX_LEVERAGE": "20",
    "PAPER_MAINTENANCE": "0.0495",
    "PAPER_MAKER_FEE": "0",
    "PAPER_TAKER_FEE": "0",
}
"""Of a margin of 5 % a move of 0.05 % leaves less than the maintenance."""

TIME_SHIFT = Path(__file__).with_name("time_shift")
DAYS = 86_400

Launch = Callable[..., Server]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the tests that repeat themselves."""
    parser.addoption("--kill-rounds", type=int, default=None, help="how often the server is killed")


def pytest_configure(config: pytest.Config) -> None:
    """Markers of our own."""
    config.addinivalue_line("markers", "last: judges what the whole session did, so it runs last")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges the whole session comes last."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


# --- servers ---


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


FLEET = pytest.StashKey[Fleet]()


@pytest.fixture(scope="session")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Fleet]:
    """All servers of the session; none outlives it."""
    fleet = Fleet(tmp_path_factory.mktemp)
    request.config.stash[FLEET] = fleet
    yield fleet
    fleet.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note where the logs end, so that a failure shows what came after."""
    if fleet := item.config.stash.get(FLEET, None):
        for server in fleet.servers:
            server.mark_log()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the servers logged meanwhile."""
    report = yield
    fleet = item.config.stash.get(FLEET, None)
    if report.failed and fleet is not None:
        for server in fleet.servers:
            if text := server.tail():
                report.sections.append((f"log of {server.directory.name}", text))
    return report


@pytest.fixture(scope="session")
def server(fleet: Fleet) -> Server:
    """The server that most tests talk to."""
    return fleet.launch("main", options=FUNDS)


# --- what looks at the traffic ---


@pytest.fixture(scope="session")
def statuses() -> Statuses:
    """Every status that any operation of any server answered in this session."""
    return Statuses()


@pytest.fixture(scope="session")
def watcher() -> Watcher:
    """Finds answers that break a requirement nobody was judging just then."""
    return Watcher()


Connect = Callable[..., Api]


@pytest.fixture(scope="session")
def connect(statuses: Statuses, watcher: Watcher) -> Iterator[Connect]:
    """Makes an Api of a URL whose traffic counts."""
    clients: list[Client] = []

    def watch(exchange: Exchange) -> None:
        statuses.add(exchange.operation, exchange.status)
        watcher(exchange)

    def connect(url: str, headers: dict[str, str] | None = None, lab: Lab | None = None) -> Api:
        clients.append(Client(url, headers, watch=watch))
        return Api(clients[-1], lab=lab)

    yield connect
    for client in clients:
        client.close()


class SessionLab(Lab):
    """Offers everything, each on a server of its own that starts when it is first asked for."""

    offers = frozenset(NEEDS)

    def __init__(self, fleet: Fleet, connect: Connect) -> None:
        self._fleet = fleet
        self._connect = connect
        self._running: dict[str, Server] = {}

    def server(self, name: str, **options: Any) -> Server:
        """The server of that name, started at the first call."""
        if name not in self._running:
            self._running[name] = self._fleet.launch(name, **options)
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
        return Restartable(api=self._connect(server.url), restart=server.restart)

    def faulty(self, fault: str) -> Api:
        """A server whose provider fails in every operation."""
        return self._connect(self._faulty_server(fault).url)

    def _faulty_server(self, fault: str) -> Server:
        return self.server(f"fault-{fault}", options={"PAPER_FAULT": fault})

    def without_provider(self) -> Api:
        """A server that was told to have none."""
        return self._connect(self.server("no-provider", provider="none").url)

    def nervous(self) -> Api:
        """A server whose market moves by more than its margins bear."""
        return self._connect(self.server("nervous", options=NERVOUS).url)

    def hedging(self) -> Api:
        """A server whose accounts hedge."""
        options = FUNDS | {"PAPER_POSITION_MODE": "HEDGING"}
        return self._connect(self.server("hedging", options=options).url, lab=self)

    def session(self) -> Session:
        """A server that is stopped, and started again with its clock two days ahead."""
        server = self.server("session")

        def end() -> None:
            server.stop()
            server.environment = {"PYTHONPATH": str(TIME_SHIFT), "SHIFT_SECONDS": str(2 * DAYS)}
            server.start()

        return Session(api=self._connect(server.url), end=end)


@pytest.fixture(scope="session")
def lab(fleet: Fleet, connect: Connect) -> SessionLab:
    """What the checks may ask for beyond one server."""
    return SessionLab(fleet, connect)


@pytest.fixture(scope="session")
def api(server: Server, connect: Connect, lab: SessionLab) -> Api:
    """The main server, as the checks see it."""
    return connect(server.url, lab=lab)
