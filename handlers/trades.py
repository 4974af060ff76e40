"""Tag Trades: what has been filled."""

from __future__ import annotations

from typing import Any

from handlers.replies import Call, Reply, page_reply
from handlers.rules import check_window
from providers.base import TradeQuery


async def list_trades(call: Call, **filters: Any) -> Reply:
    check_window("since", "until", filters)
    page = await call.provider.list_trades(call.account, TradeQuery(**filters))
    last_seen = page.items[-1].timestamp if page.items else None
    return page_reply(page, last_seen, f"{call.base_path}/trades", filters)
