"""PATCH /orders/{order_id}."""

from __future__ import annotations

from contract_tests.api import Api, Body, without
from contract_tests.expect import NotExercised, dec, equal, plain, that
from contract_tests.fillings import ATTEMPTS, partially_filled
from contract_tests.requirements import requirement
from contract_tests.requirements.rejections import OFF_EVERY_STEP
from contract_tests.samples import UNKNOWN_ORDER

CHANGING = ("updated_at", "remaining_quantity")


def patch(api: Api, order: Body, change: Body) -> Body:
    """PATCH an order that can be changed; the order as answered."""
    changed: Body = api.patch(f"/orders/{order['id']}", change).ok()
    return changed


def unchanged(api: Api, order: Body, why: str) -> None:
    """Raise Failure unless the order reads as before."""
    now = api.order(order["id"])
    equal(without(now, "updated_at"), without(order, "updated_at"), f"the order after {why}")


@requirement("MOD-001")
def patch_changes_what_is_given(api: Api) -> None:
    """Each field that a type has is changed alone, and everything else stays."""
    for body in api.bodies().values():
        order = api.place(body)
        for field in ("quantity", "limit_price", "stop_price"):
            if field in body:
                value = plain(dec(order[field]) * 2)
                changed = patch(api, order, {field: value})
                equal(dec(changed[field]), dec(value), f"{field} after the change")
                rest = (field, *CHANGING)
                equal(without(changed, *rest), without(order, *rest), "every other field")
                equal(api.order(order["id"]), changed, "the order as it reads then")
                order = changed


@requirement("MOD-001")
def patch_changes_several_fields_at_once(api: Api) -> None:
    """Quantity and price change together, and null leaves a field alone."""
    order = api.rest()
    quantity = plain(dec(order["quantity"]) * 3)
    price = plain(api.quote().below("0.4"))
    changed = patch(api, order, {"quantity": quantity, "limit_price": price, "stop_price": None})
    found = (dec(changed["quantity"]), dec(changed["limit_price"]), changed.get("stop_price"))
    equal(found, (dec(quantity), dec(price), None), "quantity, limit_price, stop_price")


@requirement("MOD-002")
def empty_patch_changes_nothing(api: Api) -> None:
    """No field, or only nulls, answers 200 and the order as it was."""
    order = api.rest()
    nulls = dict.fromkeys(
        ("quantity", "limit_price", "stop_price", "stop_loss", "take_profit", "trailing_distance")
    )
    for change in ({}, nulls):
        answered = without(patch(api, order, change), "updated_at")
        equal(answered, without(order, "updated_at"), f"the answer to {change}")
        unchanged(api, order, f"PATCH {change}")


@requirement("MOD-003")
def terminal_order_is_not_modifiable(api: Api) -> None:
    """A cancelled order answers 409 to any change; before, the same change was accepted."""
    order = api.rest()
    change = {"quantity": plain(dec(order["quantity"]) * 2)}
    patch(api, order, change)
    api.delete(f"/orders/{order['id']}").ok()
    details = api.patch(f"/orders/{order['id']}", change).refused(409, "ORDER_NOT_MODIFIABLE")
    equal(details.get("id"), order["id"], "details.id")


@requirement("MOD-003", needs="fills")
def filled_order_is_not_modifiable(api: Api) -> None:
    """A filled order answers 409."""
    order = api.fill()
    change = {"quantity": plain(dec(order["quantity"]) * 2)}
    api.patch(f"/orders/{order['id']}", change).refused(409, "ORDER_NOT_MODIFIABLE")


@requirement("MOD-004", needs="fills")
def quantity_below_filled_is_refused(api: Api) -> None:
    """Less than what has filled is refused by name; more is accepted."""
    order = partially_filled(api)
    path = f"/orders/{order['id']}"
    less = plain(dec(order["filled_quantity"]) / 2)
    api.patch(path, {"quantity": less}).refused(400, "INVALID_VALUE", field="quantity")
    more = plain(dec(order["quantity"]) + dec(order["filled_quantity"]))
    equal(dec(patch(api, order, {"quantity": more})["quantity"]), dec(more), "the new quantity")


@requirement("MOD-005", needs="fills")
def quantity_equal_to_filled_completes(api: Api) -> None:
    """What has filled, given as the quantity, makes the order FILLED."""
    order = partially_filled(api)
    for _ in range(ATTEMPTS):
        filled = api.order(order["id"])["filled_quantity"]
        answer = api.patch(f"/orders/{order['id']}", {"quantity": filled})
        if answer.status == 200:
            break
        # It filled further in between; the new figure is tried.
        answer.refused(400, field="quantity")
    else:
        raise NotExercised("the order kept filling")
    done = answer.ok()
    equal((done["status"], done["quantity"]), ("FILLED", filled), "the order")
    equal(api.order(order["id"])["status"], "FILLED", "the status as it reads then")


@requirement("MOD-006")
def field_without_use_is_refused(api: Api) -> None:
    """stop_price of a LIMIT and limit_price of a STOP order are refused by name."""
    useless = {"LIMIT": "stop_price", "STOP": "limit_price", "TRAILING_STOP": "stop_price"}
    for kind, body in api.bodies().items():
        if kind in useless:
            order, field = api.place(body), useless[kind]
            answer = api.patch(f"/orders/{order['id']}", {field: "1"})
            answer.refused(400, "INVALID_VALUE", field=field)
            unchanged(api, order, f"a refused {field}")
            patch(api, order, {"quantity": plain(dec(order["quantity"]) * 2)})


@requirement("MOD-007", needs="fills")
def marketable_price_trades_at_once(api: Api) -> None:
    """A resting LIMIT BUY moved above the ask trades, at no worse than its new limit."""
    order = api.rest()
    price = plain(api.quote().above("1.02"))
    changed = patch(api, order, {"limit_price": price})
    equal(changed["status"], "FILLED", "the status answered")
    for trade in api.trades(order["id"]):
        paid = dec(trade["price"])
        that(paid <= dec(price), "the price", expected=f"at most {price}", actual=paid)


@requirement("MOD-008")
def refused_change_leaves_the_order(api: Api) -> None:
    """A change refused for one of its fields applies none of them."""
    order = api.rest()
    path = f"/orders/{order['id']}"
    good = {"quantity": plain(dec(order["quantity"]) * 2)}
    off_tick = plain(dec(order["limit_price"]) + OFF_EVERY_STEP)
    for bad in ({"limit_price": "0"}, {"limit_price": off_tick}, {"stop_price": "1"}):
        answer = api.patch(path, good | bad)
        answer.that(answer.status in {400, 422}, f"the refusal of {bad}", answer.status)
        answer.error()
        unchanged(api, order, f"a refused {bad}")
    equal(dec(patch(api, order, good)["quantity"]), dec(good["quantity"]), "without the bad field")


@requirement("MOD-009")
def unknown_order_cannot_be_patched(api: Api) -> None:
    """An unknown id is 404 and named; a known one is 200."""
    details = api.patch(f"/orders/{UNKNOWN_ORDER}", {}).refused(404, "ORDER_NOT_FOUND")
    equal(details.get("id"), UNKNOWN_ORDER, "details.id")
    patch(api, api.rest(), {})
