"""One client_order_id, one order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.chance import new_id
from contract_tests.toolkit.client import Answer
from contract_tests.toolkit.expect import dec, equal, one_of, plain, that
from contract_tests.toolkit.refusals import unaffordable

AT_ONCE = 8
"""Requests sent at the same time."""


def orders_with(api: Api, client_order_id: str) -> list[Body]:
    """All orders of a client_order_id, in whatever state."""
    return api.orders(client_order_id=client_order_id) + api.history(
        client_order_id=client_order_id
    )


@requirement("IDM-001")
def repeated_request_makes_no_second_order(api: Api) -> None:
    """Repeated while the order is open and when it is cancelled: one order, and no other id."""
    body = api.limit(client_order_id=new_id())
    first = api.accept(body)
    _same_or_refused(api.submit(body), first)
    api.delete(f"/orders/{first['id']}").ok()
    _same_or_refused(api.submit(body), first)
    found = [one["id"] for one in orders_with(api, body["client_order_id"])]
    equal(found, [first["id"]], "the orders of that client id")
    other = api.accept(body | {"client_order_id": new_id()})
    that(other["id"] != first["id"], "another client id", expected="a new order", actual=other)


def _same_or_refused(answer: Answer, first: Body) -> None:
    """A repeated request may be answered with its first order, or refused, but not obeyed."""
    if answer.status in {200, 201}:
        found = answer.exchange.ids()
        equal(found, [first["id"]], "the id of the repeated request", answer.exchange)
    else:
        refused = answer.status in {400, 409, 422}
        answer.that(refused, "a repeat is the first order or refused", answer.status)


@requirement("IDM-007")
def repeated_request_is_the_same_order(api: Api) -> None:
    """The repeat answers 201, the same id and the present status, also of a cancelled order."""
    body = api.limit(client_order_id=new_id())
    first = api.accept(body)
    again = api.accept(body)
    shown = (again["id"], again.get("client_order_id"))
    equal(shown, (first["id"], body["client_order_id"]), "the handle of the repeated request")
    one_of(again["status"], {first["status"], "OPEN"}, "its status")
    api.delete(f"/orders/{first['id']}").ok()
    repeated = api.accept(body)
    equal(repeated["id"], first["id"], "the id after the order was cancelled")
    equal(repeated["status"], api.order(first["id"])["status"], "the present status")
    other = api.accept(body | {"client_order_id": new_id()})
    that(other["id"] != first["id"], "another client id", expected="a new order", actual=other)


@requirement("IDM-001", needs="fills")
def repeated_market_order_fills_once(api: Api) -> None:
    """A MARKET order that is repeated after its fill trades once."""
    body = api.at_market(client_order_id=new_id())
    order = api.settled(api.accept(body)["id"])
    _same_or_refused(api.submit(body), order)
    traded = sum((dec(one["quantity"]) for one in api.trades(order["id"])), dec("0"))
    equal(traded, dec(body["quantity"]), "what was traded")
    found = [one["id"] for one in orders_with(api, body["client_order_id"])]
    equal(found, [order["id"]], "the orders of that client id")


@requirement("IDM-007", needs="fills")
def repeated_market_order_answers_filled(api: Api) -> None:
    """A MARKET order that is repeated after its fill answers 201 and what became of it."""
    body = api.at_market(client_order_id=new_id())
    order = api.settled(api.accept(body)["id"])
    repeated = api.accept(body)
    equal((repeated["id"], repeated["status"]), (order["id"], order["status"]), "the repeat")


@requirement("IDM-002")
def replay_says_so(api: Api) -> None:
    """Only the repeated answer carries Idempotent-Replayed: true."""
    body = api.limit(client_order_id=new_id())
    first = api.submit(body)
    first.ok(201)
    absent = "idempotent-replayed" not in first.headers
    first.that(absent, "a first answer has no Idempotent-Replayed", dict(first.headers))
    again = api.submit(body)
    again.ok(201)
    equal(again.headers.get("idempotent-replayed"), "true", "Idempotent-Replayed", again.exchange)


@requirement("IDM-003")
def another_request_with_the_id_is_409(api: Api) -> None:
    """A request that differs in any field is refused and creates nothing."""
    body = api.limit(client_order_id=new_id())
    first = api.accept(body)
    more = plain(dec(body["quantity"]) * 2)
    lower = plain(dec(body["limit_price"]) / 2)
    for change in ({"quantity": more}, {"side": "SELL"}, {"time_in_force": "DAY"}):
        details = api.submit(body | change).refused(409, "DUPLICATE_CLIENT_ORDER_ID")
        equal(details.get("client_order_id"), body["client_order_id"], "details.client_order_id")
    lowered = body | {"limit_price": plain(dec(lower).quantize(dec(body["limit_price"])))}
    api.submit(lowered).refused(409, "DUPLICATE_CLIENT_ORDER_ID")
    equal(len(orders_with(api, body["client_order_id"])), 1, "the orders of that client id")
    equal(api.accept(body)["id"], first["id"], "the first request, repeated")


@requirement("IDM-004")
def simultaneous_requests_make_one_order(api: Api) -> None:
    """Several at once all answer one id, and one order exists; other ids make other orders."""
    body = api.limit(client_order_id=new_id())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(api.submit, [body] * AT_ONCE))
    ids = {answer.ok(201)["id"] for answer in answers}
    equal(len(ids), 1, "the number of ids answered")
    equal([one["id"] for one in orders_with(api, body["client_order_id"])], list(ids), "the list")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        others = [api.limit(client_order_id=new_id()) for _ in range(AT_ONCE)]
        made = {answer.ok(201)["id"] for answer in pool.map(api.submit, others)}
    equal(len(made), AT_ONCE, "the orders of as many client ids")


@requirement("IDM-005")
def rejection_leaves_the_id_free(api: Api) -> None:
    """After a rejection the same id makes an order, and only then is it taken."""
    client_order_id = new_id()
    refused = unaffordable(api) | {"client_order_id": client_order_id}
    for answer in (
        api.submit(refused),
        api.submit(api.limit(client_order_id=client_order_id, side="HOLD")),
    ):
        answer.that(answer.status >= 400, "a refusal", answer.status)
    body = api.limit(client_order_id=client_order_id)
    answer = api.submit(body)
    answer.ok(201)
    that(
        "idempotent-replayed" not in answer.headers,
        "the order is new",
        expected="no Idempotent-Replayed",
        actual=dict(answer.headers),
        exchange=answer.exchange,
    )
    equal(api.accept(body)["id"], answer.body["id"], "the id once it is taken")


@requirement("IDM-006")
def client_id_has_at_most_64_characters(api: Api) -> None:
    """65 characters are refused by name, 64 are accepted and kept."""
    longest = new_id(length=64)
    answer = api.submit(api.limit(client_order_id=longest + "x"))
    answer.refused(400, "INVALID_VALUE", field="client_order_id")
    order = api.place(api.limit(client_order_id=longest))
    equal(order["client_order_id"], longest, "client_order_id of 64 characters")
