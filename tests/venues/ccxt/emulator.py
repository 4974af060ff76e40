"""Coinbase Exchange, as far as ccxt asks for it: its REST API and its WebSocket feed.

There is no published document to judge the traffic by. Instead each request must be one that
Coinbase's own reference allows: the path, the members of a body, the signature. What is not is
answered with 400 and noted as a violation.

As there, a client's order id is a UUID which need not be unique; an order that was cancelled
before anything of it filled is forgotten; a new order is `pending` in the answer; and a post-only
order that would take is answered as `rejected`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from providers.ccxt.provider import feed, venue
from providers.ccxt.settings import CcxtSettings
from tests.venues.ccxt import answers
from tests.venues.ccxt.feed import Feeds
from tests.venues.ccxt.orders import Orders
from tests.venues.emulated import Emulated
from tests.venues.exchange import Backing, backing
from tests.venues.faults import Faults
from tests.venues.serving import Judge, application, served

KEY, PASSPHRASE = "emulated-key", "emulated-passphrase"
SECRET = base64.b64encode(b"a secret of the emulator").decode()
SYMBOL = "BTC/USD"

ORDER_FIELDS = frozenset(
    "type side product_id stp stop stop_price price size time_in_force cancel_after post_only"
    " client_oid funds max_floor stop_limit_price".split()
)
QUERIES: Mapping[str, frozenset[str]] = {
    "/orders": frozenset({"product_id", "status", "limit", "start_date", "end_date"}),
    "/fills": frozenset({"order_id", "product_id", "limit", "start_date", "end_date"}),
    "candles": frozenset({"granularity", "start", "end"}),
}


def signed(timestamp: str, method: str, path: str, body: str) -> str:
    """What the CB-ACCESS-SIGN header must be."""
    key = base64.b64decode(SECRET)
    payload = f"{timestamp}{method}{path}{body}".encode()
    return base64.b64encode(hmac.digest(key, payload, hashlib.sha256)).decode()


def failed(message: str, status: int = 400) -> Response:
    """An error as Coinbase has it."""
    return JSONResponse({"message": message}, status)


@dataclass(frozen=True, kw_only=True)
class EmulatedExchange(Emulated):
    """With its settings, and the exchange itself, for tests to look into."""

    settings: CcxtSettings
    exchange: Exchange


class Exchange:
    """The routes. `requests` are those that were served, for tests to count."""

    def __init__(self, inside: Backing, faults: Faults, judge: Judge) -> None:
        self.orders = Orders(inside, faults)
        self.feeds = Feeds(self.orders, faults, self.authentic, signed)
        self.requests: list[tuple[str, str]] = []
        self._judge = judge
        self._inside = inside

    def routes(self) -> list[Any]:
        get, public, private = ["GET"], self.public, self.private
        return [
            Route("/time", public(self.time), methods=get),
            Route("/currencies", public(self.currencies), methods=get),
            Route("/products", public(self.products), methods=get),
            Route("/products/spark-lines", public(self.spark_lines), methods=get),
            Route("/products/{product}/ticker", public(self.ticker), methods=get),
            Route("/products/{product}/candles", public(self.candles), methods=get),
            Route("/accounts", private(self.accounts), methods=get),
            Route("/fills", private(self.fills), methods=get),
            Route("/orders", private(self.list_orders), methods=get),
            Route("/orders", private(self.create_order), methods=["POST"]),
            Route("/orders/client:{client_oid}", private(self.by_client_oid), methods=get),
            Route("/orders/{order_id}", private(self.get_order), methods=get),
            Route("/orders/{order_id}", private(self.cancel_order), methods=["DELETE"]),
            WebSocketRoute("/", self.feeds.serve),
        ]

    # What every request must be

    def public(self, handler: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            self.requests.append((request.method, request.url.path))
            strange = self._strangers(request)
            if strange:
                return self._violated(f"{request.url.path}: unknown {sorted(strange)}")
            found: Response = await handler(request)
            return found

        return endpoint

    def private(self, handler: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            refused = await self._unauthorized(request)
            if refused is not None:
                return refused
            found: Response = await self.public(handler)(request)
            return found

        return endpoint

    def _strangers(self, request: Request) -> set[str]:
        allowed = next(
            (names for end, names in QUERIES.items() if request.url.path.endswith(end)), frozenset()
        )
        return set(request.query_params) - allowed

    def _violated(self, what: str) -> Response:
        self._judge.violations.append(what)
        return failed(what)

    async def _unauthorized(self, request: Request) -> Response | None:
        headers = request.headers
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        body = (await request.body()).decode()
        sign = signed(headers.get("cb-access-timestamp", ""), request.method, path, body)
        return self.authentic(
            headers.get("cb-access-key"),
            headers.get("cb-access-passphrase"),
            headers.get("cb-access-sign") == sign,
        )

    def authentic(
        self, key: str | None, passphrase: str | None, signature: bool
    ) -> Response | None:
        """What is wrong with the credentials."""
        if key != KEY:
            return failed("Invalid API Key", 401)
        if passphrase != PASSPHRASE:
            return failed("Invalid Passphrase", 401)
        return None if signature else failed("invalid signature", 401)

    # Market data

    async def time(self, _: Request) -> Response:
        now = self._inside.exchange.now()
        return JSONResponse({"iso": answers.iso(now), "epoch": now.timestamp()})

    async def currencies(self, _: Request) -> Response:
        return JSONResponse(answers.currencies(self._inside.market))

    async def products(self, _: Request) -> Response:
        return JSONResponse(answers.products(self._inside.market))

    async def spark_lines(self, _: Request) -> Response:
        """A day of prices without bids and asks."""
        now = self._inside.exchange.now()
        return JSONResponse(answers.spark_lines(self._inside.market, now))

    async def ticker(self, request: Request) -> Response:
        symbol = answers.symbol_of(self._inside.market, request.path_params["product"])
        if symbol is None:
            return failed("NotFound", 404)
        quote = self._inside.market.quote(symbol, self._inside.exchange.now())
        return JSONResponse(answers.ticker(quote))

    async def candles(self, request: Request) -> Response:
        return await answers.candles(self._inside, request)

    # The account

    async def accounts(self, _: Request) -> Response:
        return JSONResponse(await self.orders.accounts())

    async def fills(self, request: Request) -> Response:
        return JSONResponse(await self.orders.fills(request.query_params.get("order_id", "")))

    async def list_orders(self, request: Request) -> Response:
        statuses = request.query_params.getlist("status") or ["open", "pending", "active"]
        return JSONResponse(await self.orders.listed(statuses))

    async def create_order(self, request: Request) -> Response:
        body = json.loads(await request.body())
        missing = {"type", "side", "product_id"} - set(body)
        strange = set(body) - ORDER_FIELDS
        numbers = {"price", "size", "stop_price"} & set(body)
        loose = [name for name in numbers if not plain(body[name])]
        if missing or strange or loose:
            return self._violated(f"POST /orders: {missing=} {strange=} {loose=}")
        return await self.orders.create(body)

    async def get_order(self, request: Request) -> Response:
        return await self.orders.get(request.path_params["order_id"])

    async def by_client_oid(self, request: Request) -> Response:
        return await self.orders.by_client_oid(request.path_params["client_oid"])

    async def cancel_order(self, request: Request) -> Response:
        if await request.body():
            return self._violated("DELETE /orders: a body")
        return await self.orders.cancel(request.path_params["order_id"])


def plain(value: Any) -> bool:
    """Whether a number is text without an exponent."""
    return isinstance(value, str) and "e" not in value.lower() and Decimal(value).is_finite()


@asynccontextmanager
async def emulator(
    folder: Path, faults: Faults, *, port: int = 0, **exchange: object
) -> AsyncIterator[EmulatedExchange]:
    """Start it; `exchange` are settings of the exchange inside, see `exchange.backing`."""
    judge = Judge({})
    async with backing(folder, **exchange) as inside:
        coinbase = Exchange(inside, faults, judge)
        app = application(coinbase.routes(), judge, faults, unlucky=unlucky)
        async with coinbase.feeds.telling(), served(app, port=port) as bound:
            yield emulated(coinbase, judge, faults, bound)


def emulated(coinbase: Exchange, judge: Judge, faults: Faults, port: int) -> EmulatedExchange:
    credentials = {"api_key": KEY, "secret": SECRET, "password": PASSPHRASE}
    options = {
        "exchange": "coinbaseexchange",
        "symbols": "BTC/USD,ETH/USD",
        "base_url": f"http://127.0.0.1:{port}",
        "poll_interval": "0.2",
        "requests_per_second": "200",
    }
    settings = CcxtSettings(**options, **credentials)  # type: ignore[arg-type]
    environment = {
        f"TRADING_API_CCXT_{name}".upper(): v for name, v in {**options, **credentials}.items()
    }
    return EmulatedExchange(
        provider="ccxt",
        symbol=SYMBOL,
        environment=environment,
        judge=judge,
        faults=faults,
        backing=coinbase.orders.inside,
        venue=lambda: venue(settings),
        feed=lambda: feed(settings),
        settings=settings,
        exchange=coinbase,
    )


def unlucky(status: int) -> Response:
    messages = {429: "Private rate limit exceeded", 503: "under maintenance", 500: "Internal error"}
    return failed(messages[status], status)
