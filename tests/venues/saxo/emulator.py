"""An emulator of Saxo's OpenAPI: orders, portfolio, reference data, charts, the login, the stream.

::

    emulator ── routes of trade, port, ref, chart, cs, /token ──┐
    streams ─── /streamingws ───────────────────────────────────┴── desk ── the exchange inside

Of the venue's paths it has those that the adapter uses.

Where it differs from the venue: it takes more than one order a second, its log of order activities
is never behind, shares have no commission, stops of shares trigger on the bid and the ask rather
than on the last trade, and candles begin at whole multiples of their length.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import simplejson
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from providers.base import BarQuery
from providers.models import Bar, Timeframe
from providers.saxo.feed import SaxoFeed
from providers.saxo.provider import SaxoVenue
from providers.saxo.settings import PREFIX, SaxoSettings
from tests.venues.emulated import Emulated
from tests.venues.exchange import Backing, backing
from tests.venues.faults import Faults
from tests.venues.saxo import documents, specs
from tests.venues.saxo.desk import Declined, Desk, Invalid, Repeated
from tests.venues.saxo.documents import ACCOUNT_KEY, BY_KEY, CLIENT_KEY, Body
from tests.venues.saxo.streams import Hub, Snapshot
from tests.venues.serving import Judge, application, served

TOKEN = "eyJhbGciOiJFUzI1NiJ9.24-hours"
APP_KEY, APP_SECRET = "1234-5678-9101", "abcdefghijkl"
REFRESH_TOKEN = "first-refresh-token"

SYMBOLS = "EURUSD,GBPUSD,USDJPY,AAPL:xnas,SPY:arcx"
"""What our adapters learn at their start here; there are no yen inside."""

HORIZONS = {
    1: Timeframe.M1,
    5: Timeframe.M5,
    10: Timeframe.M10,
    15: Timeframe.M15,
    30: Timeframe.M30,
    60: Timeframe.H1,
    120: Timeframe.H2,
    240: Timeframe.H4,
    1440: Timeframe.D1,
    10_080: Timeframe.W1,
}
MOST_SAMPLES = 1200
BASE = "/sim/openapi"
STREAM = f"{BASE}/streamingws"
SESSION_LIMIT = 120

Handler = Callable[[Request], Awaitable[Any]]


def answer(body: Any, status: int = 200) -> Response:
    """JSON with numbers exactly as they are, and what Saxo says of its limits."""
    content = b"" if body is None else simplejson.dumps(body, use_decimal=True).encode()
    response = Response(content, status, media_type="application/json")
    response.headers["X-RateLimit-Session-Limit"] = str(SESSION_LIMIT)
    response.headers["X-RateLimit-Session-Remaining"] = str(SESSION_LIMIT - 1)
    response.headers["X-RateLimit-Session-Reset"] = "60"
    return response


def unlucky(status: int) -> Response:
    """Saxo has no body of its own for these."""
    response = answer({"Message": "Try again"}, status)
    if status == 429:
        response.headers["Retry-After"] = "1"
    return response


@dataclass
class Counting:
    """ASGI: how often each method of each path was asked for, whatever became of it."""

    app: ASGIApp
    seen: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.seen[f"{scope['method']} {scope['path']}"] += 1
        await self.app(scope, receive, send)


class Login:
    """Tokens: the one that does not end here, and those that the login has given."""

    def __init__(self) -> None:
        self.valid = {TOKEN}
        self.refresh = REFRESH_TOKEN
        self.life = 1200.0
        self.asked = 0

    def knows(self, token: str) -> bool:
        return token in self.valid

    async def token(self, request: Request) -> Response:
        form = await request.form()
        self.asked += 1
        pair = base64.b64encode(f"{APP_KEY}:{APP_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return answer({"error": "invalid_client"}, 401)
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh:
            return answer({"error": "invalid_grant"}, 400)
        token = f"token-{self.asked}"
        self.valid.add(token)
        self.refresh = f"refresh-{self.asked}"
        return answer(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": self.life,
                "refresh_token": self.refresh,
                "refresh_token_expires_in": 2400,
            },
            201,
        )


class Rest:
    """The routes. `page` is how many entries a page of a list has."""

    def __init__(self, desk: Desk, hub: Hub, login: Login) -> None:
        self.desk = desk
        self.hub = hub
        self.login = login
        self.page = 100
        self.sent: list[Body] = []

    def routes(self) -> list[BaseRoute]:
        orders, order_news = "/trade/v2/orders", "/port/v1/orders/subscriptions"
        price_news = "/trade/v1/infoprices/subscriptions"
        named: list[tuple[str, str, Handler]] = [
            ("POST", orders, self.place),
            ("PATCH", orders, self.change),
            ("DELETE", orders + "/{order_id}", self.cancel),
            ("POST", order_news, self.follow_orders),
            ("POST", price_news, self.follow_prices),
            ("DELETE", price_news + "/{context}/{reference}", self.forget_prices),
            ("GET", "/port/v1/users/me", self.user),
            ("GET", "/port/v1/clients/me", self.client),
            ("GET", "/port/v1/accounts/me", self.accounts),
            ("GET", "/port/v1/orders", self.open_orders),
            ("GET", "/port/v1/netpositions", self.net_positions),
            ("GET", "/port/v1/balances", self.balance),
            ("GET", "/cs/v1/audit/orderactivities", self.order_log),
            ("GET", "/ref/v1/instruments", self.instruments),
            ("GET", "/ref/v1/instruments/details", self.details),
            ("GET", "/trade/v1/infoprices/list", self.prices),
            ("GET", "/chart/v3/charts", self.candles),
        ]
        return [
            *(
                Route(BASE + path, self._answers(each), methods=[method])
                for method, path, each in named
            ),
            Route("/token", self.login.token, methods=["POST"]),
            Route(f"{STREAM}/authorize", self.authorize, methods=["PUT"]),
            WebSocketRoute(f"{STREAM}/connect", self.hub.connect),
        ]

    def _allowed(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.login.knows(token)

    def _answers(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            if not self._allowed(request):
                return Response(status_code=401)
            try:
                found = await handler(request)
            except Invalid as error:
                return answer(error.body, 400)
            except Declined as error:
                return answer(error.body)
            except Repeated:
                return answer(None, 409)
            return found if isinstance(found, Response) else answer(found)

        return answered

    async def authorize(self, request: Request) -> Response:
        if not self._allowed(request):
            return Response(status_code=401)
        self.hub.authorized.append(request.query_params["contextid"])
        return Response(status_code=202)

    # Orders

    async def _body(self, request: Request) -> Body:
        body: Body = simplejson.loads(await request.body(), use_decimal=True)
        self.sent.append(body)
        return body

    async def place(self, request: Request) -> Any:
        body = await self._body(request)
        self.desk.once(request.headers.get("x-request-id"))
        placed = await self.desk.place(body)
        return {"OrderId": placed.order_id, "ExternalReference": body.get("ExternalReference", "")}

    async def change(self, request: Request) -> Any:
        body = await self._body(request)
        self.desk.once(request.headers.get("x-request-id"))
        return {"OrderId": (await self.desk.change(body)).order_id}

    async def cancel(self, request: Request) -> Any:
        order_id = request.path_params["order_id"]
        self.desk.once(request.headers.get("x-request-id"))
        try:
            await self.desk.cancel(order_id)
        except Declined as error:
            return {"Orders": [{"OrderId": order_id, **error.body}]}
        return {"Orders": [{"OrderId": order_id}]}

    # The account

    def _listed(self, request: Request, found: list[Body], marker: str = "$skip") -> Body:
        """One page of a list, and where the next one is."""
        start = int(request.query_params.get(marker, 0))
        body: Body = {"Data": found[start : start + self.page]}
        if start + self.page < len(found):
            following = request.url.include_query_params(**{marker: start + self.page})
            body["__next"] = str(following)
        return body

    def _of_account(self, request: Request) -> None:
        if request.query_params.get("ClientKey") != CLIENT_KEY:
            raise Invalid("InvalidClientId")
        if request.query_params.get("AccountKey", ACCOUNT_KEY) != ACCOUNT_KEY:
            raise Invalid("InvalidInput")

    async def user(self, request: Request) -> Any:
        return {"ClientKey": CLIENT_KEY, "Name": "Someone", "UserId": documents.CLIENT_ID}

    async def client(self, request: Request) -> Any:
        return {"ClientKey": CLIENT_KEY, "DefaultAccountKey": ACCOUNT_KEY, "DefaultCurrency": "USD"}

    async def accounts(self, request: Request) -> Any:
        account = {
            "AccountId": documents.ACCOUNT_ID,
            "AccountKey": ACCOUNT_KEY,
            "ClientKey": CLIENT_KEY,
            "Currency": "USD",
        }
        return self._listed(request, [account])

    async def open_orders(self, request: Request) -> Any:
        self._of_account(request)
        wanted = request.query_params.get("OrderId")
        found = await self.desk.open_orders()
        return self._listed(request, [e for e in found if wanted in (None, e["OrderId"])])

    async def order_log(self, request: Request) -> Any:
        self._of_account(request)
        query = request.query_params
        since = datetime.fromisoformat(query.get("FromDateTime", "1970-01-01T00:00:00Z"))
        last = query.get("EntryType") == "Last"
        found = await (self.desk.last_of_log() if last else self.desk.log(query["OrderId"]))
        recent = [e for e in found if datetime.fromisoformat(e["ActivityTime"]) >= since]
        return self._listed(request, recent, "$skiptoken")

    async def net_positions(self, request: Request) -> Any:
        self._of_account(request)
        return self._listed(request, await self.desk.net_positions())

    async def balance(self, request: Request) -> Any:
        self._of_account(request)
        return await self.desk.balance()

    # Instruments and prices

    async def instruments(self, request: Request) -> Any:
        words = request.query_params.get("Keywords", "").lower()
        kinds = request.query_params.get("AssetTypes", "").split(",")
        if not words:
            raise Invalid("NoSearchCriteriaProvided")
        found = [
            documents.summary(each)
            for each in (documents.FOREIGN, *BY_KEY.values())
            if each.asset_type in kinds and words in f"{each.native} {each.description}".lower()
        ]
        return {"Data": found}

    async def details(self, request: Request) -> Any:
        uics = {int(each) for each in request.query_params["Uics"].split(",")}
        kinds = request.query_params["AssetTypes"].split(",")
        found = [
            documents.details(each)
            for each in BY_KEY.values()
            if each.uic in uics and each.asset_type in kinds
        ]
        return self._listed(request, found)

    async def prices(self, request: Request) -> Any:
        query = request.query_params
        return {"Data": self.desk.prices(query["Uics"].split(","), query["AssetType"])}

    async def candles(self, request: Request) -> Any:
        query = request.query_params
        product = BY_KEY.get((int(query["Uic"]), query["AssetType"]))
        timeframe = HORIZONS.get(int(query["Horizon"]))
        count = int(query.get("Count", MOST_SAMPLES))
        if product is None or timeframe is None or count > MOST_SAMPLES:
            raise Invalid("InvalidRequest")
        now = datetime.now(UTC)
        until = datetime.fromisoformat(query["Time"]) if "Time" in query else now
        wanted = BarQuery(symbol=product.inside, timeframe=timeframe, end=until, limit=count)
        bars = await self.desk.backing.market.bars(wanted, now)
        bars += self._forming(product, timeframe, int(query["Horizon"]), bars, until)
        quote = self.desk.quote(product)
        spread = quote.ask - quote.bid
        return {"Data": [documents.sample(product, bar, spread) for bar in bars[-count:]]}

    def _forming(
        self,
        product: documents.Product,
        timeframe: Timeframe,
        minutes: int,
        bars: list[Bar],
        until: datetime,
    ) -> list[Bar]:
        """The candle that has not closed yet, which Saxo tells along, where the window has it."""
        length = timedelta(minutes=minutes)
        now = datetime.now(UTC)
        if not bars or bars[-1].timestamp + length > min(until, now):
            return []
        if bars[-1].timestamp + 2 * length <= now:
            return []  # a market that was closed has none
        price = self.desk.quote(product).bid
        return [
            Bar(
                symbol=product.inside,
                provider="saxo",
                timeframe=timeframe,
                timestamp=bars[-1].timestamp + length,
                open=price,
                high=price,
                low=price,
                close=price,
                volume=Decimal(0),
            )
        ]

    # Subscriptions

    async def _follow(self, request: Request, body: Body, key: str, ask: Snapshot) -> Any:
        return answer(
            await self.hub.subscribe(body, request.url.path.removeprefix(BASE), key, ask), 201
        )

    async def follow_orders(self, request: Request) -> Any:
        body = await self._body(request)
        if body["Arguments"]["ClientKey"] != CLIENT_KEY:
            raise Invalid("InvalidClientId")
        return await self._follow(request, body, "OrderId", self.desk.open_orders)

    async def follow_prices(self, request: Request) -> Any:
        body = await self._body(request)
        arguments = body["Arguments"]
        uics = arguments["Uics"].split(",")

        async def ask() -> list[Body]:
            return self.desk.prices(uics, arguments["AssetType"])

        return await self._follow(request, body, "Uic", ask)

    async def forget_prices(self, request: Request) -> Any:
        self.hub.unsubscribe(request.path_params["context"], request.path_params["reference"])
        return Response(status_code=204)


@dataclass(frozen=True)
class Rig:
    """The emulator and its insides."""

    emulated: Emulated
    desk: Desk
    hub: Hub
    rest: Rest
    login: Login
    requests: Counter[str]
    settings: SaxoSettings

    def sent(self, method: str, path: str) -> int:
        """How often something was asked for."""
        return self.requests[f"{method} {BASE}{path}"]


@asynccontextmanager
async def rigged(
    folder: Path, faults: Faults, *, port: int = 0, **exchange: object
) -> AsyncIterator[Rig]:
    """The emulator with everything in it that a test may want to look at."""
    # Pairs cost their spread; what shares cost is not in Saxo's log of orders.
    chosen = {"maker_fee": 0, "taker_fee": 0, **exchange}
    async with backing(folder, **chosen) as inside:
        desk, login = Desk(inside, faults), Login()
        hub = Hub(faults, login.knows)
        rest = Rest(desk, hub, login)
        judge = Judge({f"{BASE}/{group}/": specs.contract(group) for group in specs.GROUPS})
        streams = (STREAM,)
        app = Counting(application(rest.routes(), judge, faults, unlucky=unlucky, streams=streams))
        async with desk.running(), served(app, port=port) as bound:
            settings = settings_for(bound)
            emulated = emulated_by(settings, bound, judge, faults, inside)
            yield Rig(emulated, desk, hub, rest, login, app.seen, settings)


def settings_for(port: int, **changes: Any) -> SaxoSettings:
    usual: dict[str, Any] = {
        "access_token": SecretStr(TOKEN),
        "symbols": SYMBOLS,
        "rest_url": f"http://127.0.0.1:{port}{BASE}",
        "stream_url": f"ws://127.0.0.1:{port}{STREAM}",
        "auth_url": f"http://127.0.0.1:{port}",
    }
    return SaxoSettings(_env_file=None, **usual | changes)


def emulated_by(
    settings: SaxoSettings, port: int, judge: Judge, faults: Faults, inside: Backing
) -> Emulated:
    environment = {
        f"{PREFIX}ACCESS_TOKEN": TOKEN,
        f"{PREFIX}REST_URL": settings.rest_url,
        f"{PREFIX}STREAM_URL": settings.stream_url,
        f"{PREFIX}AUTH_URL": settings.auth_url,
    }
    return Emulated(
        provider="saxo",
        symbol="EUR/USD",
        environment=environment,
        judge=judge,
        faults=faults,
        backing=inside,
        venue=lambda: SaxoVenue(settings),
        feed=lambda: SaxoFeed(settings),
    )


@asynccontextmanager
async def emulator(
    folder: Path, faults: Faults, *, port: int = 0, **exchange: object
) -> AsyncIterator[Emulated]:
    """See `tests.venues.emulated`."""
    async with rigged(folder, faults, port=port, **exchange) as rig:
        yield rig.emulated
