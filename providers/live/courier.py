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
from typing import Final

from providers.breakers import CircuitBreakers
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
from providers.live.pace import seconds as delta
from providers.live.slips import Slip, Stage, outlived
from providers.live.tickets import (
    about,
    apply_change,
    filled_of,
    free_client_id,
    in_new_order,
    is_as,
    is_settled,
    of_stranger,
    slip_after,
    terms_of,
    wanted,
)
from providers.live.venue import Amends, Gone, Refused, Report, Unanswered
from providers.models import RejectReason

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
                if await self._refused(slip, RejectReason.UNKNOWN, message, presumed=True):
                    raise ProviderUnavailable(message)
                break
        return await self._plan()

    async def _refused(
        self, slip: Slip, reason: RejectReason, message: str, *, presumed: bool = False
    ) -> bool:
        """The ticket is over without having been one; False if the stream knows better."""
        self._account.paused.note(slip.order_id)

        def command(books: Books) -> bool:
            live = books.slips.live(slip.client_id)
            if live is None or live.stage is not slip.stage or live.filled != slip.filled:
                return False
            books.slips.end(replace(live, presumed=presumed))
            if not books.slips.at_venue(live.order_id):
                turn = books.turn()
                booking.refuse(turn, live, reason, message)
                books.enter(turn)
                free_client_id(books, live)
            return True

        return await self._account.note(command)

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
            await self._unchanged(slip, pause=True)
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
        looks = 0
        for seconds in self._account.pace.ask_after:
            await self._sleep(seconds)
            try:
                made = await self._made(slip)
            except UNREACHED:
                continue
            if made is not None:
                return made
            looks += 1
            if looks >= UNKNOWN_TWICE:
                return await self._not_made(slip)
        return []

    async def settle_change(self, slip: Slip) -> list[Slip]:
        """Find out what became of a change, and book that."""
        made = await self._made(slip)
        return await self._not_made(slip) if made is None else made

    async def _made(self, slip: Slip) -> list[Slip] | None:
        """What follows from a change if the venue has made it; None if it has not."""
        in_place = self._venue.traits.amends is Amends.IN_PLACE
        report = await self._venue.find(slip.ticket if in_place else wanted(slip))
        if report is not None and (not in_place or is_as(report, wanted(slip))):
            return await self.changed(slip, report)
        before = report if in_place else await self._venue.find(slip.ticket)
        if before is not None and before.replaced_by is not None:
            return []  # it is, and the new order is not to be found yet
        return None

    async def _not_made(self, slip: Slip) -> list[Slip]:
        await self._unchanged(slip, pause=True)
        return await self.ask(slip)

    async def changed(self, slip: Slip, report: Report) -> list[Slip]:
        """The change is made: the ticket is the changed one from now, and so is our order."""
        asked = self._account.clock()
        fresh = await self._complete(slip_after(slip, report), report)
        new = in_new_order(slip, report)

        def command(books: Books) -> None:
            live = books.slips.live(slip.client_id)
            if live is None or is_settled(books, live, report, new=new):
                enter(books, fresh, asked)
                return
            if new:  # how the old one has ended is to be asked for
                books.slips.put(live.at(Stage.CANCELLING, asked, changed=None, change=None))
            after = books.slips.put(slip_after(replace(live, changed=slip.changed), report))
            if slip.change is not None:
                apply_change(books, slip)
            turn = books.turn()
            booking.book(turn, books.slips, after, fresh, asked=asked)
            books.enter(turn)

        self._account.paused.forget(slip.order_id)
        _, slips = await self._account.transact(command)
        if new:
            slips = [*slips, *await self._last_of(slip)]
        return slips

    async def _last_of(self, slip: Slip) -> list[Slip]:
        """What the old order of a change has filled to its end: nothing tells of it any more."""
        try:
            report = await self._venue.find(slip.ticket)
            return [] if report is None else await self.enter(slip, report)
        except UNREACHED as error:
            log.warning("how %s ended cannot be told: %s", slip.client_id, error)
            return []  # it is asked for until it can

    async def _unchanged(self, slip: Slip, *, pause: bool = False) -> None:
        if pause:
            self._account.paused.note(slip.order_id)

        def command(books: Books) -> None:
            live = books.slips.live(slip.client_id)
            if live is not None and live.stage is Stage.CHANGING and live.changed == slip.changed:
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
        except (Unanswered, ProviderError):
            self._breakers.adapter.record()
            raise  # it may be cancelled yet: it stays CANCELLING, and is asked for
        except (ProviderUnavailable, RateLimited):
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
        for pause in (0.0, self._account.pace.ask_after[0]):
            await self._sleep(pause)
            asked = self._account.clock()
            report = await self._venue.find(slip.ticket)
            if report is not None:
                return await self.enter(slip, report, asked)
        if slip.stage is Stage.SENDING and self.is_young(slip):
            return []  # it may be on its way
        message = f"{self._venue.name} does not know the order any more"
        await self._refused(slip, RejectReason.UNKNOWN, message, presumed=True)
        return await self._plan()

    def is_young(self, slip: Slip) -> bool:
        """Whether whoever performs the step that is under way may still be at it."""
        return self._account.clock() - slip.since < delta(self._account.pace.overdue)

    async def enter(self, slip: Slip, report: Report, asked: datetime | None = None) -> list[Slip]:
        """Book a report that answers a call."""
        asked = asked or self._account.clock()
        return await self._booked(await self._complete(slip, report), asked)

    async def _booked(self, report: Report, asked: datetime) -> list[Slip]:
        try:
            return await self._account.book(report, asked)
        except booking.MissingExecutions as error:
            name = self._venue.name
            raise ProviderError(f"{name} does not say at what price the order filled") from error

    async def adopt(self, report: Report, asked: datetime) -> None:
        """An open order at the venue that no slip stands for: somebody else's, or one we lost."""
        if report.filled and not report.executions:
            executions = await self._venue.executions(of_stranger(report))
            report = replace(report, executions=tuple(executions or ()))
        await self.carry(await self._booked(report, asked))

    def is_under_way(self, slip: Slip) -> bool:
        return slip.stage is Stage.CHANGING and self.is_young(slip)

    async def inherit(self, slip: Slip, heir: Report) -> None:
        """Somebody else has changed an order at a venue that makes new ones of them."""
        name = heir.client_id or f"venue-{heir.venue_id}"
        order = await self._account.order(slip.order_id)
        if order is not None:
            ticket = replace(slip.ticket, client_id=name, venue_id=heir.venue_id)
            changed = replace(ticket, limit_price=heir.limit_price, stop_price=heir.stop_price)
            changing = replace(slip, changed=changed, change=terms_of(heir, slip, order))
            await self.carry(await self.changed(changing, replace(heir, client_id=name)))

    async def end_of_line(self, slip: Slip) -> None:
        """An order that was replaced by one that is not open: that was its end."""
        asked = self._account.clock()
        report = await self._venue.find(slip.ticket)
        if report is not None:
            await self.carry(await self.enter(slip, replace(report, replaced_by=None), asked))

    async def resume(self, slip: Slip) -> None:
        """A ticket that was to be cancelled and works all the same: cancel it again."""
        if slip.stage is not Stage.CANCELLING:
            return

        def command(books: Books) -> list[Slip]:
            live = books.slips.live(slip.client_id)
            if live is None or live.stage is not Stage.CANCELLING or outlived(books.slips, live):
                return []
            if live.change is not None:  # somebody waits for what comes after it
                return [books.slips.put(live.at(Stage.CANCELLING, self._account.clock()))]
            books.slips.put(live.at(Stage.WORKING, self._account.clock(), withdrawn=False))
            return []

        again, slips = await self._account.transact(command)
        await self.carry([*again, *slips])

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
        booked = await self._account.note(lambda books: filled_of(books, slip))
        if booking.told_to(report, booked) >= report.filled:
            return report
        ticket = replace(slip.ticket, venue_id=report.venue_id)
        try:
            executions = await self._venue.executions(ticket)
        except UNREACHED as error:
            log.warning("executions of %s cannot be told: %s", slip.client_id, error)
            executions = None
        return report if executions is None else replace(report, executions=tuple(executions))
