"""Pieces of which wrongs are made: each is a mutation, and mutations can be put in a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from typing import Any, Final
from urllib.parse import quote as percent

from contract_tests.mutants.messages import (
    Body,
    Forward,
    Mutation,
    Request,
    Response,
)
from contract_tests.spec import VERSION_PREFIX

Edit = Callable[[Request, Response], Response]
Where = Callable[[Request, Response], bool]
Change = Callable[[Body], Body | None]
"""What becomes of an object of an answer; None takes it out of its list."""

SUCCESS: Final = frozenset({200, 201})
REFUSAL: Final = frozenset({400, 404, 405, 409, 413, 415, 422})


# -- answers ---


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers that a wrong concerns, and what becomes of them, edit by edit."""

    where: Where
    edits: tuple[Edit, ...] = ()

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Forward, and change the answer where it is concerned."""
        response = forward(request)
        if not self.where(request, response):
            return response
        return reduce(lambda found, edit: edit(request, found), self.edits, response)

    def then(self, edit: Edit) -> Answers:
        """With one more edit."""
        return replace(self, edits=(*self.edits, edit))

    def status(self, status: int) -> Answers:
        """With another status."""
        return self.then(lambda _, found: found.with_status(status))

    def header(self, name: str, value: str | None) -> Answers:
        """With a header set, or taken away by None."""
        return self.then(lambda _, found: found.with_header(name, value))

    def without(self, header: str) -> Answers:
        """Without a header."""
        return self.header(header, None)

    def text(self, body: bytes) -> Answers:
        """With another body."""
        return self.then(lambda _, found: replace(found, body=body))

    def body(self, change: Callable[[Any], Any]) -> Answers:
        """With its decoded body changed."""
        return self.then(lambda _, found: found.with_json(change(found.json)))

    def with_members(self, **members: object) -> Answers:
        """With some members of its body set."""
        return self.body(lambda body: body | members)

    def dropping(self, *members: str) -> Answers:
        """Without some members of its body."""
        return self.body(lambda body: {k: v for k, v in body.items() if k not in members})

    def code(self, code: str) -> Answers:
        """With another error code."""
        return self.with_members(code=code)

    def detail(self, name: str, value: object) -> Answers:
        """With a member of details set."""
        return self.body(lambda body: body | {"details": (body["details"] or {}) | {name: value}})

    def without_details(self) -> Answers:
        """With details null."""
        return self.with_members(details=None)


def answer(
    *operations: str, status: int | frozenset[int] = SUCCESS, **error: str | None
) -> Answers:
    """Answers of some operations, or of all, with that status.

    `error` names members of an error: its code, or members of its details, such as field.
    """
    statuses = frozenset([status]) if isinstance(status, int) else status

    def where(request: Request, response: Response) -> bool:
        return (
            (not operations or request.names(*operations))
            and response.status in statuses
            and error.items() <= response.error.items()
        )

    return Answers(where)


HOLDS: Final = {
    "Order": ("get_order", "modify_order", "cancel_order", "list_orders", "get_order_history"),
    "Handle": ("submit_order", "close_position", "close_all_positions"),
    "Position": ("get_position", "modify_position", "list_positions"),
    "Trade": ("list_trades",),
    "Account": ("get_account",),
    "Quote": ("get_quote",),
    "Bar": ("get_bars",),
}
"""The operations whose answers hold objects of a schema."""


def each(kind: str, change: Change, *operations: str) -> Answers:
    """Every object of a kind, wherever it is answered or only by some operations."""

    def edit(request: Request, response: Response) -> Response:
        return response.with_json(_changed(request, response.json, change))

    return answer(*(operations or HOLDS[kind])).then(edit)


def _changed(request: Request, body: Any, change: Change) -> Any:
    if isinstance(body, list):
        return [new for new in map(change, body) if new is not None]
    if request.names("cancel_order"):
        return body | {"order": change(body["order"])}
    if request.names("modify_order") and request.path.startswith(VERSION_PREFIX):
        return (change(body) or {}) | {"order": change(body["order"])}
    return change(body)


def member(name: str, change: Callable[[Any], Any]) -> Change:
    """One member of an object changed, where it is neither null nor absent."""

    def changed(thing: Body) -> Body:
        return thing if thing.get(name) is None else thing | {name: change(thing[name])}

    return changed


def setting(**members: object) -> Change:
    """Some members of an object set."""
    return lambda thing: thing | members


def when(condition: Callable[[Body], bool], change: Change) -> Change:
    """The change of those objects alone that meet a condition."""
    return lambda thing: change(thing) if condition(thing) else thing


def listed(change: Callable[[list[Body]], list[Body]], *operations: str) -> Answers:
    """The lists of some operations, as wholes."""
    return answer(*operations).body(change)


# -- requests ---


def ask(change: Callable[[Request], Request], *operations: str) -> Mutation:
    """Requests of some operations, or of all, changed on their way in."""

    def mutation(request: Request, forward: Forward) -> Response:
        concerned = not operations or request.names(*operations)
        return forward(change(request) if concerned else request)

    return mutation


def blind_to(parameter: str, *operations: str) -> Mutation:
    """A query parameter is not looked at."""
    return ask(lambda request: request.without_parameter(parameter), *operations)


def reading(parameter: str, change: Callable[[str], str], *operations: str) -> Mutation:
    """A query parameter, where it is given, is read as something else."""

    def changed(request: Request) -> Request:
        value = request.parameter(parameter)
        return request if value is None else request.with_parameter(parameter, change(value))

    return ask(changed, *operations)


def forgiving(
    repair: Callable[[Request], Request],
    *operations: str,
    status: int = 400,
    **error: str | None,
) -> Mutation:
    """What must be refused is repaired and tried again."""
    refused = answer(*operations, status=status, **error).where

    def mutation(request: Request, forward: Forward) -> Response:
        response = forward(request)
        return forward(repair(request)) if refused(request, response) else response

    return mutation


def instead(concerned: Callable[[Request], bool], make: Callable[[Request], Response]) -> Mutation:
    """Some requests are answered without asking the server behind."""

    def mutation(request: Request, forward: Forward) -> Response:
        return make(request) if concerned(request) else forward(request)

    return mutation


def row(*mutations: Mutation) -> Mutation:
    """Several mutations, the first of them nearest to the client."""

    def wrap(outer: Mutation, inner: Mutation) -> Mutation:
        return lambda request, forward: outer(request, lambda asked: inner(asked, forward))

    return reduce(wrap, mutations)


# -- what is refused ---


def filled_in(name: str, value: object) -> Mutation:
    """A field of an order that is missing or wrong is given a value, and the order goes on."""
    return forgiving(
        lambda request: request.with_fields(**{name: value}), "submit_order", field=name
    )


def left_out(*names: str, status: int = 400, **error: str | None) -> Mutation:
    """Fields of an order that are wrong are ignored."""
    return forgiving(
        lambda request: request.without_fields(*names), "submit_order", status=status, **error
    )


def refusal(field: str, *operations: str) -> Answers:
    """Refusals with 400 that name a field."""
    return answer(*(operations or ("submit_order",)), status=400, field=field)


def rejection(reason: str, *operations: str) -> Answers:
    """Refusals with 422 for a reason."""
    return answer(*(operations or ("submit_order",)), status=422, reject_reason=reason)


def unknown(operation: str) -> Answers:
    """Refusals of something unknown."""
    return answer(operation, status=404)


def unknown_is_invalid(operation: str) -> Answers:
    """Something unknown is refused as if it were malformed."""
    return unknown(operation).status(400).code("INVALID_VALUE")


def unknown_is(code: str, operation: str) -> Answers:
    """Something unknown is refused with another code."""
    return unknown(operation).code(code)


def unknown_is_unnamed(operation: str) -> Answers:
    """What is unknown is not told."""
    return unknown(operation).without_details()


# -- with a memory ---


class Pretends:
    """Sends another order than the client did, and shows some fields as the client sent them."""

    def __init__(
        self,
        change: Callable[[Request], Request],
        *fields: str,
        given: Callable[[Request, Forward], bool] = lambda *_: True,
    ) -> None:
        self._change = change
        self._fields = fields
        self._given = given
        self._said: dict[str, Body] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Change what is submitted; show what was said wherever the order is read."""
        said = {k: v for k, v in request.fields.items() if k in self._fields and v is not None}
        if not (request.names("submit_order") and said and self._given(request, forward)):
            return self._shown(request, forward)
        response = forward(self._change(request))
        if response.status == 201:
            self._said[response.fields["id"]] = said
            mine = request.fields.get("client_order_id")
            return response.with_json(response.fields | {"client_order_id": mine})
        return response

    def _shown(self, request: Request, forward: Forward) -> Response:
        return each("Order", lambda order: order | self._said.get(order["id"], {}))(
            request, forward
        )


def ignoring(*fields: str, given: Callable[[Request, Forward], bool] = lambda *_: True) -> Pretends:
    """Fields of a new order are accepted, shown, and have no effect."""
    return Pretends(lambda request: request.without_fields(*fields), *fields, given=given)


def with_field(name: str, *values: object) -> Callable[[Request, Forward], bool]:
    """Whether a field of the request has one of these values."""
    return lambda request, _: request.fields.get(name) in values


class Marks:
    """Remembers orders by what happened to them, and shows those otherwise from then on."""

    def __init__(self, event: Callable[[Request, Response], list[str]], change: Change) -> None:
        self._event = event
        self._change = change
        self._marked: set[str] = set()

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Forward; show marked orders changed; mark those that the event names."""
        shown = each("Order", when(lambda one: one["id"] in self._marked, self._change))
        response = forward(request)
        # What caused it is answered as it is: the wrong shows in what is read after that.
        answered = shown(request, lambda _: response)
        self._marked |= set(self._event(request, response))
        return answered


def cancelled_by_hand(request: Request, response: Response) -> list[str]:
    """The order that a DELETE cancelled."""
    if request.names("cancel_order") and response.status == 200 and response.json["success"]:
        return [response.json["order"]["id"]]
    return []


# --- figures ---

OTHER: Final = {"BUY": "SELL", "SELL": "BUY"}


def times(factor: str) -> Callable[[str], str]:
    """A decimal multiplied."""
    return lambda value: format(Decimal(value) * Decimal(factor), "f")


def plus(amount: str) -> Callable[[str], str]:
    """A decimal with something added."""
    return lambda value: format(Decimal(value) + Decimal(amount), "f")


def quote_of(request: Request, forward: Forward, symbol: str) -> Body:
    """The quote of a symbol, from the server behind."""
    found: Body = forward(request.asking("GET", "/quotes/" + percent(symbol, safe=""))).json
    return found


def some_filled(order: Body) -> bool:
    """Whether an order has traded."""
    return Decimal(order["filled_quantity"]) > 0
