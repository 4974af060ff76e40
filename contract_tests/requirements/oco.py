"""Orders of one group: one cancels the others."""

from __future__ import annotations

from decimal import Decimal

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.chance import new_id
from contract_tests.toolkit.expect import NotExercised, Overdue, dec, equal, plain
from contract_tests.toolkit.fillings import ATTEMPTS, cheapest, too_large


def cancelled(api: Api, order_id: str) -> None:
    """The order becomes CANCELLED without a fill."""
    order = api.ended(order_id)
    shown = (order["status"], dec(order["filled_quantity"]))
    equal(shown, ("CANCELLED", Decimal(0)), "another order of the group")


@requirement("OCO-001", needs="fills")
def a_fill_cancels_the_others(api: Api) -> None:
    """A MARKET order of the group fills and the others are cancelled; one outside is not."""
    group = new_id("oco_group_id")
    others = [api.rest(oco_group_id=group) for _ in range(2)]
    others.append(api.place(api.stop(oco_group_id=group)))
    outside, second = api.rest(), api.rest(oco_group_id=new_id("oco_group_id"))
    equal(others[0]["oco_group_id"], group, "oco_group_id as submitted")
    api.fill(oco_group_id=group)
    for order in others:
        cancelled(api, order["id"])
    for order in (outside, second):
        equal(api.order(order["id"])["status"], "OPEN", "an order outside the group")


def traded(api: Api, order: Body) -> Body:
    """The order once anything of it has filled, or as it is where the market has run away."""
    try:
        return api.eventually(
            lambda: api.order(order["id"]),
            lambda found: dec(found["filled_quantity"]) > 0,
            "a marketable order trades",
        )
    except Overdue:
        return api.order(order["id"])


@requirement("OCO-001", needs="fills")
def a_partial_fill_cancels_the_others(api: Api) -> None:
    """The first part that fills of one order cancels the others."""
    for _ in range(ATTEMPTS):
        group, quote = new_id("oco_group_id"), api.quote(cheapest(api).symbol)
        other = api.rest(oco_group_id=group)
        sizes = {"quantity": too_large(quote, "3"), "limit_price": plain(quote.ask)}
        first = api.place(api.limit(symbol=quote.symbol, oco_group_id=group, **sizes))
        if traded(api, first)["status"] == "PARTIALLY_FILLED":
            cancelled(api, other["id"])
            return
        api.clean_up()
    raise NotExercised("no order above the size shown was partially filled")


@requirement("OCO-002", needs="fills")
def traded_group_takes_no_more(api: Api) -> None:
    """Joining a group that has traded is rejected; joining one that has not is accepted."""
    group, fresh = new_id("oco_group_id"), new_id("oco_group_id")
    api.rest(oco_group_id=fresh)
    api.accept(api.limit(oco_group_id=fresh))
    api.fill(oco_group_id=group)
    api.eventually(
        lambda: api.submit(api.limit(oco_group_id=group)).rejected("OCO_GROUP_CLOSED"),
        lambda _: True,
        "the group is closed",
    )


@requirement("OCO-003")
def cancelling_by_hand_leaves_the_others(api: Api) -> None:
    """Of three orders one is cancelled: the others are open, and the group can be joined."""
    group = new_id("oco_group_id")
    first, second, third = (api.rest(oco_group_id=group) for _ in range(3))
    equal(api.delete(f"/orders/{first['id']}").ok()["success"], True, "cancelling one")
    for order in (second, third):
        equal(api.order(order["id"])["status"], "OPEN", "another order of the group")
    api.accept(api.limit(oco_group_id=group))
    listed = {one["id"] for one in api.orders(oco_group_id=group)}
    equal({second["id"], third["id"]} - listed, set(), "those missing in the group's list")
