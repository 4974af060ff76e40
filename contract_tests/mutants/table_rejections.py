"""Wrong rejections: orders that are well-formed and must be refused all the same."""

from __future__ import annotations

from typing import Final

from contract_tests.mutants.kit import (
    answer,
    each,
    forgiving,
    rejection,
    setting,
    when,
)
from contract_tests.mutants.messages import (
    Mutation,
    Request,
)
from contract_tests.mutants.mutant import Table

TABLE: Final = Table()
add = TABLE.add
# -- what is rejected ---

add(
    "ORD-009",
    "an unknown symbol answers 404",
    lambda: rejection("SYMBOL_NOT_TRADEABLE").status(404).code("SYMBOL_NOT_FOUND"),
)
add(
    "ORD-009",
    "an unknown symbol is rejected for no reason",
    lambda: rejection("SYMBOL_NOT_TRADEABLE").detail("reject_reason", "UNKNOWN"),
)
add(
    "ORD-009",
    "an unknown symbol means BTC/USD",
    lambda: forgiving(
        lambda request: request.with_fields(symbol="BTC/USD"),
        "submit_order",
        status=422,
        reject_reason="SYMBOL_NOT_TRADEABLE",
    ),
)
add(
    "ORD-010",
    "an order that is too large is cut down",
    lambda: forgiving(
        lambda request: request.with_fields(quantity="1"),
        "submit_order",
        status=422,
        reject_reason="INSUFFICIENT_MARGIN",
    ),
)
add(
    "ORD-010",
    "an order that is too large answers 400",
    lambda: rejection("INSUFFICIENT_MARGIN").status(400).code("INVALID_VALUE"),
)
add(
    "ORD-010",
    "an order that is too large answers 500",
    lambda: rejection("INSUFFICIENT_MARGIN").status(500).code("INTERNAL_ERROR"),
)
add(
    "ORD-011",
    "want of margin is want of balance",
    lambda: rejection("INSUFFICIENT_MARGIN").detail("reject_reason", "INSUFFICIENT_BALANCE"),
)
add(
    "ORD-011",
    "want of margin for a sale has no reason",
    lambda: rejection("INSUFFICIENT_MARGIN").then(
        lambda request, found: (
            answer(status=422).detail("reject_reason", "UNKNOWN")(request, lambda _: found)
            if request.fields.get("side") == "SELL"
            else found
        )
    ),
)
add(
    "ORD-012",
    "a rejection names no order",
    lambda: answer("submit_order", status=422).detail("order_id", None),
)
add(
    "ORD-012",
    "a rejection names an order that nobody knows",
    lambda: answer("submit_order", status=422).detail("order_id", "ord_nobody"),
)
add(
    "ORD-012",
    "rejected orders are not in the history",
    lambda: each(
        "Order", lambda one: None if one["status"] == "REJECTED" else one, "get_order_history"
    ),
)
add(
    "ORD-012", "rejected orders do not tell why", lambda: each("Order", setting(reject_reason=None))
)
add(
    "ORD-012",
    "rejected orders are called CANCELLED",
    lambda: each(
        "Order",
        when(lambda one: one["status"] == "REJECTED", setting(status="CANCELLED")),
        "get_order",
    ),
)
add(
    "ORD-025", "a quantity off the lot is rounded", lambda: rounding("quantity", "INVALID_QUANTITY")
)
add("ORD-025", "a limit off the tick is rounded", lambda: rounding("limit_price", "INVALID_PRICE"))
add("ORD-025", "a stop off the tick is rounded", lambda: rounding("stop_price", "INVALID_PRICE"))
add(
    "ORD-025",
    "a quantity off the lot is an INVALID_PRICE",
    lambda: rejection("INVALID_QUANTITY").detail("reject_reason", "INVALID_PRICE"),
)
add(
    "ORD-025",
    "a price off the tick answers 400",
    lambda: rejection("INVALID_PRICE").status(400).code("INVALID_VALUE"),
)


def rounding(field: str, reason: str) -> Mutation:
    """What is off a step is rounded to twelve places, and loses what nobody sees."""

    def repair(request: Request) -> Request:
        given = request.fields.get(field)
        return request if given is None else request.with_fields(**{field: given[:-17].rstrip(".")})

    return forgiving(repair, "submit_order", status=422, reject_reason=reason)
