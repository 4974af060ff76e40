"""What checks of the event stream have in common: who listens, for what, and what was told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import Failure, dec, plain
from contract_tests.toolkit.sameness import same
from contract_tests.toolkit.stream import Frame, Stream

SWITCHED: Final = 101
ENDS: Final = {"ORDER_FILLED", "ORDER_CANCELLED", "ORDER_REJECTED", "ORDER_EXPIRED"}
"""The events that end an order."""


def is_about(order_id: str, *events: str) -> Callable[[Frame], bool]:
    """Whether a frame tells one of these events of an order, or any where none is named."""
    return lambda frame: (
        frame.type == "order"
        and frame.thing["id"] == order_id
        and (not events or frame.event in events)
    )


def concerns(order_id: str) -> Callable[[Frame], bool]:
    """Whether a frame is about an order or a trade of it."""
    return lambda frame: order_id in {frame.thing["id"], frame.thing["order_id"]}


def hear(stream: Stream, order_id: str, *events: str, within: float | None = None) -> Frame:
    """Wait until an event of an order is told; raises Overdue."""
    what = f"{' or '.join(events)} is told"
    return stream.until(is_about(order_id, *events), what, within=within)[-1]


def hear_as(stream: Stream, order: Body, *events: str) -> Frame:
    """Wait until one of these events tells an order as new as REST has answered it.

    An order that a venue acknowledges later is told more than once.
    """

    def as_new(frame: Frame) -> bool:
        told = is_about(order["id"], *events)(frame)
        return told and frame.thing["updated_at"] == order["updated_at"]

    seen = [frame for frame in stream.seen if as_new(frame)]
    what = f"{' or '.join(events)} is told as REST has it"
    return seen[-1] if seen else stream.until(as_new, what)[-1]


def mark(api: Api, *streams: Stream) -> int:
    """Place an order, and wait until each stream has told it; the id of the event.

    Whatever happened before in the account has been told by then, or never will be.
    """
    order = api.rest()
    frames = [hear(stream, order["id"], "ORDER_CREATED") for stream in streams]
    return max(frame.event_id or 0 for frame in frames)


def rest_and_cancel(api: Api) -> str:
    """The id of an order that rested and was cancelled: two events."""
    order_id: str = api.rest()["id"]
    api.delete(f"/orders/{order_id}").ok()
    return order_id


def connected(stream: Stream) -> Frame:
    """The first frame, which tells that the connection begins."""
    frame = stream.take("the first frame")
    told = (frame.type, frame.event)
    stream.equal(told, ("connection", "CONNECTED"), "the type and event of the first frame")
    return frame


def newest(api: Api) -> int:
    """The id of the account's newest event."""
    with api.listen() as stream:
        return cursor_of(stream)


def cursor_of(stream: Stream) -> int:
    """The cursor from which a connection goes on, as its first frame tells."""
    frame = connected(stream)
    cursor = frame.body["last_event_id"]
    holds = isinstance(cursor, str) and cursor.isascii() and cursor.isdigit()
    stream.that(holds, "last_event_id of CONNECTED", "a decimal integer in a string", repr(cursor))
    return int(cursor)


def told(frames: Iterable[Frame]) -> list[dict[str, Any]]:
    """What some frames say, to compare it."""
    return [dict(frame.body) for frame in frames]


def same_story(
    stream: Stream, expected: Iterable[Frame], what: str, *, upto: int | None = None
) -> None:
    """Raise Failure unless the events that a stream has told are these, in the same order.

    Those above `upto` may be missing in either.
    """
    heard, wanted = (
        [one for one in frames if upto is None or (one.event_id or 0) <= upto]
        for frames in (stream.log, expected)
    )
    ids = [one.event_id for one in heard]
    stream.equal(ids, [one.event_id for one in wanted], f"the event_ids of {what}")
    for one, other in zip(told(heard), told(wanted), strict=True):
        stream.equal(one, other, f"an event of {what}")


def later(stream: Stream, event_id: int) -> list[Frame]:
    """The events that a stream has told with a greater id."""
    return [frame for frame in stream.log if (frame.event_id or 0) > event_id]


def half(body: Body) -> str:
    """Half the quantity of an order."""
    return plain(dec(body["quantity"]) / 2)


def is_error(frame: Frame) -> bool:
    """Whether it is an error that is no event of the account."""
    return frame.type == "error" and frame.event_id is None


def errors(stream: Stream) -> list[Any]:
    """The codes of such errors so far."""
    return [frame.body["code"] for frame in stream.seen if is_error(frame)]


def complain(stream: Stream, message: object) -> Frame:
    """Send a message that is invalid, and wait for the error that says so."""
    before = len(errors(stream))
    stream.say(message)
    frame = stream.until(is_error, "an error about an invalid message")[-1]
    stream.equal(frame.body["code"], "INVALID_MESSAGE", "the code")
    stream.equal(len(errors(stream)), before + 1, "the number of errors")
    return frame


def agrees(stream: Stream, frame: Frame, thing: Body, **options: object) -> None:
    """Raise Failure with the connection unless an event tells what REST answers."""
    try:
        same(frame.thing, thing, f"what {frame.event} tells, as REST", **options)  # type: ignore[arg-type]
    except Failure as failure:
        failure.exchange = stream.exchange
        raise


def events(stream: Stream, order_id: str) -> list[str]:
    """What was told of an order so far."""
    return [frame.event for frame in stream.seen if is_about(order_id)(frame)]


def once_and_last(stream: Stream, order_id: str, end: str) -> None:
    """Raise Failure unless this is the only end of an order, and the last event of it."""
    told = events(stream, order_id)
    ends = [event for event in told if event in ENDS]
    stream.equal(ends, [end], f"the ends told of {order_id}")
    stream.equal(told[-1:], [end], f"the last event of {order_id}")


def nothing_of(stream: Stream, *order_ids: str) -> None:
    """Raise Failure if something about an order was told."""
    leaked = [str(one) for order_id in order_ids for one in stream.seen if concerns(order_id)(one)]
    stream.equal(leaked, [], "events of another account")
