"""Submitting orders that rest, and reading them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contract_tests.requirements import requirement
from contract_tests.spec import decimal_fields
from contract_tests.toolkit.api import MOST, Api, Body, without
from contract_tests.toolkit.chance import new_id
from contract_tests.toolkit.client import Answer
from contract_tests.toolkit.expect import NotDeclared, dec, equal, one_of, plain, that
from contract_tests.toolkit.sameness import same
from contract_tests.toolkit.samples import UNKNOWN_ORDER


@requirement("ORD-001")
def accepted_order_reads_as_submitted(api: Api) -> None:
    """Orders of every type and lifetime read back with each field as it was sent."""
    for body in _submissions(api):
        sent = body | {"client_order_id": new_id()}
        handle = api.accept(sent)
        one_of(handle["status"], {"PENDING", "OPEN"}, "the status of an order that rests")
        equal(handle.get("client_order_id"), sent["client_order_id"], "the handle's client id")
        _same_fields(api.order(handle["id"]), sent)


def _submissions(api: Api) -> list[Body]:
    lifetimes = [api.limit(time_in_force=lifetime) for lifetime in ("GTC", "DAY")]
    second = [api.limit(symbol=one.symbol) for one in api.market.instruments[1:3]]
    return [*api.bodies().values(), *lifetimes, *second]


def _same_fields(order: Body, sent: Body) -> None:
    for name, value in sent.items():
        found = order.get(name)
        if name in decimal_fields():
            equal(dec(found, name), dec(value), f"{name} as submitted")
        else:
            equal(found, value, f"{name} as submitted")


NEEDED = ("symbol", "side", "quantity", "order_type")


@requirement("ORD-002")
def missing_field_is_refused(api: Api) -> None:
    """Without any of the needed fields the order is refused; with all it is accepted."""
    body = api.limit()
    for field in NEEDED:
        api.submit(without(body, field)).refused(400)
    api.accept(body)


@requirement("ORD-028")
def missing_field_is_named(api: Api) -> None:
    """The refusal names the field that is missing; with all the order is accepted."""
    body = api.limit()
    for field in NEEDED:
        api.submit(without(body, field)).refused(400, field=field)
    api.accept(body)


@requirement("ORD-003")
def time_in_force_defaults_to_gtc(api: Api) -> None:
    """Absent means GTC; given, it is kept."""
    equal(api.rest()["time_in_force"], "GTC", "time_in_force when absent")
    equal(api.rest(time_in_force="DAY")["time_in_force"], "DAY", "time_in_force when given")


def _lacking(api: Api, makers: dict[str, Callable[[], Body]], field: str) -> list[Answer]:
    """The answers to orders that lack a field they need; with it each is accepted."""
    declared = api.market.capabilities["supported_order_types"]
    wanted = {kind: make for kind, make in makers.items() if kind in declared}
    if not wanted:
        raise NotDeclared(f"none of {', '.join(makers)}")
    answers = []
    for make in wanted.values():
        body = make()
        api.accept(body)
        answers += [api.submit(without(body, field)), api.submit(body | {field: None})]
    return answers


@requirement("ORD-004")
def limit_needs_limit_price(api: Api) -> None:
    """LIMIT and STOP_LIMIT without limit_price are refused; with it they are accepted."""
    for answer in _lacking(api, {"LIMIT": api.limit, "STOP_LIMIT": api.stop_limit}, "limit_price"):
        answer.refused(400)


@requirement("ORD-005")
def stop_needs_stop_price(api: Api) -> None:
    """STOP and STOP_LIMIT without stop_price are refused; with it they are accepted."""
    for answer in _lacking(api, {"STOP": api.stop, "STOP_LIMIT": api.stop_limit}, "stop_price"):
        answer.refused(400)


@requirement("ORD-029")
def missing_limit_price_is_named(api: Api) -> None:
    """The refusal says which price is missing; with it the order is accepted."""
    for answer in _lacking(api, {"LIMIT": api.limit, "STOP_LIMIT": api.stop_limit}, "limit_price"):
        answer.refused(400, "INVALID_VALUE", field="limit_price")


@requirement("ORD-030")
def missing_stop_price_is_named(api: Api) -> None:
    """The refusal says which price is missing; with it the order is accepted."""
    for answer in _lacking(api, {"STOP": api.stop, "STOP_LIMIT": api.stop_limit}, "stop_price"):
        answer.refused(400, "INVALID_VALUE", field="stop_price")


@requirement("ORD-006")
def price_without_use_is_refused(api: Api) -> None:
    """A price field that the type has no use for is refused by its name."""
    useless: dict[str, dict[str, Any]] = {
        "LIMIT": {"stop_price": "1", "trailing_distance": "1", "trailing_type": "ABSOLUTE"},
        "STOP": {"limit_price": "1", "trailing_distance": "1", "trailing_type": "PERCENT"},
        "STOP_LIMIT": {"trailing_distance": "1", "trailing_type": "ABSOLUTE"},
        "TRAILING_STOP": {"limit_price": "1", "stop_price": "1"},
    }
    for kind, body in api.bodies().items():
        for field, value in useless[kind].items():
            api.submit(body | {field: value}).refused(400, "INVALID_VALUE", field=field)
        api.accept(body)
    market = api.at_market()
    for field in ("limit_price", "stop_price", "trailing_distance"):
        api.submit(market | {field: "1"}).refused(400, "INVALID_VALUE", field=field)


@requirement("ORD-007")
def zero_and_negative_are_refused(api: Api) -> None:
    """Zero in every spelling and negative numbers are refused by name, for every type."""
    for body in api.bodies().values():
        for field in ("quantity", "limit_price", "stop_price", "trailing_distance"):
            if field in body:
                for value in ("0", "0.00", "-1"):
                    api.submit(body | {field: value}).refused(400, "INVALID_VALUE", field=field)
        api.accept(body)


@requirement("ORD-008")
def ioc_and_fok_are_for_market_and_limit(api: Api) -> None:
    """On stop orders IOC and FOK are refused by name; GTC is accepted."""
    kinds = ("STOP", "STOP_LIMIT", "TRAILING_STOP")
    bodies = [body for kind, body in api.bodies().items() if kind in kinds]
    if not bodies:
        raise NotDeclared("no stop order type")
    for body in bodies:
        for lifetime in ("IOC", "FOK"):
            answer = api.submit(body | {"time_in_force": lifetime})
            answer.refused(400, "INVALID_VALUE", field="time_in_force")
        api.accept(body | {"time_in_force": "GTC"})
    for lifetime in ("IOC", "FOK"):
        api.accept(api.limit(time_in_force=lifetime))


@requirement("ORD-013")
def quantities_add_up(api: Api) -> None:
    """An order that rests, is changed and is cancelled has filled + remaining = quantity."""
    order = api.rest()
    more = str(dec(order["quantity"]) * 3)
    changed = api.patch(f"/orders/{order['id']}", {"quantity": more}).ok()
    equal(dec(changed["quantity"]), dec(more), "the quantity after the change")
    cancelled = api.delete(f"/orders/{order['id']}").ok()["order"]
    for seen in (order, changed, cancelled, api.order(order["id"])):
        parts = dec(seen["filled_quantity"]) + dec(seen["remaining_quantity"])
        equal(parts, dec(seen["quantity"]), f"the parts of a {seen['status']} order")


@requirement("ORD-014")
def terminal_order_never_changes(api: Api) -> None:
    """Neither PATCH nor DELETE changes a cancelled order."""
    order = api.cancelled()
    path = f"/orders/{order['id']}"
    api.patch(path, {"quantity": order["quantity"]}).refused(409)
    api.delete(path)
    same(api.order(order["id"]), order, "the order after all that")


@requirement("ORD-014", needs="fills")
def filled_order_never_changes(api: Api) -> None:
    """Neither PATCH nor DELETE nor another fill changes a filled order."""
    order = api.fill()
    api.patch(f"/orders/{order['id']}", {"quantity": order["quantity"]}).refused(409)
    api.delete(f"/orders/{order['id']}")
    api.fill()
    same(api.order(order["id"]), order, "the order after all that")


@requirement("ORD-026")
def undeclared_feature_is_501(api: Api) -> None:
    """Every field of a feature that is not declared is refused with the feature's name."""
    undeclared = {
        feature: change
        for feature, change in FEATURE_FIELDS.items()
        if not api.market.declares(feature)
    }
    if not undeclared:
        raise NotDeclared("every feature is declared, none is left to refuse")
    body = api.limit()
    for feature, change in undeclared.items():
        details = api.submit(body | change).refused(501, "UNSUPPORTED_OPERATION")
        equal(details.get("feature"), feature, f"details.feature of {change}")
    api.accept(body | {"post_only": False, "reduce_only": False, "hidden": False})


FEATURE_FIELDS: dict[str, Body] = {
    "post_only": {"post_only": True},
    "reduce_only": {"reduce_only": True},
    "hidden_orders": {"hidden": True},
    "oco": {"oco_group_id": "conformance-group"},
    "leverage": {"leverage": "2"},
    "isolated_margin": {"margin_mode": "ISOLATED"},
    "bracket_orders": {"take_profit": "999999999"},
    "iceberg_orders": {"display_quantity": "1", "quantity": "2"},
}
"""For each feature a field that asks for it and can be added to a resting LIMIT BUY.

Not for hedging: position_id names a position in every account.
"""


@requirement("ORD-027", needs="restart")
def orders_survive_a_kill(api: Api) -> None:
    """Open and cancelled orders read the same after the server was killed and started again."""
    place = api.lab.restartable()
    mine = place.api
    open_order, cancelled = mine.rest(client_order_id="conformance-survivor"), mine.cancelled()
    place.restart()
    same(mine.order(open_order["id"]), open_order, "the open order after a kill")
    same(mine.order(cancelled["id"]), cancelled, "the cancelled order after a kill")
    listed = {one["id"] for one in mine.orders(client_order_id="conformance-survivor")}
    equal(listed, {open_order["id"]}, "the list by its client_order_id")
    mine.clean_up()


@requirement("GET-001")
def unknown_order_is_404(api: Api) -> None:
    """An unknown id is 404 and named; a known one is 200."""
    details = api.get(f"/orders/{UNKNOWN_ORDER}").refused(404, "ORDER_NOT_FOUND")
    named = {name: details.get(name) for name in ("resource", "id")}
    equal(named, {"resource": "order", "id": UNKNOWN_ORDER}, "details")
    api.order(api.rest()["id"])


@requirement("GET-002")
def order_reads_the_same_everywhere(api: Api) -> None:
    """Open, changed and cancelled orders read the same alone and in the lists."""
    order = api.rest()
    double = dec(order["quantity"]) * 2
    api.patch(f"/orders/{order['id']}", {"quantity": plain(double)}).ok()
    listed = _find(api.orders(limit=MOST), order)
    same(listed, api.order(order["id"]), "the open order")
    equal(dec(listed["quantity"]), double, "its quantity after a change")
    api.delete(f"/orders/{order['id']}").ok()
    listed = _find(api.history(limit=MOST), order)
    same(listed, api.order(order["id"]), "the cancelled order")
    equal(listed["status"], "CANCELLED", "its status")


def _find(listed: list[Body], order: Body) -> Body:
    found = [one for one in listed if one["id"] == order["id"]]
    that(len(found) == 1, "the order in the list", expected="once", actual=len(found))
    return found[0]
