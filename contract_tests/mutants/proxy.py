"""A reverse proxy in a thread: what goes through it can be changed from outside.

WebSockets go through it too: see relay.py.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from contract_tests.mutants.messages import Forward, Mutation, Request, Response, failing, straight
from contract_tests.mutants.relay import Relay, Upstream, asks_for_upgrade

HOP_BY_HOP: Final = {"connection", "keep-alive", "transfer-encoding", "content-length"}
KEYS: Final = {"authorization", "x-api-key"}
SECONDS: Final = 30.0


class Proxy:
    """Stands in front of one server. `mutation` sees every request; `headers` are added.

    The headers are those of an account: a request that carries a key of its own keeps that one.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.mutation: Mutation = straight
        self.headers: Mapping[str, str] = {}
        self.mistakes: list[str] = []
        proxy = self

        class Handler(_Handler):
            """Knows the proxy that it works for."""

            def relay(self, request: Request) -> Response:
                return proxy.mutate(request, self.forward)

            def switch(self, request: Request) -> None:
                upstream = Upstream(self.address)
                mutation = proxy.mutation
                response = proxy.mutate(request, upstream.open)
                if response.status != Upstream.ACCEPTED or upstream.connection is None:
                    upstream.close()
                    self._write(response)
                    return
                key = self.headers["sec-websocket-key"]
                Relay(self.connection, upstream.connection, request, mutation, proxy.mistakes).run(
                    key
                )
                self.close_connection = True

            @property
            def address(self) -> str:
                return urlsplit(proxy.upstream).netloc

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def mutate(self, request: Request, forward: Forward) -> Response:
        """The answer of the mutant.

        A mistake of the mutation is not one of the server that it stands for: it is kept.
        """
        try:
            return self.mutation(self.signed(request), forward)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as mistake:
            self.mistakes.append(f"{request.method} {request.target}: {mistake!r}")
            return failing(500, "INTERNAL_ERROR")

    def signed(self, request: Request) -> Request:
        """The request in the name of the account in force."""
        if not self.headers or not KEYS.isdisjoint(request.headers):
            return request
        return request.with_headers(self.headers)

    def start(self) -> Proxy:
        """Begin to listen."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle of an answer is no news."""
        del request, client_address


class _Handler(BaseHTTPRequestHandler, ABC):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: two would wait for each other
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._connection: HTTPConnection | None = None

    def finish(self) -> None:
        try:
            super().finish()  # writes what is left, to a client that may be gone
        finally:
            self._drop()

    def __getattr__(self, name: str) -> Any:
        """Every method is answered in the same way."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    @abstractmethod
    def relay(self, request: Request) -> Response:
        """Answer a request."""

    @abstractmethod
    def switch(self, request: Request) -> None:
        """Answer a request for a WebSocket, and carry its messages."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Host and port of the server behind."""

    def _answer(self) -> None:
        chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        body = b"".join(self._chunks()) if chunked else self._counted()
        headers = {
            name.lower(): value
            for name, value in self.headers.items()
            if name.lower() not in HOP_BY_HOP | {"host"}
        }
        request = Request(
            method=self.command, target=self.path, headers=headers, body=body, chunked=chunked
        )
        if asks_for_upgrade(request):
            self.switch(request)
        else:
            self._write(self.relay(request))

    def _counted(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _write(self, response: Response) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.header("Content-Length") is None:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    # -- to the server behind --------------------------------------------------------------------

    def forward(self, request: Request) -> Response:
        """What the server behind answers; a connection that it has closed is opened anew."""
        try:
            return self._exchange(request)
        except (HTTPException, OSError):
            self._drop()
            return self._exchange(request)

    def _exchange(self, request: Request) -> Response:
        if self._connection is None:
            self._connection = HTTPConnection(self.address, timeout=SECONDS)
        response = self._send(self._connection, request)
        body = response.read()
        if response.will_close:
            self._drop()
        # The length of an answer that comes without its body is the server's to tell.
        dropped = HOP_BY_HOP - ({"content-length"} if request.method == "HEAD" else set())
        headers = {
            name: value for name, value in response.getheaders() if name.lower() not in dropped
        }
        return Response(response.status, headers, body)

    def _send(self, connection: HTTPConnection, request: Request) -> HTTPResponse:
        body: Any = request.body or None
        if request.chunked:
            body = iter([request.body]) if request.body else iter(())
        elif request.method in {"POST", "PUT", "PATCH"}:
            body = request.body
        try:
            connection.request(
                request.method,
                request.target,
                body=body,
                headers=dict(request.headers),
                encode_chunked=request.chunked,
            )
        except (BrokenPipeError, ConnectionResetError):
            if connection.sock is None:
                raise
            # A server that refuses a large body answers before it has read all of it.
        return connection.getresponse()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """A proxy for as long as the block lasts."""
    proxy = Proxy(upstream).start()
    try:
        yield proxy
    finally:
        proxy.stop()
