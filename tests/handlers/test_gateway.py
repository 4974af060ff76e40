"""Request ids and logs."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from handlers import logs
from handlers.gateway import Gateway


@pytest.mark.parametrize("id", ["r-1", "4bf92f35-77b3", "a" * 128, "x/y:z_1.2+3=@"])
async def test_a_sane_request_id_is_kept(api: httpx.AsyncClient, id: str) -> None:
    """The caller's id comes back, also with an error."""
    for path in ("/account", "/nothing", "/docs"):
        assert (await api.get(path, headers={"x-request-id": id})).headers["x-request-id"] == id


@pytest.mark.parametrize("id", ["", "a" * 129, "a b", 'a"b', "ä", "a;b"])
async def test_an_odd_request_id_is_replaced(api: httpx.AsyncClient, id: str) -> None:
    """What could disturb a log is not let into it."""
    response = await api.get("/account", headers={b"x-request-id": id.encode()})
    assert response.headers["x-request-id"] not in ("", id)


async def test_new_request_ids_differ(api: httpx.AsyncClient) -> None:
    """No two requests share an id."""
    ids = {(await api.get("/health")).headers["x-request-id"] for _ in range(100)}
    assert len(ids) == 100


@pytest.fixture(autouse=True)
def _logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leaves logging as it was, and the test client's own lines out."""
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_one_access_line_in_json(
    connect: Callable[..., httpx.AsyncClient], capsys: pytest.CaptureFixture[str]
) -> None:
    """A request is one object: what was asked, how it went, how long it took, under its id."""
    api = connect(log_format="json")
    await api.get("/nothing%0Ahere?x=1", headers={"x-request-id": "r-1"})
    [line] = map(json.loads, capsys.readouterr().err.splitlines())
    assert line.pop("duration_ms") >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "trading_api.access",
        "message": "GET /nothing%0Ahere 404",
        "request_id": "r-1",
        "method": "GET",
        "path": "/nothing%0Ahere",
        "status": 404,
        "client": "127.0.0.1",
    }


async def test_one_access_line_in_text(
    connect: Callable[..., httpx.AsyncClient], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for people."""
    await connect().get("/health", headers={"x-request-id": "r-1"})
    [line] = capsys.readouterr().err.splitlines()
    expected = r"\S{24} INFO trading_api\.access \[r-1\] GET /health 200 [\d.]+ms 127\.0\.0\.1"
    assert re.fullmatch(expected, line)


@pytest.mark.parametrize("level", ["warning", "error", "critical"])
async def test_no_access_lines_above_info(
    connect: Callable[..., httpx.AsyncClient], capsys: pytest.CaptureFixture[str], level: str
) -> None:
    """At level warning and above requests are not logged."""
    await connect(log_level=level).get("/health")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("format", ["text", "json"])
def test_lines_of_other_loggers(capsys: pytest.CaptureFixture[str], format: logs.Format) -> None:
    """Libraries' lines have the same form, and the id of the request they belong to."""
    logs.configure("info", format)
    token = logs.REQUEST_ID.set(b"r-2")
    logging.getLogger("library").info("%d things", 3)
    logging.getLogger("library").debug("unheard")
    logs.REQUEST_ID.reset(token)
    [line] = capsys.readouterr().err.splitlines()
    if format == "json":
        parsed = json.loads(line)
        del parsed["time"]
        assert parsed == {
            "level": "info",
            "logger": "library",
            "message": "3 things",
            "request_id": "r-2",
        }
    else:
        assert line.endswith("Z INFO library [r-2] 3 things")


async def test_a_defect_is_logged_under_its_request(
    connect: Callable[..., httpx.AsyncClient], provider: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The traceback of a 500 can be found by the id that the client has."""
    api = connect(log_level="error")
    logs.configure("error", "json")
    provider.answers["get_account"] = RuntimeError("broken")
    await api.get("/account", headers={"x-request-id": "r-1"})
    [line] = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["request_id"], line["level"]) == ("r-1", "error")
    assert "RuntimeError: broken" in line["exception"]


async def test_a_defect_after_the_answer_began_breaks_it_off() -> None:
    """Half an answer cannot be turned into an error; the server must close the connection."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("late")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(RuntimeError, match="late"):
        await Gateway(app)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_the_lifespan_starts_and_stops_the_provider(
    make_app: Callable[..., Any], provider: Any
) -> None:
    """The provider runs exactly as long as the application."""
    incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    seen: list[tuple[str, list[Any]]] = []

    async def receive() -> Message:
        return next(incoming)

    async def send(message: Message) -> None:
        seen.append((message["type"], list(provider.calls)))

    await make_app()({"type": "lifespan", "state": {}}, receive, send)
    assert seen == [
        ("lifespan.startup.complete", [("start",)]),
        ("lifespan.shutdown.complete", [("start",), ("stop",)]),
    ]
