"""Every layer that can refuse a request does so in the one error shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

JSON = {"content-type": "application/json"}


def error(response: httpx.Response) -> tuple[int, str, Any]:
    body = response.json()
    assert set(body) == {"code", "message", "details"}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    return response.status_code, body["code"], body["details"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/nothing", "/v2/orders", "/orders/", "/orders/a/b", "/docs/x", "/v1x"]
)
async def test_unknown_path(api: httpx.AsyncClient, path: str) -> None:
    """A path of no operation is 404 and names itself; a slash too many is no redirect."""
    assert error(await api.get(path)) == (404, "NOT_FOUND", {"resource": "path", "id": path})


@pytest.mark.parametrize("path", ["/quotes/AAPL%0A", "/orders/ord_1%0D", "/orders%0A"])
async def test_line_break_in_a_path(api: httpx.AsyncClient, path: str) -> None:
    """A trailing line break does not slip through a pattern."""
    assert error(await api.get(path))[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/orders", "DELETE, GET, HEAD, POST"),
        ("PATCH", "/v1/orders", "DELETE, GET, HEAD, POST"),
        ("POST", "/orders/ord_1", "DELETE, GET, HEAD, PATCH"),
        ("OPTIONS", "/quotes/BTC/USD", "GET, HEAD"),
        ("DELETE", "/orders/history", "GET, HEAD"),
        ("PATCH", "/v1/orders/history", "GET, HEAD"),
        ("TRACE", "/health", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
    ],
)
async def test_method_not_allowed(
    api: httpx.AsyncClient, provider: Any, method: str, path: str, allow: str
) -> None:
    """405 lists every method of the path, and a concrete path wins over a template."""
    response = await api.request(method, path)
    details = {"method": method, "allowed": allow.split(", ")}
    assert error(response) == (405, "METHOD_NOT_ALLOWED", details)
    assert response.headers["allow"] == allow
    assert provider.calls == []


async def test_head_is_get_without_a_body(api: httpx.AsyncClient) -> None:
    """HEAD answers with the headers of GET, its length included."""
    get, head = await api.get("/account"), await api.head("/account")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_body_too_large(connect: Callable[..., httpx.AsyncClient]) -> None:
    """A body over the limit is 413, whether its length is declared or only found out."""
    api = connect(max_body_bytes=10)

    async def chunks() -> Any:
        for _ in range(3):
            yield b'{"a":1'

    for content in (b"x" * 11, chunks()):
        response = await api.post("/orders", content=content, headers=JSON)
        assert error(response) == (413, "PAYLOAD_TOO_LARGE", {"limit": 10})


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/json; charset=utf-16", "application/json2", ""],
)
async def test_wrong_content_type(api: httpx.AsyncClient, content_type: str) -> None:
    """A body that is not declared as JSON in UTF-8 is 415."""
    response = await api.post("/orders", content=b"{}", headers={"content-type": content_type})
    details = {"provided": content_type, "supported": ["application/json"]}
    assert error(response) == (415, "UNSUPPORTED_MEDIA_TYPE", details)


async def test_missing_content_type(api: httpx.AsyncClient) -> None:
    """A body without Content-Type is 415: a foreign web page could have sent it."""
    details = {"provided": None, "supported": ["application/json"]}
    response = await api.post("/orders", content=b"{}")
    assert error(response) == (415, "UNSUPPORTED_MEDIA_TYPE", details)


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON", 'application/json; charset="UTF-8"']
)
async def test_json_content_types(api: httpx.AsyncClient, content_type: str) -> None:
    """Media types are compared without regard to case; UTF-8 may be named."""
    headers = {"content-type": content_type}
    assert error(await api.post("/orders", content=b"[]", headers=headers))[0] == 400


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b'{"quantity": NaN}',
        b'{"quantity": Infinity}',
        b"{}{}",
        b"\xff\xfe{}",
        b'{"symbol": "\xe4"}',
        b"\xef\xbb\xbf{}",
        b'{"symbol": "\\ud800"}',
        b"{'symbol': 1}",
        b"[" * 2000,
    ],
)
async def test_malformed_json(api: httpx.AsyncClient, raw: bytes) -> None:
    """What is not one JSON value in UTF-8 is 400 and blames the body."""
    status, code, details = error(await api.post("/orders", content=raw, headers=JSON))
    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", "body")


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"1", b"null", b"true"])
async def test_body_that_is_no_object(api: httpx.AsyncClient, raw: bytes) -> None:
    """JSON of another kind than an object is 400 and blames the body."""
    response = await api.post("/orders", content=raw, headers=JSON)
    details = {"field": "body", "reason": "must be a JSON object"}
    assert error(response) == (400, "INVALID_REQUEST", details)


async def test_missing_body(api: httpx.AsyncClient) -> None:
    """An operation that needs a body says so."""
    details = {"field": "body", "reason": "is required"}
    assert error(await api.post("/orders")) == (400, "INVALID_REQUEST", details)


async def test_paths_of_both_bases(api: httpx.AsyncClient, provider: Any) -> None:
    """Every path is served at / and, unchanged, under /v1."""
    assert (await api.get("/account")).content == (await api.get("/v1/account")).content
    assert provider.calls == [("get_account", "default")] * 2
