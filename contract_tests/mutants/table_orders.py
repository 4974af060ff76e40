"""Wrong submissions: what is accepted, refused and kept of orders that rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from contract_tests.laboratory.servers import Server
from contract_tests.mutants.kit import (
    Marks,
    answer,
    ask,
    each,
    filled_in,
    forgiving,
    instead,
    left_out,
    member,
    refusal,
    setting,
    when,
)
from contract_tests.mutants.messages import (
    Body,
    Forward,
    Mutation,
    Request,
    Response,
    failing,
)
from contract_tests.mutants.mutant import Table
from contract_tests.toolkit.client import Client

TABLE: Final = Table()
add = TABLE.add


# -- ORD-001: what is submitted is what is read ---

add(
    "ORD-001",
    "an accepted order answers 200",
    lambda: answer("submit_order", status=201).status(200),
)
add(
    "ORD-001",
    "an accepted order has no id",
    lambda: answer("submit_order", status=201).dropping("id"),
)
add(
    "ORD-001",
    "an accepted order does not tell its status",
    lambda: answer("submit_order", status=201).dropping("status"),
)
add(
    "ORD-001",
    "an accepted order is unknown afterwards",
    lambda: answer("submit_order", status=201).body(lambda body: body | {"id": body["id"][::-1]}),
)
add(
    "ORD-001",
    "the handle lacks the client id",
    lambda: answer("submit_order", status=201).dropping("client_order_id"),
)
add("ORD-001", "orders lack their client id", lambda: each("Order", setting(client_order_id=None)))
add(
    "ORD-001",
    "orders write symbols without a slash",
    lambda: each("Order", member("symbol", lambda one: one.replace("/", ""))),
)
add(
    "ORD-001",
    "limits are rounded to whole units",
    lambda: each("Order", member("limit_price", lambda one: str(int(Decimal(one))))),
)
add(
    "ORD-001",
    "stops are a cent higher",
    lambda: each("Order", member("stop_price", lambda one: str(Decimal(one) + Decimal("0.01")))),
)
add(
    "ORD-001",
    "STOP_LIMIT is called STOP",
    lambda: each("Order", member("order_type", lambda one: one.replace("STOP_LIMIT", "STOP"))),
)
add("ORD-001", "DAY orders are called GTC", lambda: each("Order", setting(time_in_force="GTC")))

# -- what must be there, and what must not ---

for name, value in (
    ("symbol", "BTC/USD"),
    ("side", "BUY"),
    ("quantity", "1"),
    ("order_type", "LIMIT"),
):
    add("ORD-002", f"{name} has a default", partial(filled_in, name, value))
add(
    "ORD-028",
    "missing fields are called body",
    lambda: answer("submit_order", status=400).detail("field", "body"),
)
add("ORD-002", "missing fields answer 422", lambda: answer("submit_order", status=400).status(422))


def by_default(name: str, value: object) -> Mutation:
    """A field that is absent has a value."""
    return ask(
        lambda request: (
            request
            if request.fields.get(name) is not None
            else request.with_fields(**{name: value})
        ),
        "submit_order",
    )


add("ORD-003", "time_in_force defaults to DAY", lambda: by_default("time_in_force", "DAY"))
add(
    "ORD-003",
    "every lifetime is GTC",
    lambda: ask(lambda request: request.with_fields(time_in_force="GTC"), "submit_order"),
)
add("ORD-004", "limit_price has a default", lambda: filled_in("limit_price", "1.00"))
add(
    "ORD-029",
    "a missing limit_price is called price",
    lambda: refusal("limit_price").detail("field", "price"),
)
add(
    "ORD-029",
    "a missing limit_price is an INVALID_REQUEST",
    lambda: refusal("limit_price").code("INVALID_REQUEST"),
)
add(
    "ORD-004",
    "STOP_LIMIT needs no limit_price",
    lambda: forgiving(
        lambda request: (
            request.with_fields(limit_price=request.fields["stop_price"])
            if request.fields.get("order_type") == "STOP_LIMIT"
            else request
        ),
        "submit_order",
        field="limit_price",
    ),
)
add("ORD-005", "stop_price has a default", lambda: filled_in("stop_price", "999999.00"))
add(
    "ORD-030",
    "a missing stop_price is blamed on the type",
    lambda: refusal("stop_price").detail("field", "order_type"),
)
add(
    "ORD-005",
    "a missing stop_price answers 422",
    lambda: refusal("stop_price").status(422).code("ORDER_REJECTED"),
)
add(
    "ORD-006",
    "a stop_price of no use is ignored",
    lambda: left_out("stop_price", field="stop_price"),
)
add(
    "ORD-006",
    "a limit_price of no use is ignored",
    lambda: left_out("limit_price", field="limit_price"),
)
add(
    "ORD-006",
    "a trailing_distance of no use is ignored",
    lambda: left_out("trailing_distance", field="trailing_distance"),
)
add("ORD-007", "a quantity of nought is one lot", lambda: filled_in("quantity", "1"))
add("ORD-007", "a price of nought is the least one", lambda: filled_in("limit_price", "1.00"))
add(
    "ORD-007",
    "negative quantities lose their sign",
    lambda: forgiving(
        lambda request: request.with_fields(
            quantity=str(request.fields.get("quantity", "")).removeprefix("-")
        ),
        "submit_order",
        field="quantity",
    ),
)
add(
    "ORD-007",
    "what is not positive is blamed on the order",
    lambda: answer("submit_order", status=400, code="INVALID_VALUE").detail("field", "order"),
)
add("ORD-008", "IOC on a stop means GTC", lambda: filled_in("time_in_force", "GTC"))
add(
    "ORD-008",
    "IOC on a stop answers 501",
    lambda: refusal("time_in_force").status(501).code("UNSUPPORTED_OPERATION"),
)
add(
    "ORD-008",
    "IOC on a limit is refused",
    lambda: instead(
        lambda request: request.fields.get("time_in_force") == "IOC",
        lambda _: failing(400, "INVALID_VALUE", field="time_in_force"),
    ),
)


# -- ORD-013, ORD-014: what holds of every order ---

add(
    "ORD-013",
    "what is left never shrinks",
    lambda: each("Order", lambda one: one | {"remaining_quantity": one["quantity"]}),
)
add(
    "ORD-013",
    "nothing is left of what is cancelled",
    lambda: each(
        "Order", when(lambda one: one["status"] == "CANCELLED", setting(remaining_quantity="0"))
    ),
)
add(
    "ORD-013",
    "a FILLED order is PARTIALLY_FILLED",
    lambda: each(
        "Order", when(lambda one: one["status"] == "FILLED", setting(status="PARTIALLY_FILLED"))
    ),
)


class Revived:
    """A change of a terminal order is accepted, and shows."""

    def __init__(self) -> None:
        self._changes: dict[str, Body] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Keep what was refused with 409, and show it from then on."""
        response = forward(request)
        if request.names("modify_order") and response.status == 409:
            self._changes[request.last_segment] = request.fields | {"updated_at": NEVER}
            return response
        shown = each("Order", lambda one: one | self._changes.get(one["id"], {}))
        return shown(request, lambda _: response)


NEVER: Final = "2030-01-01T00:00:00Z"
add("ORD-014", "a refused change of a terminal order shows", Revived)


def deleted_again(request: Request, response: Response) -> list[str]:
    """The terminal order that a DELETE found."""
    terminal = (
        request.names("cancel_order") and response.status == 200 and not response.json["success"]
    )
    return [response.json["order"]["id"]] if terminal else []


add(
    "ORD-014",
    "a FILLED order can become CANCELLED",
    lambda: Marks(deleted_again, setting(status="CANCELLED")),
)
add(
    "ORD-014",
    "a second DELETE changes the time of an order",
    lambda: Marks(deleted_again, setting(updated_at=NEVER)),
)

# -- ORD-027: restarts ---


def forget_everything(server: Server, _: Mapping[str, str]) -> None:
    """Starts anew with an empty database."""
    server.stop()
    for file in Path(server.database).parent.glob(server.database.name + "*"):
        file.unlink()
    server.start()


def cancel_everything(server: Server, headers: Mapping[str, str]) -> None:
    """Cancels what was open."""
    with Client(server.url, headers) as client:
        client.send("DELETE", "/orders")


def lose_the_legs(server: Server, headers: Mapping[str, str]) -> None:
    """Cancels what has a parent."""
    _cancel(server, headers, lambda order: order.get("parent_order_id") is not None)


def lose_the_profits(server: Server, headers: Mapping[str, str]) -> None:
    """Cancels the LIMIT legs alone."""
    _cancel(
        server, headers, lambda one: one.get("parent_order_id") and one["order_type"] == "LIMIT"
    )


def _cancel(server: Server, headers: Mapping[str, str], lost: Callable[[Body], Any]) -> None:
    with Client(server.url, headers) as client:
        for order in client.send("GET", "/orders").body:
            if lost(order):
                client.send("DELETE", f"/orders/{order['id']}")


TABLE.add_forgetful("ORD-027", "a restart forgets everything", forget_everything)
TABLE.add_forgetful("ORD-027", "a restart cancels open orders", cancel_everything)
TABLE.add_forgetful("BRK-005", "a restart loses the legs of brackets", lose_the_legs)
TABLE.add_forgetful("BRK-005", "a restart loses the profits of brackets", lose_the_profits)
