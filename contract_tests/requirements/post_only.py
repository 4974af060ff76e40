"""Orders that make or are refused: post_only."""

from __future__ import annotations

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.changing import patch, unchanged
from contract_tests.toolkit.expect import dec, equal, plain
from contract_tests.toolkit.sameness import same


@requirement("PST-001", needs="fills")
def taking_post_only_is_rejected(api: Api) -> None:
    """At a price that would take it is rejected; far away, and without post_only, accepted."""
    quote = api.quote()
    prices = {"BUY": (quote.above("1.05"), quote.below("0.5"))}
    if api.market.declares("short_selling"):
        prices["SELL"] = (quote.below("0.95"), quote.above("2"))
    for side, (taking, resting) in prices.items():
        body = api.limit(side=side, post_only=True, limit_price=plain(taking))
        api.submit(body).rejected("POST_ONLY_VIOLATED")
        order = api.place(body | {"limit_price": plain(resting)})
        equal((order["status"], order["post_only"]), ("OPEN", True), f"a {side} that rests")
        api.accept(body | {"post_only": False})


@requirement("PST-002")
def post_only_needs_an_order_that_rests(api: Api) -> None:
    """With IOC, FOK and on stop orders it is refused by name; with GTC and DAY accepted."""
    wrong = [api.limit(time_in_force=lifetime) for lifetime in ("IOC", "FOK")]
    wrong += [body for kind, body in api.bodies().items() if kind != "LIMIT"]
    for body in wrong:
        api.submit(body | {"post_only": True}).refused(400, "INVALID_VALUE", field="post_only")
        api.accept(body | {"post_only": False})
    for lifetime in ("GTC", "DAY"):
        api.accept(api.limit(time_in_force=lifetime, post_only=True))


@requirement("PST-002", needs="fills")
def post_only_is_not_for_market_orders(api: Api) -> None:
    """A MARKET order with it is refused by name; without it accepted."""
    body = api.at_market()
    api.submit(body | {"post_only": True}).refused(400, "INVALID_VALUE", field="post_only")
    api.accept(body)


@requirement("MOD-010", needs="fills")
def change_to_a_taking_price_is_rejected(api: Api) -> None:
    """A price that would take is rejected and changes nothing; another that rests is accepted."""
    order, quote = api.rest(post_only=True), api.quote()
    change = {"limit_price": plain(quote.above("1.05"))}
    api.patch(f"/orders/{order['id']}", change).rejected("POST_ONLY_VIOLATED")
    unchanged(api, order, "a rejected change")
    price = plain(quote.below("0.4"))
    changed = patch(api, order, {"limit_price": price})
    equal((dec(changed["limit_price"]), changed["post_only"]), (dec(price), True), "the order")
    same(api.order(order["id"]), changed, "the order as it reads then")
