"""GET /orders and GET /orders/history: what they hold, in which order, page by page."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from urllib.parse import urljoin, urlsplit

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import MOST, OPEN, Api, Body
from contract_tests.toolkit.chance import new_id
from contract_tests.toolkit.client import Answer
from contract_tests.toolkit.expect import equal, plain, that
from contract_tests.toolkit.invariants import moment
from contract_tests.toolkit.market import TERMINAL
from contract_tests.wire import clock

LISTS = ("/orders", "/orders/history")


def ids(listed: list[Body]) -> list[str]:
    """The ids of some items, in their order."""
    return [one["id"] for one in listed]


def holds(listed: list[Body], order: Body, *, expected: bool, what: str) -> None:
    """Raise Failure unless the list holds the order, or does not, as expected."""
    found = order["id"] in ids(listed)
    that(found is expected, what, expected=f"holds it: {expected}", actual=found)


@requirement("LST-001")
def orders_lists_open_ones(api: Api) -> None:
    """An open order is listed, a cancelled one is not, and every status is an open one."""
    open_order, cancelled = api.rest(), api.cancelled()
    listed = api.orders(limit=MOST)
    holds(listed, open_order, expected=True, what="the list of open orders, an open order")
    holds(listed, cancelled, expected=False, what="the list of open orders, a cancelled one")
    states = {one["status"] for one in listed}
    that(states <= OPEN, "the states listed", expected=sorted(OPEN), actual=states)


@requirement("LST-002")
def status_selects_open_orders(api: Api) -> None:
    """Its own state finds an order, alone and among several, and another state does not."""
    order = api.rest()
    own = order["status"]
    others = sorted(OPEN - {own, "PENDING_CANCEL"})
    for states in ([own], [own, *others], [*others, own], others):
        listed = api.orders(status=states, limit=MOST)
        holds(listed, order, expected=own in states, what=f"a {own} order by {states}")
        found = {one["status"] for one in listed}
        that(found <= set(states), "the states listed", expected=states, actual=found)


@requirement("LST-013")
def status_selects_past_orders(api: Api) -> None:
    """One state lists those orders only, an open and a terminal one both."""
    open_order, cancelled = api.rest(), api.cancelled()
    for states in (["OPEN"], ["CANCELLED"], ["OPEN", "CANCELLED"], ["EXPIRED", "PENDING"]):
        listed = api.orders(status=states, limit=MOST)
        holds(listed, open_order, expected="OPEN" in states, what=f"an OPEN order by {states}")
        holds(listed, cancelled, expected="CANCELLED" in states, what=f"a CANCELLED by {states}")
        found = {one["status"] for one in listed}
        that(found <= set(states), "the states listed", expected=states, actual=found)


@requirement("LST-003")
def filters_keep_what_matches(api: Api) -> None:
    """symbol, side and client_order_id each find a matching order and no other."""
    client_id, symbol = new_id(), api.market.instrument.symbol
    mine = api.rest(client_order_id=client_id)
    other = api.rest(symbol=api.market.second.symbol, client_order_id=new_id())
    for name, value in (("symbol", symbol), ("client_order_id", client_id)):
        listed = api.orders(limit=MOST, **{name: value})
        holds(listed, mine, expected=True, what=f"by its own {name}")
        holds(listed, other, expected=False, what=f"by the {name} of another")
        equal({one[name] for one in listed}, {value}, f"every {name} listed")
    holds(api.orders(side="BUY", limit=MOST), mine, expected=True, what="a BUY by side BUY")
    holds(api.orders(side="SELL", limit=MOST), mine, expected=False, what="a BUY by side SELL")
    equal(
        api.orders(oco_group_id=new_id("oco_group_id")), [], "orders of a group that nobody joined"
    )


@requirement("LST-003")
def filters_combine(api: Api) -> None:
    """An order that matches one filter but not the other is not listed."""
    client_id = new_id()
    mine = api.rest(client_order_id=client_id)
    both = {"client_order_id": client_id, "symbol": mine["symbol"], "side": "BUY"}
    equal(ids(api.orders(**both)), [mine["id"]], "by all of its own")
    for change in ({"side": "SELL"}, {"symbol": api.market.second.symbol}, {"status": "FILLED"}):
        equal(api.orders(**(both | change)), [], f"with another {change}")


@requirement("LST-003")
def side_filter_tells_sells(api: Api) -> None:
    """A resting SELL is found by side SELL and not by BUY."""
    api.require("short_selling")
    price = plain(api.quote().above("2"))
    sell = api.rest(side="SELL", limit_price=price)
    holds(api.orders(side="SELL", limit=MOST), sell, expected=True, what="a SELL by side SELL")
    holds(api.orders(side="BUY", limit=MOST), sell, expected=False, what="a SELL by side BUY")


def _three(api: Api) -> tuple[list[Body], list[datetime]]:
    """Three orders made at three times, and the times."""
    made = [api.rest()]
    for _ in range(2):
        made.append(_later(api, made[-1]))
    return made, [moment(one["created_at"]) for one in made]


def _later(api: Api, earlier: Body) -> Body:
    """An order that was created at a later time, also where the server counts whole seconds."""
    order = api.rest()
    if moment(order["created_at"]) <= moment(earlier["created_at"]):
        clock.current().sleep(1.1)
        order = api.rest()
    newer = moment(order["created_at"]) > moment(earlier["created_at"])
    after = f"after {earlier['created_at']}, more than a second later"
    that(newer, "created_at moves on", expected=after, actual=order["created_at"])
    return order


@requirement("LST-004")
def window_divides_at_its_time(api: Api) -> None:
    """At the time of the second of three orders: since drops the first, until the second too."""
    made, times = _three(api)
    at = made[1]["created_at"]
    since, until = api.orders(since=at, limit=MOST), api.orders(until=at, limit=MOST)
    for order, expected in ((made[0], False), (made[2], True)):
        holds(since, order, expected=expected, what=f"since {at}, created {order['created_at']}")
    for order, expected in ((made[0], True), (made[1], False), (made[2], False)):
        holds(until, order, expected=expected, what=f"until {at}, created {order['created_at']}")
    both = api.orders(since=times[0].isoformat(), until=made[2]["created_at"], limit=MOST)
    holds(both, made[1], expected=True, what="since the first until the third, the second")
    holds(both, made[2], expected=False, what="since the first until the third, the third")


@requirement("LST-012")
def since_is_inclusive(api: Api) -> None:
    """The order created at the time given is listed, one created before is not."""
    made, _ = _three(api)
    listed = api.orders(since=made[1]["created_at"], limit=MOST)
    for order, expected in zip(made, (False, True, True), strict=True):
        holds(listed, order, expected=expected, what=f"created at {order['created_at']}")


@requirement("LST-005")
def limit_bounds_lists(api: Api) -> None:
    """With three open orders and three cancelled ones, limit 1 and 2 list no more, nor none."""
    for _ in range(3):
        api.rest()
        api.cancelled()
    for path in LISTS:
        for limit in (1, 2):
            kept = len(api.get(path, {"limit": limit}).ok())
            bound = f"1 to {limit}"
            that(1 <= kept <= limit, f"{path} with limit {limit}", expected=bound, actual=kept)
        found = len(api.get(path).ok())
        that(found >= 3, f"{path} without limit", expected="three or more", actual=found)


@requirement("LST-006")
def newest_come_first(api: Api) -> None:
    """Orders made one after another are listed the other way round, and limit keeps the newest."""
    made = [api.rest()["id"] for _ in range(3)]
    listed = [one for one in ids(api.orders(limit=MOST)) if one in made]
    equal(listed, made[::-1], "open orders, newest first")
    equal(ids(api.orders(limit=1)), made[-1:], "the newest alone")
    for order_id in made:
        api.delete(f"/orders/{order_id}").ok()
    past = [one for one in ids(api.history(limit=MOST)) if one in made]
    equal(past, made[::-1], "past orders, newest first")


@requirement("LST-006", needs="fills")
def newest_trades_come_first(api: Api) -> None:
    """Trades made one after another are listed the other way round."""
    made = [api.fill()["id"] for _ in range(2)]
    listed = api.listed("/trades", limit=MOST)
    found = [one["order_id"] for one in listed if one["order_id"] in made]
    equal(list(dict.fromkeys(found)), made[::-1], "trades, newest first")


@requirement("LST-007")
def creation_times_are_distinct(api: Api) -> None:
    """Orders sent at the same moment differ in created_at, and pages miss and repeat none."""
    bodies = [api.limit() for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        made = {answer.ok(201)["id"] for answer in pool.map(api.submit, bodies)}
    equal(len(made), len(bodies), "the number of orders made")
    times = [moment(one["created_at"]) for one in api.orders(limit=MOST)]
    for newer, older in pairwise(times):
        that(newer > older, "created_at strictly falls", expected=f"before {newer}", actual=older)
    equal(_paged(api, made), sorted(made), "the orders found page by page")


def _paged(api: Api, wanted: set[str]) -> list[str]:
    seen: list[str] = []
    query: dict[str, object] = {"limit": 5}
    # The wanted are the newest. A server that repeats its pages must not keep the check for ever.
    for _ in wanted:
        page = api.orders(**query)
        seen += [one for one in ids(page) if one in wanted]
        if not page:
            break
        query = {"limit": 5, "until": page[-1]["created_at"]}
    return sorted(seen)


@requirement("LST-007", needs="fills")
def trade_times_are_distinct(api: Api) -> None:
    """Trades made at the same moment differ in timestamp."""
    bodies = [api.at_market() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        made = [answer.ok(201)["id"] for answer in pool.map(api.submit, bodies)]
    for order_id in made:
        api.settled(order_id)
    times = [moment(one["timestamp"]) for one in api.listed("/trades", limit=MOST)]
    for newer, older in pairwise(times):
        that(newer > older, "timestamp strictly falls", expected=f"before {newer}", actual=older)


@requirement("LST-008")
def truncated_lists_link_to_the_rest(api: Api) -> None:
    """limit below what there is comes with a link to older items, all of it without."""
    made = [api.rest(client_order_id=new_id()) for _ in range(3)]
    first = api.get("/orders", {"limit": 1})
    equal(ids(first.ok()), [made[-1]["id"]], "the first page")
    second = _next(api, first)
    equal(ids(second.ok()), [made[-2]["id"]], "the next page")
    that(_next(api, second).ok() != second.ok(), "a third page", expected="more", actual="same")
    only = api.get("/orders", {"client_order_id": made[0]["client_order_id"], "limit": 1})
    equal(ids(only.ok()), [made[0]["id"]], "a complete list")
    only.that("link" not in only.headers, "a complete list has no Link", only.headers.get("link"))


def _next(api: Api, answer: Answer) -> Answer:
    link = answer.headers.get("link", "")
    target = re.search(r'<([^>]+)>\s*;[^,]*rel="?next"?', link)
    answer.that(target is not None, 'a truncated list has a Link with rel="next"', link)
    base = api.client.base_url
    there = urlsplit(urljoin(base + "/orders", target[1] if target else ""))
    return api.get(there.path.removeprefix(urlsplit(base).path) + "?" + there.query)


@requirement("LST-009")
def limit_has_bounds(api: Api) -> None:
    """0, negative and 1001 are refused by name, 1 and 1000 are accepted."""
    for path in (*LISTS, "/trades"):
        for limit in ("0", "-1", "1001", "99999999999999999999"):
            answer = api.get(path, {"limit": limit})
            answer.refused(400, "INVALID_VALUE", field="limit")
        for limit in ("1", "1000"):
            api.get(path, {"limit": limit}).ok()


@requirement("LST-009", needs="bulk")
def limit_is_500_by_default(api: Api) -> None:
    """Of more than 500 past orders, 500 are listed."""
    missing = 501 - len(api.history(limit=501))
    body = api.limit(time_in_force="IOC")
    for _ in range(missing):
        api.accept(body)
    equal(len(api.history()), 500, "the length of a list without limit")
    equal(len(api.history(limit=501)), 501, "the length of a list with limit 501")


@requirement("LST-010")
def since_after_until_is_refused(api: Api) -> None:
    """A window that ends before it begins is refused; one that ends where it begins is not."""
    early, late = "2025-01-15T10:00:00Z", "2025-01-15T11:00:00Z"
    for path in (*LISTS, "/trades"):
        api.get(path, {"since": late, "until": early}).refused(400, "INVALID_VALUE")
        api.get(path, {"since": early, "until": early}).ok()


@requirement("LST-011")
def history_lists_terminal_orders(api: Api) -> None:
    """A cancelled order is listed, an open one is not, and the filters of /orders hold."""
    client_id = new_id()
    earlier = api.cancelled(client_order_id=new_id())
    open_order, cancelled = api.rest(), api.cancelled(client_order_id=client_id)
    listed = api.history(limit=MOST)
    holds(listed, cancelled, expected=True, what="the history, a cancelled order")
    holds(listed, open_order, expected=False, what="the history, an open order")
    states = {one["status"] for one in listed}
    that(states <= TERMINAL, "the states listed", expected=sorted(TERMINAL), actual=states)
    mine = {"client_order_id": client_id}
    before = (moment(cancelled["created_at"]) - timedelta(seconds=1)).isoformat()
    for change in ({}, {"side": "BUY"}, {"status": "CANCELLED"}, {"since": before}):
        found = ids(api.history(**(mine | change)))
        equal(found, [cancelled["id"]], f"the history by client_order_id and {change}")
    for change in ({"side": "SELL"}, {"status": "FILLED"}, {"until": before}):
        equal(api.history(**(mine | change)), [], f"the history with {change}")
    later = (moment(earlier["created_at"]) + timedelta(seconds=1)).isoformat()
    holds(api.history(since=later, limit=MOST), earlier, expected=False, what=f"since {later}")
