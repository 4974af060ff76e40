"""The event stream: a WebSocket that carries the provider's frames out, acknowledgements in.

asyncapi.yaml is its contract. What can be refused is refused in the handshake, with the one error
shape; what comes after it is in `stream_connection`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from handlers.auth import Keyring
from handlers.errors import PathNotFound, malformed
from handlers.gateway import DRAINING, access_of, reply_to, request_id
from handlers.logs import AccessLog
from handlers.replies import JSON, Reply, dumps
from handlers.stream_connection import Connection, Patience
from handlers.stream_spec import StreamSpec
from providers.base import Provider
from providers.errors import ShuttingDown


class Stream:
    """The ASGI application of the stream's WebSockets, at its path under each base path."""

    def __init__(
        self,
        provider: Provider,
        keyring: Keyring,
        spec: StreamSpec,
        base_paths: Iterable[str],
        patience: Patience,
        access_log: AccessLog | None,
    ) -> None:
        self._provider = provider
        self._keyring = keyring
        self._spec = spec
        self._patience = patience
        self._access_log = access_log
        self.paths = frozenset(base + spec.path for base in base_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = dict(scope["headers"])
        id_header = (b"x-request-id", request_id(headers))
        await receive()  # says only that there is a client
        try:
            account, frames = await self._admit(scope, headers)
        # The last line of defence, as in the gateway: whatever went wrong, the client is answered.
        except Exception as error:  # noqa: BLE001
            reply = reply_to(error)
            await _refuse(scope, send, reply, id_header)
            self._log(scope, reply.status, started)
            return
        await send({"type": "websocket.accept", "headers": [id_header]})
        self._log(scope, 101, started)
        connection = Connection(self._provider, account, self._spec, self._patience, receive, send)
        self._log(scope, await connection.run(frames), started)

    async def _admit(
        self, scope: Scope, headers: Mapping[bytes, bytes]
    ) -> tuple[str, AsyncIterator[str]]:
        """The account and its frames. Raises what the client is refused with."""
        if DRAINING in scope:
            raise ShuttingDown("The server is shutting down; connect again")
        if scope["path"].removeprefix(scope.get("root_path", "")) not in self.paths:
            raise PathNotFound(scope["path"])
        account = self._keyring.account(headers)
        if self._keyring.open:
            check_origin(headers)
        query = self._spec.query(scope["query_string"], headers)
        return account, await self._provider.subscribe(account, query)

    def _log(self, scope: Scope, status: int, started: float) -> None:
        """One line for the handshake and one for the end, with the close code as its status."""
        if self._access_log:
            self._access_log.write(access_of(scope, status, time.perf_counter() - started))


def check_origin(headers: Mapping[bytes, bytes]) -> None:
    """Raises InvalidRequest for a browser's page that does not come from this server.

    Browsers let any page connect anywhere. Where keys are asked for that is harmless, for a page
    cannot send one; without keys it would let every site listen that a trader happens to visit.
    """
    origin = headers.get(b"origin")
    if origin is None:
        return
    host = urlsplit(origin.decode("latin-1")).netloc
    if host.encode("latin-1") != headers.get(b"host"):
        raise malformed("Origin", "is not this server, and no keys are configured")


async def _refuse(scope: Scope, send: Send, reply: Reply, id_header: tuple[bytes, bytes]) -> None:
    """Answer the handshake as an ordinary request; where the server cannot, with its own 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", JSON), id_header, *reply.headers]
    start = {"type": "websocket.http.response.start", "status": reply.status, "headers": headers}
    with suppress(OSError):  # the client did not wait for it
        await send(start)
        await send({"type": "websocket.http.response.body", "body": dumps(reply.body)})
