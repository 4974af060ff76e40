"""Wrong event streams: handshakes, the first frame, what the client says, the market, ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from contract_tests.laboratory.fleet import KEYS
from contract_tests.mutants.kit import answer
from contract_tests.mutants.messages import Body, Forward, Request, Response, failing
from contract_tests.mutants.mutant import Table
from contract_tests.mutants.relay import Data, Line
from contract_tests.mutants.stage import On
from contract_tests.mutants.streams import (
    Lines,
    Streaming,
    asked,
    both,
    dropped,
    frames,
    handshake,
    inside,
    lacking,
    of,
    refusing,
    setting,
    twice,
)
from contract_tests.spec import VERSION_PREFIX
from contract_tests.toolkit.market import ALIASES

TABLE: Final = Table()
add = TABLE.add

CONNECTED: Final = of("CONNECTED")
REFUSED: Final = frozenset({400, 401, 404})

# -- paths and keys ---


def below_v1(request: Request, forward: Forward) -> Response:
    """There is no stream under the version prefix."""
    there = request.path.startswith(VERSION_PREFIX)
    return failing(404, "NOT_FOUND") if there else forward(request)


add("WS-001", "there is no stream under /v1", lambda: handshake(below_v1))
add(
    "WS-001",
    "there is no stream at all",
    lambda: handshake(lambda *_: failing(404, "NOT_FOUND")),
)
add(
    "WS-001",
    "the stream under /v1 has events of its own",
    lambda: frames(
        lambda line, frame: line.request.path.startswith(VERSION_PREFIX) and "event_id" in frame,
        lambda frame: [frame | {"timestamp": "2020-01-01T00:00:00Z"}],
    ),
)


def with_a_key(request: Request) -> Request:
    """The request in the name of an account."""
    return request.with_headers({"x-api-key": KEYS["alice"], "authorization": None})


def only_wrong_keys(request: Request, forward: Forward) -> Response:
    """A wrong key is as good as a right one; none is not."""
    response = forward(request)
    given = {"x-api-key", "authorization"} & request.headers.keys()
    return forward(with_a_key(request)) if response.status == 401 and given else response


add("WS-002", "a handshake needs no key", lambda: refusing(401, with_a_key), on=On.KEYS)
add("WS-002", "a handshake takes any key", lambda: handshake(only_wrong_keys), on=On.KEYS)
add(
    "WS-002",
    "a handshake without a key is refused with 403",
    lambda: handshake(answer(status=401).status(403)),
    on=On.KEYS,
)
add(
    "WS-003",
    "X-API-Key is not read in a handshake",
    lambda: asked(lambda request: request.with_headers({"x-api-key": None})),
    on=On.KEYS,
)


def other_key_first(request: Request) -> Request:
    """Where both keys are given X-API-Key is judged first."""
    both_given = {"x-api-key", "authorization"} <= request.headers.keys()
    return request.with_headers({"authorization": None}) if both_given else request


add(
    "WS-003", "X-API-Key is judged first in a handshake", lambda: asked(other_key_first), on=On.KEYS
)

# -- refusals ---

add(
    "WS-004",
    "a refused handshake is answered with text",
    lambda: handshake(answer(status=REFUSED).text(b"no")),
)
add(
    "WS-004",
    "a refused handshake has no message",
    lambda: handshake(answer(status=REFUSED).dropping("message")),
)
KNOWN: Final = {"after", "symbols", "types"}
add(
    "WS-005",
    "unknown parameters of a handshake are ignored",
    lambda: asked(
        lambda request: request.with_query((k, v) for k, v in request.query if k in KNOWN)
    ),
)


def ignoring(name: str) -> Streaming:
    """A parameter that is invalid is not looked at."""
    return refusing(400, lambda request: request.without_parameter(name))


for _name in ("types", "after"):
    add(
        "WS-005",
        f"an invalid {_name} is ignored",
        partial(ignoring, _name),
    )
add(
    "WS-005",
    "an invalid parameter of a handshake is not named",
    lambda: handshake(answer(status=400).detail("field", None)),
)
add(
    "WS-006",
    "unknown symbols of a handshake are ignored",
    lambda: refusing(404, lambda request: request.without_parameter("symbols")),
)
add(
    "WS-006",
    "an unknown symbol of a handshake is invalid",
    lambda: handshake(answer(status=404).status(400).code("INVALID_VALUE")),
)


def no_aliases(request: Request, forward: Forward) -> Response:
    """An alias is unknown."""
    aliased = request.parameter("symbols") in ALIASES
    return failing(404, "SYMBOL_NOT_FOUND") if aliased else forward(request)


add("WS-006", "a handshake knows no aliases", lambda: handshake(no_aliases))
add(
    "WS-006",
    "an alias of a handshake chooses nothing",
    lambda: frames(
        lambda line, frame: (
            line.request.parameter("symbols") in ALIASES and frame["type"] != "connection"
        ),
        lambda _: [],
    ),
)
add(
    "WS-007",
    "an after beyond the newest event is the newest",
    lambda: refusing(400, lambda request: request.without_parameter("after")),
)
add(
    "WS-007",
    "an after beyond the newest event has a code of its own",
    lambda: handshake(answer(status=400, field="after").code("EVENT_NOT_FOUND")),
)
add(
    "WS-008",
    "without a provider a handshake is refused with 500",
    lambda: handshake(answer(status=503).status(500)),
    on=On.NO_PROVIDER,
)
add(
    "WS-008",
    "while the provider is unavailable a handshake is refused with 502",
    lambda: handshake(answer(status=503).status(502)),
    on=On.UNAVAILABLE,
)


def plain_get(status: int) -> Streaming:
    """A GET without upgrade is answered with a status."""

    def mutation(request: Request, forward: Forward) -> Response:
        stream = request.path.endswith("/ws")
        return failing(status, "NOT_FOUND") if stream else forward(request)

    return Streaming(answers=mutation)


add("WS-009", "without an upgrade there is no /ws", lambda: plain_get(404))
add("WS-009", "a GET of /ws without an upgrade is invalid", lambda: plain_get(400))

# -- the first frame ---

add("WS-010", "CONNECTED is not told", lambda: dropped(CONNECTED))
add(
    "WS-010",
    "a connection begins with RECONNECTING",
    lambda: frames(CONNECTED, setting(event="RECONNECTING")),
)


class Late:
    """A frame is told after the one that follows it."""

    def __init__(self, where: Callable[[Line, Body], bool]) -> None:
        self._where = where

    def __call__(self, line: Line, frame: Body) -> Iterable[Body | Data]:
        """Keep it back, or tell what was kept back."""
        if self._where(line, frame):
            line.notes["late"] = frame
            return []
        late = line.notes.pop("late", None)
        return [frame] if late is None else [frame, late]


add("WS-010", "CONNECTED comes second", lambda: Streaming(frames=Late(CONNECTED)))
add("WS-011", "CONNECTED has no cursor", lambda: frames(CONNECTED, lacking("last_event_id")))
add("WS-011", "the cursor is always 0", lambda: frames(CONNECTED, setting(last_event_id="0")))


def moved_cursor(by: int, **given: bool) -> Streaming:
    """The cursor of connections with after, or of those without, is another."""

    def change(line: Line, frame: Body) -> Iterable[Body]:
        concerned = (line.request.parameter("after") is not None) == given["after"]
        if not (concerned and CONNECTED(line, frame)):
            return [frame]
        return [frame | {"last_event_id": str(max(int(frame["last_event_id"]) + by, 0))}]

    return Streaming(frames=change)


add("WS-011", "the cursor is an event behind", lambda: moved_cursor(-1, after=False))
add("WS-011", "the cursor is an event ahead", lambda: moved_cursor(1, after=False))
add("WS-011", "the cursor is not the id given", lambda: moved_cursor(-1, after=True))
add("WS-012", "there are no pings", lambda: dropped(of("ping")))

# -- what is heard ---


def saying(line: Line, data: Data) -> Body:
    """A client's message; empty where it is no object."""
    del line
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def replying(concerned: Callable[[Body], bool], reply: Callable[[Line], object]) -> Streaming:
    """Some valid messages are not passed on but answered."""

    def messages(line: Line, data: Data) -> bool:
        if concerned(saying(line, data)):
            reply(line)
            return False
        return True

    return Streaming(messages=messages)


def complain(line: Line) -> None:
    """An error about an invalid message."""
    frame = {"type": "error", "timestamp": "2026-01-15T10:30:00Z", "code": "INVALID_MESSAGE"}
    line.tell(json.dumps(frame | {"message": "no", "details": {"field": "x", "reason": "no"}}))


def is_ack(message: Body) -> bool:
    """Whether it acknowledges events, well-formed."""
    return message.get("type") == "event_ack" and isinstance(message["events_processed"], list)


add(
    "WS-070",
    "a pong is an invalid message",
    lambda: replying(lambda one: one.get("type") == "pong", complain),
)
add(
    "WS-070",
    "acknowledging what is unknown is an invalid message",
    lambda: replying(lambda one: "no-such-event" in one.get("events_processed", ()), complain),
)
add(
    "WS-070",
    "acknowledging nothing is an invalid message",
    lambda: replying(lambda one: one.get("events_processed") == [], complain),
)
add(
    "WS-070",
    "an acknowledgement ends the connection",
    lambda: replying(lambda one: "events_processed" in one, lambda line: line.end(1008)),
)
INVALID: Final = of("error")
add("WS-071", "invalid messages are ignored", lambda: dropped(INVALID))
add("WS-071", "invalid messages are answered twice", lambda: twice(INVALID))
add(
    "WS-071",
    "an invalid message is an internal error",
    lambda: frames(INVALID, setting(code="INTERNAL_ERROR")),
)


def ending(concerned: Callable[[Data], bool], code: int) -> Streaming:
    """Some messages end the connection."""

    def messages(line: Line, data: Data) -> bool:
        if concerned(data):
            line.end(code)
            return False
        return True

    return Streaming(messages=messages)


def is_json(data: Data) -> bool:
    """Whether it is JSON at all."""
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


add(
    "WS-071",
    "what is no JSON ends the connection",
    lambda: ending(lambda one: not is_json(one), 1007),
)
add(
    "WS-071",
    "an unknown type ends the connection",
    lambda: ending(
        lambda one: b"weather" in (one if isinstance(one, bytes) else one.encode()), 1008
    ),
)
add(
    "WS-071",
    "a message without its members is accepted",
    lambda: replying(lambda one: one.get("type") == "event_ack" and len(one) < 4, lambda _: None),
)
add(
    "WS-072",
    "a binary message ends the connection",
    lambda: ending(lambda one: isinstance(one, bytes), 1003),
)
add(
    "WS-072",
    "a long message ends the connection",
    lambda: ending(lambda one: len(one) > 65_536, 1009),
)
add(
    "WS-072",
    "a binary message is read as text",
    lambda: Streaming(messages=lambda _, one: not (isinstance(one, bytes) and is_json(one))),
)
add("WS-073", "an invalid message is not explained", lambda: frames(INVALID, setting(details=None)))
add(
    "WS-073",
    "the field of an invalid message is always its type",
    lambda: frames(INVALID, setting(details={"field": "type", "reason": "is wrong"})),
)
add(
    "WS-073",
    "an invalid message has no reason",
    lambda: frames(INVALID, lambda one: [one | {"details": {"field": one["details"]["field"]}}]),
)

# -- the market ---

QUOTE: Final = of("quote")
add("WS-060", "no quotes are told", lambda: dropped(QUOTE))
add("WS-060", "each quote is told twice", lambda: twice(QUOTE))
add("WS-060", "the bid that is told is another", lambda: frames(QUOTE, inside(bid="0.01")))
add("WS-060", "the ask that is told is another", lambda: frames(QUOTE, inside(ask="999999.99")))
add(
    "WS-060",
    "quotes have no time of their own",
    lambda: frames(QUOTE, inside(timestamp="2026-01-01T00:00:00Z")),
)
add("WS-060", "quotes are of another symbol", lambda: frames(QUOTE, inside(symbol="OTHER")))
CANDLE: Final = of("candle")
add("WS-061", "no candles are told", lambda: dropped(CANDLE))
add(
    "WS-061",
    "a candle has another close",
    lambda: frames(CANDLE, inside(close=lambda value: value + "1")),
)

# -- ends ---

DISCONNECTING: Final = of("DISCONNECTING")


def closing(before: int, after: int) -> Streaming:
    """A close code is another."""

    def ends(line: Line, code: int, reason: str) -> bool:
        line.end(after if code == before else code, reason)
        return False

    return Streaming(ends=ends)


class Thinned:
    """All connections but the oldest are not told every third event."""

    def __init__(self) -> None:
        self._lines = Lines()

    def __call__(self, line: Line, frame: Body) -> Iterable[Body]:
        """Leave it out."""
        if self._lines.place(line) == 0 or "event_id" not in frame:
            return [frame]
        line.notes["told"] = line.notes.get("told", 0) + 1
        return [] if line.notes["told"] % 3 == 0 else [frame]


add("WS-080", "a slow reader is closed with 1011", lambda: closing(1013, 1011))
add("WS-080", "a slow reader misses events", lambda: Streaming(frames=Thinned()))
add(
    "WS-080",
    "a slow reader is never closed",
    lambda: Streaming(ends=lambda _, code, __: code != 1013),
)
add("WS-081", "a slow reader is not told", lambda: dropped(DISCONNECTING))
add("WS-081", "a slow reader is not told why", lambda: frames(DISCONNECTING, lacking("error")))
add("WS-082", "nobody is told that the server stops", lambda: dropped(DISCONNECTING))
add("WS-082", "a server that stops closes with 1000", lambda: closing(1001, 1000))
add(
    "WS-082",
    "who chose orders is not told that the server stops",
    lambda: dropped(
        both(DISCONNECTING, lambda line, _: line.request.parameter("types") is not None)
    ),
)
