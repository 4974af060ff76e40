"""Wrong bodies and parameters: what is accepted that must not be, and the other way round."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Final

from contract_tests.mutants.kit import (
    Answers,
    answer,
    ask,
    each,
    forgiving,
    instead,
    member,
)
from contract_tests.mutants.messages import (
    Mutation,
    Request,
    failing,
)
from contract_tests.mutants.mutant import Table
from contract_tests.spec import decimal_fields

TABLE: Final = Table()
add = TABLE.add
# -- GEN-003 to GEN-012: what a request may hold ---


def bad_json() -> Answers:
    """Bodies that are no JSON, refused by the server behind."""
    return answer("submit_order", status=400, code="INVALID_REQUEST")


def mended(find: bytes, put: bytes) -> Mutation:
    """Bodies that are no JSON are read with something else in place of what is wrong."""
    return forgiving(
        lambda request: replace(request, body=request.body.replace(find, put), chunked=False),
        "submit_order",
        code="INVALID_REQUEST",
    )


add(
    "GEN-003",
    "an unfinished body is finished",
    lambda: forgiving(
        lambda request: replace(request, body=request.body + b"}"),
        "submit_order",
        code="INVALID_REQUEST",
    ),
)
add("GEN-003", "bytes that are not UTF-8 are dropped", lambda: mended(b"\xff\xfe", b"BUY"))
add("GEN-003", "NaN is taken for one", lambda: mended(b"NaN", b'"1"'))
add("GEN-003", "Infinity is taken for one", lambda: mended(b"Infinity", b'"1"'))
add("GEN-003", "malformed bodies answer 422", lambda: bad_json().status(422))
add("GEN-003", "malformed bodies are an INVALID_VALUE", lambda: bad_json().code("INVALID_VALUE"))


def without_the_culprit(request: Request) -> Request:
    """The request without what no schema knows."""
    return request.without_fields("colour").without_parameter("colour")


add(
    "GEN-004",
    "unknown body fields are ignored",
    lambda: forgiving(without_the_culprit, "submit_order", "modify_order", field="colour"),
)
add(
    "GEN-004",
    "unknown body fields of a change are ignored",
    lambda: forgiving(without_the_culprit, "modify_order", field="colour"),
)
add(
    "GEN-004",
    "unknown body fields are refused without a name",
    lambda: answer("submit_order", status=400, field="colour").without_details(),
)
add(
    "GEN-005",
    "unknown parameters are ignored",
    lambda: forgiving(without_the_culprit, field="colour"),
)
add(
    "GEN-005",
    "unknown parameters of quotes are ignored",
    lambda: forgiving(without_the_culprit, "get_quote", field="colour"),
)
add(
    "GEN-005",
    "unknown parameters are an INVALID_VALUE",
    lambda: answer("list_orders", status=400, field="colour").code("INVALID_VALUE"),
)
add("GEN-006", "forbidden values answer 422", lambda: answer(status=400).status(422))
add(
    "GEN-026",
    "forbidden values are not named",
    lambda: answer(status=400, code="INVALID_VALUE").without_details(),
)
add(
    "GEN-026",
    "a flag may be any word",
    lambda: forgiving(
        lambda request: request.with_fields(reduce_only=False), "submit_order", field="reduce_only"
    ),
)
add(
    "GEN-006",
    "an unknown lifetime means GTC",
    lambda: forgiving(
        lambda request: request.with_fields(time_in_force="GTC"),
        "submit_order",
        field="time_in_force",
    ),
)
add(
    "GEN-006",
    "a limit that is no number is ignored",
    lambda: forgiving(
        lambda request: request.without_parameter("limit"), "list_orders", field="limit"
    ),
)
add(
    "GEN-006",
    "an unknown side in a filter is ignored",
    lambda: forgiving(
        lambda request: request.without_parameter("side"), "get_order_history", field="side"
    ),
)


def decimals_repaired(request: Request) -> Request:
    """Numbers and loose notations, written as decimals should be."""
    return request.with_json(
        {k: _repaired(v) if k in decimal_fields() else v for k, v in request.fields.items()}
    )


def _repaired(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9.eE+ ]+\s*", value):
        return format(Decimal(value.strip()).normalize(), "f")[:18]
    return value


add(
    "GEN-007",
    "numbers are taken for decimals",
    lambda: forgiving(decimals_repaired, "submit_order", "modify_order", code="INVALID_VALUE"),
)
add(
    "GEN-007",
    "numbers are taken for decimals in changes",
    lambda: forgiving(decimals_repaired, "modify_order", code="INVALID_VALUE"),
)


def notation(pattern: str) -> Mutation:
    """Decimals written so are accepted."""
    loose = re.compile(pattern, re.DOTALL)

    def repair(request: Request) -> Request:
        values = [value for value in request.fields.values() if isinstance(value, str)]
        return decimals_repaired(request) if any(map(loose.fullmatch, values)) else request

    return forgiving(repair, "submit_order", code="INVALID_VALUE")


add("GEN-008", "exponents are accepted", lambda: notation(r"[0-9.]+[eE][0-9]+"))
add("GEN-008", "a plus sign is accepted", lambda: notation(r"\+[0-9]+"))
add("GEN-008", "space around a decimal is accepted", lambda: notation(r"\s+[0-9]+|[0-9]+\s+"))
add("GEN-008", "a decimal may end with its point", lambda: notation(r"[0-9]+\.|\.[0-9]+"))
add("GEN-008", "nineteen digits are accepted", lambda: notation(r"0{18}1|0\.0{18}1"))
add(
    "GEN-008",
    "more than twelve digits are refused",
    lambda: instead(
        lambda request: any(
            isinstance(value, str) and re.fullmatch(r"[0-9]{13,18}(\.[0-9]+)?", value)
            for value in request.fields.values()
        ),
        lambda _: failing(400, "INVALID_VALUE", field="limit_price"),
    ),
)


def null_field(request: Request) -> str | None:
    """A field that is null."""
    return next((name for name, value in request.fields.items() if value is None), None)


add(
    "GEN-009",
    "null is refused",
    lambda: instead(
        lambda request: request.names("submit_order") and null_field(request) is not None,
        lambda request: failing(400, "INVALID_VALUE", field=null_field(request)),
    ),
)
add(
    "GEN-009",
    "a null lifetime means DAY",
    lambda: ask(
        lambda request: (
            request.with_fields(time_in_force="DAY")
            if request.fields.get("time_in_force", "") is None
            else request
        ),
        "submit_order",
    ),
)


def has_lower_case(request: Request) -> bool:
    """Whether an enum of the body or of the query is not in capitals."""
    names = ("side", "order_type", "time_in_force", "status")
    values = [request.fields.get(name) or request.parameter(name) or "" for name in names]
    return any(str(value) != str(value).upper() for value in values)


add(
    "GEN-010",
    "enums must be in capitals",
    lambda: instead(has_lower_case, lambda _: failing(400, "INVALID_VALUE", field="side")),
)
add(
    "GEN-010",
    "sides are answered in small letters",
    lambda: each("Order", member("side", str.lower)),
)


def last_status(request: Request) -> Request:
    """Of several states the last alone."""
    states = [value for name, value in request.query if name == "status"]
    return request.with_parameter("status", states[-1]) if states else request


add("GEN-011", "of a repeated parameter the last counts", lambda: ask(last_status, "list_orders"))
add(
    "GEN-011",
    "commas do not separate",
    lambda: instead(
        lambda request: "," in (request.parameter("status") or ""),
        lambda _: failing(400, "INVALID_VALUE", field="status"),
    ),
)


def with_offset(request: Request) -> Request:
    """Times without an offset are UTC, dates midnight."""
    loose = {name: value for name, value in request.query if name in {"since", "until"}}
    for name, value in loose.items():
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            request = request.with_parameter(name, value + "T00:00:00Z")
        elif re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+", value):
            request = request.with_parameter(name, value + "Z")
    return request


add("GEN-012", "times without an offset are UTC", lambda: forgiving(with_offset))
add(
    "GEN-012",
    "times without an offset are refused without a name",
    lambda: answer("list_trades", status=400, field="since").without_details(),
)
