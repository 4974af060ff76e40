"""Alpaca's market data, emulated: snapshots, latest quotes and trades, bars, and the streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import simplejson
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from providers.base import BarQuery
from providers.models import AssetClass, Bar, Quote, Timeframe
from tests.venues.alpaca.shapes import (
    Problem,
    bar_json,
    chosen,
    json_response,
    quote_json,
    trade_json,
)
from tests.venues.exchange import Backing
from tests.venues.faults import Faults, Scrambler

PAGE = 200
"""The most bars in an answer: Alpaca may always answer with fewer than it was asked for."""
MOST = 10_000
LOOK = 0.05
"""Seconds between two looks at the market for the streams."""

TIMEFRAMES = {
    "1Min": Timeframe.M1,
    "2Min": Timeframe.M2,
    "5Min": Timeframe.M5,
    "10Min": Timeframe.M10,
    "15Min": Timeframe.M15,
    "30Min": Timeframe.M30,
    "1Hour": Timeframe.H1,
    "2Hour": Timeframe.H2,
    "4Hour": Timeframe.H4,
    "12Hour": Timeframe.H12,
    "1Day": Timeframe.D1,
    "1Week": Timeframe.W1,
}


class MarketData:
    """The market of the exchange inside, as Alpaca tells it."""

    def __init__(self, backing: Backing, faults: Faults, keys: tuple[str, str]) -> None:
        self._market = backing.market
        self._faults = faults
        self._keys = keys

    def _quotes(self, request: Request, kind: AssetClass) -> dict[str, Quote]:
        now = datetime.now(UTC)
        symbols = chosen(request.query_params["symbols"], self._market.instruments, kind)
        return {symbol: self._market.quote(symbol, now) for symbol in symbols}

    def snapshots(self, kind: AssetClass) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            found = {
                symbol: {
                    "latestQuote": quote_json(quote, kind),
                    "latestTrade": trade_json(quote, kind),
                    "dailyBar": await self._day(symbol, quote, kind),
                }
                for symbol, quote in self._quotes(request, kind).items()
            }
            crypto = kind is AssetClass.CRYPTO
            return json_response({"snapshots": found} if crypto else found)

        return answer

    async def _day(self, symbol: str, quote: Quote, kind: AssetClass) -> dict[str, Any]:
        query = BarQuery(symbol=symbol, timeframe=Timeframe.D1, limit=1)
        (bar,) = await self._market.bars(query, quote.timestamp)
        day = bar.evolve(timestamp=quote.timestamp.replace(hour=0, minute=0, second=0))
        return bar_json(day.evolve(volume=quote.volume or bar.volume), kind)

    def latest(
        self, kind: AssetClass, what: str, shape: Callable[[Quote, AssetClass], dict[str, Any]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            quotes = self._quotes(request, kind)
            found = {symbol: shape(quote, kind) for symbol, quote in quotes.items()}
            return json_response({what: found})

        return answer

    def bars(self, kind: AssetClass) -> Callable[[Request], Awaitable[Response]]:
        """All symbols in one list, sorted by symbol and then by time, given page by page."""

        async def answer(request: Request) -> Response:
            asked = request.query_params
            first = int(asked.get("page_token", "0"))
            last = first + min(PAGE, int(asked.get("limit", "1000")))
            most = last + 1 if asked.get("sort") == "desc" else MOST
            found = [
                (symbol, bar)
                for symbol in sorted(chosen(asked["symbols"], self._market.instruments, kind))
                for bar in await self._window(symbol, request, most)
            ]
            bars: dict[str, list[Any]] = {}
            for symbol, bar in found[first:last]:
                bars.setdefault(symbol, []).append(bar_json(bar, kind))
            token = str(last) if last < len(found) else None
            return json_response({"bars": bars, "next_page_token": token})

        return answer

    async def _window(self, symbol: str, request: Request, most: int) -> list[Bar]:
        """The newest bars of the window, in the order that is asked for."""
        asked = request.query_params
        if asked["timeframe"] not in TIMEFRAMES:
            raise Problem(400, 40010000, f"invalid timeframe: {asked['timeframe']}")
        now = datetime.now(UTC)
        start, end = (
            datetime.fromisoformat(asked[name]) if name in asked else default
            for name, default in (("start", now.replace(hour=0, minute=0)), ("end", now))
        )
        if start > end:
            raise Problem(400, 40010000, "end should not be before start")
        query = BarQuery(
            symbol=symbol,
            timeframe=TIMEFRAMES[asked["timeframe"]],
            start=start,
            end=end,
            limit=most,
        )
        bars = await self._market.bars(query, now)
        return bars[::-1] if asked.get("sort") == "desc" else bars

    # Streams

    def stream(self, kind: AssetClass) -> Callable[[WebSocket], Awaitable[None]]:
        """A connection tells the quotes and trades of what it is subscribed to as they change."""

        async def serve(socket: WebSocket) -> None:
            await socket.accept()
            listener = Listener(socket, kind, self._market.instruments)
            await listener.say([{"T": "success", "msg": "connected"}])
            telling = asyncio.create_task(self._tell(listener))
            try:
                while True:
                    await listener.heard(await socket.receive_json(), self._keys)
            except (WebSocketDisconnect, RuntimeError):
                return  # closed by them, or by us
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

        return serve

    async def _tell(self, listener: Listener) -> None:
        scrambler = Scrambler(self._faults)
        told: dict[str, Quote] = {}
        while True:
            for symbol in sorted(listener.quotes | listener.trades):
                quote = self._market.quote(symbol, datetime.now(UTC))
                before = told.get(symbol)
                if before is not None and quote.timestamp <= before.timestamp:
                    continue
                told[symbol] = quote
                for frame in scrambler.of(listener.frame(quote, before)):
                    if self._faults.strikes("dropped"):
                        await listener.socket.close(1011)
                        return
                    await listener.say(frame)
            await asyncio.sleep(LOOK)


class Listener:
    """One connection to a stream of market data, and what it has subscribed to."""

    def __init__(self, socket: WebSocket, kind: AssetClass, known: Any) -> None:
        self.socket = socket
        self.quotes: set[str] = set()
        self.trades: set[str] = set()
        self._kind = kind
        self._known = known
        self._authenticated = False

    async def say(self, messages: list[dict[str, Any]]) -> None:
        if messages:
            await self.socket.send_text(simplejson.dumps(messages, use_decimal=True))

    async def fail(self, code: int, message: str) -> None:
        await self.say([{"T": "error", "code": code, "msg": message}])

    def frame(self, quote: Quote, before: Quote | None) -> list[dict[str, Any]]:
        """The messages that tell a new quote: a trade, too, if the last price has moved."""
        found = []
        if quote.symbol in self.trades and (before is None or before.last != quote.last):
            found.append({"T": "t", "S": quote.symbol, **trade_json(quote, self._kind)})
        if quote.symbol in self.quotes:
            found.append({"T": "q", "S": quote.symbol, **quote_json(quote, self._kind)})
        return found

    async def heard(self, message: dict[str, Any], keys: tuple[str, str]) -> None:
        action = message.get("action")
        if action == "auth":
            await self._authenticate(message, keys)
        elif not self._authenticated:
            await self.fail(401, "not authenticated")
        elif action in ("subscribe", "unsubscribe"):
            await self._subscribe(action, message)
        else:
            await self.fail(400, "invalid syntax")

    async def _authenticate(self, message: dict[str, Any], keys: tuple[str, str]) -> None:
        if self._authenticated:
            await self.fail(403, "already authenticated")
        elif (message.get("key"), message.get("secret")) == keys:
            self._authenticated = True
            await self.say([{"T": "success", "msg": "authenticated"}])
        else:
            await self.fail(402, "auth failed")

    async def _subscribe(self, action: str, message: dict[str, Any]) -> None:
        for channel, symbols in (("quotes", self.quotes), ("trades", self.trades)):
            wanted = set(message.get(channel, ()))
            if any(
                symbol not in self._known or self._known[symbol].asset_class is not self._kind
                for symbol in wanted
            ):
                await self.fail(400, "invalid syntax")
                return
            if action == "subscribe":
                symbols |= wanted
            else:
                symbols -= wanted
        shown = {"quotes": sorted(self.quotes), "trades": sorted(self.trades), "bars": []}
        await self.say([{"T": "subscription", **shown}])
