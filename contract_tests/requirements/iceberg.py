"""Orders of which the book shows a part (display_quantity) or nothing (hidden)."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import NotExercised, Overdue, dec, equal, plain, that
from contract_tests.toolkit.fillings import close_orders, traded
from contract_tests.toolkit.invariants import moment
from contract_tests.toolkit.market import Quote

TIMES = 3


@requirement("ICE-001", needs="fills")
def resting_iceberg_fills_what_it_shows(api: Api) -> None:
    """Resting, no trade is larger than what is displayed, and there is one trade per quote."""
    orders = [api.place(body) for body in close_orders(api, lambda *args: _iceberg(api, *args))]
    quotes: dict[str, set[datetime]] = {order["symbol"]: set() for order in orders}

    def look() -> list[Body]:
        for symbol, seen in quotes.items():
            seen.add(moment(api.quote(symbol).timestamp))
        return [one for one in orders if len(_made(api, one)) > 1 or _shows_all(api, one)]

    try:
        done = api.eventually(look, bool, "an iceberg that rests fills twice")
    except Overdue as overdue:
        raise NotExercised(f"the market did not move far enough: {overdue.what}") from None
    for order in done:
        shown, trades = dec(order["display_quantity"]), _made(api, order)
        for trade in trades:
            most = dec(trade["quantity"]) <= shown
            that(most, "a trade's quantity", expected=f"at most {shown}", actual=trade)
        times = [moment(one["timestamp"]) for one in trades]
        number = 2 + (times[-1] - times[0]) // _interval(quotes[order["symbol"]])
        most = traded(trades) <= shown * number
        that(most, f"fills in {number} quotes", expected=shown * number, actual=traded(trades))


def _iceberg(api: Api, symbol: str, side: str, quote: Quote) -> Body:
    price = plain(((quote.bid + quote.ask) / 2).quantize(quote.tick))
    body = api.limit(symbol=symbol, side=side, limit_price=price)
    whole = plain(dec(body["quantity"]) * TIMES)
    return body | {"display_quantity": body["quantity"], "quantity": whole}


def _made(api: Api, order: Body) -> list[Body]:
    return [one for one in api.trades(order["id"]) if one["is_maker"] is not False]


def _shows_all(api: Api, order: Body) -> bool:
    """Whether an order filled more at once than it displays."""
    shown = dec(order["display_quantity"])
    return any(dec(one["quantity"]) > shown for one in _made(api, order))


def _interval(seen: set[datetime]) -> timedelta:
    """The shortest time between two quotes."""
    return min((later - earlier for earlier, later in pairwise(sorted(seen))), default=MINUTE)


MINUTE = timedelta(minutes=1)


@requirement("ICE-002")
def misplaced_display_is_refused(api: Api) -> None:
    """Not below quantity, or on an order that does not rest, it is refused by name."""
    body = api.limit()
    shown = body["quantity"]
    whole = {"display_quantity": shown, "quantity": plain(dec(shown) * 2)}
    wrong = [body | whole | {"quantity": shown}]
    wrong += [body | whole | {"display_quantity": plain(dec(shown) * 3)}]
    wrong += [body | whole | {"time_in_force": lifetime} for lifetime in ("IOC", "FOK")]
    wrong += [other | whole for kind, other in api.bodies().items() if kind != "LIMIT"]
    if api.market.declares("hidden_orders"):
        wrong.append(body | whole | {"hidden": True})
    for one in wrong:
        api.submit(one).refused(400, "INVALID_VALUE", field="display_quantity")
    for lifetime in ("GTC", "DAY"):
        order = api.place(body | whole | {"time_in_force": lifetime, "hidden": False})
        equal(dec(order["display_quantity"]), dec(shown), "display_quantity as submitted")


@requirement("ICE-002", needs="fills")
def display_is_not_for_market_orders(api: Api) -> None:
    """A MARKET order with it is refused by name; without it accepted."""
    body = api.at_market()
    shown = {"display_quantity": body["quantity"], "quantity": plain(dec(body["quantity"]) * 2)}
    api.submit(body | shown).refused(400, "INVALID_VALUE", field="display_quantity")
    api.accept(body)


@requirement("HID-001")
def hidden_is_reported(api: Api) -> None:
    """A hidden order says so wherever it is read, and after a change; another does not."""
    order = api.rest(hidden=True)
    equal(order["hidden"], True, "hidden as submitted")
    more = plain(dec(order["quantity"]) * 2)
    changed = api.patch(f"/orders/{order['id']}", {"quantity": more}).ok()
    equal(changed["hidden"], True, "hidden after a change")
    listed = [one for one in api.orders(limit=1000) if one["id"] == order["id"]]
    equal([one["hidden"] for one in listed], [True], "hidden in the list")
    that(not api.rest()["hidden"], "hidden of another order", expected="not true", actual=True)
