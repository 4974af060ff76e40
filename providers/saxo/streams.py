"""Saxo's stream: one WebSocket for what REST calls have subscribed to.

A subscription answers with a snapshot; then the stream tells what has changed of it, and nothing
else. The venue says with heartbeats that a subscription lives on although nothing changes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect

from providers.errors import ProviderUnavailable
from providers.live.http import Http
from providers.saxo import frames
from providers.saxo.client import Client
from providers.saxo.frames import Frame
from providers.saxo.tokens import Bearer
from providers.saxo.values import Body, reading

LOOK_SECONDS: Final = 0.25
"""How often a session that hears nothing looks whether there is something else to do."""
PATIENCE_SECONDS: Final = 60.0
"""How long the stream may be silent where no subscription has said."""
DISABLED: Final = "SubscriptionPermanentlyDisabled"
REMEMBERED: Final = 500
"""How many message ids are kept to tell repeats by."""


class Channel:
    """One connection and its subscriptions."""

    def __init__(self, socket: ClientConnection, client: Client, url: str, context: str) -> None:
        self.context = context
        self._socket = socket
        self._client = client
        self._url = url
        self._token = client.tokens.current
        self._patience = PATIENCE_SECONDS
        self._heard = time.monotonic()
        self._seen: deque[int] = deque(maxlen=REMEMBERED)
        self._references = 0

    async def subscribe(
        self, path: str, arguments: Mapping[str, Any], *, instead_of: str | None = None
    ) -> tuple[str, list[Body]]:
        """Subscribe; answers the new reference id and the snapshot. The old one ends if named."""
        self._references += 1
        reference = f"r{self._references}-{uuid4().hex[:8]}"
        body: dict[str, Any] = {
            "ContextId": self.context,
            "ReferenceId": reference,
            "Format": "application/json",
            "Arguments": arguments,
        }
        if instead_of is not None:
            body["ReplaceReferenceId"] = instead_of
        answer = await self._client.command("POST", path, json=body)
        with reading("a subscription"):
            silence = answer.get("InactivityTimeout")
            if silence:
                self._patience = float(silence) * 2
            return reference, list((answer.get("Snapshot") or {}).get("Data") or [])

    async def unsubscribe(self, path: str, reference: str) -> None:
        await self._client.command("DELETE", f"{path}/{self.context}/{reference}")

    async def frames(self) -> AsyncGenerator[Frame | None, None]:
        """Messages as they come, each once, and None now and then.

        Ends, or raises ProviderUnavailable, when the venue wants the subscriptions made anew.
        """
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    data = await self._socket.recv()
            except TimeoutError:
                await self._look()
                yield None
                continue
            self._heard = time.monotonic()
            for frame in frames.decoded(data):
                if frame.id in self._seen:
                    continue
                self._seen.append(frame.id)
                if frame.reference in (frames.RESET, frames.DISCONNECT):
                    return
                if frame.reference == frames.HEARTBEAT:
                    check_heartbeats(frame.payload)
                else:
                    yield frame

    async def _look(self) -> None:
        if time.monotonic() - self._heard > self._patience:
            raise ProviderUnavailable("Saxo's stream has fallen silent")
        token = await self._client.tokens.fresh()
        if token != self._token:
            await self._extend()
            self._token = token

    async def _extend(self) -> None:
        """Let the connection outlive the token that it was opened with."""
        base = self._url.replace("ws", "http", 1)
        http = Http("saxo-stream", base, auth=Bearer(self._client.tokens))
        try:
            answer = await http.send("PUT", "/authorize", query={"contextid": self.context})
        finally:
            await http.close()
        if not answer.ok:
            raise ProviderUnavailable(f"Saxo's stream does not take the token: {answer.status}")


def check_heartbeats(payload: Any) -> None:
    """Raises ProviderUnavailable where a subscription will not tell any more."""
    with reading("a heartbeat"):
        for message in payload:
            for beat in message["Heartbeats"]:
                if beat["Reason"] == DISABLED:
                    raise ProviderUnavailable("Saxo has ended a subscription")


@asynccontextmanager
async def opened(client: Client, url: str) -> AsyncIterator[Channel]:
    """A new connection. The token goes in a header, so that no URL has it."""
    context = uuid4().hex
    token = await client.tokens.fresh()
    async with connect(
        f"{url}/connect?contextId={context}",
        additional_headers={"Authorization": f"Bearer {token}"},
        proxy=None,
        open_timeout=10,
        close_timeout=1,
        max_size=2**22,
    ) as socket:
        yield Channel(socket, client, url, context)


def rows(payload: Any) -> list[Body]:
    """The entities that a message tells of. Raises ProviderError."""
    with reading("a message of the stream"):
        return [dict(each) for each in payload]
