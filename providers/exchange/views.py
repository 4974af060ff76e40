"""What an account shows of itself: the reading half of every provider that keeps its own books."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TypeVar

from providers.base import BarQuery, Clock, MarketData, OrderQuery, Page, TradeQuery
from providers.engine.margin import figures, marked
from providers.engine.world import World
from providers.errors import OrderNotFound, PositionNotFound, SymbolNotFound
from providers.exchange.store import Store
from providers.models import Account, Bar, Order, Position, Quote, Trade

Q = TypeVar("Q", OrderQuery, TradeQuery, BarQuery)


class AccountViews(ABC):
    """Orders, positions, trades and money as committed, marked at the present quotes.

    A provider adds the commands, and `_world`.
    """

    _store: Store
    _market: MarketData
    _clock: Clock

    @abstractmethod
    def _world(self) -> World:
        """The surroundings of a look at the account."""

    async def list_orders(self, account: str, query: OrderQuery) -> Page[Order]:
        terminal = None if query.status else False
        return await self._list(account, query, terminal=terminal)

    async def list_order_history(self, account: str, query: OrderQuery) -> Page[Order]:
        return await self._list(account, query, terminal=True)

    async def get_order(self, account: str, order_id: str) -> Order:
        order = await self._store.read(lambda reader: reader.order(account, order_id))
        if order is None:
            raise OrderNotFound(order_id)
        return order

    async def list_positions(self, account: str, symbol: str | None) -> list[Position]:
        wanted = self._canonical(symbol) if symbol else None
        held = await self._store.read(lambda reader: reader.positions(account, wanted))
        await self._market.prepare(position.symbol for position in held)
        return [self._marked(position) for position in held]

    async def get_position(self, account: str, position_id: str) -> Position:
        held = await self._store.read(lambda reader: reader.position(account, position_id))
        if held is None or not held.quantity:
            raise PositionNotFound(position_id)
        await self._market.prepare([held.symbol])
        return self._marked(held)

    # Trades, account, market

    async def list_trades(self, account: str, query: TradeQuery) -> Page[Trade]:
        wanted = self._canonical_query(query)
        return await self._store.read(lambda reader: reader.trades(account, wanted))

    async def get_account(self, account: str) -> Account:
        state = await self._store.read(lambda reader: reader.state(account))
        held = {position.symbol for position in state.positions.values()}
        await self._market.prepare(held | state.reserves.symbols())
        return figures(state, self._world())

    async def get_quote(self, symbol: str) -> Quote:
        await self._market.prepare([symbol])
        return self._market.quote(self._market.resolve(symbol).symbol, self._clock())

    async def get_bars(self, query: BarQuery) -> list[Bar]:
        await self._market.prepare([query.symbol])
        return await self._market.bars(self._canonical_query(query), self._clock())

    def _canonical(self, symbol: str) -> str:
        """The symbol behind an alias; one that is unknown stays as it is."""
        try:
            return self._market.resolve(symbol).symbol
        except SymbolNotFound:
            return symbol

    def _canonical_query(self, query: Q) -> Q:
        symbol = query.symbol
        return replace(query, symbol=self._canonical(symbol)) if symbol else query

    def _marked(self, position: Position) -> Position:
        return marked(position, self._world())

    async def _list(self, account: str, query: OrderQuery, *, terminal: bool | None) -> Page[Order]:
        wanted = self._canonical_query(query)
        return await self._store.read(
            lambda reader: reader.orders(account, wanted, terminal=terminal)
        )
