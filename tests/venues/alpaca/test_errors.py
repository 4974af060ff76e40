"""What Alpaca's refusals mean."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from providers.alpaca import errors
from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.http import Answer
from providers.live.venue import Gone, Refused, Unanswered
from providers.models import RejectReason
from tests.venues.alpaca.specs import UNLISTED
from tests.venues.contract import find, read

PATHS = (*UNLISTED, "/v2/stocks/bars", "/v2/stocks/snapshots", "/v1beta3/crypto/{loc}/bars")
DOCUMENTS = ("alpaca-trading.json", "alpaca-marketdata.json")


def answer(status: int, code: int | None = None, message: str = "no") -> Answer:
    body = {"message": message} if code is None else {"code": code, "message": message}
    return Answer(status, body, {})


@pytest.fixture
def documents() -> list[dict[str, Any]]:
    paths = [find(name) for name in DOCUMENTS]
    if None in paths:
        pytest.skip("Alpaca's specifications are not at hand")
    return [read(path) for path in paths if path is not None]


def test_every_code_of_the_documents_is_known(documents: list[dict[str, Any]]) -> None:
    told = {int(each) for each in re.findall(r'"code": (\d{8})\b', json.dumps(documents))}
    assert told
    assert told - errors.CODES.keys() == set()


def test_every_refusal_of_the_documents_is_known(documents: list[dict[str, Any]]) -> None:
    """Each status from 400 to 499 that a call of ours may be answered with."""
    told = {
        int(status)
        for document in documents
        for path in PATHS
        for operation in document["paths"].get(path, {}).values()
        if isinstance(operation, dict)
        for status in operation["responses"]
        if status.startswith("4")
    }
    assert told
    assert told - errors.STATUSES.keys() == set()


@pytest.mark.parametrize("code", sorted(errors.CODES))
@pytest.mark.parametrize(
    "refuse",
    [errors.refuse_ticket, errors.refuse_change, errors.refuse_cancel, errors.refuse_read],
)
def test_every_code_raises(code: int, refuse: Any) -> None:
    """No refusal passes for a success, whatever was asked."""
    with pytest.raises((Refused, Gone, ProviderError, RateLimited)):
        refuse(answer(code // 100_000, code))


@pytest.mark.parametrize(
    ("status", "code", "message", "reason"),
    [
        (403, 40310000, "insufficient buying power", RejectReason.INSUFFICIENT_MARGIN),
        (
            403,
            40310000,
            "insufficient qty available for order (requested: 2, available: 1)",
            RejectReason.INSUFFICIENT_BALANCE,
        ),
        (
            403,
            40310000,
            "insufficient balance for BTC (requested: 1, available: 0)",
            RejectReason.INSUFFICIENT_BALANCE,
        ),
        (
            403,
            40310000,
            "potential wash trade detected. use complex orders",
            RejectReason.WASH_TRADE,
        ),
        (403, 40310000, "asset GME cannot be sold short", RejectReason.SYMBOL_NOT_TRADEABLE),
        (403, 40310100, "trade denied due to pattern day trading", RejectReason.UNKNOWN),
        (422, 42210000, 'asset "NOPE" not found', RejectReason.SYMBOL_NOT_TRADEABLE),
        (422, 42210000, "asset XYZ is not tradable", RejectReason.SYMBOL_NOT_TRADEABLE),
        (422, 40010001, "qty must be > 0", RejectReason.INVALID_QUANTITY),
        (422, 42210000, "fractional orders must be DAY orders", RejectReason.INVALID_QUANTITY),
        (
            403,
            40310000,
            "cost basis must be >= minimal amount of order 10",
            RejectReason.INVALID_QUANTITY,
        ),
        (
            422,
            42210000,
            "invalid limit_price 1.001. sub-penny increment does not fulfill minimum pricing",
            RejectReason.INVALID_PRICE,
        ),
        (422, 42210000, "stop price must be less than current price", RejectReason.INVALID_PRICE),
        (
            422,
            42210000,
            "position intent mismatch, inferred: sell_to_open, specified: sell_to_close",
            RejectReason.REDUCE_ONLY_VIOLATED,
        ),
        (
            422,
            42210000,
            "market orders are only allowed during market hours",
            RejectReason.MARKET_CLOSED,
        ),
        (403, 40310000, "a sentence that nobody has heard yet", RejectReason.UNKNOWN),
        (404, 40410000, "asset not found", RejectReason.SYMBOL_NOT_TRADEABLE),
    ],
)
def test_refused_tickets(status: int, code: int, message: str, reason: RejectReason) -> None:
    with pytest.raises(Refused) as refused:
        errors.refuse_ticket(answer(status, code, message))
    assert (refused.value.reason, refused.value.message) == (reason, message)


def test_a_client_id_that_is_taken_is_no_refusal() -> None:
    """An earlier attempt may have brought the order there: it has to be asked for."""
    taken = answer(422, 40010001, "client_order_id must be unique")
    for refuse in (errors.refuse_ticket, errors.refuse_change):
        with pytest.raises(Unanswered):
            refuse(taken)


@pytest.mark.parametrize(
    "message",
    [
        "order already replaced",
        'order is already in "filled" state',
        "cannot replace order in canceled status",
        "cannot replace order in filled status",
        "order is not open",
    ],
)
def test_changes_of_orders_that_are_over(message: str) -> None:
    with pytest.raises(Gone):
        errors.refuse_change(answer(422, 42210000, message))


@pytest.mark.parametrize(
    "message",
    [
        "cannot replace order in pending_new status",
        "cannot replace order in accepted status",
        "qty must be > filled_qty",
        "order parameters are not changed",
    ],
)
def test_changes_that_are_refused(message: str) -> None:
    with pytest.raises(Refused):
        errors.refuse_change(answer(422, 42210000, message))


@pytest.mark.parametrize("status", [404, 422])
def test_cancels_of_orders_that_are_over(status: int) -> None:
    with pytest.raises(Gone):
        errors.refuse_cancel(answer(status, None, "a new sentence"))


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (401, 40110000, "request is not authorized"),
        (403, 40310000, "forbidden."),
        (403, 40110000, "request is not authorized"),
        (403, None, "forbidden"),
    ],
)
def test_wrong_credentials(status: int, code: int | None, message: str) -> None:
    """They are not worth a retry, and no refusal of an order."""
    with pytest.raises(ProviderError, match="credentials"):
        errors.refuse_ticket(answer(status, code, message))


def test_what_the_specification_does_not_have() -> None:
    with pytest.raises(ProviderError, match="418"):
        errors.refuse_ticket(answer(418))
    with pytest.raises(ProviderError):
        errors.refuse_read(Answer(302, None, {}))


def test_a_limit_of_the_rate() -> None:
    with pytest.raises(RateLimited):
        errors.refuse_read(answer(429, 42910000))


@pytest.mark.parametrize("code", [*errors.STREAM_CODES, 999])
def test_errors_of_the_streams(code: int) -> None:
    """Those that pass by themselves are worth another attempt; nobody knows of the others."""
    passes = isinstance(errors.stream_error(code, "no"), ProviderUnavailable)
    assert passes == (code in {404, 406, 407, 408, 500})
