"""The paper exchange does all that the contract names: no field, type or change is refused as
unsupported, and none is ignored.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.models import (
    Feature,
    MarginMode,
    ModifyOrderRequest,
    ModifyPositionRequest,
    OrderRequest,
    OrderStatus,
    OrderType,
    TimeInForce,
    TrailingType,
)
from tests.paper.exchange import Exchange

LIMIT: dict[str, Any] = {"limit": "98"}
TRAILING: dict[str, Any] = {
    "order_type": OrderType.TRAILING_STOP,
    "trailing_distance": Decimal(1),
    "trailing_type": TrailingType.PERCENT,
}
FIELDS: list[tuple[dict[str, Any], Feature | None]] = [
    ({"stop": "105"}, None),
    (LIMIT | {"time_in_force": TimeInForce.DAY, "client_order_id": "mine"}, None),
    (LIMIT | {"stop_loss": Decimal(90)}, Feature.BRACKET_ORDERS),
    (LIMIT | {"take_profit": Decimal(110)}, Feature.BRACKET_ORDERS),
    (LIMIT | {"post_only": True}, Feature.POST_ONLY),
    (LIMIT | {"oco_group_id": "group"}, Feature.OCO),
    (LIMIT | {"hidden": True}, Feature.HIDDEN_ORDERS),
    (LIMIT | {"display_quantity": Decimal(1)}, Feature.ICEBERG_ORDERS),
    (LIMIT | {"leverage": Decimal(2)}, Feature.LEVERAGE),
    (LIMIT | {"margin_mode": MarginMode.CROSS}, Feature.CROSS_MARGIN),
    (LIMIT | {"margin_mode": MarginMode.ISOLATED}, Feature.ISOLATED_MARGIN),
    (TRAILING, Feature.TRAILING_STOP),
]
NAMED = {"symbol", "side", "quantity", "order_type", "limit_price", "stop_price"}
OF_A_POSITION = {"reduce_only", "position_id"}
"""Fields that need a position, tested apart."""


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with aclosing(await Exchange(tmp_path / "paper.db").open()) as opened:
        yield opened


def test_every_field_is_tested() -> None:
    """Each field of an order request stands in a case here."""
    tested = {field for fields, _ in FIELDS for field in fields} - {"limit", "stop"}
    assert set(OrderRequest.model_fields) == NAMED | OF_A_POSITION | tested


@pytest.mark.parametrize(("fields", "feature"), FIELDS)
async def test_every_field_is_kept(
    exchange: Exchange, fields: dict[str, Any], feature: Feature | None
) -> None:
    """An order with the field is accepted, shows it, and its feature is declared."""
    order = await exchange.order(await exchange.buy("10", **fields))
    assert OrderStatus.OPEN == order.status
    kept = {name: value for name, value in fields.items() if name not in ("limit", "stop")}
    assert kept == {name: getattr(order, name) for name in kept}
    declared = (await exchange.provider.get_capabilities()).features or []
    assert feature is None or feature in declared


@pytest.mark.parametrize("field", sorted(OF_A_POSITION))
async def test_fields_of_a_position(exchange: Exchange, field: str) -> None:
    """reduce_only and position_id are kept by an order that reduces a position."""
    await exchange.buy("10")
    (position,) = await exchange.provider.list_positions("me", None)
    value: Any = position.id if field == "position_id" else True
    fields: dict[str, Any] = {field: value}
    order = await exchange.order(await exchange.sell("4", limit="105", **fields))
    assert (value, True) == (getattr(order, field), order.reduce_only)


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        (LIMIT, {"quantity": Decimal(11), "limit_price": Decimal(97)}),
        ({"stop": "105"}, {"stop_price": Decimal(106)}),
        (LIMIT, {"stop_loss": Decimal(90), "take_profit": Decimal(110)}),
        (TRAILING, {"trailing_distance": Decimal(2)}),
    ],
)
async def test_every_change_is_made(
    exchange: Exchange, fields: dict[str, Any], change: dict[str, Decimal]
) -> None:
    """Each field of a change is taken by the orders that have a use for it."""
    submission = await exchange.buy("10", **fields)
    request = ModifyOrderRequest(**change)
    order = await exchange.provider.modify_order("me", submission.handle.id, request)
    assert change == {name: getattr(order, name) for name in change}


async def test_a_position_takes_exits(exchange: Exchange) -> None:
    """PATCH of a position makes its stop-loss and its take-profit."""
    await exchange.buy("10")
    (position,) = await exchange.provider.list_positions("me", None)
    exits = ModifyPositionRequest(stop_loss=Decimal(90), take_profit=Decimal(110))
    assert position == await exchange.provider.modify_position("me", position.id, exits)
    assert 2 == (await exchange.log()).count("BRACKET_ORDER_CREATED")


@pytest.mark.parametrize("fields", [{"hidden": False, "reduce_only": False, "post_only": False}])
async def test_asking_for_nothing_is_nothing(exchange: Exchange, fields: dict[str, Any]) -> None:
    """A flag that is false asks for nothing."""
    assert OrderStatus.FILLED == (await exchange.buy("10", **fields)).handle.status
