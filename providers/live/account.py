"""One account of ours and the venue behind it: every transaction of the bridge is made here.

A transaction decides on the account as committed: it books what the venue has told, lets held stops
trail and trigger, plans what should stand at the venue, and writes the slips of what is to be sent
before any of it is. What it returns are the steps to perform.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID

from providers.base import Clock, IdSource
from providers.engine.book import end
from providers.engine.execution import expired, trail
from providers.engine.fills import STOPS, triggers
from providers.engine.money import exact
from providers.engine.orders import modify
from providers.engine.state import AccountState
from providers.engine.turn import Turn
from providers.engine.world import Decision, Rules, World
from providers.errors import ProviderUnavailable, SymbolNotFound, TradingError
from providers.exchange.calendars import session_end
from providers.exchange.store import Lease, Session, Store
from providers.live import booking
from providers.live.exits import Amend, Send, Step, Surroundings, is_shared, plan
from providers.live.market import LiveMarket
from providers.live.pace import Pace, seconds
from providers.live.slips import Slip, Slips, Stage
from providers.live.venue import Progress, Report, Ticket, Venue
from providers.models import AssetClass, ModifyOrderRequest, Order, OrderStatus, OrderType, Quote

T = TypeVar("T")

REMEMBERED: Final = 1000
"""Refusals kept for those who wait for them."""
RESTORE: Final = "restore"
"""Kind of memo: what an order goes back to, by its id."""
TERMS: Final = ("quantity", "limit_price", "stop_price", "trailing_distance")
"""The fields of an order that its ticket has, too."""


@dataclass(slots=True)
class Pauses:
    """Orders that the venue has refused something about, and until when they rest."""

    clock: Clock
    pace: Pace
    _until: dict[str, tuple[datetime, int]] = field(default_factory=dict)

    def note(self, order_id: str) -> None:
        now, longest = self.clock(), seconds(self.pace.longest_pause)
        self._until = {name: rest for name, rest in self._until.items() if now < rest[0] + longest}
        _, count = self._until.get(order_id, (None, 0))
        wait = min(self.pace.pause * 2.0 ** min(count, 10), self.pace.longest_pause)
        self._until[order_id] = now + seconds(wait), count + 1

    def forget(self, order_id: str) -> None:
        self._until.pop(order_id, None)

    def __call__(self, order_id: str) -> bool:
        until, _ = self._until.get(order_id, (None, 0))
        return until is not None and self.clock() < until


@dataclass(slots=True)
class Books:
    """What one transaction works with: the session, its slips, and a turn to be made."""

    session: Session
    slips: Slips
    world: World

    @property
    def state(self) -> AccountState:
        return self.session.state

    def turn(self) -> Turn:
        return Turn(self.session.state, self.world)

    def enter(self, turn: Turn) -> None:
        """Write what the turn has decided."""
        self.emit(turn.decision(None))

    def emit(self, decision: Decision[T]) -> None:
        self.session.emit(decision.events)


class LiveAccount:
    """The account `name` of a store, executed at a venue, priced by a market."""

    def __init__(
        self,
        name: str,
        store: Store,
        venue: Venue,
        market: LiveMarket,
        *,
        clock: Clock,
        ids: IdSource,
        pace: Pace,
    ) -> None:
        self.pace = pace
        self.name = name
        self.store = store
        self.venue = venue
        self.market = market
        self.clock = clock
        self.ids = ids
        self.rules = Rules(leverage=Decimal(1), max_leverage=Decimal(1000))
        self.paused = Pauses(clock, pace)
        self.refusals: OrderedDict[str, TradingError] = OrderedDict()
        self.watched: frozenset[str] = frozenset()
        self._moved = asyncio.Event()
        self._prices: dict[str, Decimal] = {}

    async def transact(
        self, command: Callable[[Books], T], lease: Lease | None = None
    ) -> tuple[T, list[Slip]]:
        """Run a command on the books, then plan; returns its result and the slips to act on."""

        def run(session: Session) -> tuple[T, list[Slip]]:
            books = self._books(session)
            with exact():
                result = command(books)
                watch(books, self.surroundings(), self.paused)
                steps = plan(books.state, books.slips, self.surroundings())
                written = [self._write(books, step) for step in steps]
                rest(books)
                self.watched = watched(books)
            return result, written

        done = await self.store.transact(self.name, run, lease)
        self._ring()
        return done

    async def note(self, command: Callable[[Books], T]) -> T:
        """Run a command on the books, and plan nothing."""

        def run(session: Session) -> T:
            with exact():
                return command(self._books(session))

        done = await self.store.transact(self.name, run)
        self._ring()
        return done

    async def book(self, report: Report, asked: datetime | None = None) -> list[Slip]:
        """Enter a report. Raises MissingExecutions."""

        prices = [each.price for each in report.executions]
        price = prices[-1] if prices else report.average_price
        if price is not None:
            self._prices[report.symbol] = price

        def command(books: Books) -> None:
            slip = books.slips.known(report.client_id, report.venue_id)
            live = slip is not None and books.slips.live(slip.client_id) is not None
            if slip is not None and live and report.progress is Progress.REJECTED:
                self.paused.note(slip.order_id)
            error = enter(books, report, asked)
            if error is not None:
                self.remember(error[0], error[1])

        _, slips = await self.transact(command)
        return slips

    def remember(self, order_id: str, error: TradingError) -> None:
        """A refusal, for whoever waits for the order while another task meets it."""
        self.refusals[order_id] = error
        self.refusals.move_to_end(order_id)
        if len(self.refusals) > REMEMBERED:
            self.refusals.popitem(last=False)

    async def order(self, order_id: str) -> Order | None:
        return await self.store.read(lambda reader: reader.order(self.name, order_id))

    async def moved(self, at_most: float) -> None:
        """Wait until anything is booked, at most so long."""
        event = self._moved
        try:
            async with asyncio.timeout(at_most):
                await event.wait()
        except TimeoutError:
            return

    def _ring(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def _books(self, session: Session) -> Books:
        slips = Slips(session)
        return Books(session, slips, self.world(session.state, slips, session.group_traded))

    def world(
        self,
        state: AccountState,
        slips: Slips,
        group_traded: Callable[[str], bool] = lambda _: False,
    ) -> World:
        """The surroundings of a decision: the venue executes, so nothing trades by itself."""
        return World(
            now=self.clock(),
            new_id=self.ids,
            quote=lambda symbol: self._quote(state, symbol),
            instrument=self.venue.instruments.get,
            rules=self.rules,
            session_end=session_end,
            group_traded=group_traded,
            between=True,
            at_venue=slips.at_venue,
            judges_margin=False,
        )

    def view(self) -> World:
        """The surroundings of a look at the account."""
        return World(
            now=self.clock(),
            new_id=self.ids,
            quote=lambda symbol: self.market.quote(symbol, self.clock()),
            instrument=self.venue.instruments.get,
            rules=self.rules,
            session_end=session_end,
        )

    def _quote(self, state: AccountState, symbol: str) -> Quote:
        """The latest quote; where none has come, the last price known: booking cannot wait."""
        try:
            return self.market.quote(symbol, self.clock())
        except (ProviderUnavailable, SymbolNotFound):
            price = self._prices.get(symbol) or last_known(state, symbol)
            if price is None:
                raise
            return flat_quote(symbol, price, self.clock())

    def surroundings(self) -> Surroundings:
        return Surroundings(
            traits=self.venue.traits,
            asset_class=self._asset_class,
            quote=self._trusted_quote,
            paused=self.paused,
        )

    def _asset_class(self, symbol: str) -> AssetClass | None:
        instrument = self.venue.instruments.get(symbol)
        return instrument.asset_class if instrument else None

    def _trusted_quote(self, symbol: str) -> Quote | None:
        """The quote that may be acted upon."""
        if self.market.is_stale(symbol):
            return None
        try:
            return self.market.quote(symbol, self.clock())
        except (ProviderUnavailable, SymbolNotFound):
            return None

    def _write(self, books: Books, step: Step) -> Slip:
        """The slip of a step, written before it is performed."""
        now = self.clock()
        if isinstance(step, Send):
            client_id = self._client_id(books, step.order)
            ticket = replace(step.ticket, client_id=client_id)
            slip = Slip(
                order_id=step.order.id,
                ticket=ticket,
                stage=Stage.SENDING,
                since=now,
                restore=taken_restore(books, step.order.id),
            )
        elif isinstance(step, Amend):
            ticket = replace(step.ticket, client_id=self.new_client_id())
            slip = step.slip.at(Stage.CHANGING, now, changed=ticket)
        else:
            order = books.state.orders.get(step.slip.order_id)
            lives = order is not None and order.status is not OrderStatus.PENDING_CANCEL
            slip = step.slip.at(Stage.CANCELLING, now, withdrawn=lives)
        return books.slips.put(slip)

    def new_client_id(self) -> str:
        """A new id that the venue takes as a client's own."""
        pattern = self.venue.traits.client_ids
        return next(each for each in forms(self.ids("tkt")) if re.fullmatch(pattern, each))

    def _client_id(self, books: Books, order: Order) -> str:
        """The client's own id where the venue takes it and has not had it; else one of ours."""
        for each in (order.client_order_id, *forms(order.id), *forms(self.ids("tkt"))):
            if each is None or not re.fullmatch(self.venue.traits.client_ids, each):
                continue
            if books.slips.known(each, None) is None:
                return each
        raise LookupError(f"no id of ours fits {self.venue.traits.client_ids}")


def forms(id: str) -> tuple[str, ...]:
    """An id as it is, and as the venues want it that take letters and digits only, or a UUID."""
    plain = id.rpartition("_")[2]
    try:
        return id, plain, str(UUID(plain))
    except ValueError:
        return id, plain


def enter(books: Books, report: Report, asked: datetime | None) -> tuple[str, TradingError] | None:
    """Enter a report about a ticket of ours, or of nobody we know.

    Returns the order and why a change of it, which waited for this report, is not possible.
    """
    slip = books.slips.known(report.client_id, report.venue_id)
    turn = books.turn()
    if slip is None:
        if asked is None or report.progress.over:
            return None  # others' orders are adopted where all are looked at
        slip = booking.adopt(turn, books.slips, report)
    if is_changed(slip, report):
        slip = change_at_venue(books, slip)
        turn = books.turn()
    booking.book(turn, books.slips, slip, report, asked=asked)
    books.enter(turn)
    if slip.change is None or slip.stage is not Stage.CANCELLING:
        return None
    error = change_between(books, slip)
    return None if error is None else (slip.order_id, error)


def is_changed(slip: Slip, report: Report) -> bool:
    """Whether a report tells a slip that is being changed at its new terms already."""
    wanted = slip.changed
    return (
        wanted is not None
        and slip.stage is Stage.CHANGING
        and report.replaced_by is None
        and (report.quantity, report.limit_price, report.stop_price)
        == (wanted.quantity, wanted.limit_price, wanted.stop_price)
    )


def change_at_venue(books: Books, slip: Slip) -> Slip:
    """The venue has changed its order in place, and told that before it has answered."""
    order = books.state.orders.get(slip.order_id)
    if order is not None and slip.change is not None:
        books.emit(modify(books.state, order, ModifyOrderRequest(**slip.change), books.world))
    ticket = with_terms(slip.ticket, slip.changed) if slip.changed else slip.ticket
    after = slip.at(Stage.WORKING, books.world.now, ticket=ticket, changed=None, change=None)
    return books.slips.put(after)


def with_terms(ticket: Ticket, changed: Ticket) -> Ticket:
    return replace(
        ticket,
        quantity=changed.quantity,
        limit_price=changed.limit_price,
        stop_price=changed.stop_price,
        trailing_distance=changed.trailing_distance,
    )


def change_between(books: Books, slip: Slip) -> TradingError | None:
    """Where a venue cannot change an order: between the old ticket, which is over, and the new one.

    What it was is kept for the case that the venue refuses the new one.
    """
    order = books.state.orders.get(slip.order_id)
    if order is None or slip.change is None or books.slips.at_venue(order.id):
        return None
    decision = modify(books.state, order, ModifyOrderRequest(**slip.change), books.world)
    if isinstance(decision.result, TradingError):
        return decision.result  # it has traded meanwhile, and goes on as it was
    before = {name: format(getattr(order, name), "f") for name in slip.change if name in TERMS}
    books.emit(decision)
    books.session.set_memo(RESTORE, order.id, json.dumps(before))
    return None


def taken_restore(books: Books, order_id: str) -> dict[str, Decimal] | None:
    """What the order goes back to if its next ticket is refused."""
    body = books.session.memo(RESTORE, order_id)
    if body is None:
        return None
    books.session.set_memo(RESTORE, order_id, None)
    return {name: Decimal(text) for name, text in json.loads(body).items()}


def watched(books: Books) -> frozenset[str]:
    """The symbols whose quotes decide something: of orders that we hold, or that share a place."""
    return frozenset(
        order.symbol
        for order in books.state.orders.values()
        if is_shared(order)
        or not books.slips.at_venue(order.id)
        or order.order_type is OrderType.TRAILING_STOP
    )


def watch(books: Books, around: Surroundings, paused: Pauses) -> None:
    """Let held stops trail and trigger, and end what has expired."""
    for order in list(books.state.orders.values()):
        turn = books.turn()
        observe(turn, order, books.slips, around)
        if turn.events:
            books.enter(turn)
            now = books.state.orders.get(order.id)
            if now is not None and now.triggered is not order.triggered:
                paused.forget(order.id)  # a stop that only trails rests on


def observe(turn: Turn, order: Order, slips: Slips, around: Surroundings) -> None:
    if order.status is OrderStatus.PENDING_CANCEL:
        return
    if expired(order, turn.world):
        end(turn, order, OrderStatus.EXPIRED)
        return
    quote = around.quote(order.symbol)
    if order.order_type not in STOPS or quote is None:
        return
    at_venue = slips.at_venue(order.id)
    if not at_venue or order.order_type is OrderType.TRAILING_STOP:
        order = trail(turn, order)  # one that stands there trails there, and we show it
    if at_venue:
        return
    if triggers(order, quote):
        fired = order.evolve(triggered=True, updated_at=turn.stamp())
        turn.order_event("ORDER_MODIFIED", fired)


def rest(books: Books) -> None:
    """Orders that we hold are OPEN."""
    for order in list(books.state.orders.values()):
        if order.status is OrderStatus.PENDING and not books.slips.at_venue(order.id):
            turn = books.turn()
            booking.revive(turn, order)
            books.enter(turn)


def last_known(state: AccountState, symbol: str) -> Decimal | None:
    """A price of a symbol that the account itself has: the mark of what is held, or an order's."""
    for held in state.positions.values():
        if held.symbol == symbol:
            return held.current_price
    for order in state.orders.values():
        price = order.limit_price or order.stop_price
        if order.symbol == symbol and price is not None:
            return price
    return None


def flat_quote(symbol: str, price: Decimal, at: datetime) -> Quote:
    return Quote(
        symbol=symbol,
        provider="mark",
        bid=price,
        bid_size=None,
        ask=price,
        ask_size=None,
        last=price,
        timestamp=at,
    )
