"""Wrong changes and cancellations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from contract_tests.mutants.kit import (
    Answers,
    Change,
    Marks,
    answer,
    ask,
    cancelled_by_hand,
    each,
    forgiving,
    instead,
    setting,
    unknown_is,
    unknown_is_invalid,
    unknown_is_unnamed,
    when,
)
from contract_tests.mutants.messages import (
    Forward,
    Mutation,
    Request,
    Response,
    answering,
    failing,
)
from contract_tests.mutants.mutant import Table

TABLE: Final = Table()
add = TABLE.add

# -- MOD-001, MOD-002: what a change changes ---


def unread(*fields: str) -> Mutation:
    """Fields of a change are ignored."""
    return ask(lambda request: request.without_fields(*fields), "modify_order")


def changed_too(event: Callable[[Request], bool], change: Change) -> Marks:
    """Orders that were changed read otherwise from then on."""

    def changed(request: Request, response: Response) -> list[str]:
        done = request.names("modify_order") and response.status == 200 and event(request)
        return [response.json["id"]] if done else []

    return Marks(changed, change)


add("MOD-001", "a change changes nothing", lambda: unread("quantity", "limit_price", "stop_price"))
for field in ("quantity", "limit_price", "stop_price", "trailing_distance", "stop_loss"):
    add("MOD-001", f"a change of {field} is ignored", partial(unread, field))


def first_field(request: Request) -> Request:
    """The first of several fields that are changed."""
    given = [name for name, value in request.fields.items() if value is not None]
    return request.without_fields(*given[1:])


add("MOD-001", "of several fields one is changed", lambda: ask(first_field, "modify_order"))
add(
    "MOD-001",
    "a change takes the lifetime away",
    lambda: changed_too(lambda request: "quantity" in request.fields, setting(time_in_force="DAY")),
)
add(
    "MOD-001",
    "a change gives the order a new id",
    lambda: answer("modify_order").body(lambda body: body | {"id": body["id"][::-1]}),
)
add(
    "MOD-001",
    "a changed order is created anew",
    lambda: answer("modify_order").then(
        lambda _, found: found.with_json(found.json | {"created_at": found.json["updated_at"]})
    ),
)
add("MOD-001", "a change answers the order as it was", lambda: before_the_change)


def before_the_change(request: Request, forward: Forward) -> Response:
    """Changes an order and answers how it read before."""
    if not request.names("modify_order"):
        return forward(request)
    before = forward(request.asking("GET", f"/orders/{request.last_segment}"))
    after = forward(request)
    return before if after.status == 200 else after


add(
    "MOD-011",
    "an empty change is refused",
    lambda: instead(
        lambda request: request.names("modify_order") and not any(request.fields.values()),
        lambda _: failing(400, "INVALID_REQUEST", field=None),
    ),
)
add(
    "MOD-002",
    "null takes the price away",
    lambda: changed_too(
        lambda request: request.fields.get("limit_price", "") is None, setting(limit_price=None)
    ),
)
add(
    "MOD-011",
    "an empty change makes a DAY order",
    lambda: changed_too(
        lambda request: not any(request.fields.values()), setting(time_in_force="DAY")
    ),
)

# -- MOD-003 to MOD-010: what is refused ---


def conflict() -> Answers:
    """Refusals to change a terminal order."""
    return answer("modify_order", status=409)


add(
    "MOD-003", "a terminal order answers 422", lambda: conflict().status(422).code("ORDER_REJECTED")
)
add(
    "MOD-003",
    "a terminal order is not found",
    lambda: conflict().status(404).code("ORDER_NOT_FOUND"),
)
add(
    "MOD-012",
    "a terminal order has another code",
    lambda: conflict().code("DUPLICATE_CLIENT_ORDER_ID"),
)
add("MOD-003", "a change of a terminal order is accepted", lambda: accepted_anyway)


def accepted_anyway(request: Request, forward: Forward) -> Response:
    """A change of a terminal order answers 200 and the order."""
    response = forward(request)
    if request.names("modify_order") and response.status == 409:
        return forward(request.asking("GET", f"/orders/{request.last_segment}"))
    return response


def less_than_filled() -> Answers:
    """Refusals of a quantity that has filled already."""
    return answer("modify_order", status=400, field="quantity")


def with_what_filled(request: Request, forward: Forward) -> Response:
    """A quantity below what has filled means what has filled."""
    response = forward(request)
    if request.names("modify_order") and response.status == 400 and "quantity" in request.fields:
        order = forward(request.asking("GET", f"/orders/{request.last_segment}")).json
        return forward(request.with_fields(quantity=order["filled_quantity"]))
    return response


add("MOD-004", "a quantity below what has filled completes the order", lambda: with_what_filled)
add(
    "MOD-004",
    "a quantity below what has filled answers 422",
    lambda: less_than_filled().status(422).code("ORDER_REJECTED"),
)
add(
    "MOD-013",
    "a quantity below what has filled is not named",
    lambda: less_than_filled().without_details(),
)
add(
    "MOD-005",
    "a quantity of what has filled leaves the order open",
    lambda: each(
        "Order",
        when(lambda one: one["status"] == "FILLED", setting(status="PARTIALLY_FILLED")),
        "modify_order",
    ),
)
add(
    "MOD-005",
    "a quantity of what has filled cancels the order",
    lambda: changed_too(
        lambda request: "quantity" in request.fields,
        when(lambda one: one["status"] == "FILLED", setting(status="CANCELLED")),
    ),
)
add(
    "MOD-006",
    "a change of a field of no use is ignored",
    lambda: forgiving(
        lambda request: request.without_fields("stop_price"), "modify_order", field="stop_price"
    ),
)
add(
    "MOD-006",
    "a change of a field of no use answers 422",
    lambda: (
        answer("modify_order", status=400, field="stop_price").status(422).code("ORDER_REJECTED")
    ),
)
add(
    "MOD-006",
    "a limit for a stop order is ignored",
    lambda: forgiving(
        lambda request: request.without_fields("limit_price"), "modify_order", field="limit_price"
    ),
)
add(
    "MOD-007",
    "an order that becomes marketable rests at first",
    lambda: each(
        "Order",
        when(
            lambda one: one["status"] == "FILLED",
            lambda one: (
                one
                | {"status": "OPEN", "filled_quantity": "0", "remaining_quantity": one["quantity"]}
            ),
        ),
        "modify_order",
    ),
)


def in_parts(request: Request, forward: Forward) -> Response:
    """Of a refused change the quantity is changed all the same."""
    response = forward(request)
    if request.names("modify_order") and response.status in {400, 422}:
        forward(request.with_json({"quantity": request.fields.get("quantity")}))
    return response


add("MOD-008", "a refused change is made in part", lambda: in_parts)


def cancelling_when_refused(request: Request, forward: Forward) -> Response:
    """A rejected change cancels the order."""
    response = forward(request)
    if request.names("modify_order") and response.status == 422:
        forward(request.asking("DELETE", f"/orders/{request.last_segment}"))
    return response


add("MOD-008", "a rejected change cancels the order", lambda: cancelling_when_refused)
for requirement, operation in (("MOD-009", "modify_order"), ("CAN-003", "cancel_order")):
    add(
        requirement,
        f"{operation} of an unknown order answers 400",
        partial(unknown_is_invalid, operation),
    )
    add(
        requirement,
        f"{operation} of an unknown order is a NOT_FOUND",
        partial(unknown_is, "NOT_FOUND", operation),
    )
    add(
        requirement,
        f"{operation} of an unknown order does not name it",
        partial(unknown_is_unnamed, operation),
    )
add(
    "CAN-003",
    "an unknown order is cancelled already",
    lambda: answer("cancel_order", status=404).then(
        lambda *_: answering(200, {"success": False, "order": None})
    ),
)
add("MOD-010", "a change forgets post_only", lambda: relaxed)
add(
    "MOD-010",
    "post_only is not shown after a change",
    lambda: changed_too(lambda _: True, setting(post_only=False)),
)


def relaxed(request: Request, forward: Forward) -> Response:
    """A change that post_only forbids answers as if it was made."""
    response = forward(request)
    forbidden = response.error.get("reject_reason") == "POST_ONLY_VIOLATED"
    if request.names("modify_order") and forbidden:
        return forward(request.asking("GET", f"/orders/{request.last_segment}"))
    return response


# -- cancelling ---

add(
    "CAN-001",
    "a cancellation that succeeds says it does not",
    lambda: answer("cancel_order").with_members(success=False),
)
add(
    "CAN-001",
    "what is cancelled comes back",
    lambda: Marks(cancelled_by_hand, setting(status="OPEN")),
)
add(
    "CAN-001",
    "what is cancelled waits to be",
    lambda: each(
        "Order", when(lambda one: one["status"] == "CANCELLED", setting(status="PENDING_CANCEL"))
    ),
)
add(
    "CAN-001",
    "cancelling answers the order as it was",
    lambda: each(
        "Order",
        when(lambda one: one["status"] == "CANCELLED", setting(status="OPEN")),
        "cancel_order",
    ),
)
add("CAN-001", "cancelling cancels nothing", lambda: undone)
add(
    "CAN-001",
    "cancelling forgets fills",
    lambda: Marks(
        cancelled_by_hand,
        lambda one: one | {"filled_quantity": "0", "remaining_quantity": one["quantity"]},
    ),
)
add("CAN-001", "stops cannot be cancelled", lambda: no_stops)


def no_stops(request: Request, forward: Forward) -> Response:
    """Stop orders answer that they were terminal, and stay open."""
    if request.names("cancel_order"):
        found = forward(request.asking("GET", f"/orders/{request.last_segment}"))
        if found.status == 200 and found.json.get("stop_price"):
            return answering(200, {"success": False, "order": found.json})
    return forward(request)


def undone(request: Request, forward: Forward) -> Response:
    """A cancellation answers as if it was made."""
    if not request.names("cancel_order"):
        return forward(request)
    found = forward(request.asking("GET", f"/orders/{request.last_segment}"))
    if found.status != 200:
        return forward(request)
    return answering(200, {"success": True, "order": found.json | {"status": "CANCELLED"}})


def terminal_already() -> Answers:
    """Answers to the cancellation of a terminal order."""
    return answer("cancel_order").then(
        lambda _, found: (
            found
            if found.json["success"]
            else failing(
                409, "ORDER_NOT_MODIFIABLE", resource="order", id=found.json["order"]["id"]
            )
        )
    )


add("CAN-002", "cancelling a terminal order answers 409", terminal_already)
add(
    "CAN-002",
    "cancelling a terminal order succeeds",
    lambda: answer("cancel_order").with_members(success=True),
)
add(
    "CAN-002",
    "cancelling a terminal order answers no order",
    lambda: answer("cancel_order").body(
        lambda body: body if body["success"] else {"success": False}
    ),
)
add(
    "CAN-002",
    "cancelling twice changes the time",
    lambda: answer("cancel_order").body(
        lambda body: (
            body
            if body["success"]
            else body | {"order": body["order"] | {"updated_at": "2030-01-01T00:00:00Z"}}
        )
    ),
)
add(
    "CAN-004",
    "cancelling by symbol cancels all",
    lambda: ask(lambda request: request.without_parameter("symbol"), "cancel_all_orders"),
)
add("CAN-004", "cancelling all leaves the newest", lambda: all_but_the_newest)
add(
    "CAN-004",
    "cancelling all cancels one symbol",
    lambda: ask(
        lambda request: (
            request if request.parameter("symbol") else request.with_parameter("symbol", "BTC/USD")
        ),
        "cancel_all_orders",
    ),
)


def all_but_the_newest(request: Request, forward: Forward) -> Response:
    """The newest order is not cancelled, and not counted."""
    if not request.names("cancel_all_orders") or request.parameter("colour"):
        return forward(request)
    found = forward(request.asking("GET", request.target)).json
    for order in found[1:]:
        forward(request.asking("DELETE", f"/orders/{order['id']}"))
    return answering(
        200, {"cancelled_count": len(found) - 1, "failed_count": 0, "failed_order_ids": []}
    )


def counting(change: Callable[[int], int]) -> Answers:
    """Another count of what was cancelled."""
    return answer("cancel_all_orders").body(
        lambda body: body | {"cancelled_count": change(body["cancelled_count"])}
    )


add("CAN-005", "one too many is counted as cancelled", lambda: counting(lambda count: count + 1))
add("CAN-005", "nothing is counted as cancelled", lambda: counting(lambda _: 0))
add(
    "CAN-005",
    "what was cancelled counts as failed",
    lambda: answer("cancel_all_orders").body(
        lambda body: body | {"failed_count": body["cancelled_count"]}
    ),
)
add("CAN-005", "what was terminal before is counted too", lambda: with_the_terminal)


def with_the_terminal(request: Request, forward: Forward) -> Response:
    """Past orders count as cancelled."""
    response = forward(request)
    if not request.names("cancel_all_orders") or response.status != 200:
        return response
    past = forward(request.asking("GET", "/orders/history?status=CANCELLED")).json
    return response.with_json(response.json | {"cancelled_count": len(past)})
