"""The event stream: what a connection chooses to hear."""

from __future__ import annotations

from collections.abc import Callable

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.expect import Failure, Overdue
from contract_tests.toolkit.fillings import trip
from contract_tests.toolkit.listening import (
    SWITCHED,
    complain,
    hear,
    later,
    mark,
    rest_and_cancel,
    same_story,
)
from contract_tests.toolkit.stream import Frame, Stream

ALWAYS = {"ping", "connection", "backtest_complete"}
"""Types that come whatever was chosen, as errors about the client's own messages do."""


def only(stream: Stream, types: set[str]) -> None:
    """Raise Failure where a frame of another type came."""
    strange = sorted({str(one.type) for one in stream.seen} - types - ALWAYS)
    stream.equal(strange, [], "the types that were not chosen")


def chosen(frames: list[Frame], keep: Callable[[Frame], bool]) -> list[Frame]:
    """The events that a connection has chosen."""
    return [one for one in frames if keep(one)]


@requirement("WS-050")
def types_are_chosen(api: Api) -> None:
    """With types=order every event of an order comes, and beside it only what always does."""
    with api.listen() as whole, api.listen({"types": "order"}) as orders:
        mark(api, whole, orders)
        for _ in range(2):
            rest_and_cancel(api)
        end = mark(api, whole, orders)
        expected = chosen(whole.log, lambda one: one.type == "order")
        same_story(orders, expected, "the orders alone", upto=end)
        only(orders, {"order"})
        complain(orders, {"type": "weather"})


@requirement("WS-050", needs="fills")
def other_types_are_chosen(api: Api) -> None:
    """With types=trade,position,account that comes, and no order."""
    types = {"trade", "position", "account"}
    with api.listen() as whole, api.listen({"types": ",".join(sorted(types))}) as some:
        trip(api)
        order = trip(api)
        mark(api, whole)
        expected = chosen(whole.log, lambda one: one.type in types)
        whole.that(bool(expected), f"events of order {order['id']}", "some", "none")
        end = expected[-1].event_id or 0
        some.until(lambda one: (one.event_id or 0) >= end, "the last event that was chosen")
        same_story(some, expected, "trades, positions and balances", upto=end)
        only(some, types)


@requirement("WS-051")
def symbols_are_chosen(api: Api) -> None:
    """Of orders in two symbols those of one come, and neither orders nor quotes of the other."""
    symbol, other = api.market.instrument.symbol, api.market.second.symbol
    with api.listen() as whole, api.listen({"symbols": symbol}) as some:
        mark(api, whole, some)
        for traded in (other, symbol, other, symbol):
            order = api.rest(symbol=traded)
            api.delete(f"/orders/{order['id']}").ok()
        end = mark(api, whole, some)
        expected = chosen(whole.log, lambda one: one.symbol in {symbol, None})
        same_story(some, expected, f"what is about {symbol}", upto=end)
        strange = {str(one.symbol) for one in some.seen} - {symbol, "None"}
        some.equal(sorted(strange), [], "the symbols that were not chosen")


@requirement("WS-052")
def parameters_are_lists_either_way(api: Api) -> None:
    """Two types and two symbols, comma-separated or repeated, in either order, are both chosen."""
    symbols = [api.market.instrument.symbol, api.market.second.symbol]
    for name, values in (("types", ["order", "trade"]), ("symbols", symbols)):
        for pair in (values, values[::-1]):
            for query in ([(name, ",".join(pair))], [(name, value) for value in pair]):
                _is_chosen(api, query)


def _is_chosen(api: Api, query: list[tuple[str, str]]) -> None:
    answer = api.handshake(query)
    answer.that(answer.status == SWITCHED, "the handshake is accepted", answer.status)
    with api.listen(query) as stream:
        try:
            mark(api, stream)
        except Overdue as overdue:
            raise Failure(
                f"an order is told to {query}",
                expected=overdue.expected,
                actual=overdue.actual,
                exchange=stream.exchange,
            ) from None


@requirement("WS-053")
def resuming_with_a_choice(api: Api) -> None:
    """With after, types and symbols every later event that was chosen comes once, in order."""
    symbol, other = api.market.instrument.symbol, api.market.second.symbol
    keeps: dict[str, Callable[[Frame], bool]] = {
        "types": lambda one: one.type == "order",
        "symbols": lambda one: one.symbol in {symbol, None},
    }
    with api.listen() as whole:
        begin = mark(api, whole)
        for traded in (other, symbol, other):
            hear(whole, api.rest(symbol=traded)["id"], "ORDER_CREATED")
        for name, value in (("types", "order"), ("symbols", symbol)):
            with api.listen({"after": begin, name: value}) as some:
                end = mark(api, whole, some)
                expected = chosen(later(whole, begin), keeps[name])
                same_story(some, expected, f"a resumed connection with {name}", upto=end)


@requirement("WS-053", needs="fills")
def resuming_with_other_types(api: Api) -> None:
    """With after and types=trade the later trades come once, and nothing else of the log."""
    with api.listen() as whole:
        begin = mark(api, whole)
        trip(api)
        mark(api, whole)
        expected = chosen(later(whole, begin), lambda one: one.type == "trade")
        whole.that(len(expected) > 1, "the trades told", "two or more", len(expected))
        end = expected[-1].event_id or 0
        with api.listen({"after": begin, "types": "trade"}) as some:
            some.until(lambda one: (one.event_id or 0) >= end, "the last trade")
            same_story(some, expected, "the trades alone", upto=end)
