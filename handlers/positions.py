"""Tag Positions: look up, protect and close."""

from __future__ import annotations

from handlers.bodies import JsonObject
from handlers.replies import Call
from handlers.rules import CLOSE_RULES
from providers.models import ClosePositionRequest, ModifyPositionRequest, OrderHandle, Position


async def list_positions(call: Call, symbol: str | None = None) -> list[Position]:
    return await call.provider.list_positions(call.account, symbol)


async def get_position(call: Call, position_id: str) -> Position:
    return await call.provider.get_position(call.account, position_id)


async def modify_position(call: Call, position_id: str, body: JsonObject) -> Position:
    change = ModifyPositionRequest.model_validate(body)
    return await call.provider.modify_position(call.account, position_id, change)


async def close_position(call: Call, position_id: str, body: JsonObject | None) -> OrderHandle:
    """Without a body the whole position is closed at the market."""
    request = ClosePositionRequest.model_validate(body or {})
    CLOSE_RULES.check(request)
    return await call.provider.close_position(call.account, position_id, request)


async def close_all_positions(call: Call, symbol: str | None = None) -> list[OrderHandle]:
    return await call.provider.close_all_positions(call.account, symbol)
