"""An emulator's server: its routes, wrapped in the checks against the contract and in faults.

::

    request ── checked against the contract ── faults ── routes ── answer checked ── sent

What breaks a contract is answered with 599 and kept in `violations`, which a test looks at and
`GET /_violations` tells.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.venues.contract import Contract
from tests.venues.faults import Faults

Unlucky = Callable[[int], Response]
"""Makes the venue's own body for a status that it fails with."""
BROKEN_CONTRACT = 599


def plain(status: int) -> Response:
    return JSONResponse({"message": HTTPStatus(status).phrase}, status)


class Judge:
    """Holds both sides to the contracts: the first whose `prefix` begins the path counts.

    A path for which no contract is given at all is a violation, too, if there are contracts.
    `strip` is taken off the path before it is looked up.
    """

    def __init__(self, contracts: Mapping[str, Contract | None]) -> None:
        self._contracts = contracts
        self.violations: list[str] = []
        self.judged = 0

    def of(self, path: str) -> Contract | None:
        for prefix, contract in self._contracts.items():
            if path.startswith(prefix):
                return contract
        return None

    def request(self, request: Request, body: bytes) -> list[str]:
        contract = self.of(request.url.path)
        if contract is None:
            return []
        self.judged += 1
        wrong = contract.request_violations(
            request.method,
            request.url.path,
            query=list(request.query_params.multi_items()),
            headers=request.headers,
            body=body,
        )
        self.violations += wrong
        return wrong

    def response(self, request: Request, response: Response) -> list[str]:
        contract = self.of(request.url.path)
        if contract is None:
            return []
        wrong = contract.response_violations(
            request.method,
            request.url.path,
            response.status_code,
            bytes(response.body),
            response.headers.get("content-type", ""),
        )
        self.violations += wrong
        return wrong


class Wire:
    """ASGI: see the module. Streams pass through it untouched.

    An answer with a status of 429 or 5xx, or one in `unjudged`, is not compared: the documents do
    not list those.
    """

    def __init__(
        self,
        app: ASGIApp,
        judge: Judge,
        faults: Faults,
        *,
        unlucky: Unlucky = plain,
        streams: Sequence[str] = (),
    ) -> None:
        self._app = app
        self._judge = judge
        self._faults = faults
        self._unlucky = unlucky
        self._streams = tuple(streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith(("/_", *self._streams)):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        broken = self._judge.request(request, body)
        if broken:
            await JSONResponse({"violations": broken}, BROKEN_CONTRACT)(scope, receive, send)
            return
        await self._serve(request, body, send)

    async def _serve(self, request: Request, body: bytes, send: Send) -> None:
        fault = self._faults.one_of(("limited", "refused", "failed", "cut", "slow"))
        if fault in ("limited", "refused"):
            status = 429 if fault == "limited" else 503
            await self._unlucky(status)(request.scope, request.receive, send)
            return
        response = await self._answer(request, body)
        if response.status_code not in (429, BROKEN_CONTRACT) and response.status_code < 500:
            broken = self._judge.response(request, response)
            if broken:
                response = JSONResponse({"violations": broken}, BROKEN_CONTRACT)
        if fault == "failed":
            response = self._unlucky(500)
        if fault == "slow":
            await asyncio.sleep(self._faults.odds.delay)
        await (cut if fault == "cut" else whole)(response, request, send)

    async def _answer(self, request: Request, body: bytes) -> Response:
        """What the routes answer to the body that has been read already."""
        started: dict[str, Any] = {}
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._app(request.scope, receive, send)
        response = Response(b"".join(parts), started["status"])
        response.raw_headers = started["headers"]
        return response


async def whole(response: Response, request: Request, send: Send) -> None:
    await response(request.scope, request.receive, send)


async def cut(response: Response, request: Request, send: Send) -> None:
    """Half an answer, and the end of the connection."""
    headers = [each for each in response.raw_headers if each[0] != b"content-length"]
    length = (b"content-length", str(len(response.body) + 1).encode())
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": [*headers, length],
        }
    )
    half = bytes(response.body)[: len(response.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": False})


def application(
    routes: Sequence[BaseRoute],
    judge: Judge,
    faults: Faults,
    *,
    unlucky: Unlucky = plain,
    streams: Sequence[str] = (),
) -> ASGIApp:
    """The whole emulator as an ASGI application."""

    async def violations(_: Request) -> Response:
        return Response(orjson.dumps(judge.violations), media_type="application/json")

    app = Starlette(routes=[Route("/_violations", violations), *routes])
    return Wire(app, judge, faults, unlucky=unlucky, streams=streams)


@asynccontextmanager
async def served(app: ASGIApp, *, port: int = 0) -> AsyncIterator[int]:
    """The application on 127.0.0.1, in this event loop; yields its port."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_config=None,
        lifespan="off",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task: asyncio.Task[None] = asyncio.create_task(server._serve())
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.005)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await task


Handler = Callable[[Request], Awaitable[Response]]
