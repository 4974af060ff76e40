"""Starts servers as processes of their own and points the suite at them.

Nothing here knows the server but its command and its environment.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from contract_tests.laboratory.fleet import BRISK, FUNDS, Connect, Fleet, SessionLab
from contract_tests.laboratory.servers import Server
from contract_tests.running.checks import Watcher
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.client import Client
from contract_tests.toolkit.lab import Lab
from contract_tests.wire.traffic import Exchange, Statuses


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the tests that repeat themselves."""
    parser.addoption("--kill-rounds", type=int, default=None, help="how often the server is killed")
    parser.addoption("--mutants", type=int, default=None, help="the number of a dozen mutants")


def pytest_configure(config: pytest.Config) -> None:
    """Markers of our own; and the number of the day, which processes must not tell differently."""
    config.addinivalue_line("markers", "last: judges what the whole session did, so it runs last")
    if config.option.mutants is None:
        config.option.mutants = datetime.now(UTC).date().toordinal()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges the whole session comes last."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


# --- several processes ---

WHOLE_SESSION: Final = {
    "test_coverage.py",
    "test_errors.py",
    "test_requirements.py",
    "test_schemathesis.py",
    "test_statuses.py",
}
"""Modules that one process runs: what all of them saw is judged together in the end."""


class ByModule(LoadScopeScheduling):
    """Whichever process runs a module's first test runs all of them, on the same servers."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return "the whole session" if PurePath(module).name in WHOLE_SESSION else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """However the tests are to be distributed, modules stay whole."""
    return ByModule(config, log)


# --- servers ---

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
    return fleet.launch("main", options=FUNDS | BRISK)


# --- what looks at the traffic ---


@pytest.fixture(scope="session")
def statuses() -> Statuses:
    """Every status that any operation of any server answered in this session."""
    return Statuses()


WATCHER = pytest.StashKey[Watcher]()


@pytest.fixture(scope="session")
def watcher(request: pytest.FixtureRequest) -> Watcher:
    """Finds answers that break a requirement nobody was judging just then."""
    return request.config.stash.setdefault(WATCHER, Watcher())


@pytest.fixture(autouse=True)
def nothing_else_breaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test whose traffic breaks a requirement fails, whatever it was judging."""
    yield
    watcher = request.config.stash.get(WATCHER, None)
    found = watcher.take() if watcher else []
    if found:
        pytest.fail("\n".join(f"{one.requirement}: {one.failure}" for one in found[:5]), False)


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


@pytest.fixture(scope="session")
def lab(fleet: Fleet, connect: Connect) -> SessionLab:
    """What the checks may ask for beyond one server."""
    return SessionLab(fleet, connect)


@pytest.fixture(scope="session")
def api(server: Server, connect: Connect, lab: SessionLab) -> Api:
    """The main server, as the checks see it."""
    return connect(server.url, lab=lab)
