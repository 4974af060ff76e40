"""Wrong repeats: one client_order_id, one order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from contract_tests.mutants.kit import (
    Pretends,
    answer,
    forgiving,
    ignoring,
    instead,
    refusal,
    row,
)
from contract_tests.mutants.messages import (
    Body,
    Forward,
    Request,
    Response,
    failing,
)
from contract_tests.mutants.mutant import Table

TABLE: Final = Table()
add = TABLE.add
# -- IDM: one client_order_id, one order ---


class Repeats:
    """Answers the repeat of a client_order_id without asking, or asks and answers otherwise."""

    def __init__(
        self, answered: Callable[[Request, Response], Response], *, compared: str = ""
    ) -> None:
        self._answered = answered
        self._compared = compared.split()
        self._first: dict[str, tuple[Body, Response]] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Remember the first answer; a repeat whose compared fields are the same is answered so."""
        given = request.fields.get("client_order_id")
        if not (request.names("submit_order") and isinstance(given, str)):
            return forward(request)
        if given in self._first and self._is_repeat(request, self._first[given][0]):
            return self._answered(request, self._first[given][1])
        response = forward(request)
        if response.status == 201:
            self._first.setdefault(given, (request.fields, response))
        return response

    def _is_repeat(self, request: Request, first: Body) -> bool:
        names = self._compared or list(first.keys() | request.fields.keys())
        return all(request.fields.get(name) == first.get(name) for name in names)


add("IDM-001", "a repeat makes another order", lambda: ignoring("client_order_id"))
add("IDM-007", "a repeat answers the first status", lambda: Repeats(lambda _, first: first))
add("IDM-007", "a repeat answers 200", lambda: Repeats(lambda _, first: first.with_status(200)))
add(
    "IDM-007",
    "a repeat answers 409",
    lambda: Repeats(
        lambda request, _: failing(
            409, "DUPLICATE_CLIENT_ORDER_ID", client_order_id=request.fields["client_order_id"]
        )
    ),
)
add(
    "IDM-001",
    "a repeated MARKET order fills again",
    lambda: ignoring(
        "client_order_id", given=lambda request, _: request.fields.get("order_type") == "MARKET"
    ),
)
add(
    "IDM-002",
    "a repeat does not say so",
    lambda: answer("submit_order", status=201).without("Idempotent-Replayed"),
)
add(
    "IDM-002",
    "every order says it is a repeat",
    lambda: answer("submit_order", status=201).header("Idempotent-Replayed", "true"),
)
add(
    "IDM-002",
    "a repeat says so with 1",
    lambda: answer("submit_order", status=201).then(
        lambda _, found: (
            found.with_header("Idempotent-Replayed", "1")
            if found.header("Idempotent-Replayed")
            else found
        )
    ),
)


def repeating_but_for(field: str) -> Repeats:
    """What differs in a field alone is a repeat."""
    compared = {"quantity", "side", "time_in_force", "limit_price", "symbol"} - {field}
    return Repeats(lambda _, first: first, compared=" ".join(compared))


for ignored in ("quantity", "side", "time_in_force", "limit_price"):
    add(
        "IDM-003",
        f"another {ignored} is a repeat",
        partial(repeating_but_for, ignored),
    )
add(
    "IDM-003",
    "another request with the id is a 400",
    lambda: answer("submit_order", status=409).status(400).code("INVALID_VALUE"),
)
add(
    "IDM-003",
    "another request with the id makes another order",
    lambda: forgiving(
        lambda request: request.without_fields("client_order_id"), "submit_order", status=409
    ),
)
add(
    "IDM-003",
    "another request with the id is not named",
    lambda: answer("submit_order", status=409).without_details(),
)


class Racing:
    """Of requests with one client_order_id that are under way together each makes an order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Take the id away from those that find another on its way."""
        given = request.fields.get("client_order_id")
        if not (request.names("submit_order") and isinstance(given, str)):
            return forward(request)
        with self._lock:
            others = self._under_way.get(given, 0)
            self._under_way[given] = others + 1
        try:
            return forward(request.without_fields("client_order_id") if others else request)
        finally:
            with self._lock:
                self._under_way[given] -= 1


add("IDM-004", "requests at the same time race", Racing)


class UsedUp:
    """A rejected submission uses its client_order_id up."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Refuse what comes under the id of a rejected order."""
        given = request.fields.get("client_order_id")
        if request.names("submit_order") and given in self._used:
            return failing(409, "DUPLICATE_CLIENT_ORDER_ID", client_order_id=given)
        response = forward(request)
        if request.names("submit_order") and response.status == 422 and given:
            self._used.add(given)
        return response


add("IDM-005", "a rejected order uses its client id up", UsedUp)


class AfterRejection(UsedUp):
    """What comes under the id of a rejected order says it is a repeat."""

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Add the header to what comes after a rejection."""
        response = forward(request)
        given = request.fields.get("client_order_id")
        if request.names("submit_order") and given:
            if response.status == 422:
                self._used.add(given)
            elif response.status == 201 and given in self._used:
                return response.with_header("Idempotent-Replayed", "true")
        return response


add("IDM-005", "after a rejection an order counts as a repeat", AfterRejection)


def shortened(request: Request) -> Request:
    """The client_order_id cut to what fits."""
    return request.with_fields(client_order_id=str(request.fields.get("client_order_id"))[:64])


add(
    "IDM-006",
    "long client ids are cut",
    lambda: forgiving(shortened, "submit_order", field="client_order_id"),
)
add(
    "IDM-006",
    "client ids of 64 characters are too long",
    lambda: instead(
        lambda request: len(str(request.fields.get("client_order_id"))) == 64,
        lambda _: failing(400, "INVALID_VALUE", field="client_order_id"),
    ),
)
add(
    "IDM-006",
    "long client ids are blamed on the body",
    lambda: refusal("client_order_id").detail("field", "body"),
)

__all__ = ["TABLE", "Pretends", "row"]
