"""Trailing stops."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body, without
from contract_tests.toolkit.expect import NotExercised, Overdue, dec, equal, plain, that
from contract_tests.toolkit.fillings import first_to_fill, while_quote_stands
from contract_tests.toolkit.holding import sides
from contract_tests.toolkit.market import TERMINAL, Quote
from contract_tests.toolkit.sameness import same

SIGN = {"BUY": 1, "SELL": -1}


@requirement("TRL-001")
def trailing_stop_needs_its_distance(api: Api) -> None:
    """Without trailing_distance it is refused by name; with it accepted."""
    body = api.trailing()
    bare = without(body, "trailing_distance")
    for wrong in (bare, bare | {"trailing_distance": None}, bare | {"trailing_type": "PERCENT"}):
        answer = api.submit(wrong)
        answer.refused(400, "INVALID_VALUE", field="trailing_distance")
    api.accept(body)


@requirement("TRL-002")
def trailing_type_defaults_to_absolute(api: Api) -> None:
    """Absent it is ABSOLUTE; 100 per cent or more is refused by name, as a price it is not."""
    equal(api.place(api.trailing())["trailing_type"], "ABSOLUTE", "trailing_type when absent")
    for distance in ("100", "100.5", "250"):
        wrong = api.trailing(trailing_type="PERCENT", trailing_distance=distance)
        api.submit(wrong).refused(400, "INVALID_VALUE", field="trailing_distance")
    order = api.place(api.trailing(trailing_type="PERCENT", trailing_distance="99"))
    equal((order["trailing_type"], dec(order["trailing_distance"])), ("PERCENT", 99), "the order")
    ask = api.quote().ask
    api.accept(api.trailing(trailing_type="ABSOLUTE", trailing_distance=plain(ask + 200)))


@requirement("TRL-003")
def stop_starts_at_its_distance(api: Api) -> None:
    """At first it is as far from the touch as was asked for, in price and in per cent."""
    symbol = api.market.instrument.symbol
    for side, _ in sides(api):
        for kind in ("ABSOLUTE", "PERCENT"):
            quote, order = while_quote_stands(api, symbol, partial(_place, api, side, kind))
            touch = quote.ask if side == "BUY" else quote.bid
            distance = dec(order["trailing_distance"])
            distance = distance if kind == "ABSOLUTE" else touch * distance / 100
            _near(order, touch + SIGN[side] * distance, quote.tick)


def _place(api: Api, side: str, kind: str, quote: Quote) -> Body:
    return api.place(_half_away(api, side, kind, quote))


def _half_away(api: Api, side: str, kind: str, quote: Quote) -> Body:
    half = plain(quote.below("0.5"))
    distance = half if kind == "ABSOLUTE" else "50"
    return api.trailing(
        symbol=quote.symbol, side=side, trailing_type=kind, trailing_distance=distance
    )


def _near(order: Body, expected: Decimal, tick: Decimal) -> None:
    stop = dec(order["stop_price"], "stop_price")
    off = abs(stop - expected)
    that(off < tick, f"the stop of a {order['side']}", expected=f"{expected} on tick", actual=stop)


@requirement("TRL-003")
def stop_follows_and_never_backs_off(api: Api) -> None:
    """As the market moves the stop follows the best price seen, and only ever towards it."""
    placed = [api.place(body) for body in _far_trails(api)]
    sightings: dict[str, list[Decimal]] = {one["id"]: [] for one in placed}
    first = {one["id"]: api.quote(one["symbol"]) for one in placed}
    best = dict(first)

    def followed() -> bool:
        for order in placed:
            now = api.quote(order["symbol"])
            best[order["id"]] = _better(order["side"], best[order["id"]], now)
            sightings[order["id"]].append(dec(api.order(order["id"])["stop_price"]))
        return any(len(set(stops)) > 1 for stops in sightings.values())

    try:
        api.eventually(followed, bool, "a stop moves")
    except Overdue:
        if not any(_nearer(one["side"], best[one["id"]], first[one["id"]]) for one in placed):
            raise NotExercised("no stop had reason to move") from None
    for order in placed:
        stops = sightings[order["id"]]
        ordered = sorted(stops, reverse=order["side"] == "BUY")
        equal(stops, ordered, f"the stops of a {order['side']}, as they were seen")
        _follows(api, order, best[order["id"]])


def _far_trails(api: Api) -> list[Body]:
    return [
        _half_away(api, side, "ABSOLUTE", api.quote(one.symbol))
        for one in api.market.instruments[:3]
        for side, _ in sides(api)
    ]


def _better(side: str, one: Quote, two: Quote) -> Quote:
    if side == "BUY":
        return min(one, two, key=lambda quote: quote.ask)
    return max(one, two, key=lambda quote: quote.bid)


def _nearer(side: str, best: Quote, first: Quote) -> bool:
    """Whether the market gave the stop of an order reason to move by a tick or more."""
    if side == "BUY":
        return best.ask <= first.ask - first.tick
    return best.bid >= first.bid + first.tick


def _follows(api: Api, order: Body, best: Quote) -> None:
    """The stop is at least as near as the best price seen asks for."""
    buys, distance = order["side"] == "BUY", dec(order["trailing_distance"])
    bound = best.ask + distance if buys else best.bid - distance

    def near(stop: Decimal) -> bool:
        return stop < bound + best.tick if buys else stop > bound - best.tick

    api.eventually(
        lambda: dec(api.order(order["id"])["stop_price"]),
        near,
        f"the stop of a {order['side']} follows to {bound}",
    )


@requirement("TRL-003", needs="fills")
def reached_trailing_stop_trades(api: Api) -> None:
    """A stop a few ticks away is reached when the market turns, and not before."""
    bodies = [
        api.trailing(
            symbol=one.symbol, side=side, trailing_distance=plain(_spread(api, one.symbol))
        )
        for one in api.market.instruments[:3]
        for side, _ in sides(api)
    ]
    order = first_to_fill(api, bodies)
    equal((order["status"], order["triggered"]), ("FILLED", True), "the stop that was reached")
    price, stop = dec(api.trades(order["id"])[0]["price"]), dec(order["stop_price"])
    reached = price >= stop if order["side"] == "BUY" else price <= stop
    that(reached, f"the first price of a {order['side']}", expected=f"beyond {stop}", actual=price)


def _spread(api: Api, symbol: str) -> Decimal:
    quote = api.quote(symbol)
    return quote.ask - quote.bid


@requirement("MOD-001")
def distance_can_be_changed(api: Api) -> None:
    """A new trailing_distance moves the stop to that distance and leaves the rest."""
    api.require("trailing_stop")
    order = api.place(api.trailing())
    that(order["status"] not in TERMINAL, "the order", expected="open", actual=order["status"])
    distance = dec(order["trailing_distance"]) * 2
    change = {"trailing_distance": plain(distance)}
    changed = api.patch(f"/orders/{order['id']}", change).ok()
    equal(dec(changed["trailing_distance"]), distance, "trailing_distance after the change")
    moving = ("trailing_distance", "trailing_reference", "stop_price", "updated_at")
    same(changed, order, "every other field", but=moving)
    further = dec(changed["stop_price"]) > dec(order["stop_price"])
    that(further, "the stop", expected=f"above {order['stop_price']}", actual=changed["stop_price"])
