"""The event log of all accounts, as a store offers it to whoever follows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from providers.engine.state import EventType
from providers.exchange.frames import logged
from providers.exchange.store import Frame, Reader, SharedStore

T = TypeVar("T")


class Logged(NamedTuple):
    """A row of the log."""

    event_id: int
    account: str
    type: EventType
    name: str
    symbol: str | None
    at: int
    document: str

    def frame(self) -> Frame:
        text = logged(self.type, self.name, self.at, self.document)
        return Frame(self.event_id, self.type, self.symbol, text)


class LogReader(Reader, Protocol):
    """A reader that sees the log of all accounts."""

    def log(self, after: int, limit: int) -> list[Logged]:
        """The events of all accounts after an id, oldest first."""

    def newest_event(self) -> int:
        """The largest event id of all accounts."""


class LoggedStore(SharedStore, Protocol):
    """A store whose log can be followed."""

    async def read(self, query: Callable[[LogReader], T]) -> T: ...

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener`, in the thread of the event loop, after each commit of this process."""
