"""What the exchange cannot do it refuses by name: no field of a request is ever ignored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.base import OrderQuery
from providers.errors import UnsupportedOperation
from providers.models import (
    Feature,
    MarginMode,
    ModifyOrderRequest,
    OrderRequest,
    OrderStatus,
    OrderType,
    TrailingType,
)
from providers.paper.unsupported import FEATURES, ORDER_TYPES
from tests.paper.exchange import Exchange

HONOURED = {
    *("symbol", "side", "quantity", "order_type", "limit_price", "stop_price"),
    *("time_in_force", "client_order_id"),
}
REFUSED: dict[str, tuple[Any, Feature]] = {
    "stop_loss": (Decimal(90), Feature.BRACKET_ORDERS),
    "take_profit": (Decimal(110), Feature.BRACKET_ORDERS),
    "reduce_only": (True, Feature.REDUCE_ONLY),
    "post_only": (True, Feature.POST_ONLY),
    "oco_group_id": ("group", Feature.OCO),
    "hidden": (True, Feature.HIDDEN_ORDERS),
    "display_quantity": (Decimal(1), Feature.ICEBERG_ORDERS),
    "leverage": (Decimal(2), Feature.LEVERAGE),
    "margin_mode": (MarginMode.CROSS, Feature.CROSS_MARGIN),
    "position_id": ("pos_1", Feature.HEDGING),
    "trailing_distance": (Decimal(1), Feature.TRAILING_STOP),
    "trailing_type": (TrailingType.PERCENT, Feature.TRAILING_STOP),
}
CASES = [
    *((field, {field: value}, feature) for field, (value, feature) in REFUSED.items()),
    ("isolated", {"margin_mode": MarginMode.ISOLATED}, Feature.ISOLATED_MARGIN),
]


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with aclosing(await Exchange(tmp_path / "paper.db").open()) as opened:
        yield opened


def test_every_field_is_honoured_or_refused() -> None:
    """Each field of an order request stands in one of the two tables here."""
    assert set(OrderRequest.model_fields) == HONOURED | set(REFUSED)
    assert set() == HONOURED & set(REFUSED)


@pytest.mark.parametrize(("fields", "feature"), [case[1:] for case in CASES])
async def test_a_field_of_a_missing_feature_is_refused(
    exchange: Exchange, fields: dict[str, Any], feature: Feature
) -> None:
    """A field whose feature is not there is refused by the feature's name, and nothing is kept."""
    trailing = feature is Feature.TRAILING_STOP
    more = {"order_type": OrderType.TRAILING_STOP} if trailing else {"limit": "98"}
    with pytest.raises(UnsupportedOperation) as refusal:
        await exchange.buy("10", client_order_id="mine", **more, **fields)
    assert {"feature": feature.value} == refusal.value.details
    page = await exchange.provider.list_orders("me", OrderQuery(status=list(OrderStatus)))
    assert [] == page.items
    assert not (await exchange.buy("10", client_order_id="mine")).replayed


async def test_features_are_declared_or_refused(exchange: Exchange) -> None:
    """What is refused is not declared, and everything else is."""
    declared = set((await exchange.provider.get_capabilities()).features or ())
    assert set(Feature) == declared | {feature for *_, feature in CASES}
    assert set() == declared & {feature for *_, feature in CASES}
    assert set(FEATURES) == declared


async def test_order_types_are_declared_or_refused(exchange: Exchange) -> None:
    """A TRAILING_STOP is refused; the other types are declared."""
    assert {OrderType.TRAILING_STOP} == set(OrderType) - set(ORDER_TYPES)
    with pytest.raises(UnsupportedOperation):
        await exchange.buy("10", order_type=OrderType.TRAILING_STOP)


@pytest.mark.parametrize("fields", [{"hidden": False, "reduce_only": False, "post_only": False}])
async def test_asking_for_nothing_is_no_feature(exchange: Exchange, fields: dict[str, Any]) -> None:
    """A flag that is false asks for nothing."""
    assert OrderStatus.FILLED == (await exchange.buy("10", **fields)).handle.status


@pytest.mark.parametrize("field", ["stop_loss", "take_profit"])
async def test_a_change_that_needs_a_missing_feature_is_refused(
    exchange: Exchange, field: str
) -> None:
    """Giving an order exits by a change is refused like giving them at once."""
    submission = await exchange.buy("10", limit="98")
    before = await exchange.order(submission)
    with pytest.raises(UnsupportedOperation) as refusal:
        await exchange.modify(submission, **{field: "90"}, limit_price="97")
    assert {"feature": "bracket_orders"} == refusal.value.details
    assert before == await exchange.order(submission)


def test_every_change_is_honoured_or_refused() -> None:
    """The fields of a change are prices and quantity, which are honoured, and exits."""
    # A trailing_distance belongs to no order type that is there, so it is refused for each.
    honoured = {"quantity", "limit_price", "stop_price", "trailing_distance"}
    assert set(ModifyOrderRequest.model_fields) == honoured | {"stop_loss", "take_profit"}
