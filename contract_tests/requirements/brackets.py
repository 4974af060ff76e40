"""Entries with a stop-loss and a take-profit."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import OPEN, Api, Body
from contract_tests.toolkit.expect import NotExercised, NotOffered, Overdue, dec, equal, plain, that
from contract_tests.toolkit.fillings import ATTEMPTS, cheapest, partially_filled
from contract_tests.toolkit.holding import sides
from contract_tests.toolkit.market import Quote
from contract_tests.toolkit.protection import KINDS, both_legs, enter, far_exits, legs

ZERO = Decimal(0)


@requirement("BRK-001")
def exits_on_the_wrong_side_are_refused(api: Api) -> None:
    """Each exit beyond or at the entry's own price is refused by name; inside it is accepted."""
    bodies = {kind: body for kind, body in api.bodies().items() if kind in KINDS}
    for kind, body in bodies.items():
        for side, _ in sides(api):
            entry = dec(body[KINDS[kind]]) if side == "BUY" else api.quote().above("2")
            if kind == "STOP" and side == "SELL":
                entry = api.quote().below("0.5")
            order = body | {"side": side, KINDS[kind]: plain(entry)}
            tick = api.quote().tick
            low, high = plain(entry - 10 * tick), plain(entry + 10 * tick)
            loss, profit = (low, high) if side == "BUY" else (high, low)
            for wrong in (
                {"stop_loss": profit},
                {"take_profit": loss},
                {"stop_loss": plain(entry)},
            ):
                answer = api.submit(order | wrong)
                answer.refused(400, "INVALID_VALUE", field=next(iter(wrong)))
            placed = api.place(order | {"stop_loss": loss, "take_profit": profit})
            kept = (dec(placed["stop_loss"]), dec(placed["take_profit"]))
            equal(kept, (dec(loss), dec(profit)), "the exits as submitted")


@requirement("BRK-001", needs="fills")
def exits_are_measured_by_the_quote(api: Api) -> None:
    """Of a MARKET order each exit beyond the quote is rejected; inside it is accepted."""
    for side, _ in sides(api):
        body, good = api.at_market(side=side), far_exits(api.quote(), side)
        for name, other in (("stop_loss", "take_profit"), ("take_profit", "stop_loss")):
            api.submit(body | {name: good[other]}).rejected("INVALID_PRICE")
        api.accept(body | good)
        api.clean_up()


@requirement("BRK-002", needs="fills")
def filled_entry_has_its_legs(api: Api) -> None:
    """Both legs are open, reduce-only, of the other side, and as large as the fill."""
    for way_in, way_out in sides(api):
        entry, found = enter(api, way_in)
        _are_legs(found, entry, way_out, dec(entry["filled_quantity"]))
        api.clean_up()


def _are_legs(found: dict[str, Body], entry: Body, side: str, quantity: Decimal) -> None:
    prices = {"STOP": entry["stop_loss"], "LIMIT": entry["take_profit"]}
    for kind, field in KINDS.items():
        leg = found[kind]
        equal(dec(leg[field]), dec(prices[kind]), f"the price of the {kind} leg")
        shown = (leg["side"], leg["reduce_only"], leg["parent_order_id"])
        equal(shown, (side, True, entry["id"]), f"the {kind} leg")
        equal(dec(leg["remaining_quantity"]), quantity, f"the size of the {kind} leg")


@requirement("BRK-002", needs="fills")
def one_exit_makes_one_leg(api: Api) -> None:
    """An entry with only a stop-loss, or only a take-profit, has that leg alone."""
    for name, kind in (("stop_loss", "STOP"), ("take_profit", "LIMIT")):
        symbol = api.flat().symbol
        price = far_exits(api.quote(symbol))[name]
        entry = api.fill(symbol=symbol, **{name: price})
        found = api.eventually(partial(legs, api, entry), bool, "the leg exists")
        equal(set(found), {kind}, f"the legs of an entry with {name}")
        api.clean_up()


@requirement("BRK-002", needs="fills")
def legs_grow_with_the_entry(api: Api) -> None:
    """Of an entry that fills in parts they are as large as what has filled, whenever seen."""
    entry = partially_filled(api, far_exits)
    sizes = []
    for _ in range(5):
        seen = {one["id"]: one for one in api.orders(limit=1000)}
        if entry["id"] not in seen:
            break
        filled = dec(seen[entry["id"]]["filled_quantity"])
        own = [one for one in seen.values() if one["parent_order_id"] == entry["id"]]
        equal([dec(one["remaining_quantity"]) for one in own], [filled] * 2, "the legs' sizes")
        sizes.append(filled)
    that(bool(sizes), "looks at the entry while it was open", expected="some", actual=sizes)


def reach(api: Api, leg: Body, quote: Quote) -> Body:
    """Move a leg to where the market has reached it."""
    sells = leg["side"] == "SELL"
    low, high = quote.below("0.95"), quote.above("1.05")
    price = low if (leg["order_type"] == "LIMIT") is sells else high
    change = {KINDS[leg["order_type"]]: plain(price)}
    moved: Body = api.patch(f"/orders/{leg['id']}", change).ok()
    return moved


@requirement("BRK-003", needs="fills")
def one_leg_cancels_the_other(api: Api) -> None:
    """Whichever leg the market reaches closes the position, and the other fills nothing."""
    for way_in, _ in sides(api):
        for kind, other in (("STOP", "LIMIT"), ("LIMIT", "STOP")):
            entry, found = enter(api, way_in)
            reach(api, found[kind], api.quote(entry["symbol"]))
            done, left = api.ended(found[kind]["id"]), api.ended(found[other]["id"])
            equal(done["status"], "FILLED", f"the {kind} leg that was reached")
            equal(dec(done["filled_quantity"]), dec(entry["filled_quantity"]), "what it filled")
            shown = (left["status"], dec(left["filled_quantity"]))
            equal(shown, ("CANCELLED", ZERO), f"the {other} leg")
            equal(api.positions(entry["symbol"]), [], "the positions then")
            api.clean_up()


@requirement("BRK-003", needs="fills")
def partial_fill_shrinks_the_other(api: Api) -> None:
    """While one leg fills in parts the other is as large as what is left."""
    for _ in range(ATTEMPTS):
        entry, found = _large(api)
        quote = _thin_quote(api, entry)
        if quote and reach(api, found["LIMIT"], quote)["status"] == "PARTIALLY_FILLED":
            _shrink_together(api, entry)
            return
        api.clean_up()
    raise NotExercised("no leg was partially filled")


def _large(api: Api) -> tuple[Body, dict[str, Body]]:
    """An entry of more than either side of the quote shows, once it has filled."""
    symbol = cheapest(api).symbol
    if api.positions(symbol):
        raise NotOffered(f"{symbol} has a position already")
    quote = api.quote(symbol)
    sizes = [size for size in (quote.bid_size, quote.ask_size) if size is not None]
    return enter(api, symbol=symbol, quantity=plain(3 * max(sizes)))


def _thin_quote(api: Api, entry: Body) -> Quote | None:
    """A quote whose bid shows less than what has filled; None when none comes in a while."""
    filled = dec(entry["filled_quantity"])
    try:
        return api.eventually(
            lambda: api.quote(entry["symbol"]),
            lambda quote: quote.bid_size is not None and quote.bid_size < filled,
            "a quote shows less than the position",
        )
    except Overdue:
        return None


def _shrink_together(api: Api, entry: Body) -> None:
    for _ in range(5):
        left = legs(api, entry)
        sizes = {dec(one["remaining_quantity"]) for one in left.values()}
        that(len(left) != 1, "both legs or none", expected="two or none", actual=left)
        that(len(sizes) < 2, "the sizes of both legs", expected="equal", actual=sizes)


@requirement("BRK-004")
def cancelled_entry_leaves_no_legs(api: Api) -> None:
    """After an entry that rested was cancelled, nothing of its bracket is open."""
    quote = api.quote()
    loss, profit = plain(quote.below("0.4")), plain(quote.below("0.6"))
    entry = api.rest(stop_loss=loss, take_profit=profit)
    kept = (dec(entry["stop_loss"], "stop_loss"), dec(entry["take_profit"], "take_profit"))
    equal(kept, (dec(loss), dec(profit)), "the exits as submitted")
    equal(api.delete(f"/orders/{entry['id']}").ok()["success"], True, "cancelling the entry")
    left = [one["id"] for one in legs(api, entry).values()]
    equal(left, [], "the open legs of a cancelled entry")
    filled = [
        one["id"]
        for one in api.history(limit=1000)
        if one["parent_order_id"] == entry["id"] and dec(one["filled_quantity"]) > 0
    ]
    equal(filled, [], "the legs that filled")


@requirement("BRK-005", needs=("restart", "fills"))
def legs_survive_a_kill(api: Api) -> None:
    """After a kill the legs read the same, and one still cancels the other."""
    place = api.lab.restartable()
    mine = place.api
    entry, found = enter(mine)
    place.restart()
    equal(both_legs(mine, entry), found, "the legs after a kill")
    reach(mine, found["LIMIT"], mine.quote(entry["symbol"]))
    ends = _statuses(mine, [found["LIMIT"], found["STOP"]])
    equal(ends, ["FILLED", "CANCELLED"], "the legs once one was reached")
    mine.clean_up()


def _statuses(api: Api, orders: Sequence[Body]) -> list[str]:
    return [api.ended(one["id"])["status"] for one in orders]


@requirement("MOD-001")
def exits_of_an_entry_can_be_changed(api: Api) -> None:
    """PATCH gives a resting entry a stop-loss and a take-profit, and moves them."""
    api.require("bracket_orders")
    order, quote = api.rest(), api.quote()
    for low, high in (("0.4", "0.6"), ("0.3", "0.7")):
        change = {"stop_loss": plain(quote.below(low)), "take_profit": plain(quote.below(high))}
        api.patch(f"/orders/{order['id']}", change).ok()
        now = api.order(order["id"])
        kept = {name: dec(now[name]) for name in change}
        equal(kept, {name: dec(value) for name, value in change.items()}, "the exits")
        that(now["status"] in OPEN, "the entry", expected="open", actual=now["status"])
