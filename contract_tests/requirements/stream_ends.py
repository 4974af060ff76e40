"""The event stream: how a connection ends that the client does not end."""

from __future__ import annotations

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.expect import NotExercised
from contract_tests.toolkit.listening import connected, later, mark, rest_and_cancel, same_story
from contract_tests.toolkit.stream import Stream

TOO_SLOW, GOING_AWAY = 1013, 1001
MUCH = 550_000
"""Characters that neither the server nor the systems buffer for a reader on a thin line.

More would be waste, and a server has no patience for ever with who does not answer its close.
"""

DRAINED = 20.0
"""Seconds in which a reader has read it all, or the server has finished."""


def _overtake(api: Api, quick: Stream) -> None:
    """Read on a quick connection, while orders come and go, what is too much for a slow one."""
    size = 0
    while size < MUCH:
        seen = len(quick.seen)
        rest_and_cancel(api)
        mark(api, quick)
        size += sum(len(str(one)) for one in quick.seen[seen:])


def _given_up(api: Api, quick: Stream, slow: Stream) -> int:
    """The close code of a connection that nobody read from for too long."""
    mark(api, quick)
    _overtake(api, quick)
    return slow.rest("a slow reader is given up", within=DRAINED)


@requirement("WS-080", needs="impatience")
def slow_reader_is_closed(api: Api) -> None:
    """It is told the log without a gap up to close 1013, and the rest when it resumes."""
    mine = api.lab.impatient()
    with mine.listen() as quick, mine.listen(slow=True) as slow:
        slow.equal(_given_up(mine, quick, slow), TOO_SLOW, "the close code")
        if not slow.log:
            raise NotExercised("the slow reader was closed before it was told an event")
        begin, last = (slow.log[place].event_id or 0 for place in (0, -1))
        same_story(slow, later(quick, begin - 1), "a slow reader", upto=last)
        with mine.listen({"after": last}) as resumed:
            end = mark(mine, quick, resumed)
            same_story(resumed, later(quick, last), "a slow reader that resumes", upto=end)
    mine.clean_up()


@requirement("WS-081", needs="impatience")
def slow_reader_is_told(api: Api) -> None:
    """The last frame before close 1013 is DISCONNECTING, with an error."""
    mine = api.lab.impatient()
    with mine.listen() as quick, mine.listen(slow=True) as slow:
        if _given_up(mine, quick, slow) != TOO_SLOW:
            raise NotExercised("no slow reader is closed with 1013")
        last = slow.seen[-1]
        told = (last.type, last.event)
        slow.equal(told, ("connection", "DISCONNECTING"), "the last frame")
        slow.that(bool(last.body["error"]), "its error", "a reason", last.body["error"])
    mine.clean_up()


@requirement("WS-082", needs="restart")
def stopping_is_told(api: Api) -> None:
    """A server that is told to stop says DISCONNECTING on every connection: close 1001."""
    place = api.lab.restartable()
    with place.api.listen() as first, place.api.listen({"types": "order"}) as second:
        for stream in (first, second):
            connected(stream)
        place.finish()
        for stream in (first, second):
            code = stream.rest("a connection to a server that stops", within=DRAINED)
            stream.equal(code, GOING_AWAY, "the close code")
            last = stream.seen[-1]
            told = (last.type, last.event)
            stream.equal(told, ("connection", "DISCONNECTING"), "the last frame")
