"""What fills make of positions."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import partial

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import NotDeclared, dec, equal, plain, that
from contract_tests.toolkit.fillings import await_another_price, notional, seen_at_one_quote, traded
from contract_tests.toolkit.holding import open_position, sides
from contract_tests.toolkit.market import Instrument
from contract_tests.toolkit.sameness import same
from contract_tests.toolkit.samples import UNKNOWN_POSITION

SIGN = {"LONG": 1, "SHORT": -1}


def trade(api: Api, instrument: Instrument, side: str, quantity: Decimal) -> list[Body]:
    """Trade at the market; the trades."""
    order = api.fill(symbol=instrument.symbol, side=side, quantity=plain(quantity))
    return api.trades(order["id"])


def require_netting(api: Api) -> None:
    """Raise NotDeclared for an account that hedges."""
    if api.market.capabilities["position_mode"] != "NETTING":
        raise NotDeclared("position mode NETTING")


@requirement("POS-001", needs="fills")
def only_open_positions_are_listed(api: Api) -> None:
    """A position appears with its first fill, by its symbol too, and is gone when it is closed."""
    instrument, _ = open_position(api)
    position = api.position(instrument.symbol)
    equal(dec(position["quantity"]), instrument.quantity, "its quantity")
    listed = {one["id"] for one in api.get("/positions").ok()}
    that(position["id"] in listed, "the whole list", expected=position["id"], actual=listed)
    for other in api.market.instruments:
        by_symbol = {one["id"] for one in api.positions(other.symbol)}
        found = position["id"] in by_symbol
        equal(found, other.symbol == instrument.symbol, f"whether it is listed for {other.symbol}")
    api.settled(api.delete(f"/positions/{position['id']}").ok()["id"])
    equal(api.positions(instrument.symbol), [], "the positions after it was closed")
    api.get(f"/positions/{position['id']}").refused(404)


@requirement("POS-002", needs="fills")
def netting_holds_one_position_per_symbol(api: Api) -> None:
    """Three buys make one position of their sum."""
    require_netting(api)
    instrument, trades = open_position(api, times=3)
    position = api.position(instrument.symbol)
    equal(dec(position["quantity"]), traded(trades), "its quantity")
    symbols = [one["symbol"] for one in api.get("/positions").ok()]
    equal(len(set(symbols)), len(symbols), "the symbols of all positions without repeats")


@requirement("POS-003", needs="fills")
def average_entry_is_weighted(api: Api) -> None:
    """Adding averages by quantity, reducing leaves the average."""
    require_netting(api)
    for way_in, way_out in sides(api):
        instrument, trades = open_position(api, way_in)
        await_another_price(api, instrument.symbol)
        trades += trade(api, instrument, way_in, instrument.quantity * 2)
        exact = Context(prec=60).divide(notional(trades), traded(trades))
        mean = exact.quantize(Decimal("1e-18"), ROUND_HALF_EVEN, Context(prec=60))
        equal(dec(api.position(instrument.symbol)["average_entry_price"]), mean, "the average")
        trade(api, instrument, way_out, instrument.quantity)
        reduced = api.position(instrument.symbol)
        equal(dec(reduced["average_entry_price"]), mean, "the average after reducing")
        api.clean_up()


@requirement("POS-004", needs="fills")
def reducing_realizes_the_difference(api: Api) -> None:
    """Half a position out again realizes (exit - entry) times quantity, signed by the side."""
    require_netting(api)
    for way_in, way_out in sides(api):
        instrument, entry = open_position(api, way_in)
        position = api.position(instrument.symbol)
        equal(dec(position["realized_pnl"]), Decimal(0), "realized_pnl of a new position")
        exits = trade(api, instrument, way_out, instrument.quantity / 2)
        reduced = api.position(instrument.symbol)
        equal(dec(reduced["quantity"]), instrument.quantity / 2, "the quantity left")
        entry_price = notional(entry) / traded(entry)
        realized = SIGN[position["side"]] * (notional(exits) - entry_price * traded(exits))
        equal(dec(reduced["realized_pnl"]), realized, f"realized_pnl of a {position['side']}")
        equal((reduced["id"], reduced["side"]), (position["id"], position["side"]), "the position")
        api.clean_up()


@requirement("POS-005", needs="fills")
def larger_opposite_fill_flips(api: Api) -> None:
    """Three times the position the other way leaves twice of it there, under a new id."""
    require_netting(api)
    api.require("short_selling")
    for way_in, way_out in sides(api):
        instrument, _ = open_position(api, way_in)
        before = api.position(instrument.symbol)
        exits = trade(api, instrument, way_out, instrument.quantity * 3)
        after = api.position(instrument.symbol)
        that(after["side"] != before["side"], "its side", expected="the other", actual=after)
        that(after["id"] != before["id"], "its id", expected="a new one", actual=after["id"])
        equal(dec(after["quantity"]), instrument.quantity * 2, "its quantity")
        equal(dec(after["average_entry_price"]), dec(exits[-1]["price"]), "its average entry")
        api.get(f"/positions/{before['id']}").refused(404, "POSITION_NOT_FOUND")
        api.clean_up()


@requirement("POS-006", needs="fills")
def position_is_marked_where_it_would_close(api: Api) -> None:
    """LONG at the bid, SHORT at the ask, and unrealized_pnl is the difference to the entry."""
    for way_in, _ in sides(api):
        instrument, entry = open_position(api, way_in)
        symbol = instrument.symbol
        quote, position = seen_at_one_quote(api, symbol, partial(api.position, symbol))
        long = position["side"] == "LONG"
        mark = quote.bid if long else quote.ask
        equal(dec(position["current_price"]), mark, f"current_price of a {position['side']}")
        pnl = (1 if long else -1) * (mark * traded(entry) - notional(entry))
        equal(dec(position["unrealized_pnl"]), pnl, f"unrealized_pnl of a {position['side']}")
        api.clean_up()


@requirement("POS-007")
def unknown_position_is_404(api: Api) -> None:
    """An unknown id is 404, the list is 200."""
    api.get(f"/positions/{UNKNOWN_POSITION}").refused(404)
    api.get("/positions").ok()


@requirement("POS-008")
def unknown_position_is_named(api: Api) -> None:
    """The 404 of an unknown id says that it is a position, and which."""
    details = api.get(f"/positions/{UNKNOWN_POSITION}").refused(404, "POSITION_NOT_FOUND")
    named = {name: details.get(name) for name in ("resource", "id")}
    equal(named, {"resource": "position", "id": UNKNOWN_POSITION}, "details")
    api.get("/positions").ok()


@requirement("POS-007", needs="fills")
def known_position_is_200(api: Api) -> None:
    """A known id answers the position of the list."""
    instrument, _ = open_position(api)
    symbol = instrument.symbol
    _, (alone, listed) = seen_at_one_quote(api, symbol, lambda: _both_ways(api, symbol))
    same(alone, listed, "the position alone and in the list", schema="Position")


def _both_ways(api: Api, symbol: str) -> tuple[Body, Body]:
    listed = api.position(symbol)
    return api.get(f"/positions/{listed['id']}").ok(), listed


@requirement("SHT-001", needs="fills")
def selling_nothing_goes_short(api: Api) -> None:
    """A SELL without a position makes a SHORT one; a BUY makes a LONG one."""
    for way_in, side in (("SELL", "SHORT"), ("BUY", "LONG")):
        instrument, _ = open_position(api, way_in)
        position = api.position(instrument.symbol)
        equal((position["side"], dec(position["quantity"])), (side, instrument.quantity), way_in)
        api.clean_up()
