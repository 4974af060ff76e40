"""A thin HTTP client that remembers every exchange, and answers that can be judged."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import httpx

from contract_tests.expect import Failure, equal, one_of, that
from contract_tests.spec import operation_of, response_errors, schema_errors
from contract_tests.traffic import Exchange

Watch = Callable[[Exchange], None]
Query = Mapping[str, Any] | Sequence[tuple[str, Any]]
NOTHING: Final = object()
"""Stands for no body at all, which is not the body `null`."""

TIMEOUT: Final = 30.0


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


class Client:
    """Sends requests to one base URL with fixed headers; `watch` sees every exchange."""

    def __init__(
        self, base_url: str, headers: Mapping[str, str] | None = None, *, watch: Watch | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = dict(headers or {})
        self.exchanges: list[Exchange] = []
        self._watch = watch
        self._http = httpx.Client(timeout=TIMEOUT, trust_env=False)

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
        answer = Answer(self._exchange(method, url, content, sent))
        self.exchanges.append(answer.exchange)
        if self._watch is not None:
            self._watch(answer.exchange)
        return answer

    def _exchange(
        self,
        method: str,
        url: str,
        content: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
    ) -> Exchange:
        recorded = _Recorder(content)
        request = self._http.build_request(
            method, url, content=recorded.content, headers=dict(headers)
        )
        started = time.monotonic()
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            what = f"an answer to {method} {url}"
            raise NoAnswer(what, expected="an HTTP response", actual=repr(error)) from error
        return Exchange(
            method=method,
            url=url,
            operation=operation_of(method, self._path_below_base(request.url)),
            sent_headers=dict(request.headers),
            sent_body=recorded.sent,
            status=response.status_code,
            headers=dict(response.headers),
            body=response.content,
            seconds=time.monotonic() - started,
        )

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


class _Recorder:
    """Keeps what goes out, also when it goes out in chunks."""

    def __init__(self, content: bytes | Iterable[bytes] | None) -> None:
        self.sent = content if isinstance(content, bytes) else b""
        self.content = (
            self._keep(content)
            if isinstance(content, Iterable) and not isinstance(content, bytes)
            else content
        )

    def _keep(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.sent += chunk
            yield chunk


def _query_string(query: Query) -> str:
    pairs = list(query.items() if isinstance(query, Mapping) else query)
    return "?" + urlencode(pairs, doseq=True) if pairs else ""
