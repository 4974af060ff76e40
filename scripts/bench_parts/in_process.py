"""The cost of a request without sockets: microseconds of CPU from scope to the last `send`.

CPU time, because on a machine that has other things to do the clock measures those too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Scope

from scripts.bench_parts.subject import Request


async def microseconds(app: ASGIApp, request: Request, count: int) -> float:
    """The mean of `count` calls. Raises RuntimeError when one is not served."""
    statuses = set()

    async def receive() -> Message:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.add(message["status"])

    start = time.process_time()
    for _ in range(count):
        await app(scope(request), receive, send)
    elapsed = time.process_time() - start
    if statuses != {request.status}:
        raise RuntimeError(f"{request.name} answered {statuses}")
    return elapsed / count * 1e6


def scope(request: Request) -> Scope:
    """What uvicorn makes of the request: all of it is new for each."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 54321),
        "scheme": "http",
        "root_path": "",
        "headers": list(request.headers),
        "state": {},
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"",
    }


async def one_round(apps: Mapping[str, ASGIApp], request: Request, count: int) -> dict[str, float]:
    """Each contender once, one after the other, so that a slow moment meets all of them."""
    return {name: await microseconds(app, request, count) for name, app in apps.items()}
