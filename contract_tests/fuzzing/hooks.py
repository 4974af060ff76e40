"""What Schemathesis needs to know of this API, and what else it shall look at.

`schemathesis.toml` names this module as its hooks, so that a stock `schemathesis run` uses it.
Three things are here:

- values: decimals on the tick and symbols that exist are likelier than random ones, for the
  schema alone does not know them (the symbols are a dictionary in schemathesis.toml);
- orders: most generated orders are made coherent, so that orders are really created; the others
  are sent as they were generated, so that nothing the server does with those is hidden;
- checks: the invariants of every answer, and whether a 400 to schema-valid data has a reason.
"""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any, Final, TypeAlias

import schemathesis
from hypothesis import strategies as st
from schemathesis.generation.meta import TestPhase

from contract_tests.spec import Operation, decimal_fields, enum, operation_of
from contract_tests.toolkit import rules
from contract_tests.toolkit.expect import one_of, that
from contract_tests.toolkit.invariants import Judge
from contract_tests.wire.traffic import Exchange

Case: TypeAlias = "schemathesis.Case[Any]"

AMOUNTS: Final = ("1", "2", "10", "100", "0.5", "0.25", "0.01", "1000", "7.00")
PRICES: Final = ("0.50", "1.00", "1.25", "100.00", "150.25", "99999.99", "250000")
"""On the tick and lot size of nearly every instrument, and on either side of the market."""

_DECIMALS: Final = st.sampled_from(AMOUNTS + PRICES)
"""Not a custom format: Schemathesis takes all that it sends in the place of one for wrong, also
what is right, and blames the server for accepting it."""

_RARELY_ACCEPTED: Final = {"reduce_only", "position_id"}
"""They need a position to be accepted, which few orders find."""

_MOST_LEVERAGE: Final = 10
_EXAMPLE_ID: Final = "my-order-1"
_numbers = itertools.count()
_FAR: Final = {"BUY": "0.50", "SELL": "1000000.00"}
"""Prices at which a LIMIT order rests: what has ended at once cannot be changed any more."""

_GROUPED: Final = 3
"""Orders of chains that an OCO group is for, at most."""
_JUDGE: Final = Judge()


@schemathesis.hook
def flatmap_case(context: schemathesis.HookContext, case: Case) -> Any:
    """Three in four well-formed bodies hold likely decimals, and fields that belong together."""
    operation = context.operation.definition.raw.get("operationId") if context.operation else None
    if not _is_valid(case) or not isinstance(case.body, dict):
        return st.just(case)
    repair = _REPAIRS.get(str(operation), dict)
    likely = _likely(case.body).map(lambda body: _with_body(case, repair(body)))
    return st.integers(0, 3).flatmap(lambda n: st.just(case) if n == 3 else likely)


@st.composite
def _likely(draw: st.DrawFn, given: dict[str, Any]) -> dict[str, Any]:
    numbers = {name for name in given.keys() & decimal_fields() if given[name] is not None}
    return given | {name: draw(_DECIMALS) for name in sorted(numbers)}


def _with_body(case: Case, body: dict[str, Any]) -> Case:
    case.body = body
    return case


def _coherent_order(given: dict[str, Any]) -> dict[str, Any]:
    kind = given["order_type"]
    useless = {*_RARELY_ACCEPTED, *rules.REFUSES.get(kind, ())}
    body = {name: value for name, value in given.items() if name not in useless}
    for name in rules.NEEDS.get(kind, ()):
        if body.get(name) is None:
            body[name] = _FAR.get(body["side"], "100.00")
    if kind not in {"MARKET", "LIMIT"} and body.get("time_in_force") in {"IOC", "FOK"}:
        del body["time_in_force"]
    if Decimal(body.get("leverage") or 1) > _MOST_LEVERAGE:
        del body["leverage"]
    at_fault = rules.broken_by_order(body)
    return {name: value for name, value in body.items() if name not in at_fault}


def _coherent_close(given: dict[str, Any]) -> dict[str, Any]:
    if given.get("order_type") == "LIMIT":
        return {"limit_price": "100.00"} | given if given.get("limit_price") else {}
    return {name: value for name, value in given.items() if name != "limit_price"}


def _coherent_change(given: dict[str, Any]) -> dict[str, Any]:
    """What most orders have: which other fields one has depends on its type."""
    return {name: value for name, value in given.items() if name in {"quantity", "limit_price"}}


_REPAIRS: Final = {
    "submit_order": _coherent_order,
    "modify_order": _coherent_change,
    "close_position": _coherent_close,
}


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """In chains of requests, and where it is that of the examples, a client_order_id is new.

    Else all but the first order under it would be answered 409, and no chain would get further. For
    the same reason a few orders of chains share an OCO group, and later ones do not: one that has
    traded takes no more.
    """
    del context, kwargs
    if not isinstance(case.body, dict) or not _is_valid(case):
        return
    number, chained = next(_numbers), _is_chained(case)
    name, group = case.body.get("client_order_id"), case.body.get("oco_group_id")
    if isinstance(name, str) and (chained or name == _EXAMPLE_ID):
        case.body = {**case.body, "client_order_id": f"{name[:50]}-{number}"}
    if isinstance(group, str) and chained:
        case.body = {**case.body, "oco_group_id": f"{group[:50]}-{number // _GROUPED}"}


def _is_chained(case: Case) -> bool:
    return case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL


def _is_valid(case: Case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


# --- checks ---


@schemathesis.check
def answers_keep_the_invariants(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> None:
    """What must hold of every answer holds of this one."""
    del ctx, case
    for violation in _JUDGE.violations(exchange_of(response)):
        raise violation.failure


@schemathesis.check
def refusals_have_a_reason(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> None:
    """A 400 to schema-valid data names a field that breaks a rule of the document."""
    del ctx
    exchange = exchange_of(response)
    if exchange.operation is None or not _is_valid(case):
        return
    at_fault = _at_fault(exchange.operation, exchange)
    if exchange.status == 400:
        named = (_error(exchange).get("details") or {}).get("field")
        one_of(named, at_fault, "the field that a 400 to schema-valid data names")
    elif exchange.operation.id in {"submit_order", "close_position"} and at_fault:
        # 404 and 501 may be judged first; accepting it, or blaming the market for it, is wrong.
        one_of(exchange.status, {400, 401, 404, 501}, f"the status where {at_fault} break a rule")


def _at_fault(operation: Operation, exchange: Exchange) -> set[str]:
    body = exchange.sent_json()
    match operation.id:
        case "submit_order":
            return rules.broken_by_order(body)
        case "close_position":
            return rules.broken_by_close(body or {})
        case "modify_order":
            # What an order takes depends on its type: any field given may be useless to it.
            return {name for name, value in body.items() if value is not None}
        case "list_orders" | "get_order_history" | "list_trades":
            return rules.broken_by_window(exchange.query, "since", "until")
        case "get_bars":
            return rules.broken_by_window(exchange.query, "start", "end")
    return set()


@schemathesis.check
def codes_are_documented(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> None:
    """An error's code is one of those the document lists."""
    del ctx, case
    exchange = exchange_of(response)
    if exchange.status >= 400 and exchange.method != "HEAD":
        code = _error(exchange).get("code")
        that(code in enum("ErrorCode"), "the error code", expected="a documented one", actual=code)


def _error(exchange: Exchange) -> dict[str, Any]:
    """The body of an error; empty when it is no object, which other checks tell."""
    try:
        body = exchange.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def exchange_of(response: schemathesis.Response) -> Exchange:
    """An answer to Schemathesis as the suite's own checks know it."""
    request = response.request
    url, body = request.url or "", request.body
    path = url.partition("://")[2].partition("?")[0]
    return Exchange(
        method=request.method or "",
        url=url,
        operation=operation_of(request.method or "", "/" + path.partition("/")[2]),
        sent_headers={name.lower(): _text(value) for name, value in request.headers.items()},
        sent_body=_bytes(body),
        status=response.status_code,
        headers={name.lower(): ", ".join(values) for name, values in response.headers.items()},
        body=response.content,
        seconds=response.elapsed,
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _bytes(body: object) -> bytes:
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else b""
