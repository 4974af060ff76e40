"""Who may ask, and for whom."""

from __future__ import annotations

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.expect import equal, that
from contract_tests.toolkit.keys import WRONG, api_key, bearer
from contract_tests.toolkit.sameness import same
from contract_tests.toolkit.samples import Sample, samples, send


@requirement("AUT-001", needs="key")
def without_a_valid_key_is_401(api: Api) -> None:
    """Every operation refuses no key and a wrong key, and lets the right one through."""
    keyed = api.lab.keyed()
    for sample in samples():
        if not _is_there(keyed.api, sample):
            continue
        for headers in ({}, bearer(WRONG), api_key(WRONG), {"Authorization": "Basic eDp5"}):
            answer = send(keyed.anonymous, sample, headers=headers)
            answer.refused(401, "UNAUTHORIZED")
            challenge = answer.headers.get("www-authenticate")
            answer.that(bool(challenge), "WWW-Authenticate is answered", challenge)
        allowed = send(keyed.api, sample)
        allowed.that(allowed.status != 401, "the same request with a key", allowed.status)


def _is_there(api: Api, sample: Sample) -> bool:
    """Whether the target has the operation: the founding document's, or one that it knows."""
    if sample.operation.core:
        return True
    answer = send(api, sample)
    if answer.status not in {404, 405}:
        return True
    return answer.status == 404 and answer.error()["code"].endswith("_NOT_FOUND")


@requirement("AUT-002", needs="key")
def bearer_and_header_and_their_order(api: Api) -> None:
    """Both ways work; where both are sent, the Bearer key decides."""
    keyed = api.lab.keyed()
    anonymous = keyed.anonymous
    anonymous.get("/account", headers=bearer(keyed.key)).ok()
    anonymous.get("/account", headers=api_key(keyed.key)).ok()
    anonymous.get("/account", headers=bearer(keyed.key) | api_key(WRONG)).ok()
    answer = anonymous.get("/account", headers=bearer(WRONG) | api_key(keyed.key))
    answer.refused(401, "UNAUTHORIZED")


@requirement("AUT-003", needs="key")
def probes_need_no_key(api: Api) -> None:
    """Probes answer without a key and with a wrong one, where /account does not."""
    anonymous = api.lab.keyed().anonymous
    anonymous.get("/account").refused(401)
    for sample in samples(public=True):
        for headers in ({}, bearer(WRONG)):
            send(anonymous, sample, headers=headers).ok()


@requirement("AUT-004", needs="accounts")
def orders_of_others_do_not_exist(api: Api) -> None:
    """Another account neither sees nor changes an order, alone or with all its own."""
    mine, other = api.lab.accounts()
    order = mine.rest()
    path = f"/orders/{order['id']}"
    other.get(path).refused(404, "ORDER_NOT_FOUND")
    other.patch(path, {"quantity": "1"}).refused(404, "ORDER_NOT_FOUND")
    other.delete(path).refused(404, "ORDER_NOT_FOUND")
    if not other.orders(limit=1):
        equal(other.delete("/orders").ok()["cancelled_count"], 0, "what another account cancels")
    for listed in (other.orders(limit=1000), other.history(limit=1000)):
        ids = {one["id"] for one in listed}
        that(order["id"] not in ids, "the other's list", expected="without it", actual=ids)
    same(mine.order(order["id"]), order, "the order after all that")
    mine.clean_up()


@requirement("AUT-004", needs="accounts")
def client_ids_are_per_account(api: Api) -> None:
    """One client_order_id names one order of each account."""
    mine, other = api.lab.accounts()
    body = mine.limit(client_order_id="conformance-shared")
    first, second = mine.accept(body), other.accept(body)
    that(first["id"] != second["id"], "two orders", expected="two ids", actual=first["id"])
    mine.clean_up()
    other.clean_up()


@requirement("AUT-004", needs={"accounts", "fills"})
def money_of_others_is_untouched(api: Api) -> None:
    """A fill shows in the trades, positions and balance of its own account only."""
    mine, other = api.lab.accounts()
    before = other.account()
    symbol = mine.flat().symbol
    order = mine.fill(symbol=symbol)
    position = mine.position(symbol)
    other.get(f"/positions/{position['id']}").refused(404, "POSITION_NOT_FOUND")
    other.delete(f"/positions/{position['id']}").refused(404, "POSITION_NOT_FOUND")
    if not other.get("/positions").ok():
        equal(other.delete("/positions").ok(), [], "what another account closes")
    equal(other.trades(order["id"]), [], "another account's trades of the order")
    equal(other.account(), before, "another account's figures")
    equal(mine.position(symbol)["quantity"], position["quantity"], "the position after all that")
    mine.clean_up()
