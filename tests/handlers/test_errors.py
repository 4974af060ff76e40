"""The error table is total, and every error has the one shape."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from handlers.errors import STATUS, PathNotFound, error_reply, shorten, status_of
from providers.errors import (
    DuplicateClientOrderId,
    InvalidRequest,
    InvalidValue,
    OrderNotFound,
    OrderNotModifiable,
    OrderRejected,
    PositionNotFound,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    ShuttingDown,
    SymbolNotFound,
    TradingError,
    Unauthorized,
    UnsupportedOperation,
)
from providers.models import OrderStatus, RejectReason


def tree(root: type[TradingError]) -> Iterator[type[TradingError]]:
    for child in root.__subclasses__():
        yield child
        yield from tree(child)


def test_every_error_has_a_status_and_a_code() -> None:
    """No error of the tree is left without an answer."""
    missing = [
        error.__name__
        for error in tree(TradingError)
        if not (status_of(error) in range(400, 600) and (hasattr(error, "code") or error in STATUS))
    ]
    assert missing == []


REJECTED = OrderRejected(RejectReason.INSUFFICIENT_MARGIN, "Not enough margin", "ord_9")
CASES: list[tuple[TradingError, int, str, dict[str, Any] | None]] = [
    (InvalidRequest("odd"), 400, "INVALID_REQUEST", None),
    (
        InvalidValue("quantity", "-1", "must be positive"),
        400,
        "INVALID_VALUE",
        {"field": "quantity", "provided": "-1", "reason": "must be positive"},
    ),
    (Unauthorized("who?"), 401, "UNAUTHORIZED", None),
    (OrderNotFound("x"), 404, "ORDER_NOT_FOUND", {"resource": "order", "id": "x"}),
    (PositionNotFound("x"), 404, "POSITION_NOT_FOUND", {"resource": "position", "id": "x"}),
    (SymbolNotFound("x"), 404, "SYMBOL_NOT_FOUND", {"resource": "symbol", "id": "x"}),
    (PathNotFound("/x"), 404, "NOT_FOUND", {"resource": "path", "id": "/x"}),
    (
        OrderNotModifiable("x", OrderStatus.FILLED),
        409,
        "ORDER_NOT_MODIFIABLE",
        {"resource": "order", "id": "x", "status": "FILLED"},
    ),
    (
        DuplicateClientOrderId("mine", "ord_1"),
        409,
        "DUPLICATE_CLIENT_ORDER_ID",
        {"client_order_id": "mine", "order_id": "ord_1"},
    ),
    (
        REJECTED,
        422,
        "ORDER_REJECTED",
        {"reject_reason": "INSUFFICIENT_MARGIN", "order_id": "ord_9"},
    ),
    (RateLimited("slow down", 7), 429, "RATE_LIMITED", {"retry_after": 7}),
    (UnsupportedOperation("oco"), 501, "UNSUPPORTED_OPERATION", {"feature": "oco"}),
    (ProviderError("nonsense"), 502, "PROVIDER_ERROR", None),
    (ProviderUnavailable("gone", 3), 503, "PROVIDER_UNAVAILABLE", None),
    (ShuttingDown("bye"), 503, "SHUTTING_DOWN", None),
]


@pytest.mark.parametrize(
    ("error", "status", "code", "details"), CASES, ids=[type(c[0]).__name__ for c in CASES]
)
async def test_what_a_provider_raises_reaches_the_client(
    api: httpx.AsyncClient,
    provider: Any,
    error: TradingError,
    status: int,
    code: str,
    details: dict[str, Any] | None,
) -> None:
    """Each domain error has its documented status, code and details."""
    provider.answers["get_account"] = error
    response = await api.get("/account")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"code": code, "message": error.message, "details": details}


@pytest.mark.parametrize("error", [RateLimited("slow down", 7), ProviderUnavailable("gone", 7)])
async def test_retry_after_is_given(
    api: httpx.AsyncClient, provider: Any, error: TradingError
) -> None:
    """429 and 503 say when to come back, in whole seconds."""
    provider.answers["get_account"] = error
    assert (await api.get("/account")).headers["retry-after"] == "7"


async def test_a_defect_is_answered_without_its_details(
    api: httpx.AsyncClient, provider: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A crash is a 500 that tells the client nothing and the log everything."""
    provider.answers["get_account"] = RuntimeError("secret")
    response = await api.get("/account", headers={"x-request-id": "r-1"})
    assert response.status_code == 500
    assert response.json() == {
        "code": "INTERNAL_ERROR",
        "message": "Internal error",
        "details": None,
    }
    assert response.headers["x-request-id"] == "r-1"
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.exc_info
    assert "secret" in str(record.exc_info[1])


def test_an_error_repeats_only_the_beginning_of_a_long_value() -> None:
    """What a client sent comes back recognisable, not whole."""
    assert shorten("x" * 1000) == "x" * 100 + "..."
    assert shorten({"a": 1}) == "an object of 1"
    assert shorten([1, 2]) == "an array of 2"
    assert shorten(7) == 7


def test_an_unauthorized_caller_is_told_how_to_authenticate() -> None:
    """A 401 names the scheme, as HTTP asks."""
    assert error_reply(Unauthorized("no")).headers == ((b"www-authenticate", b"Bearer"),)
