"""How uvicorn serves us: a connection that drains before it closes, and errors in our shape."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from handlers.errors import error_body
from handlers.gateway import DRAINING, request_id
from handlers.replies import JSON, dumps
from providers.models import ErrorCode

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


UVICORN_OPTIONS: dict[str, Any] = {
    "http": Protocol,
    "lifespan": "on",
    "log_config": None,  # logs.configure has done it
    "access_log": False,  # the gateway writes it
    "server_header": False,
    "timeout_keep_alive": 75,  # longer than clients keep one: they, not we, then drop it unused
}
"""How uvicorn must be set up for this application, whoever starts it."""
