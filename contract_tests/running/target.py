"""Finds the API below the URL that was given, and notices when it is gone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from contract_tests.spec import VERSION_PREFIX, schema_errors
from contract_tests.toolkit.client import Answer, Client, NoAnswer
from contract_tests.toolkit.expect import Failure

GRACE: Final = 3.0
"""Seconds in which a server that did not answer may come back before it counts as gone."""

_PROBE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server: the URL that was given, the base of its API, and what it calls itself."""

    url: str
    base: str
    server: str | None

    @property
    def base_path(self) -> str:
        """The path of the base, "/" where the API stands at the root."""
        return urlsplit(self.base).path or "/"


def find(url: str, headers: Mapping[str, str], *, timeout: float) -> Target:
    """The target, its API at the URL or below or above /v1, whichever answers GET /health.

    Where none does but something answers at the URL, that is what shall be judged. Raises NoAnswer
    where nothing answers at all.
    """
    silence: NoAnswer | None = None
    heard: list[Target] = []
    for base in _bases(url):
        answer = _health(base, headers, min(timeout, _PROBE_SECONDS))
        if isinstance(answer, NoAnswer):
            silence = silence or answer
            continue
        heard.append(Target(url=url, base=base, server=answer.headers.get("server")))
        if _is_healthy(answer):
            return heard[-1]
    if silence and not heard:
        raise silence
    return heard[0]


def _bases(url: str) -> tuple[str, str]:
    bare = url.rstrip("/")
    if bare.endswith(VERSION_PREFIX):
        return bare, bare.removesuffix(VERSION_PREFIX)
    return bare, bare + VERSION_PREFIX


def _health(base: str, headers: Mapping[str, str], timeout: float) -> Answer | NoAnswer:
    with Client(base, headers, timeout=timeout) as client:
        try:
            return client.send("GET", "/health")
        except NoAnswer as error:
            return error


def _is_healthy(answer: Answer) -> bool:
    try:
        return not schema_errors("Health", answer.ok())
    except Failure:
        return False


def is_gone(base: str, headers: Mapping[str, str], *, timeout: float) -> bool:
    """Whether a server that owes an answer gives none any more, nor within the grace."""
    deadline = time.monotonic() + GRACE
    while isinstance(_health(base, headers, min(timeout, _PROBE_SECONDS)), NoAnswer):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.2)
    return False
