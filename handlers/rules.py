"""What a request must obey and JSON Schema cannot say flatly: fields that depend on each other.

Each rule names the field at fault, says in words what is asked, and tells when it is broken. All
are judged from the request alone, hence 400; what needs the account or the market is the
provider's to refuse with 422. Source: the requirements of openapi.yaml on the operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from handlers.errors import shorten
from handlers.replies import to_wire
from providers.errors import InvalidValue
from providers.models import (
    CloseOrderType,
    ClosePositionRequest,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
    TrailingType,
)

R = TypeVar("R", bound=BaseModel)


class Rule(NamedTuple, Generic[R]):
    """`field` is wrong, for `reason`, in a request of which `broken` is true.

    A rule can be broken only by a request that has the field, unless it is `needed`.
    """

    field: str
    reason: str
    broken: Callable[[R], bool]
    needed: bool = False


class Rulebook(Generic[R]):
    """Rules in the order in which their violations are reported.

    Most requests set few fields and break nothing, so only the rules of those fields are tried.
    """

    def __init__(self, *rules: Rule[R]) -> None:
        self.rules = rules
        self._needed = [rule.broken for rule in rules if rule.needed]
        self._by_field: dict[str, list[Callable[[R], bool]]] = {}
        for rule in rules:
            if not rule.needed:
                self._by_field.setdefault(rule.field, []).append(rule.broken)

    def check(self, request: R) -> None:
        """Raises InvalidValue for the first rule that `request` breaks."""
        if self._is_broken(request):
            field, reason, *_ = next(rule for rule in self.rules if rule.broken(request))
            raise InvalidValue(field, _shown(getattr(request, field)), reason)

    def _is_broken(self, request: R) -> bool:
        for broken in self._needed:
            if broken(request):
                return True
        for field in request.model_fields_set:
            for broken in self._by_field.get(field, ()):
                if broken(request):
                    return True
        return False


def _shown(value: Any) -> Any:
    return to_wire(value) if isinstance(value, Decimal) else shorten(value)


def needs(field: str, kind: str) -> Rule[Any]:
    return Rule(field, f"is required for {kind}", lambda r: getattr(r, field) is None, needed=True)


def takes_no(field: str, kind: str) -> Rule[Any]:
    return Rule(field, f"has no meaning for {kind}", lambda r: getattr(r, field) is not None)


_FIELDS_BY_TYPE: Mapping[OrderType, tuple[str, str]] = {
    # order type: fields it needs; fields it takes no
    OrderType.MARKET: ("", "limit_price stop_price trailing_distance trailing_type"),
    OrderType.LIMIT: ("limit_price", "stop_price trailing_distance trailing_type"),
    OrderType.STOP: ("stop_price", "limit_price trailing_distance trailing_type"),
    OrderType.STOP_LIMIT: ("limit_price stop_price", "trailing_distance trailing_type"),
    OrderType.TRAILING_STOP: ("trailing_distance", "limit_price stop_price"),
}

_RESTING = (None, TimeInForce.GTC, TimeInForce.DAY)


def _at_once(order: OrderRequest) -> bool:
    return order.time_in_force not in _RESTING


def _rests_as_limit(order: OrderRequest) -> bool:
    return order.order_type is OrderType.LIMIT and not _at_once(order)


def _wrong_side(price: Decimal | None, order: OrderRequest, below: Side) -> bool:
    """Whether a bracket price is not below every entry price that a `below` order names, or not
    above them for the other side. Where only the market knows the entry, the provider judges."""
    if price is None:
        return False
    entries = [entry for entry in (order.limit_price, order.stop_price) if entry is not None]
    if order.side is below:
        return any(price >= entry for entry in entries)
    return any(price <= entry for entry in entries)


_ANY_ORDER: tuple[Rule[OrderRequest], ...] = (
    Rule(
        "trailing_distance",
        "must be less than 100 when trailing_type is PERCENT",
        lambda o: (
            o.trailing_type is TrailingType.PERCENT
            and o.trailing_distance is not None
            and o.trailing_distance >= 100
        ),
    ),
    Rule(
        "time_in_force",
        "may be IOC or FOK only for MARKET and LIMIT orders",
        lambda o: o.order_type not in (OrderType.MARKET, OrderType.LIMIT) and _at_once(o),
    ),
    Rule(
        "post_only",
        "is only for LIMIT orders that are GTC or DAY",
        lambda o: bool(o.post_only) and not _rests_as_limit(o),
    ),
    Rule(
        "display_quantity",
        "is only for LIMIT orders that are GTC or DAY",
        lambda o: o.display_quantity is not None and not _rests_as_limit(o),
    ),
    Rule(
        "display_quantity",
        "must be less than quantity",
        lambda o: o.display_quantity is not None and o.display_quantity >= o.quantity,
    ),
    Rule(
        "display_quantity",
        "cannot be shown of an order that is hidden",
        lambda o: o.display_quantity is not None and bool(o.hidden),
    ),
    Rule(
        "stop_loss",
        "has no meaning for a reduce_only order",
        lambda o: o.stop_loss is not None and bool(o.reduce_only),
    ),
    Rule(
        "take_profit",
        "has no meaning for a reduce_only order",
        lambda o: o.take_profit is not None and bool(o.reduce_only),
    ),
    Rule(
        "stop_loss",
        "must be below the entry price of a BUY, above that of a SELL",
        lambda o: _wrong_side(o.stop_loss, o, Side.BUY),
    ),
    Rule(
        "take_profit",
        "must be above the entry price of a BUY, below that of a SELL",
        lambda o: _wrong_side(o.take_profit, o, Side.SELL),
    ),
)

ORDER_RULES: Mapping[OrderType, Rulebook[OrderRequest]] = {
    kind: Rulebook(
        *(needs(field, kind) for field in needed.split()),
        *(takes_no(field, kind) for field in unused.split()),
        *_ANY_ORDER,
    )
    for kind, (needed, unused) in _FIELDS_BY_TYPE.items()
}

CLOSE_RULES: Rulebook[ClosePositionRequest] = Rulebook(
    Rule(
        "limit_price",
        "is required for LIMIT",
        lambda c: c.order_type is CloseOrderType.LIMIT and c.limit_price is None,
        needed=True,
    ),
    Rule(
        "limit_price",
        "has no meaning for MARKET",
        lambda c: c.order_type is not CloseOrderType.LIMIT and c.limit_price is not None,
    ),
)


def check_order(order: OrderRequest) -> None:
    """Raises InvalidValue for the first rule that `order` breaks."""
    ORDER_RULES[order.order_type].check(order)


def check_window(first: str, last: str, window: Mapping[str, Any]) -> None:
    """Raises InvalidValue when `first` (since, start) is later than `last` (until, end)."""
    start: datetime | None = window.get(first)
    end: datetime | None = window.get(last)
    if start is not None and end is not None and start > end:
        raise InvalidValue(first, start.isoformat(), f"must not be later than {last}")
