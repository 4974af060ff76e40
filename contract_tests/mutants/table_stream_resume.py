"""Wrong event streams: going on where one has left off, and choosing what to hear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from contract_tests.laboratory.servers import Server
from contract_tests.mutants.messages import Body, Forward, Request, Response, failing
from contract_tests.mutants.mutant import Table
from contract_tests.mutants.relay import Data, Line
from contract_tests.mutants.streams import (
    First,
    Streaming,
    Where,
    asked,
    asking,
    both,
    dropped,
    frames,
    handshake,
    inside,
    of,
    resumed,
    setting,
)

TABLE: Final = Table()
add = TABLE.add

HEADER: Final = "last-event-id"

# -- after ---


def forgets(*where: str) -> Callable[[Request], Request]:
    """A handshake that asks for nothing later."""

    def changed(request: Request) -> Request:
        if HEADER in where:
            request = request.with_headers({HEADER: None})
        return request.without_parameter("after") if "after" in where else request

    return changed


class Cursor:
    """A handshake that asks for another event, and tells the cursor that was asked for."""

    def __init__(self, by: int) -> None:
        self._by = by

    def streaming(self) -> Streaming:
        """The mutation."""
        return Streaming(
            frames=self._tell, handshake=lambda request, forward: forward(self._ask(request))
        )

    def _ask(self, request: Request) -> Request:
        after = request.parameter("after")
        if after is None or not after.isdigit():
            return request
        return request.with_parameter("after", str(max(int(after) + self._by, 0)))

    def _tell(self, line: Line, frame: Body) -> Iterable[Body]:
        after = line.request.parameter("after")
        if frame.get("event") == "CONNECTED" and after is not None:
            return [frame | {"last_event_id": after}]
        return [frame]


class NotLive:
    """What resumes is told what has happened, and nothing of what happens then."""

    def __init__(self) -> None:
        self._newest = 0

    def __call__(self, line: Line, frame: Body) -> Iterable[Body]:
        """Tell up to the newest event that there was when the connection began."""
        limit = line.notes.setdefault("limit", self._newest)
        if "event_id" not in frame:
            return [frame]
        number = int(frame["event_id"])
        self._newest = max(self._newest, number)
        return [] if resumed(line, frame) and number > limit else [frame]


class Reversed:
    """Two events that are told again come the other way round."""

    def __call__(self, line: Line, frame: Body) -> Iterable[Body]:
        """Keep the first back."""
        if not resumed(line, frame) or "done" in line.notes:
            return [frame]
        if "kept" not in line.notes:
            line.notes["kept"] = frame
            return []
        line.notes["done"] = True
        return [frame, line.notes["kept"]]


add("WS-040", "after is ignored", lambda: asked(forgets("after")))
add("WS-040", "resuming leaves a gap", lambda: Streaming(frames=_first(resumed, lambda _: [])))
add("WS-040", "resuming repeats the event that was seen", lambda: Cursor(-1).streaming())
add(
    "WS-040",
    "resuming tells an event twice",
    lambda: Streaming(frames=_first(resumed, lambda one: [one, one])),
)
add("WS-040", "resuming tells the past alone", lambda: Streaming(frames=NotLive()))
add("WS-040", "resuming tells the newer event first", lambda: Streaming(frames=Reversed()))


def _first(
    where: Where, change: Callable[[Body], Iterable[Body | Data]]
) -> Callable[[Line, Body], Iterable[Body | Data]]:
    """The first frame of a connection that meets a condition changed."""
    first = First(where)
    return lambda line, frame: change(frame) if first(line, frame) else [frame]


add("WS-041", "Last-Event-ID is ignored", lambda: asked(forgets(HEADER)))


def header_behind(request: Request) -> Request:
    """Last-Event-ID is taken as the event before."""
    given = request.headers.get(HEADER)
    return request if given is None else request.with_headers({HEADER: str(int(given) - 1)})


add("WS-041", "Last-Event-ID repeats its event", lambda: asked(header_behind))


def header_first(request: Request) -> Request:
    """Last-Event-ID holds where both are given."""
    return request.without_parameter("after") if HEADER in request.headers else request


add("WS-042", "Last-Event-ID goes before after", lambda: asked(header_first))


class Echo:
    """A connection that begins is told the newest event again."""

    def __init__(self) -> None:
        self._newest: dict[str | None, Body] = {}

    def __call__(self, line: Line, frame: Body) -> Iterable[Body]:
        """Remember the newest, and tell it after CONNECTED."""
        account = line.request.headers.get("x-api-key")
        if "event_id" in frame:
            self._newest[account] = frame
        fresh = line.request.parameter("after") is None and HEADER not in line.request.headers
        if frame.get("event") == "CONNECTED" and fresh and account in self._newest:
            return [frame, self._newest[account]]
        return [frame]


add("WS-043", "a connection begins with the newest event", lambda: Streaming(frames=Echo()))
add(
    "WS-044",
    "what is told again has the present time",
    lambda: frames(resumed, setting(timestamp="2026-11-25T00:00:00Z")),
)
add(
    "WS-044",
    "orders are told again as they are now",
    lambda: frames(both(resumed, of("order")), inside(status="CANCELLED")),
)
add(
    "WS-044",
    "changes are told again as new orders",
    lambda: frames(both(resumed, of("ORDER_MODIFIED")), setting(event="ORDER_CREATED")),
)
add(
    "WS-044",
    "events that are told again have other ids",
    lambda: frames(resumed, lambda one: [one | {"event_id": one["event_id"] + "0"}]),
)


class AfterAKill:
    """Wrong only once the server was killed."""

    def __init__(self, change: Callable[[Body], Iterable[Body | Data]]) -> None:
        self._change = change
        self._killed = False

    def make(self) -> Streaming:
        """The mutation, before a kill."""
        self._killed = False
        return Streaming(frames=_first(self._concerns, self._change))

    def restarted(self, server: Server, headers: Mapping[str, str]) -> None:
        """From now on it is wrong."""
        del server, headers
        self._killed = True

    def _concerns(self, line: Line, frame: Body) -> bool:
        return self._killed and resumed(line, frame)

    def add(self, name: str) -> None:
        """Put it into the table."""
        add("WS-045", name, self.make, restarted=self.restarted)


AfterAKill(lambda _: []).add("after a kill an event is lost")
AfterAKill(lambda frame: [frame, frame]).add("after a kill an event is told twice")

# -- what was chosen ---

add("WS-050", "types is ignored", lambda: asked(lambda one: one.without_parameter("types")))
add(
    "WS-050",
    "types leaves out cancels too",
    lambda: dropped(asking("types", of("ORDER_CANCELLED"))),
)
add("WS-050", "types leaves out trades", lambda: dropped(asking("types", of("trade"))))
add(
    "WS-050",
    "types leaves out errors about messages",
    lambda: dropped(asking("types", of("error"))),
)


def with_quotes(request: Request) -> Request:
    """Quotes are chosen besides."""
    types = request.parameter("types")
    return request if types is None else request.with_parameter("types", f"{types},quote")


add("WS-050", "types leaves quotes in", lambda: asked(with_quotes))
add("WS-051", "symbols is ignored", lambda: asked(lambda one: one.without_parameter("symbols")))
add(
    "WS-051",
    "symbols leaves out cancels too",
    lambda: dropped(asking("symbols", of("ORDER_CANCELLED"))),
)


def other_quotes() -> Streaming:
    """Quotes of all symbols come, and events of those chosen alone."""

    def told(line: Line, frame: Body) -> Iterable[Body]:
        chosen = line.request.parameter("symbols")
        about = frame.get(str(frame["type"]))
        symbol = about.get("symbol") if isinstance(about, dict) else None
        keep = chosen is None or symbol is None or "quote" in frame or symbol in chosen
        return [frame] if keep else []

    return Streaming(
        frames=told,
        handshake=lambda request, forward: forward(request.without_parameter("symbols")),
    )


add("WS-051", "symbols leaves quotes of others in", other_quotes)


def one_of_each(*, last: bool) -> Callable[[Request], Request]:
    """Of a repeated parameter one counts."""

    def changed(request: Request) -> Request:
        query = request.query if last else request.query[::-1]
        return request.with_query(dict(query).items())

    return changed


def no_commas(request: Request, forward: Forward) -> Response:
    """A list with commas is one invalid value."""
    listed = any("," in value for name, value in request.query if name in {"types", "symbols"})
    return failing(400, "INVALID_VALUE", field="types") if listed else forward(request)


add("WS-052", "the first of repeated types counts", lambda: asked(one_of_each(last=False)))
add("WS-052", "the last of repeated types counts", lambda: asked(one_of_each(last=True)))
add("WS-052", "types and symbols take no commas", lambda: handshake(no_commas))


def resuming_without(name: str) -> Callable[[Request], Request]:
    """A choice is not looked at by who resumes."""
    return lambda request: (
        request if request.parameter("after") is None else request.without_parameter(name)
    )


def gap_with(name: str) -> Streaming:
    """Who resumes with a choice misses an event."""
    return Streaming(frames=_first(both(resumed, asking(name)), lambda _: []))


for _name in ("types", "symbols"):
    add("WS-053", f"resuming ignores {_name}", partial(asked, resuming_without(_name)))
    add("WS-053", f"resuming with {_name} leaves a gap", partial(gap_with, _name))
add(
    "WS-053",
    "resuming with symbols tells an event twice",
    lambda: Streaming(frames=_first(both(resumed, asking("symbols")), lambda one: [one, one])),
)
add(
    "WS-053",
    "resuming with types leaves out trades",
    lambda: dropped(both(resumed, asking("types", of("trade")))),
)
