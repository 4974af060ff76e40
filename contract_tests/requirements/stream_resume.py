"""The event stream: going on where one has left off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.listening import hear, later, mark, rest_and_cancel, same_story
from contract_tests.toolkit.stream import Stream


@contextmanager
def past(api: Api) -> Iterator[tuple[Stream, list[int]]]:
    """A connection that was there all along, and the ids of the events that it has told."""
    with api.listen() as whole:
        mark(api, whole)
        for _ in range(2):
            rest_and_cancel(api)
        mark(api, whole)
        yield whole, [one.event_id or 0 for one in whole.log]


@requirement("WS-040")
def resuming_misses_and_repeats_nothing(api: Api) -> None:
    """After any of several events, what follows is what the others were told, then and now."""
    with past(api) as (whole, ids):
        for event_id in ids:
            with api.listen({"after": event_id}) as resumed:
                rest_and_cancel(api)
                end = mark(api, whole, resumed)
                same_story(resumed, later(whole, event_id), "a resumed connection", upto=end)


@requirement("WS-040")
def resuming_amid_events(api: Api) -> None:
    """Resuming again and again, in the midst of orders, gives the whole log in pieces."""
    with past(api) as (whole, ids):
        last = ids[0]
        for _ in range(4):
            order = api.rest()
            with api.listen({"after": last}) as piece:
                api.delete(f"/orders/{order['id']}").ok()
                hear(piece, order["id"], "ORDER_CANCELLED")
                hear(whole, order["id"], "ORDER_CANCELLED")
                end = piece.log[-1].event_id or 0
                same_story(piece, later(whole, last), "a piece of the log", upto=end)
                last = end


@requirement("WS-041")
def header_resumes_too(api: Api) -> None:
    """Last-Event-ID gives what after gives."""
    with past(api) as (whole, ids):
        for event_id in (ids[0], ids[-2]):
            with api.listen(headers={"Last-Event-ID": str(event_id)}) as resumed:
                end = mark(api, whole, resumed)
                same_story(resumed, later(whole, event_id), "Last-Event-ID", upto=end)


@requirement("WS-042")
def after_goes_before_the_header(api: Api) -> None:
    """Where both are given after holds, whether it is the earlier or the later id."""
    with past(api) as (whole, ids):
        for after, other in ((ids[1], ids[-1]), (ids[-1], ids[1])):
            headers = {"Last-Event-ID": str(other)}
            with api.listen({"after": after}, headers=headers) as resumed:
                end = mark(api, whole, resumed)
                same_story(resumed, later(whole, after), "after beside Last-Event-ID", upto=end)


@requirement("WS-043")
def fresh_connection_hears_nothing_old(api: Api) -> None:
    """What happened before a connection without after is not told on it."""
    with past(api) as (whole, ids), api.listen() as fresh:
        mark(api, whole, fresh)
        old = [one.event_id for one in fresh.log if (one.event_id or 0) <= ids[-1]]
        fresh.equal(old, [], "the events told again")


@requirement("WS-044")
def resumed_events_are_the_same(api: Api) -> None:
    """An order changed since is told as it was; ids, times and content are those of before."""
    with api.listen() as whole:
        begin = mark(api, whole)
        order = api.rest()
        quantity = {"quantity": api.limit()["quantity"]}
        api.patch(f"/orders/{order['id']}", quantity).ok()
        api.delete(f"/orders/{order['id']}").ok()
        end = mark(api, whole)
        for _ in range(2):
            with api.listen({"after": begin}) as resumed:
                hear(resumed, whole.log[-1].thing["id"], "ORDER_CREATED")
                same_story(resumed, later(whole, begin), "what is told again", upto=end)


@requirement("WS-045", needs="restart")
def resuming_after_a_kill(api: Api) -> None:
    """After a kill the events of acknowledged orders follow, each once, and then new ones."""
    place = api.lab.restartable()
    mine = place.api
    with mine.listen() as whole:
        begin = mark(mine, whole)
        known = rest_and_cancel(mine)
        hear(whole, known, "ORDER_CANCELLED")
        heard = whole.log[-1].event_id or 0
        unheard = mine.rest()
        place.restart()
    with mine.listen({"after": begin}) as resumed:
        mine.delete(f"/orders/{unheard['id']}").ok()
        mark(mine, resumed)
        same_story(resumed, later(whole, begin), "what was told before the kill", upto=heard)
        told = [one.event for one in resumed.log if one.thing["id"] == unheard["id"]]
        resumed.equal(told, ["ORDER_CREATED", "ORDER_CANCELLED"], "the events of the last order")
    mine.clean_up()
