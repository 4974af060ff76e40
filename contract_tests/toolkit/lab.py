"""What a run can do beyond sending requests to one URL.

A check names what it needs (`needs="fills"`); a run that does not offer it reports the check as
such and does not run it. The command line offers what its options allow, our own test session
starts servers for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from contract_tests.toolkit.expect import NotOffered

if TYPE_CHECKING:
    from contract_tests.toolkit.api import Api

NEEDS: Final = {
    "fills": "orders that trade (--allow-fills)",
    "bulk": "hundreds of orders",
    "key": "a server that asks for an API key",
    "accounts": "API keys of two accounts",
    "restart": "a server that it may kill and start again",
    "fault": "a server whose provider can be made to fail",
    "no_provider": "a server without a provider",
    "session_end": "a trading session that ends now",
    "minute_end": "a minute that ends within seconds",
    "impatience": "a server that gives up slow readers within seconds",
    "liquidation": "a market that liquidates within seconds what has the highest leverage",
}
"""Every need, and how a report names it."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A server that asks for keys: seen with a valid key and with none."""

    api: Api
    anonymous: Api
    key: str


@dataclass(frozen=True, slots=True)
class Restartable:
    """A server that may be ended: both return once it is ready again.

    `restart` kills it, and `finish` tells it to stop, as a deployment does.
    """

    api: Api
    restart: Callable[[], None]
    finish: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Session:
    """A server whose sessions can be ended: after `end` every session begun before is over."""

    api: Api
    end: Callable[[], None]


class Lab:
    """Offers nothing; a run overrides what it offers and names it in `offers`.

    What is asked for all the same raises NotOffered.
    """

    offers: frozenset[str] = frozenset()

    def keyed(self) -> Keyed:
        """Offered as "key"."""
        raise NotOffered(NEEDS["key"])

    def accounts(self) -> tuple[Api, Api]:
        """Two accounts of one server; offered as "accounts"."""
        raise NotOffered(NEEDS["accounts"])

    def restartable(self) -> Restartable:
        """Offered as "restart"."""
        raise NotOffered(NEEDS["restart"])

    def faulty(self, fault: str) -> Api:
        """A server whose provider fails in every operation; offered as "fault".

        `fault` is unavailable or rate_limited.
        """
        raise NotOffered(f"{NEEDS['fault']}: {fault}")

    def breaking(self) -> Api:
        """A server just started, whose provider fails in every operation with 502.

        Offered as "fault".
        """
        raise NotOffered(NEEDS["fault"])

    def without_provider(self) -> Api:
        """Offered as "no_provider"."""
        raise NotOffered(NEEDS["no_provider"])

    def session(self) -> Session:
        """Offered as "session_end"."""
        raise NotOffered(NEEDS["session_end"])

    def minute_end(self) -> Api:
        """A server on whose clock a minute is about to end; offered as "minute_end"."""
        raise NotOffered(NEEDS["minute_end"])

    def impatient(self) -> Api:
        """A server with so much to tell that a slow reader is soon too slow.

        Offered as "impatience".
        """
        raise NotOffered(NEEDS["impatience"])

    def nervous(self) -> Api:
        """An account without positions in a market that moves; offered as "liquidation".

        A move of a fraction of a percent takes a position of the highest leverage to maintenance.
        """
        raise NotOffered(NEEDS["liquidation"])
