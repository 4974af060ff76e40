"""WebSockets as the client opens them: bounded in time, and with every message on the clock."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from contract_tests.wire.clock import Clock
from contract_tests.wire.traffic import NO_STATUS, Message

CLOSE_SECONDS: Final = 2.0
GONE: Final = 1006
"""The close code of a connection that ended without one."""

NARROW: Final = (
    (socket.SOL_SOCKET, socket.SO_RCVBUF, 2048),
    (socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536),
)
"""Socket options of a thin line, on which the systems buffer little: 100 KiB instead of MiB."""


class Wire(Protocol):
    """One open WebSocket."""

    def receive(self, deadline: float) -> Message | None:
        """The next message that comes by then, by the clock of the check; None if none does.

        The end of the connection comes as a message too, with its close code.
        """

    def send(self, data: str | bytes) -> None:
        """Send a message; what is sent to a connection that has ended is lost."""

    def close(self) -> None:
        """End it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """How a handshake was answered, and the WebSocket where it was accepted."""

    status: int = NO_STATUS
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    timed_out: bool = False
    wire: Wire | None = None


def upgrade(
    url: str, headers: Mapping[str, str], *, timeout: float, clock: Clock, slow: bool = False
) -> Upgraded:
    """Ask for a WebSocket at an http or https URL. A slow one leaves in the server what it can."""
    try:
        connection = _connected(url, headers, timeout, slow=slow)
    except InvalidStatus as refused:
        told = refused.response
        return Upgraded(
            status=told.status_code, headers=_lower(told.headers), body=bytes(told.body)
        )
    except TimeoutError as error:
        return Upgraded(error=repr(error), timed_out=True)
    except (OSError, InvalidHandshake, EOFError) as error:
        return Upgraded(error=repr(error))
    answer = connection.response
    headers = {} if answer is None else _lower(answer.headers)
    return Upgraded(status=101, headers=headers, wire=_Socket(connection, clock))


def _lower(headers: Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.raw_items()}


def _connected(
    url: str, headers: Mapping[str, str], timeout: float, *, slow: bool
) -> ClientConnection:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return connect(
        "ws" + url.removeprefix("http"),
        sock=tcp(parts.hostname or "", port, timeout, NARROW if slow else ()),
        additional_headers=dict(headers),
        user_agent_header=None,
        compression=None,
        open_timeout=timeout,
        close_timeout=CLOSE_SECONDS,
        max_size=None,
        max_queue=1 if slow else None,
        # Whoever reads nothing answers no ping either.
        ping_interval=None,
    )


def tcp(
    host: str, port: int, timeout: float, options: Sequence[tuple[int, int, int]]
) -> socket.socket:
    """A TCP connection; its options must be set before it is made. Raises OSError."""
    problem = OSError(f"no address of {host}")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        found = socket.socket(family, kind, protocol)
        try:
            for option in options:
                found.setsockopt(*option)
            found.settimeout(timeout)
            found.connect(address)
        except OSError as error:
            found.close()
            problem = error
        else:
            found.settimeout(None)
            return found
    raise problem


class _Socket:
    """A live one. A message that comes too late is held back for whoever asks next."""

    def __init__(self, connection: ClientConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._held: Message | None = None

    def receive(self, deadline: float) -> Message | None:
        """See Wire."""
        found = self._held or self._read(deadline)
        self._held = found
        if found is None or found.at > deadline:
            self._clock.reach(deadline)
            return None
        self._held = None
        self._clock.reach(found.at)
        return found

    def _read(self, deadline: float) -> Message | None:
        try:
            data = self._connection.recv(max(deadline - self._clock.real(), 0))
        except TimeoutError:
            return None
        except ConnectionClosed as closed:
            end = closed.rcvd or closed.sent
            code, reason = (end.code, end.reason) if end else (GONE, "")
            return Message(at=self._clock.real(), sent=False, data=reason, code=code)
        return Message(at=self._clock.real(), sent=False, data=data)

    def send(self, data: str | bytes) -> None:
        """See Wire."""
        try:
            self._connection.send(data)
        except ConnectionClosed:
            return  # the next receive tells

    def close(self) -> None:
        """See Wire."""
        self._connection.close()
