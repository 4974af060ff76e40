"""REST at a venue: what is repeated, what a failure means, and what is never shown."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live import http
from providers.live.http import Http, retry_after
from providers.live.venue import Unanswered
from tests.venues.serving import cut, served

SECRET = "s3cr3t-of-a-test"
OK = Response('{"price": 0.10, "size": 3, "name": "x"}', media_type="application/json")
HALF = "half"
"""In place of a response: one that breaks off in the middle."""


class Server:
    """Answers with what it is told, in turn, and then with OK; keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: deque[Response | str] = deque()
        self.requests: list[tuple[str, str, bytes]] = []
        self.seen: list[dict[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        self.requests.append((request.method, request.url.path, await request.body()))
        self.seen.append(dict(request.headers))
        answer = self.answers.popleft() if self.answers else OK
        if isinstance(answer, str):
            await cut(OK, request, send)
        else:
            await answer(scope, receive, send)

    @property
    def count(self) -> int:
        return len(self.requests)


class Signed(httpx.Auth):
    """Adds a header, as venues have their keys."""

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["X-Key"] = SECRET
        yield request


@asynccontextmanager
async def venue(
    *answers: Response | str, observe: Callable[[Any], None] = lambda _: None
) -> AsyncIterator[tuple[Http, Server]]:
    server = Server()
    server.answers.extend(answers)
    app = Starlette(routes=[Route("/{path:path}", server)])
    async with served(app) as port:
        client = Http("fake", f"http://127.0.0.1:{port}", auth=Signed(), observe=observe)
        try:
            yield client, server
        finally:
            await client.close()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait between attempts is worth noticing, but those that a venue asks for."""
    monkeypatch.setattr(http, "FIRST_WAIT", 0.001)


def failing(status: int, **headers: str) -> Response:
    return Response("{}", status, headers)


async def test_numbers_are_exact() -> None:
    """A number with a point is a Decimal, and keeps its zeros."""
    async with venue() as (client, _):
        answer = await client.get("/quote")
    assert {"price": Decimal("0.10"), "size": 3, "name": "x"} == answer.body
    assert isinstance(answer.body["price"], Decimal)
    assert answer.ok


async def test_decimals_are_sent_as_numbers() -> None:
    """A command carries amounts to the last digit."""
    async with venue() as (client, server):
        await client.send("POST", "/orders", json={"quantity": Decimal("0.100000000000000001")})
    assert ("POST", "/orders", b'{"quantity": 0.100000000000000001}') == server.requests[0]


@pytest.mark.parametrize("answer", [HALF, *map(failing, (429, 500, 502, 503, 504))])
async def test_a_read_is_repeated(answer: Response | str) -> None:
    """A read that fails once is answered by the second attempt."""
    async with venue(answer) as (client, server):
        assert (await client.get("/quote")).ok
    assert 2 == server.count


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failing(500), ProviderUnavailable),
        (failing(503), ProviderUnavailable),
        (failing(429), RateLimited),
        (HALF, ProviderUnavailable),
    ],
)
async def test_a_read_is_given_up(answer: Response | str, error: type[Exception]) -> None:
    """A read that keeps failing fails, after as many attempts as there are."""
    async with venue(*[answer] * 9) as (client, server):
        with pytest.raises(error):
            await client.get("/quote")
    assert http.READ_ATTEMPTS == server.count


@pytest.mark.parametrize("answer", [HALF, failing(500), failing(502), failing(503), failing(504)])
async def test_a_command_is_sent_once(answer: Response | str) -> None:
    """What has become of a command that failed is not known, and it is not sent again."""
    async with venue(answer) as (client, server):
        with pytest.raises(Unanswered):
            await client.send("POST", "/orders", json={})
    assert 1 == server.count


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_limited_command(method: str) -> None:
    """A command that is refused for its rate was not done, and is not repeated."""
    async with venue(failing(429, **{"Retry-After": "7"})) as (client, server):
        with pytest.raises(RateLimited) as limited:
            await client.send(method, "/orders")
    assert (7, 1) == (limited.value.retry_after, server.count)


async def test_a_long_retry_after_is_not_waited_for() -> None:
    """A venue that wants silence for long is not asked again."""
    async with venue(failing(429, **{"Retry-After": "3600"})) as (client, server):
        with pytest.raises(RateLimited) as limited:
            await client.get("/quote")
    assert (3600, 1) == (limited.value.retry_after, server.count)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nobody_there(method: str) -> None:
    """Without a connection nothing was sent."""
    async with served(Starlette()) as port:
        pass
    client = Http("fake", f"http://127.0.0.1:{port}")
    with pytest.raises(ProviderUnavailable) as unreached:
        await (client.get("/x") if method == "GET" else client.send(method, "/x"))
    await client.close()
    assert ProviderUnavailable is type(unreached.value)


async def test_a_silent_venue() -> None:
    """A command without an answer in time may have been done."""

    async def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too long", request=request)

    client = Http("fake", "https://venue.example.com")
    client._client._transport = httpx.MockTransport(silent)
    with pytest.raises(Unanswered):
        await client.send("POST", "/orders")
    await client.close()


async def test_what_is_not_json() -> None:
    """A success that cannot be read: nonsense to a read, an unknown outcome to a command."""
    page = Response("<html>", 200)
    async with venue(page, page) as (client, _):
        with pytest.raises(ProviderError):
            await client.get("/quote")
        with pytest.raises(Unanswered):
            await client.send("POST", "/orders")


async def test_a_page_with_a_status() -> None:
    """A failure that is not JSON is told by its status; an empty answer has no body."""
    async with venue(Response("<html>", 404), Response(b"", 204)) as (client, _):
        refused, done = await client.get("/x"), await client.send("DELETE", "/x")
    assert (404, None, False) == (refused.status, refused.body, refused.ok)
    assert (204, None, True) == (done.status, done.body, done.ok)


async def test_what_a_venue_refuses_is_an_answer() -> None:
    """What a 4xx means is for the venue's own module to say."""
    async with venue(Response('{"code": 7}', 422)) as (client, _):
        assert (422, {"code": 7}) == (
            (answer := await client.send("POST", "/orders")).status,
            answer.body,
        )


async def test_headers_are_observed() -> None:
    """Every answer shows its headers, also one that fails."""
    shown: list[str] = []
    answers = [failing(429, **{"X-Left": "0"}), Response("{}", headers={"X-Left": "9"})]
    async with venue(*answers, observe=lambda found: shown.append(found["x-left"])) as (client, _):
        await client.get("/quote")
        assert client.health.last_answer is not None
    assert ["0", "9"] == shown


async def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither headers nor queries nor bodies are in a log, in an error or in a repr."""
    answers: list[Response | str] = [HALF, failing(500), failing(429), Response(SECRET), HALF]
    with caplog.at_level(logging.DEBUG, logger="providers"):
        async with venue(*answers) as (client, server):
            texts = [repr(client)]
            for _ in range(6):
                for call in (
                    client.get("/quote", {"signature": SECRET}),
                    client.send("POST", "/orders", json={"key": SECRET}, query={"sign": SECRET}),
                ):
                    try:
                        await call
                    except (ProviderUnavailable, ProviderError, RateLimited) as error:
                        texts += [str(error), repr(error), repr(error.__cause__)]
    assert server.seen[0]["x-key"] == SECRET
    assert caplog.messages
    assert SECRET not in " ".join([*texts, caplog.text])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7),
        ("0", 1),
        ("", 1),
        ("soon", 1),
        ("1.5", 1),
        ("-3", 1),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 1),
    ],
)
def test_retry_after(value: str, expected: int) -> None:
    """A number of seconds or a date; what is neither, or over, is a second."""
    assert expected == retry_after({"retry-after": value})


def test_retry_after_a_date() -> None:
    """A date is waited for."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 58 <= retry_after({"retry-after": soon}) <= 61
    assert 1 == retry_after({})
