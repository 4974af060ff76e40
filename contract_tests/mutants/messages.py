"""Requests and answers on their way through the proxy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

from contract_tests.spec import Operation, operation_of

Body: TypeAlias = dict[str, Any]
Pairs: TypeAlias = list[tuple[str, str]]


class Message:
    """What requests and answers have in common."""

    __slots__ = ()
    body: bytes

    @property
    def json(self) -> Any:
        """The body; None when it has none or it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def fields(self) -> Body:
        """The members of a body that is an object."""
        body = self.json
        return body if isinstance(body, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Message):
    """A request as the client sent it; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunked: bool = False

    @property
    def path(self) -> str:
        """The path as it was sent, without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> Pairs:
        """The query parameters in their order."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def operation(self) -> Operation | None:
        """The operation addressed, by whichever prefix."""
        return operation_of(self.method, self.path)

    def names(self, *operations: str) -> bool:
        """Whether the operation is one of these."""
        return self.operation is not None and self.operation.id in operations

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)

    @property
    def last_segment(self) -> str:
        """The end of the path, which is an id where the operation has one."""
        return self.path.rpartition("/")[2]

    def with_query(self, query: Iterable[tuple[str, str]]) -> Request:
        """The same request with another query."""
        pairs = list(query)
        return replace(self, target=self.path + ("?" + urlencode(pairs) if pairs else ""))

    def without_parameter(self, *names: str) -> Request:
        """The same request without some query parameters."""
        return self.with_query((key, value) for key, value in self.query if key not in names)

    def with_parameter(self, name: str, value: str) -> Request:
        """The same request with a query parameter set."""
        return self.with_query([*self.without_parameter(name).query, (name, value)])

    def with_json(self, body: object) -> Request:
        """The same request with another body."""
        return replace(self, body=json.dumps(body).encode(), chunked=False)

    def with_fields(self, **fields: object) -> Request:
        """The same request with some members of its body set."""
        return self.with_json(self.fields | fields)

    def without_fields(self, *names: str) -> Request:
        """The same request without some members of its body."""
        if self.fields.keys().isdisjoint(names):
            return self
        return self.with_json({k: v for k, v in self.fields.items() if k not in names})

    def with_headers(self, headers: Mapping[str, str | None]) -> Request:
        """The same request with headers set, or taken away by None."""
        merged = {**self.headers, **headers}
        return replace(self, headers={k: v for k, v in merged.items() if v is not None})

    def asking(self, method: str, target: str, body: object = None) -> Request:
        """Another request of the same client."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = {k: v for k, v in self.headers.items() if not k.startswith("content-")}
        headers |= {"content-type": "application/json"} if content else {}
        return Request(method=method, target=target, headers=headers, body=content)


@dataclass(frozen=True, slots=True)
class Response(Message):
    """An answer on its way back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def error(self) -> Body:
        """What an error says besides its message: code, and the members of details."""
        body = self.fields
        return {"code": body.get("code"), **(body.get("details") or {})}

    def with_status(self, status: int) -> Response:
        """The same answer with another status."""
        return replace(self, status=status)

    def with_json(self, body: object) -> Response:
        """The same answer with another body."""
        return replace(self, body=json.dumps(body).encode())

    def with_header(self, name: str, value: str | None) -> Response:
        """The same answer with a header set, or taken away by None."""
        kept = {k: v for k, v in self.headers.items() if k.lower() != name.lower()}
        return replace(self, headers=kept if value is None else kept | {name: value})

    def header(self, name: str) -> str | None:
        """The value of a header."""
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), None)


Forward: TypeAlias = Callable[[Request], Response]
Mutation: TypeAlias = Callable[[Request, Forward], Response]
"""What a mutant does: it sees a request, may forward it and others, and answers."""


def answering(status: int, body: object) -> Response:
    """An answer made up by the proxy."""
    made = Response(status, {"Content-Type": "application/json", "X-Request-Id": "made-up"})
    return made.with_json(body)


def failing(status: int, code: str, **details: object) -> Response:
    """An error made up by the proxy, in the shape of every error."""
    return answering(status, {"code": code, "message": "made up", "details": details or None})


def straight(request: Request, forward: Forward) -> Response:
    """The mutation that changes nothing."""
    return forward(request)
