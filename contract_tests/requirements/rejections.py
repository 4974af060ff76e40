"""Orders that are well-formed and still refused: 422."""

from __future__ import annotations

from decimal import Decimal

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.expect import dec, equal, plain, that
from contract_tests.toolkit.market import UNKNOWN_SYMBOL
from contract_tests.toolkit.refusals import OFF_EVERY_STEP, unaffordable


@requirement("ORD-009")
def unknown_symbol_is_not_tradeable(api: Api) -> None:
    """A symbol that nobody trades is rejected; the same order on a known one is accepted."""
    body = api.limit()
    api.submit(body | {"symbol": UNKNOWN_SYMBOL}).rejected("SYMBOL_NOT_TRADEABLE")
    api.accept(body)


@requirement("ORD-010")
def unaffordable_order_is_rejected(api: Api) -> None:
    """An order a thousand times too large is rejected; the same of usual size is accepted."""
    body = unaffordable(api)
    api.submit(body).refused(422)
    api.accept(api.limit())


@requirement("ORD-011")
def unaffordable_order_lacks_margin(api: Api) -> None:
    """The reason is INSUFFICIENT_MARGIN, on either side."""
    body = unaffordable(api)
    api.submit(body).rejected("INSUFFICIENT_MARGIN")
    if api.market.declares("short_selling"):
        price = plain(api.quote().above("2"))
        api.submit(body | {"side": "SELL", "limit_price": price}).rejected("INSUFFICIENT_MARGIN")


@requirement("ORD-012")
def rejected_order_is_kept(api: Api) -> None:
    """The error names an order that reads REJECTED, and the history holds it once."""
    for body in (unaffordable(api), api.limit() | {"symbol": UNKNOWN_SYMBOL}):
        details = api.submit(body).rejected()
        order_id = details.get("order_id")
        that(bool(order_id), "details.order_id", expected="an id", actual=order_id)
        order = api.order(str(order_id))
        equal(order["status"], "REJECTED", "the status of the order it names")
        equal(order["reject_reason"], details["reject_reason"], "its reject_reason")
        equal(dec(order["filled_quantity"]), Decimal(0), "its filled_quantity")
        kept = [one for one in api.history(status="REJECTED", limit=1000) if one["id"] == order_id]
        equal(kept, [order], "the history of rejected orders")


@requirement("ORD-025")
def off_step_is_rejected(api: Api) -> None:
    """A quantity off the lot and a price off the tick are rejected with their own reasons."""
    for body in api.bodies().values():
        quantity = plain(dec(body["quantity"]) + OFF_EVERY_STEP)
        api.submit(body | {"quantity": quantity}).rejected("INVALID_QUANTITY")
        for field in ("limit_price", "stop_price"):
            if field in body:
                price = plain(dec(body[field]) + OFF_EVERY_STEP)
                api.submit(body | {field: price}).rejected("INVALID_PRICE")
        api.accept(body)
