"""Orders that only ever reduce a position."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import dec, equal, plain, that
from contract_tests.toolkit.holding import close_position, opened, sides


def reducing(api: Api, position: Body) -> Body:
    """The fields of an order that only reduces the position."""
    fields: Body = {"reduce_only": True}
    return fields | ({"position_id": position["id"]} if api.hedges else {})


def far(api: Api, symbol: str, side: str) -> Body:
    """A LIMIT order of either side that rests."""
    quote = api.quote(symbol)
    price = quote.below("0.5") if side == "BUY" else quote.above("2")
    return api.limit(symbol=symbol, side=side, limit_price=plain(price))


@requirement("RED-001")
def nothing_to_reduce_is_rejected(api: Api) -> None:
    """Without a position either side is rejected; the same order without reduce_only accepted."""
    symbol = api.flat().symbol
    for side, _ in sides(api):
        body = far(api, symbol, side)
        api.submit(body | {"reduce_only": True}).rejected("REDUCE_ONLY_VIOLATED")
        api.accept(body)


@requirement("RED-001", needs="fills")
def same_side_as_the_position_is_rejected(api: Api) -> None:
    """An order on the side of the position is rejected; one against it is accepted."""
    for way_in, way_out in sides(api):
        instrument, position = opened(api, way_in)
        fields = reducing(api, position)
        body = far(api, instrument.symbol, way_in) | fields
        api.submit(body).rejected("REDUCE_ONLY_VIOLATED")
        order = api.place(far(api, instrument.symbol, way_out) | fields)
        equal((order["status"], order["reduce_only"]), ("OPEN", True), "the order against it")
        api.clean_up()


@requirement("RED-002", needs="fills")
def reducing_never_flips(api: Api) -> None:
    """An order of three times the position closes it and opens none, MARKET and LIMIT alike."""
    for way_in, way_out in sides(api):
        for kind in ("MARKET", "LIMIT"):
            instrument, position = opened(api, way_in)
            body = _against(api, kind, position, way_out) | reducing(api, position)
            answer = api.submit(body | {"quantity": plain(dec(position["quantity"]) * 3)})
            if answer.status == 422:
                answer.rejected("INVALID_QUANTITY", "REDUCE_ONLY_VIOLATED")
                answer = api.submit(body | {"quantity": position["quantity"]})
            order = api.ended(answer.ok(201)["id"])
            equal(dec(order["filled_quantity"]), dec(position["quantity"]), f"what a {kind} filled")
            equal(api.positions(instrument.symbol), [], "the positions then")
            api.clean_up()


def _against(api: Api, kind: str, position: Body, side: str) -> Body:
    if kind == "MARKET":
        return api.at_market(symbol=position["symbol"], side=side)
    quote = api.quote(position["symbol"])
    price = quote.above("1.05") if side == "BUY" else quote.below("0.95")
    return api.limit(symbol=position["symbol"], side=side, limit_price=plain(price))


@requirement("RED-002", needs="fills")
def several_never_fill_more_together(api: Api) -> None:
    """Of two resting orders, each for the whole, one closes it and the other fills nothing."""
    instrument, position = opened(api)
    body = far(api, instrument.symbol, "SELL") | reducing(api, position)
    body |= {"quantity": position["quantity"]}
    first, second = api.place(body), api.place(body)
    low = {"limit_price": plain(api.quote(instrument.symbol).below("0.95"))}
    done = api.ended(api.patch(f"/orders/{first['id']}", low).ok()["id"])
    equal(dec(done["filled_quantity"]), dec(position["quantity"]), "what the first filled")
    left = api.ended(second["id"])
    equal((left["status"], dec(left["filled_quantity"])), ("CANCELLED", Decimal(0)), "the second")
    equal(api.positions(instrument.symbol), [], "the positions then")


@requirement("RED-003", needs="fills")
def reducing_ends_with_the_position(api: Api) -> None:
    """It rests while a part of the position is there, and is cancelled when all is gone."""
    for way_in, way_out in sides(api):
        instrument, position = opened(api, way_in)
        order = api.place(far(api, instrument.symbol, way_out) | reducing(api, position))
        half = plain(instrument.quantity / 2)
        reduced = close_position(api, position, quantity=half, cancel_associated_orders=False)
        api.settled(reduced["id"])
        equal(api.order(order["id"])["status"], "OPEN", "the order while half is held")
        api.settled(close_position(api, position, cancel_associated_orders=False)["id"])
        gone = api.eventually(
            partial(api.order, order["id"]),
            lambda found: found["status"] != "OPEN",
            "the order ends with its position",
        )
        equal(gone["status"], "CANCELLED", "the order when nothing is held")
        that(dec(gone["filled_quantity"]) == 0, "its fills", expected="none", actual=gone)
        api.clean_up()
