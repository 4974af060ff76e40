"""What Binance's error codes mean to us: the only table from its errors to ours.

An error is `{"code": -1121, "msg": "Invalid symbol."}` beside a status of 4xx. Codes are stable,
messages may vary; -1013, -2010 and -2011 each stand for many reasons, told apart by the message.
Source: Binance's "Error codes for Binance" (errors.md of its spot API documents).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.http import Answer, retry_after
from providers.live.venue import Gone, Refused, Unanswered
from providers.models import RejectReason

UNKNOWN_SYMBOL: Final = -1121
ILLEGAL_CHARACTERS: Final = -1100
CLOCK_OFF: Final = -1021
TOO_PRECISE: Final = -1111

DUPLICATE: Final = "Duplicate order sent."
"""Of -2010: an open order has this client id already."""
UNKNOWN_ORDER: Final = "Unknown order sent."
"""Of -2011: there is no such order, or it is not open any more."""


class Meaning(Enum):
    """What is to be made of an error."""

    OUTCOME_UNKNOWN = auto()  # of a command; a read has just failed
    UNAVAILABLE = auto()  # nothing was done, and it may work later
    LIMITED = auto()
    CREDENTIALS = auto()
    CLOCK = auto()  # nothing was done: our time was off
    REFUSED = auto()  # nothing was done, for a reason in the request; the message may tell more
    NOT_CANCELLED = auto()
    NO_ORDER = auto()
    ARCHIVED = auto()
    MISUSE = auto()  # of a protocol or a parameter that we do not use


class Archived(Gone):
    """The order ended without a fill over 90 days ago, and the venue keeps no details of it."""


class ClockOff(Exception):
    """The venue did not look at the request, because our time is not its own."""


CODES: Final[Mapping[int, Meaning]] = {
    **dict.fromkeys((-1000, -1001, -1006, -1007), Meaning.OUTCOME_UNKNOWN),
    **dict.fromkeys((-1004, -1008, -1016), Meaning.UNAVAILABLE),
    **dict.fromkeys((-1003, -1015, -1034), Meaning.LIMITED),
    **dict.fromkeys((-1002, -1022, -1099, -2008, -2014, -2015), Meaning.CREDENTIALS),
    -1021: Meaning.CLOCK,
    # What is wrong with an order, or with one of its parameters.
    **dict.fromkeys((-1010, -1013, -1014, -1020, -1111, -1112, -1121, -2010), Meaning.REFUSED),
    **dict.fromkeys((-1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108), Meaning.REFUSED),
    **dict.fromkeys((-1114, -1115, -1116, -1117, -1118, -1119, -1128, -1130), Meaning.REFUSED),
    **dict.fromkeys((-1131, -1134, -1135, -1145), Meaning.REFUSED),
    **dict.fromkeys((-2011, -2038), Meaning.NOT_CANCELLED),
    -2013: Meaning.NO_ORDER,
    -2026: Meaning.ARCHIVED,
    # Parameters of reads: intervals, states, windows.
    **dict.fromkeys((-1120, -1122, -1127, -1139, -1151, -1194, -1220, -2016), Meaning.MISUSE),
    # Streams by listen key, subscriptions, cancel-replace.
    **dict.fromkeys((-1125, -2021, -2022, -2035, -2036, -2039, -2042), Meaning.MISUSE),
    # FIX and SBE.
    **dict.fromkeys((-1033, -1035, -1152, -1153, -1155, -1161, -1221), Meaning.MISUSE),
    **dict.fromkeys(range(-1191, -1168), Meaning.MISUSE),
    # Lists of orders, and pegged orders.
    **dict.fromkeys((-1158, -1160, -1165, -1166, -1168), Meaning.MISUSE),
    **dict.fromkeys((-1196, -1197, -1198, -1199, -1210, -1211), Meaning.MISUSE),
    **dict.fromkeys((-1222, -1223, -1224, -1225), Meaning.MISUSE),
}

FILTER: Final = "Filter failure: "
FILTERS: Final[Mapping[str, RejectReason]] = {
    "PRICE_FILTER": RejectReason.INVALID_PRICE,
    "PERCENT_PRICE": RejectReason.INVALID_PRICE,
    "PERCENT_PRICE_BY_SIDE": RejectReason.INVALID_PRICE,
    "LOT_SIZE": RejectReason.INVALID_QUANTITY,
    "MIN_NOTIONAL": RejectReason.INVALID_QUANTITY,
    "NOTIONAL": RejectReason.INVALID_QUANTITY,
    "ICEBERG_PARTS": RejectReason.INVALID_QUANTITY,
    "MARKET_LOT_SIZE": RejectReason.INVALID_QUANTITY,
    "MAX_POSITION": RejectReason.INVALID_QUANTITY,
    "MAX_ASSET": RejectReason.INVALID_QUANTITY,
    "TRAILING_DELTA": RejectReason.INVALID_PRICE,
    "T_PLUS_SELL": RejectReason.INSUFFICIENT_BALANCE,
    **dict.fromkeys(
        (
            *("MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS", "MAX_NUM_ICEBERG_ORDERS"),
            *("MAX_NUM_ORDER_LISTS", "MAX_NUM_ORDER_AMENDS"),
            *("EXCHANGE_MAX_NUM_ORDERS", "EXCHANGE_MAX_ALGO_ORDERS"),
            *("EXCHANGE_MAX_NUM_ALGO_ORDERS", "EXCHANGE_MAX_NUM_ICEBERG_ORDERS"),
            "EXCHANGE_MAX_NUM_ORDER_LISTS",
        ),
        RejectReason.UNKNOWN,  # too many open orders: ours have no word for it
    ),
}
"""The filters of symbols, of the exchange and of assets; a value is what failing one means."""

MESSAGES: Final[Mapping[str, RejectReason]] = {
    "Market is closed.": RejectReason.MARKET_CLOSED,
    "Account has insufficient balance for requested action.": RejectReason.INSUFFICIENT_BALANCE,
    "Market orders are not supported for this symbol.": RejectReason.SYMBOL_NOT_TRADEABLE,
    "Iceberg orders are not supported for this symbol.": RejectReason.SYMBOL_NOT_TRADEABLE,
    "Stop loss orders are not supported for this symbol.": RejectReason.SYMBOL_NOT_TRADEABLE,
    "Stop loss limit orders are not supported for this symbol.": RejectReason.SYMBOL_NOT_TRADEABLE,
    "This symbol is not permitted for this account.": RejectReason.SYMBOL_NOT_TRADEABLE,
    "This symbol is restricted for this account.": RejectReason.SYMBOL_NOT_TRADEABLE,
    "Price * QTY is zero or less.": RejectReason.INVALID_QUANTITY,
    "IcebergQty exceeds QTY.": RejectReason.INVALID_QUANTITY,
    "Invalid quantity.": RejectReason.INVALID_QUANTITY,
    "Invalid price.": RejectReason.INVALID_PRICE,
    "Order would trigger immediately.": RejectReason.INVALID_PRICE,
    "Order would immediately match and take.": RejectReason.POST_ONLY_VIOLATED,
    "Order book liquidity is less than symbol minimum quantity.": RejectReason.INVALID_QUANTITY,
}
"""Messages that have a reason of their own; the others are UNKNOWN, and go along as they are."""


def code_of(answer: Answer) -> int | None:
    """The venue's code of an error; None if the answer does not have that form."""
    body = answer.body
    found = body.get("code") if isinstance(body, dict) else None
    return found if isinstance(found, int) else None


def failure(answer: Answer, *, command: bool) -> Exception:
    """What to raise for an answer that is no success; see `failed`."""
    if answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.IM_A_TEAPOT):
        # 403 comes from the firewall, 418 says that this address is banned for a while.
        wait = retry_after(answer.headers)
        return RateLimited(f"Binance answered {answer.status}", retry_after=wait)
    return failed(answer.body, answer.status, command=command)


def failed(body: Any, status: int, *, command: bool) -> Exception:
    """What to raise for an error's body.

    A command may be Unanswered, Refused or Gone; a read fails with ProviderError where the venue
    did not like the request. Either may be RateLimited, ProviderUnavailable, and ClockOff. A code
    that is not in the table is a ProviderError.
    """
    if not isinstance(body, dict) or not isinstance(body.get("code"), int):
        return ProviderError(f"Binance answered {status} without an error of its own")
    code, message = body["code"], str(body.get("msg", ""))
    meaning = CODES.get(code, Meaning.MISUSE)
    makes = OF_COMMANDS.get(meaning) if command else None
    return (makes or OF_READS[meaning])(code, message)


def not_cancelled(message: str) -> Exception:
    return Gone(message) if message == UNKNOWN_ORDER else Refused(RejectReason.UNKNOWN, message)


def refused(code: int, message: str) -> Exception:
    """Why the venue did not take an order.

    A client id in use is no refusal: the order it names may be the one that was sent, so whoever
    sent it asks for that.
    """
    if message == DUPLICATE:
        return Unanswered(said(code, message))
    return Refused(reason_of(code, message), message)


def reason_of(code: int, message: str) -> RejectReason:
    if code == UNKNOWN_SYMBOL:
        return RejectReason.SYMBOL_NOT_TRADEABLE
    if code == TOO_PRECISE:
        quantity = "quantity" in message or "icebergQty" in message
        return RejectReason.INVALID_QUANTITY if quantity else RejectReason.INVALID_PRICE
    if message.startswith(FILTER):
        return FILTERS.get(message.removeprefix(FILTER), RejectReason.UNKNOWN)
    return MESSAGES.get(message, RejectReason.UNKNOWN)


def said(code: int, message: str) -> str:
    return f"Binance answered {code}: {message}"


OF_READS: Final[Mapping[Meaning, Callable[[int, str], Exception]]] = {
    Meaning.OUTCOME_UNKNOWN: lambda code, message: ProviderUnavailable(said(code, message)),
    Meaning.UNAVAILABLE: lambda code, message: ProviderUnavailable(said(code, message)),
    Meaning.LIMITED: lambda code, message: RateLimited(said(code, message), retry_after=1),
    Meaning.CREDENTIALS: lambda code, message: ProviderError(said(code, message)),
    Meaning.CLOCK: lambda code, message: ClockOff(said(code, message)),
    Meaning.REFUSED: lambda code, message: ProviderError(said(code, message)),
    Meaning.NOT_CANCELLED: lambda code, message: ProviderError(said(code, message)),
    Meaning.NO_ORDER: lambda _, message: Gone(message),
    Meaning.ARCHIVED: lambda _, message: Archived(message),
    Meaning.MISUSE: lambda code, message: ProviderError(said(code, message)),
}
OF_COMMANDS: Final[Mapping[Meaning, Callable[[int, str], Exception]]] = {
    Meaning.OUTCOME_UNKNOWN: lambda code, message: Unanswered(said(code, message)),
    Meaning.REFUSED: refused,
    Meaning.NOT_CANCELLED: lambda _, message: not_cancelled(message),
}
"""Where a command fails in another way than a read."""
