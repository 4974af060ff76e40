"""The orders of an emulated account: Alpaca's rules in front of the exchange inside."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from providers.base import FrameType, TradeQuery
from providers.errors import InvalidRequest, OrderNotModifiable, OrderRejected
from providers.models import (
    AssetClass,
    ModifyOrderRequest,
    Order,
    OrderRequest,
    OrderType,
    PositionSide,
    RejectReason,
    Side,
    TimeInForce,
    Trade,
    TrailingType,
)
from tests.venues.alpaca.shapes import (
    OVER,
    Placed,
    Problem,
    forbidden,
    malformed,
    order_json,
    stamp,
    text,
    unfit,
)
from tests.venues.exchange import ACCOUNT, Backing
from tests.venues.faults import Faults

ZERO = Decimal(0)
Told = dict[str, Any]

TYPES = {
    AssetClass.STOCK: {"market", "limit", "stop", "stop_limit", "trailing_stop"},
    AssetClass.CRYPTO: {"market", "limit", "stop_limit"},
}
TIMES = {
    AssetClass.STOCK: {"day", "gtc", "ioc", "fok"},
    AssetClass.CRYPTO: {"gtc", "ioc"},
}
ENDS = {
    "ORDER_CANCELLED": "canceled",
    "ORDER_EXPIRED": "expired",
    "ORDER_REJECTED": "rejected",
}


@dataclass
class Filled:
    """What an order of the exchange inside has filled, as far as its events were told."""

    quantity: Decimal = ZERO
    worth: Decimal = ZERO

    @property
    def price(self) -> Decimal | None:
        return self.worth / self.quantity if self.quantity else None


@dataclass
class Book:
    """All orders of the account, and who listens to what becomes of them.

    A change makes a new order of the venue's in the place of one, and both stand for one order of
    the exchange inside. A cancel that is `lazy` is carried out later.

    `one_sided`: Alpaca holds what open orders would sell, does not let an order open and close a
    position at once, and not let orders be open that would open a long and a short position.
    """

    backing: Backing
    faults: Faults
    one_sided: bool = True
    orders: dict[str, Placed] = field(default_factory=dict)
    by_client_id: dict[str, Placed] = field(default_factory=dict)
    listeners: set[Callable[[Told], None]] = field(default_factory=set)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    _chains: dict[str, list[Placed]] = field(default_factory=dict)
    _filled: dict[str, Filled] = field(default_factory=lambda: defaultdict(Filled))
    _replacements: dict[str, deque[Placed]] = field(default_factory=lambda: defaultdict(deque))
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _later: set[asyncio.Task[None]] = field(default_factory=set)

    # Questions

    def find(self, order_id: str) -> Placed:
        """Raises Problem with Alpaca's 404."""
        try:
            return self.orders[str(uuid.UUID(order_id))]
        except (KeyError, ValueError):
            raise Problem(404, 40410000, f"order not found for {order_id}") from None

    async def told(self, placed: Placed) -> Told:
        return order_json(placed, await self._inside(placed))

    async def _inside(self, placed: Placed) -> Order:
        return await self.backing.exchange.get_order(ACCOUNT, placed.backing_id)

    async def fills(self, placed: Placed) -> list[Told]:
        """The activities of one order, the oldest first."""
        query = TradeQuery(order_id=placed.backing_id, limit=1000)
        page = await self.backing.exchange.list_trades(ACCOUNT, query)
        total, found = ZERO, []
        for trade in reversed(page.items):
            total += trade.quantity
            if self._of(placed.backing_id, total) is placed:
                found.append(self._activity(placed, trade, total))
        return found

    def _activity(self, placed: Placed, trade: Trade, total: Decimal) -> Told:
        whole = total == placed.quantity
        return {
            "id": f"{trade.timestamp:%Y%m%d%H%M%S%f}::{uuid.uuid5(uuid.UUID(placed.id), trade.id)}",
            "activity_type": "FILL",
            "transaction_time": stamp(trade.timestamp),
            "type": "fill" if whole else "partial_fill",
            "price": text(trade.price),
            "qty": text(trade.quantity),
            "cum_qty": text(total),
            "leaves_qty": text(placed.quantity - total),
            "side": placed.body["side"],
            "symbol": placed.body["symbol"],
            "order_id": placed.id,
            "order_status": "filled" if whole else "partially_filled",
        }

    def _of(self, backing_id: str, total: Decimal) -> Placed:
        """Whose fill it was that brought the chain to this total."""
        chain = self._chains[backing_id]
        return next((each for each in chain if each.frozen and total <= each.frozen), chain[-1])

    # Commands

    async def place(self, body: dict[str, str]) -> Told:
        body.setdefault("client_order_id", str(uuid.uuid4()))
        async with self._lock:
            self._unique(body["client_order_id"])
            instrument = self.backing.market.instruments.get(body["symbol"])
            if instrument is None or instrument.asset_class not in TYPES:
                raise unfit(f'asset "{body["symbol"]}" not found')
            kind = instrument.asset_class
            checked(body, kind)
            await self._check_sides(body, kind, Decimal(body["qty"]), besides=None)
            handle = await self._submitted(body)
            order = await self.backing.exchange.get_order(ACCOUNT, handle)
            placed = Placed(backing_id=handle, body=body, kind=kind, created_at=order.created_at)
            self._keep(placed)
        return order_json(placed, order, status=first_status(kind), filled=ZERO)

    async def _submitted(self, body: dict[str, str]) -> str:
        try:
            submission = await self.backing.exchange.submit_order(ACCOUNT, request_of(body))
        except OrderRejected as refusal:
            raise refused(refusal) from None
        except InvalidRequest as wrong:
            raise malformed(wrong.message) from None
        return submission.handle.id

    async def replace(self, order_id: str, body: dict[str, str]) -> Told:
        body.setdefault("client_order_id", str(uuid.uuid4()))
        async with self._lock:
            placed = self.find(order_id)
            order = await self._inside(placed)
            self._check_change(placed, order, body)
            self._unique(body["client_order_id"])
            changed = {**placed.body, **{k: v for k, v in body.items() if k != "trail"}}
            if "trail" in body:
                kind = "trail_price" if "trail_price" in placed.body else "trail_percent"
                changed[kind] = body["trail"]
            leaves = Decimal(changed["qty"]) - order.filled_quantity
            await self._check_sides(changed, placed.kind, leaves, besides=placed)
            await self._modify(placed, order, body)
            after = self._succeed(placed, order, changed)
        return order_json(
            after,
            order,
            status=first_status(placed.kind),
            filled=after.base,
            price=order.average_fill_price,
        )

    async def _modify(self, placed: Placed, order: Order, body: dict[str, str]) -> None:
        wanted = ModifyOrderRequest(
            quantity=decimal(body, "qty"),
            limit_price=decimal(body, "limit_price"),
            stop_price=decimal(body, "stop_price"),
            trailing_distance=decimal(body, "trail"),
        )
        try:
            await self.backing.exchange.modify_order(ACCOUNT, placed.backing_id, wanted)
        except OrderNotModifiable:
            now = await self._inside(placed)
            raise unfit(f"cannot replace order in {placed.status(now)} status") from None
        except OrderRejected as refusal:
            raise refused(refusal) from None
        except InvalidRequest as wrong:
            if "filled" in wrong.message:  # it has filled since we looked
                raise unfit("qty must be > filled_qty") from None
            raise malformed(wrong.message) from None

    def _succeed(self, placed: Placed, order: Order, body: dict[str, str]) -> Placed:
        """The new order, which now stands for what `placed` stood for."""
        now = datetime.now(UTC)
        after = Placed(
            backing_id=placed.backing_id,
            body=body,
            kind=placed.kind,
            created_at=now,
            base=order.filled_quantity,
            replaces=placed.id,
        )
        placed.replaced_by, placed.ended_at = after.id, now
        placed.frozen, placed.frozen_price = order.filled_quantity, order.average_fill_price
        self._replacements[placed.backing_id].append(placed)
        self._keep(after)
        return after

    async def cancel(self, order_id: str) -> None:
        placed = self.find(order_id)
        status = placed.status(await self._inside(placed))
        if status in OVER:
            raise unfit(f'order is already in "{status}" state')
        if status == "pending_cancel":
            return
        if self.faults.strikes("lazy"):
            self._cancel_later(placed, await self._inside(placed))
            return
        done = await self.backing.exchange.cancel_order(ACCOUNT, placed.backing_id)
        if not done.success:
            raise unfit(f'order is already in "{placed.status(done.order)}" state')

    def _cancel_later(self, placed: Placed, order: Order) -> None:
        placed.pending = "pending_cancel"
        self._tell("pending_cancel", placed, order, order.updated_at)

        async def cancelling() -> None:
            await asyncio.sleep(self.faults.odds.delay)
            await self.backing.exchange.cancel_order(ACCOUNT, placed.backing_id)

        task = asyncio.create_task(cancelling())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _keep(self, placed: Placed) -> None:
        self.orders[placed.id] = self.by_client_id[placed.body["client_order_id"]] = placed
        self._chains.setdefault(placed.backing_id, []).append(placed)

    # Rules

    def _unique(self, client_order_id: str) -> None:
        if len(client_order_id) > 128:
            raise malformed("client_order_id must be no more than 128 characters")
        if client_order_id in self.by_client_id:
            raise malformed("client_order_id must be unique")

    def _check_change(self, placed: Placed, order: Order, body: dict[str, str]) -> None:
        status = placed.status(order)
        if status == "replaced":
            raise unfit("order already replaced")
        if status not in ("new", "partially_filled"):
            raise unfit(f"cannot replace order in {status} status")
        quantity = Decimal(body.get("qty", "1"))
        fraction = "qty" in body and (quantity % 1 or placed.quantity % 1)
        if placed.kind is AssetClass.STOCK and fraction:
            raise unfit("qty of fractional orders cannot be replaced")
        if "qty" in body and quantity <= order.filled_quantity:
            raise unfit("qty must be > filled_qty")
        if "time_in_force" in body and body["time_in_force"] != placed.body["time_in_force"]:
            raise unfit("time_in_force cannot be replaced here")
        if not set(body) - {"client_order_id", "time_in_force"}:
            raise unfit("order parameters are not changed")

    async def _check_sides(
        self, body: Mapping[str, str], kind: AssetClass, leaves: Decimal, besides: Placed | None
    ) -> None:
        """What is held may be sold once; an order opens a position or closes one, not both."""
        side, symbol = body["side"], body["symbol"]
        held = await self.position(symbol)
        closes = held > 0 if side == "sell" else held < 0
        intent = f"{side}_to_{'close' if closes else 'open'}"
        if body.get("position_intent", intent) != intent:
            wanted = body["position_intent"]
            raise unfit(f"position intent mismatch, inferred: {intent}, specified: {wanted}")
        if kind is AssetClass.CRYPTO and side == "sell":
            free = held - await self.held_for_orders(symbol, side, besides)
            if leaves > free:
                coin = symbol.partition("/")[0]
                asked = f"(requested: {text(leaves)}, available: {text(free)})"
                raise forbidden(f"insufficient balance for {coin} {asked}", symbol=symbol)
        elif self.one_sided and kind is AssetClass.STOCK:
            await self._check_stock(symbol, side, leaves, abs(held) if closes else None, besides)

    async def _check_stock(
        self, symbol: str, side: str, leaves: Decimal, held: Decimal | None, besides: Placed | None
    ) -> None:
        if held is not None:
            free = held - await self.held_for_orders(symbol, side, besides)
            if leaves > free:
                asked = f"(requested: {text(leaves)}, available: {text(free)})"
                message = f"insufficient qty available for order {asked}"
                raise forbidden(message, symbol=symbol, available=text(free) or "0")
            return
        position = await self.position(symbol)
        other = "buy" if side == "sell" else "sell"
        if not position and await self.held_for_orders(symbol, other, besides):
            opening = {"buy": "long buy", "sell": "short sell"}
            raise forbidden(f"cannot open a {opening[side]} while a {opening[other]} order is open")

    async def position(self, symbol: str) -> Decimal:
        """What is held of a symbol; negative for a short position."""
        positions = await self.backing.exchange.list_positions(ACCOUNT, symbol)
        signs = {PositionSide.LONG: 1, PositionSide.SHORT: -1}
        return sum((signs[each.side] * each.quantity for each in positions), ZERO)

    async def held_for_orders(
        self, symbol: str, side: str, besides: Placed | None = None
    ) -> Decimal:
        """What open orders of one side have left to fill."""
        total = ZERO
        for chain in self._chains.values():
            last = chain[-1]
            if last is besides or (last.body["symbol"], last.body["side"]) != (symbol, side):
                continue
            order = await self._inside(last)
            if last.status(order) not in OVER:
                total += order.remaining_quantity
        return total

    # What happens

    async def run(self) -> None:
        """Tell all that happens to the orders, until cancelled."""
        async for frame in self.backing.frames(FrameType.ORDER, FrameType.TRADE):
            async with self._lock:
                self.listening.set()  # the first frame says that the exchange is heard
                if frame["type"] == FrameType.TRADE:
                    await self._traded(Trade.model_validate(frame["trade"]))
                elif frame["type"] == FrameType.ORDER:
                    self._happened(frame["event"], Order.model_validate(frame["order"]))

    async def stop(self) -> None:
        for task in list(self._later):
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    def _happened(self, event: str, order: Order) -> None:
        if order.id not in self._chains:
            return  # the exchange's own, or one that was refused
        placed = self._chains[order.id][-1]
        if event == "ORDER_CREATED":
            first = self._chains[order.id][0]
            self._tell("pending_new", first, order, order.created_at, status="pending_new")
            self._tell("new", first, order, order.created_at, status="new")
        elif event == "ORDER_MODIFIED" and self._replacements[order.id]:
            before = self._replacements[order.id].popleft()
            self._tell("replaced", before, order, order.updated_at)
            after = self.orders[before.replaced_by or ""]
            self._tell("new", after, order, order.updated_at, status="new")
        elif event in ENDS:
            self._tell(ENDS[event], placed, order, order.updated_at, status=ENDS[event])

    async def _traded(self, trade: Trade) -> None:
        if trade.order_id not in self._chains:
            return
        filled = self._filled[trade.order_id]
        filled.quantity += trade.quantity
        filled.worth += trade.quantity * trade.price
        placed = self._of(trade.order_id, filled.quantity)
        whole = filled.quantity == placed.quantity
        status = "filled" if whole else "partially_filled"
        self._tell(
            "fill" if whole else "partial_fill",
            placed,
            await self._inside(placed),
            trade.timestamp,
            status=status,
            execution_id=str(uuid.uuid5(uuid.UUID(placed.id), trade.id)),
            price=text(trade.price),
            qty=text(trade.quantity),
            position_qty=text(await self.position(placed.body["symbol"])),
        )

    def _tell(
        self,
        event: str,
        placed: Placed,
        order: Order,
        at: datetime,
        *,
        status: str | None = None,
        **more: str | None,
    ) -> None:
        filled = self._filled[order.id]
        so_far = filled.quantity if placed.frozen is None else min(placed.frozen, filled.quantity)
        shown = order_json(placed, order, status=status, filled=so_far, price=filled.price)
        shown["updated_at"] = stamp(at)
        data = {"event": event, "timestamp": stamp(at), **more, "order": shown}
        for listener in list(self.listeners):
            listener({"stream": "trade_updates", "data": data})


def first_status(kind: AssetClass) -> str:
    """How an order stands in the answer to the request that made it."""
    return "accepted" if kind is AssetClass.STOCK else "pending_new"


def decimal(body: Mapping[str, str], name: str) -> Decimal | None:
    return Decimal(body[name]) if name in body else None


def checked(body: Mapping[str, str], kind: AssetClass) -> None:
    """Raises Problem for what Alpaca does not take of an order for this kind of instrument."""
    if "qty" not in body:
        raise malformed("qty is required")
    if Decimal(body["qty"]) <= 0:
        raise malformed("qty must be > 0")
    if body["type"] not in TYPES[kind]:
        raise unfit("invalid order type for crypto order")
    if body["time_in_force"] not in TIMES[kind]:
        raise unfit("invalid crypto time_in_force" if kind is AssetClass.CRYPTO else "invalid time")
    fraction = kind is AssetClass.STOCK and Decimal(body["qty"]) % 1
    if fraction and body["time_in_force"] != "day":
        raise unfit("fractional orders must be DAY orders")


def request_of(body: Mapping[str, str]) -> OrderRequest:
    """The order for the exchange inside; it has no client's id, since Alpaca's are kept here."""
    distance = decimal(body, "trail_price") or decimal(body, "trail_percent")
    kind = TrailingType.PERCENT if "trail_percent" in body else TrailingType.ABSOLUTE
    return OrderRequest(
        symbol=body["symbol"],
        side=Side(body["side"].upper()),
        quantity=Decimal(body["qty"]),
        order_type=OrderType(body["type"].upper()),
        time_in_force=TimeInForce(body["time_in_force"].upper()),
        limit_price=decimal(body, "limit_price"),
        stop_price=decimal(body, "stop_price"),
        trailing_distance=distance,
        trailing_type=kind if distance is not None else None,
    )


def refused(refusal: OrderRejected) -> Problem:
    """What the exchange inside refuses, as Alpaca would say it."""
    reason = refusal.reject_reason
    if reason in (RejectReason.INSUFFICIENT_MARGIN, RejectReason.INSUFFICIENT_BALANCE):
        return forbidden("insufficient buying power")
    if reason is RejectReason.INVALID_PRICE:
        message = "sub-penny increment does not fulfill minimum pricing criteria"
        return unfit(f"invalid limit_price or stop_price. {message}")
    if reason is RejectReason.INVALID_QUANTITY:
        return unfit("qty is not a multiple of the minimal trade increment")
    return unfit(refusal.message)
