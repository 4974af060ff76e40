"""Strikes secrets out of everything that leaves the suite."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

from contract_tests.wire.traffic import SECRET_HEADERS

STRUCK: Final = "***"

_SECRET_NAME: Final = re.compile(
    r"auth|key|token|secret|cookie|session|passw|credential|signature", re.IGNORECASE
)
_SHORTEST: Final = 4
"""Shorter values are struck out of headers only: elsewhere they would hit innocent words."""


class Secrets:
    """The secrets among the headers of a run, in every spelling in which they may come back."""

    def __init__(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        own = {name.lower(): value for name, value in headers if _is_secret(name)}
        self._names = SECRET_HEADERS | own.keys()
        self._secrets: list[str] = []
        self._pattern = re.compile(r"(?!)")
        self._learn(part for value in own.values() for part in _parts(value))

    def _learn(self, values: Iterable[str]) -> None:
        long = [value for value in values if len(value) >= _SHORTEST and STRUCK not in value]
        spelled = {text for value in long for text in _spellings(value)}
        if not spelled <= set(self._secrets):
            self._secrets = sorted(spelled.union(self._secrets), key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, self._secrets)))

    def text(self, text: str) -> str:
        """The text without secrets, and without what UTF-8 cannot say."""
        return self._pattern.sub(STRUCK, text).encode("utf-8", "backslashreplace").decode()

    def data(self, data: bytes) -> bytes:
        """Bytes without secrets."""
        for secret in self._secrets:
            data = data.replace(secret.encode(), STRUCK.encode())
        return data

    def header(self, name: str, value: str) -> str:
        """The value of a header without secrets; of a header made for secrets nothing is left."""
        if name.lower() == "set-cookie":
            self._learn([value.partition("=")[2].partition(";")[0]])
        return STRUCK if name.lower() in self._names else self.text(value)

    def node(self, node: Any) -> Any:
        """A piece of JSON without secrets."""
        if isinstance(node, str):
            return self.text(node)
        if isinstance(node, list):
            return [self.node(item) for item in node]
        if isinstance(node, dict):
            return {self.text(name): self.node(value) for name, value in node.items()}
        return node


def _is_secret(name: str) -> bool:
    return name.lower() in SECRET_HEADERS or _SECRET_NAME.search(name) is not None


def _parts(value: str) -> Iterator[str]:
    """The value, the token behind a scheme, the values of cookies, and what Basic hides."""
    yield value
    scheme, _, rest = value.partition(" ")
    yield rest.strip()
    yield from (pair.partition("=")[2].strip() for pair in value.split(";"))
    if scheme.lower() == "basic":
        yield from _credentials(rest.strip())


def _credentials(encoded: str) -> Iterator[str]:
    try:
        plain = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    yield plain
    yield plain.partition(":")[2]


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield base64.b64encode(secret.encode()).decode().rstrip("=")
