"""Which fields of a request ask for a feature that the exchange does not have yet.

A field that cannot be honoured is refused with 501, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable

from providers.errors import UnsupportedOperation
from providers.models import Feature, MarginMode, ModifyOrderRequest, OrderRequest, OrderType

FEATURES = (Feature.SHORT_SELLING,)
ORDER_TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT)

_ASKS_FOR: dict[Feature, Callable[[OrderRequest], object]] = {
    Feature.TRAILING_STOP: lambda order: order.order_type is OrderType.TRAILING_STOP,
    Feature.BRACKET_ORDERS: lambda order: order.stop_loss or order.take_profit,
    Feature.REDUCE_ONLY: lambda order: order.reduce_only,
    Feature.POST_ONLY: lambda order: order.post_only,
    Feature.OCO: lambda order: order.oco_group_id,
    Feature.HIDDEN_ORDERS: lambda order: order.hidden,
    Feature.ICEBERG_ORDERS: lambda order: order.display_quantity,
    Feature.LEVERAGE: lambda order: order.leverage,
    Feature.CROSS_MARGIN: lambda order: order.margin_mode is MarginMode.CROSS,
    Feature.ISOLATED_MARGIN: lambda order: order.margin_mode is MarginMode.ISOLATED,
    Feature.HEDGING: lambda order: order.position_id,
}


def refuse_unsupported(request: OrderRequest) -> None:
    """Raises UnsupportedOperation naming the first feature asked for that is not there."""
    for feature, asks_for in _ASKS_FOR.items():
        if asks_for(request):
            raise UnsupportedOperation(feature.value)


def refuse_unsupported_change(change: ModifyOrderRequest) -> None:
    """Raises UnsupportedOperation for a change that needs a feature that is not there."""
    if change.stop_loss or change.take_profit:
        raise UnsupportedOperation(Feature.BRACKET_ORDERS.value)
