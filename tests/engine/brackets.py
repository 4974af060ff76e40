"""Entries with exits, and how their legs are shown."""

from __future__ import annotations

from typing import Any

from providers.models import Order
from tests.engine.desk import Desk, row

LEG = "side order_type stop_price limit_price remaining_quantity status"


def market(size: str = "1000000", **options: Any) -> Desk:
    desk = Desk(**options)
    desk.quote("99", "100", size=size)
    return desk


def entry(desk: Desk, quantity: str = "10", side: str = "BUY", **fields: str) -> Order:
    """An order with a stop_loss of 90 and a take_profit of 110 (SELL: the other way round)."""
    exits = {"stop_loss": "90", "take_profit": "110"}
    if side == "SELL":
        exits = {"stop_loss": "110", "take_profit": "90"}
    kinds = {(False, False): "MARKET", (True, False): "LIMIT", (False, True): "STOP"}
    kind = kinds.get(("limit" in fields, "stop" in fields), "STOP_LIMIT")
    place = desk.buy if side == "BUY" else desk.sell
    return place(quantity, kind, **exits | fields)


def shown(desk: Desk, order: Order) -> list[str]:
    return [row(leg, LEG) for leg in desk.legs(order)]


def sizes(desk: Desk, order: Order) -> list[str]:
    """Stop-loss and take-profit: what each still has to fill, and how it stands."""
    return [row(leg, "remaining_quantity status") for leg in desk.legs(order)]
