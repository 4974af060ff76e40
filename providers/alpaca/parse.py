"""Alpaca's JSON and our values, both ways: pure functions, total over what Alpaca's enums list.

Alpaca writes money and quantities of the trading API as strings, those of market data as numbers.
A pair is `BTC/USD` in orders and market data, but `BTCUSD` among positions.

Orders that take the place of others count the fills of the whole chain, and so does their `qty`: an
order over 100, replaced when 41 had filled, has a successor with a `qty` of 100 and a `filled_qty`
of 41. A ticket of ours counts its own, so that what had filled before is taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from providers.base import Instrument
from providers.errors import UnsupportedOperation
from providers.live.reading import Specified, moment, plain
from providers.live.venue import ZERO, Execution, Funds, Holding, Progress, Report, Ticket
from providers.models import AssetClass, OrderType, RejectReason, Side, TimeInForce, TrailingType

Json = Mapping[str, Any]
Pairs = Mapping[str, str]
"""Canonical symbols of pairs by the symbol without its slash."""

STOCK_TICK: Final = Decimal("0.01")
"""Prices from one dollar up move in cents (Regulation NMS, Rule 612). Alpaca's assets do not tell
the tick of a stock; below one dollar it is finer than this."""
FRACTION: Final = Decimal("0.000000001")
"""Alpaca takes quantities with up to nine places; fractions of a share only in DAY orders."""

ASSET_CLASSES: Final = {
    "us_equity": AssetClass.STOCK,
    "crypto": AssetClass.CRYPTO,
    # What is not traded through us; orders of it that others placed are left out.
    "us_option": None,
    "crypto_perp": None,
    "treasury": None,
    "corporate": None,
    "global_equity": None,
    "us_index": None,
    "us_equity_chain": None,
    "ipo": None,
    "": None,  # an order of several legs, all of them options
}

SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}

ORDER_TYPES: Final = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT,
    "trailing_stop": OrderType.TRAILING_STOP,
}

TIMES_IN_FORCE: Final = {
    "day": TimeInForce.DAY,
    "gtc": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    # Orders for the auctions are never ours; they end with the day.
    "opg": TimeInForce.DAY,
    "cls": TimeInForce.DAY,
}

STATUSES: Final = {
    "accepted": Progress.PENDING,  # not routed yet, as outside of the sessions
    "pending_new": Progress.PENDING,
    "held": Progress.PENDING,  # a leg that waits for its order
    "new": Progress.WORKING,
    "partially_filled": Progress.WORKING,
    "pending_cancel": Progress.WORKING,
    "pending_replace": Progress.WORKING,
    "accepted_for_bidding": Progress.WORKING,
    "stopped": Progress.WORKING,  # a trade is guaranteed and has not happened yet
    "suspended": Progress.WORKING,
    "done_for_day": Progress.WORKING,  # it goes on, or expires, on the next day
    "calculated": Progress.WORKING,  # done for the day; where all has filled, FILLED
    "filled": Progress.FILLED,
    "canceled": Progress.CANCELLED,
    "replaced": Progress.CANCELLED,
    "expired": Progress.EXPIRED,
    "rejected": Progress.REJECTED,
}

EVENTS: Final = {
    "fill": True,
    "partial_fill": True,
    "accepted": False,
    "pending_new": False,
    "new": False,
    "held": False,
    "canceled": False,
    "expired": False,
    "done_for_day": False,
    "replaced": False,
    "rejected": False,
    "stopped": False,
    "pending_cancel": False,
    "pending_replace": False,
    "calculated": False,
    "suspended": False,
    "restated": False,
    "order_replace_rejected": False,
    "order_cancel_rejected": False,
    # A trade undone or corrected by the exchange: what is held then is found by asking.
    "trade_bust": False,
    "trade_correct": False,
}
"""Of each event of the stream of order updates, whether it tells a fill."""

TO_SIDE: Final = {side: name for name, side in SIDES.items()}
TO_TYPE: Final = {kind: name for name, kind in ORDER_TYPES.items()}
TO_TIME_IN_FORCE: Final = {
    TimeInForce.DAY: "day",
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
}
CLOSES: Final = {Side.BUY: "buy_to_close", Side.SELL: "sell_to_close"}


class Before(NamedTuple):
    """What the orders before one had filled when it took their place: how much, and its worth."""

    quantity: Decimal
    worth: Decimal


NOTHING: Final = Before(ZERO, ZERO)


as_specified = partial(Specified, "Alpaca")


def optional(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


# Instruments


@as_specified("list of assets")
def instruments(assets: Iterable[Json]) -> dict[str, Instrument]:
    """What of the assets can be traded through us, by canonical symbol."""
    listed = (instrument(asset) for asset in assets if asset["tradable"])
    return {each.symbol: each for each in listed if each is not None}


@as_specified("asset")
def instrument(asset: Json) -> Instrument | None:
    """An asset as an instrument; None for a kind that is not traded through us."""
    kind = ASSET_CLASSES[asset["class"]]
    if kind is AssetClass.CRYPTO:
        return Instrument(
            symbol=asset["symbol"],
            asset_class=kind,
            price_increment=Decimal(asset["price_increment"]),
            quantity_increment=Decimal(asset["min_trade_increment"]),
            currency=asset["symbol"].partition("/")[2],
        )
    if kind is AssetClass.STOCK:
        return Instrument(
            symbol=asset["symbol"],
            asset_class=kind,
            price_increment=STOCK_TICK,
            quantity_increment=FRACTION if asset["fractionable"] else Decimal(1),
        )
    return None


def pairs(listed: Mapping[str, Instrument]) -> dict[str, str]:
    """The canonical symbols of the pairs, by the symbol without its slash."""
    return {symbol.replace("/", ""): symbol for symbol in listed if "/" in symbol}


def compact(symbol: str) -> str:
    """A symbol as paths of the trading API take it."""
    return symbol.replace("/", "")


def canonical(symbol: str, kind: AssetClass | None, known: Pairs) -> str:
    return known.get(compact(symbol), symbol) if kind is AssetClass.CRYPTO else symbol


# Orders


def order_request(ticket: Ticket, kind: AssetClass) -> dict[str, str]:
    """The body of a new order. Raises UnsupportedOperation for what Alpaca has no words for.

    An order for stocks that may only reduce says so by its intent: Alpaca refuses it if it would
    open a position. Crypto needs no word for it, since nothing can be sold there that is not held.
    """
    if ticket.post_only:
        raise UnsupportedOperation("post-only orders")
    if ticket.display_quantity is not None:
        raise UnsupportedOperation("iceberg orders")
    body = {
        "symbol": ticket.symbol,
        "qty": plain(ticket.quantity),
        "side": TO_SIDE[ticket.side],
        "type": TO_TYPE[ticket.order_type],
        "time_in_force": TO_TIME_IN_FORCE[ticket.time_in_force],
        "client_order_id": ticket.client_id,
        **_prices(ticket),
    }
    if ticket.trailing_distance is not None:
        body[_trail(ticket)] = plain(ticket.trailing_distance)
    if ticket.reduce_only and kind is AssetClass.STOCK:
        body["position_intent"] = CLOSES[ticket.side]
    return body


def _prices(ticket: Ticket) -> dict[str, str]:
    prices = {"limit_price": ticket.limit_price, "stop_price": ticket.stop_price}
    return {name: plain(price) for name, price in prices.items() if price is not None}


def _trail(ticket: Ticket) -> str:
    return "trail_percent" if ticket.trailing_type is TrailingType.PERCENT else "trail_price"


def change_request(ticket: Ticket, changed: Ticket, *, base: Decimal, filled: Decimal) -> Json:
    """The body that makes the order of `changed` of that of `ticket`: only what is different.

    `base` is what the chain had filled before `ticket`, `filled` what of `ticket` we know to have
    filled. Alpaca takes the quantity of the chain, so that what fills meanwhile is not lost.
    """
    body = {"client_order_id": changed.client_id}
    quantity = base + filled + changed.quantity
    if quantity != base + ticket.quantity:
        body["qty"] = plain(quantity)
    before = _prices(ticket)
    body |= {name: price for name, price in _prices(changed).items() if before.get(name) != price}
    distance = changed.trailing_distance
    if distance is not None and distance != ticket.trailing_distance:
        body["trail"] = plain(distance)
    return body


@as_specified("order")
def is_ours(order: Json) -> bool:
    """Whether an order is of a kind of instrument that is traded through us."""
    return ASSET_CLASSES[order["asset_class"]] is not None


@as_specified("order")
def filled_so_far(order: Json) -> Before:
    """What the chain of an order has filled."""
    quantity = Decimal(order["filled_qty"])
    return Before(quantity, quantity * Decimal(order["filled_avg_price"] or 0))


@as_specified("order")
def is_replaced(order: Json) -> bool:
    """Whether another order stands in its place, so that it fills no more."""
    return bool(order["status"] == "replaced")


@as_specified("order")
def report(
    order: Json,
    known: Pairs,
    *,
    before: Before = NOTHING,
    executions: tuple[Execution, ...] = (),
) -> Report:
    """How an order stands.

    The quantity of one that was placed over an amount of money is not known before it has filled,
    and is then what has. An order as it was told a while ago may know less than its chain has
    filled: of its own it has filled nothing then.
    """
    told = Decimal(order["filled_qty"])
    progress = STATUSES[order["status"]]
    if order["status"] == "calculated" and order["qty"] and told >= Decimal(order["qty"]):
        progress = Progress.FILLED
    rejected = progress is Progress.REJECTED
    return Report(
        client_id=order["client_order_id"],
        venue_id=order["id"],
        progress=progress,
        symbol=canonical(order["symbol"], ASSET_CLASSES[order["asset_class"]], known),
        side=SIDES[order["side"]],
        order_type=ORDER_TYPES[order["type"]],
        time_in_force=TIMES_IN_FORCE[order["time_in_force"]],
        quantity=Decimal(order["qty"] or order["filled_qty"]) - before.quantity,
        filled=max(told - before.quantity, ZERO),
        at=moment(order["updated_at"] or order["submitted_at"] or order["created_at"]),
        limit_price=optional(order.get("limit_price")),
        stop_price=optional(order.get("stop_price")),
        average_price=_average(told, optional(order.get("filled_avg_price")), before),
        executions=executions,
        reason=RejectReason.UNKNOWN if rejected else None,
        message="Alpaca has rejected the order" if rejected else "",
        replaced_by=order.get("replaced_by") if order["status"] == "replaced" else None,
    )


def _average(told: Decimal, average: Decimal | None, before: Before) -> Decimal | None:
    """The average price of an order's own fills, of that of its chain."""
    if average is None or told <= before.quantity:
        return None
    if not before.quantity:
        return average
    return (average * told - before.worth) / (told - before.quantity)


@as_specified("order update")
def told_order(update: Json) -> Json:
    """The order that an update of the stream is about, as it was then."""
    order: Json = update["order"]
    return order


@as_specified("order update")
def told_fill(update: Json, *, base: Decimal = ZERO) -> tuple[Execution, ...]:
    """The fill that an update of the stream tells along with its order; none, or one."""
    if not EVENTS[update["event"]]:
        return ()
    cumulative = Decimal(update["order"]["filled_qty"]) - base
    if cumulative <= ZERO:
        return ()  # it belongs to the order before this one
    fill = Execution(
        quantity=Decimal(update["qty"]),
        price=Decimal(update["price"]),
        cumulative=cumulative,
        at=moment(update["timestamp"]),
    )
    return (fill,)


@as_specified("list of fills")
def executions(activities: Sequence[Json]) -> tuple[Execution, ...]:
    """The fills of one order by growing `cumulative`; whatever order they are told in."""
    total = ZERO
    fills = []
    for each in sorted(activities, key=lambda each: Decimal(each["cum_qty"])):
        total += Decimal(each["qty"])
        fills.append(
            Execution(
                quantity=Decimal(each["qty"]),
                price=Decimal(each["price"]),
                cumulative=total,
                at=moment(each["transaction_time"]),
            )
        )
    return tuple(fills)


# The account


@as_specified("list of positions")
def holdings(positions: Iterable[Json], known: Pairs) -> list[Holding]:
    """What is held of what is traded through us."""
    return [
        Holding(
            symbol=canonical(each["symbol"], ASSET_CLASSES[each["asset_class"]], known),
            quantity=_signed(each),
            average_price=Decimal(each["avg_entry_price"]),
        )
        for each in positions
        if ASSET_CLASSES[each["asset_class"]] is not None
    ]


def _signed(position: Json) -> Decimal:
    """Alpaca writes the quantity of a short position with a sign, or without one."""
    sign = {"long": 1, "short": -1}[position["side"]]
    return sign * abs(Decimal(position["qty"]))


@as_specified("account")
def funds(account: Json) -> Funds:
    """Cash, what of it is bound, and the factor that buying power is counted with."""
    return Funds(
        currency=account["currency"],
        money=Decimal(account["cash"]),
        margin_used=Decimal(account["initial_margin"]),
        leverage=Decimal(account["multiplier"]),
    )
