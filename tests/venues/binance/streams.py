"""The emulator's streams: the account's, by the WebSocket API, and book tickers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.websockets import WebSocket, WebSocketDisconnect

from providers.base import FrameType
from providers.models import Quote, Trade
from tests.venues.binance.desk import Desk
from tests.venues.binance.documents import (
    PAIRS,
    Placed,
    balances,
    execution_report,
    ms,
    streamed_ticker,
)
from tests.venues.faults import Faults, Scrambler

IDLE = 0.2
"""Seconds of silence after which what was held back is told."""
POLL = 0.03
"""Seconds between two looks at the market."""


class Reporter:
    """Turns what happens inside into the events of the account, and hands them to all listeners."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._ready = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            waiting = asyncio.create_task(self._ready.wait())
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def listen(self) -> asyncio.Queue[dict[str, Any]]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._listeners.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[dict[str, Any]]) -> None:
        self._listeners.discard(queue)

    async def _run(self) -> None:
        frames = self._desk.backing.frames(FrameType.ORDER, FrameType.TRADE)
        async with aclosing(frames):  # type: ignore[type-var]
            async for frame in frames:
                self._ready.set()
                for event in self._events(frame):
                    self._tell(event)
                    self._tell(await self._position())

    def _tell(self, event: dict[str, Any]) -> None:
        for queue in self._listeners:
            queue.put_nowait(event)

    async def _position(self) -> dict[str, Any]:
        held = [
            {"a": each["asset"], "f": each["free"], "l": each["locked"]}
            for each in balances(await self._desk.balances())
        ]
        now = ms(datetime.now(UTC))
        return {"e": "outboundAccountPosition", "E": now, "u": now, "B": held}

    def _events(self, frame: dict[str, Any]) -> Iterable[dict[str, Any]]:
        at = datetime.fromisoformat(frame["timestamp"])
        if frame["type"] == "trade":
            trade = Trade.model_validate(frame["trade"])
            placed = self._desk.by_backing.get(trade.order_id)
            if placed is not None:
                yield self._traded(placed, trade, at)
        elif frame["type"] == "order":
            placed = self._desk.by_label.get(frame["order"]["client_order_id"])
            if placed is not None:
                self._desk.known_as(placed, frame["order"]["id"])
                yield from changed(placed, frame["event"], at)

    def _traded(self, placed: Placed, trade: Trade, at: datetime) -> dict[str, Any]:
        deal = self._desk.number(trade)
        placed.told += trade.quantity
        placed.told_paid += trade.quantity * trade.price
        status = "FILLED" if placed.told == placed.quantity else "PARTIALLY_FILLED"
        return execution_report(placed, "TRADE", status, at, deal)


def changed(placed: Placed, event: str, at: datetime) -> Iterable[dict[str, Any]]:
    """The report of an order's beginning or end; its fills are told by its trades."""
    if event == "ORDER_CREATED":
        yield execution_report(placed, "NEW", "NEW", at)
    elif event == "ORDER_CANCELLED":
        kind = "CANCELED" if placed.cancel_id else "EXPIRED"
        yield execution_report(placed, kind, kind, at)
    elif event == "ORDER_EXPIRED":
        yield execution_report(placed, "EXPIRED", "EXPIRED", at)


class AccountStream:
    """ASGI endpoint of /ws-api/v3. Knows subscribing by signature, and no other method."""

    def __init__(
        self,
        reporter: Reporter,
        faults: Faults,
        *,
        key: str,
        secret: str,
        now: Callable[[], datetime],
    ) -> None:
        self._reporter = reporter
        self._faults = faults
        self._key, self._secret = key, secret
        self._now = now

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        telling: list[asyncio.Task[None]] = []
        queue = self._reporter.listen()
        try:
            while True:
                request = json.loads(await socket.receive_text())
                error = self._refusal(request)
                await socket.send_json(answer(request, error, len(telling)))
                if error is None:
                    telling.append(asyncio.create_task(self._tell(socket, queue, len(telling))))
        except (WebSocketDisconnect, RuntimeError):
            pass  # gone, by itself or because a fault closed it
        finally:
            self._reporter.leave(queue)
            await ended(telling)

    def _refusal(self, request: dict[str, Any]) -> tuple[int, int, str] | None:
        """Status, code and message of what is wrong with a request."""
        if request["method"] != "userDataStream.subscribe.signature":
            return 400, -1020, "This operation is not supported."
        params = dict(request["params"])
        signature = params.pop("signature", "")
        if params.get("apiKey") != self._key:
            return 401, -2015, "Invalid API-key, IP, or permissions for action."
        payload = urlencode(sorted(params.items()))
        expected = hmac.new(self._secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, expected):
            return 400, -1022, "Signature for this request is not valid."
        if not timely(params["timestamp"], params.get("recvWindow", 5000), self._now()):
            return 400, -1021, "Timestamp for this request is outside of the recvWindow."
        return None

    async def _tell(
        self, socket: WebSocket, queue: asyncio.Queue[dict[str, Any]], subscription: int
    ) -> None:
        scrambler = Scrambler(self._faults)
        messages: Iterable[dict[str, Any]]
        while True:
            try:
                event = await asyncio.wait_for(queue.get(), IDLE)
            except TimeoutError:
                messages = scrambler.rest()
            else:
                if self._faults.strikes("dropped"):
                    await socket.close(1011)
                    return
                messages = scrambler.of({"subscriptionId": subscription, "event": event})
            for message in messages:
                await socket.send_json(message)


def answer(
    request: dict[str, Any], error: tuple[int, int, str] | None, subscription: int
) -> dict[str, Any]:
    if error is not None:
        status, code, message = error
        refusal = {"code": code, "msg": message}
        return {"id": request["id"], "status": status, "error": refusal, "rateLimits": []}
    return {
        "id": request["id"],
        "status": 200,
        "result": {"subscriptionId": subscription},
        "rateLimits": [],
    }


def timely(timestamp: int, recv_window: int, now: datetime) -> bool:
    """The venue's rule: not older than the window, and not more than a second ahead."""
    present = ms(now)
    return present - recv_window <= timestamp < present + 1000


async def ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await task


class MarketStream:
    """ASGI endpoint of /ws: book tickers of what a connection subscribes to."""

    def __init__(self, desk: Desk, faults: Faults) -> None:
        self._desk = desk
        self._faults = faults

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        names: set[str] = set()
        telling = asyncio.create_task(self._tell(socket, names))
        try:
            while True:
                await self._take(socket, names, json.loads(await socket.receive_text()))
        except (WebSocketDisconnect, RuntimeError):
            pass  # gone, by itself or because a fault closed it
        finally:
            await ended([telling])

    async def _take(self, socket: WebSocket, names: set[str], request: dict[str, Any]) -> None:
        known = {f"{name.lower()}@bookTicker" for name in PAIRS}
        params = request.get("params") or []
        if request["method"] not in ("SUBSCRIBE", "UNSUBSCRIBE") or not params:
            problem = {"code": 2, "msg": "Invalid request: wrong method or no parameters"}
            await socket.send_json({"error": problem, "id": request.get("id")})
            return
        if request["method"] == "SUBSCRIBE":
            names |= known & set(params)
        else:
            names -= set(params)
        await socket.send_json({"result": None, "id": request["id"]})

    async def _tell(self, socket: WebSocket, names: set[str]) -> None:
        scrambler = Scrambler(self._faults)
        told: dict[str, Quote] = {}
        number = 400_900_217
        while True:
            for name in sorted(names):
                pair = PAIRS[name.partition("@")[0].upper()]
                quote = self._desk.quote(pair)
                if told.get(name) == quote:
                    continue
                told[name] = quote
                number += 1
                if self._faults.strikes("dropped"):
                    await socket.close(1011)
                    return
                for message in scrambler.of(streamed_ticker(pair, quote, number)):
                    await socket.send_json(message)
            await asyncio.sleep(POLL)
