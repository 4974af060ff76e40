"""Closing one position, all, or those of a symbol."""

from __future__ import annotations

from decimal import Decimal

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import OPEN, Api, Body
from contract_tests.toolkit.client import NOTHING, Answer
from contract_tests.toolkit.expect import NotOffered, dec, equal, one_of, plain, that
from contract_tests.toolkit.holding import close_position, opened, sides
from contract_tests.toolkit.market import TERMINAL, Instrument
from contract_tests.toolkit.samples import UNKNOWN_POSITION


@requirement("CLO-001", needs="fills")
def closing_closes_the_whole(api: Api) -> None:
    """Without a body a MARKET order the other way closes all of it, for either side."""
    for way_in, way_out in sides(api):
        instrument, position = opened(api, way_in)
        order = api.settled(close_position(api, position)["id"])
        shown = (order["order_type"], order["side"], order["status"])
        equal(shown, ("MARKET", way_out, "FILLED"), "the close order")
        equal(dec(order["quantity"]), dec(position["quantity"]), "its quantity")
        equal(api.positions(instrument.symbol), [], "the positions then")


@requirement("CLO-001", needs="fills")
def empty_body_is_like_none(api: Api) -> None:
    """The body {} closes the whole position as no body does."""
    instrument, position = opened(api)
    handle = api.delete(f"/positions/{position['id']}", json={}).ok()
    equal(api.settled(handle["id"])["status"], "FILLED", "the close order")
    equal(api.positions(instrument.symbol), [], "the positions then")


@requirement("CLO-002", needs="fills")
def quantity_closes_a_part(api: Api) -> None:
    """Half is closed, half stays open under the same id."""
    instrument, position = opened(api)
    half = instrument.quantity / 2
    order = api.settled(close_position(api, position, quantity=plain(half))["id"])
    equal(dec(order["filled_quantity"]), half, "what the close order filled")
    rest = api.position(instrument.symbol)
    equal((rest["id"], dec(rest["quantity"])), (position["id"], half), "the rest")


def _limit_close_without_price(api: Api, position: Body) -> Answer:
    return api.delete(f"/positions/{position['id']}", json={"order_type": "LIMIT"})


@requirement("CLO-003", needs="fills")
def limit_close_needs_its_price(api: Api) -> None:
    """LIMIT without limit_price is refused; with it the order rests."""
    instrument, position = opened(api)
    _limit_close_without_price(api, position).refused(400)
    price = plain(api.quote(instrument.symbol).above("1.5"))
    order = close_position(api, position, order_type="LIMIT", limit_price=price)
    equal((order["order_type"], dec(order["limit_price"])), ("LIMIT", dec(price)), "the order")
    one_of(order["status"], OPEN, "its status far from the market")
    held = dec(api.position(instrument.symbol)["quantity"])
    equal(held, dec(position["quantity"]), "the position while it rests")


@requirement("CLO-010", needs="fills")
def missing_close_price_is_named(api: Api) -> None:
    """The refusal names limit_price; with it the order is accepted."""
    instrument, position = opened(api)
    answer = _limit_close_without_price(api, position)
    answer.refused(400, "INVALID_VALUE", field="limit_price")
    price = plain(api.quote(instrument.symbol).above("1.5"))
    close_position(api, position, order_type="LIMIT", limit_price=price)


@requirement("CLO-009", needs="fills")
def market_close_takes_no_price(api: Api) -> None:
    """MARKET with limit_price is refused by name and closes nothing; without it closes."""
    _, position = opened(api)
    price = plain(api.quote(position["symbol"]).above("1.5"))
    answer = api.delete(
        f"/positions/{position['id']}", json={"order_type": "MARKET", "limit_price": price}
    )
    answer.refused(400, "INVALID_VALUE", field="limit_price")
    equal(dec(api.position(position["symbol"])["quantity"]), dec(position["quantity"]), "held")
    equal(api.settled(close_position(api, position)["id"])["status"], "FILLED", "the plain close")


@requirement("CLO-004", needs="fills")
def more_than_the_position_is_rejected(api: Api) -> None:
    """A quantity above the position's is rejected; its own is accepted."""
    _, position = opened(api)
    path = f"/positions/{position['id']}"
    more = plain(dec(position["quantity"]) * 2)
    api.delete(path, json={"quantity": more}).rejected("INVALID_QUANTITY")
    api.delete(path, json={"quantity": position["quantity"]}).ok()


@requirement("CLO-005", needs="fills")
def close_order_never_opens(api: Api) -> None:
    """A close order that rests while the position is closed otherwise does not trade any more."""
    instrument, position = opened(api)
    price = plain(api.quote(instrument.symbol).above("1.5"))
    resting = close_position(api, position, order_type="LIMIT", limit_price=price)
    api.settled(close_position(api, position)["id"])
    if api.order(resting["id"])["status"] not in TERMINAL:
        # Still working: made marketable, it must find nothing left to close.
        low = plain(api.quote(instrument.symbol).below("0.9"))
        api.patch(f"/orders/{resting['id']}", {"limit_price": low})
    equal(dec(api.order(resting["id"])["filled_quantity"]), Decimal(0), "what it filled")
    equal(api.positions(instrument.symbol), [], "the positions then")


@requirement("CLO-006", needs="fills")
def closing_by_symbol_leaves_other_symbols(api: Api) -> None:
    """One handle for the position of the symbol; the position of another stays."""
    first, second = _two_flat(api)
    for instrument in (first, second):
        api.fill(symbol=instrument.symbol)
    handles = api.delete("/positions", {"symbol": first.symbol}).ok()
    equal(len(handles), 1, "the number of handles")
    equal(api.settled(handles[0]["id"])["symbol"], first.symbol, "the symbol of the close order")
    equal(api.positions(first.symbol), [], f"the positions in {first.symbol}")
    equal(dec(api.position(second.symbol)["quantity"]), second.quantity, "the other position")


@requirement("CLO-006", needs="fills")
def closing_all_closes_each(api: Api) -> None:
    """One handle for each position, and none is left."""
    if held := api.get("/positions").ok():
        raise NotOffered(f"position {held[0]['id']} was open before and would be closed too")
    equal(api.delete("/positions").ok(), [], "the handles with nothing to close")
    instruments = api.market.instruments[:3]
    for instrument in instruments:
        api.fill(symbol=instrument.symbol)
    handles = api.delete("/positions").ok()
    closed = {api.settled(one["id"])["symbol"] for one in handles}
    equal(closed, {one.symbol for one in instruments}, "the symbols of the close orders")
    equal(len(handles), len(instruments), "the number of handles")
    equal(api.get("/positions").ok(), [], "the positions then")


def _two_flat(api: Api) -> tuple[Instrument, Instrument]:
    flat = [one for one in api.market.instruments if not api.positions(one.symbol)]
    if len(flat) < 2:
        raise NotOffered("two symbols without a position are needed")
    return flat[0], flat[1]


UNKNOWN_PATH = f"/positions/{UNKNOWN_POSITION}"


@requirement("CLO-007")
def unknown_position_cannot_be_closed(api: Api) -> None:
    """An unknown id is 404, with a body and without."""
    for body in (NOTHING, {}, {"quantity": "1"}):
        api.delete(UNKNOWN_PATH, json=body).refused(404)
    api.get("/positions").ok()


@requirement("CLO-011")
def unknown_position_is_named(api: Api) -> None:
    """The 404 of an unknown id says so and names it, with a body and without."""
    for body in (NOTHING, {}, {"quantity": "1"}):
        details = api.delete(UNKNOWN_PATH, json=body).refused(404, "POSITION_NOT_FOUND")
        equal(details.get("id"), UNKNOWN_POSITION, "details.id")
    api.get("/positions").ok()


@requirement("CLO-007", needs="fills")
def closed_position_cannot_be_closed_again(api: Api) -> None:
    """A position that was there and is closed answers 404 like any unknown one."""
    _, position = opened(api)
    order = api.settled(close_position(api, position)["id"])
    that(order["status"] == "FILLED", "the first close", expected="FILLED", actual=order["status"])
    api.delete(f"/positions/{position['id']}").refused(404)
