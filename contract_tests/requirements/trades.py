"""GET /trades."""

from __future__ import annotations

from decimal import Decimal

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import MOST, Api, Body
from contract_tests.toolkit.expect import dec, equal, that
from contract_tests.toolkit.fillings import cheapest, partially_filled, too_large, traded
from contract_tests.toolkit.invariants import moment


@requirement("TRD-001", needs="fills")
def every_fill_is_listed_once(api: Api) -> None:
    """Filled orders' trades carry their id, symbol and side; the whole list holds each once."""
    made: list[Body] = []
    for side in ("BUY", "SELL", "BUY"):
        order = api.fill(side=side)
        trades = api.trades(order["id"])
        that(bool(trades), "the trades of a filled order", expected="one or more", actual=trades)
        for trade in trades:
            for name, value in (("order_id", "id"), ("symbol", "symbol"), ("side", "side")):
                equal(trade[name], order[value], f"the trade's {name}")
        made += trades
    everything = [one["id"] for one in api.listed("/trades", limit=MOST)]
    equal(len(set(everything)), len(everything), "the ids of all trades without repeats")
    missing = {one["id"] for one in made} - set(everything)
    equal(missing, set(), "the trades that the whole list lacks")


@requirement("TRD-002", needs="fills")
def filters_keep_what_matches(api: Api) -> None:
    """symbol and order_id find their own trades and no others."""
    mine, other = api.fill(), api.fill(symbol=api.market.second.symbol)
    for query in ({"symbol": mine["symbol"]}, {"order_id": mine["id"]}):
        listed = api.listed("/trades", limit=MOST, **query)
        orders = {one["order_id"] for one in listed}
        that(mine["id"] in orders, f"by {query}", expected="the own trades", actual=orders)
        that(other["id"] not in orders, f"by {query}", expected="no others", actual=orders)
        equal({one["symbol"] for one in listed}, {mine["symbol"]}, "every symbol listed")
    both = {"symbol": other["symbol"], "order_id": mine["id"]}
    equal(api.get("/trades", both).ok(), [], "by the symbol of one and the order of the other")


@requirement("TRD-003", needs="fills")
def window_is_half_open(api: Api) -> None:
    """The second of three trades is where since begins and where until ends."""
    made = [api.trades(api.fill()["id"])[0] for _ in range(3)]
    at = made[1]["timestamp"]
    since = {one["id"] for one in api.listed("/trades", since=at, limit=MOST)}
    until = {one["id"] for one in api.listed("/trades", until=at, limit=MOST)}
    times = [moment(one["timestamp"]) for one in made]
    inside = [one["id"] in since for one in made]
    equal(inside, [time >= times[1] for time in times], f"the trades of {times} since {at}")
    inside = [one["id"] in until for one in made]
    equal(inside, [time < times[1] for time in times], f"the trades of {times} until {at}")


@requirement("TRD-004", needs="fills")
def trades_sum_to_filled_quantity(api: Api) -> None:
    """Of orders with one fill, with several, and cancelled in between."""
    part = partially_filled(api)
    api.delete(f"/orders/{part['id']}").ok()
    symbol = cheapest(api).symbol
    large = api.place(api.at_market(symbol=symbol, quantity=too_large(api.quote(symbol))))
    for order_id in (part["id"], api.settled(large["id"])["id"], api.fill()["id"]):
        order = api.order(order_id)
        filled = dec(order["filled_quantity"])
        that(filled > 0, "filled_quantity", expected="above 0", actual=filled)
        equal(traded(api.trades(order_id)), filled, "the sum of the trades' quantities")
    equal(traded(api.trades(api.rest()["id"])), Decimal(0), "the trades of an order that rests")
