"""Which fields of a request break a rule that the flat schemas cannot say.

A request that follows its schema may still be refused with 400 for these reasons, and for no
others: the fuzzer judges every refusal by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

Body = Mapping[str, Any]

NEEDS: Final = {
    "LIMIT": ("limit_price",),
    "STOP": ("stop_price",),
    "STOP_LIMIT": ("limit_price", "stop_price"),
    "TRAILING_STOP": ("trailing_distance",),
}
REFUSES: Final = {
    "MARKET": ("limit_price", "stop_price", "trailing_distance", "trailing_type"),
    "LIMIT": ("stop_price", "trailing_distance", "trailing_type"),
    "STOP": ("limit_price", "trailing_distance", "trailing_type"),
    "STOP_LIMIT": ("trailing_distance", "trailing_type"),
    "TRAILING_STOP": ("limit_price", "stop_price"),
}
"""The table of POST /orders: fields that a type needs, and fields that it has no use for."""


def broken_by_order(body: Body) -> set[str]:
    """The fields at fault in a schema-valid OrderRequest."""
    given = {name: value for name, value in body.items() if value is not None}
    return {*_fields_by_type(given), *_lifetimes(given), *_displays(given), *_brackets(given)}


def _fields_by_type(given: Body) -> Iterator[str]:
    kind = given["order_type"]
    yield from (name for name in NEEDS.get(kind, ()) if name not in given)
    yield from (name for name in REFUSES[kind] if name in given)
    if given.get("trailing_type") == "PERCENT" and _number(given, "trailing_distance") >= 100:
        yield "trailing_distance"


def _lifetimes(given: Body) -> Iterator[str]:
    kind, lifetime = given["order_type"], given.get("time_in_force", "GTC")
    if lifetime in {"IOC", "FOK"} and kind not in {"MARKET", "LIMIT"}:
        yield "time_in_force"
    if given.get("post_only") and not _rests(given):
        yield "post_only"


def _rests(given: Body) -> bool:
    return given["order_type"] == "LIMIT" and given.get("time_in_force", "GTC") in {"GTC", "DAY"}


def _displays(given: Body) -> Iterator[str]:
    if "display_quantity" in given:
        whole = _number(given, "display_quantity") >= _number(given, "quantity")
        if whole or given.get("hidden") or not _rests(given):
            yield "display_quantity"


def _brackets(given: Body) -> Iterator[str]:
    if given.get("reduce_only"):
        yield from (name for name in ("stop_loss", "take_profit") if name in given)
    sign = 1 if given["side"] == "BUY" else -1
    for entry in ("limit_price", "stop_price"):
        if entry in given:
            price = _number(given, entry)
            if "stop_loss" in given and sign * (price - _number(given, "stop_loss")) <= 0:
                yield "stop_loss"
            if "take_profit" in given and sign * (_number(given, "take_profit") - price) <= 0:
                yield "take_profit"


def _number(given: Body, name: str) -> Decimal:
    return Decimal(given.get(name, "0"))


def broken_by_close(body: Body) -> set[str]:
    """The fields at fault in a schema-valid ClosePositionRequest."""
    limit = body.get("order_type") == "LIMIT"
    priced = body.get("limit_price") is not None
    return set() if limit is priced else {"limit_price"}


def broken_by_window(query: Mapping[str, list[str]], first: str, last: str) -> set[str]:
    """The parameters at fault in a schema-valid range of times."""
    given = [name for name in (first, last) if name in query]
    times = {name: datetime.fromisoformat(query[name][0]) for name in given}
    beyond = {name for name, time in times.items() if not _has_a_year(time)}
    turned = len(times) == 2 and times[first] > times[last]
    return beyond | set(given) if turned else beyond


def _has_a_year(time: datetime) -> bool:
    """Whether its moment lies in the years 1 to 9999 of UTC; an offset may lead out of them."""
    try:
        time.astimezone(UTC)
    except OverflowError:
        return False
    return True
