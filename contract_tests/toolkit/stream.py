"""The event stream as a check hears it: frames in their order, and waits that end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from contract_tests.toolkit.expect import Endurance, Failure, Overdue
from contract_tests.wire.clock import Clock
from contract_tests.wire.sockets import Wire
from contract_tests.wire.traffic import Exchange, Message, Record

PATH: Final = "/ws"
THINGS: Final = {"order": "order", "position": "position", "account": "account", "trade": "trade"}
"""The types of frames that are events of an account's log, and the member with what changed."""

_EVENT_ID: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it came: what it says, and when it was there. What is no JSON says nothing."""

    body: Record
    at: float = 0.0

    @classmethod
    def of(cls, message: Message) -> Frame:
        """The frame in a message."""
        try:
            found = message.json()
        except ValueError:
            found = None
        return cls(found if isinstance(found, Record) else Record(), message.at)

    @property
    def type(self) -> Any:
        """Its type."""
        return self.body["type"]

    @property
    def event(self) -> Any:
        """What happened."""
        return self.body["event"]

    @property
    def event_id(self) -> int | None:
        """Its place in the log; None where it has none that can be read."""
        return number(self.body["event_id"])

    @property
    def thing(self) -> Record:
        """The order, position, account or trade that it is about; empty for other frames."""
        found = self.body[THINGS.get(str(self.type), "")]
        return found if isinstance(found, Record) else Record()

    @property
    def symbol(self) -> Any:
        """The symbol that it is about; None where it is about none."""
        about = self.body[{"quote": "quote", "candle": "bar"}.get(str(self.type), "")]
        return (about if isinstance(about, Record) else self.thing)["symbol"]

    def __str__(self) -> str:
        return json.dumps(self.body)


def number(event_id: object) -> int | None:
    """An event_id as a number; None where it is no decimal integer in a string."""
    if isinstance(event_id, str) and _EVENT_ID.fullmatch(event_id):
        return int(event_id)
    return None


@dataclass(slots=True, kw_only=True)
class Stream:
    """An open connection. `seen` holds every frame that was taken from it, in order."""

    exchange: Exchange
    wire: Wire
    clock: Clock
    endurance: Endurance
    watch: Callable[[Exchange], None]
    seen: list[Frame] = field(default_factory=list)
    end: Message | None = None
    _open: bool = True

    # -- hearing --------------------------------------------------------------------------------

    def take(self, what: str, *, within: float | None = None) -> Frame:
        """The next frame, which is to be `what`; raises Overdue, or Failure where it closes."""
        return self.until(lambda _: True, what, within=within)[0]

    def until(
        self, satisfied: Callable[[Frame], bool], what: str, *, within: float | None = None
    ) -> list[Frame]:
        """The next frames, up to one that satisfies; raises as take."""
        seconds = self.endurance.seconds(what) if within is None else within
        deadline = self.clock.monotonic() + seconds
        found: list[Frame] = []
        while not found or not satisfied(found[-1]):
            found.append(self._next(what, deadline, seconds))
        self.endurance.note(what, vain=False)
        return found

    def _next(self, what: str, deadline: float, seconds: float) -> Frame:
        message = self._receive(deadline)
        if message is None:
            self.endurance.note(what, vain=True)
            raise Overdue(
                what,
                expected=f"within {seconds:g} s",
                actual=f"{len(self.seen)} other frames",
                exchange=self.exchange,
            )
        if message.code is not None:
            raise self.failure(what, "an open connection", f"closed with {message.code}")
        self.seen.append(Frame.of(message))
        return self.seen[-1]

    def _receive(self, deadline: float) -> Message | None:
        if self.end is not None:
            return self.end
        message = self.wire.receive(deadline)
        if message is not None:
            self._note(message)
        if message is not None and message.code is not None:
            self.end = message
        return message

    def rest(self, what: str, *, within: float) -> int:
        """The close code, once all frames before the end were taken; raises Overdue."""
        deadline = self.clock.monotonic() + within
        while self.end is None:
            message = self._receive(deadline)
            if message is None:
                raise Overdue(
                    what,
                    expected=f"the end within {within:g} s",
                    actual=f"open, after {len(self.seen)} frames",
                    exchange=self.exchange,
                )
            if message.code is None:
                self.seen.append(Frame.of(message))
        return self.end.code or 0

    @property
    def log(self) -> list[Frame]:
        """The events of the account among the frames seen."""
        return [one for one in self.seen if one.event_id is not None]

    # -- speaking -------------------------------------------------------------------------------

    def say(self, message: object) -> None:
        """Send a message: text and bytes as they are, all else as JSON."""
        data = message if isinstance(message, str | bytes) else json.dumps(message)
        self._note(Message(at=self.clock.monotonic(), sent=True, data=data))
        self.wire.send(data)

    def _note(self, message: Message) -> None:
        if self.exchange.messages is not None:
            self.exchange.messages.append(message)

    # -- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """End it, and let all that came be looked at."""
        if self._open:
            self._open = False
            self.wire.close()
            self.watch(self.exchange)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- judging --------------------------------------------------------------------------------

    def failure(self, what: str, expected: object, actual: object) -> Failure:
        """A Failure that shows this connection."""
        return Failure(what, expected=expected, actual=actual, exchange=self.exchange)

    def that(self, holds: bool, what: str, expected: object, actual: object) -> None:
        """Raise Failure with this connection unless the condition holds."""
        if not holds:
            raise self.failure(what, expected, actual)

    def equal(self, actual: object, expected: object, what: str) -> None:
        """Raise Failure with this connection unless both are equal."""
        self.that(actual == expected, what, repr(expected), repr(actual))


def frames(exchange: Exchange) -> Iterator[tuple[Message, Frame]]:
    """The messages of a connection that the server sent, each with the frame in it."""
    for message in exchange.messages or ():
        if not message.sent and message.code is None:
            yield message, Frame.of(message)
