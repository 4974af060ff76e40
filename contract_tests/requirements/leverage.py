"""Leverage and margin: what a position uses, and what happens when it runs out."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import (
    NotDeclared,
    NotExercised,
    NotOffered,
    Overdue,
    dec,
    equal,
    eventually,
    one_of,
    plain,
    that,
)
from contract_tests.toolkit.fillings import notional, traded, while_quote_stands
from contract_tests.toolkit.holding import adding_to, sides
from contract_tests.toolkit.market import Instrument, Quote

PATIENCE, ROUNDS = 90.0, 5
ZERO = Decimal(0)


def highest(api: Api) -> Decimal:
    """The target's max_leverage; raises NotDeclared where there is none."""
    value = api.market.capabilities.get("max_leverage")
    if value is None:
        raise NotDeclared("a max_leverage")
    return dec(value, "max_leverage")


@requirement("LEV-001")
def leverage_above_the_highest_is_rejected(api: Api) -> None:
    """One above max_leverage is rejected; max_leverage itself is accepted and reported."""
    most = highest(api)
    api.submit(api.limit(leverage=plain(most + 1))).rejected("LEVERAGE_EXCEEDED")
    equal(dec(api.rest(leverage=plain(most))["leverage"]), most, "leverage as submitted")


def bare(api: Api) -> Decimal:
    """margin_used without positions, which the market would move."""
    if api.get("/positions").ok():
        raise NotOffered("with positions open the market moves margin_used too")
    return api.account()["margin_used"]


@requirement("LEV-002")
def leverage_divides_what_an_order_reserves(api: Api) -> None:
    """With leverage 2 an order that rests reserves half of what it does with 1."""
    before = bare(api)
    body = api.limit()
    reserved = []
    for leverage in ("1", "2"):
        order = api.place(body | {"leverage": leverage})
        reserved.append(api.account()["margin_used"] - before)
        api.delete(f"/orders/{order['id']}").ok()
    equal(reserved[1] * 2, reserved[0], "twice what is reserved with leverage 2")
    that(reserved[0] > 0, "what is reserved", expected="above 0", actual=reserved[0])


@requirement("LEV-002", needs="fills")
def leverage_divides_what_a_position_uses(api: Api) -> None:
    """margin_used is the position's notional, at its mark or its cost, over its leverage."""
    symbol = api.flat().symbol
    for leverage in (Decimal(1), Decimal(2)):
        before = bare(api)
        quote, used = while_quote_stands(api, symbol, partial(_used, api, leverage))
        position = api.position(symbol)
        equal(dec(position["leverage"]), leverage, "the position's leverage")
        quantity = dec(position["quantity"])
        whole = {quantity * quote.bid, quantity * dec(position["average_entry_price"])}
        one_of((used - before) * leverage, whole, "margin_used times leverage")
        api.clean_up()


def _used(api: Api, leverage: Decimal, quote: Quote) -> Decimal:
    api.fill(symbol=quote.symbol, leverage=plain(leverage))
    return api.account()["margin_used"]


@requirement("LEV-003", needs="fills")
def added_quantity_brings_its_own_leverage(api: Api) -> None:
    """Of two equal fills with leverage 2 and 4 the position binds a half and a quarter."""
    symbol, before = api.flat().symbol, bare(api)
    quote, used = while_quote_stands(api, symbol, partial(_used_by_two, api))
    position = api.position(symbol)
    each = dec(position["quantity"]) / 2
    marks = {quote.bid, dec(position["average_entry_price"])}
    expected = {_to_12_places(each * mark / 2 + each * mark / 4) for mark in marks}
    one_of(_to_12_places(used - before), expected, "margin_used by the position")


def _used_by_two(api: Api, quote: Quote) -> Decimal:
    held = api.fill(symbol=quote.symbol, leverage="2")
    api.fill(symbol=quote.symbol, leverage="4", **adding_to(api, held["position_id"]))
    return api.account()["margin_used"]


def _to_12_places(value: Decimal) -> Decimal:
    """Room for a leverage that does not terminate."""
    return value.quantize(Decimal("1E-12"))


@requirement("MRG-003", needs="fills")
def position_keeps_its_margin_mode(api: Api) -> None:
    """Adding in the other mode is rejected and changes nothing; in its own, or in none, it adds."""
    for mode, other in (("ISOLATED", "CROSS"), ("CROSS", "ISOLATED")):
        instrument = api.flat()
        symbol = instrument.symbol
        held = api.fill(symbol=symbol, margin_mode=mode)
        named = adding_to(api, held["position_id"])
        api.submit(api.at_market(symbol=symbol, margin_mode=other) | named).rejected("UNKNOWN")
        api.fill(symbol=symbol, margin_mode=mode, **named)
        api.fill(symbol=symbol, **named)
        position = api.position(symbol)
        shown = (position["margin_mode"], dec(position["quantity"]))
        equal(shown, (mode, instrument.quantity * 3), "the position")
        api.clean_up()


@requirement("MRG-001", needs="fills")
def isolated_position_reports_its_liquidation(api: Api) -> None:
    """liquidation_price lies on the losing side of the entry, nearer with more leverage."""
    highest(api)
    for way_in, _ in sides(api):
        distances = []
        for leverage in ("2", "4"):
            symbol = api.flat().symbol
            api.fill(symbol=symbol, side=way_in, leverage=leverage, margin_mode="ISOLATED")
            position = api.position(symbol)
            equal(position["margin_mode"], "ISOLATED", "margin_mode of the position")
            entry = dec(position["average_entry_price"])
            price = dec(position["liquidation_price"], "liquidation_price")
            distances.append(entry - price if position["side"] == "LONG" else price - entry)
            api.clean_up()
        ordered = distances[0] > distances[1] > 0
        that(ordered, f"distances of a {way_in}", expected="falling, above 0", actual=distances)


@requirement("MRG-001", needs="liquidation")
def isolated_loss_ends_with_its_margin(api: Api) -> None:
    """What the market takes to liquidation_price is closed, and loses at most its own margin."""
    mine = api.lab.nervous()
    mine.require("isolated_margin")
    leverage = highest(mine)
    balance = mine.account()["balance"]
    held = [_isolated(mine, one, leverage) for one in mine.market.instruments[:3]]
    gone = _first_gone(mine, held)
    trades = _closing(mine, gone)
    entry = dec(gone["average_entry_price"])
    sign = 1 if gone["side"] == "LONG" else -1
    lost = sign * (entry * traded(trades) - notional(trades))
    margin = entry * dec(gone["quantity"]) / leverage
    equal(traded(trades), dec(gone["quantity"]), "what the liquidation closed")
    that(ZERO < lost <= margin, "the loss", expected=f"above 0, at most {margin}", actual=lost)
    left = mine.account()["balance"]
    that(left >= balance - 3 * margin, "the balance", expected=f"{balance} - margins", actual=left)
    mine.delete("/positions").ok()


def _isolated(api: Api, instrument: Instrument, leverage: Decimal) -> Body:
    terms = {"leverage": plain(leverage), "margin_mode": "ISOLATED"}
    quote = api.quote(instrument.symbol)
    # Equal shares of a tenth of the account, in what quotes show at once.
    quantity = _lots(api.account()["balance"] * leverage / 10 / quote.ask, instrument)
    order = api.accept(api.at_market(symbol=instrument.symbol, quantity=quantity, **terms))
    api.settled(order["id"])
    held = api.positions(instrument.symbol)
    return held[0] if held else _liquidated(api, order)


def _lots(quantity: Decimal, instrument: Instrument) -> str:
    return plain(max(quantity // instrument.quantity, Decimal(1)) * instrument.quantity)


def _liquidated(api: Api, order: Body) -> Body:
    """The position as its order made it, which was liquidated before it could be read."""
    made = api.order(order["id"])
    return {
        "id": made["position_id"],
        "symbol": made["symbol"],
        "side": "LONG" if made["side"] == "BUY" else "SHORT",
        "quantity": made["filled_quantity"],
        "average_entry_price": made["average_fill_price"],
    }


def _first_gone(api: Api, held: list[Body]) -> Body:
    gone = _gone(api, held, within=PATIENCE)
    if not gone:
        raise NotExercised("the market did not move far enough: no position is liquidated")
    return gone[0]


def _gone(api: Api, held: list[Body], *, within: float) -> list[Body]:
    """Those of the positions that are no longer open, as soon as there is one; none in time."""

    def look() -> list[Body]:
        open_now = {one["id"] for one in api.get("/positions").ok()}
        return [one for one in held if one["id"] not in open_now]

    try:
        return eventually(look, bool, "a position is liquidated", within=within)
    except Overdue:
        return []


def _closing(api: Api, position: Body) -> list[Body]:
    """The trades that closed a position, which nobody asked for."""
    side = "SELL" if position["side"] == "LONG" else "BUY"
    orders = [
        one
        for one in api.history(symbol=position["symbol"], side=side, limit=1000)
        if one["position_id"] == position["id"]
    ]
    equal(len(orders), 1, "the number of orders that closed the position")
    equal(orders[0]["reduce_only"], True, "reduce_only of a liquidation")
    return api.trades(orders[0]["id"])


@requirement("MRG-002", needs="liquidation")
def cross_account_is_liquidated(api: Api) -> None:
    """Open orders are cancelled before the position is closed, and more than nothing is left."""
    mine = api.lab.nervous()
    mine.require("cross_margin")
    equity, position, resting = _until_liquidated(mine, highest(mine))
    trades = _closing(mine, position)
    cancelled = mine.order(resting["id"])
    equal(cancelled["status"], "CANCELLED", "the order that rested")
    first, then = cancelled["updated_at"], trades[0]["timestamp"]
    that(first < then, "when it was cancelled", expected=f"before {then}", actual=first)
    account = mine.account()
    kept = ZERO < account["equity"] < equity
    that(kept, "the equity left", expected=f"between 0 and {equity}", actual=account["equity"])
    equal(account["margin_used"], ZERO, "margin_used when all is closed")


def _until_liquidated(api: Api, leverage: Decimal) -> tuple[Decimal, Body, Body]:
    """The equity, a position of all of it that was liquidated, and an order that rested beside it.

    Whichever way the market goes: long and short are tried in turn.
    """
    for side in [way_in for way_in, _ in sides(api)] * ROUNDS:
        equity = api.account()["equity"]
        resting = api.rest(symbol=api.market.second.symbol, leverage=plain(leverage))
        position = _all_in(api, side, leverage)
        if _gone(api, [position], within=PATIENCE / ROUNDS):
            return equity, position, resting
        api.clean_up()
    raise NotExercised("the market did not move far enough: no position is liquidated")


def _all_in(api: Api, side: str, leverage: Decimal) -> Body:
    """A CROSS position of all that the account can carry, as its order made it."""
    instrument = api.market.instrument
    quote = api.quote(instrument.symbol)
    most = api.account()["margin_available"] * leverage * Decimal("0.998") / quote.ask
    body = api.at_market(
        symbol=instrument.symbol,
        side=side,
        quantity=_lots(most, instrument),
        leverage=plain(leverage),
        margin_mode="CROSS",
    )
    return _liquidated(api, api.settled(api.accept(body)["id"]))
