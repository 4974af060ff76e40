"""Logging: one line per event on standard error, as text for people or JSON for machines.

Every line carries the id of the request it belongs to. Loggers are named `trading_api...`; those
of the server (`uvicorn`, `gunicorn`) and of libraries go the same way.
"""

from __future__ import annotations

import logging
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

import orjson

REQUEST_ID: ContextVar[bytes] = ContextVar("request_id", default=b"-")

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error", "critical"]


def configure(level: Level, format: Format) -> None:
    """Sends the records of every logger to standard error. May be called again."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(format))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Connexion describes each route at INFO; that is noise to whoever runs the server.
    logging.getLogger("connexion").setLevel(logging.WARNING)
    # httpx would log whole URLs, and some venues take signatures and tokens in a query.
    # At DEBUG, websockets shows the headers and frames of a stream, credentials among them.
    for name in ("httpx", "websockets"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Uvicorn has a line of its own for each handshake; the stream's access lines say more.
    logging.getLogger("uvicorn.websockets").setLevel(logging.WARNING)


def formatter(format: Format) -> logging.Formatter:
    return JsonFormatter() if format == "json" else TextFormatter()


class TextFormatter(logging.Formatter):
    """`2025-01-15T10:30:00.123Z INFO trading_api.access [request id] message`"""

    def format(self, record: logging.LogRecord) -> str:
        line = (
            f"{moment(record.created)} {record.levelname} {record.name}"
            f" [{REQUEST_ID.get().decode()}] {record.getMessage()}"
        )
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


class JsonFormatter(logging.Formatter):
    """One object per line: time, level, logger, message, request_id, exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": REQUEST_ID.get().decode(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class Access(NamedTuple):
    """One request and its answer."""

    method: str
    path: str
    status: int
    duration_ms: float
    client: str


class AccessLog:
    """A line per request, in the form of the other lines, at level INFO.

    It is written straight to standard error: a `LogRecord` on its way through logging takes as
    long as the whole of a short request.
    """

    NAME = "trading_api.access"

    def __init__(self, format: Format) -> None:
        self._line = self._json if format == "json" else self._text

    def write(self, access: Access) -> None:
        sys.stderr.write(f"{self._line(moment(time.time()), REQUEST_ID.get().decode(), access)}\n")

    def _text(self, now: str, request_id: str, access: Access) -> str:
        method, path, status, duration, client = access
        return (
            f"{now} INFO {self.NAME} [{request_id}] {method} {path} {status} {duration}ms {client}"
        )

    def _json(self, now: str, request_id: str, access: Access) -> str:
        line = {
            "time": now,
            "level": "info",
            "logger": self.NAME,
            "message": f"{access.method} {access.path} {access.status}",
            "request_id": request_id,
            **access._asdict(),
        }
        return orjson.dumps(line).decode()


def moment(created: float) -> str:
    """When it happened: UTC, to the millisecond."""
    seconds = int(created)
    return f"{_second(seconds)}.{int((created - seconds) * 1000):03}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
