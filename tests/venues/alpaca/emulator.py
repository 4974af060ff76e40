"""Alpaca, emulated over HTTP and WebSockets on this machine, in front of our paper exchange.

What is said is held to Alpaca's published specifications; what happens to orders is decided by the
exchange inside. Stocks trade around the clock here. There is no pending state that lasts: an order
is new, and can be changed, once the answer to its request is there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import simplejson
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from providers.alpaca.provider import feed, venue
from providers.alpaca.settings import PREFIX, AlpacaSettings
from providers.exchange.calendars import session_end
from providers.models import AssetClass, PositionSide
from tests.venues.alpaca import specs
from tests.venues.alpaca.book import Book, Told
from tests.venues.alpaca.market import MarketData
from tests.venues.alpaca.shapes import (
    CLASSES,
    OVER,
    Placed,
    Problem,
    asset_id,
    asset_json,
    json_response,
    position_json,
    quote_json,
    stamp,
    text,
    trade_json,
    unfit,
)
from tests.venues.emulated import Emulated
from tests.venues.exchange import ACCOUNT, Backing, backing
from tests.venues.faults import Faults, Scrambler
from tests.venues.serving import Judge, application, served

KEYS = ("PKEMULATED", "an emulated secret")
SYMBOL = "BTC/USD"
LIMIT = 200
"""Requests a minute that the headers tell of; nobody is held to it."""
STOCK, CRYPTO = AssetClass.STOCK, AssetClass.CRYPTO
PAIRS = "/v1beta3/crypto/us"

Handler = Callable[[Request], Awaitable[Response]]


class Alpaca:
    """The trading API and its stream."""

    def __init__(self, inside: Backing, book: Book, faults: Faults) -> None:
        self._inside = inside
        self._book = book
        self._faults = faults
        self._minute = (0, 0)

    def guarded(self, handler: Handler) -> Handler:
        """A handler behind the check of the keys; it may raise Problem."""

        async def answer(request: Request) -> Response:
            given = (
                request.headers.get("APCA-API-KEY-ID"),
                request.headers.get("APCA-API-SECRET-KEY"),
            )
            try:
                if given != KEYS:
                    raise Problem(401, 40110000, "request is not authorized")
                response = await handler(request)
            except Problem as problem:
                response = json_response(problem.body, problem.status)
            self._limits(response)
            return response

        return answer

    def _limits(self, response: Response) -> None:
        minute = int(datetime.now(UTC).timestamp()) // 60
        before, count = self._minute
        self._minute = (minute, count + 1 if minute == before else 1)
        response.headers["X-RateLimit-Limit"] = str(LIMIT)
        response.headers["X-RateLimit-Remaining"] = str(max(0, LIMIT - self._minute[1]))
        response.headers["X-RateLimit-Reset"] = str((minute + 1) * 60)

    # Orders

    async def place(self, request: Request) -> Response:
        return json_response(await self._book.place(dict(await request.json())))

    async def orders(self, request: Request) -> Response:
        asked = request.query_params
        newest_first = asked.get("direction", "desc") == "desc"
        found = [
            order
            for order in [await self._book.told(each) for each in self._between(request)]
            if asked.get("status", "open") in ("all", kind_of_status(order["status"]))
        ]
        found = found[::-1] if newest_first else found
        return json_response(found[: int(asked.get("limit", "50"))])

    def _between(self, request: Request) -> list[Placed]:
        """The orders that the query chooses by their ids and symbols, the oldest first."""
        asked = request.query_params
        found = list(self._book.orders.values())
        places = {placed.id: place for place, placed in enumerate(found)}
        first = places[asked["after_order_id"]] + 1 if "after_order_id" in asked else 0
        last = places[asked["before_order_id"]] if "before_order_id" in asked else len(found)
        symbols = asked["symbols"].split(",") if "symbols" in asked else None
        return [
            each
            for each in found[first:last]
            if symbols is None or each.body["symbol"].replace("/", "") in symbols
        ]

    async def order(self, request: Request) -> Response:
        placed = self._book.find(request.path_params["order_id"])
        return json_response(await self._book.told(placed))

    async def by_client_order_id(self, request: Request) -> Response:
        placed = self._book.by_client_id.get(request.query_params["client_order_id"])
        if placed is None:
            raise Problem(404, 40410000, "order not found")
        return json_response(await self._book.told(placed))

    async def replace(self, request: Request) -> Response:
        order_id = request.path_params["order_id"]
        return json_response(await self._book.replace(order_id, dict(await request.json())))

    async def cancel(self, request: Request) -> Response:
        await self._book.cancel(request.path_params["order_id"])
        return Response(status_code=204)

    # The account

    async def account(self, request: Request) -> Response:
        account = await self._inside.exchange.get_account(ACCOUNT)
        positions = await self._inside.exchange.list_positions(ACCOUNT, None)
        worth = {side: Decimal(0) for side in PositionSide}
        cash = account.balance
        for each in positions:
            sign = 1 if each.side is PositionSide.LONG else -1
            cash -= sign * (each.cost_basis or each.quantity * each.average_entry_price)
            worth[each.side] += sign * each.quantity * each.current_price
        return json_response(
            {
                "id": asset_id(ACCOUNT),
                "account_number": "PA0EMULATED",
                "status": "ACTIVE",
                "crypto_status": "ACTIVE",
                "currency": account.currency,
                "cash": text(cash),
                "equity": text(account.equity),
                "portfolio_value": text(account.equity),
                "buying_power": text(account.margin_available),
                "initial_margin": text(account.margin_used),
                "long_market_value": text(worth[PositionSide.LONG]),
                "short_market_value": text(worth[PositionSide.SHORT]),
                "multiplier": "1",
                "shorting_enabled": True,
                "trading_blocked": False,
                "transfers_blocked": False,
                "account_blocked": False,
                "trade_suspended_by_user": False,
            }
        )

    async def positions(self, request: Request) -> Response:
        found = []
        for each in await self._inside.exchange.list_positions(ACCOUNT, None):
            side = "sell" if each.side is PositionSide.LONG else "buy"
            held = await self._book.held_for_orders(each.symbol, side)
            kind = self._inside.market.instruments[each.symbol].asset_class
            found.append(position_json(each, kind, held))
        return json_response(found)

    async def activities(self, request: Request) -> Response:
        """Fills alone: the exchange inside knows no other activities of Alpaca's."""
        asked = request.query_params
        if "FILL" not in asked.get("activity_types", "FILL").split(","):
            return json_response([])
        if "order_id" in asked:
            placed = [self._book.find(asked["order_id"])]
        else:
            placed = list(self._book.orders.values())
        found = [fill for each in placed for fill in await self._book.fills(each)]
        found.sort(key=lambda fill: fill["id"], reverse=asked.get("direction", "desc") == "desc")
        if "page_token" in asked:
            ids = [fill["id"] for fill in found]
            if asked["page_token"] not in ids:
                raise unfit("invalid page_token")
            found = found[ids.index(asked["page_token"]) + 1 :]
        return json_response(found[: int(asked.get("page_size", "100"))])

    async def clock(self, request: Request) -> Response:
        now = datetime.now(UTC)
        day = timedelta(days=1)
        return json_response(
            {
                "timestamp": stamp(now),
                "is_open": True,
                "next_open": stamp(now + day),
                "next_close": stamp(now + day),
            }
        )

    # Assets

    async def assets(self, request: Request) -> Response:
        kind = request.query_params.get("asset_class", "us_equity")
        known = self._inside.market.instruments.values()
        return json_response(
            [asset_json(each) for each in known if CLASSES.get(each.asset_class) == kind]
        )

    async def asset(self, request: Request) -> Response:
        wanted = request.path_params["symbol"]
        for each in self._inside.market.instruments.values():
            if each.asset_class in CLASSES and each.symbol.replace("/", "") == wanted:
                return json_response(asset_json(each))
        raise Problem(404, 40410000, f"asset not found for {wanted}")

    # The stream

    async def stream(self, socket: WebSocket) -> None:
        """Order updates, in binary frames, as those of paper accounts come."""
        await socket.accept()
        told: asyncio.Queue[Told] = asyncio.Queue()
        telling: asyncio.Task[None] | None = None
        authorized = False
        try:
            while True:
                message = await socket.receive_json()
                if message.get("action") in ("auth", "authenticate"):
                    authorized = credentials(message) == KEYS
                    status = "authorized" if authorized else "unauthorized"
                    data = {"status": status, "action": "authenticate"}
                    await say(socket, {"stream": "authorization", "data": data})
                elif message.get("action") == "listen" and authorized:
                    self._book.listeners.add(told.put_nowait)
                    await say(socket, {"stream": "listening", "data": message["data"]})
                    telling = telling or asyncio.create_task(self._tell(socket, told))
        except (WebSocketDisconnect, RuntimeError):
            return  # closed by them, or by us
        finally:
            self._book.listeners.discard(told.put_nowait)
            if telling is not None:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self, socket: WebSocket, told: asyncio.Queue[Told]) -> None:
        scrambler = Scrambler(self._faults)
        while True:
            for message in scrambler.of(await told.get()):
                if self._faults.strikes("dropped"):
                    await socket.close(1011)
                    return
                await say(socket, message)

    def routes(self) -> list[BaseRoute]:
        at = self.guarded
        return [
            Route("/v2/orders", at(self.place), methods=["POST"]),
            Route("/v2/orders", at(self.orders), methods=["GET"]),
            Route("/v2/orders:by_client_order_id", at(self.by_client_order_id), methods=["GET"]),
            Route("/v2/orders/{order_id}", at(self.order), methods=["GET"]),
            Route("/v2/orders/{order_id}", at(self.replace), methods=["PATCH"]),
            Route("/v2/orders/{order_id}", at(self.cancel), methods=["DELETE"]),
            Route("/v2/account", at(self.account), methods=["GET"]),
            Route("/v2/account/activities", at(self.activities), methods=["GET"]),
            Route("/v2/positions", at(self.positions), methods=["GET"]),
            Route("/v2/clock", at(self.clock), methods=["GET"]),
            Route("/v2/assets", at(self.assets), methods=["GET"]),
            Route("/v2/assets/{symbol}", at(self.asset), methods=["GET"]),
            WebSocketRoute("/stream", self.stream),
        ]


def market_routes(alpaca: Alpaca, market: MarketData) -> list[BaseRoute]:
    at = alpaca.guarded
    routes: list[BaseRoute] = [
        Route("/v2/stocks/snapshots", at(market.snapshots(STOCK))),
        Route("/v2/stocks/bars", at(market.bars(STOCK))),
        Route("/v2/stocks/quotes/latest", at(market.latest(STOCK, "quotes", quote_json))),
        Route("/v2/stocks/trades/latest", at(market.latest(STOCK, "trades", trade_json))),
        Route(f"{PAIRS}/snapshots", at(market.snapshots(CRYPTO))),
        Route(f"{PAIRS}/bars", at(market.bars(CRYPTO))),
        Route(f"{PAIRS}/latest/quotes", at(market.latest(CRYPTO, "quotes", quote_json))),
        Route(f"{PAIRS}/latest/trades", at(market.latest(CRYPTO, "trades", trade_json))),
        WebSocketRoute(PAIRS, market.stream(CRYPTO)),
        WebSocketRoute("/v2/iex", market.stream(STOCK)),
        WebSocketRoute("/v2/sip", market.stream(STOCK)),
    ]
    return routes


def kind_of_status(status: str) -> str:
    return "closed" if status in OVER else "open"


def credentials(message: dict[str, Any]) -> tuple[Any, Any]:
    """Those of an `auth` message, or of the older `authenticate`."""
    data = message.get("data", {})
    if message["action"] == "auth":
        return message.get("key"), message.get("secret")
    return data.get("key_id"), data.get("secret_key")


async def say(socket: WebSocket, message: Told) -> None:
    await socket.send_bytes(simplejson.dumps(message, use_decimal=True).encode())


def unlucky(status: int) -> Response:
    messages = {429: "too many requests.", 503: "service unavailable"}
    message = messages.get(status, "internal server error occurred")
    return json_response({"code": status * 100_000 + 10_000, "message": message}, status)


@asynccontextmanager
async def emulator(
    folder: Path, faults: Faults, *, port: int = 0, one_sided: bool = True, **exchange: object
) -> AsyncIterator[Emulated]:
    """Start it; see `book.Book` for `one_sided`. There are no fees unless they are asked for."""
    settings = {"maker_fee": 0, "taker_fee": 0, **exchange}
    async with backing(folder, **settings) as inside:
        book = Book(inside, faults, one_sided)
        judge = Judge(
            {
                "/v2/stocks": specs.market_data(),
                "/v1beta3": specs.market_data(),
                "/v2": specs.trading(),
            }
        )
        alpaca = Alpaca(inside, book, faults)
        market = MarketData(inside, faults, KEYS)
        routes = [*alpaca.routes(), *market_routes(alpaca, market)]
        app = application(routes, judge, faults, unlucky=unlucky)
        running = asyncio.create_task(book.run())
        try:
            session_end(AssetClass.STOCK, datetime.now(UTC))  # reads calendars: long, but once
            await book.listening.wait()
            async with served(app, port=port) as at:
                yield emulated(at, judge, faults, inside)
        finally:
            await book.stop()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def emulated(port: int, judge: Judge, faults: Faults, inside: Backing) -> Emulated:
    key_id, secret = KEYS
    environment = {
        f"{PREFIX}KEY_ID": key_id,
        f"{PREFIX}SECRET_KEY": secret,
        f"{PREFIX}TRADING_URL": f"http://127.0.0.1:{port}",
        f"{PREFIX}DATA_URL": f"http://127.0.0.1:{port}",
        f"{PREFIX}STREAM_URL": f"ws://127.0.0.1:{port}/stream",
        f"{PREFIX}DATA_STREAM_URL": f"ws://127.0.0.1:{port}",
    }
    names = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items()}
    settings = AlpacaSettings(
        **{
            **names,
            "key_id": SecretStr(key_id),
            "secret_key": SecretStr(secret),
        }  # type: ignore[arg-type]
    )
    return Emulated(
        provider="alpaca",
        symbol=SYMBOL,
        environment=environment,
        judge=judge,
        faults=faults,
        backing=inside,
        venue=lambda: venue(settings),
        feed=lambda: feed(settings),
    )
