"""PATCH /positions/{position_id}, and what closing a position does to its exits."""

from __future__ import annotations

from decimal import Decimal

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import dec, equal, plain, that
from contract_tests.toolkit.holding import close_position, opened, sides
from contract_tests.toolkit.protection import KINDS, enter, far_exits
from contract_tests.toolkit.samples import UNKNOWN_POSITION


def exits_of(api: Api, position: Body) -> dict[str, Body]:
    """The open reduce-only orders of a position by their type."""
    found = [
        one
        for one in api.orders(symbol=position["symbol"], limit=1000)
        if one["reduce_only"] and one["position_id"] in (None, position["id"])
    ]
    by_type = {one["order_type"]: one for one in found}
    equal(len(by_type), len(found), "the number of exits of one type")
    return by_type


@requirement("EXT-001", needs="fills")
def exits_are_created_and_moved(api: Api) -> None:
    """A STOP and a LIMIT order for all that is held; a second PATCH moves them, null does not."""
    for way_in, way_out in sides(api):
        instrument, position = opened(api, way_in)
        path, given = (
            f"/positions/{position['id']}",
            far_exits(api.quote(instrument.symbol), way_in),
        )
        answered = api.patch(path, {"stop_loss": given["stop_loss"], "take_profit": None}).ok()
        equal(answered["id"], position["id"], "the position answered")
        equal(set(exits_of(api, position)), {"STOP"}, "the exits with a stop_loss")
        api.patch(path, {"take_profit": given["take_profit"]}).ok()
        made = exits_of(api, position)
        _are_exits(made, given, way_out, position["quantity"])
        moved = {"stop_loss": _nearer(api, given["stop_loss"], instrument.symbol)}
        api.patch(path, moved).ok()
        now = exits_of(api, position)
        _are_exits(now, given | moved, way_out, position["quantity"])
        ids = {kind: one["id"] for kind, one in made.items()}
        equal({kind: one["id"] for kind, one in now.items()}, ids, "the orders that were moved")
        api.patch(path, {}).ok()
        equal(exits_of(api, position), now, "the exits after an empty PATCH")
        api.clean_up()


def _are_exits(found: dict[str, Body], prices: Body, side: str, quantity: str) -> None:
    for kind, name in (("STOP", "stop_loss"), ("LIMIT", "take_profit")):
        order = found[kind]
        equal(dec(order[KINDS[kind]]), dec(prices[name]), f"the price of the {kind} exit")
        shown = (order["side"], order["reduce_only"], dec(order["remaining_quantity"]))
        equal(shown, (side, True, dec(quantity)), f"the {kind} exit")


def _nearer(api: Api, price: str, symbol: str) -> str:
    quote = api.quote(symbol)
    return plain(quote.below("0.6") if dec(price) < quote.bid else quote.above("1.4"))


@requirement("EXT-001", needs="fills")
def moved_exit_takes_effect(api: Api) -> None:
    """A position closed by its exit is gone, and its other exit with it."""
    instrument, position = opened(api)
    quote = api.quote(instrument.symbol)
    api.patch(f"/positions/{position['id']}", far_exits(quote)).ok()
    made = exits_of(api, position)
    equal(set(made), {"LIMIT", "STOP"}, "the exits")
    low = plain(quote.below("0.95"))
    api.patch(f"/orders/{made['LIMIT']['id']}", {"limit_price": low}).ok()
    ends = [api.ended(made[kind]["id"])["status"] for kind in ("LIMIT", "STOP")]
    equal(ends, ["FILLED", "CANCELLED"], "the exits")
    equal(api.positions(instrument.symbol), [], "the positions then")


@requirement("EXT-001")
def unknown_position_has_no_exits(api: Api) -> None:
    """An unknown id is 404 and named."""
    answer = api.patch(f"/positions/{UNKNOWN_POSITION}", {"stop_loss": "1"})
    details = answer.refused(404, "POSITION_NOT_FOUND")
    equal(details.get("id"), UNKNOWN_POSITION, "details.id")


@requirement("EXT-002", needs="fills")
def exits_on_the_wrong_side_are_rejected(api: Api) -> None:
    """Each beyond the mark is rejected and applies nothing; on its own side it is accepted."""
    for way_in, _ in sides(api):
        instrument, position = opened(api, way_in)
        path, good = f"/positions/{position['id']}", far_exits(api.quote(instrument.symbol), way_in)
        for wrong in (
            {"stop_loss": good["take_profit"]},
            {"take_profit": good["stop_loss"]},
            {"stop_loss": good["stop_loss"], "take_profit": good["stop_loss"]},
        ):
            api.patch(path, wrong).rejected("INVALID_PRICE")
            equal(exits_of(api, position), {}, f"the exits after {wrong}")
        api.patch(path, good).ok()
        kept = exits_of(api, position)
        api.patch(path, {"stop_loss": good["take_profit"]}).rejected("INVALID_PRICE")
        equal(exits_of(api, position), kept, "the exits after a refused move")
        api.clean_up()


@requirement("CLO-008", needs="fills")
def closing_the_whole_cancels_the_exits(api: Api) -> None:
    """Closing the whole position cancels both legs; closing a part may be told to keep them."""
    for way_in, _ in sides(api):
        small, position, legs = _protected(api, way_in)
        _kept(api, position, legs, small)
        api.settled(close_position(api, position)["id"])
        _gone(api, legs)
        equal(api.positions(position["symbol"]), [], "the positions then")
        api.clean_up()


@requirement("CLO-012", needs="fills")
def closing_a_part_cancels_the_exits(api: Api) -> None:
    """Closing a part cancels both legs too, unless cancel_associated_orders is false."""
    for way_in, _ in sides(api):
        small, position, legs = _protected(api, way_in)
        _kept(api, position, legs, small)
        api.settled(close_position(api, position, quantity=plain(small))["id"])
        _gone(api, legs)
        left = [dec(one["quantity"]) for one in api.positions(position["symbol"])]
        equal(left, [small * 2], "what is left of the position")
        api.clean_up()


def _protected(api: Api, way_in: str) -> tuple[Decimal, Body, list[Body]]:
    """A quantity, a position of four times that, and its exits."""
    small = api.flat().quantity
    entry, legs = enter(api, way_in, quantity=plain(small * 4))
    (position,) = api.positions(entry["symbol"])
    return small, position, list(legs.values())


def _kept(api: Api, position: Body, legs: list[Body], quantity: Decimal) -> None:
    """A part is closed and the legs, asked to be kept, are no larger than what is left."""
    order = close_position(api, position, quantity=plain(quantity), cancel_associated_orders=False)
    api.settled(order["id"])
    most = dec(position["quantity"]) - quantity
    for leg in legs:
        now = api.order(leg["id"])
        equal(now["status"], "OPEN", "a leg where it was asked to be kept")
        fits = dec(now["remaining_quantity"]) <= most
        that(fits, "its size", expected=f"at most {most}", actual=now)


def _gone(api: Api, legs: list[Body]) -> None:
    ends = [api.ended(leg["id"])["status"] for leg in legs]
    equal(ends, ["CANCELLED", "CANCELLED"], "the legs otherwise")
