"""Servers that answer nothing useful: not one requirement may hold of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from contract_tests.running.checks import Watcher
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.client import Client
from contract_tests.toolkit.lab import NEEDS, Keyed, Lab, Restartable, Session

Serve = Callable[[socket.socket], None]

_ERROR: Final = b'{"code":"NOT_FOUND","message":"no","details":null}'
_PATIENCE: Final = 5.0


def always(status: int, body: bytes) -> Serve:
    """One answer for everything, on connections that stay open."""
    answer = (
        f"HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body

    def serve(connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while stream.readline().strip():
            _skip_the_rest(stream)
            connection.sendall(answer)

    return serve


def _skip_the_rest(stream: object) -> None:
    """Headers and body of a request; one in chunks is left where its headers end."""
    length = 0
    while line := stream.readline().strip():  # type: ignore[attr-defined]
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    stream.read(length)  # type: ignore[attr-defined]


def garbage(connection: socket.socket) -> None:
    """Bytes that are no HTTP."""
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x01\x00\xff\xfe garbage\r\n\r\n")


def hang_up(connection: socket.socket) -> None:
    """Nothing, at once."""
    connection.recv(65536)


def hang(connection: socket.socket) -> None:
    """Nothing, until the client gives up."""
    while connection.recv(65536):
        pass


NULL_SERVERS: Final[dict[str, Serve]] = {
    "empty object": always(200, b"{}"),
    "empty list": always(200, b"[]"),
    "null": always(200, b"null"),
    "created": always(201, b"{}"),
    "unauthorized": always(401, _ERROR),
    "not found": always(404, _ERROR),
    "failing": always(500, b"oops"),
    "not JSON": always(200, b"\x00\xff"),
    "garbage": garbage,
    "hanging up": hang_up,
    "hanging": hang,
}


@contextmanager
def null_server(serve: Serve) -> Iterator[str]:
    """A server that treats every connection in one way; its URL."""
    connections: list[socket.socket] = []

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the block has ended
            connections.append(connection)
            threading.Thread(target=_treat, args=(serve, connection), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                connection.close()
            thread.join()


def _treat(serve: Serve, connection: socket.socket) -> None:
    try:
        serve(connection)
    except (OSError, ValueError):
        # The client went away, or the block has ended.
        return
    finally:
        connection.close()


class NullLab(Lab):
    """Offers everything, and all of it is the null server."""

    offers = frozenset(NEEDS)

    def __init__(self, client: Client) -> None:
        self._client = client

    def _api(self) -> Api:
        return Api(self._client, lab=self)

    def keyed(self) -> Keyed:
        """The null server, with a key and without."""
        return Keyed(api=self._api(), anonymous=self._api(), key="a-key")

    def accounts(self) -> tuple[Api, Api]:
        """The null server twice."""
        return self._api(), self._api()

    def restartable(self) -> Restartable:
        """The null server, which is the same after a restart."""
        return Restartable(api=self._api(), restart=lambda: None, finish=lambda: None)

    def faulty(self, fault: str) -> Api:
        """The null server, whatever the fault."""
        del fault
        return self._api()

    def breaking(self) -> Api:
        """The null server, which fails in nothing that it is told to."""
        return self._api()

    def without_provider(self) -> Api:
        """The null server, which has no provider either."""
        return self._api()

    def session(self) -> Session:
        """The null server, whose sessions never began."""
        return Session(api=self._api(), end=lambda: None)

    def minute_end(self) -> Api:
        """The null server, whose clock nobody knows."""
        return self._api()

    def impatient(self) -> Api:
        """The null server, which tells nothing."""
        return self._api()

    def nervous(self) -> Api:
        """The null server, whose market does not move."""
        return self._api()


@contextmanager
def null_api(serve: Serve, *, timeout: float = _PATIENCE) -> Iterator[Callable[[], Api]]:
    """Makes an Api of a null server anew for each check."""
    with null_server(serve) as url, Client(url, watch=Watcher(), timeout=timeout) as client:
        lab = NullLab(client)
        yield lambda: Api(client, lab=lab)
