"""The record of a fuzzing process: lines of JSON that another process reads."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from contract_tests.spec import operation_of
from contract_tests.wire.traffic import Exchange

DIRECTORY: Final = "TRADING_CONFORMANCE_FUZZ"
"""The environment variable that names the directory of both files."""

PLAN: Final = "plan.json"
RECORD: Final = "record.jsonl"


def write(directory: Path, exchange: Exchange, **more: Any) -> None:
    """Append a line: what went over the wire, and what is to be said of it."""
    packed = {name: getattr(exchange, name) for name in _PLAIN}
    packed |= {name: dict(getattr(exchange, name)) for name in ("sent_headers", "headers")}
    packed |= {name: b64encode(getattr(exchange, name)).decode() for name in ("sent_body", "body")}
    with (directory / RECORD).open("a", encoding="utf-8") as record:
        record.write(json.dumps({"exchange": packed, **more}) + "\n")


def read(directory: Path, base_path: str) -> Iterator[tuple[Exchange, dict[str, Any]]]:
    """Every exchange below a base path, and what is said of it, in the order of the record."""
    record = directory / RECORD
    if not record.exists():
        return
    with record.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):  # the last one may be cut off
                more = json.loads(line)
                yield _unpacked(more.pop("exchange"), base_path), more


def _unpacked(packed: dict[str, Any], base_path: str) -> Exchange:
    bodies = {name: b64decode(packed[name]) for name in ("sent_body", "body")}
    path = packed["url"].partition("://")[2].partition("?")[0]
    below = ("/" + path.partition("/")[2]).removeprefix(base_path)
    return Exchange(**{**packed, **bodies}, operation=operation_of(packed["method"], below))


_PLAIN: Final = ("method", "url", "status", "seconds", "error")
