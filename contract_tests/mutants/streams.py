"""Pieces of which wrongs of the event stream are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from contract_tests.mutants.messages import Body, Forward, Mutation, Request, Response, straight
from contract_tests.mutants.relay import Data, Line, Straight, asks_for_upgrade

Told = Callable[[Line, Body], Iterable[Body | Data]]
"""What the client is told in the place of a frame."""

Where = Callable[[Line, Body], bool]
Change = Callable[[Body], Iterable[Body | Data]]


def as_it_is(line: Line, frame: Body) -> Iterable[Body | Data]:
    """The frame itself."""
    del line
    return [frame]


@dataclass
class Streaming(Straight):
    """A mutation of the event stream: of its handshakes, its frames, its messages and its ends."""

    frames: Told = as_it_is
    messages: Callable[[Line, Data], bool] = lambda *_: True
    ends: Callable[[Line, int, str], bool] = lambda *_: True
    handshake: Mutation = straight
    answers: Mutation = straight

    def __call__(self, request: Request, forward: Forward) -> Response:
        """What becomes of a request: a handshake, or any other."""
        return (self.handshake if asks_for_upgrade(request) else self.answers)(request, forward)

    def told(self, line: Line, data: Data) -> None:
        """Frames that are changed are written anew, all others go as they came."""
        frame = json.loads(data)
        for one in self.frames(line, frame):
            if one is frame:
                line.tell(data)
            else:
                line.tell(json.dumps(one) if isinstance(one, dict) else one)

    def heard(self, line: Line, data: Data) -> None:
        """A message is passed on where that is left to be done."""
        if self.messages(line, data):
            line.pass_on(data)

    def ended(self, line: Line, code: int, reason: str) -> None:
        """The end is passed on where that is left to be done."""
        if self.ends(line, code, reason):
            line.end(code, reason)


# -- which frames ---


def of(*names: str) -> Where:
    """Frames of these types, or with these events."""
    return lambda _, frame: frame.get("type") in names or frame.get("event") in names


def resumed(line: Line, frame: Body) -> bool:
    """Events on connections that go on after an id."""
    return "event_id" in frame and (
        line.request.parameter("after") is not None or "last-event-id" in line.request.headers
    )


def asking(parameter: str, where: Where = lambda *_: True) -> Where:
    """Frames on connections that have a parameter."""
    return lambda line, frame: line.request.parameter(parameter) is not None and where(line, frame)


def both(*conditions: Where) -> Where:
    """Frames that meet several conditions."""
    return lambda line, frame: all(one(line, frame) for one in conditions)


# -- what becomes of them ---


def frames(where: Where, change: Change) -> Streaming:
    """Some frames changed."""
    return Streaming(frames=lambda line, frame: change(frame) if where(line, frame) else [frame])


def dropped(where: Where) -> Streaming:
    """Some frames are not told."""
    return frames(where, lambda _: [])


def twice(where: Where) -> Streaming:
    """Some frames are told twice."""
    return frames(where, lambda frame: [frame, frame])


def setting(**members: object) -> Change:
    """Some members of a frame set."""
    return lambda frame: [frame | members]


def lacking(*members: str) -> Change:
    """A frame without some members."""
    return lambda frame: [{k: v for k, v in frame.items() if k not in members}]


def inside(**members: Any) -> Change:
    """Members of the thing that a frame is about set, or changed by a function."""

    def changed(frame: Body) -> Iterable[Body]:
        name = "bar" if frame["type"] == "candle" else frame["type"]
        thing = dict(frame[name])
        for key, value in members.items():
            thing[key] = value(thing[key]) if callable(value) else value
        return [frame | {name: thing}]

    return changed


class First:
    """The first frame of each connection, of those that meet a condition."""

    def __init__(self, where: Where) -> None:
        self._where = where

    def __call__(self, line: Line, frame: Body) -> bool:
        """Whether it is that."""
        if "first" in line.notes or not self._where(line, frame):
            return False
        return bool(line.notes.setdefault("first", True))


@dataclass
class Lines:
    """The connections of one mutant, in the order in which they began."""

    all: list[Line] = field(default_factory=list)

    def place(self, line: Line) -> int:
        """How many began before it."""
        if line not in self.all:
            self.all.append(line)
        return self.all.index(line)


# -- handshakes ---


def handshake(mutation: Mutation) -> Streaming:
    """Only handshakes are concerned."""
    return Streaming(handshake=mutation)


def asked(change: Callable[[Request], Request]) -> Streaming:
    """Handshakes changed on their way in."""
    return handshake(lambda request, forward: forward(change(request)))


def refusing(status: int, make: Callable[[Request], Request]) -> Streaming:
    """What must be refused with a status is repaired and accepted."""

    def mutation(request: Request, forward: Forward) -> Response:
        response = forward(request)
        return forward(make(request)) if response.status == status else response

    return handshake(mutation)
