"""The event stream on a real server, with a provider that tells what it is told to."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from handlers import server as serving
from handlers.stream_connection import TOO_SLOW
from providers.base import FrameType, SlowReader, StreamQuery
from providers.errors import InvalidValue, ProviderUnavailable, SymbolNotFound
from tests.handlers.test_server import read_status

Serve = Callable[..., AbstractAsyncContextManager[Any]]
ALICE = "alice-key-for-the-tests"
BOB = "bob-key-for-the-tests-too"
KEYS = f"alice:{ALICE},bob:{BOB}"
NOON = "2025-01-15T12:00:00.123456Z"
HELLO = '{"type":"connection","event":"CONNECTED"}'
BROKEN = {
    "type": "error",
    "timestamp": NOON,
    "code": "INTERNAL_ERROR",
    "message": "The event stream broke off; connect again",
    "details": None,
}
DISCONNECTING = {
    "type": "connection",
    "timestamp": NOON,
    "event": "DISCONNECTING",
    "broker": "fake",
}


def connecting(server: Any, path: str = "/ws", **options: Any) -> websockets.connect:
    return websockets.connect(f"ws://127.0.0.1:{server.port}{path}", proxy=None, **options)


async def refusal(server: Any, path: str, **headers: str) -> tuple[int, dict[str, Any], Any]:
    """Status, body and headers of a handshake that is refused."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        await connecting(server, path, additional_headers=headers)
    response = refused.value.response
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    body = json.loads(response.body)
    assert set(body) == {"code", "message", "details"}
    return response.status_code, body, response.headers


async def rest(socket: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """All further frames, and the code of the close."""
    frames = []
    while True:
        try:
            frames.append(json.loads(await socket.recv()))
        except websockets.ConnectionClosed:
            return frames, socket.close_code


@pytest.fixture
def stream(serve: Serve) -> Callable[..., AbstractAsyncContextManager[ClientConnection]]:
    """A client of a server of these settings."""

    @asynccontextmanager
    async def streaming(path: str = "/ws", **settings: Any) -> AsyncIterator[ClientConnection]:
        async with serve(**settings) as server, connecting(server, path) as socket:
            yield socket

    return streaming


Stream = Callable[..., AbstractAsyncContextManager[ClientConnection]]


@pytest.mark.parametrize("path", ["/ws", "/v1/ws"])
async def test_frames_go_over_as_they_are(stream: Stream, provider: Any, path: str) -> None:
    """What the provider says reaches the client unchanged and in order, then the stream ends."""
    provider.feed.tell(HELLO, '{"n": 1.50}', None)
    async with stream(path) as socket:
        assert [await socket.recv(), await socket.recv()] == [HELLO, '{"n": 1.50}']
        assert await rest(socket) == ([], 1000)
    assert provider.feed.closed.is_set()


async def test_the_query_reaches_the_provider(stream: Stream, provider: Any) -> None:
    """Account, cursor, symbols and types."""
    async with stream("/ws?after=5&symbols=AAPL,BTC%2FUSD&types=order"):
        pass
    query = StreamQuery(
        after=5, symbols=frozenset({"AAPL", "BTC/USD"}), types=frozenset({FrameType.ORDER})
    )
    assert ("subscribe", "default", query) in provider.calls


async def test_keys(serve: Serve, provider: Any) -> None:
    """As on every other request: Bearer first, then X-API-Key; no key or a bad one is 401."""
    bearer, key = {"Authorization": f"Bearer {ALICE}"}, {"X-API-Key": BOB}
    async with serve(api_keys=KEYS) as server:
        for headers in (bearer, key, {**bearer, **key}):
            async with connecting(server, additional_headers=headers):
                pass
        for wrong in ({}, {"X-API-Key": "no"}, {**key, "Authorization": "Bearer no"}):
            status, body, headers = await refusal(server, "/ws", **wrong)
            assert (status, body["code"]) == (401, "UNAUTHORIZED")
            assert headers["www-authenticate"] == "Bearer"
    accounts = [call[1] for call in provider.calls if call[0] == "subscribe"]
    assert accounts == ["alice", "bob", "alice"]


@pytest.mark.parametrize(
    ("path", "raised", "status", "code"),
    [
        ("/ws?after=x", None, 400, "INVALID_VALUE"),
        ("/ws?types=gossip", None, 400, "INVALID_VALUE"),
        ("/ws?limit=5", None, 400, "INVALID_REQUEST"),
        ("/ws?after=9", InvalidValue("after", 9, "is beyond"), 400, "INVALID_VALUE"),
        ("/ws?symbols=NOPE", SymbolNotFound("NOPE"), 404, "SYMBOL_NOT_FOUND"),
        ("/ws/", None, 404, "NOT_FOUND"),
        ("/v2/ws", None, 404, "NOT_FOUND"),
        ("/ws%0A", None, 404, "NOT_FOUND"),
        ("/orders", None, 404, "NOT_FOUND"),
        ("/ws", ProviderUnavailable("gone"), 503, "PROVIDER_UNAVAILABLE"),
        ("/ws", RuntimeError("a defect"), 500, "INTERNAL_ERROR"),
    ],
)
async def test_refusals(
    serve: Serve, provider: Any, path: str, raised: Any, status: int, code: str
) -> None:
    """What can be refused is refused in the handshake, in the one error shape."""
    provider.answers["subscribe"] = raised
    async with serve() as server:
        answered, body, headers = await refusal(server, path)
    assert (answered, body["code"]) == (status, code)
    assert ("retry-after" in headers) is (status == 503)


async def test_pages_of_other_sites(serve: Serve) -> None:
    """Without keys a browser's page must come from this server; with keys it cannot have one."""
    async with serve() as server:
        own = f"http://127.0.0.1:{server.port}"
        async with connecting(server, origin=own):
            pass
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
            status, body, _ = await refusal(server, "/ws", Origin=origin)
            assert (status, body["details"]["field"]) == (400, "Origin")
    async with serve(api_keys=KEYS) as server:
        key = {"X-API-Key": ALICE}
        async with connecting(server, origin="https://app.example", additional_headers=key):
            pass


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/ws", "/v1/ws"])
async def test_without_an_upgrade(api: httpx.AsyncClient, method: str, path: str) -> None:
    """An ordinary request is told to ask for an upgrade."""
    response = await api.request(method, path)
    assert (response.status_code, response.headers["upgrade"]) == (426, "websocket")
    assert response.json()["code"] == "INVALID_REQUEST"


async def test_heartbeats(stream: Stream) -> None:
    """A ping comes again and again, whatever else happens."""
    async with stream(heartbeat_seconds=0.02) as socket:
        pings = [json.loads(await socket.recv()) for _ in range(3)]
    assert pings == [{"type": "ping", "timestamp": NOON}] * 3


ACK: dict[str, Any] = {
    "type": "event_ack",
    "correlation_id": "c",
    "events_processed": ["1", "x"],
    "timestamp": 1,
}


def without(name: str) -> str:
    return json.dumps({key: value for key, value in ACK.items() if key != name})


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("", "message"),
        ("{", "message"),
        ("[" * 5000, "message"),
        ('{"type": NaN}', "message"),
        ("[]", "message"),
        ('"pong"', "message"),
        (b'{"type":"pong"}', "message"),
        ('{"type":"pong", "pad": "' + "x" * 65_536 + '"}', "message"),
        ("{}", "type"),
        ('{"type": null}', "type"),
        ('{"type": ["pong"]}', "type"),
        ('{"type": "order"}', "type"),
        (without("correlation_id"), "correlation_id"),
        (without("events_processed"), "events_processed"),
        (without("timestamp"), "timestamp"),
        (json.dumps(ACK | {"events_processed": [1]}), "events_processed.0"),
        (json.dumps(ACK | {"events_processed": "1"}), "events_processed"),
        (json.dumps(ACK | {"timestamp": "now"}), "timestamp"),
        (json.dumps(ACK | {"timestamp": -1}), "timestamp"),
    ],
)
async def test_wrong_messages(
    stream: Stream, provider: Any, message: str | bytes, field: str
) -> None:
    """They are answered by INVALID_MESSAGE, which names the field; the connection stays."""
    async with stream() as socket:
        await socket.send(message)
        error = json.loads(await socket.recv())
        provider.feed.tell(HELLO)
        assert await socket.recv() == HELLO
    assert (error["type"], error["code"]) == ("error", "INVALID_MESSAGE")
    assert error["details"]["field"] == field
    assert error["details"]["reason"]
    assert not [call for call in provider.calls if call[0] == "acknowledge"]


async def test_right_messages(stream: Stream, provider: Any) -> None:
    """Acknowledgements go to the provider; those of nothing, and pongs, go nowhere. No answer."""
    async with stream() as socket:
        await socket.send('{"type":"pong"}')
        await socket.send('{"type":"pong","more":1}')
        await socket.send(json.dumps(ACK | {"events_processed": []}))
        await socket.send(json.dumps(ACK))
        await socket.send("?")
        assert json.loads(await socket.recv())["code"] == "INVALID_MESSAGE"
    acknowledged = [call for call in provider.calls if call[0] == "acknowledge"]
    assert acknowledged == [("acknowledge", "default", ["1", "x"])]


async def test_far_too_long_a_message(stream: Stream, provider: Any) -> None:
    """A message that no frame may be as long as closes the connection with 1009."""
    async with stream() as socket:
        await socket.send("x" * (256 * 1024 + 1))
        assert await rest(socket) == ([], 1009)
    await provider.feed.closed.wait()


async def test_the_client_closes(serve: Serve, provider: Any, capsys: Any) -> None:
    """The subscription ends, and the access log has a line for the begin and one for the end."""
    async with serve() as server:
        async with connecting(server, "/ws?after=1") as socket:
            await socket.close(4321)
        await provider.feed.closed.wait()
    lines = [line for line in capsys.readouterr().err.splitlines() if "/ws" in line]
    assert [line.split(" ")[4:7] for line in lines] == [
        ["WEBSOCKET", "/ws", "101"],
        ["WEBSOCKET", "/ws", "4321"],
    ]
    assert lines[0].split(" ")[3] == lines[1].split(" ")[3]  # the request's id


@pytest.mark.parametrize("error", [RuntimeError("a defect"), ProviderUnavailable("gone")])
async def test_the_provider_fails(
    stream: Stream, provider: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is told without details and closed with 1011; the log has the reason."""
    provider.feed.tell(HELLO, error)
    async with stream() as socket:
        assert await socket.recv() == HELLO
        assert await rest(socket) == ([BROKEN], 1011)
    reported = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(reported) == 1
    assert reported[0].exc_info is not None or "gone" in reported[0].getMessage()


async def test_the_acknowledgement_fails(stream: Stream, provider: Any) -> None:
    """As any other failure of the provider."""
    provider.answers["acknowledge"] = ProviderUnavailable("gone")
    async with stream() as socket:
        await socket.send(json.dumps(ACK))
        assert await rest(socket) == ([BROKEN], 1011)


async def test_the_provider_finds_the_reader_slow(stream: Stream, provider: Any) -> None:
    """The client is told that it may resume, and closed with 1013."""
    provider.feed.tell(SlowReader())
    async with stream() as socket:
        assert await rest(socket) == ([DISCONNECTING | {"error": TOO_SLOW}], 1013)


async def test_a_reader_that_does_not_read(serve: Serve, provider: Any) -> None:
    """Frames left untaken for too long: told and closed too, after all that was sent before."""
    frame = json.dumps({"type": "quote", "pad": "x" * 100_000})
    provider.feed.tell(*[frame] * 400)
    async with (
        serve(stream_send_seconds=0.1) as server,
        connecting(server, max_queue=1) as socket,
    ):
        await provider.feed.closed.wait()
        frames, code = await rest(socket)
    assert code == 1013
    assert frames[-1] == DISCONNECTING | {"error": TOO_SLOW}
    assert frames[:-1] == [json.loads(frame)] * (len(frames) - 1)
    assert len(frames) + provider.feed.items.qsize() == 400  # the one that was not taken is gone


async def test_a_reader_that_never_reads(
    serve: Serve, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cut off in the end, and holds no connection and no shutdown up."""
    monkeypatch.setattr(serving, "CLOSE_SECONDS", 0.1)
    provider.feed.tell(*['{"pad": "' + "x" * 100_000 + '"}'] * 400)
    async with serve(stream_send_seconds=0.1) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(upgrade())
        await provider.feed.closed.wait()
        while server.server.server_state.connections:
            await asyncio.sleep(0.01)
        writer.close()


async def test_shutdown(serve: Serve, provider: Any) -> None:
    """Every client is told and closed with 1001, and the server waits for none of them long."""
    async with serve() as server, connecting(server) as one, connecting(server, "/v1/ws") as two:
        provider.feed.tell(HELLO)
        server.server.should_exit = True
        told = await asyncio.gather(rest(one), rest(two))
    for frames, code in told:
        assert [frame for frame in frames if frame["event"] != "CONNECTED"] == [DISCONNECTING]
        assert code == 1001


def upgrade(path: str = "/ws") -> bytes:
    """A handshake, byte for byte."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


async def test_a_handshake_during_shutdown(serve: Serve, provider: Any) -> None:
    """On a connection that is still open it is refused: 503, connect again."""
    async with serve() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await read_status(reader) == 200
        stopping = asyncio.create_task(server.server.shutdown())
        await asyncio.sleep(0)
        writer.write(upgrade())
        head = await reader.readuntil(b"\r\n\r\n")
        body = json.loads(await reader.read())
        await stopping
        writer.close()
        await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 503 ")
    assert body["code"] == "SHUTTING_DOWN"
    assert not [call for call in provider.calls if call[0] == "subscribe"]
