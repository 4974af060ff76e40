"""PATCH /orders/{order_id}."""

from __future__ import annotations

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.changing import MOVING, patch, trailing, unchanged
from contract_tests.toolkit.client import Answer
from contract_tests.toolkit.expect import NotExercised, dec, equal, plain, that
from contract_tests.toolkit.fillings import ATTEMPTS, partially_filled
from contract_tests.toolkit.refusals import OFF_EVERY_STEP
from contract_tests.toolkit.sameness import same
from contract_tests.toolkit.samples import UNKNOWN_ORDER

CHANGING = ("updated_at", "remaining_quantity", "trailing_reference")


@requirement("MOD-001")
def patch_changes_what_is_given(api: Api) -> None:
    """Each field that a type has is changed alone, and everything else stays."""
    for body in api.bodies().values():
        order = api.place(body)
        trails = trailing(order)
        for field in ("quantity", "limit_price", "stop_price"):
            if field in body:
                value = plain(dec(order[field]) * 2)
                changed = patch(api, order, {field: value})
                equal(dec(changed[field]), dec(value), f"{field} after the change")
                rest = (field, *CHANGING, *trails)
                same(changed, order, "every other field", but=rest)
                same(api.order(order["id"]), changed, "the order as it reads then", but=trails)
                order = changed


@requirement("MOD-001")
def patch_changes_several_fields_at_once(api: Api) -> None:
    """Quantity and price change together."""
    order = api.rest()
    quantity = plain(dec(order["quantity"]) * 3)
    price = plain(api.quote().below("0.4"))
    changed = patch(api, order, {"quantity": quantity, "limit_price": price})
    found = (dec(changed["quantity"]), dec(changed["limit_price"]))
    equal(found, (dec(quantity), dec(price)), "quantity, limit_price")


FIELDS = ("quantity", "limit_price", "stop_price", "stop_loss", "take_profit", "trailing_distance")


@requirement("MOD-002")
def null_leaves_a_field_alone(api: Api) -> None:
    """With quantity or price given, every other field null, only that one changes."""
    order = api.rest()
    tick = api.quote(order["symbol"]).tick
    wanted = {
        "quantity": dec(order["quantity"]) * 2,
        "limit_price": dec(order["limit_price"]) + tick,
    }
    for field, number in wanted.items():
        value = plain(number)
        changed = patch(api, order, dict.fromkeys(FIELDS) | {field: value})
        equal(dec(changed[field]), dec(value), f"{field} after the change")
        same(changed, order, "the fields that were null", but=(field, *CHANGING))
        unchanged(api, changed, "that")
        order = changed


@requirement("MOD-011")
def empty_patch_changes_nothing(api: Api) -> None:
    """No field, or only nulls, answers 200 and the order as it was."""
    order = api.rest()
    for change in ({}, dict.fromkeys(FIELDS)):
        same(patch(api, order, change), order, f"the answer to {change}", but=MOVING)
        unchanged(api, order, f"PATCH {change}")


def _doubled(order: Body) -> Body:
    return {"quantity": plain(dec(order["quantity"]) * 2)}


def _patch_of_ended(api: Api) -> tuple[Body, Answer]:
    """A cancelled order and the answer to a change that was accepted before."""
    order = api.rest()
    patch(api, order, _doubled(order))
    api.delete(f"/orders/{order['id']}").ok()
    return order, api.patch(f"/orders/{order['id']}", _doubled(order))


@requirement("MOD-003")
def terminal_order_is_not_modifiable(api: Api) -> None:
    """A cancelled order answers 409 to any change; before, the same change was accepted."""
    _patch_of_ended(api)[1].refused(409)


@requirement("MOD-003", needs="fills")
def filled_order_is_not_modifiable(api: Api) -> None:
    """A filled order answers 409."""
    order = api.fill()
    api.patch(f"/orders/{order['id']}", _doubled(order)).refused(409)


@requirement("MOD-012")
def conflict_names_the_order(api: Api) -> None:
    """The 409 of a cancelled order says why and of which; before, the change was accepted."""
    order, answer = _patch_of_ended(api)
    details = answer.refused(409, "ORDER_NOT_MODIFIABLE")
    equal(details.get("id"), order["id"], "details.id")


@requirement("MOD-012", needs="fills")
def conflict_of_a_filled_order_is_told(api: Api) -> None:
    """So does the 409 of a filled order."""
    order = api.fill()
    answer = api.patch(f"/orders/{order['id']}", _doubled(order))
    equal(answer.refused(409, "ORDER_NOT_MODIFIABLE").get("id"), order["id"], "details.id")


def _too_little(api: Api) -> Answer:
    """The answer to half of what has filled as the quantity; a larger quantity is accepted."""
    order = partially_filled(api)
    less = plain(dec(order["filled_quantity"]) / 2)
    answer = api.patch(f"/orders/{order['id']}", {"quantity": less})
    more = plain(dec(order["quantity"]) + dec(order["filled_quantity"]))
    equal(dec(patch(api, order, {"quantity": more})["quantity"]), dec(more), "the new quantity")
    return answer


@requirement("MOD-004", needs="fills")
def quantity_below_filled_is_refused(api: Api) -> None:
    """Less than what has filled is refused; more is accepted."""
    _too_little(api).refused(400)


@requirement("MOD-013", needs="fills")
def quantity_below_filled_is_named(api: Api) -> None:
    """Less than what has filled is refused by name; more is accepted."""
    _too_little(api).refused(400, "INVALID_VALUE", field="quantity")


@requirement("MOD-005", needs="fills")
def quantity_equal_to_filled_completes(api: Api) -> None:
    """What has filled, given as the quantity, makes the order FILLED."""
    order = partially_filled(api)
    for _ in range(ATTEMPTS):
        filled = api.order(order["id"])["filled_quantity"]
        answer = api.patch(f"/orders/{order['id']}", {"quantity": filled})
        if answer.status == 200:
            break
        # It filled further in between: the new figure is tried, or another order.
        if answer.status == 409 and api.order(order["id"])["status"] == "FILLED":
            order = partially_filled(api)
        else:
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
    good = _doubled(order)
    off_tick = plain(dec(order["limit_price"]) + OFF_EVERY_STEP)
    cheap, free = {"limit_price": "cheap"}, {"limit_price": "0"}
    for bad in (cheap, free, {"limit_price": off_tick}, {"stop_price": "1"}):
        # A server may be content with these; where it is not, it must apply nothing.
        if api.patch(path, good | bad).status != 200:
            unchanged(api, order, f"a refused {bad}")
        else:
            order = api.order(order["id"])
    good = _doubled(order)
    equal(dec(patch(api, order, good)["quantity"]), dec(good["quantity"]), "without the bad field")


@requirement("MOD-009")
def unknown_order_cannot_be_patched(api: Api) -> None:
    """An unknown id is 404 and named; a known one is 200."""
    order = api.rest()
    answer = api.patch(f"/orders/{UNKNOWN_ORDER}", _doubled(order))
    details = answer.refused(404, "ORDER_NOT_FOUND")
    equal(details.get("id"), UNKNOWN_ORDER, "details.id")
    patch(api, order, _doubled(order))
