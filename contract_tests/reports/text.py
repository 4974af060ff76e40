"""Text from a server made fit to be shown: nothing in it can act, hide or flood."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

SHOWN: Final = 4000
"""Characters of a body that a report shows; all of it is in the JSON report."""

_USUAL: Final = frozenset({"accept-encoding", "connection", "content-length", "host", "user-agent"})
_ACTS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and line feed: they drive terminals
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"  # they reorder what a reader sees
    "\ud800-\udfff\ufffe\uffff]"  # neither UTF-8 nor XML can say these
)


def visible(text: str) -> str:
    """The text with every character that acts instead of showing written as its escape."""
    return _ACTS.sub(_escaped, text.replace("\r\n", "\n"))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def sendable(url: str) -> str:
    """A URL with every character that acts instead of showing percent-encoded."""
    return _ACTS.sub(lambda found: quote(found[0], errors="surrogatepass"), url)


def cut(text: str, limit: int = SHOWN) -> str:
    """The beginning of a long text, and how much more there was."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} ... ({len(text):,} characters in all)"


def line(text: str, limit: int = 300) -> str:
    """The text on one line, for lists and tables."""
    return cut(" ".join(visible(text).split()), limit)


def body(exchange: dict[str, Any], prefix: str = "") -> str:
    """A body for reading: JSON indented, binary as base64, cut when long, "" when there is none.

    `prefix` is "request_" for the request's.
    """
    text: str | None = exchange[f"{prefix}body"]
    if text is None:
        return _binary(exchange.get(f"{prefix}body_base64"))
    return cut(visible(_pretty(text) if len(text) <= SHOWN else text))


def message(one: dict[str, Any]) -> str:
    """A message of a WebSocket on one line, cut when long; of its end the close code too."""
    said = "(binary) " + cut(visible(one["base64"])) if "base64" in one else one["text"]
    ended = f"close {one['close']} " if "close" in one else ""
    return line(ended + said, 2000).strip()


def headers(exchange: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The headers that tell something: those that every HTTP client sends are left out."""
    given: dict[str, str] = exchange[f"{prefix}headers"]
    return {k: v for k, v in given.items() if not (prefix and is_usual(k, v))}


def is_usual(name: str, value: str) -> bool:
    """Whether a request header is what every HTTP client sends by itself."""
    return name.lower() in _USUAL or (name.lower(), value) == ("accept", "*/*")


def raw_body(exchange: dict[str, Any], prefix: str = "") -> bytes:
    """A body as it went over the wire."""
    text: str | None = exchange[f"{prefix}body"]
    if text is None:
        return base64.b64decode(exchange.get(f"{prefix}body_base64", ""))
    return text.encode("utf-8", "surrogatepass")


def _binary(encoded: str | None) -> str:
    if encoded is None:
        return ""
    size = len(base64.b64decode(encoded))
    return f"({size:,} bytes that are not UTF-8, in base64)\n{cut(visible(encoded))}"


def _pretty(text: str) -> str:
    """JSON indented, its values as they were written; text that is not JSON as it is."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return "".join(_indented(_TOKEN.findall(text)))


def _indented(tokens: list[str]) -> Iterator[str]:
    depth, previous = 0, ""
    for part in tokens:
        closes = part in _CLOSING
        depth -= closes
        if previous == "," or (previous in _OPENING) != closes:
            yield "\n" + "  " * depth
        yield ": " if part == ":" else part
        depth += part in _OPENING
        previous = part


_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_OPENING: Final = frozenset("{[")
_CLOSING: Final = frozenset("}]")
