"""Wrong leverage, margin and short positions."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from contract_tests.mutants.kit import (
    Answers,
    Change,
    Pretends,
    answer,
    ask,
    each,
    forgiving,
    ignoring,
    member,
    plus,
    rejection,
    setting,
    some_filled,
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
# -- leverage and margin ---

add(
    "LEV-001",
    "leverage above the highest is the highest",
    lambda: forgiving(
        lambda request: request.with_fields(leverage="10"),
        "submit_order",
        status=422,
        reject_reason="LEVERAGE_EXCEEDED",
    ),
)
add(
    "LEV-001",
    "leverage above the highest lacks margin",
    lambda: rejection("LEVERAGE_EXCEEDED").detail("reject_reason", "INSUFFICIENT_MARGIN"),
)
add(
    "LEV-001",
    "leverage above the highest answers 400",
    lambda: rejection("LEVERAGE_EXCEEDED").status(400).code("INVALID_VALUE"),
)
add(
    "LEV-001",
    "the highest leverage is refused",
    lambda: answer("get_capabilities").body(
        lambda body: body | {"max_leverage": times("2")(body["max_leverage"])}
    ),
)
add("LEV-002", "leverage is ignored", lambda: ignoring("leverage"))
add(
    "LEV-002",
    "leverage of MARKET orders is ignored",
    lambda: ignoring("leverage", given=with_field("order_type", "MARKET")),
)
add(
    "LEV-002",
    "leverage divides half as much",
    lambda: Pretends(
        lambda request: request.with_fields(
            leverage=str(1 + (Decimal(request.fields["leverage"]) - 1) / 2)
        ),
        "leverage",
    ),
)
add(
    "LEV-003",
    "what is added has the leverage of what is held",
    lambda: ask(
        lambda request: (
            request.with_fields(leverage="2") if request.fields.get("leverage") == "4" else request
        ),
        "submit_order",
    ),
)
add(
    "LEV-003",
    "what is added changes the leverage of all",
    lambda: ask(
        lambda request: (
            request.with_fields(leverage="4") if request.fields.get("leverage") == "2" else request
        ),
        "submit_order",
    ),
)


def isolated(change: Change) -> Answers:
    """Isolated positions changed."""
    return each("Position", when(lambda one: one.get("margin_mode") == "ISOLATED", change))


add(
    "MRG-001",
    "isolated positions do not tell when they are liquidated",
    lambda: isolated(setting(liquidation_price=None)),
)
add(
    "MRG-001",
    "liquidation is on the winning side",
    lambda: isolated(member("liquidation_price", times("3"))),
)
add(
    "MRG-001",
    "liquidation of SHORT positions is on the winning side",
    lambda: each(
        "Position",
        when(lambda one: one["side"] == "SHORT", member("liquidation_price", times("0.1"))),
    ),
)
add(
    "MRG-001",
    "every position is liquidated at half its entry",
    lambda: isolated(
        lambda one: (
            one
            | {
                "liquidation_price": times("0.5" if one["side"] == "LONG" else "1.5")(
                    one["average_entry_price"]
                )
            }
        )
    ),
)


class BeyondTheMargin:
    """A liquidation trades a tenth worse than it should."""

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Look up the order of each trade: a liquidation reduces, and nobody sent it."""

        def worse(trade: Body) -> Body:
            order = forward(request.asking("GET", f"/orders/{trade['order_id']}")).json
            if not order["reduce_only"]:
                return trade
            return trade | {
                "price": times("0.9" if trade["side"] == "SELL" else "1.1")(trade["price"])
            }

        return each("Trade", worse)(request, forward)


add("MRG-001", "a liquidation loses more than the margin", BeyondTheMargin)
add(
    "MRG-002",
    "a liquidation leaves open orders",
    lambda: each(
        "Order",
        when(
            lambda one: one["status"] == "CANCELLED" and not some_filled(one),
            setting(status="OPEN"),
        ),
        "get_order",
    ),
)
add(
    "MRG-002",
    "a liquidation cancels orders afterwards",
    lambda: each(
        "Order",
        when(
            lambda one: one["status"] == "CANCELLED",
            setting(updated_at="2030-01-01T00:00:00.000000Z"),
        ),
    ),
)
add(
    "MRG-002",
    "a liquidation leaves margin in use",
    lambda: each(
        "Account",
        when(
            lambda one: Decimal(one["margin_used"]) == 0,
            lambda one: one | {"margin_used": "1", "margin_available": plus("-1")(one["equity"])},
        ),
    ),
)
add(
    "MRG-003",
    "adding in the other margin mode is accepted",
    lambda: forgiving(
        lambda request: request.without_fields("margin_mode"),
        "submit_order",
        status=422,
        reject_reason="UNKNOWN",
    ),
)
add("MRG-003", "every position is CROSS", lambda: each("Position", setting(margin_mode="CROSS")))
add(
    "MRG-003",
    "adding in the other margin mode answers 400",
    lambda: rejection("UNKNOWN").status(400).code("INVALID_VALUE"),
)
add("SHT-001", "every position is LONG", lambda: each("Position", setting(side="LONG")))
add(
    "SHT-001",
    "SHORT positions have a negative quantity",
    lambda: each(
        "Position", when(lambda one: one["side"] == "SHORT", member("quantity", lambda v: "-" + v))
    ),
)
