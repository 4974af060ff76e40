"""Positions to act on: opened, added to and closed."""

from __future__ import annotations

from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.client import NOTHING
from contract_tests.toolkit.market import Instrument


def open_position(api: Api, side: str = "BUY", *, times: int = 1) -> tuple[Instrument, list[Body]]:
    """Open a position in a symbol that had none; the instrument and the trades that made it."""
    instrument = api.flat()
    trades: list[Body] = []
    for _ in range(times):
        trades += api.trades(api.fill(symbol=instrument.symbol, side=side)["id"])
    return instrument, trades


def sides(api: Api) -> tuple[tuple[str, str], ...]:
    """The ways in and out of a position: long, and short where it is declared."""
    ways = (("BUY", "SELL"), ("SELL", "BUY"))
    return ways if api.market.declares("short_selling") else ways[:1]


def adding_to(api: Api, position_id: str) -> Body:
    """What an order names so that it adds to a position: in an account that nets, nothing."""
    hedges = api.market.capabilities["position_mode"] == "HEDGING"
    return {"position_id": position_id} if hedges else {}


def close_position(api: Api, position: Body, **body: object) -> Body:
    """DELETE a position with a body; the order that closes it, as it reads then."""
    handle = api.delete(f"/positions/{position['id']}", json=body or NOTHING).ok()
    return api.order(handle["id"])


def opened(api: Api, side: str = "BUY") -> tuple[Instrument, Body]:
    """A new position and its instrument."""
    instrument, _ = open_position(api, side)
    return instrument, api.position(instrument.symbol)
