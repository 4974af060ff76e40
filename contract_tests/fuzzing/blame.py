"""Which requirement an answer breaks that a check of Schemathesis does not like.

Its checks know the schemas only. What a requirement says of the very request decides whose fault
it is: a decimal sent as a number is another sentence of the document than an unknown field is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Final

from contract_tests.spec import Operation, decimal_fields, document, enum, requirements
from contract_tests.toolkit import rules
from contract_tests.toolkit.invariants import FOUNDING
from contract_tests.toolkit.market import UNKNOWN_SYMBOL
from contract_tests.wire.traffic import Exchange

GENERAL: Final = "GEN-024"
"""What has no sentence of its own: the answer is not one that the document lists here."""

JUDGED_BY_INVARIANTS: Final = {"answers_keep_the_invariants", "response_schema_conformance"}
"""Checks that see no more than the invariants, which every exchange is judged by anyway."""

_BY_CHECK: Final = {
    "allow_header_conformance": "GEN-014",
    "codes_are_documented": "GEN-028",
    "ensure_resource_availability": "ORD-001",
    "ignored_auth": "AUT-001",
    "missing_required_header": "GEN-026",
    "unsupported_method": "GEN-014",
    "use_after_free": "GET-001",
}
_VALID: Final = {
    "list_orders": "LST-003",
    "submit_order": "ORD-001",
    "cancel_all_orders": "CAN-004",
    "get_order_history": "LST-011",
    "list_positions": "POS-001",
    "close_all_positions": "CLO-006",
    "list_trades": "TRD-002",
    "get_account": "ACC-001",
    "get_capabilities": "CAP-001",
    "get_status": "SYS-001",
    "get_circuit_breakers": "SYS-007",
    "reset_circuit_breakers": "SYS-009",
    "get_health": "SYS-002",
    "get_livez": "SYS-005",
    "get_ready": "SYS-003",
    "get_readyz": "SYS-006",
    "get_order": "GET-001",
    "modify_order": "MOD-001",
    "cancel_order": "CAN-003",
    "get_position": "POS-007",
    "modify_position": "POS-007",
    "close_position": "CLO-007",
    "get_quote": "QUO-001",
    "get_bars": "BAR-002",
}
"""What a valid request of an operation is answered with."""

_BY_THE_MARKET: Final = {
    "symbol": "ORD-009",
    "quantity": "ORD-025",
    "limit_price": "ORD-025",
    "stop_price": "ORD-025",
    "leverage": "LEV-001",
}
"""What may be wrong with a valid field for the market's or the account's sake, which is a 422."""

_RULES: Final = {
    "time_in_force": "ORD-008",
    "post_only": "PST-002",
    "display_quantity": "ICE-002",
    "stop_loss": "BRK-001",
    "take_profit": "BRK-001",
}
_RULE_OF: Final = {
    "modify_order": "MOD-006",
    "get_bars": "BAR-006",
    "list_orders": "LST-010",
    "get_order_history": "LST-010",
    "list_trades": "LST-010",
}
"""The one rule of an operation by which a request that follows the schemas is refused."""

_NEEDED: Final = {
    "limit_price": ("ORD-004", "ORD-029"),
    "stop_price": ("ORD-005", "ORD-030"),
    "trailing_distance": ("TRL-001", "TRL-001"),
}
"""What says that an order without the field is refused, and that the refusal names it."""

_OF_THE_CORE: Final = {
    "side",
    "order_type",
    "time_in_force",
    "quantity",
    "limit_price",
    "stop_price",
}
"""Fields whose forbidden values are refused by GEN-006, those of all others by GEN-026."""


def requirement_of(check: str, exchange: Exchange) -> str:
    """The requirement that an answer breaks which a check complains of."""
    match check:
        case "content_type_conformance":
            return "GEN-001" if exchange.status < 400 else _shape(exchange.status)
        case "response_headers_conformance":
            return {401: "AUT-001", 405: "GEN-014", 429: "GEN-021", 503: "GEN-021"}.get(
                exchange.status, "GEN-017"
            )
        case "negative_data_rejection" | "not_a_server_error":
            return worst(faults(exchange)) or GENERAL
        case "positive_data_acceptance":
            return _valid(exchange, exchange.operation) if exchange.operation else GENERAL
        case "refusals_have_a_reason":
            return _unreasoned(exchange)
    return _BY_CHECK.get(check, GENERAL)


def _valid(exchange: Exchange, operation: Operation) -> str:
    """What says that a valid request succeeds; of null it is not the founding document."""
    sent = exchange.sent_json()
    has_null = isinstance(sent, dict) and None in sent.values()
    return "GEN-009" if has_null else _VALID[operation.id]


def _shape(status: int) -> str:
    """What says that an error is JSON."""
    return "GEN-002" if status in FOUNDING else "GEN-025"


def worst(found: Iterator[str]) -> str | None:
    """The requirement of the highest level; among equals the first."""
    levels = ("MUST", "SHOULD", "MAY")
    return min(found, key=lambda one: levels.index(requirements()[one].level), default=None)


# --- requests that the rules of the document refuse ---


def _unreasoned(exchange: Exchange) -> str:
    """A refusal without a reason, or a reason without a refusal."""
    operation, body = exchange.operation, exchange.sent_json()
    if operation is None:
        return GENERAL
    if operation.id == "submit_order":
        at_fault = sorted(rules.broken_by_order(body))
        broken = (_rule_of_order(name, body, exchange.status) for name in at_fault)
        return worst(broken) or _BY_THE_MARKET.get(_named(exchange)) or _valid(exchange, operation)
    if operation.id == "close_position":
        if isinstance(body, dict) and body.get("limit_price") is not None:
            return "CLO-009"
        return "CLO-010" if exchange.status == 400 else "CLO-003"
    return _RULE_OF.get(operation.id) or _valid(exchange, operation)


def _rule_of_order(name: str, body: Mapping[str, Any], status: int) -> str:
    """The rule that a field breaks; a refusal with the right status breaks what it should say."""
    if name in _RULES:
        return _RULES[name]
    if name in _NEEDED and body.get(name) is None:
        refused, named = _NEEDED[name]
        return named if status == 400 else refused
    trails = body["order_type"] == "TRAILING_STOP" and name == "trailing_distance"
    return "TRL-002" if trails else "ORD-006"


def _named(exchange: Exchange) -> str:
    """The field that a refusal names."""
    try:
        body = exchange.json()
    except ValueError:
        return ""
    details = body.get("details") if isinstance(body, dict) else None
    return str(details.get("field")) if isinstance(details, dict) else ""


# --- requests that the schemas refuse ---


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The query parameters and body fields that an operation takes, each with its schema."""

    query: Mapping[str, Any]
    fields: Mapping[str, Any]
    required: frozenset[str]


def faults(exchange: Exchange) -> Iterator[str]:
    """The requirements by which a request is refused, judged from the request alone."""
    operation = exchange.operation
    if operation is None:
        return
    inputs = _inputs(operation.id)
    yield from _faults_of_query(operation, exchange.query, inputs)
    if exchange.sent_body and inputs.fields:
        yield from _faults_of_body(operation, exchange, inputs)
    if UNKNOWN_SYMBOL.encode() in exchange.sent_body:
        yield "ORD-009"


def _faults_of_query(
    operation: Operation, query: Mapping[str, list[str]], inputs: _Inputs
) -> Iterator[str]:
    for name, values in query.items():
        if name not in inputs.query:
            yield "GEN-005"
        elif len(values) > 1 and name != "status":
            yield "GEN-026"
        elif any(_is_wrong_parameter(name, one, inputs.query[name]) for one in values):
            yield _PARAMETERS.get(name, "GEN-026")
    if operation.id == "get_bars" and "timeframe" not in query:
        yield "BAR-001"


_PARAMETERS: Final = {
    "limit": "LST-009",
    "since": "GEN-012",
    "until": "GEN-012",
    "start": "GEN-012",
    "end": "GEN-012",
    "side": "GEN-006",
}
"""What says that a parameter's value is refused, where that is not GEN-026."""


def _is_wrong_parameter(name: str, value: str, schema: Mapping[str, Any]) -> bool:
    match name:
        case "limit":
            return not (value.isascii() and value.isdigit() and 1 <= int(value) <= 1000)
        case "since" | "until" | "start" | "end":
            return not _is_moment(value)
        case "timeframe":
            return value.lower() not in enum("Timeframe")
        case "status":  # separated by commas (GEN-011)
            return any(_is_wrong(schema, part) for part in value.split(","))
    return _is_wrong(schema, value)


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _faults_of_body(operation: Operation, exchange: Exchange, inputs: _Inputs) -> Iterator[str]:
    sent = exchange.sent_headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "application/json":
        yield "GEN-016"
        return
    body = exchange.sent_json()
    if body is None and exchange.sent_body.strip() != b"null":
        yield "GEN-003"
    elif not isinstance(body, dict):
        yield "GEN-026"
    else:
        yield from _faults_of_fields(operation, body, inputs)


def _faults_of_fields(
    operation: Operation, body: Mapping[str, Any], inputs: _Inputs
) -> Iterator[str]:
    for name in inputs.required:
        if body.get(name) is None:
            yield "ORD-002" if operation.id == "submit_order" else "GEN-026"
    for name, value in body.items():
        if name not in inputs.fields:
            yield "GEN-004"
        elif value is None:
            continue
        elif name in decimal_fields():
            yield from _faults_of_decimal(name, value)
        elif name == "client_order_id" and isinstance(value, str) and len(value) > 64:
            yield "IDM-006"
        elif _is_wrong(inputs.fields[name], value):
            yield _forbidden(name)


def _forbidden(name: str) -> str:
    return "GEN-006" if name in _OF_THE_CORE else "GEN-026"


def _faults_of_decimal(name: str, value: object) -> Iterator[str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield "GEN-007"
    elif not isinstance(value, str) or (number := _number(value)) is None:
        yield _forbidden(name)
    elif number <= 0:
        yield "ORD-007"
    elif not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", value):
        yield "GEN-008"


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _is_wrong(schema: Mapping[str, Any], value: object) -> bool:
    """Whether a value departs from a schema; enum values count in any case (GEN-010)."""
    schema = _resolved(schema)
    if "enum" in schema:
        return not isinstance(value, str) or value.upper() not in schema["enum"]
    if schema.get("type") == "boolean":
        return not isinstance(value, bool)
    if not isinstance(value, str):
        return True
    length = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    return not length or re.search(schema.get("pattern", ""), value) is None


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema without references, the items of an array in its place."""
    if "$ref" in schema:
        node: Any = document()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            node = node[step]
        return _resolved(node)
    if "allOf" in schema:
        return _resolved(schema["allOf"][0])
    return _resolved(schema["items"]) if "items" in schema else schema


@cache
def _inputs(operation_id: str) -> _Inputs:
    item, node = next(
        (item, node)
        for item in document()["paths"].values()
        for node in item.values()
        if isinstance(node, dict) and node.get("operationId") == operation_id
    )
    parameters = map(_resolved, [*item.get("parameters", ()), *node.get("parameters", ())])
    body = _resolved(node.get("requestBody", {})).get("content", {}).get("application/json", {})
    schema = _resolved(body.get("schema", {}))
    return _Inputs(
        query={one["name"]: one["schema"] for one in parameters if one["in"] == "query"},
        fields=schema.get("properties", {}),
        required=frozenset(schema.get("required", ())),
    )
