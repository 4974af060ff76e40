"""ccxt's structures and ours, both ways; pure.

ccxt's own symbol of a spot market, `BTC/USD`, is our canonical one. Its numbers come as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ccxt.base.decimal_to_precision import (  # type: ignore[import-untyped]
    DECIMAL_PLACES,
    TICK_SIZE,
)

from providers.base import Instrument
from providers.ccxt.exchanges import Exchange
from providers.errors import ProviderError
from providers.live.venue import ZERO, Execution, Funds, Holding, Progress, Refused, Report, Ticket
from providers.models import (
    AssetClass,
    Bar,
    OrderType,
    Quote,
    RejectReason,
    Side,
    Timeframe,
    TimeInForce,
)

Json = Mapping[str, Any]
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}

STATUSES: Final = {
    "open": Progress.WORKING,
    "canceling": Progress.WORKING,
    "closed": Progress.FILLED,
    "canceled": Progress.CANCELLED,
    "expired": Progress.EXPIRED,
    "rejected": Progress.REJECTED,
}
"""All statuses of ccxt's order structure."""

TIMES_IN_FORCE: Final = {
    "GTC": TimeInForce.GTC,
    "PO": TimeInForce.GTC,  # post only is no time in force of ours
    "GTD": TimeInForce.GTC,  # until a date, which an order placed elsewhere may have
    "GTT": TimeInForce.GTC,  # the same at Coinbase Exchange, which ccxt leaves as it is
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}

TYPES: Final = {
    "limit": (OrderType.LIMIT, OrderType.STOP_LIMIT),
    "market": (OrderType.MARKET, OrderType.STOP),
    "limit_maker": (OrderType.LIMIT, OrderType.STOP_LIMIT),
    "stop_limit": (OrderType.STOP_LIMIT, OrderType.STOP_LIMIT),
    "stop_loss_limit": (OrderType.STOP_LIMIT, OrderType.STOP_LIMIT),
    "stop": (OrderType.STOP, OrderType.STOP_LIMIT),
    "stop_loss": (OrderType.STOP, OrderType.STOP),
    "stop_market": (OrderType.STOP, OrderType.STOP),
}
"""What a type is without a trigger price, and with one."""

IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})

Worth = Callable[[str], Decimal | None]
"""What one unit of a currency is worth in the account's, if that is known."""


def decimal(value: Any) -> Decimal | None:
    """A number of ccxt's. Raises ProviderError for what is none."""
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ProviderError(f"not a number: {value!r}") from None
    if not number.is_finite():
        raise ProviderError(f"not a number: {value!r}")
    return number


def needed(structure: Json, name: str) -> Decimal:
    """A number that must be there. Raises ProviderError."""
    value = decimal(structure.get(name))
    if value is None:
        raise ProviderError(f"the exchange tells no {name}")
    return value


def mapped(table: Mapping[str, Any], value: Any, what: str) -> Any:
    """What a word of ccxt's stands for. Raises ProviderError for one that it does not define."""
    if value not in table:
        raise ProviderError(f"unknown {what}: {value!r}")
    return table[value]


def moment(milliseconds: Any) -> datetime | None:
    """A timestamp in milliseconds since 1970."""
    return None if milliseconds is None else EPOCH + timedelta(milliseconds=int(milliseconds))


def milliseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


# Instruments


def step(value: Any, mode: int) -> Decimal | None:
    """The step of a price or quantity, from ccxt's precision in one of its two fixed modes."""
    number = decimal(value)
    if number is None:
        return None
    if mode == DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(number))
    return number if number > 0 else None


def fixed_steps(mode: int) -> bool:
    """Whether prices have steps at all; with significant digits they depend on the price."""
    return mode in (TICK_SIZE, DECIMAL_PLACES)


def instrument(market: Json, mode: int) -> Instrument | None:
    """A spot market that is open for trading and says its steps; None for any other."""
    price = step(market["precision"].get("price"), mode)
    quantity = step(market["precision"].get("amount"), mode)
    if not market["spot"] or market["active"] is False or price is None or quantity is None:
        return None
    return Instrument(
        symbol=market["symbol"],
        asset_class=AssetClass.CRYPTO,
        price_increment=price,
        quantity_increment=quantity,
        currency=market["quote"],
    )


def instruments(
    markets: Iterable[Json], mode: int, quote_currency: str, chosen: frozenset[str]
) -> Mapping[str, Instrument]:
    """What can be traded in a currency, of those chosen, by canonical symbol."""
    known = (instrument(market, mode) for market in markets)
    return {
        each.symbol: each
        for each in known
        if each and each.currency == quote_currency and (not chosen or each.symbol in chosen)
    }


# Orders


@dataclass(frozen=True, slots=True)
class Sent:
    """The arguments of ccxt's createOrder."""

    symbol: str
    type: str
    side: str
    amount: str
    price: str | None
    params: Mapping[str, Any]


def plain(value: Decimal) -> str:
    """A number without exponent, as exchanges take it."""
    return f"{value:f}"


def to_order(ticket: Ticket, exchange: Exchange, listed: Instrument) -> Sent:
    """A ticket as createOrder takes it. Raises Refused for what is off the market's steps.

    ccxt would cut such a quantity short and round such a price, and place another order than meant.
    """
    check(ticket.quantity, listed.quantity_increment, RejectReason.INVALID_QUANTITY)
    for price in (ticket.limit_price, ticket.stop_price):
        if price is not None:
            check(price, listed.price_increment, RejectReason.INVALID_PRICE)
    params: dict[str, Any] = {"clientOrderId": ticket.client_id, **exchange.extras(ticket)}
    if ticket.stop_price is not None:
        params["triggerPrice"] = plain(ticket.stop_price)
    if ticket.limit_price is not None and ticket.time_in_force in IMMEDIATE:
        params["timeInForce"] = ticket.time_in_force.value
    if ticket.post_only:
        params["postOnly"] = True
    return Sent(
        symbol=ticket.symbol,
        type="market" if ticket.limit_price is None else "limit",
        side=ticket.side.value.lower(),
        amount=plain(ticket.quantity),
        price=None if ticket.limit_price is None else plain(ticket.limit_price),
        params=params,
    )


def check(value: Decimal, increment: Decimal, reason: RejectReason) -> None:
    if value % increment:
        raise Refused(reason, f"{plain(value)} is not a multiple of {plain(increment)}")


def accepted(order: Json, ticket: Ticket, now: datetime) -> Report:
    """The answer to a new order: many exchanges tell no more than its id."""
    if not order.get("id"):
        raise ProviderError("the exchange gave the order no id")
    if order.get("status") is None or order.get("filled") is None:
        return from_ticket(ticket, order["id"], Progress.PENDING, now)
    return report(order, now, ticket)


def from_ticket(ticket: Ticket, venue_id: str, progress: Progress, now: datetime) -> Report:
    """A report of an order of which only its ticket is known."""
    return Report(
        client_id=ticket.client_id,
        venue_id=venue_id,
        progress=progress,
        symbol=ticket.symbol,
        side=ticket.side,
        order_type=ticket.order_type,
        quantity=ticket.quantity,
        filled=ZERO,
        at=now,
        time_in_force=ticket.time_in_force,
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
    )


def report(order: Json, now: datetime, ticket: Ticket | None = None) -> Report:
    """How an order stands; what the exchange leaves out is as on its ticket.

    Raises ProviderError for what ccxt's own manual does not allow, and for an order of which
    something is told nowhere.
    """
    quantity = decimal(order.get("amount")) or (ticket.quantity if ticket else None)
    filled = decimal(order.get("filled"))
    if quantity is None or filled is None:
        raise ProviderError(f"order {order.get('id')} has no quantity")
    time_in_force = in_force(order, ticket)
    progress = progressed(order, quantity, filled, time_in_force)
    stop_price = decimal(order.get("triggerPrice")) or (ticket.stop_price if ticket else None)
    average = decimal(order.get("average"))
    rejected = progress is Progress.REJECTED
    return Report(
        client_id=str(order.get("clientOrderId") or (ticket.client_id if ticket else "")),
        venue_id=str(order["id"]),
        progress=progress,
        symbol=str(order["symbol"]),
        side=mapped(SIDES, order.get("side"), "side"),
        order_type=typed(order, stop_price, ticket),
        quantity=quantity,
        filled=filled,
        at=last_change(order) or now,
        time_in_force=time_in_force,
        limit_price=limit(order, ticket),
        stop_price=stop_price,
        average_price=average if filled else None,
        reason=why(order, ticket) if rejected else None,
        message="the exchange has rejected the order" if rejected else "",
    )


def progressed(
    order: Json, quantity: Decimal, filled: Decimal, time_in_force: TimeInForce
) -> Progress:
    """A closed order that is not full was cancelled, and so was the rest of an immediate one."""
    progress: Progress = mapped(STATUSES, order.get("status"), "status")
    if progress is Progress.FILLED and filled < quantity:
        return Progress.CANCELLED
    if progress is Progress.EXPIRED and time_in_force in IMMEDIATE:
        return Progress.CANCELLED
    return progress


def in_force(order: Json, ticket: Ticket | None) -> TimeInForce:
    if ticket is not None:
        return ticket.time_in_force
    told = order.get("timeInForce")
    if told is None:
        return TimeInForce.GTC  # the usual one, which most exchanges do not mention
    found: TimeInForce = mapped(TIMES_IN_FORCE, told, "time in force")
    return found


def typed(order: Json, stop_price: Decimal | None, ticket: Ticket | None) -> OrderType:
    if ticket is not None:
        return ticket.order_type
    without, with_trigger = mapped(TYPES, order.get("type"), "order type")
    found: OrderType = without if stop_price is None else with_trigger
    return found


def limit(order: Json, ticket: Ticket | None) -> Decimal | None:
    """The limit; a market order may have its average price where the limit would be."""
    if ticket is not None:
        return ticket.limit_price
    return None if order.get("type") in ("market", "stop_market") else decimal(order.get("price"))


def last_change(order: Json) -> datetime | None:
    names = ("lastUpdateTimestamp", "lastTradeTimestamp", "timestamp")
    return next((moment(order[name]) for name in names if order.get(name) is not None), None)


def why(order: Json, ticket: Ticket | None) -> RejectReason:
    """Why an order was rejected after it was taken: ccxt has no field for it."""
    post_only = order.get("postOnly") or (ticket is not None and ticket.post_only)
    return RejectReason.POST_ONLY_VIOLATED if post_only else RejectReason.UNKNOWN


# Fills, money


def executions(trades: Iterable[Json], listed: Instrument, worth: Worth) -> Sequence[Execution]:
    """The fills of one order, by time. `worth` converts fees paid in other currencies."""
    ordered = sorted(trades, key=lambda each: (each["timestamp"], number_of(each)))
    total = ZERO
    told = []
    for trade in ordered:
        total += needed(trade, "amount")
        told.append(execution(trade, total, listed, worth))
    return told


def number_of(trade: Json) -> tuple[int, str]:
    """Trade ids are mostly numbers, which are to be compared as such."""
    name = str(trade.get("id") or "")
    return (int(name), "") if name.isdecimal() else (0, name)


def execution(trade: Json, cumulative: Decimal, listed: Instrument, worth: Worth) -> Execution:
    base, _, quote = listed.symbol.partition("/")
    price = needed(trade, "price")
    bought = trade.get("side") == "buy"
    commission = in_kind = ZERO
    for currency, cost in fees(trade):
        if currency in (quote, None):
            commission += cost
        elif currency == base:
            commission += cost * price
            in_kind += cost if bought else ZERO
        else:
            commission += cost * (worth(currency) or ZERO)
    at = moment(trade["timestamp"])
    if at is None:
        raise ProviderError("a trade has no time")
    return Execution(
        quantity=needed(trade, "amount"),
        price=price,
        cumulative=cumulative,
        at=at,
        commission=commission,
        fee_in_kind=in_kind,
        is_maker=trade.get("takerOrMaker") == "maker",
    )


def fees(trade: Json) -> list[tuple[str | None, Decimal]]:
    """Each fee with its currency; ccxt has them in a list, a single one, or both the same."""
    listed = trade.get("fees") or [trade.get("fee") or {}]
    return [
        (each.get("currency"), needed(each, "cost"))
        for each in listed
        if each.get("cost") is not None
    ]


def fee_currencies(trades: Iterable[Json], listed: Instrument) -> set[str]:
    """The currencies of fees that have to be converted."""
    own = listed.symbol.split("/")
    paid = {name for trade in trades for name, cost in fees(trade) if cost}
    return {name for name in paid if name is not None and name not in own}


def holdings(balance: Json, known: Mapping[str, Instrument], currency: str) -> Sequence[Holding]:
    """What is held of what can be traded; other coins are left out."""
    totals = balance["total"]
    held = ((f"{code}/{currency}", decimal(totals[code])) for code in sorted(totals))
    return [
        Holding(symbol=symbol, quantity=quantity)
        for symbol, quantity in held
        if symbol in known and quantity
    ]


def funds(balance: Json, currency: str) -> Funds:
    """The cash, with what open orders hold of it."""
    return Funds(currency=currency, money=decimal(balance["total"].get(currency)) or ZERO)


# Market data


def quote(ticker: Json, provider: str, now: datetime) -> Quote | None:
    """A ticker as a quote; None without both a bid and an ask."""
    bid, ask = decimal(ticker.get("bid")), decimal(ticker.get("ask"))
    if not bid or not ask:
        return None
    return Quote(
        symbol=ticker["symbol"],
        provider=provider,
        bid=bid,
        bid_size=decimal(ticker.get("bidVolume")),
        ask=ask,
        ask_size=decimal(ticker.get("askVolume")),
        last=decimal(ticker.get("last")),
        volume=decimal(ticker.get("baseVolume")),
        timestamp=moment(ticker.get("timestamp")) or now,
    )


def bar(row: Sequence[Any], symbol: str, timeframe: Timeframe, provider: str) -> Bar:
    """A candle: its opening time in milliseconds, then open, high, low, close and volume.

    Raises ProviderError for one with a gap.
    """
    at, numbers = moment(row[0]), [decimal(each) for each in row[1:6]]
    if at is None or None in numbers:
        raise ProviderError("a candle is not whole")
    names = ("open", "high", "low", "close", "volume")
    values: dict[str, Any] = dict(zip(names, numbers, strict=True))
    return Bar(symbol=symbol, provider=provider, timeframe=timeframe, timestamp=at, **values)
