"""How uvicorn serves us: connections that drain before they close, and errors in our shape."""

from __future__ import annotations

import logging
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from handlers.errors import error_body
from handlers.gateway import DRAINING, request_id
from handlers.replies import JSON, dumps
from handlers.stream_connection import LAST_WORDS, SHUTDOWN
from providers.models import ErrorCode

CLOSE_SECONDS = 5.0
"""How long a client of the event stream may take to read what is left and answer a close."""

LONGEST_FRAME = 256 * 1024
"""Bytes; a longer message of a client closes its connection. The stream refuses shorter ones."""

DRAIN_SECONDS = 1.0
"""How long an idle connection stays open after SIGTERM, to answer what is already on its way."""


def draining(app: ASGIApp) -> ASGIApp:
    """`app`, which the gateway then keeps from doing anything."""

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        scope[DRAINING] = True
        await app(scope, receive, send)

    return refusing


class Protocol(HttpToolsProtocol):
    """Uvicorn's own protocol, corrected in two places."""

    def shutdown(self) -> None:
        """Called on every open connection when the server stops.

        A request in flight is finished and its connection closed. Uvicorn cuts an idle connection
        at once: a client whose order is already on its way would not know what became of it. Here
        such a request is answered: 503, nothing was done, try again.
        """
        self.app = draining(self.app)
        self.ws_protocol_class = DrainingStream
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            super().shutdown()
        else:
            self.loop.call_later(DRAIN_SECONDS, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """Answers bytes that are not HTTP, which no application gets to see."""
        body = dumps(error_body(ErrorCode.INVALID_REQUEST, msg, None))
        lines = [
            b"content-type: " + JSON,
            b"content-length: %d" % len(body),
            b"connection: close",
            b"x-request-id: " + request_id({}),
        ]
        self.transport.write(STATUS_LINE[400] + b"\r\n".join([*lines, b"", body]))
        self.transport.close()


class StreamProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket, whose end is the application's: it tells the client before it closes.

    Who does not read is not waited for at the end, and not kept longer than CLOSE_SECONDS.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = self.conn.logger = logging.getLogger("uvicorn.websockets")

    def shutdown(self) -> None:
        """Called on every open connection when the server stops; uvicorn would close at once."""
        if self.close_sent:
            super().shutdown()
        else:
            message: Any = {"type": SHUTDOWN}
            self.queue.put_nowait(message)

    async def send(self, message: Any) -> None:
        closing = message["type"] == "websocket.close"
        if closing or LAST_WORDS in message:
            self.writable.set()
        await super().send(message)
        if closing:
            self._end_soon()
        elif message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # refused; uvicorn would miss its end, and complain

    def handle_close(self, event: Any) -> None:
        super().handle_close(event)
        self._end_soon()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._end_soon()

    def _end_soon(self) -> None:
        """Uvicorn closes when all is written, which for one who does not read is never."""
        if self.close_timer is not None:
            self.close_timer.cancel()
        if not self.disconnected:
            self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)


class DrainingStream(StreamProtocol):
    """For a handshake that comes while the server stops."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.app = draining(self.app)


UVICORN_OPTIONS: dict[str, Any] = {
    "http": Protocol,
    "ws": StreamProtocol,
    "ws_max_size": LONGEST_FRAME,
    # Frames are encoded once for all clients; compressing would be done for each, and would keep
    # a window of memory for each.
    "ws_per_message_deflate": False,
    "lifespan": "on",
    "log_config": None,  # logs.configure has done it
    "access_log": False,  # the gateway writes it
    "server_header": False,
    "timeout_keep_alive": 75,  # longer than clients keep one: they, not we, then drop it unused
}
"""How uvicorn must be set up for this application, whoever starts it."""

WORKER_SECONDS = 60
"""How long a worker may be silent before it is replaced; a busy machine takes a while to start one.

Uvicorn's own 5 seconds end a worker that is still importing, and the next one after it, for ever.
"""
