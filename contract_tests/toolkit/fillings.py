"""Bringing about fills whose price, size and moment a check can know."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import NotExercised, Overdue, dec, plain
from contract_tests.toolkit.market import Instrument, Quote

T = TypeVar("T")
ATTEMPTS = 12


def while_quote_stands(api: Api, symbol: str, act: Callable[[Quote], T]) -> tuple[Quote, T]:
    """Act between two looks at the same quote, so that it is the one that was traded on.

    Where the quote changed in between, what was done is undone and tried again.
    """
    for _ in range(ATTEMPTS):
        quote = api.quote(symbol)
        done = act(quote)
        if api.quote(symbol) == quote:
            return quote, done
        api.clean_up()
    raise NotExercised(f"the quote of {symbol} never stood still for the time of an order")


def seen_at_one_quote(api: Api, symbol: str, look: Callable[[], T]) -> tuple[Quote, T]:
    """Look between two looks at the same quote, so that it is the one that what is seen shows."""
    for _ in range(ATTEMPTS):
        quote = api.quote(symbol)
        seen = look()
        if api.quote(symbol) == quote:
            return quote, seen
    raise NotExercised(f"the quote of {symbol} never stood still for the time of a look")


def await_next_quote(api: Api, symbol: str) -> None:
    """Wait until the quote has changed twice, so that what rests has met a new one."""
    seen = {api.quote(symbol)}

    def look() -> int:
        seen.add(api.quote(symbol))
        return len(seen)

    try:
        api.eventually(look, lambda count: count > 2, "two more quotes")
    except Overdue:
        raise NotExercised(f"the quote of {symbol} does not change") from None


def await_another_price(api: Api, symbol: str) -> None:
    """Wait until what trades next has another price; in a market that stands still it has not."""
    before = api.quote(symbol)
    try:
        api.eventually(
            lambda: api.quote(symbol),
            lambda now: now.bid != before.bid and now.ask != before.ask,
            "the price moves",
        )
    except Overdue:
        return


def cheapest(api: Api) -> Instrument:
    """The instrument whose whole ask costs least, and that the account can buy several times."""
    costs = {
        instrument: _cost(api.quote(instrument.symbol)) for instrument in api.market.instruments
    }
    known = {instrument: cost for instrument, cost in costs.items() if cost is not None}
    if not known:
        raise NotExercised("no quote shows the size of its ask")
    instrument = min(known, key=lambda one: known[one])
    if known[instrument] * 4 > api.account()["margin_available"]:
        raise NotExercised("the account cannot buy more than the size shown of any symbol")
    return instrument


def _cost(quote: Quote) -> Decimal | None:
    return None if quote.ask_size is None else quote.ask_size * quote.ask


def too_large(quote: Quote, times: str = "1.5") -> str:
    """A quantity of which the ask shows a part only."""
    if quote.ask_size is None:
        raise NotExercised("the quote does not show the size of its ask")
    return plain(quote.ask_size * Decimal(times))


def partially_filled(api: Api, terms: Callable[[Quote], Body] = lambda _: {}) -> Body:
    """A LIMIT BUY at the ask for far more than it shows: some filled, the rest resting.

    `terms` are further fields, given the quote that it is placed at.
    """
    symbol = cheapest(api).symbol
    for _ in range(ATTEMPTS):
        quote = api.quote(symbol)
        body = api.limit(symbol=symbol, quantity=_vast(api, quote), limit_price=plain(quote.ask))
        order = api.place(body | terms(quote))
        if order["status"] == "PARTIALLY_FILLED":
            return order
        api.clean_up()
    raise NotExercised(f"no LIMIT order above the size shown of {symbol} was partially filled")


def _vast(api: Api, quote: Quote) -> str:
    """So much that the next quotes will not fill it, as far as half of the account can pay it."""
    cost = _cost(quote)
    affordable = api.account()["margin_available"] / (2 * cost) if cost else 0
    return too_large(quote, plain(Decimal(max(2, min(20, int(affordable))))))


def first_to_fill(api: Api, bodies: list[Body]) -> Body:
    """Place orders that rest on either side of the market; the first that fills.

    Those that fill on arrival do not count. Raises NotExercised when none of the others fills.
    """
    rested = [order for order in map(api.place, bodies) if not dec(order["filled_quantity"])]
    if not rested:
        raise NotExercised("the market moved: every order filled on arrival")
    return those_that_fill(api, rested)[0]


def those_that_fill(api: Api, orders: list[Body]) -> list[Body]:
    """As soon as some of the orders have filled: these, once they are settled.

    Raises NotExercised when none fills.
    """
    placed = [order["id"] for order in orders]

    def look() -> list[Body]:
        return [order for order in map(api.order, placed) if dec(order["filled_quantity"]) > 0]

    try:
        filled = api.eventually(look, bool, "one of the orders fills")
    except Overdue as failure:
        raise NotExercised(f"the market did not move far enough: {failure.what}") from None
    return [api.settled(order["id"]) for order in filled]


def close_orders(api: Api, make: Callable[[str, str, Quote], Body]) -> list[Body]:
    """A BUY and, where the target sells short, a SELL body for each of a few instruments."""
    sides = ("BUY", "SELL") if api.market.declares("short_selling") else ("BUY",)
    found = []
    for instrument in api.market.instruments[:3]:
        quote = api.quote(instrument.symbol)
        found += [make(instrument.symbol, side, quote) for side in sides]
    return found


def traded(trades: list[Body]) -> Decimal:
    """The quantity of some trades."""
    return sum((dec(one["quantity"]) for one in trades), Decimal(0))


def notional(trades: list[Body]) -> Decimal:
    """The sum of price times quantity of some trades."""
    return sum((dec(one["quantity"]) * dec(one["price"]) for one in trades), Decimal(0))


def trip(api: Api) -> Body:
    """An order that filled and was closed again; the order."""
    symbol = api.flat().symbol
    order = api.fill(symbol=symbol)
    close(api, symbol)
    return order


def close(api: Api, symbol: str) -> None:
    """Close the positions of a symbol."""
    for position in api.positions(symbol):
        api.settled(api.delete(f"/positions/{position['id']}").ok()["id"])
