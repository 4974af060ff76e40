"""Entries with a stop-loss and a take-profit far from the market."""

from __future__ import annotations

from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import equal, plain
from contract_tests.toolkit.market import Quote

KINDS = {"STOP": "stop_price", "LIMIT": "limit_price"}


def far_exits(quote: Quote, side: str = "BUY") -> Body:
    """Exits far on either side of the market, for an entry of that side."""
    low, high = plain(quote.below("0.5")), plain(quote.above("1.5"))
    loss, profit = (low, high) if side == "BUY" else (high, low)
    return {"stop_loss": loss, "take_profit": profit}


def legs(api: Api, entry: Body) -> dict[str, Body]:
    """The open legs of an entry by their order type."""
    found = [one for one in api.orders(limit=1000) if one["parent_order_id"] == entry["id"]]
    by_type = {one["order_type"]: one for one in found}
    equal(len(by_type), len(found), "the number of legs of one type")
    return by_type


def both_legs(api: Api, entry: Body) -> dict[str, Body]:
    """The open legs once there are two."""
    return api.eventually(lambda: legs(api, entry), lambda found: len(found) == 2, "two legs exist")


def enter(api: Api, side: str = "BUY", **changes: str) -> tuple[Body, dict[str, Body]]:
    """A MARKET entry that filled, and its legs far from the market."""
    symbol = changes.pop("symbol", None) or api.flat().symbol
    entry = api.fill(symbol=symbol, side=side, **far_exits(api.quote(symbol), side), **changes)
    return entry, both_legs(api, entry)
