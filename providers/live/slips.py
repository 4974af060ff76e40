"""Slips: which order at the venue stands for which of ours, durably.

A slip is written, with its stage, before the venue is told anything, in the transaction that
decides it. So whatever dies between, what was under way is known, and is asked about.

::

    SENDING ──> WORKING ──> CHANGING ──> WORKING
       │           │  └───> CANCELLING ─────┐
       └───────────┴────────────────────────┴──> over: kept as a past slip
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Protocol

from pydantic import TypeAdapter

from providers.engine.money import ZERO
from providers.live.venue import Ticket

LIVE: Final = "slip"
PAST: Final = "past-slip"
BY_VENUE_ID: Final = "venue-order"
"""Kinds of memos: slips by their client id, and client ids by the venue's id."""


class Stage(StrEnum):
    SENDING = "SENDING"
    WORKING = "WORKING"
    CHANGING = "CHANGING"
    CANCELLING = "CANCELLING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """`order_id` is ours. `filled` and `notional` are what has been booked of this ticket's fills.

    `since` is when the present stage began. `changed` is the ticket that is asked for while it is
    CHANGING, and `change` the fields of our order that it means. `withdrawn` says that only this
    ticket is taken back, and our order lives on. `restore` has the fields that our order goes back
    to if this ticket is refused. `presumed` says that the ticket is over because the venue did not
    know it when it was asked; should it turn up after all, it is taken back. `replaced_by` is the
    venue's id of the order that somebody else has made of it.
    """

    order_id: str
    ticket: Ticket
    stage: Stage
    since: datetime
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    changed: Ticket | None = None
    change: Mapping[str, Decimal] | None = None
    withdrawn: bool = False
    restore: Mapping[str, Decimal] | None = None
    presumed: bool = False
    replaced_by: str | None = None

    @property
    def client_id(self) -> str:
        return self.ticket.client_id

    @property
    def remaining(self) -> Decimal:
        return self.ticket.quantity - self.filled

    def at(self, stage: Stage, now: datetime, **changes: Any) -> Slip:
        """The slip as it enters a stage."""
        return replace(self, stage=stage, since=now, **changes)


SLIP = TypeAdapter(Slip)


class Memos(Protocol):
    """The part of a session that slips are kept by."""

    def memos(self, kind: str) -> dict[str, str]: ...

    def memo(self, kind: str, key: str) -> str | None: ...

    def set_memo(self, kind: str, key: str, body: str | None) -> None: ...


class Slips:
    """The slips of one account, as a command sees and changes them."""

    def __init__(self, memos: Memos) -> None:
        self._memos = memos
        self._live = {key: SLIP.validate_json(body) for key, body in memos.memos(LIVE).items()}

    def __iter__(self) -> Iterator[Slip]:
        return iter(list(self._live.values()))

    def of(self, order_id: str) -> list[Slip]:
        """The live slips of one of our orders; more than one only while one is being replaced."""
        return [slip for slip in self._live.values() if slip.order_id == order_id]

    def at_venue(self, order_id: str) -> bool:
        return any(slip.order_id == order_id for slip in self._live.values())

    def live(self, client_id: str) -> Slip | None:
        return self._live.get(client_id)

    def past(self, client_id: str) -> Slip | None:
        body = self._memos.memo(PAST, client_id)
        return SLIP.validate_json(body) if body else None

    def known(self, client_id: str, venue_id: str | None) -> Slip | None:
        """The slip that a report is about, live or past."""
        found = self.live(client_id) or self.past(client_id)
        if found is None and venue_id:
            key = self._memos.memo(BY_VENUE_ID, venue_id)
            found = self.live(key) or self.past(key) if key else None
        return found

    def put(self, slip: Slip) -> Slip:
        self._live[slip.client_id] = slip
        self._memos.set_memo(LIVE, slip.client_id, SLIP.dump_json(slip).decode())
        self._index(slip)
        return slip

    def end(self, slip: Slip) -> None:
        """Keep it as past; a past one may still be told of fills that nobody had seen."""
        if self._live.pop(slip.client_id, None) is not None:
            self._memos.set_memo(LIVE, slip.client_id, None)
        self._memos.set_memo(PAST, slip.client_id, SLIP.dump_json(slip).decode())
        self._index(slip)

    def _index(self, slip: Slip) -> None:
        if slip.ticket.venue_id:
            self._memos.set_memo(BY_VENUE_ID, slip.ticket.venue_id, slip.client_id)


def outlived(slips: Slips, slip: Slip) -> bool:
    """Whether another ticket stands for its order by now: the venue has made a new one of it."""
    return any(other.client_id != slip.client_id for other in slips.of(slip.order_id))


def decoded(bodies: Iterable[str]) -> list[Slip]:
    """Slips as they are stored."""
    return [SLIP.validate_json(body) for body in bodies]
