"""The orders of an emulated account: OANDA's rules in front of the exchange inside.

Each order is one of that exchange, whose fills become ORDER_FILL transactions, one for each: OANDA
fills an order whole, but the exchange inside fills no more than its quote shows (100,000 units and
more), and so a larger order that rests fills in parts here. An order that the exchange refuses,
OANDA takes and cancels at once, with a reason; where OANDA looks at the margin only when a resting
order is due, here it is looked at when it is placed.

A cancel is done when OANDA answers. One that is `lazy` is answered without its transaction, which
OANDA is not known to do, and carried out later.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from http import HTTPStatus

from providers.base import FrameType, Instrument, TradeQuery
from providers.errors import OrderNotModifiable, OrderRejected
from providers.models import ModifyOrderRequest, Order, OrderStatus, Side, Trade
from tests.venues.exchange import ACCOUNT, Backing
from tests.venues.faults import Faults
from tests.venues.oanda.ledger import Ledger
from tests.venues.oanda.shapes import (
    CANCELS,
    TIMES,
    Json,
    Placed,
    Problem,
    malformed,
    money,
    places,
    priced,
    refused,
    request_of,
    symbol_of,
    terms,
    text,
)

MAXIMUM = Decimal(100_000_000)
ENDED = (OrderStatus.CANCELLED, OrderStatus.EXPIRED)
REJECTED = {"LIMIT": "LIMIT_ORDER_REJECT", "STOP": "STOP_ORDER_REJECT"}


@dataclass
class Book:
    """All orders of the account. `by_backing` has the one that an order inside stands for now."""

    backing: Backing
    faults: Faults
    ledger: Ledger
    listed: dict[str, Instrument]
    orders: dict[str, Placed] = field(default_factory=dict)
    by_backing: dict[str, Placed] = field(default_factory=dict)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    _told: dict[str, int] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _later: set[asyncio.Task[None]] = field(default_factory=set)

    # Questions

    def pending(self) -> list[Placed]:
        """Open orders, the newest first."""
        return [each for each in reversed(self.orders.values()) if each.state == "PENDING"]

    def found(self, specifier: str) -> Placed | None:
        """An open order by its id, or by `@` and its client id."""
        for each in self.pending():
            if specifier in (each.id, f"@{each.client_id}" if each.client_id else ""):
                return each
        return None

    # Commands

    async def place(self, body: Json) -> Json:
        """The answer to a new order. Raises Problem."""
        async with self._lock:
            try:
                self._check(body)
            except Problem as problem:
                raise self._rejected(body, problem) from None
            return await self._placed(body)

    async def _placed(self, body: Json) -> Json:
        first = len(self.ledger.entries)
        placed = self._create(body, reason="CLIENT_ORDER")
        try:
            submission = await self.backing.exchange.submit_order(ACCOUNT, request_of(body))
        except OrderRejected as refusal:
            reason = CANCELS.get(refusal.reject_reason, "INTERNAL_SERVER_ERROR")
            self._cancelled(placed, reason, batch=placed.id)
        else:
            self._stands_for(placed, submission.handle.id)
            await self._sync(placed.backing_id, batch=placed.id)
        return self._answer(first)

    async def replace(self, specifier: str, body: Json) -> Json:
        """The answer to a change. Raises Problem."""
        async with self._lock:
            before = self._open(specifier)
            await self._sync(before.backing_id)
            before = self._open(specifier)
            try:
                self._check(body, besides=before)
                if body["type"] != before.body["type"]:
                    raise refused("REPLACING_ORDER_INVALID", "The type differs")
            except Problem as problem:
                raise self._rejected(body, problem, before) from None
            return await self._replaced(before, body)

    async def _replaced(self, before: Placed, body: Json) -> Json:
        first = len(self.ledger.entries)
        inside = await self.backing.exchange.get_order(ACCOUNT, before.backing_id)
        price = Decimal(body["price"])
        change = ModifyOrderRequest(
            quantity=inside.filled_quantity + abs(Decimal(body["units"])),
            limit_price=price if body["type"] == "LIMIT" else None,
            stop_price=price if body["type"] == "STOP" else None,
        )
        after_id = str(first + 2)
        batch = str(first + 1)
        self._cancelled(before, "CLIENT_REQUEST_REPLACED", replaced_by=after_id)
        after = self._create(body, reason="REPLACEMENT", replaces=before.id, batch=batch)
        self._stands_for(after, before.backing_id)
        try:
            await self.backing.exchange.modify_order(ACCOUNT, after.backing_id, change)
        except OrderRejected as refusal:
            after.cancel_reason = CANCELS.get(refusal.reject_reason, "INTERNAL_SERVER_ERROR")
            await self.backing.exchange.cancel_order(ACCOUNT, after.backing_id)
        except OrderNotModifiable:
            pass  # it has just filled: so the new order has, as far as it goes
        await self._sync(after.backing_id, batch=batch)
        return self._answer(first, replaced=True)

    async def cancel(self, specifier: str) -> Json:
        """The answer to a cancel. Raises Problem."""
        async with self._lock:
            first = len(self.ledger.entries)
            placed = self._open(specifier)
            if self.faults.strikes("lazy"):
                self._cancel_later(placed)
                return self._answer(first)
            placed.cancel_reason = "CLIENT_REQUEST"
            await self.backing.exchange.cancel_order(ACCOUNT, placed.backing_id)
            await self._sync(placed.backing_id)
            if placed.state != "CANCELLED":
                raise self._missing(specifier)
            return self._answer(first)

    def _cancel_later(self, placed: Placed) -> None:
        async def cancelling() -> None:
            await asyncio.sleep(self.faults.odds.delay)
            async with self._lock:
                now = self.by_backing[placed.backing_id]  # it may have been replaced meanwhile
                now.cancel_reason = "CLIENT_REQUEST"
                await self.backing.exchange.cancel_order(ACCOUNT, placed.backing_id)
                await self._sync(placed.backing_id)

        task = asyncio.create_task(cancelling())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    # Rules

    def _open(self, specifier: str) -> Placed:
        placed = self.found(specifier)
        if placed is None:
            raise self._missing(specifier)
        return placed

    def _missing(self, specifier: str) -> Problem:
        """404, with the transaction that says so."""
        by_client, reason = specifier.startswith("@"), "ORDER_DOESNT_EXIST"
        entry = self.ledger.write(
            "ORDER_CANCEL_REJECT",
            rejectReason=reason,
            orderID=None if by_client else specifier,
            clientOrderID=specifier[1:] if by_client else None,
        )
        extra = {"orderCancelRejectTransaction": entry, **self._related([entry])}
        message = "The Order specified does not exist"
        return Problem(HTTPStatus.NOT_FOUND, reason, message, extra=extra)

    def _rejected(self, body: Json, problem: Problem, before: Placed | None = None) -> Problem:
        """400, with the transaction that refuses, where the account got to see the order."""
        if not problem.reject:
            return problem
        kind = REJECTED.get(body["type"], "MARKET_ORDER_REJECT")
        entry = self.ledger.write(
            kind,
            reason="REPLACEMENT" if before else "CLIENT_ORDER",
            rejectReason=problem.code,
            intendedReplacesOrderID=before.id if before else None,
            **terms(body),
        )
        problem.extra = {"orderRejectTransaction": entry, **self._related([entry])}
        return problem

    def _check(self, body: Json, besides: Placed | None = None) -> None:
        """Raises Problem for what OANDA does not take."""
        instrument = self.listed.get(symbol_of(body.get("instrument", "")))
        if instrument is None:
            raise malformed("Invalid value specified for 'order.instrument'")
        if instrument.symbol not in self.backing.market.instruments:
            raise refused("INSTRUMENT_NOT_TRADEABLE", "The instrument is not tradeable")
        self._check_units(body, instrument)
        self._check_price(body, instrument)
        market = body["type"] == "MARKET"
        if body.get("timeInForce") not in (("FOK", "IOC") if market else TIMES):
            raise refused("TIME_IN_FORCE_INVALID", "The time in force is invalid")
        client_id = body.get("clientExtensions", {}).get("id", "")
        if len(client_id) > 128:
            raise refused("CLIENT_ORDER_ID_INVALID", "The client Order ID is invalid")
        taken = (each.client_id for each in self.pending() if each is not besides)
        if client_id and client_id in taken:
            raise refused("CLIENT_ORDER_ID_ALREADY_EXISTS", "The client Order ID is in use")

    def _check_units(self, body: Json, instrument: Instrument) -> None:
        if "units" not in body:
            raise refused("UNITS_MISSING", "The units are missing")
        units = decimal(body["units"], "UNITS_INVALID")
        if not units:
            raise refused("UNITS_INVALID", "The units are zero")
        if -int(units.normalize().as_tuple().exponent) > places(instrument.quantity_increment):
            raise refused("UNITS_PRECISION_EXCEEDED", "The units are too precise")
        if abs(units) > MAXIMUM:
            raise refused("UNITS_LIMIT_EXCEEDED", "The units exceed the maximum")

    def _check_price(self, body: Json, instrument: Instrument) -> None:
        if body["type"] == "MARKET":
            return
        if "price" not in body:
            raise refused("PRICE_MISSING", "The price is missing")
        price = decimal(body["price"], "PRICE_INVALID")
        if price <= 0:
            raise refused("PRICE_INVALID", "The price is not positive")
        if -int(price.normalize().as_tuple().exponent) > places(instrument.price_increment):
            raise refused("PRICE_PRECISION_EXCEEDED", "The price is too precise")

    # What is written

    def _create(
        self,
        body: Json,
        *,
        reason: str,
        replaces: str | None = None,
        batch: str | None = None,
        at: datetime | None = None,
    ) -> Placed:
        entry = self.ledger.write(
            f"{body['type']}_ORDER",
            batch=batch,
            at=at,
            reason=reason,
            replacesOrderID=replaces,
            **terms(body),
        )
        placed = Placed(id=entry["id"], body=body, created_at=entry["time"])
        self.orders[placed.id] = placed
        return placed

    def _stands_for(self, placed: Placed, backing_id: str) -> None:
        placed.backing_id = backing_id
        self.by_backing[backing_id] = placed
        self._told.setdefault(backing_id, 0)

    def _cancelled(
        self,
        placed: Placed,
        reason: str,
        *,
        batch: str | None = None,
        replaced_by: str | None = None,
    ) -> None:
        entry = self.ledger.write(
            "ORDER_CANCEL",
            batch=batch,
            orderID=placed.id,
            clientOrderID=placed.client_id or None,
            reason=reason,
            replacedByOrderID=replaced_by,
        )
        placed.state = "CANCELLED"
        placed.ended = {"cancellingTransactionID": entry["id"], "cancelledTime": entry["time"]}
        if replaced_by:
            placed.ended["replacedByOrderID"] = replaced_by

    async def _sync(self, backing_id: str, *, batch: str | None = None) -> None:
        """Write what the exchange inside has done to an order and has not been written yet."""
        placed = self.by_backing[backing_id]
        order = await self.backing.exchange.get_order(ACCOUNT, backing_id)
        query = TradeQuery(order_id=backing_id, limit=1000)
        page = await self.backing.exchange.list_trades(ACCOUNT, query)
        for trade in page.items[::-1][self._told[backing_id] :]:
            await self._filled(placed, trade, batch)
        if order.status in ENDED and placed.state == "PENDING":
            self._cancelled(placed, why(placed, order), batch=batch)

    async def _filled(self, placed: Placed, trade: Trade, batch: str | None) -> None:
        account = await self.backing.exchange.get_account(ACCOUNT)
        instrument = self.listed[trade.symbol]
        price = priced(trade.price, instrument)
        units = trade.quantity if trade.side is Side.BUY else -trade.quantity
        entry = self.ledger.write(
            "ORDER_FILL",
            batch=batch,
            at=trade.timestamp,
            orderID=placed.id,
            clientOrderID=placed.client_id or None,
            instrument=placed.body["instrument"],
            units=text(units),
            price=price,
            fullVWAP=price,
            reason=f"{placed.body['type']}_ORDER",
            commission=format(trade.commission, "f"),
            accountBalance=money(account.balance),
        )
        self._told[placed.backing_id] += 1
        placed.units_filled += trade.quantity
        if placed.units_filled >= placed.quantity:
            placed.state = "FILLED"
            placed.ended = {"fillingTransactionID": entry["id"], "filledTime": entry["time"]}

    def _answer(self, first: int, *, replaced: bool = False) -> Json:
        """The answer that tells what was written after so many transactions."""
        written = self.ledger.since(first)
        answer: Json = {}
        for entry in written:
            if entry["type"] == "ORDER_FILL":
                answer.setdefault("orderFillTransaction", entry)
            elif entry["type"] != "ORDER_CANCEL":
                answer["orderCreateTransaction"] = entry
            elif replaced and "orderCancelTransaction" in answer:
                answer["replacingOrderCancelTransaction"] = entry
            else:
                answer["orderCancelTransaction"] = entry
        return {**answer, **self._related(written)}

    def _related(self, written: list[Json]) -> Json:
        ids = [entry["id"] for entry in written]
        return {"relatedTransactionIDs": ids, "lastTransactionID": self.ledger.last_id}

    # What happens by itself

    async def run(self) -> None:
        """Write all that happens to the orders, until cancelled."""
        async for frame in self.backing.frames(FrameType.ORDER):
            self.listening.set()  # the first frame says that the exchange is heard
            if frame["type"] != FrameType.ORDER:
                continue
            async with self._lock:
                await self._happened(Order.model_validate(frame["order"]))

    async def _happened(self, order: Order) -> None:
        if order.id not in self.by_backing:
            if order.status is OrderStatus.REJECTED or order.order_type not in KNOWN:
                return
            self._adopt(order)
        await self._sync(order.id)

    def _adopt(self, order: Order) -> None:
        """An order that somebody has placed past the API, or the exchange itself."""
        times = {time: name for name, time in TIMES.items()}
        price = order.limit_price or order.stop_price
        body: Json = {
            "type": order.order_type.value,
            "instrument": order.symbol.replace("/", "_"),
            "units": text(order.quantity if order.side is Side.BUY else -order.quantity),
            "timeInForce": times[order.time_in_force],
            "positionFill": "DEFAULT",
        }
        if price is not None:
            body["price"] = priced(price, self.listed[order.symbol])
        placed = self._create(body, reason="CLIENT_ORDER", at=order.created_at)
        self._stands_for(placed, order.id)

    async def stop(self) -> None:
        for task in list(self._later):
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)


KNOWN = frozenset({"MARKET", "LIMIT", "STOP"})


def decimal(given: str, code: str) -> Decimal:
    try:
        return Decimal(given)
    except InvalidOperation:
        raise refused(code, "It is no number") from None


def why(placed: Placed, order: Order) -> str:
    """The reason with which OANDA would have cancelled what the exchange inside has ended."""
    if placed.cancel_reason is not None:
        return placed.cancel_reason
    if order.status is OrderStatus.EXPIRED:
        return "TIME_IN_FORCE_EXPIRED"
    if placed.is_market:
        return "INSUFFICIENT_LIQUIDITY"
    if placed.body["timeInForce"] in ("FOK", "IOC"):
        return "TIME_IN_FORCE_EXPIRED"
    return "LINKED_TRADE_CLOSED" if order.reduce_only else "INSUFFICIENT_MARGIN"
