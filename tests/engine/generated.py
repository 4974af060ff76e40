"""What happens to the engine in its random runs: orders, changes, quotes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from providers.models import (
    ModifyOrderRequest,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
    TrailingType,
)
from tests.engine.desk import INSTRUMENTS

SYMBOLS = ("AAPL", "BTC/USD")
Tick = tuple[str, Decimal, int, tuple[Decimal | None, ...]]
"""Symbol, bid, spread in quarters, sizes of bid and ask."""
KINDS = [*[OrderType.LIMIT] * 4, *[OrderType.MARKET] * 3, *list(OrderType)]
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)

# Few prices, close together, so that orders meet quotes often and averages do not terminate.
prices = st.sampled_from([100 + step * Decimal("0.25") for step in range(-8, 9)])
sizes = st.sampled_from([None, *(Decimal(size) / 2 for size in range(31))])
ticks = st.tuples(st.sampled_from(SYMBOLS), prices, st.integers(1, 4), st.tuples(sizes, sizes))
gaps = st.sampled_from([Decimal(price) for price in (40, 70, 85, 93, 96, 104, 108, 120, 150, 220)])
limits = st.one_of(st.none(), prices)
picks = st.integers(0, 30)
rarely = st.sampled_from([False] * 19 + [True])
sometimes = st.sampled_from([False] * 3 + [True])
COSTLY = {"unit_fee": "0.01", "order_fee": "0.5", "slippage": "0.001"}
levers = st.sampled_from([Decimal(2), Decimal(7), Decimal(20)])


def quantities(symbol: str) -> st.SearchStrategy[Decimal]:
    """Up to thirty, in the steps of the symbol."""
    step = INSTRUMENTS[symbol].quantity_increment
    return st.integers(1, int(30 / step)).map(lambda count: count * step)


@st.composite
def order_requests(draw: st.DrawFn) -> OrderRequest:
    symbol = draw(st.sampled_from(SYMBOLS))
    kind = draw(st.sampled_from(KINDS))
    stops = kind in STOPS
    lasting = [TimeInForce.GTC, TimeInForce.DAY]
    order = OrderRequest(
        symbol=symbol,
        side=draw(st.sampled_from(Side)),
        quantity=draw(quantities(symbol)) + off_step(draw),
        order_type=kind,
        limit_price=draw(prices) + off_step(draw) if "LIMIT" in kind else None,
        stop_price=draw(prices) + off_step(draw) if stops else None,
        time_in_force=draw(st.sampled_from(lasting if stops else lasting * 2 + list(TimeInForce))),
    )
    return order.model_copy(update=trailing(draw, order) | extras(draw, order))


def trailing(draw: st.DrawFn, order: OrderRequest) -> dict[str, Any]:
    """The distance of a trailing stop, which has no stop of its own."""
    if order.order_type is not OrderType.TRAILING_STOP:
        return {}
    return {
        "stop_price": None,
        "trailing_distance": draw(st.integers(1, 8)) * Decimal("0.3"),
        "trailing_type": draw(st.sampled_from([None, *TrailingType])),
    }


def extras(draw: st.DrawFn, order: OrderRequest) -> dict[str, Any]:
    """What an order may have besides type and prices: as a rule one or two of them."""
    rests = order.order_type is OrderType.LIMIT and order.time_in_force in (
        TimeInForce.GTC,
        TimeInForce.DAY,
    )
    half = INSTRUMENTS[order.symbol].quantity_increment * 3
    return {
        "reduce_only": True if draw(sometimes) and draw(sometimes) else None,
        "post_only": True if rests and draw(sometimes) else None,
        "hidden": True if draw(rarely) else None,
        "display_quantity": half if rests and order.quantity > half and draw(sometimes) else None,
        "oco_group_id": draw(st.sampled_from("abcdefgh")) if draw(sometimes) else None,
        **(bracket(draw, order) if draw(sometimes) else {}),
    }


def bracket(draw: st.DrawFn, order: OrderRequest) -> dict[str, Any]:
    """Exits around a price near the entry; now and then on its wrong side."""
    entry = order.limit_price or order.stop_price or Decimal(100)
    sign = 1 if order.side is Side.BUY else -1
    away = st.one_of(st.none(), st.integers(0, 8).map(lambda n: n * Decimal("0.25") * sign))
    below, above = draw(away), draw(away)
    return {
        "stop_loss": None if below is None else entry - below,
        "take_profit": None if above is None else entry + above,
    }


def off_step(draw: st.DrawFn) -> Decimal:
    """Almost always nothing; now and then too little for any step."""
    return Decimal("0.00001") if draw(rarely) else Decimal(0)


@st.composite
def changes(draw: st.DrawFn) -> ModifyOrderRequest:
    return ModifyOrderRequest(
        quantity=draw(st.one_of(st.none(), st.integers(1, 30).map(Decimal))),
        limit_price=draw(prices) + off_step(draw) if draw(st.booleans()) else None,
        stop_price=draw(prices) if draw(rarely) else None,
        stop_loss=draw(prices) if draw(rarely) else None,
        take_profit=draw(prices) if draw(rarely) else None,
        trailing_distance=Decimal("0.7") if draw(rarely) else None,
    )
