"""Binance's JSON and our orders, fills and balances, both ways. Pure: no I/O, no clock.

An enum value that is not in the tables here raises ProviderError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from providers.binance.market import NATIVE, Listing
from providers.binance.wire import (
    Body,
    amount,
    from_ms,
    id_of,
    known,
    minute_of,
    plain,
    price,
    reading,
)
from providers.live.venue import (
    ZERO,
    Execution,
    Funds,
    Holding,
    Progress,
    Refused,
    Report,
    Ticket,
)
from providers.models import OrderType, RejectReason, Side, TimeInForce

SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}

ORDER_TYPES: Final = {
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    # We send none of these; orders placed elsewhere wait for a price, too, only on its other side.
    "TAKE_PROFIT": OrderType.STOP,
    "TAKE_PROFIT_LIMIT": OrderType.STOP_LIMIT,
}

TIMES_IN_FORCE: Final = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}
IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})

STATUSES: Final = {
    "NEW": Progress.WORKING,
    "PENDING_NEW": Progress.PENDING,  # behind another order of its list
    "PARTIALLY_FILLED": Progress.WORKING,
    "FILLED": Progress.FILLED,
    "CANCELED": Progress.CANCELLED,
    "PENDING_CANCEL": Progress.WORKING,
    "REJECTED": Progress.REJECTED,
    "EXPIRED": Progress.EXPIRED,
    "EXPIRED_IN_MATCH": Progress.EXPIRED,  # rather than trade with an order of the same account
}

EXECUTION_TYPES: Final = {
    "NEW": False,
    "CANCELED": False,
    "REPLACED": False,
    "REJECTED": False,
    "TRADE": True,
    "EXPIRED": False,
    "TRADE_PREVENTION": False,
}
"""What an executionReport tells; true for the one that has a fill in it."""

REJECT_REASONS: Final = {
    "NONE": None,
    "INSUFFICIENT_BALANCES": RejectReason.INSUFFICIENT_BALANCE,
    "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY": RejectReason.INVALID_PRICE,
    "WOULD_MATCH_IMMEDIATELY": RejectReason.POST_ONLY_VIOLATED,
    "OCO_BAD_PRICES": RejectReason.INVALID_PRICE,
}


class Fee(NamedTuple):
    """An asset in which a commission was taken, and the minute when, as its beginning."""

    asset: str
    minute: datetime


Prices = Mapping[Fee, Decimal]
"""What an asset other than those of the symbol was worth, in the quote asset."""


# Orders


def order_query(ticket: Ticket, listing: Listing) -> dict[str, str]:
    """The parameters of a new order. Raises Refused for one that the venue does not have."""
    name, times = NATIVE.get(ticket.order_type, ("", frozenset[TimeInForce]()))
    if ticket.time_in_force not in times:
        lacking = f"{ticket.order_type.value} orders with {ticket.time_in_force.value}"
        raise Refused(RejectReason.UNKNOWN, f"Binance has no {lacking}")
    query = {
        "symbol": listing.native,
        "side": ticket.side.value,
        "type": "LIMIT_MAKER" if ticket.post_only else name,
        "quantity": plain(ticket.quantity),
        "newClientOrderId": ticket.client_id,
        "newOrderRespType": "FULL",
    }
    if name in ("LIMIT", "STOP_LOSS_LIMIT") and not ticket.post_only:
        query["timeInForce"] = ticket.time_in_force.value
    optional = {
        "price": ticket.limit_price,
        "stopPrice": ticket.stop_price,
        "icebergQty": ticket.display_quantity,
    }
    return query | {key: plain(value) for key, value in optional.items() if value is not None}


def progress(status: str, kind: str, time_in_force: str) -> Progress:
    """How an order stands.

    The venue's word for the rest of an immediate order is EXPIRED; with us that is an order whose
    day has ended, and such a rest is cancelled.
    """
    found = known(STATUSES, status, "status of an order")
    lasts = known(TIMES_IN_FORCE, time_in_force, "timeInForce")
    if found is Progress.EXPIRED and (kind == "MARKET" or lasts in IMMEDIATE):
        return Progress.CANCELLED
    return found


def order_report(body: Body, listing: Listing) -> Report:
    """How an order stands, as GET /api/v3/order and openOrders have it."""
    return reading(_order_report, body, listing)


def order_reports(body: Any, found: Mapping[str, Listing]) -> list[Report]:
    """A list of orders; those of symbols that are not ours to trade are left out."""
    return reading(_order_reports, body, found)


def _order_reports(body: Any, found: Mapping[str, Listing]) -> list[Report]:
    return [_order_report(each, found[each["symbol"]]) for each in body if each["symbol"] in found]


def _order_report(body: Body, listing: Listing) -> Report:
    return Report(
        **_common(body, listing),
        client_id=body["clientOrderId"],
        at=from_ms(body["updateTime"]),
        stop_price=price(body["stopPrice"]),
    )


def new_order_report(body: Body, listing: Listing, ticket: Ticket) -> Report:
    """The answer to a new order, with its fills: those of an order that comes in take."""
    return reading(_new_order_report, body, listing, ticket)


def _new_order_report(body: Body, listing: Listing, ticket: Ticket) -> Report:
    at = from_ms(body["transactTime"])
    fills = [
        {**fill, "time": body["transactTime"], "isMaker": False} for fill in body.get("fills", ())
    ]
    return Report(
        **_common(body, listing),
        client_id=body["clientOrderId"],
        at=at,
        stop_price=ticket.stop_price,
        executions=() if foreign_fees(fills, listing) else executions(fills, listing),
    )


def cancel_report(body: Body, listing: Listing, ticket: Ticket) -> Report:
    """The answer to a cancel, in which `clientOrderId` is that of the cancel itself."""
    return reading(_cancel_report, body, listing, ticket)


def _cancel_report(body: Body, listing: Listing, ticket: Ticket) -> Report:
    return Report(
        **_common(body, listing),
        client_id=body["origClientOrderId"],
        at=from_ms(body["transactTime"]),
        stop_price=ticket.stop_price,
    )


def _common(body: Body, listing: Listing) -> dict[str, Any]:
    """What all the answers about an order have in common."""
    return {
        "venue_id": id_of(body),
        "progress": progress(body["status"], body["type"], body["timeInForce"]),
        "symbol": listing.symbol,
        "side": known(SIDES, body["side"], "side"),
        "order_type": known(ORDER_TYPES, body["type"], "type of an order"),
        "quantity": amount(body["origQty"]),
        "filled": amount(body["executedQty"]),
        "time_in_force": known(TIMES_IN_FORCE, body["timeInForce"], "timeInForce"),
        "limit_price": price(body["price"]),
        "average_price": average(body["cummulativeQuoteQty"], body["executedQty"]),
    }


def average(paid: str, filled: str) -> Decimal | None:
    """The average price; of some historical orders the venue tells a negative sum, not knowing."""
    total, quantity = amount(paid), amount(filled)
    return total / quantity if quantity and total > 0 else None


def archived_report(ticket: Ticket, at: datetime) -> Report:
    """An order that the venue only knows to have ended, without a fill, over 90 days ago."""
    return Report(
        client_id=ticket.client_id,
        venue_id=ticket.venue_id or "",
        progress=Progress.CANCELLED,
        symbol=ticket.symbol,
        side=ticket.side,
        order_type=ticket.order_type,
        quantity=ticket.quantity,
        filled=ZERO,
        at=at,
        time_in_force=ticket.time_in_force,
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
    )


def event_report(event: Body, listing: Listing) -> Report:
    """An executionReport of the stream.

    `c` is the client id of what was asked for last; after a cancel that is the cancel's, and `C`
    the order's. A fill that was charged in a third asset is left to be asked for, since what that
    is worth is not known here.
    """
    return reading(_event_report, event, listing)


def _event_report(event: Body, listing: Listing) -> Report:
    reason = known(REJECT_REASONS, event["r"], "reason of a rejection")
    return Report(
        client_id=event["C"] or event["c"],
        venue_id=id_of(event, "s", "i"),
        progress=progress(event["X"], event["o"], event["f"]),
        symbol=listing.symbol,
        side=known(SIDES, event["S"], "side"),
        order_type=known(ORDER_TYPES, event["o"], "type of an order"),
        quantity=amount(event["q"]),
        filled=amount(event["z"]),
        at=from_ms(event["T"]),
        time_in_force=known(TIMES_IN_FORCE, event["f"], "timeInForce"),
        limit_price=price(event["p"]),
        stop_price=price(event["P"]),
        average_price=average(event["Z"], event["z"]),
        executions=_event_executions(event, listing),
        reason=reason,
        message=event["r"] if reason else event.get("eR", ""),
    )


def _event_executions(event: Body, listing: Listing) -> tuple[Execution, ...]:
    if not known(EXECUTION_TYPES, event["x"], "execution type"):
        return ()
    fill = {
        "price": event["L"],
        "qty": event["l"],
        "commission": event["n"],
        "commissionAsset": event["N"],
        "time": event["T"],
        "isMaker": event["m"],
    }
    if foreign_fees([fill], listing):
        return ()
    return executions([fill], listing, before=amount(event["z"]) - amount(event["l"]))


# Fills


def foreign_fees(trades: Iterable[Body], listing: Listing) -> frozenset[Fee]:
    """The commissions in assets other than the two of the symbol, such as BNB."""
    return frozenset(
        Fee(each["commissionAsset"], minute_of(from_ms(each["time"])))
        for each in trades
        if amount(each["commission"])
        and each["commissionAsset"] not in (listing.base, listing.quote)
    )


def executions(
    trades: Sequence[Body],
    listing: Listing,
    prices: Prices | None = None,
    *,
    before: Decimal = ZERO,
) -> tuple[Execution, ...]:
    """Trades of one order, in the order they were made; `before` had filled already.

    A commission in the base asset is kept of what was bought, and worth the price of the fill; one
    in a third asset is worth what `prices` say.
    """
    return reading(_executions, trades, listing, prices or {}, before)


def _executions(
    trades: Sequence[Body], listing: Listing, prices: Prices, before: Decimal
) -> tuple[Execution, ...]:
    made: list[Execution] = []
    for each in trades:
        before += amount(each["qty"])
        commission, in_kind = _fee(each, listing, prices)
        made.append(
            Execution(
                quantity=amount(each["qty"]),
                price=amount(each["price"]),
                cumulative=before,
                at=from_ms(each["time"]),
                commission=commission,
                fee_in_kind=in_kind,
                is_maker=each["isMaker"],
            )
        )
    return tuple(made)


def _fee(trade: Body, listing: Listing, prices: Prices) -> tuple[Decimal, Decimal]:
    """A commission's worth in the quote asset, and how much of the base asset it took."""
    taken, asset = amount(trade["commission"]), trade["commissionAsset"]
    if not taken or asset == listing.quote:
        return taken, ZERO
    if asset == listing.base:
        return taken * amount(trade["price"]), taken
    return taken * prices[Fee(asset, minute_of(from_ms(trade["time"])))], ZERO


# The account


def holdings(body: Body, found: Mapping[str, Listing], quote_asset: str) -> list[Holding]:
    """The balances of assets that can be sold for the quote asset, locked or not."""
    return reading(_holdings, body, found, quote_asset)


def _holdings(body: Body, found: Mapping[str, Listing], quote_asset: str) -> list[Holding]:
    held: list[Holding] = []
    for each in body["balances"]:
        listing = found.get(each["asset"] + quote_asset)
        total = amount(each["free"]) + amount(each["locked"])
        if listing is not None and total:
            held.append(Holding(symbol=listing.symbol, quantity=total))
    return held


def funds(body: Body, quote_asset: str) -> Funds:
    """The balance of the quote asset: zero where the account has never had any."""
    return reading(_funds, body, quote_asset)


def _funds(body: Body, quote_asset: str) -> Funds:
    money = [
        amount(each["free"]) + amount(each["locked"])
        for each in body["balances"]
        if each["asset"] == quote_asset
    ]
    return Funds(currency=quote_asset, money=sum(money, ZERO))
