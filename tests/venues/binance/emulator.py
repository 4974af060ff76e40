"""An emulator of Binance spot: REST, the WebSocket API's account stream, and book tickers.

::

    emulator ── routes of /api/v3 ──┐
    streams ─── /ws-api/v3, /ws ────┴── desk: orders, trades, balances ── the exchange inside

Of the venue's paths it has those that the adapter uses. `BTC/USD` inside is BTCUSDT here.

Where it differs from the venue: stops trigger on the bid and the ask rather than on the last
trade, and what the best price does not have of an order comes with the next quotes rather than
from deeper levels of the book.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from providers.base import BarQuery
from providers.binance.provider import BinanceFeed, BinanceVenue
from providers.binance.settings import PREFIX, BinanceSettings
from providers.models import Bar
from tests.venues import contract
from tests.venues.binance import documents
from tests.venues.binance.desk import Desk, Refusal, pair_of
from tests.venues.binance.documents import DELISTED, EPOCH, INTERVALS, PAIRS, SPANS, ZERO, Pair
from tests.venues.binance.streams import AccountStream, MarketStream, Reporter, ended, timely
from tests.venues.contract import Contract
from tests.venues.emulated import Emulated
from tests.venues.exchange import backing
from tests.venues.faults import Faults
from tests.venues.serving import Judge, application, served

KEY = "emulated" * 8
SECRET = "secretly" * 8
"""As long as the venue's are."""

MONDAY = EPOCH + timedelta(days=4)
MOST_KLINES = 1000

Handler = Callable[[Request], Awaitable[Any]]


@functools.cache
def specification() -> Contract | None:
    """The venue's document of REST, amended where it contradicts what the venue does."""
    path = contract.find("binance-spot.yaml")
    return (
        None if path is None else Contract(amended(contract.read(path)), "https://api.binance.com")
    )


def amended(document: dict[str, Any]) -> dict[str, Any]:
    whole = document["paths"].items()
    kept = copy.deepcopy({path: item for path, item in whole if path.startswith("/api/")})
    document = document | {"paths": kept}
    # oneOf of ACK, RESULT and FULL: each has all that the one before has, so that two or three
    # always match.
    made = kept_schema(document, "/api/v3/order", "post")
    made["anyOf"] = made.pop("oneOf")
    # The members of PRICE_FILTER are required of every filter.
    information = kept_schema(document, "/api/v3/exchangeInfo", "get")
    filters = information["properties"]["symbols"]["items"]["properties"]["filters"]
    filters["items"]["required"] = ["filterType"]
    # The status that a banned address gets is not listed; the venue's general information has it.
    for item in kept.values():
        for operation in item.values():
            document_error(operation, "418")
    return document


def document_error(operation: dict[str, Any], status: str) -> None:
    error = {"schema": {"$ref": "#/components/schemas/error"}}
    operation["responses"].setdefault(
        status, {"description": "An error", "content": {"application/json": error}}
    )


def kept_schema(document: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    content = document["paths"][path][method]["responses"]["200"]["content"]
    schema: dict[str, Any] = content["application/json"]["schema"]
    return schema


@dataclass
class Counting:
    """ASGI: how often each method of each path was asked for, whatever became of it."""

    app: ASGIApp
    seen: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.seen[f"{scope['method']} {scope['path']}"] += 1
        await self.app(scope, receive, send)


class Rest:
    """The routes. `skew` is how far the venue's clock is ahead of ours.

    `refusals` are errors that the next signed requests are answered with, in turn.
    """

    def __init__(self, desk: Desk, faults: Faults) -> None:
        self.desk = desk
        self.skew = timedelta(0)
        self.refusals: list[Refusal] = []
        self.retry_after = "1"
        self._faults = faults
        self._weight = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def routes(self) -> list[BaseRoute]:
        public: dict[str, Handler] = {
            "ping": self.ping,
            "time": self.time,
            "exchangeInfo": self.exchange_information,
            "klines": self.klines,
            "ticker/bookTicker": self.book_tickers,
        }
        signed: list[tuple[str, str, Handler]] = [
            ("POST", "order", self.new_order),
            ("GET", "order", self.order),
            ("DELETE", "order", self.cancel_order),
            ("GET", "openOrders", self.open_orders),
            ("GET", "account", self.account),
            ("GET", "myTrades", self.trades),
        ]
        return [
            *(Route(f"/api/v3/{path}", self._answers(each)) for path, each in public.items()),
            *(
                Route(f"/api/v3/{path}", self._answers(each, signed=True), methods=[method])
                for method, path, each in signed
            ),
        ]

    def _answers(
        self, handler: Handler, *, signed: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self._weight += 1
            headers = {"x-mbx-used-weight-1m": str(self._weight % 6000)}
            try:
                if signed:
                    self._admit(request)
                return JSONResponse(await handler(request), headers=headers)
            except Refusal as refusal:
                if refusal.status == 418:
                    headers["retry-after"] = self.retry_after
                body = {"code": refusal.code, "msg": refusal.message}
                return JSONResponse(body, refusal.status, headers=headers)

        return answer

    def _admit(self, request: Request) -> None:
        """The key, the signature over the query as it was sent, and the timestamp."""
        key = request.headers.get("x-mbx-apikey")
        if key is None:
            raise Refusal(-2014, "API-key format invalid.", 401)
        if key != KEY:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        payload, _, signature = request.url.query.rpartition("&signature=")
        expected = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            raise Refusal(-1022, "Signature for this request is not valid.")
        query = request.query_params
        if not timely(int(query["timestamp"]), int(query.get("recvWindow", 5000)), self.now()):
            raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
        if self.refusals:
            raise self.refusals.pop(0)

    # Public

    async def ping(self, _: Request) -> Any:
        return {}

    async def time(self, _: Request) -> Any:
        return {"serverTime": documents.ms(self.now())}

    async def exchange_information(self, request: Request) -> Any:
        pairs = [*PAIRS.values(), DELISTED]
        if "symbol" in request.query_params:
            pairs = [pair_of(request.query_params)]
        return documents.exchange_information(pairs, self.now())

    async def book_tickers(self, request: Request) -> Any:
        query = request.query_params
        if "symbol" in query:
            pair = pair_of(query)
            return documents.book_ticker(pair, self.desk.quote(pair))
        names = json.loads(query["symbols"]) if "symbols" in query else list(PAIRS)
        pairs = [pair_of({"symbol": name}) for name in names]
        return [documents.book_ticker(pair, self.desk.quote(pair)) for pair in pairs]

    async def klines(self, request: Request) -> Any:
        """From `startTime` on the first, else up to `endTime` the last, with the open one."""
        query = request.query_params
        pair = pair_of(query)
        span = SPANS.get(query["interval"])
        if span is None:
            raise Refusal(-1120, "Invalid interval.")
        limit = min(int(query.get("limit", 500)), MOST_KLINES)
        start = moment(query.get("startTime"))
        end = moment(query.get("endTime"))
        if start is not None:
            reach = start + span * limit
            end = reach if end is None else min(end, reach)
        wanted = BarQuery(
            symbol=pair.behind,
            timeframe=INTERVALS[query["interval"]],
            start=start,
            end=end,
            limit=limit,
        )
        now = datetime.now(UTC)
        bars = await self.desk.backing.market.bars(wanted, now)
        forming = self._forming(pair, wanted, span, now)
        if (start is None or start <= forming.timestamp) and (
            end is None or forming.timestamp <= end
        ):
            bars.append(forming)
        bars = bars[:limit] if start is not None else bars[-limit:]
        return [documents.kline(bar, span) for bar in bars]

    def _forming(self, pair: Pair, query: BarQuery, span: timedelta, now: datetime) -> Bar:
        """The candle that is not over, of the two prices that are known of it."""
        opened = now - (now - MONDAY) % span
        market = self.desk.backing.market
        first, last = (market.quote(pair.behind, at).last or ZERO for at in (opened, now))
        return Bar(
            symbol=pair.behind,
            provider="emulator",
            timeframe=query.timeframe,
            timestamp=opened,
            open=first,
            high=max(first, last),
            low=min(first, last),
            close=last,
            volume=Decimal(1),
        )

    # Of the account

    async def new_order(self, request: Request) -> Any:
        query = request.query_params
        placed = await self.desk.place(query)
        order = await self.desk.order(placed)
        usual = "FULL" if placed.kind in ("MARKET", "LIMIT") else "ACK"
        detail = query.get("newOrderRespType", usual)
        return documents.made(placed, order, await self.desk.deals_of(placed), detail)

    async def order(self, request: Request) -> Any:
        query = request.query_params
        placed = self.desk.find(
            pair_of(query), query.get("orderId"), query.get("origClientOrderId")
        )
        if placed is None:
            raise Refusal(-2013, "Order does not exist.")
        return documents.details(placed, await self.desk.order(placed))

    async def cancel_order(self, request: Request) -> Any:
        """A lazy one is said to be pending, and carried out later."""
        query = request.query_params
        placed = self.desk.find(
            pair_of(query), query.get("orderId"), query.get("origClientOrderId")
        )
        if placed is None or placed not in [each for each, _ in await self.desk.open_orders()]:
            raise Refusal(-2011, "Unknown order sent.")
        before = placed.cancel_id
        placed.cancel_id = query.get("newClientOrderId", uuid4().hex[:22])
        if self._faults.strikes("lazy"):
            placed.cancel_pending = True
            self.tasks.add(asyncio.create_task(self._cancel_later(placed)))
        elif not await self.desk.cancel(placed):
            placed.cancel_id = before
            raise Refusal(-2011, "Unknown order sent.")
        else:
            placed.cancel_pending = False
        return documents.cancelled(placed, await self.desk.order(placed), self.now())

    async def _cancel_later(self, placed: documents.Placed) -> None:
        await asyncio.sleep(self._faults.odds.delay)
        await self.desk.cancel(placed)

    async def open_orders(self, request: Request) -> Any:
        wanted = request.query_params.get("symbol")
        found = await self.desk.open_orders()
        return [
            documents.details(placed, order)
            for placed, order in found
            if wanted in (None, placed.pair.name)
        ]

    async def account(self, _: Request) -> Any:
        return documents.account(await self.desk.balances(), self.now(), self.desk.fee)

    async def trades(self, request: Request) -> Any:
        query = request.query_params
        placed = self.desk.find(pair_of(query), query.get("orderId", "0"), None)
        deals = await self.desk.deals_of(placed) if placed is not None else []
        first, limit = int(query.get("fromId", 0)), int(query.get("limit", 500))
        later = [deal for deal in deals if deal.number >= first]
        return [documents.my_trade(placed, deal) for deal in later[:limit] if placed is not None]


def moment(text: str | None) -> datetime | None:
    return None if text is None else EPOCH + timedelta(milliseconds=int(text))


def unlucky(status: int) -> Response:
    """The venue's bodies for what Wire fails with."""
    said = {
        429: (-1003, "Too many requests; current limit is 6000 request weight per 1 MINUTE."),
        503: (-1008, "Server is currently overloaded with other requests."),
    }
    code, message = said.get(status, (-1000, "An unknown error occurred."))
    headers = {"retry-after": "1"} if status == 429 else {}
    return JSONResponse({"code": code, "msg": message}, status, headers=headers)


@dataclass(frozen=True)
class Rig:
    """A running emulator with its insides, for this venue's own tests."""

    emulated: Emulated
    rest: Rest
    seen: Counter[str]
    settings: BinanceSettings


@asynccontextmanager
async def rigged(
    folder: Path,
    faults: Faults,
    *,
    port: int = 0,
    fee: Decimal = ZERO,
    fee_asset: str | None = None,
    **exchange: Any,
) -> AsyncIterator[Rig]:
    """`fee` is the commission of a fill, of its notional; see Desk for the asset it is taken in."""
    chosen = {"initial_balance": 1_000_000} | exchange | {"maker_fee": 0, "taker_fee": 0}
    async with backing(folder, **chosen) as inside:
        initial = Decimal(chosen["initial_balance"])
        desk = Desk(inside, initial=initial, fee=Decimal(fee), fee_asset=fee_asset)
        rest, reporter = Rest(desk, faults), Reporter(desk)
        account = AccountStream(reporter, faults, key=KEY, secret=SECRET, now=rest.now)
        prices = MarketStream(desk, faults)
        routes = [
            *rest.routes(),
            WebSocketRoute("/ws-api/v3", account.serve),
            WebSocketRoute("/ws", prices.serve),
        ]
        judge = Judge({"/api/v3": specification()})
        app = Counting(application(routes, judge, faults, unlucky=unlucky))
        async with reporter.running(), served(app, port=port) as bound:
            try:
                yield rig_of(bound, rest, judge, faults, app.seen)
            finally:
                await ended(rest.tasks)


def rig_of(port: int, rest: Rest, judge: Judge, faults: Faults, seen: Counter[str]) -> Rig:
    environment = {
        f"{PREFIX}API_KEY": KEY,
        f"{PREFIX}API_SECRET": SECRET,
        f"{PREFIX}REST_URL": f"http://127.0.0.1:{port}",
        f"{PREFIX}WS_API_URL": f"ws://127.0.0.1:{port}/ws-api/v3",
        f"{PREFIX}STREAM_URL": f"ws://127.0.0.1:{port}",
    }
    settings = BinanceSettings(
        api_key=SecretStr(KEY),
        api_secret=SecretStr(SECRET),
        rest_url=environment[f"{PREFIX}REST_URL"],
        ws_api_url=environment[f"{PREFIX}WS_API_URL"],
        stream_url=environment[f"{PREFIX}STREAM_URL"],
    )
    emulated = Emulated(
        provider="binance",
        symbol="BTC/USDT",
        environment=environment,
        judge=judge,
        faults=faults,
        backing=rest.desk.backing,
        venue=lambda: BinanceVenue(settings),
        feed=lambda: BinanceFeed(settings),
    )
    return Rig(emulated, rest, seen, settings)


@asynccontextmanager
async def emulator(
    folder: Path,
    faults: Faults,
    *,
    port: int = 0,
    fee: Decimal = ZERO,
    fee_asset: str | None = None,
    **exchange: Any,
) -> AsyncIterator[Emulated]:
    """See `tests.venues.emulated.Emulator`, and `rigged`."""
    async with rigged(folder, faults, port=port, fee=fee, fee_asset=fee_asset, **exchange) as rig:
        yield rig.emulated
