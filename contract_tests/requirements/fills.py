"""When orders trade, at which price, how much, and what is left."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import partial

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import dec, equal, one_of, plain, that
from contract_tests.toolkit.fillings import (
    await_next_quote,
    cheapest,
    close_orders,
    first_to_fill,
    notional,
    partially_filled,
    those_that_fill,
    too_large,
    traded,
    while_quote_stands,
)
from contract_tests.toolkit.market import TERMINAL, Quote

ZERO = Decimal(0)


@requirement("ORD-015", needs="fills")
def average_and_notional_are_those_of_the_trades(api: Api) -> None:
    """Both figures follow from the trades, after one fill and after several."""
    several = api.settled(_cancel(api, partially_filled(api)))
    for order in (api.fill(), several):
        trades = api.trades(order["id"])
        equal(dec(order["filled_notional"]), notional(trades), "filled_notional")
        exact = Context(prec=60).divide(notional(trades), traded(trades))
        mean = exact.quantize(Decimal("1e-18"), ROUND_HALF_EVEN, Context(prec=60))
        equal(dec(order["average_fill_price"]), mean, "average_fill_price")


def _cancel(api: Api, order: Body) -> str:
    cancelled: str = api.delete(f"/orders/{order['id']}").ok()["order"]["id"]
    return cancelled


@requirement("ORD-016", needs="fills")
def market_order_trades_at_the_touch(api: Api) -> None:
    """A MARKET BUY trades at the ask, a MARKET SELL at the bid, for every symbol."""
    for instrument in api.market.instruments:
        for side in ("BUY", "SELL"):
            quote, order = while_quote_stands(
                api,
                instrument.symbol,
                partial(_fill, api, side),
            )
            touch = quote.ask if side == "BUY" else quote.bid
            for trade in api.trades(order["id"]):
                equal(dec(trade["price"]), touch, f"the price of a {side} of {instrument.symbol}")


def _fill(api: Api, side: str, quote: Quote) -> Body:
    return api.fill(symbol=quote.symbol, side=side)


@requirement("ORD-016", needs="fills")
def market_order_takes_what_the_quote_shows(api: Api) -> None:
    """A MARKET order above the size shown fills that size at once and the rest later."""
    symbol = cheapest(api).symbol
    quote, order = while_quote_stands(
        api,
        symbol,
        lambda quote: api.place(api.at_market(symbol=symbol, quantity=too_large(quote))),
    )
    equal(order["status"], "PARTIALLY_FILLED", "the status at once")
    equal(dec(order["filled_quantity"]), quote.ask_size, "what filled at once")
    filled = api.ended(order["id"])
    equal(filled["status"], "FILLED", "the status later")
    trades = api.trades(order["id"])
    that(len(trades) > 1, "the number of trades", expected="several", actual=len(trades))
    equal(traded(trades), dec(filled["quantity"]), "what traded in the end")


@requirement("ORD-017", needs="fills")
def limit_order_never_trades_worse(api: Api) -> None:
    """Whether it takes, rests or both, no trade is worse than the limit."""
    part = partially_filled(api)
    await_next_quote(api, part["symbol"])
    quote = api.quote()
    orders = [
        part,
        api.place(api.limit(limit_price=plain(quote.above("1.02")))),
        api.place(api.limit(side="SELL", limit_price=plain(quote.below("0.98")))),
    ]
    for order in orders:
        bound = dec(order["limit_price"])
        trades = api.trades(order["id"])
        that(bool(trades), "a marketable LIMIT order trades", expected="trades", actual=order)
        for trade in trades:
            price = dec(trade["price"])
            holds = price <= bound if order["side"] == "BUY" else price >= bound
            that(holds, f"the price of a {order['side']}", expected=f"limit {bound}", actual=price)


@requirement("ORD-018", needs="fills")
def marketable_limit_takes_at_the_touch(api: Api) -> None:
    """A LIMIT BUY above the ask trades at the ask, at once and as taker; a SELL at the bid."""
    symbol = api.market.instrument.symbol
    for side in ("BUY", "SELL"):
        quote, order = while_quote_stands(api, symbol, partial(_take, api, side))
        equal(order["status"], "FILLED", "the status at once")
        for trade in api.trades(order["id"]):
            touch = quote.ask if side == "BUY" else quote.bid
            equal(dec(trade["price"]), touch, f"the price of a marketable {side}")
            equal(trade["is_maker"], False, "is_maker")


def _take(api: Api, side: str, quote: Quote) -> Body:
    price = quote.above("1.02") if side == "BUY" else quote.below("0.98")
    return api.place(api.limit(symbol=quote.symbol, side=side, limit_price=plain(price)))


@requirement("ORD-019", needs="fills")
def resting_limit_makes_at_its_price(api: Api) -> None:
    """A LIMIT order that rested inside the spread trades at its limit, as maker."""
    order = first_to_fill(api, close_orders(api, lambda *args: _inside(api, *args)))
    for trade in api.trades(order["id"]):
        equal(dec(trade["price"]), dec(order["limit_price"]), "the price of a resting LIMIT order")
        equal(trade["is_maker"], True, "is_maker")


def _inside(api: Api, symbol: str, side: str, quote: Quote) -> Body:
    """As near to the other side as rests even if the next quote comes before the order."""
    middle = (quote.bid + quote.ask) / 2
    price = plain(middle.quantize(quote.tick))
    return api.limit(symbol=symbol, side=side, limit_price=price)


@requirement("ORD-020", needs="fills")
def stop_triggers_on_arrival(api: Api) -> None:
    """A stop that is reached already trades at the touch; one that is not rests untriggered."""
    api.require_type("STOP")
    symbol = api.market.instrument.symbol
    far = api.place(api.stop())
    equal((far["status"], far["triggered"]), ("OPEN", False), "a stop far from the market")
    for side in ("BUY", "SELL"):
        quote, order = while_quote_stands(
            api,
            symbol,
            partial(_reach, api, side),
        )
        equal((order["status"], order["triggered"]), ("FILLED", True), f"a reached {side} stop")
        for trade in api.trades(order["id"]):
            touch = quote.ask if side == "BUY" else quote.bid
            equal(dec(trade["price"]), touch, f"the price of a reached {side} stop")


def _reach(api: Api, side: str, quote: Quote) -> Body:
    price = quote.below("0.98") if side == "BUY" else quote.above("1.02")
    placed = api.place(api.stop(symbol=quote.symbol, side=side, stop_price=plain(price)))
    api.eventually(
        partial(api.order, placed["id"]),
        lambda one: one["triggered"] or one["status"] in TERMINAL,
        f"a {side} stop that is reached on arrival triggers",
    )
    return api.settled(placed["id"])


@requirement("ORD-020", needs="fills")
def stop_triggers_when_the_market_comes(api: Api) -> None:
    """A stop one tick beyond the market triggers when it is reached, and not before."""
    api.require_type("STOP")
    orders = [api.place(body) for body in close_orders(api, lambda *args: _beyond(api, *args))]
    for order in those_that_fill(api, orders):
        equal((order["status"], order["triggered"]), ("FILLED", True), "the stop that was reached")
        first = api.trades(order["id"])[0]
        price, stop = dec(first["price"]), dec(order["stop_price"])
        reached = price >= stop if order["side"] == "BUY" else price <= stop
        that(reached, f"the first price of a {order['side']} stop", expected=stop, actual=price)


def _beyond(api: Api, symbol: str, side: str, quote: Quote) -> Body:
    price = quote.ask + quote.tick if side == "BUY" else quote.bid - quote.tick
    return api.stop(symbol=symbol, side=side, stop_price=plain(price))


@requirement("ORD-021", needs="fills")
def stop_limit_becomes_a_limit(api: Api) -> None:
    """Reached, it trades at the touch or rests at its limit; not reached, it does neither."""
    api.require_type("STOP_LIMIT")
    far = api.place(api.stop_limit())
    equal((far["status"], far["triggered"]), ("OPEN", False), "a stop far from the market")
    quote = api.quote()
    reached, low, high = (plain(quote.below(part)) for part in ("0.98", "0.5", "1.05"))
    resting = api.place(api.stop_limit(stop_price=reached, limit_price=low))
    equal((resting["status"], resting["triggered"]), ("OPEN", True), "triggered, limit far away")
    taking = api.settled(api.place(api.stop_limit(stop_price=reached, limit_price=high))["id"])
    equal((taking["status"], taking["triggered"]), ("FILLED", True), "triggered, limit in reach")
    for trade in api.trades(taking["id"]):
        price = dec(trade["price"])
        that(price <= dec(high), "the price", expected=f"at most {high}", actual=price)


@requirement("ORD-022")
def ioc_far_from_the_market_is_cancelled(api: Api) -> None:
    """An IOC order that cannot trade ends CANCELLED without a fill; as GTC it rests."""
    order = api.ended(api.place(api.limit(time_in_force="IOC"))["id"])
    equal((order["status"], dec(order["filled_quantity"])), ("CANCELLED", ZERO), "the IOC order")
    api.rest(time_in_force="GTC")


@requirement("ORD-022", needs="fills")
def ioc_fills_what_it_can(api: Api) -> None:
    """A small IOC order fills whole; of one too large only what the quote shows."""
    price = plain(api.quote().above("1.02"))
    small = api.ended(api.place(api.limit(time_in_force="IOC", limit_price=price))["id"])
    equal(small["status"], "FILLED", "an IOC order within the size shown")
    symbol = cheapest(api).symbol
    for kind in ("MARKET", "LIMIT"):
        quote, order = while_quote_stands(
            api,
            symbol,
            partial(_all_at_once, api, kind, "IOC"),
        )
        filled = dec(order["filled_quantity"])
        equal(filled, traded(api.trades(order["id"])), "filled_quantity of the IOC order")
        equal((order["status"], filled), ("CANCELLED", quote.ask_size), f"a large {kind} IOC order")


@requirement("ORD-023")
def fok_far_from_the_market_is_cancelled(api: Api) -> None:
    """An FOK order that cannot trade ends CANCELLED without a fill; as GTC it rests."""
    order = api.ended(api.place(api.limit(time_in_force="FOK"))["id"])
    equal((order["status"], dec(order["filled_quantity"])), ("CANCELLED", ZERO), "the FOK order")
    api.rest(time_in_force="GTC")


@requirement("ORD-023", needs="fills")
def fok_fills_whole_or_not_at_all(api: Api) -> None:
    """A small FOK order fills whole at once; one above the size shown fills nothing."""
    price = plain(api.quote().above("1.02"))
    small = api.ended(api.place(api.limit(time_in_force="FOK", limit_price=price))["id"])
    equal(small["status"], "FILLED", "an FOK order within the size shown")
    symbol = cheapest(api).symbol
    for kind in ("MARKET", "LIMIT"):
        _, order = while_quote_stands(
            api,
            symbol,
            partial(_all_at_once, api, kind, "FOK"),
        )
        outcome = (order["status"], dec(order["filled_quantity"]))
        whole = {("CANCELLED", ZERO), ("FILLED", dec(order["quantity"]))}
        one_of(outcome, whole, f"a large {kind} FOK order")
        equal(traded(api.trades(order["id"])), outcome[1], "what its trades say")


def _all_at_once(api: Api, kind: str, lifetime: str, quote: Quote) -> Body:
    sizes = {"symbol": quote.symbol, "quantity": too_large(quote), "time_in_force": lifetime}
    price = plain(quote.above("1.02"))
    body = api.at_market(**sizes) if kind == "MARKET" else api.limit(limit_price=price, **sizes)
    return api.ended(api.place(body)["id"])


@requirement("ORD-024", needs="session_end")
def day_order_expires_with_its_session(api: Api) -> None:
    """After the session a DAY order is EXPIRED, in the history, and a GTC order still open."""
    session = api.lab.session()
    mine = session.api
    day, gtc = mine.rest(time_in_force="DAY"), mine.rest(time_in_force="GTC")
    that(day.get("expires_at") is not None, "expires_at", expected="a time", actual=None)
    session.end()
    expired = mine.eventually(
        lambda: mine.order(day["id"]), lambda order: order["status"] != "OPEN", "the DAY order ends"
    )
    equal(expired["status"], "EXPIRED", "the DAY order after its session")
    kept = {one["id"] for one in mine.history(status="EXPIRED", limit=1000)}
    that(day["id"] in kept, "the history", expected=day["id"], actual=kept)
    equal(mine.order(gtc["id"])["status"], "OPEN", "the GTC order after the session")
    mine.clean_up()
