"""What must hold of every answer, whoever asked and whatever for.

The directed checks and the fuzzer both look at all their traffic through these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from itertools import pairwise
from typing import Any, Final

from contract_tests.spec import (
    decimal_fields,
    enum,
    response_errors,
    schema_errors,
    strange_values,
)
from contract_tests.toolkit.expect import Failure, dec, equal, one_of, that
from contract_tests.wire.traffic import Exchange

Invariant = Callable[[Exchange], None]


@dataclass(frozen=True, slots=True)
class Violation:
    """An answer that breaks a requirement."""

    requirement: str
    failure: Failure


EXACT: Final = Context(prec=100)
"""Sums and products of amounts with 18 digits on either side of the point are not rounded."""

INVARIANTS: Final[list[tuple[str, Invariant]]] = []
REMEMBERING: Final[list[tuple[str, Callable[[], Invariant]]]] = []
"""Invariants that compare an answer with earlier ones: each of those who judge makes its own."""


def invariant(requirement_id: str) -> Callable[[Invariant], Invariant]:
    """Register a function that raises Failure for an exchange that breaks the requirement."""

    def register(rule: Invariant) -> Invariant:
        INVARIANTS.append((requirement_id, rule))
        return rule

    return register


class Judge:
    """Holds the answers of one run against all invariants, in the order in which they came."""

    def __init__(self) -> None:
        self._rules = [*INVARIANTS, *((one, make()) for one, make in REMEMBERING)]

    def violations(self, exchange: Exchange) -> Iterator[Violation]:
        """Every requirement that an exchange breaks.

        An answer of another shape than the document's breaks GEN-024, and is judged no further.
        """
        described = _is_described(exchange)
        for requirement_id, rule in self._rules:
            if not described and not requirement_id.startswith("GEN-"):
                continue
            try:
                with localcontext(EXACT):
                    rule(exchange)
            except Failure as failure:
                failure.exchange = exchange
                yield Violation(requirement_id, failure)
            except (LookupError, TypeError, AttributeError) as error:
                yield Violation(requirement_id, _unreadable(exchange, error))


def _is_described(exchange: Exchange) -> bool:
    try:
        success_follows_its_schema(exchange)
    except Failure:
        return False
    return True


def _unreadable(exchange: Exchange, error: Exception) -> Failure:
    """The answer lacks what the rule judges: its shape is not the documented one."""
    return Failure(
        "the answer has the documented shape",
        expected="the members that the spec documents",
        actual=repr(error),
        exchange=exchange,
    )


# -- protocol ---


FOUNDING: Final = frozenset({400, 404, 409, 422, 503})
"""The statuses of errors that the protocol's founding document lists."""


@invariant("GEN-001")
def success_is_json(exchange: Exchange) -> None:
    """A success is JSON and says so."""
    if exchange.operation and 200 <= exchange.status < 300:
        equal(exchange.media_type, "application/json", "the media type of a success")
        _body(exchange)


@invariant("GEN-002")
def errors_have_one_shape(exchange: Exchange) -> None:
    """An error of a core operation is {code, message, details}; /ready answers its own body."""
    if _is_error(exchange) and exchange.status in FOUNDING and not _is_of_router(exchange):
        _is_of_one_shape(exchange)


@invariant("GEN-025")
def other_errors_have_it_too(exchange: Exchange) -> None:
    """So is an error with any other status."""
    if _is_error(exchange) and exchange.status not in FOUNDING:
        _is_of_one_shape(exchange)


def _is_error(exchange: Exchange) -> bool:
    """Whether it is an error of an operation that the server has to have."""
    core = exchange.operation is not None and exchange.operation.core
    return core and exchange.status >= 400 and not _is_readiness(exchange)


def _is_of_router(exchange: Exchange) -> bool:
    """Whether it says that the path is unknown, as one below /v1 may be."""
    operation = exchange.operation
    return operation is not None and exchange.status == 404 and 404 not in operation.statuses


def _is_of_one_shape(exchange: Exchange) -> None:
    errors = schema_errors("ErrorResponse", _body(exchange))
    that(not errors, "an error is {code, message, details}", expected="holds", actual=errors)


@invariant("GEN-024")
def success_follows_its_schema(exchange: Exchange) -> None:
    """The body of a documented status that is no error follows the schema listed for it."""
    documented = exchange.operation and exchange.status in exchange.operation.statuses
    if exchange.operation and documented and exchange.status < 400:
        errors = response_errors(exchange.operation, exchange.status, _body(exchange))
        that(not errors, "the body follows its schema", expected="no errors", actual=errors)


@invariant("GEN-024")
def success_has_a_listed_status(exchange: Exchange) -> None:
    """A success of a core operation has a status that the document lists for it."""
    operation = exchange.operation
    if operation is not None and operation.core and 200 <= exchange.status < 300:
        one_of(exchange.status, set(operation.statuses), "the status of a success")


@invariant("GEN-028")
def reasons_are_documented(exchange: Exchange) -> None:
    """The reason of a rejection is of those that the document lists."""
    if exchange.operation and exchange.status == 422:
        reason = (_body(exchange)["details"] or {}).get("reject_reason")
        if reason is not None:
            one_of(reason, set(enum("RejectReason")), "reject_reason")


@invariant("GEN-028")
def listed_values_are_documented(exchange: Exchange) -> None:
    """Codes, reasons, features and asset classes are of those that the document lists."""
    if exchange.operation and exchange.status in exchange.operation.statuses:
        strange = strange_values(exchange.operation, exchange.status, _body(exchange))
        that(not strange, "values are of those listed", expected="no others", actual=strange)


@invariant("GEN-017")
def request_id_is_answered(exchange: Exchange) -> None:
    """Every answer names the request, by the client's name where it gave one."""
    answered = exchange.headers.get("x-request-id")
    that(bool(answered), "X-Request-Id is answered", expected="a value", actual=answered)
    sent = exchange.sent_headers.get("x-request-id")
    if sent is not None and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", sent):
        equal(answered, sent, "X-Request-Id is the client's own")


@invariant("GEN-021")
def retry_after_is_whole_seconds(exchange: Exchange) -> None:
    """A 429 and a 503 say when to come back."""
    if exchange.operation and exchange.status in {429, 503}:
        value = exchange.headers.get("retry-after", "")
        that(value.isascii() and value.isdigit(), "Retry-After", expected="digits", actual=value)


@invariant("GEN-022")
def decimals_are_plain(exchange: Exchange) -> None:
    """No decimal field holds an exponent, a plus sign or white space."""
    if exchange.operation and 200 <= exchange.status < 300:
        for name, value in _members(_body(exchange)):
            if name in decimal_fields() and value is not None:
                plain = isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value)
                that(bool(plain), name, expected="a plain decimal string", actual=repr(value))


# -- orders ---


@invariant("ORD-013")
def quantity_is_filled_plus_remaining(exchange: Exchange) -> None:
    """An order's quantities add up, whenever it is seen."""
    for order in things(exchange, "Order"):
        quantity, filled, remaining = (
            dec(order[name], name) for name in ("quantity", "filled_quantity", "remaining_quantity")
        )
        equal(filled + remaining, quantity, f"filled + remaining of order {order['id']}")
        that(filled >= 0 and remaining >= 0, "no negative part", expected=">= 0", actual=order)


@invariant("ORD-013")
def status_agrees_with_quantities(exchange: Exchange) -> None:
    """A FILLED order has nothing left, a PARTIALLY_FILLED one has some of each."""
    for order in things(exchange, "Order"):
        filled, remaining = dec(order["filled_quantity"]), dec(order["remaining_quantity"])
        status = order["status"]
        holds = (status != "FILLED" or remaining == 0) and (
            status != "PARTIALLY_FILLED" or (filled > 0 and remaining > 0)
        )
        that(holds, f"the quantities of a {status} order", expected="agree", actual=order)


@invariant("LST-001")
def open_list_holds_open_orders(exchange: Exchange) -> None:
    """GET /orders without status holds open orders only."""
    if _is(exchange, "list_orders") and "status" not in exchange.query:
        open_states = {"PENDING", "OPEN", "PARTIALLY_FILLED", "PENDING_CANCEL"}
        _all_in(exchange, "status", open_states)


@invariant("LST-002")
def status_filter_is_exact(exchange: Exchange) -> None:
    """With status every order is in one of the states given."""
    if _is(exchange, "list_orders") and "status" in exchange.query:
        given = ",".join(exchange.query["status"]).upper().split(",")
        _all_in(exchange, "status", set(given))


@invariant("LST-003")
def order_filters_are_honoured(exchange: Exchange) -> None:
    """What a list holds matches the filters of its request."""
    if _is(exchange, "list_orders", "get_order_history"):
        for name in ("side", "client_order_id", "oco_group_id"):
            if name in exchange.query:
                value = exchange.query[name][0]
                _all_in(exchange, name, {value.upper() if name == "side" else value})


@invariant("LST-011")
def history_holds_terminal_orders(exchange: Exchange) -> None:
    """GET /orders/history holds terminal orders only."""
    if _is(exchange, "get_order_history"):
        _all_in(exchange, "status", {"FILLED", "CANCELLED", "REJECTED", "EXPIRED"})


@invariant("TRD-002")
def trade_filters_are_honoured(exchange: Exchange) -> None:
    """GET /trades with order_id holds trades of that order only."""
    if _is(exchange, "list_trades") and "order_id" in exchange.query:
        _all_in(exchange, "order_id", {exchange.query["order_id"][0]})


@invariant("LST-005")
def limit_is_honoured(exchange: Exchange) -> None:
    """No list is longer than its limit."""
    limit = exchange.query.get("limit", [""])[0]
    if exchange.status == 200 and re.fullmatch("[0-9]+", limit):
        body = _body(exchange)
        if isinstance(body, list):
            that(len(body) <= int(limit), "the list's length", expected=limit, actual=len(body))


@invariant("LST-004")
def order_window_is_honoured(exchange: Exchange) -> None:
    """since is inclusive, until exclusive, on created_at."""
    if _is(exchange, "list_orders", "get_order_history"):
        _in_window(exchange, "created_at")


@invariant("TRD-003")
def trade_window_is_honoured(exchange: Exchange) -> None:
    """since is inclusive, until exclusive, on timestamp."""
    if _is(exchange, "list_trades"):
        _in_window(exchange, "timestamp")


@invariant("LST-006")
def lists_are_newest_first(exchange: Exchange) -> None:
    """Orders and trades come newest first."""
    times = [moment(one["created_at"]) for one in _listed(exchange, "Order")]
    times += [moment(one["timestamp"]) for one in _listed(exchange, "Trade")]
    for newer, older in pairwise(times):
        that(newer >= older, "newest first", expected=f"{newer} or earlier", actual=older)


@invariant("BRK-002")
def legs_only_reduce(exchange: Exchange) -> None:
    """An order with a parent_order_id is reduce_only."""
    for order in things(exchange, "Order"):
        if order["parent_order_id"] is not None:
            equal(order["reduce_only"], True, f"reduce_only of the leg {order['id']}")


class TrailingStops:
    """The nearest stop at which each trailing stop was seen, by its distance."""

    def __init__(self) -> None:
        self._nearest: dict[tuple[str, str, str], Decimal] = {}

    def __call__(self, exchange: Exchange) -> None:
        """The stop of a trailing stop never backs off between two sightings."""
        for order in things(exchange, "Order"):
            if order["order_type"] == "TRAILING_STOP" and order["stop_price"] is not None:
                self._judge(order)

    def _judge(self, order: dict[str, Any]) -> None:
        stop, buys = dec(order["stop_price"]), order["side"] == "BUY"
        key = (order["id"], order["trailing_distance"], order["trailing_type"])
        before = self._nearest.setdefault(key, stop)
        holds = stop <= before if buys else stop >= before
        bound = "at most" if buys else "at least"
        that(holds, f"the stop of {order['id']}", expected=f"{bound} {before}", actual=stop)
        self._nearest[key] = stop


REMEMBERING.append(("TRL-003", TrailingStops))


# -- account, positions, market ---


@invariant("MRG-001")
def liquidation_lies_on_the_losing_side(exchange: Exchange) -> None:
    """liquidation_price is not above the entry of a LONG nor below that of a SHORT position."""
    for position in things(exchange, "Position"):
        if position["liquidation_price"] is not None:
            price, entry = dec(position["liquidation_price"]), dec(position["average_entry_price"])
            holds = price <= entry if position["side"] == "LONG" else price >= entry
            that(holds, "liquidation_price", expected=f"beyond {entry}", actual=position)


@invariant("ACC-002")
def equity_is_balance_plus_pnl(exchange: Exchange) -> None:
    """equity = balance + unrealized_pnl, exactly."""
    for account in things(exchange, "Account"):
        total = dec(account["balance"]) + dec(account["unrealized_pnl"])
        equal(dec(account["equity"]), total, "equity is balance + unrealized_pnl")


@invariant("ACC-003")
def available_is_equity_less_used(exchange: Exchange) -> None:
    """margin_available = equity - margin_used, exactly."""
    for account in things(exchange, "Account"):
        rest = dec(account["equity"]) - dec(account["margin_used"])
        equal(dec(account["margin_available"]), rest, "margin_available is equity - margin_used")


@invariant("POS-006")
def pnl_is_marked(exchange: Exchange) -> None:
    """unrealized_pnl is what closing at current_price would bring."""
    for position in things(exchange, "Position"):
        quantity, mark = dec(position["quantity"]), dec(position["current_price"])
        cost = position.get("cost_basis")
        if cost is not None:
            sign = 1 if position["side"] == "LONG" else -1
            pnl = sign * (quantity * mark - dec(cost))
            equal(dec(position["unrealized_pnl"]), pnl, "unrealized_pnl at current_price")


@invariant("QUO-002")
def bid_is_below_ask(exchange: Exchange) -> None:
    """bid < ask, and last lies between."""
    for quote in things(exchange, "Quote"):
        bid, ask = dec(quote["bid"]), dec(quote["ask"])
        that(bid < ask, "bid is below ask", expected=f"< {ask}", actual=bid)
        if quote.get("last") is not None:
            last = dec(quote["last"])
            that(bid <= last <= ask, "last", expected=f"from {bid} to {ask}", actual=last)


@invariant("BAR-005")
def bars_are_sane(exchange: Exchange) -> None:
    """Bars ascend, and each one's prices lie between its low and its high."""
    bars = list(_listed(exchange, "Bar"))
    for bar in bars:
        low, high = dec(bar["low"]), dec(bar["high"])
        inside = all(low <= dec(bar[name]) <= high for name in ("open", "close"))
        that(inside, "low <= open, close <= high", expected="holds", actual=bar)
    for one, two in pairwise(bars):
        ascending = moment(one["timestamp"]) < moment(two["timestamp"])
        that(ascending, "bars ascend", expected=f"after {one['timestamp']}", actual=two)


# -- looking into answers ---

_HOLDS: Final = {
    "get_order": "Order",
    "modify_order": "Order",
    "cancel_order": "Order",
    "list_orders": "Order",
    "get_order_history": "Order",
    "get_position": "Position",
    "list_positions": "Position",
    "modify_position": "Position",
    "list_trades": "Trade",
    "get_account": "Account",
    "get_quote": "Quote",
    "get_bars": "Bar",
}


def things(exchange: Exchange, schema: str) -> Iterator[dict[str, Any]]:
    """The objects of a schema that a success holds, alone or in a list."""
    operation = exchange.operation
    if operation is None or exchange.status != 200 or _HOLDS.get(operation.id) != schema:
        return
    body = _body(exchange)
    if operation.id == "cancel_order":
        body = body["order"]
    yield from body if isinstance(body, list) else [body]


def _listed(exchange: Exchange, schema: str) -> Iterator[dict[str, Any]]:
    if exchange.status == 200 and isinstance(_body(exchange), list):
        yield from things(exchange, schema)


def moment(text: str) -> datetime:
    """A wire timestamp as an aware datetime; raises Failure when it is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise Failure("a timestamp", expected="RFC 3339 with an offset", actual=text) from None


def _body(exchange: Exchange) -> Any:
    try:
        return exchange.json()
    except ValueError as error:
        raise Failure("the body is JSON", expected="JSON", actual=str(error)) from None


def _is(exchange: Exchange, *operation_ids: str) -> bool:
    return (
        exchange.operation is not None
        and exchange.status == 200
        and exchange.operation.id in operation_ids
    )


def _is_readiness(exchange: Exchange) -> bool:
    return exchange.operation is not None and exchange.operation.id in {"get_ready", "get_readyz"}


def _all_in(exchange: Exchange, member: str, allowed: set[str]) -> None:
    for item in _body(exchange):
        found = item.get(member)
        that(found in allowed, f"{member} of every item", expected=sorted(allowed), actual=found)


def _in_window(exchange: Exchange, member: str) -> None:
    since, until = (_time_of(exchange, name) for name in ("since", "until"))
    for item in _body(exchange):
        at = moment(item[member])
        inside = (since is None or at >= since) and (until is None or at < until)
        that(inside, f"{member} within [since, until)", expected=f"{since}..{until}", actual=at)


def _time_of(exchange: Exchange, name: str) -> datetime | None:
    """The time that a parameter holds; None where it holds none, which other rules judge."""
    try:
        return moment(exchange.query[name][0])
    except (KeyError, Failure):
        return None


def _members(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield name, value
            yield from _members(value)
    elif isinstance(node, list):
        for item in node:
            yield from _members(item)


def signed(position: dict[str, Any]) -> Decimal:
    """A position's quantity, negative when SHORT."""
    quantity = dec(position["quantity"])
    return quantity if position["side"] == "LONG" else -quantity
