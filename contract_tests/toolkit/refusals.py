"""Orders that are well-formed and cannot be accepted."""

from __future__ import annotations

from decimal import Decimal

from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import dec, plain

OFF_EVERY_STEP = Decimal("0.000000000000000001")
"""The smallest decimal of the protocol: no tick or lot size is as fine."""


def unaffordable(api: Api) -> Body:
    """A LIMIT BUY whose notional is a thousand times what the account and its leverage carry."""
    body = api.limit()
    leverage = dec(api.market.capabilities.get("max_leverage") or "1")
    equity = max(api.account()["equity"], Decimal(1))
    quantity = equity * leverage * 1000 / dec(body["limit_price"]) + 1
    return body | {"quantity": plain(quantity.quantize(Decimal(1)))}
