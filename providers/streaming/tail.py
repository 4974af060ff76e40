"""The end of the event log: what any process commits, told to whoever listens to its account.

One task reads the log of all accounts on from where it was, once for all listeners: at once when
this process has committed, and at short intervals for the commits of others. Ids grow in commit
order, so what is read on from an id has no gaps.

The newest frames of each account that has listeners are kept in a ring. Whoever has fallen behind
it, or resumes from before it, reads the store until it has caught up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from providers.errors import ProviderUnavailable
from providers.exchange.log import Logged, LoggedStore
from providers.streaming.told import Listener, Pump, Ring, Told, told_of

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""How often the commits of other processes are looked for, while somebody listens."""
PAGE = 500
"""Events of all accounts read at a time."""
CATCH_UP_PAGE = 100
"""Events of one account that a reader who is behind holds at a time; a thousand may be behind."""
KEPT = 1024
"""Frames of an account that stay in memory."""


@dataclass(slots=True)
class _Account:
    ring: Ring
    listeners: set[Listener] = field(default_factory=set)


class Tail:
    """The one that reads; see the module."""

    def __init__(self, store: LoggedStore, *, kept: int = KEPT, poll: float = POLL_SECONDS) -> None:
        self._store = store
        self._kept = kept
        self._poll = poll
        self._cursor = 0
        self._accounts: dict[str, _Account] = {}
        self._committed = asyncio.Event()
        self._pump = Pump("event-log", self._run)
        store.on_commit(self._committed.set)

    @contextmanager
    def listening(
        self, account: str, listener: Listener, after: int, newest: int
    ) -> Iterator[AccountEvents]:
        """The account's events after an id; `newest` is an id that the log has reached."""
        if not self._accounts:
            self._cursor = newest
        self._pump.join(listener)
        listened = self._accounts.get(account)
        if listened is None:
            # All that comes after the cursor will be in it, and nothing before.
            listened = self._accounts[account] = _Account(Ring(self._kept, self._cursor))
        listened.listeners.add(listener)
        try:
            yield AccountEvents(self._store, account, listened.ring, after)
        finally:
            listened.listeners.discard(listener)
            if not listened.listeners:
                del self._accounts[account]
            self._pump.leave(listener)

    def wake(self) -> None:
        """Have every listener look around."""
        for listener in self._pump.listeners:
            listener.wake()

    async def stop(self) -> None:
        await self._pump.stop()

    async def _run(self) -> None:
        while True:
            while await self._read_page():
                pass
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._committed.wait()

    async def _read_page(self) -> bool:
        """Tell the next events; whether there may be more."""
        self._committed.clear()
        try:
            page = await self._store.read(lambda reader: reader.log(self._cursor, PAGE))
        except ProviderUnavailable as error:
            log.warning("the event log cannot be read just now: %s", error)
            return False
        moved = {row.account for row in page if self._keep(row)}
        for account in moved:
            for listener in self._accounts[account].listeners:
                listener.wake()
        return len(page) == PAGE

    def _keep(self, row: Logged) -> bool:
        """Whether anybody listens to its account."""
        self._cursor = row.event_id
        listened = self._accounts.get(row.account)
        if listened is not None:
            listened.ring.append(told_of(row.frame()))
        return listened is not None


class AccountEvents:
    """One reader's way through an account's log."""

    def __init__(self, store: LoggedStore, account: str, ring: Ring, after: int) -> None:
        self._store = store
        self._account = account
        self._ring = ring
        self._position = after

    @property
    def behind(self) -> bool:
        """Whether what comes next must be read from the store."""
        return self._position < self._ring.floor

    async def next(self) -> list[Told]:
        """The next events, if there are any; may be none although it is behind."""
        told = self._ring.after(self._position)
        if told is None:
            return await self._stored()
        self._position = told[-1].position if told else self._position
        return told

    async def _stored(self) -> list[Told]:
        # Read first: what is at or below this floor has been committed, so the page will hold it.
        floor, position = self._ring.floor, self._position
        frames = await self._store.read(
            lambda reader: reader.events(self._account, position, CATCH_UP_PAGE)
        )
        last = frames[-1].event_id if frames else position
        self._position = last if len(frames) == CATCH_UP_PAGE else max(last, floor)
        return [told_of(frame) for frame in frames]
