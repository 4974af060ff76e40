"""The simulated exchange: the matching engine over a store and a market, for paper and backtest.

Every command is one transaction of the store: the engine decides on the account as committed, its
events are written, and the answer is given after the commit. Reads see what is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from providers.base import (
    Clock,
    IdSource,
    MarketData,
    Submission,
)
from providers.breakers import CircuitBreakers
from providers.engine import orders as engine
from providers.engine.state import AccountState
from providers.engine.world import Decision, Rules, World
from providers.errors import (
    DuplicateClientOrderId,
    OrderNotFound,
    OrderRejected,
    PositionNotFound,
    TradingError,
)
from providers.exchange.calendars import session_end
from providers.exchange.fingerprint import fingerprint
from providers.exchange.store import Lease, Session, Store
from providers.exchange.views import AccountViews
from providers.models import (
    AssetClass,
    CancelAllResult,
    CancelOrderResult,
    Capabilities,
    ClosePositionRequest,
    ConnectionStatus,
    Feature,
    ModifyOrderRequest,
    ModifyPositionRequest,
    Order,
    OrderHandle,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    PositionMode,
)

T = TypeVar("T")


def always_open(*_: object) -> bool:
    return True


class SimulatedExchange(AccountViews):
    """What paper and backtest have in common; what drives their time is theirs.

    `sessions` tells whether the market of an asset class is open; without it, it always is.
    `session_end` is when DAY orders of an asset class end.
    """

    def __init__(
        self,
        store: Store,
        market: MarketData,
        rules: Rules,
        *,
        clock: Clock,
        ids: IdSource,
        sessions: Callable[[AssetClass, datetime], bool] = always_open,
        session_end: Callable[[AssetClass, datetime], datetime] = session_end,
    ) -> None:
        self.breakers = CircuitBreakers()  # it reaches no venue: they stay closed
        self._store = store
        self._market = market
        self._clock = clock
        self._ids = ids
        self._rules = rules
        self._is_open = sessions
        self._session_end = session_end

    # Orders

    async def submit_order(self, account: str, request: OrderRequest) -> Submission:
        await self._market.prepare([request.symbol])
        request = request.evolve(symbol=self._canonical(request.symbol))
        mark = fingerprint(request) if request.client_order_id else ""

        def command(session: Session) -> Submission | TradingError:
            earlier = _replay(session, request.client_order_id, mark)
            if earlier is not None:
                return earlier
            order = _carry_out(session, engine.submit(session.state, request, self._world(session)))
            if isinstance(order, TradingError):
                return order
            if request.client_order_id:
                session.remember_submission(request.client_order_id, mark, order.id)
            return Submission(_handle(order))

        return _answer(await self._store.transact(account, command))

    async def modify_order(self, account: str, order_id: str, change: ModifyOrderRequest) -> Order:
        return await self._command_order(
            account,
            order_id,
            lambda session, order: engine.modify(session.state, order, change, self._world()),
        )

    async def cancel_order(self, account: str, order_id: str) -> CancelOrderResult:
        return await self._command_order(
            account,
            order_id,
            lambda session, order: engine.cancel(session.state, order, self._world()),
        )

    async def cancel_all_orders(self, account: str, symbol: str | None) -> CancelAllResult:
        wanted = self._canonical(symbol) if symbol else None

        def command(session: Session) -> int:
            world = self._world()
            open_orders = list(session.state.orders.values())
            return sum(
                _cancel(session, order.id, world)
                for order in open_orders
                if wanted in (None, order.symbol)
            )

        count = await self._store.transact(account, command)
        return CancelAllResult(cancelled_count=count, failed_count=0)

    # Positions

    async def modify_position(
        self, account: str, position_id: str, change: ModifyPositionRequest
    ) -> Position:
        def command(session: Session) -> Position | TradingError:
            position = session.state.positions.get(position_id)
            if position is None:
                return PositionNotFound(position_id)
            decision = engine.protect(session.state, position, change, self._world())
            return _carry_out(session, decision)

        return _answer(await self._store.transact(account, command))

    async def close_position(
        self, account: str, position_id: str, request: ClosePositionRequest
    ) -> OrderHandle:
        def command(session: Session) -> Order | TradingError:
            position = session.state.positions.get(position_id)
            if position is None:
                return PositionNotFound(position_id)
            return _close(session, position, request, self._world())

        return _handle(_answer(await self._store.transact(account, command)))

    async def close_all_positions(self, account: str, symbol: str | None) -> list[OrderHandle]:
        wanted = self._canonical(symbol) if symbol else None

        def command(session: Session) -> list[OrderHandle]:
            world = self._world()
            return [
                _handle_of_any(_close(session, position, ClosePositionRequest(), world))
                for position in list(session.state.positions.values())
                if wanted in (None, position.symbol)
            ]

        return await self._store.transact(account, command)

    # System

    async def get_capabilities(self) -> Capabilities:
        traded = {each.asset_class for each in self._market.instruments.values()}
        hedging = self._rules.position_mode is PositionMode.HEDGING
        return Capabilities(
            supported_asset_classes=[each for each in AssetClass if each in traded],
            supported_order_types=list(OrderType),
            position_mode=self._rules.position_mode,
            features=[each for each in Feature if each is not Feature.HEDGING or hedging],
            max_leverage=self._rules.max_leverage,
        )

    async def get_status(self) -> ConnectionStatus:
        """Connected as long as the store answers; the round trip to it is the latency."""
        started = self._clock()
        await self._store.read(lambda reader: reader.working_symbols())
        now = self._clock()
        milliseconds = round((now - started).total_seconds() * 1000)
        return ConnectionStatus(connected=True, latency_ms=milliseconds, last_heartbeat=now)

    # How

    def _world(self, session: Session | None = None) -> World:
        """The surroundings of a decision made now: one moment, one quote for each symbol.

        Only a decision that may join an OCO group needs the session.
        """
        now = self._clock()
        return World(
            now=now,
            new_id=self._ids,
            quote=lambda symbol: self._market.quote(symbol, now),
            instrument=self._market.instruments.get,
            rules=self._rules,
            session_end=self._session_end,
            is_open=self._is_open,
            group_traded=session.group_traded if session else _no_group,
        )

    async def _command_order(
        self, account: str, order_id: str, decide: Callable[[Session, Order], Decision[T]]
    ) -> T:
        """Carry out a decision about one order. Raises OrderNotFound and what it refuses with."""

        def command(session: Session) -> T | TradingError:
            order = session.find_order(order_id)
            if order is None:
                return OrderNotFound(order_id)
            return _carry_out(session, decide(session, order))

        return _answer(await self._store.transact(account, command))

    # What drives the time of the exchange asks for

    async def advance(
        self, account: str, order_ids: Sequence[str], lease: Lease | None = None
    ) -> None:
        """Bring orders to the present, but for those that ended meanwhile."""

        def command(session: Session) -> None:
            world = self._world()
            for order_id in order_ids:
                order = session.state.orders.get(order_id)
                if order is not None:
                    _carry_out(session, engine.advance(session.state, order, world))

        await self._store.transact(account, command, lease)

    async def guard_margin(self, account: str, lease: Lease | None = None) -> None:
        """Warn or liquidate an account as the present quotes demand."""

        def command(session: Session) -> None:
            _carry_out(session, engine.guard_margin(session.state, self._world()))

        await self._store.transact(account, command, lease)

    def at_risk(self, state: AccountState) -> bool:
        """Whether the margin of an account wants attention at the present quotes."""
        return bool(engine.guard_margin(state, self._world()).events)


def _no_group(group: str) -> bool:
    raise LookupError(f"this decision cannot join the group {group}")


def _carry_out(session: Session, decision: Decision[T]) -> T | TradingError:
    """Write what happened. A refusal is an answer too: what happened before it still holds."""
    session.emit(decision.events)
    return decision.result


def _answer(result: T | TradingError) -> T:
    if isinstance(result, TradingError):
        raise result
    return result


def _close(
    session: Session, position: Position, request: ClosePositionRequest, world: World
) -> Order | TradingError:
    return _carry_out(session, engine.close(session.state, position, request, world))


def _cancel(session: Session, order_id: str, world: World) -> bool:
    """Whether it was cancelled; what befell an order before it may have ended it already."""
    order = session.state.orders.get(order_id)
    if order is None:
        return False
    result = _carry_out(session, engine.cancel(session.state, order, world))
    return _answer(result).success


def _handle(order: Order) -> OrderHandle:
    return OrderHandle(id=order.id, status=order.status, client_order_id=order.client_order_id)


def _handle_of_any(result: Order | TradingError) -> OrderHandle:
    """The handle of an order, also of one that was rejected and is kept as such."""
    if isinstance(result, OrderRejected) and result.order_id is not None:
        return OrderHandle(id=result.order_id, status=OrderStatus.REJECTED)
    return _handle(_answer(result))


def _replay(
    session: Session, client_order_id: str | None, mark: str
) -> Submission | TradingError | None:
    """The answer to a client_order_id seen before; None for a new one."""
    past = session.find_submission(client_order_id) if client_order_id else None
    if past is None or client_order_id is None:
        return None
    order = session.find_order(past.order_id)
    if order is None or past.fingerprint != mark:
        return DuplicateClientOrderId(client_order_id, past.order_id)
    return Submission(_handle(order), replayed=True)
