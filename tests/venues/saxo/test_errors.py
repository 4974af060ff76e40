"""What Saxo's codes and statuses mean for a command."""

from __future__ import annotations

from typing import Any

import pytest

from providers.errors import ProviderError
from providers.live.venue import Gone, Refused, Unanswered
from providers.models import RejectReason
from providers.saxo import errors
from tests.venues import contract


def listed() -> set[str]:
    """The codes that the document lists for commands, and all those of its trading group."""
    path = contract.find("saxo/saxo-trade.yaml")
    if path is None:
        pytest.skip("Saxo's documents are not at hand")
    document = contract.read(path)
    found = set(document["components"]["schemas"]["TradingErrorCode"]["enum"])
    for where, methods in document["paths"].items():
        if where.startswith("/trade/v2/orders"):
            for operation in methods.values():
                found |= codes_of(operation["responses"]["400"])
    return found


def codes_of(response: dict[str, Any]) -> set[str]:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return set(schema.get("properties", {}).get("ErrorCode", {}).get("enum", []))


def test_every_code_of_the_document_has_a_meaning() -> None:
    """No code that Saxo lists for orders is left to chance, and none has two meanings."""
    missing = listed() - errors.GONE - errors.UNANSWERED - errors.REASONS.keys()
    assert set() == missing
    assert set() == errors.GONE & errors.UNANSWERED
    assert set() == (errors.GONE | errors.UNANSWERED) & errors.REASONS.keys()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("WouldExceedMargin", RejectReason.INSUFFICIENT_MARGIN),
        ("InsufficientCash", RejectReason.INSUFFICIENT_BALANCE),
        ("AmountNotInLotSize", RejectReason.INVALID_QUANTITY),
        ("PriceNotInTickSizeIncrements", RejectReason.INVALID_PRICE),
        ("InstrumentNotAllowed", RejectReason.SYMBOL_NOT_TRADEABLE),
        ("MarketClosed", RejectReason.MARKET_CLOSED),
        ("OnlySidedReductionAllowed", RejectReason.REDUCE_ONLY_VIOLATED),
        ("RelatedPositionNotFound", RejectReason.POSITION_NOT_FOUND),
        ("DurationNotSupported", RejectReason.UNKNOWN),
    ],
)
@pytest.mark.parametrize(
    "shape",
    [
        lambda error: error,
        lambda error: {"ErrorInfo": error},
        lambda error: {"Orders": [{"OrderId": "1", "ErrorInfo": error}]},
    ],
)
def test_a_refusal_has_its_reason(code: str, reason: RejectReason, shape: Any) -> None:
    """A code is found at the top, in ErrorInfo and in that of an order, with its message."""
    error = errors.of_command(400, shape({"ErrorCode": code, "Message": "because"}))
    assert isinstance(error, Refused)
    assert (reason, "because") == (error.reason, error.message)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"ErrorCode": "OrderNotFound"}, Gone),
        (400, {"ErrorCode": "TooLateToCancelOrder"}, Gone),
        (400, {"ErrorCode": "OrderCommandTimeout"}, Unanswered),
        (400, {"ErrorCode": "OtherError"}, Unanswered),
        (400, {"ErrorCode": "Invented"}, ProviderError),
        (400, None, ProviderError),
        (401, None, ProviderError),
        (403, {"ErrorCode": "OrderNotFound"}, ProviderError),
        (404, [], ProviderError),
        (409, None, Unanswered),
        (200, {"ErrorInfo": {"ErrorCode": "OrderNotFound"}}, Gone),
    ],
)
def test_what_is_no_refusal(status: int, body: Any, kind: type[Exception]) -> None:
    """Gone, nobody knows, and nonsense are told apart."""
    assert type(errors.of_command(status, body)) is kind


def test_a_success_is_no_error() -> None:
    assert errors.of_command(200, {"OrderId": "1", "Orders": [{"OrderId": "2"}]}) is None
    assert errors.of_command(204, None) is None


def test_a_read_that_fails_says_why() -> None:
    assert "InvalidUic" in str(errors.of_read(400, {"ErrorCode": "InvalidUic", "Message": "no"}))
    assert "token" in str(errors.of_read(401, None))
