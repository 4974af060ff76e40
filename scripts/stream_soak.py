"""Many clients of one event stream, a server that is killed in the middle, and a reckoning.

Clients of several accounts listen while orders are traded. The server is killed with SIGKILL and
started again on the same port; the clients resume where they were. In the end every client must
have heard every event of its account exactly once, as the database has them.

Usage: stream_soak.py [--clients N] [--accounts N] [--seconds N] [--traders N] [--kills N]
       [--workers N] [--rate N]
The exit status is 1 if a client missed an event or heard one twice.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson
import websockets

from contract_tests.laboratory.servers import Server

CATCH_UP_SECONDS = 120
TYPES = "order,trade,position,account,error"
ORDER = {"symbol": "AAPL", "quantity": "1", "order_type": "MARKET"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of it; `rate` is how many orders are sent a second at most, by all traders."""

    clients: int = 1000
    accounts: int = 20
    seconds: float = 20
    traders: int = 4
    kills: int = 1
    workers: int = 1
    rate: float = 40


@dataclass
class Client:
    """One listener, and what it has heard."""

    account: str
    ids: list[int] = field(default_factory=list)
    connections: int = 0

    @property
    def last(self) -> int:
        return self.ids[-1] if self.ids else 0

    def take(self, text: str | bytes) -> None:
        frame = orjson.loads(text)
        if "event_id" in frame:
            self.ids.append(int(frame["event_id"]))

    async def follow(self, port: int) -> None:
        """Listen until cancelled; whatever ends a connection, resume."""
        while True:
            url = f"ws://127.0.0.1:{port}/ws?types={TYPES}&after={self.last}"
            with contextlib.suppress(OSError, websockets.WebSocketException):
                async with websockets.connect(
                    url,
                    additional_headers={"X-API-Key": key_of(self.account)},
                    compression=None,
                    proxy=None,
                    open_timeout=60,
                ) as socket:
                    self.connections += 1
                    async for text in socket:
                        self.take(text)
            await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311


@dataclass(frozen=True)
class Outcome:
    """The reckoning; `rate` is that of frames heard by all clients before the first kill."""

    orders: int
    events: int
    frames: int
    connections: int
    missed: int
    repeated: int
    rate: float
    caught_up: float

    def __str__(self) -> str:
        return (
            f"{self.orders} orders acknowledged, {self.events} events in the log\n"
            f"{self.frames} frames heard over {self.connections} connections,"
            f" {self.rate:.0f} a second before the first kill\n"
            f"all caught up {self.caught_up:.1f} s after the last order\n"
            f"missed {self.missed}, repeated {self.repeated}"
        )


def key_of(account: str) -> str:
    return f"{account}-key-for-the-soak"


class Soak:
    """One run in a directory of its own."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        self._plan = plan
        names = [f"account-{number}" for number in range(plan.accounts)]
        keys = ",".join(f"{name}:{key_of(name)}" for name in names)
        options = {"API_KEYS": keys, "LOG_LEVEL": "warning", "PAPER_INITIAL_BALANCE": "100000000"}
        options["WORKERS"] = str(plan.workers)
        self._server = Server(directory, options=options)
        self._names = names
        self._clients = [Client(names[n % len(names)]) for n in range(plan.clients)]
        self._orders = 0
        self._rate = 0.0
        self._closed = False

    async def run(self) -> Outcome:
        await asyncio.to_thread(self._server.start)
        try:
            async with asyncio.TaskGroup() as group:
                following = [
                    group.create_task(client.follow(self._server.port)) for client in self._clients
                ]
                await self._until(lambda: all(client.connections for client in self._clients))
                await self._trade()
                began = time.monotonic()
                await self._until(self._caught_up)
                caught_up = time.monotonic() - began
                for task in following:
                    task.cancel()
        finally:
            await asyncio.to_thread(self._server.stop)
        return self._reckoning(caught_up)

    async def _trade(self) -> None:
        """Trade to the plan, with the kills evenly between."""
        limits = httpx.Limits(max_connections=self._plan.traders)
        async with httpx.AsyncClient(
            base_url=self._server.url, trust_env=False, timeout=10, limits=limits
        ) as http:
            traders = [
                asyncio.create_task(self._trader(http, number))
                for number in range(self._plan.traders)
            ]
            pause = self._plan.seconds / (self._plan.kills + 1)
            await asyncio.sleep(pause)
            self._rate = self._heard() / pause
            for _ in range(self._plan.kills):
                await asyncio.to_thread(self._server.restart)
                await asyncio.sleep(pause)
            self._closed = True
            await asyncio.gather(*traders)  # with what they have sent: it may still be traded

    async def _trader(self, http: httpx.AsyncClient, number: int) -> None:
        sides = ("BUY", "SELL")
        for turn in itertools.takewhile(lambda _: not self._closed, itertools.count()):
            account = self._names[(number + turn * self._plan.traders) % len(self._names)]
            due = time.monotonic() + self._plan.traders / self._plan.rate
            order = ORDER | {"side": sides[turn // len(self._names) % 2]}
            with contextlib.suppress(httpx.TransportError):
                answer = await http.post(
                    "/orders", json=order, headers={"X-API-Key": key_of(account)}
                )
                self._orders += answer.status_code == 201
            await asyncio.sleep(max(0, due - time.monotonic()))

    def _heard(self) -> int:
        return sum(len(client.ids) for client in self._clients)

    def _caught_up(self) -> bool:
        newest = {account: ids[-1] if ids else 0 for account, ids in self._log().items()}
        return all(client.last == newest[client.account] for client in self._clients)

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(CATCH_UP_SECONDS):
            while not reached():  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.1)

    def _log(self) -> dict[str, list[int]]:
        """The ids of all events by account, as the database has them."""
        database = sqlite3.connect(f"file:{self._server.database}?mode=ro", uri=True)
        with contextlib.closing(database):
            found: dict[str, list[int]] = {name: [] for name in self._names}
            for account, id_ in database.execute("SELECT account, id FROM events ORDER BY id"):
                found[account].append(id_)
            return found

    def _reckoning(self, caught_up: float) -> Outcome:
        log = self._log()
        return Outcome(
            orders=self._orders,
            events=sum(map(len, log.values())),
            frames=self._heard(),
            connections=sum(client.connections for client in self._clients),
            missed=sum(len(set(log[client.account]) - set(client.ids)) for client in self._clients),
            repeated=sum(
                later <= earlier
                for client in self._clients
                for earlier, later in zip(client.ids, client.ids[1:], strict=False)
            ),
            rate=self._rate,
            caught_up=caught_up,
        )


def soak(plan: Plan, directory: Path) -> Outcome:
    """Run a plan; raises TimeoutError if some client never catches up."""
    return asyncio.run(Soak(plan, directory).run())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the plan of the command line, print the outcome."""
    defaults = Plan()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("clients", "accounts", "traders", "kills", "workers"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    for name in ("seconds", "rate"):
        parser.add_argument(f"--{name}", type=float, default=getattr(defaults, name))
    plan = Plan(**vars(parser.parse_args(argv)))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"{plan}")
    with tempfile.TemporaryDirectory() as directory:
        outcome = soak(plan, Path(directory))
    print(outcome)
    return 1 if outcome.missed or outcome.repeated else 0


if __name__ == "__main__":
    sys.exit(main())
