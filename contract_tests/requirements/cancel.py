"""Cancelling one order, all, or those of a symbol."""

from __future__ import annotations

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import NotExercised, NotOffered, dec, equal
from contract_tests.toolkit.fillings import partially_filled
from contract_tests.toolkit.sameness import same
from contract_tests.toolkit.samples import UNKNOWN_ORDER


@requirement("CAN-001")
def cancelled_order_stays_cancelled(api: Api) -> None:
    """Cancelling an order of every type answers success and CANCELLED, and so it reads."""
    for body in api.bodies().values():
        order = api.place(body)
        result = api.delete(f"/orders/{order['id']}").ok()
        equal((result["success"], result["order"]["id"]), (True, order["id"]), "the answer")
        equal(result["order"]["status"], "CANCELLED", "the status answered")
        same(api.order(order["id"]), result["order"], "the order as it reads then")


@requirement("CAN-001", needs="fills")
def cancelling_keeps_what_has_filled(api: Api) -> None:
    """A partially filled order that is cancelled keeps its fills."""
    order = partially_filled(api)
    result = api.delete(f"/orders/{order['id']}").ok()
    if not result["success"]:
        raise NotExercised("the order filled before it could be cancelled")
    cancelled = result["order"]
    traded = sum((dec(one["quantity"]) for one in api.trades(order["id"])), dec("0"))
    equal(cancelled["status"], "CANCELLED", "the status")
    equal(dec(cancelled["filled_quantity"]), traded, "filled_quantity")
    same(api.order(order["id"]), cancelled, "the order as it reads then")


@requirement("CAN-002")
def terminal_order_answers_success_false(api: Api) -> None:
    """The second cancel answers success false and the order as the first left it."""
    order = api.rest()
    first = api.delete(f"/orders/{order['id']}").ok()
    second = api.delete(f"/orders/{order['id']}").ok()
    equal(second["success"], False, "success of the second answer")
    same(second["order"], first["order"], "the order of the second answer")


@requirement("CAN-003")
def unknown_order_cannot_be_cancelled(api: Api) -> None:
    """An unknown id is 404 and named; a known one is 200."""
    details = api.delete(f"/orders/{UNKNOWN_ORDER}").refused(404, "ORDER_NOT_FOUND")
    equal(details.get("id"), UNKNOWN_ORDER, "details.id")
    api.delete(f"/orders/{api.rest()['id']}").ok()


@requirement("CAN-004")
def cancelling_by_symbol_leaves_other_symbols(api: Api) -> None:
    """DELETE /orders?symbol cancels all orders of that symbol and no other."""
    first, second = api.market.instrument.symbol, api.market.second.symbol
    spare_others(api, first)
    mine = [api.rest(symbol=first)["id"] for _ in range(3)]
    other = api.rest(symbol=second)
    result = api.delete("/orders", {"symbol": first}).ok()
    equal(result["failed_count"], 0, "failed_count")
    equal({api.order(one)["status"] for one in mine}, {"CANCELLED"}, f"the orders of {first}")
    equal(api.orders(symbol=first), [], f"the open orders of {first}")
    equal(api.order(other["id"])["status"], other["status"], f"the order of {second}")


@requirement("CAN-004")
def cancelling_all_leaves_none(api: Api) -> None:
    """DELETE /orders cancels the orders of all symbols."""
    spare_others(api)
    symbols = [one.symbol for one in api.market.instruments[:3]]
    mine = [api.rest(symbol=symbol)["id"] for symbol in symbols]
    api.delete("/orders").ok()
    equal({api.order(one)["status"] for one in mine}, {"CANCELLED"}, "the orders")
    equal(api.orders(), [], "the open orders")


@requirement("CAN-005")
def only_what_was_open_is_counted(api: Api) -> None:
    """The count is the number of open orders; cancelled ones before do not count."""
    symbol = api.market.instrument.symbol
    spare_others(api, symbol)
    api.cancelled()
    api.rest()
    api.rest()
    counted = _counts(api.delete("/orders", {"symbol": symbol}).ok())
    equal(counted, (2, 0, []), "the counts with two orders open")
    counted = _counts(api.delete("/orders", {"symbol": symbol}).ok())
    equal(counted, (0, 0, []), "the counts with none open")


def _counts(result: Body) -> tuple[int, int, list[str]]:
    failed: list[str] = result.get("failed_order_ids") or []
    return result["cancelled_count"], result["failed_count"], failed


def spare_others(api: Api, symbol: str | None = None) -> None:
    """Raise NotOffered where cancelling all would cancel orders that are not the suite's."""
    query = {"limit": 1} | ({"symbol": symbol} if symbol else {})
    found = api.orders(**query)
    if found:
        raise NotOffered(f"order {found[0]['id']} was open before and would be cancelled too")
