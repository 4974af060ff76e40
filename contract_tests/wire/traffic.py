"""What went over the wire: exchanges, how they read in a report, and which statuses were seen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from contract_tests.spec import Operation

KEY_HEADERS: Final = frozenset({"authorization", "x-api-key"})
"""The headers that carry an API key, in lower case."""

SECRET_HEADERS: Final = KEY_HEADERS | {"proxy-authorization", "cookie", "set-cookie"}
_NOISE_HEADERS: Final = {"accept", "accept-encoding", "connection", "user-agent", "host"}
_SHOWN: Final = 2000
_MOST: Final = 20
"""Messages of a WebSocket that are shown, the last ones."""

NO_STATUS: Final = 0
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""The escape of a surrogate, which is half a character unless another follows."""


class Record(dict[str, Any]):
    """A JSON object in which a member that is absent reads as null: the spec has them be one."""

    def __missing__(self, _: str) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of a WebSocket, or its end, which has a close code.

    `at` is when the check took it or sent it. `data` is bytes where the message is binary.
    """

    at: float
    sent: bool
    data: str | bytes = ""
    code: int | None = None

    def json(self) -> Any:
        """What a text message says, as Exchange.json; raises ValueError when it is not JSON."""
        if isinstance(self.data, bytes):
            raise ValueError("the message is binary")
        return decoded(self.data.encode("utf-8", "surrogatepass"))

    def render(self) -> str:
        """One line for a report."""
        mark = ">" if self.sent else "<"
        if self.code is not None:
            return f"{mark} {self.at:.3f} s: close {self.code} {self.data!r}"
        shown = self.data if isinstance(self.data, str) else repr(self.data)
        cut = f" ... ({len(shown)} characters)" if len(shown) > _SHOWN else ""
        return f"{mark} {self.at:.3f} s: {shown[:_SHOWN]}{cut}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer. Header names are lower case; `seconds` is the round trip.

    `at` is when the answer was there, by the clock of the check. Where none came, `status` is
    NO_STATUS and `error` says why. `messages` are those of a WebSocket, once its handshake was
    accepted; None where no WebSocket was asked for.
    """

    method: str
    url: str
    operation: Operation | None
    sent_headers: Mapping[str, str]
    sent_body: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    at: float = 0.0
    error: str = ""
    messages: list[Message] | None = None

    @property
    def path(self) -> str:
        """The path as it was sent."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters, each with all its values."""
        return parse_qs(urlsplit(self.url).query, keep_blank_values=True)

    @property
    def media_type(self) -> str:
        """The answer's media type without parameters, lower case; empty when absent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The answer's body, its objects as Record; raises ValueError when it is not JSON.

        It is none either where it holds NaN, half a character, or is nested without end.
        """
        return decoded(self.body)

    def items(self) -> list[Record]:
        """The objects that a success holds, alone or in a list; none where it holds none."""
        try:
            body = self.json() if 200 <= self.status < 300 else []
        except ValueError:
            return []
        return [
            one for one in (body if isinstance(body, list) else [body]) if isinstance(one, Record)
        ]

    def ids(self) -> list[str]:
        """The ids of those objects."""
        return [one["id"] for one in self.items() if isinstance(one["id"], str)]

    def sent_json(self) -> Any:
        """The request's body; None when it has none or it is not JSON."""
        try:
            return json.loads(self.sent_body)
        except ValueError:
            return None

    def render(self) -> str:
        """Both messages for a report, secrets struck out and long bodies cut."""
        parts = [
            f"> {self.method} {self.url}",
            *_headers(self.sent_headers, ">"),
            *_body(self.sent_body, ">"),
            f"< {self.status or self.error}",
            *_headers(self.headers, "<"),
            *_body(self.body, "<"),
            *_messages(self.messages or []),
        ]
        return "\n".join(parts)


def _messages(messages: list[Message]) -> Iterable[str]:
    hidden = len(messages) - _MOST
    if hidden > 0:
        yield f"... {hidden} messages"
    yield from (message.render() for message in messages[-_MOST:])


def decoded(text: bytes) -> Any:
    """JSON, its objects as Record; see Exchange.json."""
    try:
        found = json.loads(text, object_hook=Record, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _HALF.search(text):
        json.dumps(found, ensure_ascii=False).encode()
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _headers(headers: Mapping[str, str], mark: str) -> Iterable[str]:
    for name, value in headers.items():
        if name not in _NOISE_HEADERS:
            yield f"{mark} {name}: {'***' if name in SECRET_HEADERS else value}"


def _body(body: bytes, mark: str) -> Iterable[str]:
    if body:
        text = body[:_SHOWN].decode("utf-8", "backslashreplace")
        cut = f" ... ({len(body)} bytes)" if len(body) > _SHOWN else ""
        yield from (f"{mark} {line}" for line in (text + cut).splitlines())


@dataclass(slots=True)
class Statuses:
    """Which statuses each operation answered, over a whole session and all its servers."""

    seen: dict[str, set[int]] = field(default_factory=dict)

    def add(self, operation: Operation | None, status: int) -> None:
        """Note one answer; requests to paths outside the spec do not count."""
        if operation is not None:
            self.seen.setdefault(operation.id, set()).add(status)

    def of(self, operation: Operation) -> set[int]:
        """The statuses that an operation answered so far."""
        return self.seen.get(operation.id, set())
