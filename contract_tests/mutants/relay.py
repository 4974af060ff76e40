"""A WebSocket through the proxy: every message and the end can be changed on the way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from typing import Any, ClassVar, Final, Protocol

from websockets.exceptions import ConnectionClosed, InvalidState, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.sync.client import ClientConnection, connect
from websockets.utils import accept_key

from contract_tests.mutants.messages import Mutation, Request, Response
from contract_tests.wire.sockets import GONE, NARROW, tcp

SECONDS: Final = 10.0
CHUNK: Final = 65_536
MISTAKES: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

Data = str | bytes


def asks_for_upgrade(request: Request) -> bool:
    """Whether a request wants to become a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket"


class Upstream:
    """The way to the server behind; `connection` is there once a handshake was accepted."""

    ACCEPTED: ClassVar[int] = 101

    def __init__(self, address: str) -> None:
        host, _, port = address.partition(":")
        self._host, self._port = host, int(port)
        self.connection: ClientConnection | None = None

    def open(self, request: Request) -> Response:
        """Perform the handshake of a request; the last one that is accepted counts."""
        self.close()
        own = ("upgrade", "connection", "sec-websocket-")
        headers = {k: v for k, v in request.headers.items() if not k.startswith(own)}
        try:
            # A thin line: a slow reader in front shall be one for the server behind.
            self.connection = connect(
                f"ws://{self._host}:{self._port}{request.target}",
                sock=tcp(self._host, self._port, SECONDS, NARROW),
                additional_headers=headers,
                user_agent_header=None,
                compression=None,
                max_size=None,
                max_queue=1,
                ping_interval=None,
                close_timeout=1,
            )
        except InvalidStatus as refused:
            told = refused.response
            kept = {k: v for k, v in told.headers.raw_items() if k.lower() not in _LENGTHS}
            return Response(told.status_code, kept, bytes(told.body))
        return Response(self.ACCEPTED)

    def close(self) -> None:
        """Let go of what was opened."""
        if self.connection is not None:
            self.connection.close()


_LENGTHS: Final = {"content-length", "transfer-encoding", "connection"}


class Line:
    """One client's connection, as a mutation sees it."""

    def __init__(self, client: socket.socket, server: ClientConnection, request: Request) -> None:
        self.request = request
        self.notes: dict[str, Any] = {}
        self._client = client
        self._server = server
        self._protocol = ServerProtocol(state=State.OPEN, max_size=None)
        self._lock = threading.Lock()

    def tell(self, data: Data) -> None:
        """Send a message to the client."""
        with self._lock:
            if self._protocol.state is not State.OPEN:
                return
            if isinstance(data, bytes):
                self._protocol.send_binary(data)
            else:
                self._protocol.send_text(data.encode())
            self._flush()

    def pass_on(self, data: Data) -> None:
        """Send a message to the server."""
        self._server.send(data)

    def end(self, code: int, reason: str = "") -> None:
        """Close the connection to the client; without a code it just breaks off."""
        with self._lock:
            if code == GONE:
                self._shut()
            elif self._protocol.state is State.OPEN:
                self._protocol.send_close(code, reason)
                self._flush()

    def heard(self, data: bytes) -> Iterable[Frame]:
        """The messages in what the client has sent; its pings and close are answered."""
        with self._lock:
            self._protocol.receive_data(data)
            frames = self._protocol.events_received()
            self._flush()
        return [one for one in frames if isinstance(one, Frame)]

    @property
    def over(self) -> bool:
        """Whether the client has closed."""
        return self._protocol.state in {State.CLOSING, State.CLOSED} and not self._answers_close

    @property
    def _answers_close(self) -> bool:
        """Whether the close was ours, and the client's answer is still to come."""
        return self._protocol.close_rcvd is None

    def _flush(self) -> None:
        try:
            for data in self._protocol.data_to_send():
                if data:
                    self._client.sendall(data)
        except OSError:
            return  # it is gone, and the loop that reads from it ends

    def _shut(self) -> None:
        try:
            self._client.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


class Wiretap(Protocol):
    """What may happen to the messages of a WebSocket. A mutation that has these does it."""

    def told(self, line: Line, data: Data) -> None:
        """The server sent a message."""

    def heard(self, line: Line, data: Data) -> None:
        """The client sent a message."""

    def ended(self, line: Line, code: int, reason: str) -> None:
        """The server closed."""


class Straight:
    """Changes nothing."""

    def told(self, line: Line, data: Data) -> None:
        """It reaches the client."""
        line.tell(data)

    def heard(self, line: Line, data: Data) -> None:
        """It reaches the server."""
        line.pass_on(data)

    def ended(self, line: Line, code: int, reason: str) -> None:
        """So it ends for the client."""
        line.end(code, reason)


class Relay:
    """Carries messages in both directions until either side ends it."""

    def __init__(
        self,
        client: socket.socket,
        server: ClientConnection,
        request: Request,
        mutation: Mutation,
        mistakes: list[str],
    ) -> None:
        self._client = client
        self._server = server
        self._line = Line(client, server, request)
        taps = hasattr(mutation, "told")
        self._tap: Wiretap = mutation if taps else Straight()  # type: ignore[assignment]
        self._mistakes = mistakes

    def run(self, key: str) -> None:
        """Accept the client's handshake, and carry."""
        accepted = {"Upgrade": "websocket", "Connection": "Upgrade"}
        accepted |= {"Sec-WebSocket-Accept": accept_key(key)}
        head = "".join(f"{name}: {value}\r\n" for name, value in accepted.items())
        self._client.sendall(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode())
        teller = threading.Thread(target=self._tell, daemon=True)
        teller.start()
        try:
            self._hear()
        finally:
            self._server.close()
            teller.join(SECONDS)

    def _tell(self) -> None:
        try:
            while True:
                self._attempt(self._tap.told, self._server.recv())
        except ConnectionClosed as closed:
            end = closed.rcvd
            code, reason = (end.code, end.reason) if end else (GONE, "")
            self._attempt(self._tap.ended, code, reason)

    def _hear(self) -> None:
        try:
            while data := self._client.recv(CHUNK):
                for frame in self._line.heard(data):
                    self._pass_on(frame)
                if self._line.over:
                    return
        except OSError:
            return

    def _pass_on(self, frame: Frame) -> None:
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY}:
            return
        text = frame.opcode is Opcode.TEXT
        data = bytes(frame.data)
        try:
            self._attempt(self._tap.heard, data.decode() if text else data)
        except (ConnectionClosed, InvalidState):
            return  # the server has closed meanwhile

    def _attempt(self, act: Any, *what: object) -> None:
        """A mistake of the mutation is not one of the server that it stands for: it is kept."""
        try:
            act(self._line, *what)
        except MISTAKES as mistake:
            self._mistakes.append(f"{self._line.request.target}: {mistake!r}")
