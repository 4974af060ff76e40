"""What OANDA's refusals mean: the one place that knows its reasons, error codes and statuses.

A refused request is told with a status, mostly with an `errorCode` and an `errorMessage`, and where
it got as far as the account with a transaction of its own that has a `rejectReason`. An order that
was taken may still be cancelled at once, with a reason of another list. Both lists are those of the
v20 specification; OANDA has added to them since, and a reason that is not known here is logged and
told as UNKNOWN, with its name in the message: that something was refused is certain all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Final, NoReturn

from providers.errors import ProviderError
from providers.live.http import Answer
from providers.live.venue import Gone, Progress, Refused, Unanswered
from providers.models import RejectReason

log = logging.getLogger(__name__)


class Taken(Unanswered):
    """The client id is that of an order which is there already: an earlier attempt got through."""


def _table(groups: Mapping[RejectReason, str]) -> dict[str, RejectReason]:
    return {name: reason for reason, names in groups.items() for name in names.split()}


REJECT_REASONS: Final = _table(
    {
        RejectReason.INSUFFICIENT_MARGIN: """
            INSUFFICIENT_MARGIN MARGIN_RATE_WOULD_TRIGGER_CLOSEOUT
            MARGIN_RATE_WOULD_TRIGGER_MARGIN_CALL
        """,
        RejectReason.INSUFFICIENT_BALANCE: "INSUFFICIENT_FUNDS",
        RejectReason.LEVERAGE_EXCEEDED: "MARGIN_RATE_INVALID",
        RejectReason.SYMBOL_NOT_TRADEABLE: """
            INSTRUMENT_NOT_TRADEABLE INSTRUMENT_UNKNOWN INSTRUMENT_MISSING
            INSTRUMENT_PRICE_UNKNOWN
        """,
        RejectReason.INVALID_QUANTITY: """
            UNITS_MISSING UNITS_INVALID UNITS_PRECISION_EXCEEDED UNITS_LIMIT_EXCEEDED
            UNITS_MIMIMUM_NOT_MET
            CLOSE_TRADE_PARTIAL_UNITS_MISSING CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE
            CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE CLOSEOUT_POSITION_PARTIAL_UNITS_MISSING
        """,
        RejectReason.INVALID_PRICE: """
            PRICE_MISSING PRICE_INVALID PRICE_PRECISION_EXCEEDED
            PRICE_DISTANCE_MISSING PRICE_DISTANCE_INVALID PRICE_DISTANCE_PRECISION_EXCEEDED
            PRICE_DISTANCE_MAXIMUM_EXCEEDED PRICE_DISTANCE_MINIMUM_NOT_MET
            PRICE_BOUND_INVALID PRICE_BOUND_PRECISION_EXCEEDED
            TAKE_PROFIT_ON_FILL_PRICE_MISSING TAKE_PROFIT_ON_FILL_PRICE_INVALID
            TAKE_PROFIT_ON_FILL_PRICE_PRECISION_EXCEEDED
            STOP_LOSS_ORDER_GUARANTEED_PRICE_WITHIN_SPREAD
            STOP_LOSS_ORDER_GUARANTEED_MINIMUM_DISTANCE_NOT_MET
            STOP_LOSS_ORDER_PRICE_AND_DISTANCE_BOTH_SPECIFIED
            STOP_LOSS_ORDER_PRICE_AND_DISTANCE_BOTH_MISSING
            STOP_LOSS_ON_FILL_PRICE_MISSING STOP_LOSS_ON_FILL_PRICE_INVALID
            STOP_LOSS_ON_FILL_PRICE_PRECISION_EXCEEDED
            STOP_LOSS_ON_FILL_GUARANTEED_MINIMUM_DISTANCE_NOT_MET
            STOP_LOSS_ON_FILL_DISTANCE_INVALID
            STOP_LOSS_ON_FILL_PRICE_DISTANCE_MAXIMUM_EXCEEDED
            STOP_LOSS_ON_FILL_DISTANCE_PRECISION_EXCEEDED
            STOP_LOSS_ON_FILL_PRICE_AND_DISTANCE_BOTH_SPECIFIED
            STOP_LOSS_ON_FILL_PRICE_AND_DISTANCE_BOTH_MISSING
            TRAILING_STOP_LOSS_ON_FILL_PRICE_DISTANCE_MISSING
            TRAILING_STOP_LOSS_ON_FILL_PRICE_DISTANCE_INVALID
            TRAILING_STOP_LOSS_ON_FILL_PRICE_DISTANCE_PRECISION_EXCEEDED
            TRAILING_STOP_LOSS_ON_FILL_PRICE_DISTANCE_MAXIMUM_EXCEEDED
            TRAILING_STOP_LOSS_ON_FILL_PRICE_DISTANCE_MINIMUM_NOT_MET
        """,
        RejectReason.POSITION_NOT_FOUND: "CLOSEOUT_POSITION_DOESNT_EXIST TRADE_DOESNT_EXIST",
        # The rest says something about the account, about the order behind a fill, which we never
        # send, or about a field that we have got wrong.
        RejectReason.UNKNOWN: """
            INTERNAL_SERVER_ERROR
            ACCOUNT_NOT_ACTIVE ACCOUNT_LOCKED ACCOUNT_ORDER_CREATION_LOCKED
            ACCOUNT_CONFIGURATION_LOCKED ACCOUNT_DEPOSIT_LOCKED ACCOUNT_WITHDRAWAL_LOCKED
            ACCOUNT_ORDER_CANCEL_LOCKED PENDING_ORDERS_ALLOWED_EXCEEDED
            ORDER_ID_UNSPECIFIED ORDER_DOESNT_EXIST ORDER_IDENTIFIER_INCONSISTENCY
            TRADE_ID_UNSPECIFIED TRADE_IDENTIFIER_INCONSISTENCY
            TIME_IN_FORCE_MISSING TIME_IN_FORCE_INVALID TIME_IN_FORCE_GTD_TIMESTAMP_MISSING
            TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST
            ORDERS_ON_FILL_DUPLICATE_CLIENT_ORDER_IDS TRADE_ON_FILL_CLIENT_EXTENSIONS_NOT_SUPPORTED
            CLIENT_ORDER_ID_INVALID CLIENT_ORDER_ID_ALREADY_EXISTS CLIENT_ORDER_TAG_INVALID
            CLIENT_ORDER_COMMENT_INVALID CLIENT_TRADE_ID_INVALID CLIENT_TRADE_ID_ALREADY_EXISTS
            CLIENT_TRADE_TAG_INVALID CLIENT_TRADE_COMMENT_INVALID
            ORDER_FILL_POSITION_ACTION_MISSING ORDER_FILL_POSITION_ACTION_INVALID
            TRIGGER_CONDITION_MISSING TRIGGER_CONDITION_INVALID
            ORDER_PARTIAL_FILL_OPTION_MISSING ORDER_PARTIAL_FILL_OPTION_INVALID
            INVALID_REISSUE_IMMEDIATE_PARTIAL_FILL
            TAKE_PROFIT_ORDER_ALREADY_EXISTS
            TAKE_PROFIT_ON_FILL_TIME_IN_FORCE_MISSING TAKE_PROFIT_ON_FILL_TIME_IN_FORCE_INVALID
            TAKE_PROFIT_ON_FILL_GTD_TIMESTAMP_MISSING TAKE_PROFIT_ON_FILL_GTD_TIMESTAMP_IN_PAST
            TAKE_PROFIT_ON_FILL_CLIENT_ORDER_ID_INVALID TAKE_PROFIT_ON_FILL_CLIENT_ORDER_TAG_INVALID
            TAKE_PROFIT_ON_FILL_CLIENT_ORDER_COMMENT_INVALID
            TAKE_PROFIT_ON_FILL_TRIGGER_CONDITION_MISSING
            TAKE_PROFIT_ON_FILL_TRIGGER_CONDITION_INVALID
            STOP_LOSS_ORDER_ALREADY_EXISTS STOP_LOSS_ORDER_GUARANTEED_REQUIRED
            STOP_LOSS_ORDER_GUARANTEED_NOT_ALLOWED
            STOP_LOSS_ORDER_GUARANTEED_HALTED_CREATE_VIOLATION
            STOP_LOSS_ORDER_GUARANTEED_HALTED_TIGHTEN_VIOLATION
            STOP_LOSS_ORDER_GUARANTEED_HEDGING_NOT_ALLOWED
            STOP_LOSS_ORDER_NOT_CANCELABLE STOP_LOSS_ORDER_NOT_REPLACEABLE
            STOP_LOSS_ORDER_GUARANTEED_LEVEL_RESTRICTION_EXCEEDED
            STOP_LOSS_ON_FILL_REQUIRED_FOR_PENDING_ORDER STOP_LOSS_ON_FILL_GUARANTEED_NOT_ALLOWED
            STOP_LOSS_ON_FILL_GUARANTEED_REQUIRED
            STOP_LOSS_ON_FILL_GUARANTEED_LEVEL_RESTRICTION_EXCEEDED
            STOP_LOSS_ON_FILL_TIME_IN_FORCE_MISSING STOP_LOSS_ON_FILL_TIME_IN_FORCE_INVALID
            STOP_LOSS_ON_FILL_GTD_TIMESTAMP_MISSING STOP_LOSS_ON_FILL_GTD_TIMESTAMP_IN_PAST
            STOP_LOSS_ON_FILL_CLIENT_ORDER_ID_INVALID STOP_LOSS_ON_FILL_CLIENT_ORDER_TAG_INVALID
            STOP_LOSS_ON_FILL_CLIENT_ORDER_COMMENT_INVALID
            STOP_LOSS_ON_FILL_TRIGGER_CONDITION_MISSING STOP_LOSS_ON_FILL_TRIGGER_CONDITION_INVALID
            TRAILING_STOP_LOSS_ORDER_ALREADY_EXISTS
            TRAILING_STOP_LOSS_ON_FILL_TIME_IN_FORCE_MISSING
            TRAILING_STOP_LOSS_ON_FILL_TIME_IN_FORCE_INVALID
            TRAILING_STOP_LOSS_ON_FILL_GTD_TIMESTAMP_MISSING
            TRAILING_STOP_LOSS_ON_FILL_GTD_TIMESTAMP_IN_PAST
            TRAILING_STOP_LOSS_ON_FILL_CLIENT_ORDER_ID_INVALID
            TRAILING_STOP_LOSS_ON_FILL_CLIENT_ORDER_TAG_INVALID
            TRAILING_STOP_LOSS_ON_FILL_CLIENT_ORDER_COMMENT_INVALID
            TRAILING_STOP_LOSS_ORDERS_NOT_SUPPORTED
            TRAILING_STOP_LOSS_ON_FILL_TRIGGER_CONDITION_MISSING
            TRAILING_STOP_LOSS_ON_FILL_TRIGGER_CONDITION_INVALID
            CLOSE_TRADE_TYPE_MISSING CLOSEOUT_POSITION_INCOMPLETE_SPECIFICATION
            CLOSEOUT_POSITION_REJECT
            MARKUP_GROUP_ID_INVALID POSITION_AGGREGATION_MODE_INVALID ADMIN_CONFIGURE_DATA_MISSING
            ALIAS_INVALID CLIENT_CONFIGURE_DATA_MISSING
            AMOUNT_INVALID AMOUNT_MISSING FUNDING_REASON_MISSING
            CLIENT_EXTENSIONS_DATA_MISSING REPLACING_ORDER_INVALID REPLACING_TRADE_ID_INVALID
        """,
    }
)
"""Why the account refused a request: `rejectReason`, and often `errorCode` as well."""

REFUSALS: Final = _table(
    {
        RejectReason.MARKET_CLOSED: "MARKET_HALTED INSTRUMENT_BID_HALTED INSTRUMENT_ASK_HALTED",
        RejectReason.INSUFFICIENT_MARGIN: "INSUFFICIENT_MARGIN",
        RejectReason.LEVERAGE_EXCEEDED: "ACCOUNT_POSITION_VALUE_LIMIT_EXCEEDED",
        RejectReason.INVALID_QUANTITY: "POSITION_SIZE_EXCEEDED",
        RejectReason.REDUCE_ONLY_VIOLATED: "POSITION_CLOSEOUT_FAILED",
        RejectReason.SYMBOL_NOT_TRADEABLE: "INSTRUMENT_BID_REDUCE_ONLY INSTRUMENT_ASK_REDUCE_ONLY",
        RejectReason.INVALID_PRICE: """
            TAKE_PROFIT_ON_FILL_LOSS LOSING_TAKE_PROFIT STOP_LOSS_ON_FILL_LOSS
            STOP_LOSS_ON_FILL_PRICE_DISTANCE_MAXIMUM_EXCEEDED
            STOP_LOSS_ON_FILL_GUARANTEED_MINIMUM_DISTANCE_NOT_MET
            TAKE_PROFIT_ON_FILL_PRICE_DISTANCE_MAXIMUM_EXCEEDED
        """,
        RejectReason.UNKNOWN: """
            INTERNAL_SERVER_ERROR ACCOUNT_LOCKED ACCOUNT_NEW_POSITIONS_LOCKED
            ACCOUNT_ORDER_CREATION_LOCKED ACCOUNT_ORDER_FILL_LOCKED FIFO_VIOLATION
            TAKE_PROFIT_ON_FILL_GTD_TIMESTAMP_IN_PAST STOP_LOSS_ON_FILL_GTD_TIMESTAMP_IN_PAST
            STOP_LOSS_ON_FILL_REQUIRED STOP_LOSS_ON_FILL_GUARANTEED_REQUIRED
            STOP_LOSS_ON_FILL_GUARANTEED_NOT_ALLOWED
            STOP_LOSS_ON_FILL_GUARANTEED_LEVEL_RESTRICTION_EXCEEDED
            STOP_LOSS_ON_FILL_GUARANTEED_HEDGING_NOT_ALLOWED
            STOP_LOSS_ON_FILL_TIME_IN_FORCE_INVALID STOP_LOSS_ON_FILL_TRIGGER_CONDITION_INVALID
            TRAILING_STOP_LOSS_ON_FILL_GTD_TIMESTAMP_IN_PAST CLIENT_TRADE_ID_ALREADY_EXISTS
            OPEN_TRADES_ALLOWED_EXCEEDED PENDING_ORDERS_ALLOWED_EXCEEDED
            TAKE_PROFIT_ON_FILL_CLIENT_ORDER_ID_ALREADY_EXISTS
            STOP_LOSS_ON_FILL_CLIENT_ORDER_ID_ALREADY_EXISTS
            TRAILING_STOP_LOSS_ON_FILL_CLIENT_ORDER_ID_ALREADY_EXISTS HEDGING_GSLO_VIOLATION
            STOP_LOSS_ON_FILL_GUARANTEED_BID_HALTED STOP_LOSS_ON_FILL_GUARANTEED_ASK_HALTED
        """,
    }
)
"""Why OANDA itself cancels an order: at once, that is a refusal; later, the end of the order."""

ENDS: Final = {
    "CLIENT_REQUEST": Progress.CANCELLED,
    "CLIENT_REQUEST_REPLACED": Progress.CANCELLED,
    "MIGRATION": Progress.CANCELLED,  # of the account to another division
    "LINKED_TRADE_CLOSED": Progress.CANCELLED,
    "TIME_IN_FORCE_EXPIRED": Progress.EXPIRED,
    # An order that may only fill at once, or not worse than a bound, and could not.
    "INSUFFICIENT_LIQUIDITY": Progress.CANCELLED,
    "BOUNDS_VIOLATION": Progress.CANCELLED,
}
"""Reasons of a cancel that are no refusal."""


@dataclass(frozen=True, slots=True)
class End:
    """What a cancel by OANDA, or on request, means; `refusal` is None where it is none."""

    progress: Progress
    refusal: RejectReason | None = None


def end(reason: str) -> End:
    """What the reason of a cancel means."""
    if reason in ENDS:
        return End(ENDS[reason])
    return End(Progress.CANCELLED, _known(REFUSALS, reason))


def reject_reason(name: str) -> RejectReason:
    """Our reason for one of OANDA's."""
    return _known(REJECT_REASONS, name)


def _known(table: Mapping[str, RejectReason], name: str) -> RejectReason:
    if name not in table:
        log.warning("OANDA gives a reason that is not known: %s", name)
        return RejectReason.UNKNOWN
    return table[name]


# Answers with a status from 400 to 499


class Meaning(Enum):
    MALFORMED = auto()  # ours is the fault: the request is not what the API takes
    UNAUTHORIZED = auto()
    MISSING = auto()


STATUSES: Final[Mapping[int, Meaning]] = {
    HTTPStatus.BAD_REQUEST: Meaning.MALFORMED,
    HTTPStatus.UNAUTHORIZED: Meaning.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: Meaning.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND: Meaning.MISSING,
    HTTPStatus.METHOD_NOT_ALLOWED: Meaning.MALFORMED,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: Meaning.MALFORMED,
}
"""The statuses that the specification lists; 429 and 5xx are dealt with below this."""

GONE: Final = frozenset({"ORDER_DOESNT_EXIST", "NO_SUCH_ORDER"})
DUPLICATE: Final = "CLIENT_ORDER_ID_ALREADY_EXISTS"

REJECTIONS: Final = ("orderRejectTransaction", "orderCancelRejectTransaction")


def rejected_for(answer: Answer) -> str:
    """The reason in the transaction that refuses; empty where the account was not reached."""
    body = answer.body if isinstance(answer.body, dict) else {}
    for name in REJECTIONS:
        if name in body:
            return str(body[name].get("rejectReason", ""))
    code = str(body.get("errorCode", ""))
    return code if code in REJECT_REASONS or code in GONE else ""


def message(answer: Answer) -> str:
    """The sentence of an error, for people, with its code."""
    body = answer.body if isinstance(answer.body, dict) else {}
    text = str(body.get("errorMessage") or f"status {answer.status}")
    reason = rejected_for(answer)
    return f"{reason}: {text}" if reason else text


def refuse_ticket(answer: Answer) -> NoReturn:
    """A new order was not taken. Raises Refused, and Taken."""
    _refuse(answer)


def refuse_change(answer: Answer) -> NoReturn:
    """A working order was not replaced. Raises as `refuse_ticket`, and Gone if it works no more."""
    if rejected_for(answer) in GONE:
        raise Gone(message(answer))
    _refuse(answer)


def refuse_cancel(answer: Answer) -> NoReturn:
    """An order was not cancelled. Raises Gone, and Refused where OANDA does not allow it."""
    if rejected_for(answer) in GONE:
        raise Gone(message(answer))
    _refuse(answer)


def refuse_read(answer: Answer) -> NoReturn:
    """Raises ProviderError: a read that should have worked did not."""
    meaning = STATUSES.get(answer.status)
    if meaning is Meaning.UNAUTHORIZED:
        raise ProviderError("OANDA refuses the token, or what is asked for with it")
    if meaning is Meaning.MISSING:
        raise ProviderError(
            f"OANDA does not know the account or what is asked for: {message(answer)}"
        )
    raise ProviderError(f"OANDA answered {answer.status}: {message(answer)}")


def is_missing(answer: Answer) -> bool:
    return STATUSES.get(answer.status) is Meaning.MISSING


def _refuse(answer: Answer) -> NoReturn:
    reason = rejected_for(answer)
    if reason == DUPLICATE:
        raise Taken("OANDA already has an order with this client id")
    if reason:
        raise Refused(reject_reason(reason), message(answer))
    refuse_read(answer)
