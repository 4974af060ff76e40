"""OANDA's two streams: JSON objects, one a line, in a response that does not end.

A heartbeat comes first and then every so many seconds. Each line is held to the specification,
which describes it as a member, named after what it is, of an object that is not there on the wire.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tests.venues.faults import Faults, Scrambler
from tests.venues.oanda.book import Book
from tests.venues.oanda.market import Prices
from tests.venues.oanda.shapes import Json, stamp
from tests.venues.serving import Judge

Source = AsyncIterator[Json]


class Streams:
    """What is streamed of one account; `heartbeat` is in seconds."""

    def __init__(
        self, book: Book, prices: Prices, faults: Faults, judge: Judge, heartbeat: float
    ) -> None:
        self._book = book
        self._prices = prices
        self._faults = faults
        self._judge = judge
        self.heartbeat = heartbeat
        self._ended = asyncio.Event()
        self._open = 0

    def handlers(self, base: str) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        return {
            f"{base}/transactions/stream": self.transactions,
            f"{base}/pricing/stream": self.pricing,
        }

    async def transactions(self, request: Request) -> Response:
        return self._response(request, self._transactions(), "transaction")

    async def pricing(self, request: Request) -> Response:
        symbols = self._prices.wanted(request)
        return self._response(request, self._priced(symbols), "price")

    def _response(self, request: Request, source: Source, member: str) -> Response:
        self._judge.request(request, b"")
        return StreamingResponse(
            self._lines(request, source, member), media_type="application/json"
        )

    async def _lines(self, request: Request, source: Source, member: str) -> AsyncIterator[bytes]:
        """The messages of a source as lines, as its faults will have it."""
        scrambler = Scrambler(self._faults)
        self._open += 1
        try:
            async with aclosing(source) as told:  # type: ignore[type-var]
                async for message in told:
                    for each in scrambler.of(message):
                        if self._faults.strikes("dropped"):
                            return
                        self._check(request, each, member)
                        yield json.dumps(each).encode() + b"\n"
        finally:
            self._open -= 1

    def _check(self, request: Request, message: Json, member: str) -> None:
        contract = self._judge.of(request.url.path)
        if contract is not None:
            name = "heartbeat" if message["type"] == "HEARTBEAT" else member
            body = json.dumps({name: message}).encode()
            path = request.url.path
            self._judge.violations += contract.response_violations(
                "GET", path, 200, body, "application/json"
            )

    async def _transactions(self) -> Source:
        with self._book.ledger.listening() as listener:
            yield self._beat(lastTransactionID=self._book.ledger.last_id)
            while not self._ended.is_set():
                try:
                    async with asyncio.timeout(self.heartbeat):
                        message = await listener.get()
                except TimeoutError:
                    yield self._beat(lastTransactionID=self._book.ledger.last_id)
                    continue
                if message is None:
                    return
                yield message

    async def _priced(self, symbols: list[str]) -> Source:
        """The present prices, and then what changes."""
        loop = asyncio.get_running_loop()
        told: dict[str, Json] = {}
        due = loop.time()
        while not self._ended.is_set():
            if loop.time() >= due:
                due = loop.time() + self.heartbeat
                yield self._beat()
            for symbol in symbols:
                price = self._prices.price(symbol)
                if told.get(symbol) != price:
                    told[symbol] = price
                    yield price
            await asyncio.sleep(self._prices.tick / 2)

    def _beat(self, **more: str) -> Json:
        return {"type": "HEARTBEAT", "time": stamp(datetime.now(UTC)), **more}

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """At the end, end all streams and wait for that."""
        try:
            yield
        finally:
            self._ended.set()
            await self._book.ledger.close()
            while self._open:
                await asyncio.sleep(0.01)
