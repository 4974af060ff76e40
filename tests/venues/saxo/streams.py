"""The emulator's stream: subscriptions by REST, and what has changed of them by WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import simplejson
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.venues.faults import Faults, Scrambler
from tests.venues.saxo.documents import Body

HEARTBEAT = "_heartbeat"
RESET = "_resetsubscriptions"
DISCONNECT = "_disconnect"

POLL = 0.03
"""Seconds between two looks at what has changed."""
BEAT_SECONDS = 0.5
INACTIVITY = 30

State = dict[str, Body]
Snapshot = Callable[[], Awaitable[list[Body]]]


@dataclass(frozen=True)
class Frame:
    """One message; `layout` is the format of the payload, 0 for JSON."""

    id: int
    reference: str
    payload: Any
    layout: int = 0

    def __bytes__(self) -> bytes:
        reference = self.reference.encode("ascii")
        payload = simplejson.dumps(self.payload, use_decimal=True).encode()
        return b"".join(
            [
                self.id.to_bytes(8, "little"),
                b"\x00\x00",
                bytes([len(reference)]),
                reference,
                bytes([self.layout]),
                len(payload).to_bytes(4, "little"),
                payload,
            ]
        )


def difference(before: Body, after: Body) -> Body:
    """What a delta tells: the members that have changed, in objects those of theirs."""
    delta: Body = {}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := difference(old, value):
                delta[name] = inner
        elif value != old:
            delta[name] = value
    return delta


@dataclass
class Subscription:
    """What one reference id tells of: entities that `key` names, as `ask` finds them."""

    reference: str
    path: str
    key: str
    ask: Snapshot
    told: State = field(default_factory=dict)

    async def snapshot(self) -> list[Body]:
        found = await self.ask()
        self.told = {str(each[self.key]): each for each in found}
        return found

    async def deltas(self) -> list[Body]:
        """What has changed since the last look: a gone entity is told as deleted."""
        now = {str(each[self.key]): each for each in await self.ask()}
        before, self.told = self.told, now
        changed = []
        for name, body in now.items():
            delta = body if name not in before else difference(before[name], body)
            if delta:
                changed.append({**delta, self.key: body[self.key]})
        gone = [{self.key: before[name][self.key], "__meta_deleted": True}
                for name in before if name not in now]  # fmt: skip
        return changed + gone


class Hub:
    """All connections and subscriptions, by context id."""

    def __init__(self, faults: Faults, is_valid: Callable[[str], bool]) -> None:
        self.authorized: list[str] = []
        self.connections = 0
        self.replaced = 0
        self._faults = faults
        self._is_valid = is_valid
        self._subscriptions: dict[str, dict[str, Subscription]] = {}
        self._orders: dict[str, asyncio.Queue[str]] = {}
        self._ids = itertools.count(7_000_000_001)

    async def subscribe(self, body: Body, path: str, key: str, ask: Snapshot) -> Body:
        context, reference = body["ContextId"], body["ReferenceId"]
        mine = self._subscriptions.setdefault(context, {})
        old = body.get("ReplaceReferenceId")
        if old is not None:
            self.replaced += 1
            mine.pop(old, None)
        made = Subscription(reference, path, key, ask)
        snapshot = await made.snapshot()
        mine[reference] = made
        return {
            "ContextId": context,
            "Format": "application/json",
            "InactivityTimeout": INACTIVITY,
            "ReferenceId": reference,
            "RefreshRate": 1000,
            "Snapshot": {"Data": snapshot},
            "State": "Active",
        }

    def unsubscribe(self, context: str, reference: str) -> None:
        self._subscriptions.get(context, {}).pop(reference, None)

    def references(self, path: str) -> list[str]:
        """The live subscriptions of one kind."""
        return [
            each.reference
            for mine in self._subscriptions.values()
            for each in mine.values()
            if each.path == path
        ]

    def command(self, what: str) -> None:
        """Send a control message on all connections: `_resetsubscriptions` and the like."""
        for queue in self._orders.values():
            queue.put_nowait(what)

    async def connect(self, socket: WebSocket) -> None:
        """The endpoint /streamingws/connect."""
        scheme, _, token = socket.headers.get("authorization", "").partition(" ")
        token = socket.query_params.get("authorization") or token
        context = socket.query_params.get("contextId", "")
        if scheme.lower() not in ("bearer", "") or not self._is_valid(token) or not context:
            await socket.send_denial_response(Response(status_code=401))
            return
        await socket.accept()
        self.connections += 1
        self._orders[context] = asyncio.Queue()
        telling = asyncio.create_task(self._tell(socket, context))
        try:
            await self._until_closed(socket, telling)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await telling
            self._subscriptions.pop(context, None)
            self._orders.pop(context, None)

    async def _until_closed(self, socket: WebSocket, telling: asyncio.Task[None]) -> None:
        closed = asyncio.create_task(self._closed(socket))
        try:
            await asyncio.wait({closed, telling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await closed

    async def _closed(self, socket: WebSocket) -> None:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass

    async def _tell(self, socket: WebSocket, context: str) -> None:
        scrambler = Scrambler(self._faults)
        held: list[Frame]
        quiet = time.monotonic()
        while True:
            for frame in await self._news(context):
                quiet = time.monotonic()
                for each in scrambler.of(frame):
                    await socket.send_bytes(bytes(each))
                if self._faults.strikes("dropped"):
                    await socket.close(1011)
                    return
            if time.monotonic() - quiet > BEAT_SECONDS:
                quiet = time.monotonic()
                held = list(scrambler.rest())
                await socket.send_bytes(b"".join(map(bytes, [*held, self._beat(context)])))
            await asyncio.sleep(POLL)

    async def _news(self, context: str) -> list[Frame]:
        found = []
        queue = self._orders[context]
        while not queue.empty():
            found.append(self._control(queue.get_nowait(), context))
        for subscription in list(self._subscriptions.get(context, {}).values()):
            deltas = await subscription.deltas()
            found += [self._frame(subscription.reference, [each]) for each in deltas]
        return found

    def _frame(self, reference: str, payload: Any) -> Frame:
        return Frame(next(self._ids), reference, payload)

    def _beat(self, context: str, reason: str = "NoNewData") -> Frame:
        beats = [
            {"OriginatingReferenceId": each, "Reason": reason}
            for each in self._subscriptions.get(context, {})
        ]
        return self._frame(HEARTBEAT, [{"ReferenceId": HEARTBEAT, "Heartbeats": beats}])

    def _control(self, what: str, context: str) -> Frame:
        if what == RESET:
            return self._frame(RESET, [{"ReferenceId": RESET, "TargetReferenceIds": []}])
        if what == DISCONNECT:
            return self._frame(DISCONNECT, [{"ReferenceId": DISCONNECT}])
        return self._beat(context, what)
