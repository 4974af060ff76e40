"""Massive's streams: the clusters stocks, crypto and forex, and their channels of quotes.

What is told is held to the schemas of Massive's own document, where that is at hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator
from typing import Any

import jsonschema_rs
import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from providers.base import Instrument
from tests.venues.contract import find, read
from tests.venues.exchange import Backing
from tests.venues.faults import Faults, Scrambler
from tests.venues.massive import answers
from tests.venues.serving import Judge

SPECIFICATION = "massive-websocket.json"
PATHS = {"Q": "/stocks/Q", "XQ": "/crypto/XQ", "C": "/forex/C"}


@functools.cache
def schemas() -> dict[str, Any]:
    """The schema of each event; none where the document is not at hand."""
    path = find(SPECIFICATION)
    if path is None:
        return {}
    paths = read(path)["paths"]
    found = {}
    for event, place in PATHS.items():
        content = paths[place]["get"]["responses"]["200"]["content"]["application/json"]
        found[event] = jsonschema_rs.validator_for(content["schema"])
    return found


def status(kind: str, message: str) -> list[dict[str, Any]]:
    return [{"ev": "status", "status": kind, "message": message}]


class Client:
    """One connection to a cluster, and the topics it has subscribed to."""

    def __init__(self, socket: WebSocket, faults: Faults) -> None:
        self.socket = socket
        self.topics: set[str] = set()
        self._faults = faults
        self._scrambler = Scrambler(faults)

    async def tell(self, events: list[dict[str, Any]]) -> None:
        """Events always come in a list."""
        if self._faults.strikes("dropped"):
            await self.socket.close(1011)
            return
        for each in self._scrambler.of(events):
            await self.socket.send_text(orjson.dumps(each, default=float).decode())


class Streams:
    """All connections."""

    def __init__(self, inside: Backing, faults: Faults, judge: Judge, key: str) -> None:
        self.clients: set[Client] = set()
        self.connected = 0
        self._inside = inside
        self._faults = faults
        self._judge = judge
        self._key = key

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """While the market runs: tell its quotes."""
        task = asyncio.create_task(self._quotes())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        client = Client(socket, self._faults)
        await client.socket.send_json(status("connected", "Connected Successfully"))
        try:
            if await self._authenticated(socket):
                self.clients.add(client)
                self.connected += 1
                while True:
                    await self._hear(client, json.loads(await socket.receive_text()))
        except WebSocketDisconnect:
            pass
        finally:
            self.clients.discard(client)

    async def _authenticated(self, socket: WebSocket) -> bool:
        said = json.loads(await socket.receive_text())
        if said == {"action": "auth", "params": self._key}:
            await socket.send_json(status("auth_success", "authenticated"))
            return True
        await socket.send_json(status("auth_failed", "authentication failed"))
        await socket.close(1008)
        return False

    async def _hear(self, client: Client, said: dict[str, Any]) -> None:
        if said.get("action") not in ("subscribe", "unsubscribe") or set(said) != {
            "action",
            "params",
        }:
            self._judge.violations.append(f"not understood: {said}")
            return
        cluster = client.socket.url.path.strip("/")
        for topic in said["params"].split(","):
            if self._listed(cluster, topic) is None:
                self._judge.violations.append(f"{cluster} has no topic {topic}")
            change = client.topics.add if said["action"] == "subscribe" else client.topics.discard
            change(topic)
            await client.socket.send_json(status("success", f"{said['action']}d to: {topic}"))

    def _listed(self, cluster: str, topic: str) -> Instrument | None:
        asset_class = answers.CLUSTERS[cluster]
        listed = self._inside.market.instruments.values()
        found = [each for each in listed if each.asset_class is asset_class]
        return next((each for each in found if topic == topic_of(each)), None)

    async def _quotes(self) -> None:
        """Each quote once, to those who are subscribed to it."""
        last: dict[str, Any] = {}
        market = self._inside.market
        while True:
            await asyncio.sleep(0.02)
            topics = {topic for client in self.clients for topic in client.topics}
            for listed in market.instruments.values():
                if topic_of(listed) not in topics:
                    continue
                quote = market.quote(listed.symbol, self._inside.exchange.now())
                if last.get(listed.symbol) != quote.timestamp:
                    last[listed.symbol] = quote.timestamp
                    await self._tell(topic_of(listed), answers.event(listed, quote))

    async def _tell(self, topic: str, event: dict[str, Any]) -> None:
        schema = schemas().get(event["ev"])
        if schema is not None:
            plain = orjson.loads(orjson.dumps(event, default=float))
            self._judge.violations += [each.message for each in schema.iter_errors(plain)]
        for client in [each for each in self.clients if topic in each.topics]:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await client.tell([event])


def topic_of(listed: Instrument) -> str:
    channel = {"stocks": "Q", "crypto": "XQ", "fx": "C"}[answers.MARKETS[listed.asset_class]]
    separator = "-" if channel == "XQ" else "/"
    return f"{channel}.{listed.symbol.replace('/', separator)}"
