"""The outermost layer: a request id, one access line, and an answer to every exception."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.bodies import ClientGone
from handlers.errors import error_reply, internal_error_reply
from handlers.logs import REQUEST_ID, Access, AccessLog
from handlers.replies import Reply, send_json
from providers.errors import ShuttingDown, TradingError

HEADERS = "trading_api.headers"
"""Scope key: the request's headers by lower-case name, the last of each."""

DRAINING = "trading_api.draining"
"""Scope key: set on a connection of a server that stops, which takes no more requests."""

log = logging.getLogger("trading_api")

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_process = secrets.token_hex(6)
_numbers = itertools.count(1)


class Gateway:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, access_log: AccessLog | None = None) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = scope[HEADERS] = dict(scope["headers"])
        exchange = Exchange(send, request_id(headers))
        try:
            if DRAINING in scope:
                raise ShuttingDown("The server is shutting down; nothing was done, try again")
            await self._app(scope, receive, exchange.send)
        except ClientGone:
            return
        # The last line of defence: whatever went wrong, the client gets the one error shape.
        except Exception as error:  # noqa: BLE001
            await self._answer(error, scope, exchange)
        if self._access_log:
            duration = time.perf_counter() - started
            self._access_log.write(access_of(scope, exchange.status, duration))

    async def _answer(self, error: Exception, scope: Scope, exchange: Exchange) -> None:
        reply = reply_to(error)
        if exchange.status:
            # The answer has begun: all that is left is to break it off, which the server does.
            raise error
        await send_json(scope, exchange.send, reply)


class Exchange:
    """One request's way out: adds the request id, notes the status."""

    __slots__ = ("_id", "_send", "status")

    def __init__(self, send: Send, id: bytes) -> None:
        self._send = send
        self._id = id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"].append((b"x-request-id", self._id))
        await self._send(message)


def request_id(headers: dict[bytes, bytes]) -> bytes:
    """The caller's `X-Request-Id` if it is short and plain, else a new one; also for the logs."""
    id = headers.get(b"x-request-id")
    if id is None or not _SANE_ID.fullmatch(id):
        id = b"%s-%x" % (_process.encode(), next(_numbers))
    REQUEST_ID.set(id)
    return id


def reply_to(error: Exception) -> Reply:
    """The answer to any exception; a defect is logged with its traceback and not shown."""
    if not isinstance(error, TradingError):
        log.error("Unhandled error", exc_info=error)
        return internal_error_reply()
    reply = error_reply(error)
    if reply.status >= 502:
        log.warning("%s: %s", error.code, error.message)
    return reply


def access_of(scope: Scope, status: int, seconds: float) -> Access:
    """The path is logged as sent, percent-encoded: it can neither break a line nor forge one."""
    path = scope.get("raw_path", b"").decode("ascii", "replace")
    client = scope["client"][0] if scope.get("client") else "-"
    method = scope.get("method", "WEBSOCKET")
    return Access(method, path, status, round(seconds * 1000, 2), client)
