"""Tag Orders: submit, look up, change and cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.bodies import JsonObject
from handlers.replies import Call, Reply, page_reply
from handlers.rules import check_order, check_window
from providers.base import OrderQuery, Page
from providers.models import (
    CancelAllResult,
    CancelOrderResult,
    ModifyOrderRequest,
    Order,
    OrderRequest,
    OrderStatus,
    Side,
)

REPLAYED = (b"idempotent-replayed", b"true")


async def submit_order(call: Call, body: JsonObject) -> Reply:
    """201 for a new order and for the same request again, which creates nothing."""
    request = OrderRequest.model_validate(body)
    check_order(request)
    call.provider.breakers.admit(request)
    submission = await call.provider.submit_order(call.account, request)
    location = (b"location", f"{call.base_path}/orders/{submission.handle.id}".encode())
    headers = (location, REPLAYED) if submission.replayed else (location,)
    return Reply(submission.handle, 201, headers)


async def list_orders(call: Call, **filters: Any) -> Reply:
    page = await call.provider.list_orders(call.account, order_query(filters))
    return _orders_reply(page, f"{call.base_path}/orders", filters)


async def get_order_history(call: Call, **filters: Any) -> Reply:
    page = await call.provider.list_order_history(call.account, order_query(filters))
    return _orders_reply(page, f"{call.base_path}/orders/history", filters)


async def get_order(call: Call, order_id: str) -> Order:
    return await call.provider.get_order(call.account, order_id)


async def modify_order(call: Call, order_id: str, body: JsonObject) -> Order | Reply:
    change = ModifyOrderRequest.model_validate(body)
    order = await call.provider.modify_order(call.account, order_id, change)
    return Reply({**order.__dict__, "order": order}) if _is_v1(call) else order


async def cancel_order(call: Call, order_id: str) -> CancelOrderResult:
    return await call.provider.cancel_order(call.account, order_id)


async def cancel_all_orders(call: Call, symbol: str | None = None) -> CancelAllResult:
    return await call.provider.cancel_all_orders(call.account, symbol)


def order_query(filters: Mapping[str, Any]) -> OrderQuery:
    """The filters of a request as the provider takes them. Raises InvalidValue."""
    check_window("since", "until", filters)
    status = tuple(OrderStatus(name) for name in filters.get("status", ()))
    side = Side(filters["side"]) if "side" in filters else None
    return OrderQuery(**{**filters, "status": status, "side": side})


def _orders_reply(page: Page[Order], path: str, filters: Mapping[str, Any]) -> Reply:
    return page_reply(page, page.items[-1].created_at if page.items else None, path, filters)


def _is_v1(call: Call) -> bool:
    """Published clients of /v1 look for the changed order under `order`."""
    return call.base_path.endswith("/v1")
