"""Coinbase Exchange's WebSocket feed: the channels `user` and `ticker`."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from providers.base import FrameType
from providers.models import Order, OrderType, Trade
from tests.venues.ccxt import answers
from tests.venues.ccxt.orders import Orders
from tests.venues.faults import Faults, Scrambler

Authentic = Callable[[str | None, str | None, bool], Response | None]


class Client:
    """One connection and what it has subscribed to, as pairs of channel and product."""

    def __init__(self, socket: WebSocket, faults: Faults) -> None:
        self.socket = socket
        self.subscribed: set[tuple[str, str]] = set()
        self._scrambler = Scrambler(faults)
        self._faults = faults

    async def tell(self, message: dict[str, Any]) -> None:
        if self._faults.strikes("dropped"):
            await self.socket.close(1011)
            return
        for each in self._scrambler.of(message):
            await self.socket.send_text(json.dumps(each))


class Feeds:
    """All connections. `authentic` says what is wrong with credentials, and `sign` what a signature
    must be.
    """

    def __init__(
        self, orders: Orders, faults: Faults, authentic: Authentic, sign: Callable[..., str]
    ) -> None:
        self._orders = orders
        self._faults = faults
        self._authentic = authentic
        self._sign = sign
        self._sequence = itertools.count(1)
        self.clients: set[Client] = set()

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """While the exchange runs: tell what happens in it."""
        tasks = [asyncio.create_task(self._orders_told()), asyncio.create_task(self._quotes_told())]
        try:
            yield
        finally:
            for task in (*tasks, *self._orders.later):
                task.cancel()
            await asyncio.gather(*tasks, *self._orders.later, return_exceptions=True)

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        client = Client(socket, self._faults)
        self.clients.add(client)
        try:
            while True:
                await self._hear(client, json.loads(await socket.receive_text()))
        except WebSocketDisconnect:
            pass
        finally:
            self.clients.discard(client)

    async def _hear(self, client: Client, request: dict[str, Any]) -> None:
        channels, products = request["channels"], request["product_ids"]
        if "user" in channels and (wrong := self._wrong(request)) is not None:
            error = {"type": "error", "message": "Authentication Failed", "reason": wrong}
            await client.socket.send_text(json.dumps(error))
            return
        client.subscribed |= {(name, each) for name in channels for each in products}
        told = [{"name": name, "product_ids": products} for name in channels]
        await client.socket.send_text(json.dumps({"type": "subscriptions", "channels": told}))

    def _wrong(self, request: dict[str, Any]) -> str | None:
        sign = self._sign(str(request.get("timestamp")), "GET", "/users/self/verify", "")
        right = request.get("signature") == sign
        refused = self._authentic(request.get("key"), request.get("passphrase"), right)
        return None if refused is None else bytes(refused.body).decode()

    async def _orders_told(self) -> None:
        async for frame in self._orders.inside.frames(FrameType.ORDER, FrameType.TRADE):
            for message in self._messages(frame):
                await self._tell("user", message)

    def _messages(self, frame: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What the channel `user` says of a frame of the exchange inside."""
        if "trade" in frame:
            yield self._match(Trade.model_validate(frame["trade"]))
        if "order" not in frame:
            return
        order = Order.model_validate(frame["order"])
        if frame["event"] == "ORDER_CREATED":
            yield self._received(order)
            yield self._about(order, "open") | {"remaining_size": str(order.remaining_quantity)}
        elif frame["event"] in ("ORDER_FILLED", "ORDER_CANCELLED"):
            reason = "filled" if frame["event"] == "ORDER_FILLED" else "canceled"
            left = {"reason": reason, "remaining_size": str(order.remaining_quantity)}
            yield self._about(order, "done") | left

    def _about(self, order: Order, kind: str) -> dict[str, Any]:
        return {
            "type": kind,
            "side": order.side.value.lower(),
            "product_id": answers.product_of(order.symbol),
            "time": answers.iso(order.updated_at),
            "sequence": next(self._sequence),
            "order_id": answers.to_uuid(order.id),
            **({} if order.limit_price is None else {"price": str(order.limit_price)}),
        }

    def _received(self, order: Order) -> dict[str, Any]:
        kind = "market" if order.order_type is OrderType.MARKET else "limit"
        client_oid = self._orders.client_oid(order.id)
        more = {"order_type": kind, "size": str(order.quantity)}
        return (
            self._about(order, "received")
            | more
            | ({"client_oid": client_oid} if client_oid else {})
        )

    def _match(self, trade: Trade) -> dict[str, Any]:
        mine = "maker" if trade.is_maker else "taker"
        return {
            "type": "match",
            "trade_id": answers.trade_number(trade),
            "sequence": next(self._sequence),
            "maker_order_id": answers.to_uuid(trade.order_id),
            "taker_order_id": answers.to_uuid(trade.order_id),
            "time": answers.iso(trade.timestamp),
            "product_id": answers.product_of(trade.symbol),
            "size": str(trade.quantity),
            "price": str(trade.price),
            "side": trade.side.value.lower(),
            f"{mine}_fee_rate": "0.0005",
        }

    async def _tell(self, channel: str, message: dict[str, Any]) -> None:
        for client in list(self.clients):
            if (channel, message["product_id"]) in client.subscribed:
                with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                    await client.tell(message)

    async def _quotes_told(self) -> None:
        """Each quote once, to those who are subscribed to its product."""
        inside = self._orders.inside
        last: dict[str, Any] = {}
        while True:
            await asyncio.sleep(0.05)
            wanted = {each for client in self.clients for each in client.subscribed}
            for product in sorted(each for channel, each in wanted if channel == "ticker"):
                symbol = answers.symbol_of(inside.market, product)
                if symbol is None:
                    continue
                quote = inside.market.quote(symbol, inside.exchange.now())
                if last.get(symbol) != quote.timestamp:
                    last[symbol] = quote.timestamp
                    await self._tell("ticker", answers.told_ticker(quote, next(self._sequence)))
