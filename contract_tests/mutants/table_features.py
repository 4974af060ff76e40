"""Wrong features: orders that only make, only reduce, hide, or trail."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from contract_tests.mutants.kit import (
    OTHER,
    Pretends,
    each,
    forgiving,
    ignoring,
    left_out,
    member,
    refusal,
    rejection,
    setting,
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

# -- post_only, reduce_only, icebergs, hidden orders ---

add("PST-001", "post_only is ignored", lambda: ignoring("post_only"))
add(
    "PST-001",
    "post_only is ignored for SELL",
    lambda: ignoring("post_only", given=with_field("side", "SELL")),
)
add(
    "PST-001",
    "post_only that would take is an INVALID_PRICE",
    lambda: rejection("POST_ONLY_VIOLATED").detail("reject_reason", "INVALID_PRICE"),
)
add(
    "PST-001",
    "post_only that would take answers 400",
    lambda: rejection("POST_ONLY_VIOLATED").status(400).code("INVALID_VALUE"),
)
add(
    "PST-002",
    "post_only is ignored where it has no use",
    lambda: left_out("post_only", field="post_only"),
)
add(
    "PST-002",
    "post_only of a MARKET order is ignored",
    lambda: forgiving(
        lambda request: (
            request.without_fields("post_only")
            if request.fields["order_type"] == "MARKET"
            else request
        ),
        "submit_order",
        field="post_only",
    ),
)
add(
    "PST-002",
    "post_only of no use is blamed on the lifetime",
    lambda: refusal("post_only").detail("field", "time_in_force"),
)


def opposing(request: Request, forward: Forward) -> bool:
    """Whether there is a position that an order reduces."""
    body = request.fields
    wanted = "LONG" if body.get("side") == "SELL" else "SHORT"
    held = forward(request.asking("GET", "/positions")).json
    return any(one["symbol"] == body.get("symbol") and one["side"] == wanted for one in held)


add("RED-001", "reduce_only is ignored", lambda: ignoring("reduce_only"))
add(
    "RED-001",
    "reduce_only with nothing to reduce is an INVALID_QUANTITY",
    lambda: rejection("REDUCE_ONLY_VIOLATED").detail("reject_reason", "INVALID_QUANTITY"),
)
add(
    "RED-001",
    "reduce_only may add",
    lambda: ignoring("reduce_only", given=same_side),
)


def same_side(request: Request, forward: Forward) -> bool:
    """Whether there is a position that an order adds to."""
    other = OTHER.get(request.fields.get("side", ""), "")
    return opposing(request.with_fields(side=other), forward)


add(
    "RED-002",
    "reduce_only is forgotten once it is accepted",
    lambda: ignoring("reduce_only", given=opposing),
)
add(
    "RED-002",
    "reduce_only is forgotten by MARKET orders",
    lambda: ignoring(
        "reduce_only",
        given=lambda request, forward: (
            request.fields["order_type"] == "MARKET" and opposing(request, forward)
        ),
    ),
)
add("RED-003", "reduce_only outlives its position", lambda: ignoring("reduce_only", given=opposing))
add(
    "RED-003",
    "reduce_only is open though its position is gone",
    lambda: each(
        "Order",
        when(
            lambda one: one["status"] == "CANCELLED" and bool(one["reduce_only"]),
            setting(status="OPEN"),
        ),
    ),
)
add("ICE-001", "icebergs fill whole", lambda: ignoring("display_quantity"))
add(
    "ICE-002",
    "a display that is too large is ignored",
    lambda: left_out("display_quantity", field="display_quantity"),
)
add(
    "ICE-002",
    "a display of no use answers 422",
    lambda: refusal("display_quantity").status(422).code("ORDER_REJECTED"),
)
add(
    "ICE-002",
    "a hidden order may display",
    lambda: forgiving(
        lambda request: (
            request.without_fields("display_quantity") if request.fields.get("hidden") else request
        ),
        "submit_order",
        field="display_quantity",
    ),
)
add("HID-001", "hidden is not shown", lambda: each("Order", setting(hidden=False)))
add(
    "HID-001",
    "hidden is not shown in lists",
    lambda: each("Order", setting(hidden=False), "list_orders"),
)
add("HID-001", "every order is hidden", lambda: each("Order", setting(hidden=True)))

# -- trailing stops ---


def with_distance(request: Request) -> Request:
    """A distance where there is none."""
    return request.with_fields(trailing_distance="50", trailing_type="PERCENT")


add(
    "TRL-001",
    "trailing_distance has a default",
    lambda: forgiving(with_distance, "submit_order", field="trailing_distance"),
)
add(
    "TRL-001",
    "a missing distance is blamed on the price",
    lambda: refusal("trailing_distance").detail("field", "stop_price"),
)
add(
    "TRL-001",
    "a missing distance answers 422",
    lambda: refusal("trailing_distance").status(422).code("ORDER_REJECTED"),
)
add("TRL-002", "trailing_type is not told", lambda: each("Order", setting(trailing_type=None)))
add(
    "TRL-002",
    "a hundred per cent means ninety-nine",
    lambda: forgiving(
        lambda request: (
            request.with_fields(trailing_distance="99")
            if request.fields.get("trailing_type") == "PERCENT"
            and request.fields.get("trailing_distance")
            else request
        ),
        "submit_order",
        field="trailing_distance",
    ),
)
add(
    "TRL-002",
    "every distance is in per cent",
    lambda: each("Order", member("trailing_type", lambda _: "PERCENT")),
)
add(
    "TRL-003",
    "trailing stops do not show their stop",
    lambda: each(
        "Order", when(lambda one: one["order_type"] == "TRAILING_STOP", setting(stop_price=None))
    ),
)
add(
    "TRL-003",
    "trailing stops start at the touch",
    lambda: each(
        "Order",
        when(
            lambda one: (
                one["order_type"] == "TRAILING_STOP" and bool(one.get("trailing_reference"))
            ),
            lambda one: one | {"stop_price": one["trailing_reference"]},
        ),
    ),
)


class Frozen:
    """A trailing stop shows the stop it began with."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Remember the first stop of each."""
        return each("Order", when(lambda one: one["order_type"] == "TRAILING_STOP", self._kept))(
            request, forward
        )

    def _kept(self, order: Body) -> Body:
        return order | {"stop_price": self._first.setdefault(order["id"], order["stop_price"])}


class Slipping:
    """A trailing stop that was seen a few times is a little further away every time."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Count the sightings of each, and move it away."""
        return each("Order", when(lambda one: one["order_type"] == "TRAILING_STOP", self._moved))(
            request, forward
        )

    def _moved(self, order: Body) -> Body:
        seen = self._seen[order["id"]] = self._seen.get(order["id"], 0) + 1
        step = Decimal("0.01") * seen if order["side"] == "BUY" else Decimal("-0.01") * seen
        return order | {"stop_price": str(Decimal(order["stop_price"]) + step)}


add("TRL-003", "trailing stops stay where they began", Frozen)
add("TRL-003", "trailing stops back off", Slipping)
add(
    "TRL-003",
    "a distance in per cent is one in price",
    lambda: Pretends(
        lambda request: request.with_fields(trailing_type="ABSOLUTE"),
        "trailing_type",
        given=with_field("trailing_type", "PERCENT"),
    ),
)
