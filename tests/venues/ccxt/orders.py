"""The orders and accounts of Coinbase Exchange, over the exchange inside."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from starlette.responses import JSONResponse, Response

from providers.base import OrderQuery, TradeQuery
from providers.errors import OrderNotFound, OrderRejected
from providers.models import Order, OrderRequest, OrderStatus, OrderType, RejectReason, Side, Trade
from tests.venues.ccxt import answers
from tests.venues.exchange import ACCOUNT, Backing, symbols_of
from tests.venues.faults import Faults

MESSAGES = {
    RejectReason.INSUFFICIENT_MARGIN: "Insufficient funds",
    RejectReason.INVALID_QUANTITY: "size is too small. Minimum size is 0.00000001",
    RejectReason.INVALID_PRICE: "price is too precise (price too precise)",
    RejectReason.SYMBOL_NOT_TRADEABLE: "Product not found",
}


def failed(message: str, status: int = 400) -> Response:
    return JSONResponse({"message": message}, status)


class Orders:
    """Every order has a client's id here at most, kept apart: there it need not be unique."""

    def __init__(self, inside: Backing, faults: Faults) -> None:
        self.inside = inside
        self._faults = faults
        self._client_oids: dict[str, str] = {}
        self._selling = asyncio.Lock()
        self.later: set[asyncio.Task[None]] = set()

    def client_oid(self, order_id: str) -> str | None:
        """The client's id of an order of the exchange inside."""
        return self._client_oids.get(order_id)

    async def create(self, body: dict[str, Any]) -> Response:
        client_oid = body.get("client_oid")
        if client_oid is not None and answers.from_uuid(client_oid) is None:
            return failed("Invalid order id")
        symbol = answers.symbol_of(self.inside.market, body["product_id"])
        if symbol is None:
            return failed("Product not found")
        if "stop" in body and body["type"] != "limit":
            return failed("Invalid order_type stop")
        async with self._selling:
            return await self._submit(request_of(body, symbol), body)

    async def _submit(self, request: OrderRequest, body: dict[str, Any]) -> Response:
        if request.side is Side.SELL and request.quantity > await self._free(request.symbol):
            return failed("Insufficient funds")
        try:
            submission = await self.inside.exchange.submit_order(ACCOUNT, request)
        except OrderRejected as error:
            return self._rejected(error, body)
        order_id = submission.handle.id
        if "client_oid" in body:
            self._client_oids[order_id] = body["client_oid"]
        now = self.inside.exchange.now()
        return JSONResponse(answers.pending(body, answers.to_uuid(order_id), now))

    def _rejected(self, error: OrderRejected, body: dict[str, Any]) -> Response:
        if error.reject_reason is RejectReason.POST_ONLY_VIOLATED:
            answer = answers.pending(body, str(uuid.uuid4()), self.inside.exchange.now())
            return JSONResponse(answer | {"status": "rejected", "reject_reason": "post only"})
        return failed(MESSAGES.get(error.reject_reason, error.message))

    async def get(self, venue_id: str) -> Response:
        order_id = answers.from_uuid(venue_id)
        if order_id is None:
            return failed("Invalid order id")
        try:
            found = await self.inside.exchange.get_order(ACCOUNT, order_id)
        except OrderNotFound:
            return failed("NotFound", 404)
        if forgotten(found):
            return failed("NotFound", 404)
        return JSONResponse(await self._body(found))

    async def by_client_oid(self, client_oid: str) -> Response:
        """The newest order of that id."""
        found = [order_id for order_id, name in self._client_oids.items() if name == client_oid]
        return await self.get(answers.to_uuid(found[-1])) if found else failed("NotFound", 404)

    async def listed(self, statuses: Sequence[str]) -> list[dict[str, Any]]:
        orders = (await self.inside.exchange.list_orders(ACCOUNT, OrderQuery(limit=1000))).items
        if "all" in statuses or "done" in statuses:
            query = OrderQuery(limit=1000)
            page = await self.inside.exchange.list_order_history(ACCOUNT, query)
            orders += [each for each in page.items if not forgotten(each)]
        bodies = [
            await self._body(each) for each in orders if each.status is not OrderStatus.REJECTED
        ]
        return [each for each in bodies if "all" in statuses or each["status"] in statuses]

    async def cancel(self, venue_id: str) -> Response:
        """Answers the id; a lazy one is carried out later."""
        order_id = answers.from_uuid(venue_id)
        if order_id is None:
            return failed("Invalid order id")
        try:
            found = await self.inside.exchange.get_order(ACCOUNT, order_id)
        except OrderNotFound:
            return failed("order not found", 404)
        if forgotten(found) or over(found):
            return failed("Order already done" if not forgotten(found) else "order not found", 400)
        if self._faults.strikes("lazy"):
            task = asyncio.create_task(self._cancel_later(order_id))
            self.later.add(task)
            task.add_done_callback(self.later.discard)
        else:
            await self.inside.exchange.cancel_order(ACCOUNT, order_id)
        return JSONResponse(venue_id)

    async def _cancel_later(self, order_id: str) -> None:
        await asyncio.sleep(self._faults.odds.delay)
        await self.inside.exchange.cancel_order(ACCOUNT, order_id)

    async def fills(self, venue_id: str) -> list[dict[str, Any]]:
        """The newest first."""
        return [answers.fill(each) for each in await self._trades(answers.from_uuid(venue_id))]

    async def _trades(self, order_id: str | None) -> list[Trade]:
        query = TradeQuery(order_id=order_id, limit=1000)
        return (await self.inside.exchange.list_trades(ACCOUNT, query)).items

    async def _body(self, found: Order) -> dict[str, Any]:
        trades = await self._trades(found.id) if found.filled_quantity else []
        fees = sum((each.commission for each in trades), Decimal(0))
        return answers.order(found, self.client_oid(found.id), fees)

    async def accounts(self) -> list[dict[str, Any]]:
        """Cash is what the margin account inside would have, had it paid for what it holds."""
        exchange = self.inside.exchange
        positions = {each.symbol: each for each in await exchange.list_positions(ACCOUNT, None)}
        spent = sum((each.cost_basis or Decimal(0) for each in positions.values()), Decimal(0))
        cash = (await exchange.get_account(ACCOUNT)).balance - spent
        totals = {"USD": cash}
        for symbol in symbols_of(self.inside.market, "CRYPTO"):
            held = positions[symbol].quantity if symbol in positions else Decimal(0)
            totals[symbol.partition("/")[0]] = held
        return [await self._account(code, total) for code, total in totals.items()]

    async def _account(self, code: str, total: Decimal) -> dict[str, Any]:
        orders = (await self.inside.exchange.list_orders(ACCOUNT, OrderQuery(limit=1000))).items
        hold = sum((held(each, code) for each in orders), Decimal(0))
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, code)),
            "currency": code,
            "balance": answers.text(total),
            "hold": answers.text(hold),
            "available": answers.text(total - hold),
            "profile_id": str(uuid.UUID(int=1)),
            "trading_enabled": True,
        }

    async def _free(self, symbol: str) -> Decimal:
        code = symbol.partition("/")[0]
        account = next(each for each in await self.accounts() if each["currency"] == code)
        return Decimal(account["available"])


def request_of(body: dict[str, Any], symbol: str) -> OrderRequest:
    price, stop = body.get("price"), body.get("stop_price")
    limit = OrderType.LIMIT if stop is None else OrderType.STOP_LIMIT
    return OrderRequest(
        symbol=symbol,
        side=Side(body["side"].upper()),
        quantity=Decimal(body["size"]),
        order_type=limit if body["type"] == "limit" else OrderType.MARKET,
        limit_price=None if price is None else Decimal(price),
        stop_price=None if stop is None else Decimal(stop),
        time_in_force=answers.IN_FORCE[body.get("time_in_force", "GTC")],
        post_only=body.get("post_only") or None,
    )


def held(order: Order, code: str) -> Decimal:
    """What an open order holds of a currency."""
    base, _, quote = order.symbol.partition("/")
    if order.side is Side.SELL and base == code:
        return order.remaining_quantity
    if order.side is Side.BUY and quote == code:
        return order.remaining_quantity * (order.limit_price or Decimal(0))
    return Decimal(0)


def over(order: Order) -> bool:
    return order.status in (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED)


def forgotten(order: Order) -> bool:
    """Rejected, or cancelled before anything filled."""
    return over(order) and not order.filled_quantity
