"""Both sides compared: open orders, positions and money at the venue, and in our books.

The venue is right about what there is. What it tells is only believed about positions and money
while nothing is under way, and when two looks in a row found the same: a fill that is still on its
way to us is no difference.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from providers.engine.turn import Turn
from providers.engine.world import Rules
from providers.errors import ProviderError
from providers.live.account import Books, LiveAccount
from providers.live.courier import Courier
from providers.live.ledger import correct, differences, held, money_off
from providers.live.slips import Slip, Stage
from providers.live.venue import Funds, Holding, Report

log = logging.getLogger(__name__)

Difference = dict[str, tuple[Decimal, Holding]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the venue says, asked for since `asked`."""

    asked: datetime
    orders: Mapping[str, Report]
    holdings: tuple[Holding, ...]
    funds: Funds


class Reconciler:
    """Compares one account with its venue, as often as it is asked to."""

    def __init__(self, account: LiveAccount, courier: Courier) -> None:
        self._account = account
        self._courier = courier
        self._seen: Difference | None = None
        self._off: Decimal | None = None
        self._lost: set[str] = set()

    async def compare(self) -> bool:
        """Look once; whether both sides agree now. Raises what the venue's calls raise."""
        snapshot = await self._snapshot()
        await self._account.market.prepare(
            {each.symbol for each in snapshot.holdings if each.quantity}
        )
        plain = True
        for slip in await self._slips():
            plain &= await self._looked_at(slip, snapshot)
        await self._pass_on(snapshot)
        slips = await self._slips()
        for report in self._strangers(snapshot, slips):
            await self._courier.adopt(report, snapshot.asked)
        if not plain:
            return False  # what is held may be what that order has filled
        agreed, further = await self._account.transact(lambda books: self._settle(books, snapshot))
        await self._courier.carry(further)
        return agreed

    async def _slips(self) -> list[Slip]:
        return await self._account.note(lambda books: list(books.slips))

    async def _snapshot(self) -> Snapshot:
        """Orders before positions before money: each may only know more than the one before."""
        asked, venue = self._account.clock(), self._account.venue
        orders = {report.venue_id: report for report in await venue.open_orders()}
        holdings = tuple(await venue.holdings())
        return Snapshot(asked, orders, holdings, await venue.funds())

    async def _looked_at(self, slip: Slip, snapshot: Snapshot) -> bool:
        """Look at one of our tickets; False if the venue talks nonsense about it."""
        try:
            await self._look_at(slip, snapshot)
        except ProviderError as error:
            log.warning("%s cannot be looked at: %s", slip.client_id, error)
            return False
        return True

    async def _look_at(self, slip: Slip, snapshot: Snapshot) -> None:
        """Book what the venue says of one of our tickets."""
        if slip.since >= snapshot.asked:
            return  # it is under way right now
        report = snapshot.orders.get(slip.ticket.venue_id or "") or next(
            (one for one in snapshot.orders.values() if one.client_id == slip.client_id), None
        )
        if self._courier.is_under_way(slip):
            return  # whoever has asked for the change finds out
        if slip.stage is Stage.CHANGING:
            await self._courier.carry(await self._courier.settle_change(slip))
        elif report is None:
            await self._courier.carry(await self._courier.ask(slip))
        else:
            await self._courier.carry(await self._courier.enter(slip, report, snapshot.asked))

    async def _pass_on(self, snapshot: Snapshot) -> None:
        """Follow orders that somebody else has replaced at the venue."""
        lost = set()
        for slip in await self._slips():
            if slip.replaced_by is None or self._courier.is_under_way(slip):
                continue
            heir = snapshot.orders.get(slip.replaced_by)
            if heir is not None:
                await self._courier.inherit(slip, heir)
            elif slip.client_id in self._lost:
                await self._courier.end_of_line(slip)
            else:
                lost.add(slip.client_id)
        self._lost = lost

    def _strangers(self, snapshot: Snapshot, slips: list[Slip]) -> list[Report]:
        """Open orders that no slip of ours stands for."""
        ours = {slip.ticket.venue_id for slip in slips} | {slip.client_id for slip in slips}
        ours |= {slip.changed.client_id for slip in slips if slip.changed is not None}
        return [
            report
            for report in snapshot.orders.values()
            if report.venue_id not in ours and report.client_id not in ours
        ]

    def _settle(self, books: Books, snapshot: Snapshot) -> bool:
        """Positions and money; whether there is nothing more to find out."""
        leverage = max(snapshot.funds.leverage, Decimal(1))
        if leverage != self._account.rules.leverage:
            self._account.rules = Rules(leverage=leverage, max_leverage=max(leverage, Decimal(1)))
        turn = books.turn()
        listed = self._account.venue.instruments
        theirs = [each for each in snapshot.holdings if each.symbol in listed]
        found = differences(held(turn), theirs)
        quiet = is_quiet(books, snapshot)
        if found and (not quiet or found != self._seen):
            self._seen = found if quiet else None
            return False
        for ours, holding in found.values():
            log.warning("%s: %s held, %s at the venue", holding.symbol, ours, holding.quantity)
            correct(turn, holding)
        self._seen = None
        agreed = quiet and self._settle_money(books, turn, snapshot.funds)
        books.enter(turn)
        return agreed

    def _settle_money(self, books: Books, turn: Turn, funds: Funds) -> bool:
        """Bring the balance to the venue's; False where it is to be looked at again first."""
        cash = self._account.venue.traits.money_is_cash
        off = money_off(turn, funds, money_is_cash=cash)
        if off and off != self._off and is_used(books):
            self._off = off
            return False
        self._off = None
        if off is not None:
            log.info("the balance at %s moved by %s", self._account.venue.name, off)
            turn.deposit(off, funds.currency)
        return True


def is_used(books: Books) -> bool:
    """Whether the venue's money has ever been entered; the first time it is believed at once."""
    return bool(books.state.ledger.deposits)


def is_quiet(books: Books, snapshot: Snapshot) -> bool:
    """Whether nothing has happened since the venue was asked, and nothing is under way."""
    return books.state.last_time < snapshot.asked and all(
        slip.stage is Stage.WORKING and slip.since < snapshot.asked for slip in books.slips
    )
