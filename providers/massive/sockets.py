"""Massive's streams: a connection for each kind of instrument, and one queue of what they tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import simplejson
from websockets.asyncio.client import ClientConnection, connect

from providers.errors import ProviderError
from providers.massive.errors import heard

Message = Mapping[str, Any]

TIMEOUT: Final = 10.0
"""Seconds that the greeting, or the answer to the key, may take."""


class Sockets:
    """Open connections, by cluster. What they tell, or how they end, is put into `told`."""

    def __init__(self, url: str, key: str, told: asyncio.Queue[Any]) -> None:
        self._url = url
        self._key = key
        self._told = told
        self._open: dict[str, ClientConnection] = {}
        self._topics: dict[str, frozenset[str]] = {}
        self._readers: list[asyncio.Task[None]] = []

    async def follow(self, topics: Mapping[str, frozenset[str]]) -> None:
        """Be told these topics of each cluster, and no others.

        Raises OSError, WebSocketException and ProviderError.
        """
        for cluster in sorted(topics.keys() | self._topics.keys()):
            wanted = topics.get(cluster, frozenset())
            had = self._topics.get(cluster, frozenset())
            if wanted and cluster not in self._open:
                await self._connect(cluster)
            await self._say(cluster, "subscribe", wanted - had)
            await self._say(cluster, "unsubscribe", had - wanted)
            self._topics[cluster] = wanted

    async def close(self) -> None:
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for connection in self._open.values():
            await connection.close()

    async def _connect(self, cluster: str) -> None:
        connection = await connect(f"{self._url}/{cluster}", open_timeout=TIMEOUT, proxy=None)
        self._open[cluster] = connection
        await self._status(connection)
        await connection.send(simplejson.dumps({"action": "auth", "params": self._key}))
        await self._status(connection)
        reader = asyncio.create_task(self._read(connection), name=f"massive-{cluster}")
        reader.add_done_callback(self._ended)
        self._readers.append(reader)

    async def _status(self, connection: ClientConnection) -> None:
        """The next message, which must be about the connection and good."""
        for message in decoded(await asyncio.wait_for(connection.recv(), TIMEOUT)):
            heard(message)

    async def _say(self, cluster: str, action: str, topics: frozenset[str]) -> None:
        if topics:
            command = {"action": action, "params": ",".join(sorted(topics))}
            await self._open[cluster].send(simplejson.dumps(command))

    async def _read(self, connection: ClientConnection) -> None:
        """Put messages into the queue, for as long as there are any."""
        async for text in connection:
            for message in decoded(text):
                if message.get("ev") == "status":
                    heard(message)
                else:
                    self._told.put_nowait(message)

    def _ended(self, reader: asyncio.Task[None]) -> None:
        """Put last into the queue why there is no more, whatever it is."""
        if not reader.cancelled():
            closed = ProviderError("Massive has closed the stream")
            self._told.put_nowait(reader.exception() or closed)


def decoded(text: str | bytes) -> Sequence[Message]:
    """The messages of a frame, always a list. Raises ProviderError."""
    try:
        messages = simplejson.loads(text, use_decimal=True)
    except ValueError:
        raise ProviderError("Massive tells what is not JSON") from None
    if not isinstance(messages, list):
        raise ProviderError("Massive tells what is not a list of messages")
    return messages
