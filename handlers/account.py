"""Tag Account: balances and margin."""

from __future__ import annotations

from handlers.replies import Call
from providers.models import Account


async def get_account(call: Call) -> Account:
    return await call.provider.get_account(call.account)
