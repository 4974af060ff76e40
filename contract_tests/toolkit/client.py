"""A thin client that remembers every exchange, and answers that can be judged."""

from __future__ import annotations

import json as jsonlib
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import httpx

from contract_tests.spec import operation_of, response_errors, schema_errors
from contract_tests.toolkit.expect import Failure, equal, one_of, that
from contract_tests.wire.clock import WALL, Clock
from contract_tests.wire.sockets import Upgraded, Wire, upgrade
from contract_tests.wire.traffic import NO_STATUS, Exchange

Watch = Callable[[Exchange], None]
Query = Mapping[str, Any] | Sequence[tuple[str, Any]]
NOTHING: Final = object()
"""Stands for no body at all, which is not the body `null`."""

TIMEOUT: Final = 30.0
_SHORTEST_TIMEOUT: Final = 2.0
_UPGRADE: Final = {"connection": "Upgrade", "upgrade": "websocket"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's answer to one request."""

    exchange: Exchange

    @property
    def status(self) -> int:
        """The status code."""
        return self.exchange.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        return self.exchange.headers

    @property
    def body(self) -> Any:
        """The decoded JSON body; raises Failure when it is not JSON."""
        try:
            return self.exchange.json()
        except ValueError as error:
            raise self.failure("the body is JSON", "JSON", str(error)) from None

    def ok(self, status: int = 200) -> Any:
        """The body, once status, media type and schema are those the spec documents."""
        equal(self.status, status, "the status", self.exchange)
        equal(self.exchange.media_type, "application/json", "the media type", self.exchange)
        body = self.body
        operation = self.exchange.operation
        if operation is not None:
            errors = response_errors(operation, status, body)
            self.that(not errors, f"the body of {operation} {status} follows its schema", errors)
        return body

    def refused(self, status: int, *codes: str, field: str | None = None) -> dict[str, Any]:
        """The details of an error, once its status, shape, code and field are right."""
        equal(self.status, status, "the status", self.exchange)
        body = self.error()
        if codes:
            one_of(body["code"], set(codes), "the error code", self.exchange)
        details: dict[str, Any] = body["details"] or {}
        if field is not None:
            equal(details.get("field"), field, "details.field", self.exchange)
        return details

    def rejected(self, *reasons: str) -> dict[str, Any]:
        """The details of a 422 ORDER_REJECTED, once its reject_reason is one of those given."""
        details = self.refused(422, "ORDER_REJECTED")
        if reasons:
            one_of(details.get("reject_reason"), set(reasons), "reject_reason", self.exchange)
        return details

    def error(self) -> dict[str, Any]:
        """The body, once it has the shape of every error."""
        body: dict[str, Any] = self.body
        errors = schema_errors("ErrorResponse", body)
        self.that(not errors, "the body is an error {code, message, details}", errors)
        return body

    def that(self, holds: bool, what: str, actual: object) -> None:
        """Raise Failure with this exchange unless the condition holds."""
        that(holds, what, expected="holds", actual=actual, exchange=self.exchange)

    def failure(self, what: str, expected: object, actual: object) -> Failure:
        """A Failure that shows this exchange."""
        return Failure(what, expected=expected, actual=actual, exchange=self.exchange)


@cache
def _trusted() -> ssl.SSLContext:
    """Whom to believe: reading the certificates takes longer than a request."""
    return httpx.create_ssl_context(trust_env=False)


class Client:
    """Sends requests to one base URL with fixed headers; `watch` sees every answer.

    `exchanges` holds all traffic, also what was not answered within `timeout` seconds, which get
    fewer with every request that is not answered. Clients of one run share it, and their clock.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        *,
        watch: Watch | None = None,
        timeout: float = TIMEOUT,
        clock: Clock = WALL,
        exchanges: list[Exchange] | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = dict(headers or {})
        self.clock = clock
        self.exchanges: list[Exchange] = [] if exchanges is None else exchanges
        self._watch = watch
        self._timeout = timeout
        self._http = httpx.Client(trust_env=False, verify=_trusted())

    def send(
        self,
        method: str,
        path: str,
        query: Query = (),
        *,
        json: object = NOTHING,
        content: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request. `content` is sent as it is, an iterable of bytes in chunks."""
        sent = {**self.headers, **(headers or {})}
        if json is not NOTHING:
            content = jsonlib.dumps(json).encode()
            sent.setdefault("Content-Type", "application/json")
        url = self.base_url + path + _query_string(query)
        return Answer(self._noted(self._exchange(method, url, content, sent)))

    def open(
        self,
        path: str,
        query: Query = (),
        *,
        headers: Mapping[str, str] | None = None,
        slow: bool = False,
    ) -> tuple[Exchange, Wire | None]:
        """Ask for a WebSocket; there is one where the answer is 101.

        The path may be a whole URL. What comes over it is looked at when it is closed.
        """
        base = "" if path.startswith("http") else self.base_url
        url = base + path + _query_string(query)
        sent = {**self.headers, **(headers or {})}
        started = time.monotonic()
        found = self.upgrade(url, sent, slow=slow)
        if found.timed_out:
            self._lose_patience()
        exchange = Exchange(
            method="GET",
            url=url,
            operation=None,
            sent_headers={name.lower(): one for name, one in sent.items()} | _UPGRADE,
            sent_body=b"",
            status=found.status,
            headers=found.headers,
            body=found.body,
            seconds=time.monotonic() - started,
            at=self.clock.answered(),
            error=found.error,
            messages=[],
        )
        self._keep(exchange)
        return exchange, found.wire

    def upgrade(self, url: str, headers: Mapping[str, str], *, slow: bool) -> Upgraded:
        """Perform a handshake."""
        return upgrade(url, headers, timeout=self._timeout, clock=self.clock, slow=slow)

    def look(self, exchange: Exchange) -> None:
        """Let whoever watches look at an exchange."""
        if self._watch is not None:
            self._watch(exchange)

    def _noted(self, exchange: Exchange) -> Exchange:
        self._keep(exchange)
        self.look(exchange)
        return exchange

    def _keep(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        if exchange.status == NO_STATUS:
            what = f"an answer to {exchange.method} {exchange.url}"
            raise NoAnswer(
                what, expected="an HTTP response", actual=exchange.error, exchange=exchange
            )

    def _exchange(
        self,
        method: str,
        url: str,
        content: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
    ) -> Exchange:
        body = Outgoing(content)
        request = self._http.build_request(
            method, url, content=body.content, headers=dict(headers), timeout=self._timeout
        )
        reply = self.perform(url, request, body)
        return Exchange(
            method=method,
            url=url,
            operation=operation_of(method, self._path_below_base(request.url)),
            sent_headers=dict(request.headers),
            sent_body=body.sent,
            status=reply.status,
            headers=reply.headers,
            body=reply.body,
            seconds=reply.seconds,
            at=reply.at,
            error=reply.error,
        )

    def perform(self, url: str, request: httpx.Request, body: Outgoing) -> Reply:
        """Send a request. `url` is what was asked for, and `body` notes what goes out."""
        del url, body  # the request has both
        started = time.monotonic()
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            if isinstance(error, httpx.TimeoutException):
                self._lose_patience()
            seconds = time.monotonic() - started
            return Reply(at=self.clock.answered(), seconds=seconds, error=repr(error))
        return Reply(
            status=response.status_code,
            headers=dict(response.headers),
            body=response.content,
            seconds=time.monotonic() - started,
            at=self.clock.answered(),
        )

    def _lose_patience(self) -> None:
        """Who keeps silent once does so again: a run shall end all the same."""
        self._timeout = min(self._timeout, max(self._timeout / 2, _SHORTEST_TIMEOUT))

    def _path_below_base(self, url: httpx.URL) -> str:
        path = url.raw_path.decode("ascii").partition("?")[0]
        return path.removeprefix(urlsplit(self.base_url).path)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class NoAnswer(Failure):
    """The connection failed, or nothing that is HTTP came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back for a request; see Exchange."""

    at: float
    seconds: float
    status: int = NO_STATUS
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""


class Outgoing:
    """The body of a request. Keeps in `sent` what goes out, also when it goes out in chunks."""

    def __init__(self, content: bytes | Iterable[bytes] | None) -> None:
        self.sent = b""
        self.content: bytes | Iterable[bytes] | None
        if content is None or isinstance(content, bytes):
            self.sent, self.content = content or b"", content
        else:
            self.content = self._noted(content)

    def _noted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.sent += chunk
            yield chunk


def _query_string(query: Query) -> str:
    pairs = list(query.items() if isinstance(query, Mapping) else query)
    return "?" + urlencode(pairs, doseq=True) if pairs else ""
