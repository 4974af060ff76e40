"""The event stream: what is told of an account, and to whom."""

from __future__ import annotations

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.chance import new_id
from contract_tests.toolkit.client import Answer
from contract_tests.toolkit.frames import (
    event_ids_grow,
    frames_are_not_too_long,
    frames_follow_their_schemas,
)
from contract_tests.toolkit.listening import (
    agrees,
    events,
    half,
    hear,
    hear_as,
    mark,
    nothing_of,
    once_and_last,
    rest_and_cancel,
    same_story,
)
from contract_tests.toolkit.refusals import unaffordable
from contract_tests.toolkit.stream import Stream

SOON = 1.0


def lifecycle(api: Api, stream: Stream) -> str:
    """The id of an order that was placed and cancelled, and told."""
    order_id = rest_and_cancel(api)
    hear(stream, order_id, "ORDER_CANCELLED")
    return order_id


# -- frames ---


@requirement("WS-020")
def frames_of_an_order_are_as_documented(api: Api) -> None:
    """Every frame while an order lives follows its schema."""
    with api.listen() as stream:
        lifecycle(api, stream)
        frames_follow_their_schemas(stream.exchange)


@requirement("WS-021")
def frames_are_short(api: Api) -> None:
    """No frame while an order lives is above 256 KiB."""
    with api.listen() as stream:
        lifecycle(api, stream)
        frames_are_not_too_long(stream.exchange)


@requirement("WS-022")
def ids_of_events_grow(api: Api) -> None:
    """The ids of several orders' events grow strictly."""
    with api.listen() as stream:
        for _ in range(2):
            lifecycle(api, stream)
        event_ids_grow(stream.exchange)


# -- orders ---


@requirement("WS-030")
def order_begins_with_created(api: Api) -> None:
    """ORDER_CREATED is the first that is told of an order, and is told once."""
    with api.listen() as stream:
        order_id = lifecycle(api, stream)
        told = events(stream, order_id)
        stream.equal(told[:1], ["ORDER_CREATED"], "the first event")
        stream.equal(told.count("ORDER_CREATED"), 1, "how often ORDER_CREATED is told")


@requirement("WS-031")
def change_is_told(api: Api) -> None:
    """ORDER_MODIFIED tells the order as it is then."""
    with api.listen() as stream:
        order = api.rest()
        for quantity in (half(order), order["quantity"]):
            changed = api.patch(f"/orders/{order['id']}", {"quantity": quantity}).ok()
            now = api.order(changed["id"])
            agrees(stream, hear_as(stream, now, "ORDER_MODIFIED"), now)


@requirement("WS-032")
def end_is_told_once(api: Api) -> None:
    """A cancel and an IOC order that finds nothing end once, and nothing follows."""
    with api.listen() as stream:
        ioc = api.ended(api.place(api.limit(time_in_force="IOC"))["id"])
        for order_id in (rest_and_cancel(api), ioc["id"]):
            mark(api, stream)
            once_and_last(stream, order_id, "ORDER_CANCELLED")


@requirement("WS-046")
def rejection_is_told(api: Api) -> None:
    """ORDER_REJECTED tells the reason that the answer gave."""
    with api.listen() as stream:
        mine = new_id()
        details = api.submit(unaffordable(api) | {"client_order_id": mine}).refused(422)
        frame = stream.until(
            lambda one: one.event == "ORDER_REJECTED" and one.thing["client_order_id"] == mine,
            "ORDER_REJECTED is told",
        )[-1]
        stream.equal(frame.thing["status"], "REJECTED", "the status")
        stream.equal(frame.thing["reject_reason"], details["reject_reason"], "reject_reason")


@requirement("WS-047")
def events_come_soon(api: Api) -> None:
    """An order, a change and a cancel are told within a second of their answers."""
    with api.listen() as stream:
        stream.take("the first frame")
        handle = api.submit(api.limit())
        order_id = handle.ok(201)["id"]
        _soon(stream, handle, order_id, "ORDER_CREATED")
        quantity = half(api.order(order_id))
        changed = api.patch(f"/orders/{order_id}", {"quantity": quantity})
        _soon(stream, changed, order_id, "ORDER_MODIFIED")
        gone = api.delete(f"/orders/{order_id}")
        _soon(stream, gone, order_id, "ORDER_CANCELLED")


def _soon(stream: Stream, answer: Answer, order_id: str, event: str) -> None:
    left = answer.exchange.at + SOON - stream.clock.monotonic()
    hear(stream, order_id, event, within=max(left, 0))


# -- who hears it ---


@requirement("WS-037", needs="accounts")
def orders_of_others_are_not_told(api: Api) -> None:
    """Another account hears its own orders alone, now and when it resumes."""
    mine, other = api.lab.accounts()
    with mine.listen() as stream, other.listen() as theirs:
        before = mark(other, theirs)
        order_id = lifecycle(mine, stream)
        mark(other, theirs)
        nothing_of(theirs, order_id)
    with other.listen({"after": before}) as theirs:
        mark(other, theirs)
        nothing_of(theirs, order_id)
    mine.clean_up()
    other.clean_up()


@requirement("WS-038")
def all_connections_hear_the_same(api: Api) -> None:
    """Three connections tell the same events, each of them whole."""
    with api.listen() as first, api.listen() as second, api.listen() as third:
        mark(api, first, second, third)
        for _ in range(3):
            rest_and_cancel(api)
        end = mark(api, first, second, third)
        for one in (second, third):
            same_story(one, first.log, "another connection", upto=end)


# -- one story ---


@requirement("WS-039")
def orders_are_told_as_rest_has_them(api: Api) -> None:
    """Placed, changed, cancelled and rejected: the newest event is what GET answers."""
    with api.listen() as stream:
        order = api.rest()
        path = f"/orders/{order['id']}"
        agrees(stream, hear_as(stream, order, "ORDER_CREATED", "ORDER_MODIFIED"), order)
        api.patch(path, {"quantity": half(order)}).ok()
        changed = api.order(order["id"])
        agrees(stream, hear_as(stream, changed, "ORDER_MODIFIED"), changed)
        api.delete(path).ok()
        agrees(stream, hear(stream, order["id"], "ORDER_CANCELLED"), api.order(order["id"]))
