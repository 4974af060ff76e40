"""A live venue behind the API: our books, the venue's executions.

::

    REST ──> LiveProvider ── a transaction: decide, write slips ──> Courier ──> Venue
                 ^                                                    │
    frames <── the log of the store <── a transaction: book <── Report ┘ <── the venue's stream

Reads answer from our books. They follow the venue's stream, and are compared with the venue at
start, after each gap of the stream, and once a minute.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from providers.base import Clock, IdSource, StreamQuery, Submission
from providers.breakers import CircuitBreakers
from providers.engine import orders as engine
from providers.engine.fills import IMMEDIATE, marketable
from providers.engine.world import World
from providers.errors import (
    DuplicateClientOrderId,
    OrderNotFound,
    OrderRejected,
    PositionNotFound,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    TradingError,
    UnsupportedOperation,
)
from providers.exchange import calendars
from providers.exchange.fingerprint import fingerprint
from providers.exchange.log import LoggedStore
from providers.exchange.views import AccountViews
from providers.live.account import Books, LiveAccount
from providers.live.booking import revive
from providers.live.changes import Change
from providers.live.courier import Courier
from providers.live.market import LiveMarket
from providers.live.offer import capabilities_of, refuse_unsupported
from providers.live.pace import USUAL, Pace, seconds
from providers.live.reconnecting import full_jitter
from providers.live.slips import Slip
from providers.live.venue import Venue
from providers.live.watch import Watch, cancelled
from providers.models import (
    Account,
    AssetClass,
    CancelAllResult,
    CancelOrderResult,
    Capabilities,
    ClosePositionRequest,
    ConnectionStatus,
    ModifyOrderRequest,
    ModifyPositionRequest,
    Order,
    OrderHandle,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    RejectReason,
)
from providers.streaming.stream import EventStream

log = logging.getLogger(__name__)

T = TypeVar("T")

ENDED = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)


class LiveProvider(AccountViews):
    """The account `account` at a venue; other accounts have nothing here, and may only look."""

    def __init__(
        self,
        venue: Venue,
        market: LiveMarket,
        store: LoggedStore,
        *,
        account: str,
        clock: Clock,
        ids: IdSource,
        pace: Pace = USUAL,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = venue.name
        self.breakers = CircuitBreakers()
        self._store = store
        self._market = market
        self._clock = clock
        self._venue = venue
        self._monotonic = monotonic
        self._live = LiveAccount(account, store, venue, market, clock=clock, ids=ids, pace=pace)
        self._courier = Courier(self._live, self.breakers)
        self.watch = Watch(self._live, self._courier, store, holder=ids("bridge"))
        self.stream = EventStream(
            self.name,
            store,
            market,
            clock=clock,
            tick=seconds(pace.tick),
            listed=lambda: market.followed,
        )
        self._warming: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self.watch.announce = self.stream.announce

    async def start(self) -> None:
        """A venue that cannot be reached is tried again; until then what needs it answers 503.

        Raises ProviderError where it refuses our credentials.
        """
        await self._store.open()
        if AssetClass.STOCK in self._venue.traits.orders:
            self._warming = asyncio.create_task(asyncio.to_thread(calendars.warm))
        try:
            await self._connect()
        except (ProviderUnavailable, RateLimited) as error:
            log.warning("%s cannot be reached, and is tried again: %s", self.name, error)
            self._connecting = asyncio.create_task(self._connect_later(), name="venue-start")

    async def _connect(self) -> None:
        await self._venue.start()
        await self._market.start()
        await self.watch.start()

    async def _connect_later(self) -> None:
        for attempt in itertools.count(1):
            await asyncio.sleep(full_jitter(attempt))
            try:
                await self._connect()
            except (ProviderUnavailable, ProviderError, RateLimited) as error:
                log.warning("%s (attempt %d): %s", self.name, attempt, error)
            else:
                log.info("%s is reached now", self.name)
                return

    async def stop(self) -> None:
        if self._warming is not None:
            await self._warming
        if self._connecting is not None:
            await cancelled([self._connecting])
        await self.stream.stop()
        await self.watch.stop()
        await self._market.stop()
        await self._venue.stop()
        await self._store.close()

    # Orders

    async def submit_order(self, account: str, request: OrderRequest) -> Submission:
        self._may_trade(account)
        await self._market.prepare([request.symbol])
        request = request.evolve(symbol=self._canonical(request.symbol))
        listed = self._venue.instruments.get(request.symbol)
        refuse_unsupported(request, self._venue.traits, listed)
        mark = fingerprint(request) if request.client_order_id else ""

        def command(books: Books) -> Submission | TradingError:
            earlier = replayed(books, request.client_order_id, mark)
            if earlier is not None:
                return earlier
            decision = engine.submit(books.state, request, books.world)
            books.emit(decision)
            if isinstance(decision.result, TradingError):
                return decision.result
            if request.client_order_id:
                books.session.remember_submission(request.client_order_id, mark, decision.result.id)
            return Submission(handle_of(decision.result))

        submission, slips = await self._live.transact(command)
        if isinstance(submission, TradingError) or submission.replayed:
            await self._courier.carry(slips)  # what the plan of other orders has written
            return answer(submission)
        order = await self._carried_out(submission.handle.id, slips)
        return Submission(handle_of(order))

    async def modify_order(self, account: str, order_id: str, change: ModifyOrderRequest) -> Order:
        self._may_trade(account)
        await self._prepare_for(account, order_id)
        return await Change(self._live, self._courier).make(order_id, change)

    async def cancel_order(self, account: str, order_id: str) -> CancelOrderResult:
        self._may_trade(account)
        await self._prepare_for(account, order_id)

        def command(books: Books) -> tuple[CancelOrderResult | TradingError, bool]:
            order = books.session.find_order(order_id)
            if order is None:
                return OrderNotFound(order_id), False
            decision = engine.cancel(books.state, order, books.world)
            books.emit(decision)
            return decision.result, order.status is not OrderStatus.PENDING_CANCEL

        (result, ours), slips = await self._live.transact(command)
        failures = await self._courier.carry(slips)
        if not answer(result).success:
            return answer(result)
        order = await self._until(order_id, lambda found: found.status in ENDED)
        if order.status not in ENDED and order_id in failures:
            if ours:  # else it was to be cancelled already, for a reason that remains
                await self._keep(order_id)
            raise unavailable(failures[order_id])
        return CancelOrderResult(success=order.status is OrderStatus.CANCELLED, order=order)

    async def cancel_all_orders(self, account: str, symbol: str | None) -> CancelAllResult:
        self._may_trade(account)
        wanted = self._canonical(symbol) if symbol else None

        def command(books: Books) -> list[str]:
            asked = []
            for order in list(books.state.orders.values()):
                current = books.state.orders.get(order.id)
                if current is None or wanted not in (None, order.symbol):
                    continue
                books.emit(engine.cancel(books.state, current, books.world))
                asked.append(order.id)
            return asked

        asked, slips = await self._live.transact(command)
        await self._courier.carry(slips)
        deadline = self._monotonic() + self._live.pace.answer
        ended = [
            await self._until(
                each, lambda found: found.status in ENDED, deadline - self._monotonic()
            )
            for each in asked
        ]
        failed = [order.id for order in ended if order.status is not OrderStatus.CANCELLED]
        return CancelAllResult(
            cancelled_count=len(asked) - len(failed),
            failed_count=len(failed),
            failed_order_ids=failed or None,
        )

    # Positions

    async def modify_position(
        self, account: str, position_id: str, change: ModifyPositionRequest
    ) -> Position:
        self._may_trade(account)
        held = await self.get_position(account, position_id)
        await self._market.prepare([held.symbol])

        def command(books: Books) -> Position | TradingError:
            position = books.state.positions.get(position_id)
            if position is None:
                return PositionNotFound(position_id)
            decision = engine.protect(books.state, position, change, books.world)
            books.emit(decision)
            return decision.result

        result, slips = await self._live.transact(command)
        await self._courier.carry(slips)
        return answer(result)

    async def close_position(
        self, account: str, position_id: str, request: ClosePositionRequest
    ) -> OrderHandle:
        self._may_trade(account)
        held = await self.get_position(account, position_id)
        await self._market.prepare([held.symbol])

        def command(books: Books) -> Order | TradingError:
            position = books.state.positions.get(position_id)
            if position is None:
                return PositionNotFound(position_id)
            decision = engine.close(books.state, position, request, books.world)
            books.emit(decision)
            return decision.result

        order, slips = await self._live.transact(command)
        if isinstance(order, TradingError):
            await self._courier.carry(slips)
        return handle_of(await self._carried_out(answer(order).id, slips))

    async def close_all_positions(self, account: str, symbol: str | None) -> list[OrderHandle]:
        self._may_trade(account)
        handles = []
        for position in await self.list_positions(account, symbol):
            try:
                handle = await self.close_position(account, position.id, ClosePositionRequest())
            except PositionNotFound:
                continue  # its exits were faster
            except OrderRejected as error:
                if error.order_id is None:
                    raise
                handle = OrderHandle(id=error.order_id, status=OrderStatus.REJECTED)
            handles.append(handle)
        return handles

    # What is held, once it is known

    async def list_positions(self, account: str, symbol: str | None) -> list[Position]:
        self._must_be_compared()
        return await super().list_positions(account, symbol)

    async def get_position(self, account: str, position_id: str) -> Position:
        self._must_be_compared()
        return await super().get_position(account, position_id)

    async def get_account(self, account: str) -> Account:
        self._must_be_compared()
        return await super().get_account(account)

    # System

    async def get_capabilities(self) -> Capabilities:
        return capabilities_of(self._venue)

    async def get_status(self) -> ConnectionStatus:
        """Connected while the venue answers; the round trip of a call is the latency."""
        started = self._monotonic()
        try:
            await self._venue.ping()
        except (ProviderUnavailable, ProviderError, RateLimited):
            return ConnectionStatus(connected=False, last_heartbeat=self.watch.last_heard)
        latency = round((self._monotonic() - started) * 1000)
        now = self._clock()
        self.watch.last_heard = now
        return ConnectionStatus(
            connected=self.watch.connected, latency_ms=latency, last_heartbeat=now
        )

    # The event stream

    def now(self) -> datetime:
        return self._clock()

    async def subscribe(self, account: str, query: StreamQuery) -> AsyncIterator[str]:
        await self._market.prepare(query.symbols or ())
        return await self.stream.subscribe(account, query)

    async def acknowledge(self, account: str, event_ids: Sequence[str]) -> None:
        """Nothing waits for it: a client that resumes says itself where it was."""

    # How

    def _world(self) -> World:
        return self._live.view()

    def _may_trade(self, account: str) -> None:
        if account != self._live.name:
            raise UnsupportedOperation("trading by an account that has no credentials at the venue")
        self._must_be_compared()

    def _must_be_compared(self) -> None:
        """Until the venue has been asked once, nobody knows what is held and how much money is."""
        if not self.watch.ready:
            raise ProviderUnavailable(f"{self.name} has not been compared with our books yet")

    async def _prepare_for(self, account: str, order_id: str) -> None:
        order = await self.get_order(account, order_id)
        await self._market.prepare([order.symbol])

    async def _carried_out(self, order_id: str, slips: list[Slip]) -> Order:
        """Carry an order to the venue, and answer once it has taken or refused it.

        Raises what it was refused with. Where that is not known in time, the order is PENDING.
        """
        failures = await self._courier.carry(slips)
        order = await self._until(order_id, lambda found: found.status is not OrderStatus.PENDING)
        if order.status not in ENDED and self._executes_at_once(order):
            order = await self._until(
                order_id, lambda found: found.status in ENDED, self._live.pace.execution
            )
        if order.status is OrderStatus.REJECTED:
            raise failures.get(order_id) or rejection(order)
        return order

    async def _until(
        self, order_id: str, reached: Callable[[Order], bool], at_most: float | None = None
    ) -> Order:
        """The order once it has come that far, or as it is when the time to answer is over."""
        pace = self._live.pace
        patience = pace.answer if at_most is None else at_most
        poll = min(pace.poll, patience / 2)
        deadline = self._monotonic() + patience
        ask_at = self._monotonic() + poll
        while True:
            order = await self._live.order(order_id)
            if order is None:
                raise OrderNotFound(order_id)
            now = self._monotonic()
            if reached(order) or now >= deadline:
                return order
            await self._live.moved(max(0, min(pace.look, deadline - now, ask_at - now)))
            if self._monotonic() >= ask_at:
                ask_at += poll
                await self.watch.ask_about(order_id)

    def _executes_at_once(self, order: Order) -> bool:
        """Whether the order's fill, or its end, is to be expected in the next moment."""
        if order.order_type is OrderType.MARKET or order.time_in_force in IMMEDIATE:
            return True
        quote = self._live.surroundings().quote(order.symbol)
        return quote is not None and marketable(order, quote)

    async def _keep(self, order_id: str) -> None:
        """The venue could not be asked to cancel: the order stays as it was."""

        def command(books: Books) -> None:
            order = books.state.orders.get(order_id)
            if order is not None and order.status is OrderStatus.PENDING_CANCEL:
                turn = books.turn()
                revive(turn, order)
                books.enter(turn)

        await self._live.note(command)


def replayed(
    books: Books, client_order_id: str | None, mark: str
) -> Submission | TradingError | None:
    """The answer to a client_order_id seen before; None for a new one."""
    past = books.session.find_submission(client_order_id) if client_order_id else None
    if past is None or client_order_id is None:
        return None
    order = books.session.find_order(past.order_id)
    if order is None or past.fingerprint != mark:
        return DuplicateClientOrderId(client_order_id, past.order_id)
    return Submission(handle_of(order), replayed=True)


def answer(result: T | TradingError) -> T:
    if isinstance(result, TradingError):
        raise result
    return result


def handle_of(order: Order) -> OrderHandle:
    return OrderHandle(id=order.id, status=order.status, client_order_id=order.client_order_id)


def rejection(order: Order) -> OrderRejected:
    reason = order.reject_reason or RejectReason.UNKNOWN
    return OrderRejected(RejectReason(reason), "The venue has rejected the order", order.id)


def unavailable(error: TradingError) -> TradingError:
    """What a cancel may answer with: 503, whatever the venue said."""
    if isinstance(error, ProviderUnavailable | RateLimited):
        return error
    return ProviderUnavailable(error.message)
