"""The event stream: fills, positions, money and brackets."""

from __future__ import annotations

from decimal import Decimal

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.expect import NotExercised, dec, equal, plain
from contract_tests.toolkit.fillings import cheapest, close, too_large, trip
from contract_tests.toolkit.frames import event_ids_grow, frames_follow_their_schemas
from contract_tests.toolkit.listening import (
    agrees,
    events,
    hear_as,
    is_about,
    mark,
    nothing_of,
    once_and_last,
)
from contract_tests.toolkit.protection import KINDS, enter
from contract_tests.toolkit.stream import Frame, Stream

ZERO = Decimal(0)
FILLS = ("ORDER_PARTIALLY_FILLED", "ORDER_FILLED")
MARKED = ("current_price", "unrealized_pnl", "liquidation_price", "updated_at")
"""What the market moves of a position."""


def trades_of(stream: Stream, order_id: str) -> list[Frame]:
    """What was told of an order's trades."""
    return [one for one in stream.seen if one.type == "trade" and one.thing["order_id"] == order_id]


# -- frames ---


@requirement("WS-020", needs="fills")
def frames_of_a_fill_are_as_documented(api: Api) -> None:
    """Every frame while an order fills and is closed follows its schema."""
    with api.listen() as stream:
        trip(api)
        mark(api, stream)
        kinds = {one.type for one in stream.log}
        missing = {"order", "trade", "position"} - kinds
        stream.equal(missing, set(), "the types that were not told")
        frames_follow_their_schemas(stream.exchange)


@requirement("WS-022", needs="fills")
def ids_of_a_fill_grow(api: Api) -> None:
    """Orders, trades, positions and balances are numbered in one row."""
    with api.listen() as stream:
        trip(api)
        mark(api, stream)
        event_ids_grow(stream.exchange)


# -- orders ---


@requirement("WS-030", needs="fills")
def filled_order_begins_with_created(api: Api) -> None:
    """ORDER_CREATED comes before the fill, the trade and the position."""
    with api.listen() as stream:
        order = api.fill(symbol=api.flat().symbol)
        mark(api, stream)
        stream.equal(events(stream, order["id"])[:1], ["ORDER_CREATED"], "the first event")
        created = [one.event for one in stream.log].index("ORDER_CREATED")
        early = [one.event for one in stream.log[:created] if one.type in {"trade", "position"}]
        stream.equal(early, [], "what was told before the order")


@requirement("WS-032", needs="fills")
def fill_ends_an_order_once(api: Api) -> None:
    """ORDER_FILLED is told once, and nothing of the order after it."""
    with api.listen() as stream:
        order = api.fill()
        mark(api, stream)
        once_and_last(stream, order["id"], "ORDER_FILLED")


@requirement("WS-033", needs="fills")
def fill_is_told_once(api: Api) -> None:
    """The trade and the fill of a small order are told, once each."""
    with api.listen() as stream:
        order = api.fill()
        mark(api, stream)
        _fills_agree(api, stream, order["id"])


@requirement("WS-033", needs="fills")
def every_part_is_told(api: Api) -> None:
    """Of an order that fills in parts each trade is told once, and grows filled_quantity."""
    symbol = cheapest(api).symbol
    with api.listen() as stream:
        body = api.at_market(symbol=symbol, quantity=too_large(api.quote(symbol)))
        order = api.settled(api.place(body)["id"])
        mark(api, stream)
        _fills_agree(api, stream, order["id"])


def _fills_agree(api: Api, stream: Stream, order_id: str) -> None:
    trades = api.trades(order_id)
    heard = [one.thing["id"] for one in trades_of(stream, order_id)]
    stream.equal(sorted(heard), sorted(one["id"] for one in trades), "the trades told")
    filled = [
        dec(one.thing["filled_quantity"]) for one in stream.seen if is_about(order_id, *FILLS)(one)
    ]
    grown = [after - before for before, after in zip([ZERO, *filled], filled, strict=False)]
    told = [dec(one.thing["quantity"]) for one in trades_of(stream, order_id)]
    stream.equal(grown, told, "by what filled_quantity grew, as what traded")


# -- positions and money ---


@requirement("WS-034", needs="fills")
def position_is_told_as_it_lives(api: Api) -> None:
    """It is opened, changed by more of the same where the account nets, and closed at zero."""
    with api.listen() as stream:
        symbol = api.flat().symbol
        opened = api.fill(symbol=symbol)
        more = [] if api.hedges else [api.fill(symbol=symbol)]
        position = api.position(symbol)
        close(api, symbol)
        mark(api, stream)
        mine = [one for one in stream.log if one.thing["id"] == position["id"]]
        expected = ["POSITION_OPENED", *("POSITION_MODIFIED" for _ in more), "POSITION_CLOSED"]
        stream.equal(_distinct(mine), expected, "what was told of the position")
        sizes = [dec(one.thing["quantity"]) for one in mine]
        bought = sum((dec(one["filled_quantity"]) for one in [opened, *more]), ZERO)
        stream.equal((max(sizes), sizes[-1]), (bought, ZERO), "its greatest and its last quantity")


def _distinct(frames: list[Frame]) -> list[str]:
    """Events in a row, with repeated changes as one: a fill in parts has several."""
    found: list[str] = []
    for one in frames:
        if not (found and found[-1] == one.event == "POSITION_MODIFIED"):
            found.append(one.event)
    return found


@requirement("WS-035", needs="fills")
def balance_is_told(api: Api) -> None:
    """After an order that cost something BALANCE_UPDATED has the balance that REST answers."""
    before = api.account()["balance"]
    with api.listen() as stream:
        trip(api)
        after = api.account()["balance"]
        if after == before:
            raise NotExercised("buying and selling cost nothing")
        mark(api, stream)
        told = [dec(one.thing["balance"]) for one in stream.log if one.event == "BALANCE_UPDATED"]
        stream.equal(told[-1:], [after], "the balance told last")


# -- brackets ---


@requirement("WS-036", needs="fills")
def legs_are_told(api: Api) -> None:
    """Both legs of an entry are told by BRACKET_ORDER_CREATED, with its id."""
    with api.listen() as stream:
        entry, legs = enter(api)
        for leg in legs.values():
            frame = hear_leg(stream, leg["id"])
            stream.equal(frame.event, "BRACKET_ORDER_CREATED", "the first event of a leg")
            parent = frame.body["parent_order_id"]
            stream.equal(parent, entry["id"], "parent_order_id of the event")


def hear_leg(stream: Stream, order_id: str) -> Frame:
    """The first event of a leg."""
    seen = [one for one in stream.seen if is_about(order_id)(one)]
    return seen[0] if seen else stream.until(is_about(order_id), "a leg is told")[-1]


@requirement("WS-031", needs="fills")
def change_of_a_leg_is_told(api: Api) -> None:
    """A leg that is moved is told by BRACKET_ORDER_MODIFIED, as it is then."""
    api.require("bracket_orders")
    with api.listen() as stream:
        entry, legs = enter(api)
        mark(api, stream)
        for kind, leg in legs.items():
            tick = api.quote(entry["symbol"]).tick
            price = plain(dec(leg[KINDS[kind]]) + tick)
            api.patch(f"/orders/{leg['id']}", {KINDS[kind]: price}).ok()
            now = api.order(leg["id"])
            agrees(stream, hear_as(stream, now, "BRACKET_ORDER_MODIFIED"), now)


# -- one story ---


@requirement("WS-039", needs="fills")
def trades_and_positions_are_told_as_rest_has_them(api: Api) -> None:
    """The filled order, its trade and the position: the newest event is what GET answers."""
    with api.listen() as stream:
        symbol = api.flat().symbol
        order = api.fill(symbol=symbol)
        mark(api, stream)
        agrees(stream, _last(stream, order["id"]), api.order(order["id"]))
        for trade in api.trades(order["id"]):
            agrees(stream, _last(stream, trade["id"]), trade, schema="Trade")
        position = api.position(symbol)
        frame = _last(stream, position["id"])
        agrees(stream, frame, position, schema="Position", but=MARKED)


def _last(stream: Stream, thing_id: str) -> Frame:
    found = [one for one in stream.log if one.thing["id"] == thing_id]
    stream.that(bool(found), f"an event about {thing_id}", "at least one", "none")
    return found[-1]


@requirement("WS-037", needs=("accounts", "fills"))
def fills_of_others_are_not_told(api: Api) -> None:
    """Another account hears neither the fill nor the trade, the position or the balance."""
    mine, other = api.lab.accounts()
    with mine.listen() as stream, other.listen() as theirs:
        begin = mark(other, theirs)
        order = mine.fill(symbol=mine.flat().symbol)
        mark(mine, stream)
        mark(other, theirs)
        nothing_of(theirs, order["id"])
        strange = {one.type for one in theirs.log if (one.event_id or 0) > begin} - {"order"}
        equal(strange, set(), "the types told to an account that only placed an order")
    mine.clean_up()
    other.clean_up()
