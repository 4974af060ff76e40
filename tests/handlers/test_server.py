"""A real server, spoken to byte for byte: what an in-process client cannot send."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GET = b"GET /account HTTP/1.1\r\nHost: x\r\n\r\n"
Serve = Callable[..., AbstractAsyncContextManager[Any]]


def post(headers: bytes, body: bytes) -> bytes:
    return b"POST /orders HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n" + body


ORDER = b'{"symbol":"AAPL","side":"BUY","quantity":"1","order_type":"MARKET"}'
CHUNKED = b"Transfer-Encoding: chunked\r\n"
TYPE = b"Content-Type: application/json\r\n"


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (post(TYPE + b"Content-Length: %d\r\n" % len(ORDER), ORDER), 201, None),
        (post(TYPE + CHUNKED, chunks(ORDER, 7)), 201, None),
        (post(CHUNKED, chunks(ORDER, 7)), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (post(TYPE + CHUNKED, chunks(b"", 1)), 400, "INVALID_REQUEST"),
        (post(TYPE + b"Content-Length: 0\r\n", b""), 400, "INVALID_REQUEST"),
        (post(TYPE, b""), 400, "INVALID_REQUEST"),
        (post(TYPE + b"Content-Length: 3\r\n", b"\xff{}"), 400, "INVALID_REQUEST"),
        (post(TYPE + b"Content-Length: x\r\n", b""), 400, "INVALID_REQUEST"),
        (post(TYPE + CHUNKED, chunks(b" " * 200, 64)), 413, "PAYLOAD_TOO_LARGE"),
        (post(TYPE + b"Content-Length: 200\r\n", b" " * 200), 413, "PAYLOAD_TOO_LARGE"),
        (b"GET /orders/%FF HTTP/1.1\r\nHost: x\r\n\r\n", 200, None),
        (b"GET /orders/\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "INVALID_REQUEST"),
        (b"GET /orders?symbol=\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "INVALID_REQUEST"),
        (b"GET /quotes/BTC%2FUSD HTTP/1.1\r\nHost: x\r\n\r\n", 200, None),
        (b"TRACE /account HTTP/1.1\r\nHost: x\r\n\r\n", 405, "METHOD_NOT_ALLOWED"),
        (b"FETCH /account HTTP/1.1\r\nHost: x\r\n\r\n", 400, "INVALID_REQUEST"),
        (b"not http\r\n\r\n", 400, "INVALID_REQUEST"),
    ],
)
async def test_on_the_wire(serve: Serve, raw: bytes, status: int, code: str | None) -> None:
    """Whatever is sent, the answer is JSON, and an error has the one shape."""
    async with serve(max_body_bytes=100) as server:
        answered, headers, body = await server.exchange(raw)
    assert (answered, headers["content-type"]) == (status, "application/json")
    assert headers["x-request-id"]
    if code:
        error = json.loads(body)
        assert (set(error), error["code"]) == ({"code", "message", "details"}, code)


async def test_the_connection_survives_a_refused_body(serve: Serve) -> None:
    """After a 413 the rest of the body is read over and the next request answered."""
    async with serve(max_body_bytes=100) as server:
        raw = post(TYPE + b"Content-Length: 200\r\n", b" " * 200) + GET
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(raw)
        statuses = [await read_status(reader), await read_status(reader)]
        writer.close()
        await writer.wait_closed()
    assert statuses == [413, 200]


async def read_status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = re.findall(rb"content-length: (\d+)", head)
    await reader.readexactly(int(length))
    return int(head.split()[1])


async def test_head_on_the_wire(serve: Serve) -> None:
    """HEAD ends with its headers: the next answer follows at once."""
    async with serve() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET.replace(b"GET", b"HEAD") + GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        assert await read_status(reader) == 200
        writer.close()
        await writer.wait_closed()


async def test_shutdown_finishes_what_is_in_flight_and_refuses_the_rest(
    serve: Serve, provider: Any
) -> None:
    """After SIGTERM a request in flight is answered, a later one is told to come again."""
    provider.gate = asyncio.Event()
    async with serve() as server:
        busy_reader, busy_writer = await asyncio.open_connection("127.0.0.1", server.port)
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", server.port)
        idle_writer.write(GET.replace(b"account", b"status"))
        assert await read_status(idle_reader) == 200
        busy_writer.write(GET)
        while ("get_account", "default") not in provider.calls:
            await asyncio.sleep(0)

        stopping = asyncio.create_task(server.server.shutdown())
        await asyncio.sleep(0)
        idle_writer.write(GET)
        head = await idle_reader.readuntil(b"\r\n\r\n")
        body = json.loads(await idle_reader.read())
        provider.gate.set()
        assert await read_status(busy_reader) == 200
        await stopping
        for writer in (busy_writer, idle_writer):
            writer.close()
            await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 503 ")
    for header in (b"retry-after: 1\r\n", b"connection: close\r\n", b"x-request-id: "):
        assert header in head
    assert (body["code"], body["details"]) == ("SHUTTING_DOWN", None)
    assert provider.calls.count(("get_account", "default")) == 1


Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts Python processes at the top of the repository; none outlives its test."""
    processes = []

    async def started(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=ROOT,
            env={**os.environ, **environment},
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield started
    for process in processes:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def listening_port(process: asyncio.subprocess.Process) -> int:
    """Reads the log up to the line that names the port."""
    assert process.stderr
    seen = []
    async for line in process.stderr:
        seen.append(line.decode())
        found = re.search(r"(?:running on|Listening at:) http://127\.0\.0\.1:(\d+)", seen[-1])
        if found:
            return int(found.group(1))
    raise AssertionError("".join(seen))


async def health(port: int) -> int:
    """Workers are announced a moment before they listen: until then connections are refused."""
    while True:
        with suppress(ConnectionRefusedError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        await asyncio.sleep(0.05)
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    status = await read_status(reader)
    writer.close()
    await writer.wait_closed()
    return status


async def stop(process: asyncio.subprocess.Process, number: signal.Signals) -> str:
    """Expects a good end; returns what was logged after the lines already read."""
    process.send_signal(number)
    _, rest = await process.communicate()
    assert process.returncode == 0, rest.decode()
    return rest.decode()


SERVE = ("-m", "handlers", "serve", "--provider", "none", "--port", "0")
GUNICORN = ("-m", "gunicorn", "--config", "python:handlers.gunicorn_conf", "--bind")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_serves_and_ends_well(start: Start, number: signal.Signals) -> None:
    """`python -m handlers serve` answers, and a signal ends it with exit code 0."""
    process = await start(*SERVE)
    assert await health(await listening_port(process)) == 200
    await stop(process, number)


@pytest.mark.slow
async def test_several_workers(start: Start) -> None:
    """With --workers the options of the command line reach every process."""
    process = await start(*SERVE, "--workers", "2", "--log-format", "json")
    assert await health(await listening_port(process)) == 200
    await stop(process, signal.SIGTERM)


@pytest.mark.slow
async def test_gunicorn(start: Start) -> None:
    """The production configuration starts, answers, ends well, and logs as it is told to."""
    options = {"TRADING_API_PROVIDER": "none", "TRADING_API_LOG_FORMAT": "json"}
    process = await start(*GUNICORN, "127.0.0.1:0", **options)
    assert await health(await listening_port(process)) == 200
    lines = [json.loads(line) for line in (await stop(process, signal.SIGTERM)).splitlines()]
    assert {"gunicorn.error", "uvicorn.error", "trading_api.access"} <= {
        line["logger"] for line in lines
    }


@pytest.mark.slow
async def test_gunicorn_is_not_open_to_the_world(start: Start) -> None:
    """Without keys gunicorn refuses to listen elsewhere than on loopback."""
    process = await start(*GUNICORN, "0.0.0.0:0", TRADING_API_PROVIDER="none")
    _, output = await process.communicate()
    assert process.returncode != 0
    assert b"Refusing to listen on 0.0.0.0" in output
