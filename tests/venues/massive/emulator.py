"""Massive's REST API and streams, over the market of the exchange inside."""

from __future__ import annotations

import copy
import functools
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from providers.live.venue import Feed
from providers.massive.provider import feed
from providers.massive.settings import MassiveSettings
from tests.venues.contract import Contract, find, read
from tests.venues.exchange import Backing, backing
from tests.venues.faults import Faults
from tests.venues.massive import answers
from tests.venues.massive.aggregates import Asked, page
from tests.venues.massive.streams import Streams
from tests.venues.serving import Judge, application, served

KEY = "emulated-key"
SPECIFICATION = "massive-rest-js.json"
SERVER = "https://api.massive.com"
ID = "6a7e466379af0a71039d60cc78e72282"


@functools.cache
def contract() -> Contract | None:
    """Massive's document, amended; None where it is not at hand."""
    path = find(SPECIFICATION)
    return None if path is None else Contract(amended(read(path)), SERVER)


def amended(document: dict[str, Any]) -> dict[str, Any]:
    """The document says that the key is a query parameter, and no more.

    Massive's own clients send it as a bearer token, which keeps it out of logs; so do we.
    """
    document = copy.copy(document)
    schemes = {"apiKey": {"type": "http", "scheme": "bearer"}}
    document["components"] = {**document["components"], "securitySchemes": schemes}
    return document


@dataclass(frozen=True, kw_only=True)
class EmulatedFeed:
    """A running emulator; as `tests.venues.emulated.Emulated`, but without anything to trade on.

    `requests` are those that were served, and `streams` the connections to the streams.
    """

    provider: str
    symbol: str
    environment: Mapping[str, str]
    judge: Judge
    faults: Faults
    backing: Backing
    feed: Callable[[], Feed]
    settings: MassiveSettings
    requests: list[str]
    streams: Streams


class Massive:
    """The routes."""

    def __init__(self, inside: Backing) -> None:
        self.requests: list[str] = []
        self._inside = inside
        self._listed = {answers.ticker(each): each for each in inside.market.instruments.values()}

    def routes(self) -> list[Route]:
        aggregates = "/v2/aggs/ticker/{ticker}/range/{multiplier:int}/{timespan}/{first}/{last}"
        return [
            Route("/v3/reference/tickers", self._known(self.reference)),
            Route("/v3/snapshot", self._known(self.snapshot)),
            Route(aggregates, self._known(self.aggregates)),
        ]

    def _known(self, handler: Any) -> Any:
        """Only for those who have the key."""

        async def endpoint(request: Request) -> Response:
            self.requests.append(request.url.path)
            if request.headers.get("authorization") != f"Bearer {KEY}":
                wrong = {"status": "ERROR", "request_id": ID, "error": "Unknown API Key"}
                return JSONResponse(wrong, 401)
            found: Response = await handler(request)
            return found

        return endpoint

    async def reference(self, request: Request) -> Response:
        listed = self._listed.get(request.query_params.get("ticker", ""))
        results = [] if listed is None else [answers.reference(listed)]
        return answered(results=results, status="OK", count=len(results))

    async def snapshot(self, request: Request) -> Response:
        tickers = request.query_params.get("ticker.any_of", "").split(",")
        limit = int(request.query_params.get("limit", "10"))
        results = [self._one(each) for each in sorted(tickers)[:limit]]
        return answered(results=results, status="OK")

    def _one(self, ticker: str) -> dict[str, Any]:
        listed = self._listed.get(ticker)
        if listed is None:
            return {"ticker": ticker, "error": "NOT_FOUND", "message": "Ticker not found."}
        quote = self._inside.market.quote(listed.symbol, self._inside.exchange.now())
        return answers.snapshot(listed, quote)

    async def aggregates(self, request: Request) -> Response:
        ticker = request.path_params["ticker"]
        listed = self._listed.get(ticker)
        if listed is None:
            return answered(ticker=ticker, status="OK", adjusted=True, queryCount=0, resultsCount=0)
        asked = Asked.of(request.path_params, request.query_params)
        found = await page(self._inside, listed, asked)
        more = {} if found.following is None else {"next_url": self._next(request, found.following)}
        return answered(
            ticker=ticker,
            status="OK",
            adjusted=True,
            queryCount=found.base,
            resultsCount=len(found.results),
            results=found.results,
            **more,
        )

    def _next(self, request: Request, last: int) -> str:
        """An address at Massive's own host, as it always is; without the key."""
        kept = {name: request.query_params[name] for name in ("adjusted", "sort", "limit")}
        query = "&".join(f"{name}={value}" for name, value in kept.items())
        return f"{SERVER}{request.url.path.rpartition('/')[0]}/{last}?{query}"


def answered(**content: Any) -> Response:
    """Decimals become numbers, as Massive has them."""
    body = orjson.dumps({"request_id": ID, **content}, default=float)
    return Response(body, media_type="application/json")


def unlucky(status: int) -> Response:
    return JSONResponse({"status": "ERROR", "request_id": str(uuid.UUID(int=1))}, status)


@asynccontextmanager
async def emulator(
    folder: Path, faults: Faults, *, port: int = 0, **exchange: object
) -> AsyncIterator[EmulatedFeed]:
    """Start it; `exchange` are settings of the exchange inside, see `exchange.backing`."""
    document = contract()
    judge = Judge({} if document is None else {"/": document})
    async with backing(folder, **exchange) as inside:
        massive, streams = Massive(inside), Streams(inside, faults, judge, KEY)
        sockets = [WebSocketRoute(f"/{name}", streams.serve) for name in answers.CLUSTERS]
        app = application([*massive.routes(), *sockets], judge, faults, unlucky=unlucky)
        async with streams.telling(), served(app, port=port) as bound:
            yield emulated(massive, streams, judge, faults, bound, inside)


def emulated(
    massive: Massive, streams: Streams, judge: Judge, faults: Faults, port: int, inside: Backing
) -> EmulatedFeed:
    options = {
        "api_key": KEY,
        "base_url": f"http://127.0.0.1:{port}",
        "socket_url": f"ws://127.0.0.1:{port}",
    }
    settings = MassiveSettings(**options)  # type: ignore[arg-type]
    return EmulatedFeed(
        provider="massive",
        symbol="BTC/USD",
        environment={f"TRADING_API_MASSIVE_{name.upper()}": v for name, v in options.items()},
        judge=judge,
        faults=faults,
        backing=inside,
        feed=lambda: feed(settings),
        settings=settings,
        requests=massive.requests,
        streams=streams,
    )
