"""What a venue's report does to our books: fills first, then what has become of the ticket.

Everything is a decision: the same account, slip and report give the same events, and a report that
was booked before, or that tells less than is known, gives none. A fill is known by how much of the
ticket had filled with it, so none counts twice and none is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from providers.engine.book import end, trusted_order
from providers.engine.exits import follow_fill
from providers.engine.fills import STOPS, Fill
from providers.engine.money import EXACT, ZERO, quotient
from providers.engine.state import TERMINAL, Notice
from providers.engine.trailing import trails
from providers.engine.transitions import fill, reduce
from providers.engine.turn import Turn
from providers.live.slips import Slip, Slips, Stage, outlived
from providers.live.venue import Execution, Progress, Report, Ticket
from providers.models import (
    Order,
    OrderStatus,
    OrderType,
    Position,
    RejectReason,
    TimeInForce,
)

UNPROTECTED = "POSITION_UNPROTECTED"


class MissingExecutions(Exception):
    """The report tells of more than its executions add up to: ask the venue for all of them."""


def book(
    turn: Turn, slips: Slips, slip: Slip, report: Report, *, asked: datetime | None = None
) -> None:
    """Enter a report about a ticket of ours.

    `asked` is when the report was asked for; None if the venue's stream told it. One that was asked
    for is the last word: what no execution accounts for is booked at the price that makes the
    average right, and terms that are not ours any more are those that somebody else has set. With
    one that was told, raises MissingExecutions.
    """
    slip = identified(slip, report)
    fresh = list(executions(slip, report, settle=asked is not None))
    if fresh and turn.order(slip.order_id) is None:
        slip = book_stray(turn, slip, fresh)
    for execution in fresh:
        slip = book_execution(turn, slip, execution)
    heir = slips.known("", report.replaced_by)
    if report.replaced_by is not None and heir is None and not outlived(slips, slip):
        keep(slips, replace(slip, replaced_by=report.replaced_by))
        return  # what follows is told of the order in its place
    if report.progress.over:
        slips.end(slip)
        survived = heir is not None or outlived(slips, slip)  # the order, by another ticket
        if turn.order(slip.order_id) is not None and not survived:
            end_ticket(turn, slip, report)
        return
    if slips.live(slip.client_id) is None and not slip.presumed:
        if fresh:
            slips.end(slip)
        return  # a late report of one that is over
    slip = acknowledged(turn, replace(slip, presumed=False), report)
    slips.put(with_terms(turn, slip, report) if asked and asked > slip.since else slip)


def keep(slips: Slips, slip: Slip) -> None:
    """Write what was booked of a slip, which stays live or past as it is."""
    if slips.live(slip.client_id) is None:
        slips.end(slip)
    else:
        slips.put(slip)


def identified(slip: Slip, report: Report) -> Slip:
    if slip.ticket.venue_id == report.venue_id:
        return slip
    return replace(slip, ticket=replace(slip.ticket, venue_id=report.venue_id))


# Fills


def executions(slip: Slip, report: Report, *, settle: bool) -> Iterator[Execution]:
    """The executions that have not been booked, by growing `cumulative`, without a gap."""
    booked, notional = slip.filled, slip.notional
    for each in sorted(report.executions, key=lambda one: one.cumulative):
        if each.cumulative <= booked:
            continue
        if each.cumulative - each.quantity != booked:
            break
        booked, notional = each.cumulative, notional + each.price * each.quantity
        yield each
    if report.filled > booked:
        if not settle or report.average_price is None:
            raise MissingExecutions
        yield remainder(report, booked, notional)


def told_to(report: Report, booked: Decimal) -> Decimal:
    """How much will be booked with what a report tells in executions, from what is by now."""
    for each in sorted(report.executions, key=lambda one: one.cumulative):
        if each.cumulative - each.quantity == booked:
            booked = each.cumulative
    return booked


def remainder(report: Report, booked: Decimal, notional: Decimal) -> Execution:
    """The rest of what has filled, as one execution at the price that makes the average right."""
    average = report.average_price or ZERO
    quantity = report.filled - booked
    worth = EXACT.subtract(EXACT.multiply(average, report.filled), notional)
    price = quotient(worth, quantity)
    return Execution(
        quantity=quantity,
        price=price if price > 0 else average,
        cumulative=report.filled,
        at=report.at,
    )


def book_execution(turn: Turn, slip: Slip, execution: Execution) -> Slip:
    order = turn.order(slip.order_id)
    if order is None:
        raise LookupError(f"{slip.order_id} is not open")
    before = order.status
    order = large_enough(turn, triggered(turn, order), execution.quantity)
    at = Fill(execution.price, execution.quantity, execution.is_maker, execution.commission)
    filled, position = fill(turn, order, at)
    if execution.fee_in_kind and position is not None:
        position = taken_in_kind(turn, position, execution)
    if before is OrderStatus.PENDING_CANCEL and filled.status not in TERMINAL:
        still = filled.evolve(status=before, updated_at=turn.stamp())
        filled = turn.order_event("ORDER_MODIFIED", still)
    follow_fill(turn, filled, execution.quantity, position)
    notional = EXACT.add(slip.notional, EXACT.multiply(execution.price, execution.quantity))
    return replace(slip, filled=execution.cumulative, notional=notional)


def triggered(turn: Turn, order: Order) -> Order:
    """A stop that fills has triggered, at the venue."""
    if order.order_type not in STOPS or order.triggered:
        return order
    return turn.order_event("ORDER_MODIFIED", order.evolve(triggered=True, updated_at=turn.stamp()))


def large_enough(turn: Turn, order: Order, quantity: Decimal) -> Order:
    """The order, grown where the venue has filled more of it than we have left: we had made it
    smaller, and the venue was faster.
    """
    if quantity <= order.remaining_quantity:
        return order
    grown = order.evolve(
        quantity=order.filled_quantity + quantity,
        remaining_quantity=quantity,
        updated_at=turn.stamp(),
    )
    return turn.order_event("ORDER_MODIFIED", grown)


def taken_in_kind(turn: Turn, held: Position, execution: Execution) -> Position | None:
    """The position without what the venue kept as its fee. That leaves at the price of the fill,
    and what it is worth has been paid for as commission.
    """
    fee = min(execution.fee_in_kind, held.quantity)
    turn.pay(reduce(turn, held, fee, execution.price))
    return turn.position(held.id)


def book_stray(turn: Turn, slip: Slip, fresh: list[Execution]) -> Slip:
    """Fills of an order that is over in our books: they become those of an order of their own,
    since a terminal order never changes and no fill may be lost.
    """
    quantity = sum((each.quantity for each in fresh), ZERO)
    order = new_order(turn, replace(slip.ticket, quantity=quantity), client_order_id=None)
    return replace(slip, order_id=order.id)


# What has become of the ticket


def acknowledged(turn: Turn, slip: Slip, report: Report) -> Slip:
    """The venue has the order: it is OPEN, at the terms that the venue says."""
    order = turn.order(slip.order_id)
    if slip.stage is Stage.SENDING:
        slip = slip.at(Stage.WORKING, turn.world.now)
    if order is None:
        return slip
    if order.status is OrderStatus.PENDING and report.progress is Progress.WORKING:
        revive(turn, order)
    return slip


def with_terms(turn: Turn, slip: Slip, report: Report) -> Slip:
    """The slip and its order at the quantity and prices that somebody else has given them at the
    venue.
    """
    ticket = slip.ticket
    order = turn.order(slip.order_id)
    if ticket.order_type is OrderType.TRAILING_STOP:
        report = replace(report, stop_price=ticket.stop_price)  # it moves by itself
    ours = (ticket.quantity, ticket.limit_price, ticket.stop_price)
    theirs = (report.quantity, report.limit_price, report.stop_price)
    if slip.stage is not Stage.WORKING or order is None or ours == theirs:
        return slip
    more = report.quantity - ticket.quantity
    stays = order.order_type is not ticket.order_type  # our stop, which stands there as a MARKET
    changed = order.evolve(
        quantity=order.quantity + more,
        remaining_quantity=order.remaining_quantity + more,
        limit_price=order.limit_price if stays else report.limit_price,
        stop_price=order.stop_price if stays or trails(order) else report.stop_price,
        updated_at=turn.stamp(),
    )
    turn.order_event("ORDER_MODIFIED", changed)
    terms = replace(
        ticket,
        quantity=report.quantity,
        limit_price=report.limit_price,
        stop_price=report.stop_price,
    )
    return replace(slip, ticket=terms)


def end_ticket(turn: Turn, slip: Slip, report: Report) -> None:
    """What the end of a ticket means for its order, if that is not complete with it."""
    order = turn.order(slip.order_id)
    if order is None or order.status in TERMINAL:
        return
    if report.progress is Progress.REJECTED:
        refuse(turn, slip, report.reason or RejectReason.UNKNOWN, report.message)
    elif lives_on(order, slip, report):
        revive(turn, order)
    elif order.time_in_force is TimeInForce.DAY and (
        report.progress is Progress.EXPIRED or has_expired(turn, order)
    ):
        end(turn, order, OrderStatus.EXPIRED)
    else:
        end(turn, order, OrderStatus.CANCELLED)
        if order.status is not OrderStatus.PENDING_CANCEL:
            alarm(turn, order, "The venue has cancelled it")


def lives_on(order: Order, slip: Slip, report: Report) -> bool:
    """Whether the order goes on without this ticket: we took only that back, or it was for a part,
    or the venue ends by the day what does not end with the day.
    """
    if order.status is OrderStatus.PENDING_CANCEL:
        return False
    by_the_day = (
        report.progress is Progress.EXPIRED
        and slip.ticket.time_in_force is TimeInForce.DAY
        and order.time_in_force is not TimeInForce.DAY
    )
    return slip.withdrawn or by_the_day or report.progress is Progress.FILLED


def force(turn: Turn, order: Order, change: Mapping[str, Decimal]) -> None:
    """Make a change that the venue has made, although the market has moved past it."""
    rest = change.get("quantity", order.quantity) - order.filled_quantity
    if order.status in TERMINAL or rest <= 0:
        return
    changed = order.evolve(**change, remaining_quantity=rest, updated_at=turn.stamp())
    turn.order_event("ORDER_MODIFIED", changed)


def has_expired(turn: Turn, order: Order) -> bool:
    return order.expires_at is not None and order.expires_at <= turn.world.now


def revive(turn: Turn, order: Order) -> Order:
    """The order as one that works or is held, without a ticket."""
    status = OrderStatus.PARTIALLY_FILLED if order.filled_quantity else OrderStatus.OPEN
    if order.status is status:
        return order
    return turn.order_event("ORDER_MODIFIED", order.evolve(status=status, updated_at=turn.stamp()))


def refuse(turn: Turn, slip: Slip, reason: RejectReason, message: str) -> None:
    """The venue does not take the ticket. An exit is kept, to be tried again; another order ends.

    The slip is over already.
    """
    order = turn.order(slip.order_id)
    if order is None or order.status in TERMINAL:
        return
    if order.status is OrderStatus.PENDING_CANCEL:
        end(turn, order, OrderStatus.CANCELLED)
    elif slip.restore is not None:
        restored = order.evolve(**slip.restore, updated_at=turn.stamp())
        rest = restored.quantity - order.filled_quantity
        turn.order_event("ORDER_MODIFIED", restored.evolve(remaining_quantity=rest))
    elif is_exit(order) or (order.reduce_only and order.triggered):
        revive(turn, order)
        alarm(turn, order, message)
    elif order.filled_quantity or order.status is not OrderStatus.PENDING:
        end(turn, order, OrderStatus.CANCELLED)
    else:
        rejected = order.evolve(
            status=OrderStatus.REJECTED, reject_reason=reason, updated_at=turn.stamp()
        )
        turn.order_event("ORDER_REJECTED", rejected)


def is_exit(order: Order) -> bool:
    """A stop-loss or take-profit of a bracket or a position."""
    return order.parent_order_id is not None


def alarm(turn: Turn, order: Order, message: str) -> None:
    """Say that a position is without its stop-loss for now, where that is so."""
    if not order.reduce_only or order.order_type not in STOPS or turn.position_for(order) is None:
        return
    turn.notice(
        Notice(
            UNPROTECTED,
            f"The stop-loss of a position in {order.symbol} does not stand at the venue: {message}",
            {
                "order_id": order.id,
                "position_id": order.position_id or "",
                "symbol": order.symbol,
            },
        )
    )


# Orders that others have placed


def adopt(turn: Turn, slips: Slips, report: Report) -> Slip:
    """An order at the venue that is not ours, or that we have lost: it is one of ours from now."""
    ticket = Ticket(
        client_id=report.client_id or f"venue-{report.venue_id}",
        venue_id=report.venue_id,
        symbol=report.symbol,
        side=report.side,
        order_type=report.order_type,
        quantity=report.quantity,
        time_in_force=report.time_in_force,
        limit_price=report.limit_price,
        stop_price=report.stop_price,
    )
    order = new_order(turn, ticket, client_order_id=report.client_id or None)
    slip = Slip(order_id=order.id, ticket=ticket, stage=Stage.WORKING, since=turn.world.now)
    return slips.put(slip)


def new_order(turn: Turn, ticket: Ticket, client_order_id: str | None) -> Order:
    """An order of the account that nobody has placed through us."""
    now = turn.stamp()
    order: Order = trusted_order(
        id=turn.world.new_id("ord"),
        client_order_id=client_order_id,
        symbol=ticket.symbol,
        side=ticket.side,
        order_type=ticket.order_type,
        quantity=ticket.quantity,
        filled_quantity=ZERO,
        remaining_quantity=ticket.quantity,
        status=OrderStatus.OPEN,
        time_in_force=ticket.time_in_force,
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
        triggered=False if ticket.order_type in STOPS else None,
        leverage=turn.world.rules.leverage,
        created_at=now,
        updated_at=now,
    )
    return turn.order_event("ORDER_CREATED", order)
