"""What happens in a run, in one numbering, and who has yet to say that it has dealt with it.

Time may go on only when every event that was sent has been acknowledged; see `Gate`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import NamedTuple

from providers.base import FrameType, StreamQuery
from providers.errors import InvalidValue
from providers.exchange.frames import numbered

KEPT = 65_536
"""Events that stay in memory, to resume from."""

ALWAYS = frozenset({FrameType.CONNECTION, FrameType.BACKTEST_COMPLETE})
"""What a subscriber hears whatever it has chosen."""


class Entry(NamedTuple):
    """One event; `account` is None for what concerns everybody."""

    event_id: int
    account: str | None
    type: FrameType
    symbol: str | None
    text: str

    def concerns(self, account: str, query: StreamQuery) -> bool:
        """Whether a subscriber of an account wants to hear of it."""
        return (
            self.account in (None, account)
            and (query.types is None or self.type in query.types or self.type in ALWAYS)
            and (query.symbols is None or self.symbol is None or self.symbol in query.symbols)
        )


class RunLog:
    """The events of a run, and the subscribers who read them."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._entries: list[Entry] = []
        self._dropped = 0
        self._unacknowledged: set[int] = set()
        self._released: set[int] = set()
        self._seen = 0
        self._readers: set[Reader] = set()
        self._moved = asyncio.Event()
        self._over = False

    @property
    def last(self) -> int:
        """The id of the newest event; 0 before the first."""
        return self._dropped + len(self._entries)

    def next_id(self) -> int:
        """The id that the next event is to have."""
        return self.last + 1

    def append(self, account: str | None, type_: FrameType, symbol: str | None, text: str) -> None:
        """Add an event; its frame gets its `event_id`."""
        event_id = self.next_id()
        frame = numbered(text, event_id)
        self._entries.append(Entry(event_id, account, type_, symbol, frame))
        self._wake()

    def close(self) -> None:
        """There will be no more events."""
        self._over = True
        self._wake()

    def acknowledge(self, event_ids: Iterable[str]) -> None:
        """Release exactly the events named; ids that are unknown or repeated release nothing."""
        named = {int(each) for each in event_ids if each.isascii() and each.isdecimal()}
        released = named & self._unacknowledged
        self._unacknowledged -= released
        self._released |= released
        if released and not self._unacknowledged:
            self._wake()

    def reader(self, account: str, query: StreamQuery) -> Reader:
        """A subscriber, placed where it is to begin.

        Without `after` that is before the first event that nobody has acknowledged. Raises
        InvalidValue for an `after` that is no event, or one that is no longer kept.
        """
        after = query.after
        if after is None:
            after = min(self._unacknowledged, default=self._seen + 1) - 1
        elif not self._dropped <= after <= self.last:
            raise InvalidValue("after", str(after), "is not an event that can be resumed from")
        return Reader(self, account, query, after)

    async def settled(self) -> None:
        """Wait until every event has been sent to a subscriber and acknowledged."""
        while not self._is_settled():
            self._moved.clear()
            await self._moved.wait()
        self._trim()

    def _is_settled(self) -> bool:
        return (
            not self._unacknowledged
            and bool(self._readers)
            and any(reader.place == self.last for reader in self._readers)
        )

    def _trim(self) -> None:
        if len(self._entries) > 2 * self._kept:
            read = min((reader.place for reader in self._readers), default=self.last)
            surplus = min(len(self._entries) - self._kept, read - self._dropped)
            del self._entries[:surplus]
            self._dropped += surplus
            self._released = {each for each in self._released if each > self._dropped}

    def _wake(self) -> None:
        self._moved.set()

    # For readers

    def after(self, place: int) -> list[Entry]:
        return self._entries[place - self._dropped :]

    def pass_on(self, entry: Entry, *, sent: bool) -> None:
        """A reader has come past an event, and has sent it on or left it out."""
        self._seen = max(self._seen, entry.event_id)
        if sent and entry.event_id not in self._released:
            self._unacknowledged.add(entry.event_id)

    def join(self, reader: Reader) -> None:
        self._readers.add(reader)
        self._wake()

    def leave(self, reader: Reader) -> None:
        self._readers.discard(reader)

    async def moved(self, reader: Reader) -> bool:
        """Wait for an event that the reader has not come past; False if there will be none."""
        while reader.place == self.last and not self._over:
            self._wake()
            self._moved.clear()
            await self._moved.wait()
        return reader.place < self.last


class Reader:
    """One subscriber's place in the log."""

    def __init__(self, log: RunLog, account: str, query: StreamQuery, place: int) -> None:
        self.place = place
        self._log = log
        self._account = account
        self._query = query

    async def frames(self) -> AsyncGenerator[str, None]:
        """The events from here on that the subscriber wants, until the last there will be."""
        self._log.join(self)
        try:
            while await self._log.moved(self):
                for entry in self._log.after(self.place):
                    wanted = entry.concerns(self._account, self._query)
                    self.place = entry.event_id
                    self._log.pass_on(entry, sent=wanted)
                    if wanted:
                        yield entry.text
        finally:
            self._log.leave(self)
