"""The account's log of transactions: consecutive ids, and whoever listens to what is added."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.venues.oanda.shapes import Json, stamp

Listener = asyncio.Queue[Json | None]
"""Is told transactions as they are written, and None at the end."""


class Ledger:
    """The log of one account; the id of a transaction is its place, counted from 1."""

    def __init__(self, account: str) -> None:
        self.entries: list[Json] = []
        self._account = account
        self._listeners: set[Listener] = set()

    @property
    def last_id(self) -> str:
        return str(len(self.entries))

    def write(
        self, type_: str, *, batch: str | None = None, at: datetime | None = None, **members: object
    ) -> Json:
        """Add a transaction, to a batch of an earlier one, and tell it."""
        number = str(len(self.entries) + 1)
        entry: Json = {
            "id": number,
            "batchID": batch or number,
            "accountID": self._account,
            "time": stamp(at or datetime.now(UTC)),
            "type": type_,
            **{name: value for name, value in members.items() if value is not None},
        }
        self.entries.append(entry)
        for listener in self._listeners:
            listener.put_nowait(entry)
        return entry

    def since(self, number: int) -> list[Json]:
        """The transactions after the one with this id."""
        return self.entries[number:]

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        listener: Listener = asyncio.Queue()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def close(self) -> None:
        """Tell all who listen that there is no more, and wait until they have gone."""
        for listener in self._listeners:
            listener.put_nowait(None)
        while self._listeners:
            await asyncio.sleep(0.01)
