"""What each exception of ccxt means for a command and for a read: the only table of them.

ccxt derives all of its exceptions from BaseError, and an exchange's own messages are already
mapped to them. What it does not tell apart is told apart here by the cause: a connection that
never came to be, or one that broke in the middle of an answer.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import aiohttp
from ccxt.base import errors as library  # type: ignore[import-untyped]

from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.venue import Gone, Refused, Unanswered
from providers.models import RejectReason


class Fate(Enum):
    """What became of a call."""

    REFUSED = auto()  # the exchange said no, and did nothing
    GONE = auto()  # it does not know the order, or not as an open one
    UNANSWERED = auto()  # nobody knows
    UNAVAILABLE = auto()  # nothing was done, and later it may be
    LIMITED = auto()  # nothing was done, since too much was asked
    BROKEN = auto()  # nothing was done, and a repeat would not help


@dataclass(frozen=True, slots=True)
class Meaning:
    command: Fate
    read: Fate
    reason: RejectReason = RejectReason.UNKNOWN


_REFUSED = Meaning(Fate.REFUSED, Fate.BROKEN)
_BROKEN = Meaning(Fate.BROKEN, Fate.BROKEN)
_UNKNOWN = Meaning(Fate.UNANSWERED, Fate.UNAVAILABLE)
_NONSENSE = Meaning(Fate.UNANSWERED, Fate.BROKEN)
_AWAY = Meaning(Fate.UNAVAILABLE, Fate.UNAVAILABLE)
_LIMITED = Meaning(Fate.LIMITED, Fate.LIMITED)
_GONE = Meaning(Fate.GONE, Fate.GONE)


def _refused(reason: RejectReason) -> Meaning:
    return Meaning(Fate.REFUSED, Fate.BROKEN, reason)


MEANINGS: Final[Mapping[type[BaseException], Meaning]] = {
    library.BaseError: _NONSENSE,
    library.ExchangeError: _REFUSED,
    library.AuthenticationError: _BROKEN,
    library.PermissionDenied: _BROKEN,
    library.AccountNotEnabled: _BROKEN,
    library.AccountSuspended: _BROKEN,
    library.ArgumentsRequired: _REFUSED,
    library.BadRequest: _REFUSED,
    library.BadSymbol: _refused(RejectReason.SYMBOL_NOT_TRADEABLE),
    library.OperationRejected: _REFUSED,
    library.NoChange: _REFUSED,
    library.MarginModeAlreadySet: _REFUSED,
    library.MarketClosed: _refused(RejectReason.MARKET_CLOSED),
    library.ManualInteractionNeeded: _REFUSED,
    library.RestrictedLocation: _REFUSED,
    library.InsufficientFunds: _refused(RejectReason.INSUFFICIENT_BALANCE),
    library.InvalidAddress: _REFUSED,
    library.AddressPending: _REFUSED,
    library.InvalidOrder: _REFUSED,
    library.OrderNotFound: _GONE,
    library.OrderNotCached: _REFUSED,
    library.OrderImmediatelyFillable: _refused(RejectReason.POST_ONLY_VIOLATED),
    library.OrderNotFillable: _REFUSED,
    # An order with this id is there: perhaps the very one. It is to be looked for.
    library.DuplicateOrderId: _NONSENSE,
    library.ContractUnavailable: _refused(RejectReason.SYMBOL_NOT_TRADEABLE),
    library.NotSupported: _REFUSED,
    library.InvalidProxySettings: _BROKEN,
    library.ExchangeClosedByUser: _AWAY,
    library.OperationFailed: _UNKNOWN,
    library.NetworkError: _UNKNOWN,
    library.DDoSProtection: _LIMITED,
    library.RateLimitExceeded: _LIMITED,
    library.ExchangeNotAvailable: _UNKNOWN,
    library.OnMaintenance: _AWAY,
    library.InvalidNonce: _AWAY,
    library.ChecksumError: _AWAY,
    library.RequestTimeout: _UNKNOWN,
    library.BadResponse: _NONSENSE,
    library.NullResponse: _NONSENSE,
    # The exchange works on an earlier cancel: the order may end at any moment.
    library.CancelPending: _NONSENSE,
    library.UnsubscribeError: _AWAY,
}

NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, socket.gaierror)
"""Causes with which there was no connection to send anything on."""

NONSENSE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What ccxt raises, besides its own, for an answer that is not shaped as it expects."""

_ADDRESS = re.compile(r"\b\w+://\S+|\b(GET|POST|PUT|PATCH|DELETE)\s")


def meaning(error: BaseException) -> Meaning:
    """What an exception of ccxt means, its cause considered."""
    if isinstance(error.__cause__, NEVER_SENT):
        return _AWAY
    if isinstance(error.__cause__, aiohttp.ClientError):
        return _UNKNOWN
    if not isinstance(error, library.BaseError):
        return _NONSENSE
    return next(MEANINGS[each] for each in type(error).__mro__ if each in MEANINGS)


def translated(
    error: BaseException, *, name: str, command: bool, secrets: Iterable[str] = (), wait: int = 1
) -> Exception:
    """Our exception for one of ccxt's; `wait` is how long it is limited for, in seconds.

    ccxt's network errors quote addresses, which at some exchanges have a key and a signature in
    them. Those do not get into our message, and the caller must not chain ccxt's exception either.
    """
    found = meaning(error)
    fate = found.command if command else found.read
    told = f"{name}: {said(error, secrets)}"
    if fate is Fate.REFUSED:
        return Refused(found.reason, told)
    if fate is Fate.LIMITED:
        return RateLimited(f"{name} limits the rate of requests", retry_after=wait)
    plain: dict[Fate, type[Exception]] = {
        Fate.GONE: Gone,
        Fate.UNANSWERED: Unanswered,
        Fate.UNAVAILABLE: ProviderUnavailable,
        Fate.BROKEN: ProviderError,
    }
    return plain[fate](told)


def said(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """What an exception says, without addresses and secrets; its name where that is nothing."""
    kind = type(error).__name__
    if not isinstance(error, library.BaseError):
        return f"the answer cannot be read ({kind})"
    text = _ADDRESS.sub("", str(error))
    for secret in secrets:
        text = text.replace(secret, "***")
    return f"{kind}: {' '.join(text.split())}"[:300]
