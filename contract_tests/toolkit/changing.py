"""Orders changed, and orders that stayed as they were."""

from __future__ import annotations

from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.sameness import same

MOVING = ("updated_at", "trailing_reference")
"""What may change without being asked for; so may the stop_price of a trailing stop."""


def patch(api: Api, order: Body, change: Body) -> Body:
    """PATCH an order that can be changed; the order as answered."""
    changed: Body = api.patch(f"/orders/{order['id']}", change).ok()
    return changed


def unchanged(api: Api, order: Body, why: str) -> None:
    """Raise Failure unless the order reads as before."""
    but = (*MOVING, *trailing(order))
    same(api.order(order["id"]), order, f"the order after {why}", but=but)


def trailing(order: Body) -> tuple[str, ...]:
    """What the market moves of an order, if it trails."""
    trails = order["order_type"] == "TRAILING_STOP"
    return ("stop_price", "trailing_reference") if trails else ()
