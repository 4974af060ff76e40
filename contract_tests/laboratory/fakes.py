"""Small servers for the tests of the suite: each answers just what it was told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from contract_tests import main

NOT_FOUND: Final = {"code": "NOT_FOUND", "message": "no", "details": None}
HEALTHY: Final[Mapping[str, Any]] = {
    "/health": {"status": "ok"},
    "/livez": {"status": "ok"},
    "/ready": {"ready": True, "providers": ["fake"], "provider_count": 1},
    "/readyz": {"ready": True, "providers": ["fake"], "provider_count": 1},
    "/capabilities": {
        "supported_asset_classes": ["STOCK"],
        "supported_order_types": ["LIMIT"],
        "position_mode": "NETTING",
        "features": [],
        "max_leverage": "1",
        "rate_limits": None,
    },
}
"""Answers that hold, of a server that has no market."""

HANG: Final = object()
"""Stands for no answer, on a connection that stays open."""

DROP: Final = object()
"""Stands for no answer, on a connection that is closed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a fake got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Make = Callable[[Asked], Any]


@dataclass(slots=True)
class Fake:
    """A server: what it answers to each path, and what it was asked.

    An answer is a JSON object, with 200, or a pair of a status and bytes or an object; a function
    makes one of a request. Other paths are answered by `otherwise`.
    """

    url: str
    answers: dict[str, Any] = field(default_factory=dict)
    otherwise: Any = (404, NOT_FOUND)
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def answer(self, asked: Asked) -> Any:
        """The answer to a request."""
        self.asked.append(asked)
        found = self.answers.get(asked.path.partition("?")[0], self.otherwise)
        return found(asked) if callable(found) else found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: two would wait for each other
    fake: Fake

    def answer(self) -> None:
        """Do as the fake says."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        found = self.fake.answer(Asked(self.command, self.path, headers, body))
        if found is HANG:
            self.fake.closing.wait(10)
        if found is HANG or found is DROP:
            self.close_connection = True
            return
        status, content = found if isinstance(found, tuple) else (200, found)
        self._send(status, content if isinstance(content, bytes) else json.dumps(content).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def fake_server(
    answers: Mapping[str, Any] = HEALTHY, *, prefix: str = "", otherwise: Any = (404, NOT_FOUND)
) -> Iterator[Fake]:
    """A server for as long as the block lasts; it has all its paths below the prefix."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {})) as server:
        server.daemon_threads = True
        below = {prefix + path: one for path, one in answers.items()}
        fake = Fake(f"http://127.0.0.1:{server.server_port}", below, otherwise)
        server.RequestHandlerClass.fake = fake  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield fake
        finally:
            fake.closing.set()
            server.shutdown()
            thread.join()


def exit_code(*arguments: str) -> int:
    """What trading-conformance exits with."""
    try:
        main.main(arguments)
    except SystemExit as done:
        if isinstance(done.code, int):
            return done.code
        raise
