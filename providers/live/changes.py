"""PATCH of an order: the venue changes its order first, then we change ours.

An order that we hold is changed at once. One at the venue is as it was until the venue has said
yes: the slip keeps the wish meanwhile, so that a crash between leaves a question and not a lie.
Where the venue cannot change orders, the old one is withdrawn and the new one sent; if that is
refused, the old one is sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from providers.engine.fills import marketable
from providers.engine.orders import modify
from providers.engine.state import TERMINAL
from providers.errors import OrderNotFound, OrderNotModifiable, OrderRejected, TradingError
from providers.live.account import Books, LiveAccount
from providers.live.courier import Courier
from providers.live.exits import amended, differs, sized, wish_of
from providers.live.slips import Slip, Stage
from providers.live.venue import Amends, Ticket
from providers.models import ModifyOrderRequest, Order, OrderStatus, RejectReason

AT_VENUE: Final = frozenset({"quantity", "limit_price", "stop_price", "trailing_distance"})
"""The fields of which the venue knows; exits are ours."""
Begun = tuple[Order | TradingError, Slip | None]


@dataclass(slots=True)
class Change:
    """One change of one order."""

    account: LiveAccount
    courier: Courier

    async def make(self, order_id: str, change: ModifyOrderRequest) -> Order:
        """The order as it is after the change. Raises what `Provider.modify_order` raises."""
        wanted = {name: value for name, value in vars(change).items() if value is not None}
        self.account.refusals.pop(order_id, None)
        (result, slip), slips = await self._begun(order_id, change, wanted)
        await self.courier.carry([*([slip] if slip else []), *slips])
        if isinstance(result, TradingError):
            raise result
        if slip is None:
            return await self._found(order_id)
        return await self._outcome(order_id, wanted)

    async def _begun(
        self, order_id: str, change: ModifyOrderRequest, wanted: dict[str, Decimal]
    ) -> tuple[Begun, list[Slip]]:
        """Begin as soon as nothing else is under way about the order."""
        for _ in range(self._tries()):
            begun, slips = await self.account.transact(
                lambda books: self._begin(books, order_id, change, wanted)
            )
            if begun is not None:
                return begun, slips
            await self.courier.carry(slips)
            await self.account.moved(self.account.pace.look)
        raise self.courier.silence()

    def _tries(self) -> int:
        """How often to look before the time to answer is over."""
        pace = self.account.pace
        return max(1, round(pace.answer / pace.look))

    def _begin(
        self, books: Books, order_id: str, change: ModifyOrderRequest, wanted: dict[str, Decimal]
    ) -> Begun | None:
        """The answer, and what the venue is to be asked; None while it must wait."""
        order = books.session.find_order(order_id)
        if order is None:
            return OrderNotFound(order_id), None
        decision = modify(books.state, order, change, books.world)
        changed = decision.result
        if isinstance(changed, TradingError):
            return changed, None
        live = books.slips.of(order_id)
        if not live or wanted.keys().isdisjoint(AT_VENUE):
            books.emit(decision)
            return changed, None
        if live[-1].stage is not Stage.WORKING:
            return None
        wish = wish_of(changed, self.account.surroundings())
        if wish is not None and not differs(live[-1], asked_for(changed, live[-1], wish.ticket)):
            books.emit(decision)  # the venue would refuse to change nothing
            return changed, None
        return order, books.slips.put(self._asked(live[-1], changed, wanted))

    def _asked(self, slip: Slip, changed: Order, wanted: dict[str, Decimal]) -> Slip:
        """The slip that asks the venue for the change."""
        now = self.account.clock()
        wish = wish_of(changed, self.account.surroundings())
        in_steps = self.account.venue.traits.amends is Amends.NONE
        if in_steps or changed.status is OrderStatus.FILLED or wish is None:
            return slip.at(Stage.CANCELLING, now, withdrawn=True, change=wanted)
        ticket = replace(
            amended(slip, asked_for(changed, slip, wish.ticket), self.account.venue.traits.amends),
            client_id=self.account.new_client_id(),
        )
        return slip.at(Stage.CHANGING, now, changed=ticket, change=wanted)

    async def _outcome(self, order_id: str, wanted: dict[str, Decimal]) -> Order:
        """Wait until the venue has said yes or no."""
        for _ in range(self._tries()):
            order, busy = await self.account.note(lambda books: standing(books, order_id))
            refusal = self.account.refusals.get(order_id)
            if refusal is not None:
                raise refusal
            if not busy:
                return await self._executed(answered(order, order_id, wanted))
            await self.account.moved(self.account.pace.look)
        raise self.courier.silence()

    async def _executed(self, order: Order) -> Order:
        """The order, after a moment for its fill where its new price is one to trade at."""
        quote = self.account.surroundings().quote(order.symbol)
        tries = max(1, round(self.account.pace.execution / self.account.pace.look)) * 4
        for _ in range(tries):
            if quote is None or order.status in TERMINAL or not marketable(order, quote):
                return order
            await self.account.moved(self.account.pace.execution / tries)
            order = await self._found(order.id)
        return order

    async def _found(self, order_id: str) -> Order:
        order = await self.account.order(order_id)
        if order is None:
            raise OrderNotFound(order_id)
        return order


def standing(books: Books, order_id: str) -> tuple[Order | None, bool]:
    """The order, and whether anything is under way about it."""
    under_way = any(slip.stage is not Stage.WORKING for slip in books.slips.of(order_id))
    return books.session.find_order(order_id), under_way


def answered(order: Order | None, order_id: str, wanted: dict[str, Decimal]) -> Order:
    """The changed order. Raises what to answer where the change was not made."""
    if order is None:
        raise OrderNotFound(order_id)
    if is_made(order, wanted):
        return order
    if order.status in TERMINAL:
        raise OrderNotModifiable(order_id, order.status)
    message = "The order has traded meanwhile, and is as it was"
    raise OrderRejected(RejectReason.UNKNOWN, message, order_id)


def asked_for(changed: Order, slip: Slip, wish: Ticket) -> Ticket:
    """The ticket that the change wants; one that only reduces is not let grow here: what others
    leave it is for the plan to say.
    """
    if not changed.reduce_only:
        return wish
    return sized(wish, min(wish.quantity, slip.remaining))


def is_made(order: Order, wanted: dict[str, Decimal]) -> bool:
    return all(getattr(order, name) == value for name, value in wanted.items())
