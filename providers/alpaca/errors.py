"""What Alpaca's refusals mean: the one place that knows its error codes and messages.

An error of the trading API is `{"code": 40310000, "message": "..."}`, where the first three digits
are mostly the HTTP status; the data API gives a message alone. Alpaca promises that codes and
statuses last and that messages may change (docs.alpaca.markets, "Options Trading Overview", Error
Responses), but most refusals share a few codes. So the code decides what is raised, and the message
only refines the reason, which is UNKNOWN where it says nothing that is known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from http import HTTPStatus
from typing import Final, NoReturn

from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.http import Answer, retry_after
from providers.live.venue import Gone, Refused, Unanswered
from providers.models import RejectReason


class Meaning(Enum):
    """What a code says of the request that it answers."""

    MALFORMED = auto()  # ours is the fault: the request is not what the API takes
    UNAUTHORIZED = auto()
    REFUSED = auto()
    MISSING = auto()
    LIMITED = auto()


CODES: Final = {
    40010000: Meaning.MALFORMED,
    40010001: Meaning.REFUSED,  # sent with status 422: a field is missing, malformed or taken
    40110000: Meaning.UNAUTHORIZED,
    40310000: Meaning.REFUSED,
    40310001: Meaning.REFUSED,
    40310100: Meaning.REFUSED,  # the protection against pattern day trading
    40410000: Meaning.MISSING,
    42210000: Meaning.REFUSED,
    42210001: Meaning.REFUSED,
    42910000: Meaning.LIMITED,
}

STATUSES: Final = {
    400: Meaning.MALFORMED,
    401: Meaning.UNAUTHORIZED,
    403: Meaning.REFUSED,
    404: Meaning.MISSING,
    422: Meaning.REFUSED,
    429: Meaning.LIMITED,
}
"""Where there is no code, or one that is not known."""

DUPLICATE: Final = re.compile(r"client[ _]order[ _]id must be unique", re.IGNORECASE)
FORBIDDEN: Final = re.compile(r"^(forbidden|unauthorized)|request is not authorized", re.IGNORECASE)
OVER: Final = re.compile(
    r"already (in|been)|already replaced|not open|not cancel"
    r"|replace order in (filled|canceled|expired|replaced|rejected|done_for_day|calculated)",
    re.IGNORECASE,
)

_REASONS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"position intent mismatch", RejectReason.REDUCE_ONLY_VIOLATED),
        (
            r"wash trade|opposite side|while a (long buy|short sell|buy|sell) order is open",
            RejectReason.WASH_TRADE,
        ),
        (r"market hours|market is (not open|closed)", RejectReason.MARKET_CLOSED),
        (r"sold short|shortable", RejectReason.SYMBOL_NOT_TRADEABLE),
        (r"buying power|cost basis.*exceeds", RejectReason.INSUFFICIENT_MARGIN),
        (r"insufficient (balance|qty|cash|fund)", RejectReason.INSUFFICIENT_BALANCE),
        (
            r"(asset|contract|symbol)\b.*not (found|active|tradable)|could not find asset",
            RejectReason.SYMBOL_NOT_TRADEABLE,
        ),
        (r"sub-penny|(limit|stop)[ _]price|\btrail", RejectReason.INVALID_PRICE),
        (
            r"\bqty\b|quantity|fractional|fractionable|minimal amount",
            RejectReason.INVALID_QUANTITY,
        ),
        (r"too many requests|rate limit", RejectReason.RATE_LIMITED),
    )
)
"""The first that is found in the message counts."""


def meaning(answer: Answer) -> Meaning:
    """What an answer with a status from 400 to 499 says. Raises ProviderError for any other."""
    known = CODES.get(code(answer)) or STATUSES.get(answer.status)
    if known is None:
        raise ProviderError(f"Alpaca answered {answer.status}: {message(answer)}")
    forbidden = answer.status == HTTPStatus.FORBIDDEN and FORBIDDEN.search(message(answer))
    return Meaning.UNAUTHORIZED if forbidden else known


def code(answer: Answer) -> int:
    """The code of an error; 0 where there is none."""
    found = answer.body.get("code") if isinstance(answer.body, dict) else None
    return int(found) if found is not None else 0


def message(answer: Answer) -> str:
    """The sentence of an error, for people."""
    found = answer.body.get("message") if isinstance(answer.body, dict) else None
    return str(found or HTTPStatus(answer.status).phrase)


def reason(text: str) -> RejectReason:
    """The reason behind a message."""
    found = (each for pattern, each in _REASONS if pattern.search(text))
    return next(found, RejectReason.UNKNOWN)


def refuse_ticket(answer: Answer) -> NoReturn:
    """A new order was not taken. Raises Refused; Unanswered where the client id is taken.

    An id is taken when the order got there on an earlier attempt, whose answer was lost.
    """
    if DUPLICATE.search(message(answer)):
        raise Unanswered("Alpaca already has an order with this client id")
    _raise(answer, missing=_refused)


def refuse_change(answer: Answer) -> NoReturn:
    """A working order was not replaced. Raises Refused, and Gone where it works no more."""
    if DUPLICATE.search(message(answer)):
        raise Unanswered("Alpaca already has an order with this client id")
    if meaning(answer) is Meaning.REFUSED and OVER.search(message(answer)):
        raise Gone(message(answer))
    _raise(answer, missing=_gone)


def refuse_cancel(answer: Answer) -> NoReturn:
    """A cancel was not taken: 422 says that the order cannot be cancelled any more."""
    if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        raise Gone(message(answer))
    _raise(answer, missing=_gone)


def refuse_read(answer: Answer) -> NoReturn:
    """A read that should have worked did not. Raises ProviderError."""
    _raise(answer, missing=_failed, refused=_failed)


def _refused(answer: Answer) -> Exception:
    text = message(answer)
    return Refused(reason(text), text)


def _gone(answer: Answer) -> Exception:
    return Gone(message(answer))


def _failed(answer: Answer) -> Exception:
    return ProviderError(f"Alpaca answered {answer.status}: {message(answer)}")


def _unauthorized(_: Answer) -> Exception:
    return ProviderError("Alpaca refuses the credentials, or what they ask for")


def _limited(answer: Answer) -> Exception:
    return RateLimited("Alpaca limits the rate of requests", retry_after(answer.headers))


def _raise(
    answer: Answer,
    *,
    missing: Callable[[Answer], Exception],
    refused: Callable[[Answer], Exception] = _refused,
) -> NoReturn:
    makes = {
        Meaning.MALFORMED: _failed,
        Meaning.UNAUTHORIZED: _unauthorized,
        Meaning.REFUSED: refused,
        Meaning.MISSING: missing,
        Meaning.LIMITED: _limited,
    }
    raise makes[meaning(answer)](answer)


STREAM_CODES: Final[Mapping[int, type[ProviderError] | type[ProviderUnavailable]]] = {
    400: ProviderError,  # invalid syntax
    401: ProviderError,  # not authenticated
    402: ProviderError,  # authentication failed
    403: ProviderError,  # authenticated twice
    404: ProviderUnavailable,  # authentication came too late
    405: ProviderError,  # more symbols than the subscription allows
    406: ProviderUnavailable,  # another connection of the account is still there
    407: ProviderUnavailable,  # we read too slowly
    408: ProviderUnavailable,  # the server has become too slow
    409: ProviderError,  # the subscription does not have this feed
    410: ProviderError,  # a channel that the feed does not have
    500: ProviderUnavailable,
}
"""The errors that the streams of market data tell, from docs.alpaca.markets, "WebSocket Stream"."""


def stream_error(number: int, text: str) -> ProviderError | ProviderUnavailable:
    """What an error message of a stream of market data means."""
    return STREAM_CODES.get(number, ProviderError)(f"Alpaca's stream says {number}: {text}")
