"""One client_order_id, one order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from contract_tests.api import Api, Body
from contract_tests.expect import dec, equal, plain, that
from contract_tests.requirements import requirement
from contract_tests.requirements.rejections import unaffordable

AT_ONCE = 8
"""Requests sent at the same time."""


def new_id() -> str:
    """A client_order_id that no run used before."""
    return f"conf-{uuid4().hex}"


def orders_with(api: Api, client_order_id: str) -> list[Body]:
    """All orders of a client_order_id, in whatever state."""
    return api.orders(client_order_id=client_order_id) + api.history(
        client_order_id=client_order_id
    )


@requirement("IDM-001")
def repeated_request_is_the_same_order(api: Api) -> None:
    """The repeat answers the same id and the present status; the list holds one order."""
    body = api.limit(client_order_id=new_id())
    first = api.accept(body)
    equal(api.accept(body), first, "the handle of the repeated request")
    api.delete(f"/orders/{first['id']}").ok()
    repeated = api.accept(body)
    equal(repeated["id"], first["id"], "the id after the order was cancelled")
    equal(repeated["status"], "CANCELLED", "the present status")
    equal(len(orders_with(api, body["client_order_id"])), 1, "the orders of that client id")
    other = api.accept(body | {"client_order_id": new_id()})
    that(other["id"] != first["id"], "another client id", expected="a new order", actual=other)


@requirement("IDM-001", needs="fills")
def repeated_market_order_fills_once(api: Api) -> None:
    """A MARKET order that is repeated after its fill trades once and answers FILLED."""
    body = api.at_market(client_order_id=new_id())
    order = api.settled(api.accept(body)["id"])
    repeated = api.accept(body)
    equal((repeated["id"], repeated["status"]), (order["id"], order["status"]), "the repeat")
    traded = sum((dec(one["quantity"]) for one in api.trades(order["id"])), dec("0"))
    equal(traded, dec(body["quantity"]), "what was traded")


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
    api.submit(refused).rejected()
    api.submit(api.limit(client_order_id=client_order_id, side="HOLD")).refused(400)
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
    longest = (new_id() * 2)[:64]
    answer = api.submit(api.limit(client_order_id=longest + "x"))
    answer.refused(400, "INVALID_VALUE", field="client_order_id")
    order = api.place(api.limit(client_order_id=longest))
    equal(order["client_order_id"], longest, "client_order_id of 64 characters")
