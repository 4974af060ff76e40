"""The courier carries slips to the venue, once, and brings back what has become of them.

A command that fails without an answer is never repeated. The venue is asked for the order by its
client id; only when it has twice not known it does the ticket count as never arrived.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from providers.breakers import CircuitBreakers
from providers.engine.orders import modify
from providers.errors import (
    OrderRejected,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    TradingError,
)
from providers.live import booking
from providers.live.account import Books, LiveAccount, enter
from providers.live.exits import retreat
from providers.live.slips import Slip, Stage
from providers.live.venue import Amends, Gone, Refused, Report, Ticket, Unanswered
from providers.models import ModifyOrderRequest, RejectReason

log = logging.getLogger(__name__)

UNKNOWN_TWICE: Final = 2

Failures = dict[str, TradingError]
"""What went wrong, by the id of our order."""

UNREACHED = (ProviderUnavailable, RateLimited, ProviderError)


class Courier:
    """Performs the steps of one account. `breakers` count what the venue fails in."""

    def __init__(
        self,
        account: LiveAccount,
        breakers: CircuitBreakers,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._venue = account.venue
        self._breakers = breakers
        self._sleep = sleep

    async def work(self) -> Failures:
        """Do at the venue whatever there is to be done by now."""
        _, slips = await self._account.transact(lambda _: None)
        return await self.carry(slips)

    async def carry(self, slips: Iterable[Slip]) -> Failures:
        """Perform slips, and what follows from them, until there is nothing to do but wait."""
        failures: Failures = {}
        waiting = list(slips)
        while waiting:
            done = await asyncio.gather(*(self._perform(slip, failures) for slip in waiting))
            waiting = [slip for further in done for slip in further]
        return failures

    async def _perform(self, slip: Slip, failures: Failures) -> list[Slip]:
        actions = {
            Stage.SENDING: self._send,
            Stage.CHANGING: self._change,
            Stage.CANCELLING: self._cancel,
        }
        try:
            return await actions[slip.stage](slip)
        except TradingError as error:
            failures[slip.order_id] = error
            self._account.remember(slip.order_id, error)
            return await self._plan()

    def silence(self) -> ProviderUnavailable:
        """What to answer when the venue does not say what has become of a command."""
        return ProviderUnavailable(f"{self._venue.name} has not confirmed it yet")

    async def _plan(self) -> list[Slip]:
        _, slips = await self._account.transact(lambda _: None)
        return slips

    # New tickets

    async def _send(self, slip: Slip) -> list[Slip]:
        try:
            report = await self._venue.submit(slip.ticket)
        except Refused as refusal:
            self._count_exit(slip)
            await self._refused(slip, refusal.reason, refusal.message)
            raise OrderRejected(refusal.reason, refusal.message, slip.order_id) from refusal
        except (Unanswered, ProviderError) as error:
            self._breakers.adapter.record()
            log.warning("it is not known whether %s has arrived: %s", slip.client_id, error)
            return await self._find_out(slip)
        except RateLimited as error:
            await self._refused(slip, RejectReason.RATE_LIMITED, error.message)
            raise
        except ProviderUnavailable as error:
            self._breakers.adapter.record()
            self._count_exit(slip)
            await self._refused(slip, RejectReason.UNKNOWN, error.message)
            raise
        return await self.enter(slip, report)

    async def _find_out(self, slip: Slip) -> list[Slip]:
        """Ask for a ticket until the venue knows it, or has twice not known it.

        Raises ProviderUnavailable in that case; where the venue does not answer at all, the ticket
        stays SENDING and is asked for later.
        """
        unknown = 0
        for seconds in self._account.pace.ask_after:
            await self._sleep(seconds)
            try:
                report = await self._venue.find(slip.ticket)
            except UNREACHED:
                continue
            if report is not None:
                return await self.enter(slip, report)
            unknown += 1
            if unknown >= UNKNOWN_TWICE:
                message = f"{self._venue.name} did not answer, and does not know the order"
                await self._refused(slip, RejectReason.UNKNOWN, message, presumed=True)
                raise ProviderUnavailable(message)
        return []

    async def _refused(
        self, slip: Slip, reason: RejectReason, message: str, *, presumed: bool = False
    ) -> None:
        """The ticket is over without having been one."""
        self._account.paused.note(slip.order_id)

        def command(books: Books) -> None:
            if books.slips.live(slip.client_id) is None:
                return  # the stream was faster
            books.slips.end(replace(slip, presumed=presumed))
            turn = books.turn()
            booking.refuse(turn, slip, reason, message)
            books.enter(turn)
            free_client_id(books, slip)

        await self._account.note(command)

    def _count_exit(self, slip: Slip) -> None:
        if slip.ticket.reduce_only:
            self._breakers.exit_order.record()

    # Changes

    async def _change(self, slip: Slip) -> list[Slip]:
        changed = wanted(slip)
        try:
            report = await self._venue.replace(replace(slip.ticket, filled=slip.filled), changed)
        except Refused as refusal:
            self._count_exit(slip)
            await self._unchanged(slip, pause=True)
            raise OrderRejected(refusal.reason, refusal.message, slip.order_id) from refusal
        except Gone:
            await self._unchanged(slip)
            return await self.ask(slip)
        except (Unanswered, ProviderError):
            self._breakers.adapter.record()
            return await self._find_out_change(slip)
        except (ProviderUnavailable, RateLimited):
            self._breakers.adapter.record()
            await self._unchanged(slip, pause=True)
            raise
        return await self.changed(slip, report)

    async def _find_out_change(self, slip: Slip) -> list[Slip]:
        for seconds in self._account.pace.ask_after:
            await self._sleep(seconds)
            try:
                return await self.settle_change(slip)
            except UNREACHED:
                continue
        return []

    async def settle_change(self, slip: Slip) -> list[Slip]:
        """Find out what became of a change, and book that."""
        in_place = self._venue.traits.amends is Amends.IN_PLACE
        target = slip.ticket if in_place else wanted(slip)
        report = await self._venue.find(target)
        if report is not None and (not in_place or is_as(report, wanted(slip))):
            return await self.changed(slip, report)
        await self._unchanged(slip)
        return await self.ask(slip)

    async def changed(self, slip: Slip, report: Report) -> list[Slip]:
        """The change is made: the ticket is the changed one from now, and so is our order."""
        asked = self._account.clock()
        fresh = await self._complete(slip_after(slip, report), report)

        def command(books: Books) -> None:
            live = books.slips.live(slip.client_id)
            if live is None or live.stage is not Stage.CHANGING:
                enter(books, fresh, asked)  # settled already, by what the stream has told
                return
            if in_new_order(slip, report):
                books.slips.end(slip)
            after = books.slips.put(slip_after(slip, report))
            if slip.change is not None:
                apply_change(books, slip)
            turn = books.turn()
            booking.book(turn, books.slips, after, fresh, asked=asked)
            books.enter(turn)

        self._account.paused.forget(slip.order_id)
        _, slips = await self._account.transact(command)
        if in_new_order(slip, report):
            slips = [*slips, *await self._last_of(slip)]
        return slips

    async def _last_of(self, slip: Slip) -> list[Slip]:
        """What the old order of a change has filled to its end: nothing tells of it any more."""
        try:
            report = await self._venue.find(slip.ticket)
        except UNREACHED as error:
            log.warning("how %s ended cannot be told: %s", slip.client_id, error)
            return []  # the comparison of positions will find it
        return [] if report is None else await self.enter(slip, report)

    async def _unchanged(self, slip: Slip, *, pause: bool = False) -> None:
        if pause:
            self._account.paused.note(slip.order_id)

        def command(books: Books) -> None:
            live = books.slips.live(slip.client_id)
            if live is not None:
                now = self._account.clock()
                books.slips.put(live.at(Stage.WORKING, now, changed=None, change=None))

        await self._account.note(command)

    # Cancels

    async def _cancel(self, slip: Slip) -> list[Slip]:
        try:
            report = await self._venue.cancel(slip.ticket)
        except Gone:
            return await self.ask(slip)
        except Refused as refusal:
            await self._not_cancelled(slip)
            raise OrderRejected(refusal.reason, refusal.message, slip.order_id) from refusal
        except UNREACHED:
            self._breakers.adapter.record()
            await self._not_cancelled(slip)
            raise
        return [] if report is None else await self.enter(slip, report)

    async def _not_cancelled(self, slip: Slip) -> None:
        """Back to WORKING, from where it is cancelled again after a pause if that is still right:
        to cancel twice does no harm.
        """
        self._account.paused.note(retreat(slip))

        def command(books: Books) -> None:
            live = books.slips.live(slip.client_id)
            if live is not None:
                now = self._account.clock()
                books.slips.put(live.at(Stage.WORKING, now, withdrawn=False, change=None))

        await self._account.note(command)

    # What the venue says

    async def ask(self, slip: Slip) -> list[Slip]:
        """Ask how a ticket stands, and book it. Raises what the venue's calls raise."""
        asked = self._account.clock()
        report = await self._venue.find(slip.ticket)
        if report is None:
            message = f"{self._venue.name} does not know the order any more"
            await self._refused(slip, RejectReason.UNKNOWN, message, presumed=True)
            return await self._plan()
        return await self.enter(slip, report, asked)

    async def enter(self, slip: Slip, report: Report, asked: datetime | None = None) -> list[Slip]:
        """Book a report that answers a call."""
        asked = asked or self._account.clock()
        return await self._account.book(await self._complete(slip, report), asked)

    async def adopt(self, report: Report, asked: datetime) -> None:
        """An open order at the venue that no slip stands for: somebody else's, or one we lost."""
        if report.filled and not report.executions:
            executions = await self._venue.executions(of_stranger(report))
            report = replace(report, executions=tuple(executions or ()))
        await self.carry(await self._account.book(report, asked))

    async def resume(self, slip: Slip) -> None:
        """A ticket that was to be cancelled and works all the same: cancel it again."""
        if slip.stage is not Stage.CANCELLING:
            return

        def command(books: Books) -> None:
            live = books.slips.live(slip.client_id)
            if live is not None and live.stage is Stage.CANCELLING and live.change is None:
                books.slips.put(live.at(Stage.WORKING, self._account.clock(), withdrawn=False))

        _, slips = await self._account.transact(command)
        await self.carry(slips)

    async def told(self, report: Report) -> list[Slip]:
        """Book a report of the stream; where it tells of fills that are missing, ask for them."""
        slip = await self._account.note(lambda books: about(books, report))
        if slip is None:
            return []
        if slip.stage is Stage.CHANGING and slip.client_id != report.client_id:
            return await self.settle_change(slip)  # it is about the new order already
        try:
            return await self._account.book(report)
        except booking.MissingExecutions:
            return await self.ask(slip)

    async def _complete(self, slip: Slip, report: Report) -> Report:
        """The report with all executions that the venue tells, where it has filled since."""
        told = report.executions[-1].cumulative if report.executions else slip.filled
        booked = await self._account.note(lambda books: filled_of(books, slip))
        if report.filled <= booked or (told >= report.filled and report.executions):
            return report
        ticket = replace(slip.ticket, venue_id=report.venue_id)
        try:
            executions = await self._venue.executions(ticket)
        except UNREACHED as error:
            log.warning("executions of %s cannot be told: %s", slip.client_id, error)
            executions = None
        return report if executions is None else replace(report, executions=tuple(executions))


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
    after = replace(slip, ticket=ticket, stage=Stage.WORKING, changed=None, change=None)
    if not new:
        return after
    zero = slip.filled - slip.filled
    return replace(after, filled=zero, notional=zero)


def apply_change(books: Books, slip: Slip) -> None:
    """Change our order as the venue has changed its own."""
    order = books.state.orders.get(slip.order_id)
    if order is not None and slip.change is not None:
        change = ModifyOrderRequest(**slip.change)
        books.emit(modify(books.state, order, change, books.world))


def free_client_id(books: Books, slip: Slip) -> None:
    """A client_order_id whose order was rejected may be used again."""
    order = books.session.find_order(slip.order_id)
    if order is None or order.status != "REJECTED" or order.client_order_id is None:
        return
    past = books.session.find_submission(order.client_order_id)
    if past is not None and past.order_id == order.id:
        books.session.forget_submission(order.client_order_id)
