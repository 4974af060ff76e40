"""Wrong fills: when orders trade, at which price, how much, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from contract_tests.mutants.kit import (
    Change,
    Pretends,
    each,
    member,
    plus,
    quote_of,
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


class OfTheirOrders:
    """Trades changed by what their order is."""

    def __init__(self, change: Callable[[Body, Body], Body]) -> None:
        self._change = change

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Look up the order of each trade, and change the trade by it."""

        def changed(trade: Body) -> Body:
            order = forward(request.asking("GET", f"/orders/{trade['order_id']}")).json
            return self._change(trade, order)

        return each("Trade", changed)(request, forward)


def of_type(order_type: str, change: Change) -> OfTheirOrders:
    """Trades of orders of a type changed."""
    return OfTheirOrders(
        lambda trade, order: (
            (change(trade) or trade) if order["order_type"] == order_type else trade
        )
    )


def worse(factor: str) -> Change:
    """A price that is worse for whoever trades."""

    def changed(trade: Body) -> Body:
        step = Decimal(factor) if trade["side"] == "BUY" else 2 - Decimal(factor)
        return trade | {"price": format(Decimal(trade["price"]) * step, "f")}

    return changed


# -- ORD-015, ORD-016 ---


add(
    "ORD-015",
    "the average is rounded to a whole",
    lambda: each("Order", member("average_fill_price", lambda v: str(round(Decimal(v))))),
)
add(
    "ORD-015",
    "the average is the limit",
    lambda: each(
        "Order",
        when(
            lambda one: one.get("limit_price") is not None and some_filled(one),
            lambda one: one | {"average_fill_price": times("1.001")(one["limit_price"])},
        ),
    ),
)
add(
    "ORD-015",
    "the notional includes a commission",
    lambda: each("Order", member("filled_notional", times("1.0005"))),
)
add(
    "ORD-015",
    "the notional is that of the whole order",
    lambda: each(
        "Order",
        when(
            lambda one: one.get("average_fill_price") is not None,
            lambda one: (
                one | {"filled_notional": times(one["quantity"])(one["average_fill_price"])}
            ),
        ),
    ),
)
add(
    "ORD-016",
    "MARKET orders pay a cent more",
    lambda: of_type("MARKET", lambda one: one | {"price": plus("0.01")(one["price"])}),
)
add(
    "ORD-016",
    "MARKET orders trade better than the touch",
    lambda: of_type("MARKET", worse("0.9999")),
)
add(
    "ORD-016",
    "the rest of a MARKET order is cancelled",
    lambda: Pretends(
        lambda request: request.with_fields(time_in_force="IOC"),
        "order_type",
        given=with_field("order_type", "MARKET"),
    ),
)
add(
    "ORD-016",
    "a MARKET order fills whole at once",
    lambda: each(
        "Order",
        when(
            lambda one: one["order_type"] == "MARKET" and one["status"] == "PARTIALLY_FILLED",
            lambda one: (
                one
                | {
                    "status": "FILLED",
                    "filled_quantity": one["quantity"],
                    "remaining_quantity": "0",
                }
            ),
        ),
    ),
)
add(
    "ORD-016",
    "SELL orders trade a cent below the bid",
    lambda: OfTheirOrders(
        lambda trade, order: (
            trade | {"price": plus("-0.01")(trade["price"])} if order["side"] == "SELL" else trade
        )
    ),
)

# -- LIMIT orders ---

add("ORD-017", "LIMIT orders trade worse than their limit", lambda: of_type("LIMIT", worse("1.05")))


def one_tick_beyond(trade: Body, order: Body) -> Body:
    """A LIMIT order trades a hundredth beyond its limit."""
    if order["order_type"] != "LIMIT":
        return trade
    step = "0.01" if order["side"] == "BUY" else "-0.01"
    return trade | {"price": plus(step)(order["limit_price"])}


add(
    "ORD-017",
    "LIMIT orders trade a cent beyond their limit",
    lambda: OfTheirOrders(one_tick_beyond),
)
add(
    "ORD-018", "a taking LIMIT order is called maker", lambda: each("Trade", setting(is_maker=True))
)


def at_the_limit(trade: Body, order: Body) -> Body:
    """A LIMIT order trades at its limit, never better."""
    return trade | {"price": order["limit_price"]} if order["order_type"] == "LIMIT" else trade


add("ORD-018", "a taking LIMIT order trades at its limit", lambda: OfTheirOrders(at_the_limit))
add("ORD-018", "a marketable LIMIT order rests at first", lambda: Delayed("LIMIT"))


class Delayed:
    """An order of a type is shown as resting where it is read for the first time."""

    def __init__(self, order_type: str) -> None:
        self._type = order_type
        self._seen: set[str] = set()

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Show an order as resting once, whatever it did."""
        shown = each("Order", when(self._is_new, self._resting), "get_order", "modify_order")
        return shown(request, forward)

    def _is_new(self, order: Body) -> bool:
        new = order["id"] not in self._seen
        self._seen.add(order["id"])
        return new and order["order_type"] == self._type and some_filled(order)

    @staticmethod
    def _resting(order: Body) -> Body:
        left = {"filled_quantity": "0", "remaining_quantity": order["quantity"]}
        return (
            order | {"status": "OPEN", "average_fill_price": None, "filled_notional": None} | left
        )


add(
    "ORD-019",
    "a resting LIMIT order is called taker",
    lambda: each("Trade", setting(is_maker=False)),
)
add(
    "ORD-019",
    "a resting LIMIT order trades better than its limit",
    lambda: OfTheirOrders(
        lambda trade, _: (worse("0.999")(trade) or trade) if trade["is_maker"] else trade
    ),
)

# -- stops ---


def reached(request: Request, forward: Forward) -> bool:
    """Whether a STOP order is reached on arrival."""
    body = request.fields
    if body.get("order_type") not in {"STOP", "STOP_LIMIT"}:
        return False
    quote = quote_of(request, forward, body["symbol"])
    if body["side"] == "BUY":
        return Decimal(quote["ask"]) >= Decimal(body["stop_price"])
    return Decimal(quote["bid"]) <= Decimal(body["stop_price"])


def far_away(request: Request) -> Request:
    """The same stop where nothing reaches it."""
    return request.with_fields(
        stop_price="999999.00" if request.fields["side"] == "BUY" else "0.01"
    )


def stop_is(order_type: str) -> Callable[[Request, Forward], bool]:
    """Whether a stop of that type is reached on arrival."""
    return lambda request, forward: (
        request.fields.get("order_type") == order_type and reached(request, forward)
    )


add(
    "ORD-020",
    "a stop that is reached on arrival rests",
    lambda: Pretends(far_away, "stop_price", given=stop_is("STOP")),
)
add(
    "ORD-020",
    "stops never tell that they triggered",
    lambda: each("Order", setting(triggered=False)),
)
add(
    "ORD-020",
    "every stop tells that it triggered",
    lambda: each("Order", when(lambda one: one["order_type"] == "STOP", setting(triggered=True))),
)
add(
    "ORD-020",
    "a stop fills at its stop price",
    lambda: OfTheirOrders(
        lambda trade, order: (
            trade | {"price": order["stop_price"]} if order["order_type"] == "STOP" else trade
        )
    ),
)
add(
    "ORD-020",
    "a stop a tick away triggers at once",
    lambda: Pretends(
        lambda request: request.with_fields(
            stop_price="0.01" if request.fields["side"] == "BUY" else "999999.00"
        ),
        "stop_price",
        given=lambda request, forward: (
            request.fields.get("order_type") == "STOP" and near(request, forward)
        ),
    ),
)


def near(request: Request, forward: Forward) -> bool:
    """Whether a stop is within a hundredth of the market."""
    quote = quote_of(request, forward, request.fields["symbol"])
    stop = Decimal(request.fields["stop_price"])
    return abs(stop / Decimal(quote["ask"]) - 1) < Decimal("0.01")


add(
    "ORD-021",
    "a triggered STOP_LIMIT is a MARKET order",
    lambda: Pretends(
        lambda request: request.with_fields(order_type="STOP").without_fields("limit_price"),
        "order_type",
        "limit_price",
        given=stop_is("STOP_LIMIT"),
    ),
)
add(
    "ORD-021",
    "a STOP_LIMIT that is reached on arrival rests",
    lambda: Pretends(far_away, "stop_price", given=stop_is("STOP_LIMIT")),
)
add(
    "ORD-021",
    "a STOP_LIMIT never tells that it triggered",
    lambda: each(
        "Order", when(lambda one: one["order_type"] == "STOP_LIMIT", setting(triggered=False))
    ),
)

# -- lifetimes ---


def instead_of(lifetime: str, other: str) -> Pretends:
    """A lifetime is another in truth."""
    return Pretends(
        lambda request: request.with_fields(time_in_force=other),
        "time_in_force",
        given=with_field("time_in_force", lifetime),
    )


add(
    "ORD-022",
    "IOC is GTC",
    lambda: Pretends(
        lambda request: request.with_fields(time_in_force="GTC"),
        "time_in_force",
        given=lambda request, _: (
            request.fields.get("time_in_force") == "IOC" and request.fields["order_type"] == "LIMIT"
        ),
    ),
)
add("ORD-022", "IOC is FOK", lambda: instead_of("IOC", "FOK"))
add(
    "ORD-022",
    "an IOC order tells none of its fills",
    lambda: each(
        "Order",
        when(
            lambda one: one["time_in_force"] == "IOC",
            lambda one: one | {"filled_quantity": "0", "remaining_quantity": one["quantity"]},
        ),
    ),
)
add(
    "ORD-022",
    "what is left of an IOC order stays open",
    lambda: each(
        "Order",
        when(
            lambda one: (
                one["time_in_force"] == "IOC" and one["status"] == "CANCELLED" and some_filled(one)
            ),
            setting(status="PARTIALLY_FILLED"),
        ),
    ),
)
add("ORD-023", "FOK is IOC", lambda: instead_of("FOK", "IOC"))
add("ORD-023", "FOK is GTC", lambda: instead_of("FOK", "GTC"))
add(
    "ORD-023",
    "FOK is IOC for MARKET orders",
    lambda: Pretends(
        lambda request: request.with_fields(time_in_force="IOC"),
        "time_in_force",
        given=lambda request, _: (
            request.fields.get("time_in_force") == "FOK"
            and request.fields["order_type"] == "MARKET"
        ),
    ),
)
add("ORD-024", "DAY is GTC", lambda: instead_of("DAY", "GTC"))
add(
    "ORD-024",
    "what expires is CANCELLED",
    lambda: each(
        "Order", when(lambda one: one["status"] == "EXPIRED", setting(status="CANCELLED"))
    ),
)
add(
    "ORD-024",
    "what expires is in no list",
    lambda: each(
        "Order", lambda one: None if one["status"] == "EXPIRED" else one, "get_order_history"
    ),
)
add(
    "ORD-024",
    "DAY orders do not tell when they expire",
    lambda: each("Order", setting(expires_at=None)),
)
