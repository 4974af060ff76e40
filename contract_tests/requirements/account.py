"""Money and margin."""

from __future__ import annotations

from decimal import Decimal

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import NotOffered, dec, equal, plain, that
from contract_tests.toolkit.fillings import partially_filled
from contract_tests.toolkit.holding import open_position, sides

FIGURES = ("balance", "equity", "margin_used", "margin_available", "unrealized_pnl")


@requirement("ACC-001")
def account_has_all_figures(api: Api) -> None:
    """Every figure is a decimal and the currency is named."""
    body = api.get("/account").ok()
    for name in FIGURES:
        dec(body.get(name), name)
    that(bool(body["currency"]), "currency", expected="a name", actual=body["currency"])


def _equity(account: dict[str, Decimal]) -> None:
    total = account["balance"] + account["unrealized_pnl"]
    equal(account["equity"], total, "equity is balance + unrealized_pnl")


def _available(account: dict[str, Decimal]) -> None:
    rest = account["equity"] - account["margin_used"]
    equal(account["margin_available"], rest, "margin_available is equity - margin_used")


@requirement("ACC-002")
def equity_is_balance_plus_pnl(api: Api) -> None:
    """As it is, and with an order that rests."""
    _equity(api.account())
    api.rest()
    _equity(api.account())


@requirement("ACC-002", needs="fills")
def equity_holds_with_positions(api: Api) -> None:
    """With positions that the market moves, at several moments; and pnl is their sum."""
    open_position(api)
    partially_filled(api)
    for _ in range(5):
        _equity(api.account())
    if len(api.market.instruments) > 1:
        api.fill(symbol=api.market.second.symbol)
        _equity(api.account())


@requirement("ACC-003")
def available_is_equity_less_used(api: Api) -> None:
    """As it is, and with an order that rests."""
    _available(api.account())
    api.rest()
    _available(api.account())


@requirement("ACC-003", needs="fills")
def available_holds_with_positions(api: Api) -> None:
    """With positions and a partially filled order, at several moments."""
    open_position(api)
    partially_filled(api)
    for _ in range(5):
        _available(api.account())


@requirement("ACC-004", needs="fills")
def balance_moves_by_what_was_traded(api: Api) -> None:
    """From flat to flat the balance changes by the cash flows less the commissions, exactly."""
    instrument = api.flat()
    before = api.account()["balance"]
    orders = _there_and_back(api, instrument.symbol)
    equal(api.positions(instrument.symbol), [], "the positions in the end")
    trades = [one for order in orders for one in api.trades(order["id"])]
    flows = sum((_cash_flow(one) for one in trades), Decimal(0))
    costs = sum((dec(one["commission"]) for one in trades), Decimal(0))
    equal(api.account()["balance"] - before, flows - costs, "the change of the balance")


def _there_and_back(api: Api, symbol: str) -> list[Body]:
    """The orders that open positions on both sides and close them again."""
    ways = sides(api)
    if not api.hedges:
        each = [side for way_in, way_out in ways for side in (way_in, way_in, way_out, way_out)]
        return [api.fill(symbol=symbol, side=side) for side in each]
    opening = [api.fill(symbol=symbol, side=way_in) for way_in, _ in ways for _ in range(2)]
    held = [one["id"] for one in api.positions(symbol)]
    closing = [api.delete(f"/positions/{one}").ok()["id"] for one in held]
    return opening + [api.settled(one) for one in closing]


def _cash_flow(trade: Body) -> Decimal:
    sign = -1 if trade["side"] == "BUY" else 1
    return sign * dec(trade["quantity"]) * dec(trade["price"])


@requirement("ACC-005")
def open_order_reserves_margin(api: Api) -> None:
    """margin_used grows with an order that adds exposure, with its size, and falls back."""
    if api.get("/positions").ok():
        raise NotOffered("with positions open the market moves margin_used too")
    before = api.account()["margin_used"]
    order = api.rest()
    one = api.account()["margin_used"]
    that(one > before, "margin_used with the order", expected=f"above {before}", actual=one)
    double = plain(dec(order["quantity"]) * 2)
    api.patch(f"/orders/{order['id']}", {"quantity": double}).ok()
    equal(api.account()["margin_used"] - before, (one - before) * 2, "margin_used of twice as much")
    api.delete(f"/orders/{order['id']}").ok()
    equal(api.account()["margin_used"], before, "margin_used after cancelling")
