"""What has become of an order, told from the account's transactions: pure functions.

An account at OANDA is a log of transactions with growing ids. An order has the id of the one that
created it; later ones fill or cancel it. OANDA's own order endpoints forget an order soon after it
has ended, above all by its client id, so the log is what counts.

::

    LIMIT_ORDER 7 ─── ORDER_FILL 9 (orderID 7)
    STOP_ORDER 8 ──── ORDER_CANCEL 10 (orderID 8, replacedByOrderID 11)
    STOP_ORDER 11 (replacesOrderID 8)
    MARKET_ORDER_REJECT 12

OANDA is known to fill an order whole, or cancel it. Its specification allows for parts, and so does
this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum, auto
from typing import Any, Final

from providers.errors import ProviderError
from providers.live.reading import moment
from providers.live.venue import ZERO, Execution, Progress, Report
from providers.models import OrderType, RejectReason, TimeInForce
from providers.oanda import errors
from providers.oanda.parse import (
    ORDER_TYPES,
    TIMES_IN_FORCE,
    WAITS,
    Json,
    as_specified,
    side_of,
    symbol_of,
)


class Kind(Enum):
    """What a transaction does to an order that may be ours."""

    CREATES = auto()
    REJECTS = auto()
    FILLS = auto()
    CANCELS = auto()
    NOTHING = auto()


_NOTHING: Final = """
    CREATE CLOSE REOPEN CLIENT_CONFIGURE CLIENT_CONFIGURE_REJECT
    TRANSFER_FUNDS TRANSFER_FUNDS_REJECT
    MARKET_IF_TOUCHED_ORDER MARKET_IF_TOUCHED_ORDER_REJECT
    TAKE_PROFIT_ORDER TAKE_PROFIT_ORDER_REJECT STOP_LOSS_ORDER STOP_LOSS_ORDER_REJECT
    TRAILING_STOP_LOSS_ORDER TRAILING_STOP_LOSS_ORDER_REJECT
    ORDER_CANCEL_REJECT ORDER_CLIENT_EXTENSIONS_MODIFY ORDER_CLIENT_EXTENSIONS_MODIFY_REJECT
    TRADE_CLIENT_EXTENSIONS_MODIFY TRADE_CLIENT_EXTENSIONS_MODIFY_REJECT
    MARGIN_CALL_ENTER MARGIN_CALL_EXTEND MARGIN_CALL_EXIT DELAYED_TRADE_CLOSURE
    DAILY_FINANCING RESET_RESETTABLE_PL
"""
_LATER: Final = """
    GUARANTEED_STOP_LOSS_ORDER GUARANTEED_STOP_LOSS_ORDER_REJECT DIVIDEND_ADJUSTMENT
"""  # documented at developer.oanda.com, after the specification was last published

KINDS: Final = {
    "MARKET_ORDER": Kind.CREATES,
    "LIMIT_ORDER": Kind.CREATES,
    "STOP_ORDER": Kind.CREATES,
    "FIXED_PRICE_ORDER": Kind.CREATES,
    "MARKET_ORDER_REJECT": Kind.REJECTS,
    "LIMIT_ORDER_REJECT": Kind.REJECTS,
    "STOP_ORDER_REJECT": Kind.REJECTS,
    "ORDER_FILL": Kind.FILLS,
    "ORDER_CANCEL": Kind.CANCELS,
    **dict.fromkeys(_NOTHING.split(), Kind.NOTHING),
    **dict.fromkeys(_LATER.split(), Kind.NOTHING),
}
"""What each type of transaction does; of orders that are not traded through us, nothing."""

OURS: Final = {
    "LIMIT_ORDER": True,
    "STOP_ORDER": True,
    "MARKET_ORDER": True,
    "MARKET_ORDER_TRADE_CLOSE": True,  # somebody closes it on OANDA's own platform
    "MARKET_ORDER_POSITION_CLOSEOUT": True,
    "MARKET_ORDER_MARGIN_CLOSEOUT": True,
    "MARKET_ORDER_DELAYED_TRADE_CLOSE": True,
    "MARKET_IF_TOUCHED_ORDER": False,
    "TAKE_PROFIT_ORDER": False,
    "STOP_LOSS_ORDER": False,
    "GUARANTEED_STOP_LOSS_ORDER": False,  # documented later
    "TRAILING_STOP_LOSS_ORDER": False,
}
"""Of each reason of a fill, whether it is that of an order that is traded through us."""


@dataclass(frozen=True, slots=True)
class Story:
    """One order: what created it, or refused to, and what filled and ended it."""

    created: Json
    fills: tuple[Json, ...] = ()
    cancelled: Json | None = None

    @property
    def order_id(self) -> str:
        return str(self.created["id"])

    @property
    def client_id(self) -> str:
        return str(self.created.get("clientExtensions", {}).get("id", ""))

    def with_fill(self, fill: Json) -> Story:
        """The story with a fill, which it may have already."""
        fills = {number(each): each for each in (*self.fills, fill)}
        return replace(self, fills=tuple(fills[each] for each in sorted(fills)))


def number(transaction: Json) -> int:
    """The id of a transaction; they grow by time."""
    return int(transaction["id"])


def kind_of(transaction: Json) -> Kind:
    """Raises ProviderError for a type that is not known and that concerns an order."""
    known = KINDS.get(transaction["type"])
    if known is not None:
        return known
    if "orderID" in transaction or "clientExtensions" in transaction:
        raise ProviderError(f"OANDA told of a transaction that is not known: {transaction['type']}")
    return Kind.NOTHING


def order_of(transaction: Json) -> str:
    """The id of the order that a transaction creates, refuses, fills or cancels."""
    kind = kind_of(transaction)
    return str(transaction["orderID" if kind in (Kind.FILLS, Kind.CANCELS) else "id"])


def is_ours(transaction: Json) -> bool:
    """Whether a transaction may be about an order that is traded through us.

    That of a cancel is not said.
    """
    kind = kind_of(transaction)
    if kind is Kind.FILLS:
        return OURS[transaction["reason"]]
    if kind is Kind.REJECTS:
        return not leaves_another(transaction)
    return kind is not Kind.NOTHING


def leaves_another(rejection: Json) -> bool:
    """Whether an order stands all the same: the one that was not replaced, or the one that has the
    client id already. What was refused is not told then, since it would be taken for that.
    """
    replaces = "intendedReplacesOrderID" in rejection or rejection.get("reason") == "REPLACEMENT"
    return replaces or rejection["rejectReason"] == errors.DUPLICATE


def continued(story: Story | None, transaction: Json) -> Story | None:
    """An order's story with one transaction more; None while nothing has created it."""
    kind = kind_of(transaction)
    if kind in (Kind.CREATES, Kind.REJECTS):
        return story or Story(transaction)
    if story is None or kind is Kind.NOTHING:
        return story
    if kind is Kind.FILLS:
        return story.with_fill(transaction)
    return replace(story, cancelled=transaction)


def stories(transactions: Iterable[Json]) -> dict[str, Story]:
    """The stories that begin among some transactions, by the id of the order."""
    found: dict[str, Story] = {}
    with as_specified("transaction"):
        for each in sorted(transactions, key=number):
            if not is_ours(each):
                continue
            order_id = order_of(each)
            story = continued(found.get(order_id), each)
            if story is not None:
                found[order_id] = story
    return found


def found_by(client_id: str, told: dict[str, Story]) -> Story | None:
    """The latest order with a client id."""
    return next((each for each in reversed(told.values()) if each.client_id == client_id), None)


# As a report


def report(story: Story) -> Report:
    """How an order stands. Raises ProviderError for what the specification does not have."""
    with as_specified("transaction"):
        return _report(story)


def _report(story: Story) -> Report:
    created = story.created
    told = tuple(executions(story))
    filled = told[-1].cumulative if told else ZERO
    quantity = abs(Decimal(created["units"]))
    progress, reason, message = _state(story, quantity, filled)
    last = story.cancelled or (story.fills[-1] if story.fills else created)
    return Report(
        client_id=story.client_id,
        venue_id=story.order_id,
        progress=progress,
        filled=filled,
        executions=told,
        average_price=_average(told),
        at=moment(last["time"]),
        reason=reason,
        message=message,
        replaced_by=_replaced_by(story),
        **_terms(created, created["type"].removesuffix("_REJECT").removesuffix("_ORDER")),
    )


def _terms(order: Json, type_name: str) -> dict[str, Any]:
    """What an order, or the transaction that created it, says of its terms."""
    kind = ORDER_TYPES[type_name]
    price = Decimal(order["price"]) if "price" in order else None
    units = Decimal(order["units"])
    return {
        "symbol": symbol_of(order["instrument"]),
        "side": side_of(units),
        "order_type": kind,
        "quantity": abs(units),
        # A FIXED_PRICE_ORDER has none: it is executed at once.
        "time_in_force": TIMES_IN_FORCE[order.get("timeInForce", "FOK")],
        "limit_price": price if kind is OrderType.LIMIT else None,
        "stop_price": price if kind is OrderType.STOP else None,
    }


def executions(story: Story) -> Iterator[Execution]:
    """All fills by growing `cumulative`.

    `price` of a fill is deprecated for `fullVWAP`, the same where no guaranteed stop is involved,
    which old fills lack.
    """
    cumulative = ZERO
    for fill in story.fills:
        quantity = abs(Decimal(fill["units"]))
        cumulative += quantity
        yield Execution(
            quantity=quantity,
            price=Decimal(fill["fullVWAP"] if "fullVWAP" in fill else fill["price"]),
            cumulative=cumulative,
            at=moment(fill["time"]),
            commission=Decimal(fill.get("commission", "0"))
            + Decimal(fill.get("guaranteedExecutionFee", "0")),
        )


def _average(told: tuple[Execution, ...]) -> Decimal | None:
    if not told:
        return None
    return sum((each.price * each.quantity for each in told), ZERO) / told[-1].cumulative


def _state(
    story: Story, quantity: Decimal, filled: Decimal
) -> tuple[Progress, RejectReason | None, str]:
    if kind_of(story.created) is Kind.REJECTS:
        why = str(story.created["rejectReason"])
        return Progress.REJECTED, errors.reject_reason(why), why
    if filled >= quantity:
        return Progress.FILLED, None, ""
    if story.cancelled is not None:
        return _end(story, story.cancelled, filled)
    at_once = ORDER_TYPES[story.created["type"].removesuffix("_ORDER")] is OrderType.MARKET
    if at_once:  # what has not filled of it never will
        return (Progress.CANCELLED if filled else Progress.PENDING), None, ""
    return Progress.WORKING, None, ""


def _end(
    story: Story, cancelled: Json, filled: Decimal
) -> tuple[Progress, RejectReason | None, str]:
    """An order that is cancelled at once, with nothing filled, was refused if OANDA did it.

    At once is in the batch of transactions that created it.
    """
    why = str(cancelled["reason"])
    meant = errors.end(why)
    batch = story.created.get("batchID", story.created["id"])
    if meant.refusal is not None and not filled and cancelled.get("batchID") == batch:
        return Progress.REJECTED, meant.refusal, why
    days = TIMES_IN_FORCE[story.created.get("timeInForce", "FOK")]
    if meant.progress is Progress.EXPIRED and days in (TimeInForce.IOC, TimeInForce.FOK):
        return Progress.CANCELLED, None, why
    return meant.progress, None, why


def _replaced_by(story: Story) -> str | None:
    return story.cancelled.get("replacedByOrderID") if story.cancelled else None


def pending(order: Json) -> Report | None:
    """How an open order stands, of which nothing has filled; None if it is not traded through us.

    Raises ProviderError for one that is over.
    """
    with as_specified("order"):
        if ORDER_TYPES[order["type"]] is None:
            return None
        if not WAITS[order["state"]]:
            raise ProviderError(f"OANDA lists an order as open that is {order['state']}")
        return Report(
            client_id=str(order.get("clientExtensions", {}).get("id", "")),
            venue_id=order["id"],
            progress=Progress.WORKING,
            filled=ZERO,
            at=moment(order["createTime"]),
            **_terms(order, order["type"]),
        )
