"""The event stream: how a connection begins, and that it lives."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from contract_tests.requirements import requirement
from contract_tests.spec import VERSION_PREFIX
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.client import Answer
from contract_tests.toolkit.expect import NotDeclared, NotExercised, equal
from contract_tests.toolkit.keys import WRONG, api_key, bearer
from contract_tests.toolkit.listening import (
    SWITCHED,
    connected,
    cursor_of,
    hear,
    later,
    mark,
    newest,
    rest_and_cancel,
    same_story,
)
from contract_tests.toolkit.market import ALIASES, UNKNOWN_SYMBOL
from contract_tests.toolkit.stream import PATH

FAR_AHEAD = 10**9
"""More events than happen between two looks."""

LONGEST_SILENCE = 30


def opened(api: Api, query: Any = (), **options: Any) -> None:
    """Raise Failure unless a handshake is accepted."""
    answer = api.handshake(query, **options)
    equal(answer.status, SWITCHED, "the status of the handshake", answer.exchange)


@requirement("WS-001")
def stream_is_at_both_paths(api: Api) -> None:
    """An order is told at /ws and at /v1/ws, as the same event."""
    root = api.client.base_url.removesuffix(VERSION_PREFIX)
    paths = [root + PATH, root + VERSION_PREFIX + PATH]
    for path in paths:
        opened(api, path=path)
    with ExitStack() as stack:
        streams = [stack.enter_context(api.listen(path=path)) for path in paths]
        order = api.rest()
        first, second = (hear(stream, order["id"], "ORDER_CREATED") for stream in streams)
        streams[1].equal(dict(second.body), dict(first.body), "the event at /v1/ws, as at /ws")


# -- keys ---


@requirement("WS-002", needs="key")
def handshake_without_a_valid_key_is_401(api: Api) -> None:
    """No key and wrong keys are refused, and the right one is not."""
    keyed = api.lab.keyed()
    for headers in ({}, bearer(WRONG), api_key(WRONG), {"Authorization": "Basic eDp5"}):
        answer = keyed.anonymous.handshake(headers=headers)
        equal(answer.status, 401, "the status of a handshake without a key", answer.exchange)
    opened(keyed.api)


@requirement("WS-003", needs="key")
def handshake_takes_either_key(api: Api) -> None:
    """Both headers work; where both are sent, the Bearer key decides."""
    keyed = api.lab.keyed()
    for headers in (
        bearer(keyed.key),
        api_key(keyed.key),
        bearer(keyed.key) | api_key(WRONG),
    ):
        opened(keyed.anonymous, headers=headers)
    answer = keyed.anonymous.handshake(headers=bearer(WRONG) | api_key(keyed.key))
    equal(answer.status, 401, "the status, with a wrong Bearer key first", answer.exchange)


# -- what is refused ---


@requirement("WS-004")
def refused_handshake_is_an_error(api: Api) -> None:
    """Whatever it is refused for, the answer is {code, message, details}; the same is accepted."""
    wrong = ({"after": "abc"}, {"types": "weather"}, {"symbols": UNKNOWN_SYMBOL}, {"weather": "1"})
    answers = [api.handshake(query) for query in wrong]
    refused = [answer for answer in answers if answer.status >= 400]
    if not refused:
        raise NotExercised("no handshake is refused")
    for answer in refused:
        answer.error()
    opened(api)


@requirement("WS-005")
def invalid_parameters_are_named(api: Api) -> None:
    """Each is refused by its name; the same parameters with values of theirs are accepted."""
    invalid = [("weather", "1"), ("types", "weather"), ("types", "order,weather")]
    invalid += [("after", value) for value in ("abc", "-1", "1.5")]
    for name, value in invalid:
        api.handshake({name: value}).refused(400, field=name)
    opened(api, {"types": "order,trade", "after": newest(api)})


@requirement("WS-006")
def unknown_symbol_is_refused(api: Api) -> None:
    """A symbol that nobody trades is 404, also beside a known one; that one alone is accepted."""
    known = api.market.instrument.symbol
    for symbols in (UNKNOWN_SYMBOL, f"{known},{UNKNOWN_SYMBOL}"):
        api.handshake({"symbols": symbols}).refused(404, "SYMBOL_NOT_FOUND")
    opened(api, {"symbols": known})


@requirement("WS-006")
def alias_chooses_its_symbol(api: Api) -> None:
    """Who asks for an alias hears of orders of the symbol that it stands for."""
    traded = {one.symbol for one in api.market.instruments}
    known = {alias: symbol for alias, symbol in ALIASES.items() if symbol in traded}
    if not known:
        raise NotDeclared("none of the symbols that have an alias can be traded")
    for alias, symbol in known.items():
        answer = api.handshake({"symbols": alias})
        equal(answer.status, SWITCHED, f"the status of a handshake for {alias}", answer.exchange)
        with api.listen({"symbols": alias}) as stream:
            hear(stream, api.rest(symbol=symbol)["id"], "ORDER_CREATED")


@requirement("WS-007")
def after_beyond_the_newest_is_refused(api: Api) -> None:
    """An id that no event has yet is refused; that of the newest event is accepted."""
    rest_and_cancel(api)
    latest = newest(api)
    api.handshake({"after": latest + FAR_AHEAD}).refused(400, "INVALID_VALUE")
    opened(api, {"after": latest})


@requirement("WS-008", needs="no_provider")
def handshake_needs_a_provider(api: Api) -> None:
    """Without a provider it is refused with 503, and with one it is accepted."""
    _unavailable(api.lab.without_provider().handshake())
    opened(api)


@requirement("WS-008", needs="fault")
def handshake_needs_an_available_provider(api: Api) -> None:
    """While the provider is unavailable it is refused with 503."""
    _unavailable(api.lab.faulty("unavailable").handshake())
    opened(api)


def _unavailable(answer: Answer) -> None:
    equal(answer.status, 503, "the status of a handshake without a provider", answer.exchange)


@requirement("WS-009")
def get_without_upgrade_is_426(api: Api) -> None:
    """A plain GET is answered 426, and one that asks for an upgrade gets it."""
    answer = api.get(PATH)
    equal(answer.status, 426, "the status without an upgrade", answer.exchange)
    opened(api)


# -- the first frame ---


@requirement("WS-010")
def connection_begins_with_connected(api: Api) -> None:
    """The first frame is CONNECTED, with after and without."""
    with api.listen() as stream:
        connected(stream)
    with api.listen({"after": newest(api)}) as stream:
        connected(stream)


@requirement("WS-011")
def cursor_is_the_newest_event(api: Api) -> None:
    """Without after it is the id of the event told last to who listens already."""
    with api.listen() as whole:
        for _ in range(2):
            seen = mark(api, whole)
            with api.listen() as fresh:
                cursor = cursor_of(fresh)
                fresh.that(cursor >= seen, "last_event_id", f"{seen} or later", cursor)
                end = mark(api, whole, fresh)
                ids = {one.event_id for one in whole.log}
                fresh.that(cursor in ids, "last_event_id", "the id of an event", cursor)
                same_story(fresh, later(whole, cursor), "what follows the cursor", upto=end)


@requirement("WS-011")
def cursor_is_the_id_given(api: Api) -> None:
    """With after it is that id, whether it is that of the newest event or an older one."""
    with api.listen() as whole:
        older, latest = mark(api, whole), mark(api, whole)
    for event_id in (older, latest):
        with api.listen({"after": event_id}) as stream:
            stream.equal(cursor_of(stream), event_id, "last_event_id")


@requirement("WS-012")
def ping_comes_in_time(api: Api) -> None:
    """Within 30 seconds a ping is told."""
    with api.listen() as stream:
        stream.until(lambda frame: frame.type == "ping", "a ping", within=LONGEST_SILENCE)
