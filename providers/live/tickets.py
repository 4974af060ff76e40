"""What a change, or somebody else, makes of a ticket: slips before and after."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from providers.engine.orders import modify
from providers.errors import TradingError
from providers.live import booking
from providers.live.account import Books
from providers.live.slips import Slip, Stage
from providers.live.venue import Report, Ticket
from providers.models import ModifyOrderRequest, Order


def about(books: Books, report: Report) -> Slip | None:
    """The slip that a report is about, also as the one that is being changed into it."""
    known = books.slips.known(report.client_id, report.venue_id)
    if known is not None:
        return known
    changing = (slip for slip in books.slips if slip.changed is not None)
    return next((slip for slip in changing if wanted(slip).client_id == report.client_id), None)


def of_stranger(report: Report) -> Ticket:
    return Ticket(
        client_id=report.client_id,
        venue_id=report.venue_id,
        symbol=report.symbol,
        side=report.side,
        order_type=report.order_type,
        quantity=report.quantity,
    )


def filled_of(books: Books, slip: Slip) -> Decimal:
    known = books.slips.known(slip.client_id, None)
    return known.filled if known is not None else slip.filled


def wanted(slip: Slip) -> Ticket:
    if slip.changed is None:
        raise LookupError(f"{slip.client_id} is not being changed")
    return slip.changed


def is_as(report: Report, ticket: Ticket) -> bool:
    """Whether the order at the venue has these terms."""
    return (report.quantity, report.limit_price, report.stop_price) == (
        ticket.quantity,
        ticket.limit_price,
        ticket.stop_price,
    )


def in_new_order(slip: Slip, report: Report) -> bool:
    """Whether the venue has made a new order of the changed ticket."""
    return report.client_id == wanted(slip).client_id


def slip_after(slip: Slip, report: Report) -> Slip:
    """The slip of a change that was made; nothing of a new order has been booked yet."""
    new = in_new_order(slip, report)
    ticket = replace(
        wanted(slip),
        client_id=report.client_id if new else slip.client_id,
        venue_id=report.venue_id,
        quantity=report.quantity,
    )
    after = replace(
        slip, ticket=ticket, stage=Stage.WORKING, changed=None, change=None, replaced_by=None
    )
    if not new:
        return after
    zero = slip.filled - slip.filled
    return replace(after, filled=zero, notional=zero)


def apply_change(books: Books, slip: Slip) -> None:
    """Change our order as the venue has changed its own, also if we would refuse it by now."""
    order = books.state.orders.get(slip.order_id)
    if order is None or slip.change is None:
        return
    decision = modify(books.state, order, ModifyOrderRequest(**slip.change), books.world)
    books.emit(decision)
    if isinstance(decision.result, TradingError):
        turn = books.turn()
        booking.force(turn, order, slip.change)
        books.enter(turn)


def terms_of(heir: Report, slip: Slip, order: Order) -> dict[str, Decimal]:
    """What an order of ours changes in as its ticket becomes another's."""
    terms = {"quantity": order.quantity + heir.quantity - slip.remaining}
    if slip.ticket.order_type is order.order_type:
        prices = {"limit_price": heir.limit_price, "stop_price": heir.stop_price}
        terms |= {name: price for name, price in prices.items() if price is not None}
    return terms


def is_settled(books: Books, live: Slip, report: Report, *, new: bool) -> bool:
    """Whether a change has been entered already, by what the stream has told."""
    if new:
        return books.slips.known(report.client_id, report.venue_id) is not None
    return live.stage is not Stage.CHANGING


def free_client_id(books: Books, slip: Slip) -> None:
    """A client_order_id whose order was rejected may be used again."""
    order = books.session.find_order(slip.order_id)
    if order is None or order.status != "REJECTED" or order.client_order_id is None:
        return
    past = books.session.find_submission(order.client_order_id)
    if past is not None and past.order_id == order.id:
        books.session.forget_submission(order.client_order_id)
