"""Accounts that hold long and short positions of one symbol."""

from __future__ import annotations

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.expect import dec, equal, plain
from contract_tests.toolkit.samples import UNKNOWN_POSITION


@requirement("HDG-001", needs="fills")
def each_opening_order_has_its_position(api: Api) -> None:
    """Two buys and a sell make two LONG positions and a SHORT one, each of its own order."""
    equal(api.market.capabilities["position_mode"], "HEDGING", "position_mode")
    symbol = api.flat().symbol
    sides = ["BUY", "BUY", "SELL"] if api.market.declares("short_selling") else ["BUY", "BUY"]
    orders = [api.fill(symbol=symbol, side=side) for side in sides]
    held = {one["id"]: one for one in api.positions(symbol)}
    equal(set(held), {one["position_id"] for one in orders}, "the positions of the orders")
    for order in orders:
        position = held[order["position_id"]]
        expected = ("LONG" if order["side"] == "BUY" else "SHORT", dec(order["quantity"]))
        equal((position["side"], dec(position["quantity"])), expected, "a position")


@requirement("HDG-001", needs="fills")
def position_id_names_the_position(api: Api) -> None:
    """It adds to the position named, reduces it from the other side, and leaves the others."""
    instrument = api.flat()
    symbol = instrument.symbol
    first, second = (api.fill(symbol=symbol)["position_id"] for _ in range(2))
    api.fill(symbol=symbol, position_id=first)
    api.fill(
        symbol=symbol, side="SELL", quantity=plain(instrument.quantity / 2), position_id=second
    )
    found = {one["id"]: dec(one["quantity"]) for one in api.positions(symbol)}
    expected = {first: instrument.quantity * 2, second: instrument.quantity / 2}
    equal(found, expected, "the positions by id")
    body = api.limit(symbol=symbol, position_id=UNKNOWN_POSITION)
    api.submit(body).rejected("POSITION_NOT_FOUND")


@requirement("HDG-001", needs="fills")
def closing_one_leaves_the_other(api: Api) -> None:
    """DELETE of a LONG position leaves a SHORT one of the same symbol as it was."""
    api.require("short_selling")
    symbol = api.flat().symbol
    long, short = (api.fill(symbol=symbol, side=side)["position_id"] for side in ("BUY", "SELL"))
    api.settled(api.delete(f"/positions/{long}").ok()["id"])
    equal([one["id"] for one in api.positions(symbol)], [short], "the positions then")


@requirement("HDG-002", needs="fills")
def order_that_adds_ends_with_its_position(api: Api) -> None:
    """Of two orders that rest, the one placed for the position that closes is cancelled."""
    symbol = api.flat().symbol
    held = api.fill(symbol=symbol)["position_id"]
    adding, other = api.rest(symbol=symbol, position_id=held), api.rest(symbol=symbol)
    api.settled(api.delete(f"/positions/{held}").ok()["id"])
    equal(api.ended(adding["id"])["status"], "CANCELLED", "the order that was to add")
    equal(api.order(other["id"])["status"], "OPEN", "the other order")
