"""Wrong positions, in accounts that net and that hedge."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Final

from contract_tests.mutants.kit import (
    Answers,
    Change,
    answer,
    ask,
    each,
    forgiving,
    ignoring,
    listed,
    member,
    plus,
    setting,
    times,
    unknown_is,
    unknown_is_invalid,
    unknown_is_unnamed,
    when,
)
from contract_tests.mutants.messages import (
    Body,
    Forward,
    Request,
    Response,
    answering,
)
from contract_tests.mutants.mutant import Table

TABLE: Final = Table()
add = TABLE.add


def positions(change: Change, *operations: str) -> Answers:
    """Every position changed."""
    return each("Position", change, *operations)


def of_side(side: str, change: Change) -> Answers:
    """Positions of a side changed."""
    return positions(when(lambda one: one["side"] == side, change))


# -- which positions ---


class Lingering:
    """What is closed stays in the list, with nothing in it."""

    def __init__(self) -> None:
        self._seen: dict[str, Body] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Remember every position, and list what is gone as empty."""
        response = forward(request)
        if not request.names("list_positions") or response.status != 200:
            return response
        wanted = request.parameter("symbol")
        found = {one["id"]: one for one in response.json}
        gone = [one | {"quantity": "0"} for key, one in self._seen.items() if key not in found]
        self._seen |= found
        kept = [one for one in gone if wanted in (None, one["symbol"])]
        return response.with_json([*found.values(), *kept])


add("POS-001", "closed positions stay in the list", Lingering)
add(
    "POS-001",
    "symbol is not looked at in positions",
    lambda: ask(lambda request: request.without_parameter("symbol"), "list_positions"),
)
add(
    "POS-001",
    "the newest position is not in the whole list",
    lambda: answer("list_positions").then(
        lambda request, found: (
            found if request.parameter("symbol") else found.with_json(found.json[1:])
        )
    ),
)
add(
    "POS-001",
    "positions of a symbol with a slash are not found",
    lambda: answer("list_positions").then(
        lambda request, found: (
            found.with_json([]) if "/" in (request.parameter("symbol") or "") else found
        )
    ),
)


def split(found: list[Body]) -> list[Body]:
    """Each position in two halves."""
    return [
        one | {"id": one["id"][:-1] + end, "quantity": times("0.5")(one["quantity"])}
        for one in found
        for end in "ab"
    ]


add("POS-002", "every fill makes a position of its own", lambda: listed(split, "list_positions"))
add(
    "POS-003",
    "the average entry is the mark",
    lambda: positions(lambda one: one | {"average_entry_price": one["current_price"]}),
)
add(
    "POS-003",
    "the average entry is rounded to a whole",
    lambda: positions(member("average_entry_price", lambda v: str(round(Decimal(v))))),
)


class FirstEntry:
    """The average entry is the price of the first fill."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Find the oldest trade that made a position."""

        def kept(position: Body) -> Body:
            if position["id"] not in self._first:
                trades = forward(
                    request.asking(
                        "GET", f"/trades?since={position['opened_at'].replace('+', '%2B')}"
                    )
                ).json
                own = [one["price"] for one in trades if one["symbol"] == position["symbol"]]
                self._first[position["id"]] = own[-1] if own else position["average_entry_price"]
            return position | {"average_entry_price": self._first[position["id"]]}

        return positions(kept)(request, forward)


add("POS-003", "the average entry is that of the first fill", FirstEntry)
add(
    "POS-003",
    "reducing changes the average entry",
    lambda: positions(
        when(
            lambda one: Decimal(one["realized_pnl"]) != 0,
            lambda one: one | {"average_entry_price": plus("0.01")(one["average_entry_price"])},
        )
    ),
)
add(
    "POS-004",
    "realized profit has the wrong sign",
    lambda: positions(member("realized_pnl", times("-1"))),
)
add(
    "POS-004",
    "realized profit of SHORT positions has the wrong sign",
    lambda: of_side("SHORT", member("realized_pnl", times("-1"))),
)
add(
    "POS-004",
    "realized profit is rounded to a whole",
    lambda: positions(member("realized_pnl", lambda v: str(round(Decimal(v))))),
)
add("POS-004", "nothing is ever realized", lambda: positions(setting(realized_pnl="0")))
add(
    "POS-004",
    "a reduced position has a new id",
    lambda: positions(
        when(
            lambda one: Decimal(one["realized_pnl"]) != 0, lambda one: one | {"id": one["id"][::-1]}
        )
    ),
)


class SameId:
    """A position that flips keeps its id."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Show the first id that a symbol had."""
        return positions(lambda one: one | {"id": self._ids.setdefault(one["symbol"], one["id"])})(
            request, forward
        )


add("POS-005", "a position that flips keeps its id", SameId)


class KeptSide:
    """A position shows the side that its symbol had first."""

    def __init__(self) -> None:
        self._sides: dict[str, str] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Remember the first side of each symbol."""
        return positions(
            lambda one: one | {"side": self._sides.setdefault(one["symbol"], one["side"])}
        )(request, forward)


add("POS-005", "a position that flips keeps its side", KeptSide)
add(
    "POS-005",
    "a position that flips holds the whole order",
    lambda: positions(member("quantity", times("1.5"))),
)


add(
    "POS-006",
    "unrealized profit has the wrong sign",
    lambda: positions(member("unrealized_pnl", times("-1"))),
)
add(
    "POS-006",
    "unrealized profit of SHORT positions has the wrong sign",
    lambda: of_side("SHORT", member("unrealized_pnl", times("-1"))),
)
add(
    "POS-006",
    "positions are marked at their entry",
    lambda: positions(
        lambda one: one | {"current_price": one["average_entry_price"], "unrealized_pnl": "0"}
    ),
)


class MarkedAt:
    """Positions are marked at one side of the quote."""

    def __init__(self, side: str) -> None:
        self._side = side

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Take the mark from the quote, and the profit from the mark."""

        def marked(one: Body) -> Body:
            path = "/quotes/" + one["symbol"].replace("/", "%2F")
            mark = Decimal(forward(request.asking("GET", path)).json[self._side])
            entry, quantity = Decimal(one["average_entry_price"]), Decimal(one["quantity"])
            pnl = (mark - entry) * quantity * (1 if one["side"] == "LONG" else -1)
            return one | {"current_price": str(mark), "unrealized_pnl": format(pnl, "f")}

        return positions(marked)(request, forward)


add("POS-006", "all positions are marked at the ask", lambda: MarkedAt("ask"))
add("POS-006", "all positions are marked at the bid", lambda: MarkedAt("bid"))
add("POS-006", "positions are marked at the last price", lambda: MarkedAt("last"))
for status_of, details_of, operation in (
    ("POS-007", "POS-008", "get_position"),
    ("CLO-007", "CLO-011", "close_position"),
):
    add(
        status_of,
        f"{operation} of an unknown position answers 400",
        partial(unknown_is_invalid, operation),
    )
    add(
        details_of,
        f"{operation} of an unknown position is an ORDER_NOT_FOUND",
        partial(unknown_is, "ORDER_NOT_FOUND", operation),
    )
    add(
        details_of,
        f"{operation} of an unknown position does not name it",
        partial(unknown_is_unnamed, operation),
    )
add(
    "POS-007",
    "a position alone is older than in the list",
    lambda: positions(setting(realized_pnl="1"), "get_position"),
)
add(
    "POS-007",
    "an unknown position is null",
    lambda: answer("get_position", status=404).then(lambda *_: answering(200, None)),
)

# -- hedging ---

add("HDG-001", "position_id is ignored", lambda: ignoring("position_id"))


class Sharing:
    """An opening order without position_id adds to the position of its side."""

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Name the first position of the side."""
        body = request.fields
        if request.names("submit_order") and not body.get("position_id"):
            side = "LONG" if body.get("side") == "BUY" else "SHORT"
            held = forward(request.asking("GET", "/positions")).json
            own = [
                one["id"]
                for one in held
                if (one["symbol"], one["side"]) == (body.get("symbol"), side)
            ]
            return forward(request.with_fields(position_id=own[0]) if own else request)
        return forward(request)


add("HDG-001", "orders of one side share a position", Sharing)
add("HDG-001", "closing a position closes the other side too", lambda: closing_the_symbol)
add(
    "HDG-001",
    "an unknown position_id is ignored",
    lambda: forgiving(
        lambda request: request.without_fields("position_id"),
        "submit_order",
        status=422,
        reject_reason="POSITION_NOT_FOUND",
    ),
)
add(
    "HDG-002",
    "an order that was to add outlives its position",
    lambda: ignoring(
        "position_id", given=lambda request, _: request.fields["order_type"] == "LIMIT"
    ),
)


def closing_the_symbol(request: Request, forward: Forward) -> Response:
    """With a position all others of its symbol are closed."""
    if not request.names("close_position"):
        return forward(request)
    position = forward(request.asking("GET", request.path)).fields
    response = forward(request)
    if response.status == 200:
        symbol = position["symbol"].replace("/", "%2F")
        forward(request.asking("DELETE", f"/positions?symbol={symbol}"))
    return response
