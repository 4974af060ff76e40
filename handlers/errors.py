"""The only table from an error to its HTTP status, and the one shape all errors have.

Providers raise `providers.errors`; this module adds the few errors that exist only over HTTP.
The body is always `{"code", "message", "details"}`, where `details` is null if there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from handlers.replies import Reply
from providers.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    OrderRejected,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    ShuttingDown,
    TradingError,
    Unauthorized,
    UnsupportedOperation,
)
from providers.models import ErrorCode

LONGEST_ECHO = 100
"""Characters of a wrong value that an error repeats: enough to recognise it."""


class PathNotFound(NotFound):
    """No operation has this path."""

    code = ErrorCode.NOT_FOUND
    resource = "path"


class MethodNotAllowed(TradingError):
    """The path exists, not with this method; `allowed` are those it has."""

    code = ErrorCode.METHOD_NOT_ALLOWED

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{method} is not allowed here; use {' or '.join(allowed)}",
            {"method": method, "allowed": list(allowed)},
        )
        self.allowed = allowed


class PayloadTooLarge(TradingError):
    code = ErrorCode.PAYLOAD_TOO_LARGE

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is longer than {limit} bytes", {"limit": limit})


class UnsupportedMediaType(TradingError):
    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE

    def __init__(self, provided: str | None) -> None:
        super().__init__(
            "The body must be sent with Content-Type: application/json",
            {"provided": shorten(provided), "supported": ["application/json"]},
        )


class UpgradeRequired(TradingError):
    """The path is that of the event stream, which is spoken over a WebSocket."""

    code = ErrorCode.INVALID_REQUEST

    def __init__(self) -> None:
        super().__init__(
            "The event stream is a WebSocket: ask for an upgrade, as asyncapi.yaml says"
        )


STATUS: Mapping[type[TradingError], int] = {
    InvalidRequest: 400,
    Unauthorized: 401,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    PayloadTooLarge: 413,
    UnsupportedMediaType: 415,
    OrderRejected: 422,
    UpgradeRequired: 426,
    RateLimited: 429,
    UnsupportedOperation: 501,
    ProviderError: 502,
    ProviderUnavailable: 503,
}
"""An error has the status of its nearest ancestor here."""


def status_of(error: type[TradingError]) -> int:
    """Raises StopIteration for a class without a status; a test shows that there is none."""
    return next(STATUS[ancestor] for ancestor in error.__mro__ if ancestor in STATUS)


def error_reply(error: TradingError) -> Reply:
    body = error_body(error.code, error.message, error.details)
    return Reply(body, status_of(type(error)), _headers(error))


def internal_error_reply() -> Reply:
    """The answer to a defect: nothing of it is shown; the log has it under the request id."""
    return Reply(error_body(ErrorCode.INTERNAL_ERROR, "Internal error", None), 500)


def error_body(code: ErrorCode, message: str, details: dict[str, Any] | None) -> dict[str, Any]:
    return {"code": code, "message": message, "details": details}


def _headers(error: TradingError) -> tuple[tuple[bytes, bytes], ...]:
    match error:
        case ShuttingDown():
            return (_retry_after(error.retry_after), (b"connection", b"close"))
        case RateLimited() | ProviderUnavailable():
            return (_retry_after(error.retry_after),)
        case MethodNotAllowed():
            return ((b"allow", ", ".join(error.allowed).encode()),)
        case UpgradeRequired():
            return ((b"upgrade", b"websocket"), (b"connection", b"upgrade"))
        case Unauthorized():
            return ((b"www-authenticate", b"Bearer"),)
    return ()


def _retry_after(seconds: int) -> tuple[bytes, bytes]:
    return (b"retry-after", str(seconds).encode())


def malformed(field: str, reason: str) -> InvalidRequest:
    """A request that cannot be read: missing, unknown or unparsable `field`."""
    name = shorten(field)
    return InvalidRequest(f"{name} {reason}", {"field": name, "reason": reason})


def shorten(value: Any) -> Any:
    """`value` as an error may repeat it: long text cut, other large things described."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_ECHO else f"{value[:LONGEST_ECHO]}..."
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'an array'} of {len(value)}"
    return value
