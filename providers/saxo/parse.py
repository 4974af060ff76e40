"""Orders as Saxo tells them, and ours as Saxo takes them. Pure functions.

Saxo's list of open orders (`port/v1/orders`) tells how an order stands while it is open, and
nothing afterwards. What has filled, at what price, and how an order ended, is told by the log of
order activities (`cs/v1/audit/orderactivities`): each entry has a status, what the step is, and a
sub-status, how far it has got. A cancel that was asked for and refused is in it, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from providers.live.venue import ZERO, Execution, Funds, Holding, Progress, Refused, Report, Ticket
from providers.models import OrderType, RejectReason, Side, TimeInForce, TrailingType
from providers.saxo.listings import CASH_SETTLED, Listing
from providers.saxo.values import Body, known, maybe, moment, number, reading, wire

SIDES: Final = {"Buy": Side.BUY, "Sell": Side.SELL}

DURATIONS: Final = {
    "GoodTillCancel": TimeInForce.GTC,
    "GoodTillDate": TimeInForce.GTC,
    "GoodForPeriod": TimeInForce.GTC,
    "DayOrder": TimeInForce.DAY,
    "AtTheOpening": TimeInForce.DAY,
    "AtTheClose": TimeInForce.DAY,
    "ImmediateOrCancel": TimeInForce.IOC,
    "FillOrKill": TimeInForce.FOK,
}
"""Ours are the first of each; the others only stand on orders of somebody else."""

DURATION_OF: Final = {
    TimeInForce.GTC: "GoodTillCancel",
    TimeInForce.DAY: "DayOrder",
    TimeInForce.IOC: "ImmediateOrCancel",
    TimeInForce.FOK: "FillOrKill",
}

ORDER_TYPES: Final = {
    "Algorithmic": OrderType.LIMIT,
    "BreakoutTrigger": OrderType.STOP,
    "CallLimit": OrderType.LIMIT,
    "CallStop": OrderType.STOP,
    "DealCapture": OrderType.MARKET,
    "GuaranteedStop": OrderType.STOP,
    "Limit": OrderType.LIMIT,
    "LimitTrigger": OrderType.LIMIT,
    "Market": OrderType.MARKET,
    "MarketDefault": OrderType.MARKET,
    "MarketExpiry": OrderType.MARKET,
    "MarketRollover": OrderType.MARKET,
    "MarketStopOut": OrderType.MARKET,
    "PeggedToMid": OrderType.LIMIT,
    "PreviouslyQuoted": OrderType.LIMIT,
    "Stop": OrderType.STOP,
    "StopIfBid": OrderType.STOP,
    "StopIfOffered": OrderType.STOP,
    "StopIfTraded": OrderType.STOP,
    "StopLimit": OrderType.STOP_LIMIT,
    "StopTrigger": OrderType.STOP,
    "Switch": OrderType.MARKET,
    "TrailingStop": OrderType.TRAILING_STOP,
    "TrailingStopIfTraded": OrderType.TRAILING_STOP,
    "TrailingStopLimit": OrderType.STOP_LIMIT,
    "Traspaso": OrderType.MARKET,
    "TraspasoIn": OrderType.MARKET,
    "TraspasoOut": OrderType.MARKET,
    "TriggerBreakout": OrderType.STOP,
    "TriggerLimit": OrderType.LIMIT,
    "TriggerStop": OrderType.STOP,
    "Unknown": OrderType.MARKET,
}
"""What we never place stands for the nearest of ours: a price to reach, or none."""

STANDING: Final = {
    "Filled": Progress.FILLED,
    "LockedPlacementPending": Progress.PENDING,
    "NotWorking": Progress.PENDING,
    "NotWorkingLockedCancelPending": Progress.PENDING,
    "NotWorkingLockedChangePending": Progress.PENDING,
    "Parked": Progress.PENDING,
    "Unknown": Progress.PENDING,
    "Working": Progress.WORKING,
    "WorkingLockedCancelPending": Progress.WORKING,
    "WorkingLockedChangePending": Progress.WORKING,
}
"""How an order in the list of open ones stands."""

SUB_STATUSES: Final = (
    *("Confirmed", "Rejected", "Requested"),
    *("RouteRequestPending", "RouteRequested", "WaitCondition"),
)
UNDER_WAY: Final = frozenset(SUB_STATUSES) - {"Confirmed", "Rejected"}


def _steps(
    status: str, confirmed: Progress, rejected: Progress, meanwhile: Progress
) -> dict[tuple[str, str], Progress]:
    steps = {(status, each): meanwhile for each in UNDER_WAY}
    return {**steps, (status, "Confirmed"): confirmed, (status, "Rejected"): rejected}


_P, _W = Progress.PENDING, Progress.WORKING

STEPS: Final[Mapping[tuple[str, str], Progress]] = {
    **_steps("Placed", _W, Progress.REJECTED, _P),
    **_steps("Working", _W, Progress.REJECTED, _W),
    **_steps("Changed", _W, _W, _W),
    **_steps("DoneForDay", _W, _W, _W),
    **_steps("Fill", _W, _W, _W),
    **_steps("FinalFill", Progress.FILLED, _W, _W),
    **_steps("Cancelled", Progress.CANCELLED, _W, _W),
    **_steps("Expired", Progress.EXPIRED, _W, _W),
}
"""How an order stands after an entry of the log: its status and sub-status."""

FILLS: Final = frozenset({("Fill", "Confirmed"), ("FinalFill", "Confirmed")})

SIDE_OF: Final = {Side.BUY: "Buy", Side.SELL: "Sell"}


# What we send


def native_type(ticket: Ticket, listing: Listing) -> str:
    """Saxo's order type. Raises Refused where the instrument does not take it."""
    candidates = {
        OrderType.MARKET: ("Market",),
        OrderType.LIMIT: ("Limit",),
        OrderType.STOP: ("Stop", "StopIfTraded"),
        OrderType.STOP_LIMIT: ("StopLimit",),
        OrderType.TRAILING_STOP: ("TrailingStop", "TrailingStopIfTraded"),
    }[ticket.order_type]
    for name in candidates:
        if name in listing.order_types:
            return name
    message = f"Saxo takes no {ticket.order_type.value} of {ticket.symbol}"
    raise Refused(RejectReason.SYMBOL_NOT_TRADEABLE, message)


def terms(ticket: Ticket, listing: Listing, started: Decimal | None = None) -> dict[str, Any]:
    """What a new order and a change have in common.

    A StopLimit has its trigger as the order's price and its limit beside it. `started` is where a
    trailing stop stands at first; a change leaves it out.
    """
    if ticket.trailing_type is TrailingType.PERCENT:
        message = "Saxo trails by a distance in price, not in percent"
        raise Refused(RejectReason.INVALID_PRICE, message)
    body: dict[str, Any] = {
        "AssetType": listing.asset_type,
        "Amount": wire(ticket.quantity),
        "OrderType": native_type(ticket, listing),
        "OrderDuration": {"DurationType": DURATION_OF[ticket.time_in_force]},
    }
    price = ticket.stop_price if ticket.stop_price is not None else ticket.limit_price
    if ticket.order_type is OrderType.TRAILING_STOP:
        price = started
        body["TrailingStopDistanceToMarket"] = wire(ticket.trailing_distance or ZERO)
        body["TrailingStopStep"] = wire(listing.instrument.price_increment)
    if ticket.order_type is OrderType.STOP_LIMIT and ticket.limit_price is not None:
        body["StopLimitPrice"] = wire(ticket.limit_price)
    if price is not None and ticket.order_type is not OrderType.MARKET:
        body["OrderPrice"] = wire(price)
    return body


def new_order(
    ticket: Ticket, listing: Listing, account_key: str, started: Decimal | None = None
) -> dict[str, Any]:
    """The body of POST trade/v2/orders. Raises Refused."""
    return {
        "AccountKey": account_key,
        "Uic": listing.uic,
        "BuySell": SIDE_OF[ticket.side],
        "ManualOrder": False,
        "ExternalReference": ticket.client_id,
        **terms(ticket, listing, started),
    }


def changed_order(
    order_id: str, changed: Ticket, listing: Listing, account_key: str
) -> dict[str, Any]:
    """The body of PATCH trade/v2/orders. Raises Refused."""
    return {"AccountKey": account_key, "OrderId": order_id, **terms(changed, listing)}


def trailing_start(ticket: Ticket, bid: Decimal, ask: Decimal) -> Decimal | None:
    """Where a trailing stop stands at first: its distance from the bid, or above the ask."""
    if ticket.trailing_distance is None:
        return None
    if ticket.side is Side.SELL:
        return bid - ticket.trailing_distance
    return ask + ticket.trailing_distance


def placed(body: Any) -> str:
    """The id of a new or changed order. Raises ProviderError."""
    with reading("an order"):
        return str(body["OrderId"])


def accepted(ticket: Ticket, order_id: str, at: datetime) -> Report:
    """What is known of an order that has just been taken: that it is on its way."""
    return Report(
        client_id=ticket.client_id,
        venue_id=order_id,
        progress=Progress.PENDING,
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


def with_terms(report: Report, changed: Ticket) -> Report:
    """An order whose change has been acknowledged, whatever a list that lags tells of it."""
    if changed.order_type is OrderType.TRAILING_STOP:
        return replace(report, quantity=changed.quantity)
    return replace(
        report,
        quantity=changed.quantity,
        limit_price=changed.limit_price,
        stop_price=changed.stop_price,
    )


# What Saxo tells


def open_order(body: Body, symbol: str, at: datetime) -> Report:
    """An order of the list of open ones. Raises ProviderError."""
    with reading("an open order"):
        order_type = known(ORDER_TYPES, body["OpenOrderType"], "order type")
        stop, limit = prices(order_type, maybe(body.get("Price")), body)
        duration = known(DURATIONS, body["Duration"]["DurationType"], "duration")
        return Report(
            client_id=body.get("ExternalReference") or "",
            venue_id=body["OrderId"],
            progress=known(STANDING, body["Status"], "order status"),
            symbol=symbol,
            side=known(SIDES, body["BuySell"], "side"),
            order_type=order_type,
            quantity=number(body["Amount"]),
            filled=number(body.get("FilledAmount", 0)),
            at=at,
            time_in_force=duration,
            stop_price=stop,
            limit_price=limit,
        )


def prices(
    order_type: OrderType, price: Decimal | None, body: Body
) -> tuple[Decimal | None, Decimal | None]:
    """The stop price and the limit price of an order whose price is `price`."""
    if order_type is OrderType.LIMIT:
        return None, price
    if order_type is OrderType.STOP_LIMIT:
        return price, maybe(body.get("StopLimitPrice"))
    return (None if order_type is OrderType.MARKET else price), None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log of order activities. `filled` is what had filled by then."""

    log_id: int
    order_id: str
    client_id: str
    step: tuple[str, str]
    at: datetime
    filled: Decimal
    price: Decimal | None
    average: Decimal | None
    body: Body

    @property
    def progress(self) -> Progress:
        return STEPS[self.step]


def entry(body: Body) -> Entry:
    """Raises ProviderError."""
    with reading("an entry of the order log"):
        step = (body["Status"], body["SubStatus"])
        known(STEPS, step, "step of an order")
        return Entry(
            log_id=int(body["LogId"]),
            order_id=body["OrderId"],
            client_id=body.get("ExternalReference") or "",
            step=step,
            at=moment(body["ActivityTime"]),
            filled=number(body.get("FilledAmount", 0)),
            price=maybe(body.get("ExecutionPrice")),
            average=maybe(body.get("AveragePrice")),
            body=body,
        )


def in_order(bodies: Iterable[Body]) -> list[Entry]:
    """Entries as they were logged, each once: ids are in sequence of time."""
    entries = {found.log_id: found for found in map(entry, bodies)}
    return [entries[log_id] for log_id in sorted(entries)]


def executions(entries: Sequence[Entry]) -> tuple[Execution, ...]:
    """The fills in a log, by growing cumulative quantity. Raises ProviderError.

    The log does not tell commissions: they are in the funds only.
    """
    found: list[Execution] = []
    before = ZERO
    for each in entries:
        if each.step in FILLS and each.filled > before:
            with reading("a fill"):
                price = number(each.price)
            found.append(
                Execution(
                    quantity=each.filled - before, price=price, cumulative=each.filled, at=each.at
                )
            )
            before = each.filled
    return tuple(found)


def progress_of(entries: Sequence[Entry]) -> Progress:
    """How an order stands after all entries: nothing that comes later reopens one that ended."""
    now = Progress.PENDING
    for each in entries:
        now = each.progress
        if now.over:
            break
    return now


def ended_order(entries: Sequence[Entry], symbol: str) -> Report:
    """An order as its log tells it. Raises ProviderError, and ValueError where there is none."""
    last = entries[-1]
    progress = progress_of(entries)
    fills = executions(entries)
    with reading("an order of the log"):
        body = last.body
        order_type = known(ORDER_TYPES, body["OrderType"], "order type")
        stop, limit = prices(order_type, maybe(body.get("Price")), body)
        return Report(
            client_id=last.client_id,
            venue_id=last.order_id,
            progress=progress,
            symbol=symbol,
            side=known(SIDES, body["BuySell"], "side"),
            order_type=order_type,
            quantity=number(body["Amount"]),
            filled=fills[-1].cumulative if fills else ZERO,
            at=last.at,
            time_in_force=known(DURATIONS, body["Duration"]["DurationType"], "duration"),
            stop_price=stop,
            limit_price=limit,
            average_price=next((e.average for e in reversed(entries) if e.average), None),
            executions=fills,
            reason=RejectReason.UNKNOWN if progress is Progress.REJECTED else None,
            message="Saxo has rejected it" if progress is Progress.REJECTED else "",
        )


def base_of(body: Body) -> Body:
    """The part of a net position that names its instrument. Raises ProviderError."""
    with reading("a net position"):
        return dict(body["NetPositionBase"])


def holding(body: Body, symbol: str) -> Holding:
    """A net position. Raises ProviderError."""
    with reading("a net position"):
        return Holding(
            symbol=symbol,
            quantity=number(body["NetPositionBase"]["Amount"]),
            average_price=maybe(body.get("NetPositionView", {}).get("AverageOpenPrice")),
        )


def funds(balance: Body, positions: Iterable[Body]) -> Funds:
    """The account as a margin account, whatever is in it. Raises ProviderError.

    Nothing that moves with the market is in it: cash, what is not booked yet, and what positions
    closed today have made until it is. Shares are paid in cash, so what those held were bought for
    is added again. That is exact where they are quoted in the currency of the account; else it
    moves with the rate of exchange.
    """
    with reading("a balance"):
        money = number(balance["CashBalance"])
        for name in ("TransactionsNotBooked", "UnrealizedMarginClosedProfitLoss"):
            money += number(balance.get(name) or 0)
        money += sum((paid_for(each) for each in positions), ZERO)
        used = maybe(balance.get("MarginUsedByCurrentPositions"))
        exposure = number(balance.get("MarginNetExposure") or 0)
        return Funds(
            currency=balance["Currency"],
            money=money,
            margin_used=None if used is None else abs(used),
            leverage=leverage(abs(exposure), abs(used or ZERO)),
        )


def paid_for(body: Body) -> Decimal:
    """What a net position cost in cash, in the account's currency; 0 for one on margin."""
    base, view = body["NetPositionBase"], body.get("NetPositionView", {})
    if base["AssetType"] not in CASH_SETTLED:
        return ZERO
    rate = number(view.get("ConversionRateCurrent") or 1)
    return number(base["Amount"]) * number(view["AverageOpenPrice"]) * rate


def leverage(exposure: Decimal, used: Decimal) -> Decimal:
    """By what the worth of what is held is divided for its margin; 1 where nothing is held."""
    if not exposure or not used:
        return Decimal(1)
    return max(Decimal(1), round(exposure / used, 2))
