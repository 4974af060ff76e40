"""What a handler is given and what it may return, and how that becomes bytes: once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel
from starlette.types import Scope, Send

from providers.base import Page, Provider

JSON = b"application/json"
_CONTENT_TYPE = (b"content-type", JSON)


class Call(NamedTuple):
    """The first argument of every handler."""

    account: str
    """The account id that authentication resolved."""
    provider: Provider
    base_path: str
    """Where the API was reached: "" or "/v1", after any prefix of a reverse proxy."""


class Reply(NamedTuple):
    """An answer that is not simply 200 with a model."""

    body: Any
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


def to_wire(value: object) -> Any:
    """What orjson does not know by itself: decimals in plain notation, models by their fields."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, BaseModel):
        return value.__dict__
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any) -> bytes:
    """JSON as the wire has it: decimals as strings, times in UTC with a Z."""
    return orjson.dumps(value, default=to_wire, option=orjson.OPT_UTC_Z)


async def send_json(scope: Scope, send: Send, reply: Reply) -> None:
    await send_bytes(scope, send, reply.status, dumps(reply.body), (_CONTENT_TYPE, *reply.headers))


async def send_bytes(
    scope: Scope,
    send: Send,
    status: int,
    body: bytes,
    headers: Iterable[tuple[bytes, bytes]],
) -> None:
    """Sends a whole answer; a HEAD gets the headers its GET would get, and no body."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def page_reply(
    page: Page[Any], last_seen: datetime | None, path: str, filters: Mapping[str, Any]
) -> Reply:
    """A list, with a `Link` to its continuation when older items were left out.

    `last_seen` is the time of the last item; `until` excludes it, and times are strictly
    decreasing along the list, so that the next page starts exactly after it.
    """
    if not page.has_more or last_seen is None:
        return Reply(page.items)
    query = {name: _query_value(value) for name, value in filters.items()}
    query["until"] = _query_value(last_seen)
    link = f'<{path}?{urlencode(query, safe=":,")}>; rel="next"'
    return Reply(page.items, headers=((b"link", link.encode()),))


def _query_value(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return str(value)
