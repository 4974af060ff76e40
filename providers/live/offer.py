"""What a venue offers through the API: its own abilities, and what we hold for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from providers.base import Instrument
from providers.errors import UnsupportedOperation
from providers.live.venue import Traits, Venue
from providers.models import (
    AssetClass,
    Capabilities,
    Feature,
    MarginMode,
    OrderRequest,
    OrderType,
    PositionMode,
    TimeInForce,
)

MANAGED: Final = (
    Feature.BRACKET_ORDERS,
    Feature.OCO,
    Feature.TRAILING_STOP,
    Feature.REDUCE_ONLY,
)
"""What every venue can through us: see `exits`."""
IMMEDIATE: Final = (TimeInForce.IOC, TimeInForce.FOK)


def capabilities_of(venue: Venue) -> Capabilities:
    """Every order type is there where MARKET and LIMIT are: we hold the stops it lacks."""
    traits = venue.traits
    own = {
        Feature.POST_ONLY: traits.post_only,
        Feature.ICEBERG_ORDERS: traits.iceberg,
        Feature.SHORT_SELLING: traits.short_selling,
    }
    features = [*MANAGED, *(feature for feature, classes in own.items() if classes)]
    return Capabilities(
        supported_asset_classes=[each for each in AssetClass if each in traits.orders],
        supported_order_types=list(OrderType),
        position_mode=PositionMode.NETTING,
        features=[each for each in Feature if each in features],
        max_leverage=traits.max_leverage,
        rate_limits=traits.rate_limits,
    )


def refuse_unsupported(
    request: OrderRequest, traits: Traits, instrument: Instrument | None
) -> None:
    """Raises UnsupportedOperation for what this venue lacks and we cannot hold for it."""
    missing = missing_feature(request, traits, instrument)
    if missing is not None:
        raise UnsupportedOperation(missing)


def missing_feature(
    request: OrderRequest, traits: Traits, instrument: Instrument | None
) -> str | None:
    if request.hidden:
        return Feature.HIDDEN_ORDERS.value
    if request.leverage is not None:
        return Feature.LEVERAGE.value
    if request.margin_mode is not None:
        isolated = request.margin_mode is MarginMode.ISOLATED
        return (Feature.ISOLATED_MARGIN if isolated else Feature.CROSS_MARGIN).value
    asset_class = instrument.asset_class if instrument else None
    if request.post_only and not offers(traits.post_only, asset_class):
        return Feature.POST_ONLY.value
    if request.display_quantity is not None and not offers(traits.iceberg, asset_class):
        return Feature.ICEBERG_ORDERS.value
    return missing_time(request, traits.orders.get(asset_class, {}) if asset_class else {})


def offers(classes: frozenset[AssetClass], asset_class: AssetClass | None) -> bool:
    """Whether a feature is there for a kind of instrument; for an unknown one, for any."""
    return asset_class in classes if asset_class is not None else bool(classes)


def missing_time(
    request: OrderRequest, native: Mapping[OrderType, frozenset[TimeInForce]]
) -> str | None:
    """IOC and FOK happen at the venue or not at all; of the others we see to the end ourselves."""
    wanted, kind = request.time_in_force, request.order_type
    if wanted not in IMMEDIATE or kind not in native or wanted in native[kind]:
        return None
    return f"{wanted.value} for {kind.value} orders"
