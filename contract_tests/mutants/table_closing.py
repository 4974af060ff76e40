"""Wrong closings, and exits of positions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from contract_tests.mutants.kit import (
    OTHER,
    answer,
    ask,
    each,
    forgiving,
    instead,
    listed,
    member,
    setting,
    times,
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
from contract_tests.mutants.table_positions import positions

TABLE: Final = Table()
add = TABLE.add
# -- closing ---

add("CLO-001", "closing closes half", lambda: closing_half)
add(
    "CLO-001",
    "a body is needed to close",
    lambda: instead(
        lambda request: request.names("close_position") and not request.body,
        lambda _: failing(400, "INVALID_REQUEST", field=None),
    ),
)
add(
    "CLO-001",
    "an empty body to close is refused",
    lambda: instead(
        lambda request: request.names("close_position") and request.json == {},
        lambda _: failing(400, "INVALID_REQUEST", field=None),
    ),
)
add(
    "CLO-001",
    "closing orders are called LIMIT",
    lambda: each("Order", when(lambda one: bool(one["reduce_only"]), setting(order_type="LIMIT"))),
)
add(
    "CLO-001",
    "closing orders are on the side of the position",
    lambda: each(
        "Order", when(lambda one: bool(one["reduce_only"]), member("side", OTHER.__getitem__))
    ),
)
add("CLO-001", "closing answers the position", lambda: answering_the_position)


def closing_half(request: Request, forward: Forward) -> Response:
    """Without a quantity half of the position is closed."""
    if not request.names("close_position") or "quantity" in request.fields:
        return forward(request)
    position = forward(request.asking("GET", request.path)).fields
    if "quantity" not in position:
        return forward(request)
    half = times("0.5")(position["quantity"])
    return forward(request.asking("DELETE", request.path, request.fields | {"quantity": half}))


def answering_the_position(request: Request, forward: Forward) -> Response:
    """What is answered is what was closed, not the order that closes it."""
    if not request.names("close_position"):
        return forward(request)
    position = forward(request.asking("GET", request.path))
    response = forward(request)
    return position if response.status == 200 else response


def closes(change: Callable[[Request], Request]) -> Mutation:
    """The body of a close changed."""
    return ask(change, "close_position")


add(
    "CLO-002",
    "quantity to close is ignored",
    lambda: closes(lambda request: request.without_fields("quantity")),
)
add(
    "CLO-002",
    "a part closed is twice as large",
    lambda: closes(
        lambda request: (
            request.with_fields(quantity=times("2")(request.fields["quantity"]))
            if isinstance(request.fields.get("quantity"), str)
            else request
        )
    ),
)
add(
    "CLO-002",
    "closing a part gives the rest a new id",
    lambda: positions(
        when(
            lambda one: Decimal(one["realized_pnl"]) != 0, lambda one: one | {"id": one["id"][::-1]}
        )
    ),
)
add(
    "CLO-003",
    "a LIMIT close without a price is a MARKET close",
    lambda: forgiving(
        lambda request: request.without_fields("order_type"), "close_position", field="limit_price"
    ),
)
add(
    "CLO-010",
    "a LIMIT close without a price is blamed on its type",
    lambda: answer("close_position", status=400, field="limit_price").detail("field", "order_type"),
)
add(
    "CLO-009",
    "the price of a MARKET close is ignored",
    lambda: forgiving(
        lambda request: request.without_fields("limit_price"), "close_position", field="limit_price"
    ),
)
add(
    "CLO-009",
    "the price of a MARKET close makes it a LIMIT close",
    lambda: closes(
        lambda request: (
            request.with_fields(order_type="LIMIT")
            if request.fields.get("limit_price")
            else request
        )
    ),
)
add(
    "CLO-004",
    "a close of too much closes all",
    lambda: forgiving(
        lambda request: request.without_fields("quantity"),
        "close_position",
        status=422,
        reject_reason="INVALID_QUANTITY",
    ),
)
add(
    "CLO-004",
    "a close of too much is a REDUCE_ONLY_VIOLATED",
    lambda: answer("close_position", status=422, reject_reason="INVALID_QUANTITY").detail(
        "reject_reason", "REDUCE_ONLY_VIOLATED"
    ),
)
add(
    "CLO-004",
    "a close of too much answers 400",
    lambda: (
        answer("close_position", status=422, reject_reason="INVALID_QUANTITY")
        .status(400)
        .code("INVALID_VALUE")
    ),
)


def plain_order(request: Request, forward: Forward) -> Response:
    """A LIMIT close is an order like any other, which outlives the position."""
    body = request.fields
    if not request.names("close_position") or not body.get("limit_price"):
        return forward(request)
    position = forward(request.asking("GET", request.path)).fields
    order = {
        "symbol": position["symbol"],
        "side": "SELL" if position["side"] == "LONG" else "BUY",
        "quantity": body.get("quantity", position["quantity"]),
        "order_type": "LIMIT",
        "limit_price": body["limit_price"],
    }
    response = forward(request.asking("POST", "/orders", order))
    return response.with_status(200) if response.status == 201 else response


add("CLO-005", "a close order may open a position", lambda: plain_order)
add(
    "CLO-006",
    "closing by symbol closes all",
    lambda: ask(lambda request: request.without_parameter("symbol"), "close_all_positions"),
)
add(
    "CLO-006",
    "closing all answers one handle",
    lambda: listed(lambda found: found[:1], "close_all_positions"),
)
add(
    "CLO-006", "closing all answers no handles", lambda: listed(lambda _: [], "close_all_positions")
)
add(
    "CLO-006",
    "closing all closes nothing",
    lambda: instead(
        lambda request: request.names("close_all_positions") and not request.query,
        lambda _: answering(200, []),
    ),
)
add(
    "CLO-007",
    "closing an unknown position succeeds",
    lambda: answer("close_position", status=404).then(
        lambda request, _: answering(
            200, {"id": request.last_segment.replace("pos", "ord"), "status": "FILLED"}
        )
    ),
)
add(
    "CLO-007",
    "closing a closed position succeeds again",
    lambda: answer("close_position", status=404).then(
        lambda request, found: (
            found
            if request.last_segment.endswith("0000")
            else answering(200, {"id": "ord_again", "status": "FILLED"})
        )
    ),
)
add(
    "CLO-008",
    "closing leaves the exits",
    lambda: closes(lambda request: request.with_fields(cancel_associated_orders=False)),
)
add(
    "CLO-012",
    "closing a part leaves the exits",
    lambda: closes(
        lambda request: (
            request.with_fields(cancel_associated_orders=False)
            if request.fields.get("quantity")
            and request.fields.get("cancel_associated_orders") is None
            else request
        )
    ),
)
add(
    "CLO-008",
    "closing always cancels the exits",
    lambda: closes(lambda request: request.without_fields("cancel_associated_orders")),
)

# -- exits of positions ---

add("EXT-001", "exits of a position are ignored", lambda: exits_unread("stop_loss", "take_profit"))
add("EXT-001", "the stop_loss of a position is ignored", lambda: exits_unread("stop_loss"))
add("EXT-001", "the take_profit of a position is ignored", lambda: exits_unread("take_profit"))
add(
    "EXT-001",
    "exits do not tell that they reduce",
    lambda: each("Order", setting(reduce_only=False)),
)
add("EXT-001", "exits are never moved", lambda: never_moved)
add(
    "EXT-001",
    "an unknown position may have exits",
    lambda: answer("modify_position", status=404).status(400).code("INVALID_VALUE"),
)


def exits_unread(*fields: str) -> Mutation:
    """Exits that a position is given are ignored."""
    return ask(lambda request: request.without_fields(*fields), "modify_position")


def never_moved(request: Request, forward: Forward) -> Response:
    """An exit that a position has already stays where it is."""
    if not request.names("modify_position"):
        return forward(request)
    kinds = {"STOP": "stop_loss", "LIMIT": "take_profit"}
    found = forward(request.asking("GET", "/orders")).json
    there = [
        kinds[one["order_type"]]
        for one in found
        if one["reduce_only"] and one["order_type"] in kinds
    ]
    return forward(request.without_fields(*there))


add(
    "EXT-002",
    "an exit on the wrong side of a position is ignored",
    lambda: forgiving(
        lambda request: request.with_json({}),
        "modify_position",
        status=422,
        reject_reason="INVALID_PRICE",
    ),
)
add(
    "EXT-002",
    "an exit on the wrong side of a position is UNKNOWN",
    lambda: answer("modify_position", status=422, reject_reason="INVALID_PRICE").detail(
        "reject_reason", "UNKNOWN"
    ),
)


def one_of_two(request: Request, forward: Forward) -> Response:
    """Of two exits the right one is made though the other is rejected."""
    response = forward(request)
    if request.names("modify_position") and response.status == 422:
        for name in ("stop_loss", "take_profit"):
            forward(request.without_fields(name))
    return response


add("EXT-002", "a rejected pair of exits is made in part", lambda: one_of_two)
