"""Wrong brackets and groups."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from contract_tests.mutants.kit import (
    OTHER,
    Answers,
    Change,
    Pretends,
    cancelled_by_hand,
    each,
    forgiving,
    ignoring,
    left_out,
    listed,
    member,
    quote_of,
    refusal,
    rejection,
    setting,
    times,
    when,
    with_field,
)
from contract_tests.mutants.messages import (
    Body,
    Forward,
    Request,
    Response,
)
from contract_tests.mutants.mutant import Table

TABLE: Final = Table()
add = TABLE.add
# -- brackets ---

add(
    "BRK-001",
    "a stop_loss on the wrong side is ignored",
    lambda: left_out("stop_loss", field="stop_loss"),
)
add(
    "BRK-001",
    "a take_profit on the wrong side is ignored",
    lambda: left_out("take_profit", field="take_profit"),
)
add(
    "BRK-001",
    "an exit beyond the quote is ignored",
    lambda: left_out("stop_loss", "take_profit", status=422, reject_reason="INVALID_PRICE"),
)
add(
    "BRK-001",
    "an exit beyond the quote is UNKNOWN",
    lambda: rejection("INVALID_PRICE").detail("reject_reason", "UNKNOWN"),
)
add(
    "BRK-001",
    "an exit on the wrong side is blamed on the limit",
    lambda: refusal("stop_loss").detail("field", "limit_price"),
)


def is_leg(order: Body) -> bool:
    """Whether an order is a leg of a bracket."""
    return order.get("parent_order_id") is not None


def legs(change: Change, *operations: str) -> Answers:
    """Legs changed wherever they are read."""
    return each("Order", when(is_leg, change), *operations)


def leg_type(order_type: str) -> Callable[[Body], bool]:
    """Whether an order is a leg of that type."""
    return lambda order: is_leg(order) and order["order_type"] == order_type


add("BRK-002", "exits of an entry are ignored", lambda: ignoring("stop_loss", "take_profit"))
add("BRK-002", "the stop_loss of an entry is ignored", lambda: ignoring("stop_loss"))
add("BRK-002", "the take_profit of an entry is ignored", lambda: ignoring("take_profit"))
add("BRK-002", "legs do not tell that they reduce", lambda: legs(setting(reduce_only=False)))
add("BRK-002", "legs have no parent", lambda: legs(setting(parent_order_id=None)))
add("BRK-002", "legs are on the side of the entry", lambda: legs(member("side", OTHER.__getitem__)))
add(
    "BRK-002",
    "legs are for twice what has filled",
    lambda: legs(
        lambda one: (
            one | {name: times("2")(one[name]) for name in ("quantity", "remaining_quantity")}
        )
    ),
)
add(
    "BRK-002",
    "a stop_loss is a cent off",
    lambda: legs(member("stop_price", lambda v: str(Decimal(v) - Decimal("0.01")))),
)


def whole_legs(request: Request, forward: Forward) -> Response:
    """Legs are shown for the whole entry while it fills."""

    def whole(leg: Body) -> Body:
        parent = forward(request.asking("GET", f"/orders/{leg['parent_order_id']}")).json
        return leg | {"quantity": parent["quantity"], "remaining_quantity": parent["quantity"]}

    return legs(whole, "list_orders")(request, forward)


add("BRK-002", "legs are for the whole entry while it fills", lambda: whole_legs)
add(
    "BRK-003",
    "one leg leaves the other",
    lambda: legs(
        when(lambda one: one["status"] == "CANCELLED", setting(status="OPEN")), "get_order"
    ),
)
add(
    "BRK-003",
    "the other leg fills too",
    lambda: each(
        "Order",
        when(
            lambda one: leg_type("STOP")(one) and one["status"] == "CANCELLED",
            lambda one: (
                one
                | {
                    "status": "FILLED",
                    "filled_quantity": one["quantity"],
                    "remaining_quantity": "0",
                }
            ),
        ),
        "get_order",
    ),
)


class Unshrinking:
    """A STOP leg stays as large as it was at first."""

    def __init__(self) -> None:
        self._first: dict[str, Body] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Remember the first size of each."""
        return each("Order", when(leg_type("STOP"), self._kept), "list_orders")(request, forward)

    def _kept(self, leg: Body) -> Body:
        sizes = {name: leg[name] for name in ("quantity", "remaining_quantity")}
        return leg | self._first.setdefault(leg["id"], sizes)


add("BRK-003", "a partial fill of one leg leaves the size of the other", Unshrinking)


class Orphans:
    """A cancelled entry with a stop_loss leaves that leg behind."""

    def __init__(self) -> None:
        self._left: list[Body] = []

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Make a leg up for each such entry, and list it."""
        response = forward(request)
        if cancelled_by_hand(request, response) and response.json["order"].get("stop_loss"):
            entry = response.json["order"]
            made = {"id": entry["id"][:-1] + "x", "parent_order_id": entry["id"], "status": "OPEN"}
            self._left.append(entry | made | {"order_type": "STOP", "reduce_only": True})
        return listed(lambda found: [*self._left, *found], "list_orders")(
            request, lambda _: response
        )


add("BRK-004", "a cancelled entry leaves its legs", Orphans)

# -- OCO groups ---


def takes(request: Request, forward: Forward) -> bool:
    """Whether a LIMIT BUY is marketable."""
    body = request.fields
    if body.get("order_type") != "LIMIT":
        return False
    return Decimal(body["limit_price"]) >= Decimal(
        quote_of(request, forward, body["symbol"])["ask"]
    )


add("OCO-001", "groups are ignored", lambda: ignoring("oco_group_id"))
add(
    "OCO-001",
    "MARKET orders leave their group alone",
    lambda: ignoring("oco_group_id", given=with_field("order_type", "MARKET")),
)
add("OCO-001", "partial fills leave the group alone", lambda: ignoring("oco_group_id", given=takes))
add(
    "OCO-001",
    "stops are not in their group",
    lambda: ignoring("oco_group_id", given=with_field("order_type", "STOP")),
)
add(
    "OCO-001",
    "all groups are one",
    lambda: Pretends(
        lambda request: request.with_fields(oco_group_id="the-group"),
        "oco_group_id",
        given=lambda request, _: request.fields["order_type"] != "MARKET",
    ),
)
add(
    "OCO-002",
    "a group that has traded can be joined",
    lambda: forgiving(
        lambda request: request.without_fields("oco_group_id"),
        "submit_order",
        status=422,
        reject_reason="OCO_GROUP_CLOSED",
    ),
)
add(
    "OCO-002",
    "a group that has traded rejects for no reason",
    lambda: rejection("OCO_GROUP_CLOSED").detail("reject_reason", "UNKNOWN"),
)
add(
    "OCO-002",
    "a group that has traded answers 409",
    lambda: rejection("OCO_GROUP_CLOSED").status(409),
)


def cancels_the_group(request: Request, forward: Forward) -> Response:
    """Cancelling one order of a group cancels all of it."""
    response = forward(request)
    if cancelled_by_hand(request, response) and response.json["order"].get("oco_group_id"):
        group = response.json["order"]["oco_group_id"]
        for order in forward(request.asking("GET", f"/orders?oco_group_id={group}")).json:
            forward(request.asking("DELETE", f"/orders/{order['id']}"))
    return response


add("OCO-003", "cancelling one order of a group cancels all", lambda: cancels_the_group)
