"""Wrong lists: what they hold, in which order, page by page."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from contract_tests.mutants.kit import (
    Answers,
    answer,
    ask,
    blind_to,
    each,
    forgiving,
    instead,
    listed,
    member,
    reading,
    setting,
)
from contract_tests.mutants.messages import (
    Body,
    Forward,
    Mutation,
    Request,
    Response,
    answering,
)
from contract_tests.mutants.mutant import Table

TABLE: Final = Table()
add = TABLE.add
ORDERS: Final = ("list_orders", "get_order_history")
LISTS: Final = (*ORDERS, "list_trades")
TERMINAL: Final = ("FILLED", "CANCELLED", "REJECTED", "EXPIRED")

# -- which orders ---


def by_default(**parameters: str) -> Mutation:
    """GET /orders as if the client had asked for more than it did."""

    def changed(request: Request) -> Request:
        for name, value in parameters.items():
            if request.parameter(name) is None:
                request = request.with_parameter(name, value)
        return request

    return ask(changed, "list_orders")


add(
    "LST-001",
    "without status cancelled orders are listed too",
    lambda: by_default(status="PENDING,OPEN,PARTIALLY_FILLED,PENDING_CANCEL,CANCELLED"),
)
add(
    "LST-001",
    "without status all orders are listed",
    lambda: by_default(status="OPEN," + ",".join(TERMINAL)),
)
add(
    "LST-001",
    "without status only partially filled orders are listed",
    lambda: by_default(status="PARTIALLY_FILLED"),
)


def last_status(request: Request) -> Request:
    """Of several states the last alone."""
    states = [value for name, value in request.query if name == "status"]
    return request.with_parameter("status", states[-1].split(",")[-1]) if states else request


def first_status(request: Request) -> Request:
    """Of several states the first alone."""
    state = request.parameter("status")
    return request if state is None else request.with_parameter("status", state.split(",")[0])


def open_only(order: Body) -> Body | None:
    """An order that is not terminal."""
    return None if order["status"] in TERMINAL else order


add("LST-002", "status is not looked at", lambda: blind_to("status", "list_orders"))
add("LST-002", "of several states the first counts", lambda: ask(first_status, "list_orders"))
add("LST-002", "of several states the last counts", lambda: ask(last_status, "list_orders"))
add("LST-013", "terminal states list nothing", lambda: each("Order", open_only, "list_orders"))
add(
    "LST-013",
    "CANCELLED means EXPIRED",
    lambda: ask(
        lambda request: request.with_query(
            (name, value.replace("CANCELLED", "EXPIRED")) for name, value in request.query
        ),
        "list_orders",
    ),
)
for parameter in ("symbol", "side", "client_order_id", "oco_group_id"):
    add(
        "LST-003",
        f"{parameter} is not looked at",
        partial(blind_to, parameter, "list_orders"),
    )


def only_one_filter(request: Request) -> Request:
    """A client_order_id makes all other filters void."""
    given = request.parameter("client_order_id") is not None
    return request.without_parameter("side", "symbol", "status") if given else request


add("LST-003", "filters do not combine", lambda: ask(only_one_filter, "list_orders"))
add("LST-003", "SELL finds BUY", lambda: reading("side", lambda _: "BUY", "list_orders"))
add(
    "LST-003",
    "a client id finds nothing",
    lambda: reading("client_order_id", lambda v: v[:60] + "-x", "list_orders"),
)


def later(text: str, microseconds: int = 1) -> str:
    """A time a moment later."""
    moment = datetime.fromisoformat(text) + timedelta(microseconds=microseconds)
    return moment.isoformat()


add("LST-012", "since excludes its own time", lambda: reading("since", later, "list_orders"))
add("LST-004", "until includes its own time", lambda: reading("until", later, "list_orders"))
add("LST-004", "since is not looked at", lambda: blind_to("since", "list_orders"))
add("LST-004", "until is not looked at", lambda: blind_to("until", "list_orders"))


def one_more(request: Request) -> Request:
    """One item more than was asked for."""
    limit = request.parameter("limit")
    return request.with_parameter("limit", str(int(limit) + 1)) if limit in {"1", "2"} else request


add("LST-005", "a page has one order too many", lambda: ask(one_more, "list_orders"))
add("LST-005", "limit is not looked at", lambda: blind_to("limit", "list_orders"))
add("LST-005", "the history has no limit", lambda: blind_to("limit", "get_order_history"))

# -- in which order, and pages ---


def backwards(*operations: str) -> Mutation:
    """Oldest first."""
    return listed(lambda found: found[::-1], *operations)


add("LST-006", "open orders are oldest first", lambda: backwards("list_orders"))
add("LST-006", "past orders are oldest first", lambda: backwards("get_order_history"))
add("LST-006", "trades are oldest first", lambda: backwards("list_trades"))


def keeps_the_oldest(request: Request, forward: Forward) -> Response:
    """A limit keeps the end of the list."""
    limit = request.parameter("limit")
    if not request.names("list_orders") or limit is None or not limit.isdigit():
        return forward(request)
    response = forward(request.with_parameter("limit", "1000"))
    found = response.json
    return response.with_json(found[-int(limit) :]) if isinstance(found, list) else response


add("LST-006", "limit keeps the oldest orders", lambda: keeps_the_oldest)


def whole_seconds(text: str) -> str:
    """A time without its fraction."""
    return text[:19] + "Z"


add(
    "LST-007",
    "orders are created in whole seconds",
    lambda: each("Order", member("created_at", whole_seconds)),
)
add(
    "LST-007",
    "trades are made in whole seconds",
    lambda: each("Trade", member("timestamp", whole_seconds)),
)
add("LST-008", "a truncated list has no Link", lambda: answer("list_orders").without("Link"))
add(
    "LST-008",
    "a complete list has a Link",
    lambda: answer("list_orders").then(
        lambda request, found: (
            found
            if found.header("Link")
            else found.with_header("Link", f'<{request.target}>; rel="next"')
        )
    ),
)
add(
    "LST-008",
    "the Link leads to the same page",
    lambda: answer("list_orders").then(
        lambda request, found: (
            found.with_header("Link", f'<{request.target}>; rel="next"')
            if found.header("Link")
            else found
        )
    ),
)
add(
    "LST-009",
    "a limit of nought means one",
    lambda: forgiving(lambda request: request.with_parameter("limit", "1"), *ORDERS, field="limit"),
)
add(
    "LST-009",
    "a limit above the highest means the highest",
    lambda: forgiving(
        lambda request: request.with_parameter("limit", "1000"), "list_trades", field="limit"
    ),
)
add(
    "LST-009",
    "a hundred past orders are listed by default",
    lambda: ask(
        lambda request: (
            request if request.parameter("limit") else request.with_parameter("limit", "100")
        ),
        "get_order_history",
    ),
)
add(
    "LST-009",
    "a thousand past orders are listed by default",
    lambda: ask(
        lambda request: (
            request if request.parameter("limit") else request.with_parameter("limit", "1000")
        ),
        "get_order_history",
    ),
)


def backwards_window(request: Request) -> bool:
    """Whether a window ends before it begins."""
    since, until = request.parameter("since"), request.parameter("until")
    return since is not None and until is not None and since > until


def nothing_in(*operations: str) -> Mutation:
    """A window that ends before it begins holds nothing."""
    return instead(
        lambda request: request.names(*operations) and backwards_window(request),
        lambda _: answering(200, []),
    )


add("LST-010", "a window backwards is empty", lambda: nothing_in(*LISTS))
add("LST-010", "a window backwards over trades is empty", lambda: nothing_in("list_trades"))

# -- the history ---


def with_open_orders(request: Request, forward: Forward) -> Response:
    """The history begins with the orders that are open."""
    response = forward(request)
    if not request.names("get_order_history") or response.status != 200:
        return response
    target = request.target.replace("/orders/history", "/orders")
    found = forward(request.asking("GET", target)).json
    return response.with_json(found + response.json if isinstance(found, list) else response.json)


add("LST-011", "the history lists open orders too", lambda: with_open_orders)
for parameter in ("side", "status", "since", "until", "client_order_id"):
    add(
        "LST-011",
        f"the history does not look at {parameter}",
        partial(blind_to, parameter, "get_order_history"),
    )
add(
    "LST-011",
    "the history forgets what was cancelled",
    lambda: each(
        "Order", lambda one: None if one["status"] == "CANCELLED" else one, "get_order_history"
    ),
)

# -- one order and the lists ---

add(
    "GET-001",
    "an unknown order is null",
    lambda: unknown_order().then(lambda *_: answering(200, None)),
)
add("GET-001", "an unknown order is a NOT_FOUND", lambda: unknown_order().code("NOT_FOUND"))
add("GET-001", "an unknown order is not named", lambda: unknown_order().without_details())
add(
    "GET-001",
    "an unknown order is called a position",
    lambda: unknown_order().detail("resource", "position"),
)


def unknown_order(*operations: str) -> Answers:
    """Refusals of an unknown order."""
    return answer(*(operations or ("get_order",)), status=404)


class OldNews:
    """The list shows orders as they were when it first saw them."""

    def __init__(self) -> None:
        self._first: dict[str, Body] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Remember every order where it is read, and list it as it was then."""
        response = forward(request)
        if request.names("get_order", "list_orders", "modify_order"):
            remember = each("Order", self._kept if request.names("list_orders") else self._seen)
            return remember(request, lambda _: response)
        return response

    def _seen(self, order: Body) -> Body:
        self._first.setdefault(order["id"], order)
        return order

    def _kept(self, order: Body) -> Body:
        return self._first.setdefault(order["id"], order)


add("GET-002", "the list shows orders as they once were", OldNews)
add(
    "GET-002",
    "the list leaves client ids out",
    lambda: each("Order", setting(time_in_force="DAY"), "list_orders"),
)
add(
    "GET-002",
    "the history rounds times",
    lambda: each("Order", member("updated_at", whole_seconds), "get_order_history"),
)
add(
    "GET-002",
    "an order is listed twice",
    lambda: listed(lambda found: [one for one in found for _ in range(2)][:1000], "list_orders"),
)

# -- trades ---

add(
    "TRD-001",
    "trades are listed twice",
    lambda: listed(lambda found: [one for one in found for _ in range(2)], "list_trades"),
)
add(
    "TRD-001",
    "the newest trade is missing where all are listed",
    lambda: answer("list_trades").then(
        lambda request, found: (
            found if request.parameter("order_id") else found.with_json(found.json[1:])
        )
    ),
)
add(
    "TRD-001",
    "trades have the side of the counterparty",
    lambda: each("Trade", member("side", lambda side: "SELL" if side == "BUY" else "BUY")),
)
add(
    "TRD-001",
    "trades carry another order's id",
    lambda: each("Trade", member("order_id", lambda one: one[::-1])),
)
add(
    "TRD-001",
    "trades write symbols without a slash",
    lambda: each("Trade", member("symbol", lambda one: one.replace("/", ""))),
)
add("TRD-002", "order_id is not looked at", lambda: blind_to("order_id", "list_trades"))
add("TRD-002", "symbol is not looked at in trades", lambda: blind_to("symbol", "list_trades"))


def order_alone(request: Request) -> Request:
    """With an order_id no symbol counts."""
    return request.without_parameter("symbol") if request.parameter("order_id") else request


add("TRD-002", "filters of trades do not combine", lambda: ask(order_alone, "list_trades"))
add("TRD-003", "since excludes its own trade", lambda: reading("since", later, "list_trades"))
add("TRD-003", "until includes its own trade", lambda: reading("until", later, "list_trades"))
add("TRD-003", "since is not looked at in trades", lambda: blind_to("since", "list_trades"))
add("TRD-003", "until is not looked at in trades", lambda: blind_to("until", "list_trades"))
add(
    "TRD-004",
    "the first of several trades is missing",
    lambda: answer("list_trades").then(
        lambda request, found: (
            found.with_json(found.json[:-1])
            if request.parameter("order_id") and len(found.json) > 1
            else found
        )
    ),
)


def twice_as_much(trade: Body) -> Body:
    """A trade of twice the quantity."""
    return trade | {"quantity": str(float(trade["quantity"]) * 2)}


add("TRD-004", "trades show twice their quantity", lambda: each("Trade", twice_as_much))
