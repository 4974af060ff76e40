"""OANDA v20, emulated over HTTP on this machine, in front of our paper exchange.

What is said is held to OANDA's published specification; what happens to orders is decided by the
exchange inside, see `book`. Its forex pairs are listed, and two instruments that an account in
dollars has no use for. As an account for practice was seen to do, the endpoints of orders know
only the open ones; with `remembers` those that are over as well, as the specification has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from providers.base import Instrument
from providers.models import AssetClass
from providers.oanda.provider import feed, venue
from providers.oanda.settings import PREFIX, OandaSettings
from tests.venues.emulated import Emulated
from tests.venues.exchange import ACCOUNT, Backing, backing
from tests.venues.faults import Faults
from tests.venues.oanda import specs
from tests.venues.oanda.book import Book
from tests.venues.oanda.ledger import Ledger
from tests.venues.oanda.market import Prices
from tests.venues.oanda.shapes import (
    Json,
    Problem,
    instrument_json,
    malformed,
    order_json,
    position_json,
    summary_json,
)
from tests.venues.oanda.streams import Streams
from tests.venues.serving import Judge, application, served

TOKEN = "emulated-token"
ACCOUNT_ID = "101-001-1234567-001"
BASE = f"/v3/accounts/{ACCOUNT_ID}"
SYMBOL = "EUR/USD"
USELESS = {
    "CURRENCY": Instrument(
        symbol="USD/JPY",
        asset_class=AssetClass.FOREX,
        price_increment=Decimal("0.001"),
        quantity_increment=Decimal(1),
        currency="JPY",
    ),
    "CFD": Instrument(
        symbol="SPX500/USD",
        asset_class=AssetClass.FUTURES,
        price_increment=Decimal("0.1"),
        quantity_increment=Decimal("0.1"),
    ),
}

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class OandaEmulated(Emulated):
    """`seen` counts what was asked for, such as `POST /orders`; paths are those of the account."""

    seen: Counter[str]
    ledger: Ledger
    rest: Oanda
    streams: Streams


def error(problem: Problem) -> Response:
    body = {"errorCode": problem.code, "errorMessage": problem.message, **problem.extra}
    return JSONResponse({name: value for name, value in body.items() if value}, problem.status)


def unlucky(status: int) -> Response:
    return JSONResponse({"errorMessage": HTTPStatus(status).phrase}, status)


def guarded(handler: Handler) -> Handler:
    """A handler behind the check of token and account; it may raise Problem."""

    async def answer(request: Request) -> Response:
        try:
            known = request.headers.get("Authorization") == f"Bearer {TOKEN}"
            if not known or request.path_params.get("account", ACCOUNT_ID) != ACCOUNT_ID:
                message = "Insufficient authorization to perform request."
                raise Problem(HTTPStatus.UNAUTHORIZED, "", message)
            return await handler(request)
        except Problem as problem:
            return error(problem)

    return answer


class Oanda:
    """The REST API of one account. `rate` is the margin rate, `page` the most transactions of one
    answer, and whether it `remembers` orders may be changed, too.
    """

    def __init__(
        self, inside: Backing, book: Book, *, rate: Decimal, page: int, remembers: bool
    ) -> None:
        self._exchange = inside.exchange
        self._book = book
        self._ledger = book.ledger
        self._rate = rate
        self.page = page
        self.remembers = remembers

    def _told(self, body: Json, status: int = HTTPStatus.OK) -> Response:
        return JSONResponse({**body, "lastTransactionID": self._ledger.last_id}, status)

    # Orders

    async def place(self, request: Request) -> Response:
        answer = await self._book.place(await order_of(request))
        return JSONResponse(answer, HTTPStatus.CREATED)

    async def replace(self, request: Request) -> Response:
        specifier = request.path_params["order"]
        answer = await self._book.replace(specifier, await order_of(request))
        return JSONResponse(answer, HTTPStatus.CREATED)

    async def cancel(self, request: Request) -> Response:
        return JSONResponse(await self._book.cancel(request.path_params["order"]))

    async def order(self, request: Request) -> Response:
        specifier = request.path_params["order"]
        placed = self._book.found(specifier)
        if placed is None and self.remembers:
            every = self._book.orders.values()
            names = ((each, (each.id, f"@{each.client_id}")) for each in every)
            placed = next((each for each, known in names if specifier in known), None)
        if placed is None:
            message = "The order ID specified does not exist"
            extra = {"lastTransactionID": self._ledger.last_id}
            raise Problem(HTTPStatus.NOT_FOUND, "NO_SUCH_ORDER", message, extra=extra)
        return self._told({"order": order_json(placed)})

    async def pending(self, _: Request) -> Response:
        return self._told({"orders": [order_json(each) for each in self._book.pending()]})

    # The account

    async def summary(self, _: Request) -> Response:
        account = await self._exchange.get_account(ACCOUNT)
        held = await self._exchange.list_positions(ACCOUNT, None)
        counts = {
            "openPositionCount": len(held),
            "pendingOrderCount": len(self._book.pending()),
        }
        summary = summary_json(account, ACCOUNT_ID, self._rate, counts)
        return self._told({"account": {**summary, "lastTransactionID": self._ledger.last_id}})

    async def instruments(self, _: Request) -> Response:
        kinds = {each.symbol: kind for kind, each in USELESS.items()}
        listed = self._book.listed.values()
        found = [
            instrument_json(each, self._rate, kinds.get(each.symbol, "CURRENCY")) for each in listed
        ]
        return self._told({"instruments": found})

    async def positions(self, _: Request) -> Response:
        held = await self._exchange.list_positions(ACCOUNT, None)
        found = [position_json(each, self._book.listed[each.symbol]) for each in held]
        return self._told({"positions": found})

    # Transactions

    async def since(self, request: Request) -> Response:
        after = request.query_params["id"]
        if not after.isdecimal():
            raise malformed("Invalid value specified for 'id'")
        found = self._ledger.since(int(after))[: self.page]
        return self._told({"transactions": found})

    async def pages(self, request: Request) -> Response:
        start = request.query_params["from"]
        ids = [int(each["id"]) for each in self._ledger.entries if each["time"] >= start]
        size = int(request.query_params.get("pageSize", "100"))
        address = f"{request.base_url}{BASE.removeprefix('/')}/transactions/idrange"
        urls = [
            f"{address}?from={ids[first]}&to={ids[min(first + size, len(ids)) - 1]}"
            for first in range(0, len(ids), size)
        ]
        body = {"from": start, "pageSize": size, "count": len(ids), "pages": urls}
        return self._told(body)

    def routes(self) -> list[BaseRoute]:
        account = "/v3/accounts/{account}"
        table: list[tuple[str, str, Handler]] = [
            ("POST", "/orders", self.place),
            ("GET", "/pendingOrders", self.pending),
            ("GET", "/orders/{order}", self.order),
            ("PUT", "/orders/{order}", self.replace),
            ("PUT", "/orders/{order}/cancel", self.cancel),
            ("GET", "/summary", self.summary),
            ("GET", "/instruments", self.instruments),
            ("GET", "/openPositions", self.positions),
            ("GET", "/transactions/sinceid", self.since),
            ("GET", "/transactions", self.pages),
        ]
        return [
            Route(account + path, guarded(handler), methods=[method])
            for method, path, handler in table
        ]


async def order_of(request: Request) -> Json:
    body = json.loads(await request.body())
    if not isinstance(body.get("order"), dict):
        raise malformed("The request was missing required data")
    return dict(body["order"])


@asynccontextmanager
async def emulator(
    folder: Path,
    faults: Faults,
    *,
    port: int = 0,
    heartbeat: float = 5.0,
    page: int = 1000,
    remembers: bool = False,
    **exchange: Any,
) -> AsyncIterator[OandaEmulated]:
    """Start it; heartbeats come every so many seconds. There are no commissions unless they are
    asked for, and the leverage is 20.
    """
    settings = {"maker_fee": 0, "taker_fee": 0, "leverage": 20, **exchange}
    async with backing(folder, **settings) as inside:
        ledger = Ledger(ACCOUNT_ID)
        ledger.write("CREATE", homeCurrency="USD")
        ledger.write("TRANSFER_FUNDS", fundingReason="CLIENT_FUNDING")
        pairs = {
            symbol: each
            for symbol, each in inside.market.instruments.items()
            if each.asset_class is AssetClass.FOREX
        }
        listed = pairs | {each.symbol: each for each in USELESS.values()}
        book = Book(inside, faults, ledger, listed)
        judge = Judge({"/v3": specs.specification()})
        rate = Decimal(1) / Decimal(str(settings["leverage"]))
        oanda = Oanda(inside, book, rate=rate, page=page, remembers=remembers)
        prices = Prices(inside, pairs, float(exchange.get("tick_interval", 1)))
        streams = Streams(book, prices, faults, judge, heartbeat)
        routes = [
            *(Route(path, guarded(handler)) for path, handler in streams.handlers(BASE).items()),
            *oanda.routes(),
            *(Route(path, guarded(handler)) for path, handler in prices.handlers().items()),
        ]
        seen: Counter[str] = Counter()
        app = counted(
            application(
                routes, judge, faults, unlucky=unlucky, streams=list(streams.handlers(BASE))
            ),
            seen,
        )
        async with running(book), served(app, port=port) as at, streams.closing():
            yield OandaEmulated(
                **vars(emulated(at, judge, faults, inside)),
                seen=seen,
                ledger=ledger,
                rest=oanda,
                streams=streams,
            )


def counted(app: ASGIApp, seen: Counter[str]) -> ASGIApp:
    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            seen[f"{scope['method']} {scope['path'].removeprefix(BASE)}"] += 1
        await app(scope, receive, send)

    return counting


@asynccontextmanager
async def running(book: Book) -> AsyncIterator[None]:
    """What is done while nobody asks."""
    task = asyncio.create_task(book.run())
    try:
        await book.listening.wait()
        yield
    finally:
        await book.stop()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def emulated(port: int, judge: Judge, faults: Faults, inside: Backing) -> Emulated:
    url = f"http://127.0.0.1:{port}"
    settings = OandaSettings(
        token=SecretStr(TOKEN), account_id=ACCOUNT_ID, rest_url=url, stream_url=url
    )
    return Emulated(
        provider="oanda",
        symbol=SYMBOL,
        environment={
            f"{PREFIX}TOKEN": TOKEN,
            f"{PREFIX}ACCOUNT_ID": ACCOUNT_ID,
            f"{PREFIX}REST_URL": url,
            f"{PREFIX}STREAM_URL": url,
        },
        judge=judge,
        faults=faults,
        backing=inside,
        venue=lambda: venue(settings),
        feed=lambda: feed(settings),
    )
