"""What must hold of every frame of the event stream, whichever check heard it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from contract_tests.spec import LONGEST_FRAME, frame_errors
from contract_tests.toolkit.expect import Failure, that
from contract_tests.toolkit.stream import THINGS, frames
from contract_tests.wire.traffic import Exchange, Message

_SHOWN: Final = 500


def frames_follow_their_schemas(exchange: Exchange) -> None:
    """Each is a text message with a JSON object that conforms to the schema of its type."""
    for message, frame in frames(exchange):
        try:
            message.json()
        except ValueError as error:
            raise Failure(
                "a frame is JSON in a text message", expected=str(error), actual=_start(message)
            ) from None
        errors = frame_errors(frame.body)
        that(not errors, f"a frame {frame.type}", expected="as its schema", actual=errors)


def frames_are_not_too_long(exchange: Exchange) -> None:
    """None is longer than 256 KiB."""
    for message, frame in frames(exchange):
        data = message.data
        size = len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
        what, bound = f"the size of a frame {frame.type}", f"at most {LONGEST_FRAME} bytes"
        that(size <= LONGEST_FRAME, what, expected=bound, actual=size)


def event_ids_grow(exchange: Exchange) -> None:
    """Each event of the account has an id, and it is greater than all before."""
    newest = 0
    for _, frame in frames(exchange):
        given, event_id = frame.body["event_id"], frame.event_id
        if given is None and frame.type not in THINGS:
            continue
        what = f"the event_id of a frame {frame.type}"
        if event_id is None:
            raise Failure(what, expected="a decimal integer in a string", actual=repr(given))
        that(event_id > newest, what, expected=f"above {newest}", actual=event_id)
        newest = event_id


def _start(message: Message) -> str:
    return repr(message.data[:_SHOWN])


FRAME_RULES: Final[tuple[tuple[str, Callable[[Exchange], None]], ...]] = (
    ("WS-020", frames_follow_their_schemas),
    ("WS-021", frames_are_not_too_long),
    ("WS-022", event_ids_grow),
)
"""Each raises Failure for a connection that breaks the requirement."""


def wrong_frames(exchange: Exchange) -> Iterator[tuple[str, Failure]]:
    """The requirements that the frames of a connection break, each with why."""
    for requirement_id, rule in FRAME_RULES:
        try:
            rule(exchange)
        except Failure as failure:
            failure.exchange = exchange
            yield requirement_id, failure
