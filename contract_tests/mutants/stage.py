"""Servers behind proxies, as a Lab: whatever a check asks for is the same mutant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from contract_tests.laboratory.fleet import BRISK, FUNDS, Connect, Fleet, SessionLab
from contract_tests.laboratory.servers import Server
from contract_tests.mutants.messages import Mutation, straight
from contract_tests.mutants.proxy import Proxy
from contract_tests.running.checks import Watcher
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.client import Client
from contract_tests.toolkit.lab import Lab, Restartable
from contract_tests.toolkit.market import Market

QUICK: Final = {"PAPER_TICK_INTERVAL": "0.2", "PAPER_SYNCHRONOUS": "NORMAL"} | BRISK
"""Whoever waits for quotes does not wait long, and nobody pulls the plug."""

ACCOUNTS: Final = 2000
"""More than one worker needs: each mutant has an account of its own, whatever it leaves there."""


class On(StrEnum):
    """The server that a wrong is seen on, where it is not the main one."""

    MAIN = "main"
    KEYS = "keys"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    BREAKING = "breaking"
    NO_PROVIDER = "no provider"


Restarted = Callable[[Server, Mapping[str, str]], None]


def key_of(account: int) -> str:
    """The API key of one of the accounts."""
    return f"mutant-key-number-{account:04}"


def stay(server: Server, headers: Mapping[str, str]) -> None:
    """What a server without faults does when it has started again: nothing."""
    del server, headers


class Stage:
    """All servers of a worker. `become` makes them all one mutant, and the account a new one."""

    def __init__(self, directory: Path) -> None:
        self.watcher = Watcher()
        self._directory = directory
        self._fleet = Fleet(self._made)
        self._clients: list[Client] = []
        self._markets: dict[str, Market] = {}
        self._proxies: dict[str, Proxy] = {}
        self._make: Callable[[], Mutation] = lambda: straight
        self._account = 0
        self.restarted: Restarted = stay
        self.lab = _ProxiedLab(self, self._fleet, self.connect)

    def _made(self, name: str) -> Path:
        directory = self._directory / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    @property
    def headers(self) -> dict[str, str]:
        """The key of the account in force."""
        return {"x-api-key": key_of(self._account)}

    def become(self, make: Callable[[], Mutation], restarted: Restarted = stay) -> None:
        """From now on be the server that `make` describes, each proxy with a state of its own."""
        self._account += 1
        if self._account >= ACCOUNTS:
            raise RuntimeError("more mutants than accounts")
        self._make, self.restarted = make, restarted
        self.close_clients()
        self._markets.clear()
        self.watcher.take()
        for proxy in self._proxies.values():
            self._dress(proxy)

    def mistakes(self) -> list[str]:
        """What went wrong in the mutant itself since it came on."""
        return [one for proxy in self._proxies.values() for one in proxy.mistakes]

    def _dress(self, proxy: Proxy) -> None:
        proxy.mutation, proxy.mistakes = self._make(), []
        proxy.headers = {} if proxy.upstream == self.lab.asks_for_keys() else self.headers

    def connect(
        self, url: str, headers: dict[str, str] | None = None, lab: Lab | None = None
    ) -> Api:
        """An Api that sees a server through its proxy."""
        client = Client(self.proxy(url).url, headers, watch=self.watcher, timeout=SECONDS)
        self._clients.append(client)
        api = Api(client, lab=lab)
        api.market.learn_from(self._markets.get(url, api.market))
        self._markets[url] = api.market
        return api

    def proxy(self, url: str) -> Proxy:
        """The proxy in front of a server."""
        if url not in self._proxies:
            self._proxies[url] = Proxy(url).start()
            self._dress(self._proxies[url])
        return self._proxies[url]

    def main(self) -> Server:
        """The server that most checks talk to."""
        return self.lab.server("main", options=FUNDS)

    def address(self, on: On) -> str:
        """Where the server is that a wrong is seen on."""
        match on:
            case On.KEYS:
                self.lab.keyed()
                return self.lab.asks_for_keys() or ""
            case On.UNAVAILABLE | On.RATE_LIMITED:
                return self.lab.server(f"fault-{on}", options={"PAPER_FAULT": str(on)}).url
            case On.BREAKING:
                self.lab.breaking()
                return self.lab.server("breaking").url
            case On.NO_PROVIDER:
                return self.lab.server("no-provider", provider="none").url
        return self.main().url

    def api(self) -> Api:
        """That server, as the checks see it."""
        return self.connect(self.main().url, lab=self.lab)

    def tidy(self) -> None:
        """Leave nothing in the market of what the mutant did; asks the servers themselves."""
        for url in self._proxies:
            if url not in self.lab.unkeyed():
                with Client(url, self.headers) as client:
                    client.send("DELETE", "/orders")
                    client.send("DELETE", "/positions")

    def close_clients(self) -> None:
        """Close the connections of the checks."""
        while self._clients:
            self._clients.pop().close()

    def close(self) -> None:
        """Stop everything."""
        self.close_clients()
        for proxy in self._proxies.values():
            proxy.stop()
        self._fleet.stop()


SECONDS: Final = 10.0


class _ProxiedLab(SessionLab):
    """A SessionLab whose servers are quick and know the accounts of the mutants."""

    def __init__(self, stage: Stage, fleet: Fleet, connect: Connect) -> None:
        super().__init__(fleet, connect)
        self._stage = stage

    def server(
        self, name: str, *, provider: str = "paper", options: Mapping[str, str] | None = None
    ) -> Server:
        """The server of that name; one that asks for keys of its own is left with those."""
        accounts = ",".join(f"mutant-{n}:{key_of(n)}" for n in range(ACCOUNTS))
        keys = {} if provider == "none" else {"API_KEYS": accounts}
        settings = QUICK | keys | dict(options or {})
        return super().server(name, provider=provider, options=settings)

    def asks_for_keys(self) -> str | None:
        """Where the server with keys of its own is; None while it does not run."""
        return self._running["keys"].url if "keys" in self._running else None

    def unkeyed(self) -> set[str]:
        """Where the servers are that the accounts of the mutants cannot tidy."""
        names = ("keys", "no-provider", "breaking", "fault-unavailable", "fault-rate_limited")
        return {self._running[name].url for name in names if name in self._running}

    def restartable(self) -> Restartable:
        """A server that does what the mutant does once it is there again."""
        plain = super().restartable()
        server = self.server("restart")

        def restart() -> None:
            plain.restart()
            self._stage.restarted(server, self._stage.headers)

        return Restartable(api=plain.api, restart=restart, finish=plain.finish)


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    """A stage for as long as the block lasts."""
    stage = Stage(directory)
    try:
        yield stage
    finally:
        stage.close()
