"""What the emulator keeps beside the exchange inside: Saxo's own ids, its log, its refusals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from providers.base import OrderQuery, TradeQuery
from providers.errors import InvalidRequest, OrderNotModifiable, OrderRejected
from providers.models import (
    ModifyOrderRequest,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    Quote,
    RejectReason,
    Side,
    TimeInForce,
)
from tests.venues.exchange import ACCOUNT, Backing
from tests.venues.faults import Faults
from tests.venues.saxo import documents
from tests.venues.saxo.documents import (
    BY_KEY,
    DURATIONS,
    INSIDE,
    ORDER_TYPES,
    Body,
    Placed,
    Product,
)

REPEAT_SECONDS = 15.0
"""How long the venue refuses a request with an id that it has had."""
LIVE = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING})

CODES = {
    RejectReason.INSUFFICIENT_MARGIN: "WouldExceedMargin",
    RejectReason.INSUFFICIENT_BALANCE: "InsufficientCash",
    RejectReason.INVALID_QUANTITY: "AmountNotInLotSize",
    RejectReason.INVALID_PRICE: "PriceNotInTickSizeIncrements",
    RejectReason.SYMBOL_NOT_TRADEABLE: "InstrumentNotAllowed",
    RejectReason.MARKET_CLOSED: "MarketClosed",
}


class Invalid(Exception):
    """What the venue answers with 400."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.body = {"ErrorCode": code, "Message": message or code}


class Declined(Exception):
    """An order that the venue does not take: answered with 200 and an ErrorInfo."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.body = {"ErrorInfo": {"ErrorCode": code, "Message": message or code}}


class Repeated(Exception):
    """What the venue answers with 409."""


@dataclass
class Desk:
    """Orders by Saxo's ids. `declining` are codes that the next commands are declined with."""

    backing: Backing
    faults: Faults
    placed: dict[str, Placed] = field(default_factory=dict)
    declining: list[str] = field(default_factory=list)
    hidden_from_log: set[str] = field(default_factory=set)
    extra_positions: list[Body] = field(default_factory=list)
    extra_orders: list[Body] = field(default_factory=list)
    _requests: dict[str, float] = field(default_factory=dict)
    _last_id: int = 5_000_000_000
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def quote(self, product: Product) -> Quote:
        return self.backing.market.quote(product.inside, datetime.now(UTC))

    def once(self, request_id: str | None) -> None:
        """Raises Repeated for a request that has just been made."""
        now = time.monotonic()
        if request_id is None:
            return
        if now - self._requests.get(request_id, -REPEAT_SECONDS) < REPEAT_SECONDS:
            raise Repeated
        self._requests[request_id] = now

    def _decline(self) -> None:
        if self.declining:
            raise Declined(self.declining.pop(0))

    # Commands

    async def place(self, body: Body) -> Placed:
        self._decline()
        product, request = placeable(body)
        self._last_id += 1
        placed = Placed(str(self._last_id), product, body)
        now = datetime.now(UTC)
        placed.steps = [(now, "Placed", "Requested"), (now, "Placed", "Confirmed")]
        request = request.evolve(client_order_id=placed.order_id)
        self.placed[placed.order_id] = placed
        try:
            made = await self.backing.exchange.submit_order(ACCOUNT, request)
        except OrderRejected as error:
            del self.placed[placed.order_id]
            raise Declined(CODES.get(error.reject_reason, "OrderNotPlaced"), str(error)) from error
        except InvalidRequest as error:
            del self.placed[placed.order_id]
            raise Invalid("InvalidRequest", str(error)) from error
        placed.backing_id = made.handle.id
        return placed

    async def change(self, body: Body) -> Placed:
        self._decline()
        placed, order = await self.working(body.get("OrderId", ""))
        try:
            await self.backing.exchange.modify_order(ACCOUNT, order.id, changes(body, order))
        except OrderNotModifiable as error:
            raise Declined("TooLateToChangeOrder") from error
        except OrderRejected as error:
            raise Declined(CODES.get(error.reject_reason, "OtherError"), str(error)) from error
        except InvalidRequest as error:
            raise Declined("AmountCannotBeLessThanFilledAmount", str(error)) from error
        placed.steps.append((datetime.now(UTC), "Changed", "Confirmed"))
        return placed

    async def cancel(self, order_id: str) -> None:
        self._decline()
        placed, order = await self.working(order_id)
        placed.steps.append((datetime.now(UTC), "Cancelled", "Requested"))
        if not self.faults.strikes("lazy"):
            await self.backing.exchange.cancel_order(ACCOUNT, order.id)
            return
        placed.locked = True
        task = asyncio.create_task(self._cancel_later(placed, order.id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cancel_later(self, placed: Placed, backing_id: str) -> None:
        await asyncio.sleep(self.faults.odds.delay)
        await self.backing.exchange.cancel_order(ACCOUNT, backing_id)
        placed.locked = False

    async def working(self, order_id: str) -> tuple[Placed, Order]:
        """An open order that nothing is under way for."""
        placed = self.placed.get(order_id)
        if placed is None or placed.backing_id is None:
            raise Invalid("OrderNotFound")
        if placed.locked:
            raise Declined("AlreadyPendingCancelReplace")
        order = await self.backing.exchange.get_order(ACCOUNT, placed.backing_id)
        if order.status not in LIVE:
            raise Invalid("OrderNotFound")
        return placed, order

    # What there is

    async def open_orders(self) -> list[Body]:
        page = await self.backing.exchange.list_orders(ACCOUNT, OrderQuery(limit=1000))
        ours = [(self.placed.get(order.client_order_id or ""), order) for order in page.items]
        bodies = [documents.open_order(placed, order) for placed, order in ours if placed]
        return [*bodies, *self.extra_orders]

    async def log(self, order_id: str) -> list[Body]:
        placed = self.placed.get(order_id)
        if placed is None or placed.backing_id is None or order_id in self.hidden_from_log:
            return []
        exchange = self.backing.exchange
        query = TradeQuery(order_id=placed.backing_id, limit=1000)
        order = await exchange.get_order(ACCOUNT, placed.backing_id)
        trades = (await exchange.list_trades(ACCOUNT, query)).items
        return documents.order_log(placed, order, trades)

    async def last_of_log(self) -> list[Body]:
        logs = [await self.log(order_id) for order_id in self.placed]
        return [entries[-1] for entries in logs if entries]

    async def positions(self) -> list[tuple[Product, Position]]:
        found = await self.backing.exchange.list_positions(ACCOUNT, None)
        return [(INSIDE[each.symbol], each) for each in found if each.symbol in INSIDE]

    async def net_positions(self) -> list[Body]:
        own = [documents.net_position(*each) for each in await self.positions()]
        return [*own, *self.extra_positions]

    async def balance(self) -> Body:
        account = await self.backing.exchange.get_account(ACCOUNT)
        return documents.balance(account, await self.positions())

    def prices(self, uics: Iterable[str], asset_type: str) -> list[Body]:
        products = [BY_KEY.get((int(uic), asset_type)) for uic in uics]
        if None in products:
            raise Invalid("InvalidUic")
        known = [each for each in products if each is not None and each.inside]
        return [documents.info_price(each, self.quote(each)) for each in known]


def placeable(body: Body) -> tuple[Product, OrderRequest]:
    """The request of an order for the exchange inside. Raises Invalid."""
    product = BY_KEY.get((body.get("Uic", 0), body.get("AssetType", "")))
    if product is None or not product.inside:
        raise Invalid("InvalidUic")
    kind, duration = body.get("OrderType", ""), body.get("OrderDuration", {}).get("DurationType")
    allowed = documents.PAIR_ORDERS if product.is_pair else documents.SHARE_ORDERS
    if kind not in allowed:
        raise Invalid("OrderTypeNotSupported")
    if duration not in DURATIONS or (kind == "Market" and duration == "GoodTillCancel"):
        raise Invalid("DurationNotSupported")
    if len(body.get("ExternalReference", "")) > 50 or "ManualOrder" not in body:
        raise Invalid("InvalidModelState")
    if body.get("AccountKey") != documents.ACCOUNT_KEY:
        raise Invalid("IllegalAccount")
    if kind != "Market" and "OrderPrice" not in body:
        raise Invalid("InvalidModelState", "OrderPrice must be set")
    quantity = Decimal(body.get("Amount", 0))
    if quantity <= 0 or quantity != quantity.to_integral_value():
        raise Invalid("IllegalAmount")
    request = OrderRequest(
        symbol=product.inside,
        side=Side.BUY if body.get("BuySell") == "Buy" else Side.SELL,
        quantity=quantity,
        order_type=ORDER_TYPES[kind],
        time_in_force=duration_inside(kind, duration),
        **prices_of(body, ORDER_TYPES[kind]),
    )
    return product, request


def duration_inside(kind: str, duration: str) -> TimeInForce:
    """That of the order inside, where the market never closes: a Market needs no end of its day."""
    wanted = DURATIONS[duration]
    waits = kind == "Market" and wanted is TimeInForce.DAY
    return TimeInForce.GTC if waits else wanted


def prices_of(body: Body, kind: OrderType) -> dict[str, Any]:
    """The prices of a new order or a change, as the exchange inside calls them."""
    price, second = body.get("OrderPrice"), body.get("StopLimitPrice")
    distance = body.get("TrailingStopDistanceToMarket")
    if kind is OrderType.TRAILING_STOP:
        return {} if distance is None else {"trailing_distance": Decimal(distance)}
    found = {}
    if price is not None:
        stops = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
        found["stop_price" if stops else "limit_price"] = Decimal(price)
    if second is not None:
        found["limit_price"] = Decimal(second)
    return {} if kind is OrderType.MARKET else found


def changes(body: Body, order: Order) -> ModifyOrderRequest:
    quantity = None if "Amount" not in body else Decimal(body["Amount"])
    return ModifyOrderRequest(quantity=quantity, **prices_of(body, order.order_type))
