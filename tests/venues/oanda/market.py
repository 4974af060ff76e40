"""Prices and candles of the exchange inside, as OANDA tells them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from providers.base import BarQuery, Instrument
from providers.market_data.aggregate import SECONDS, floor_to, to_datetime, to_seconds
from providers.models import Bar, Quote, Timeframe
from tests.venues.exchange import Backing
from tests.venues.oanda.shapes import Json, candle_json, malformed, price_json, stamp, symbol_of

GRANULARITIES = {
    "M1": Timeframe.M1,
    "M2": Timeframe.M2,
    "M5": Timeframe.M5,
    "M10": Timeframe.M10,
    "M15": Timeframe.M15,
    "M30": Timeframe.M30,
    "H1": Timeframe.H1,
    "H2": Timeframe.H2,
    "H4": Timeframe.H4,
    "H12": Timeframe.H12,
    "D": Timeframe.D1,
    "W": Timeframe.W1,
}
MOST = 5000
ALIGNED = {"dailyAlignment": "0", "alignmentTimezone": "UTC", "weeklyAlignment": "Monday"}
"""How the bars of the exchange inside are aligned; others are not emulated."""


class Prices:
    """The market of the exchange inside; its last price counts as the midpoint. Its prices change
    every `tick` seconds.
    """

    def __init__(self, inside: Backing, pairs: Mapping[str, Instrument], tick: float) -> None:
        self._market = inside.market
        self.pairs = pairs
        self.tick = tick

    def quote(self, symbol: str) -> Quote:
        return self._market.quote(symbol, datetime.now(UTC))

    def price(self, symbol: str) -> Json:
        return price_json(self.quote(symbol), self.pairs[symbol])

    def wanted(self, request: Request) -> list[str]:
        """The symbols that a request names. Raises Problem for one that is not known."""
        names = request.query_params["instruments"].split(",")
        symbols = [symbol_of(name) for name in names]
        if not set(symbols) <= set(self.pairs):
            raise malformed("Invalid value specified for 'instruments'")
        return symbols

    async def pricing(self, request: Request) -> Response:
        prices = [self.price(symbol) for symbol in self.wanted(request)]
        return JSONResponse({"prices": prices, "time": stamp(datetime.now(UTC))})

    async def candles(self, request: Request) -> Response:
        asked = request.query_params
        symbol = symbol_of(request.path_params["instrument"])
        if symbol not in self.pairs:
            raise malformed("Invalid value specified for 'instrument'")
        granularity = asked.get("granularity", "S5")
        if granularity not in GRANULARITIES or asked.get("price", "M") != "M":
            raise malformed("Invalid value specified for 'granularity'")
        if any(asked.get(name) != value for name, value in ALIGNED.items()):
            raise malformed("Invalid value specified for 'dailyAlignment'")
        count = int(asked.get("count", "500"))
        if count > MOST:
            raise malformed("Maximum value for 'count' exceeded")
        found = await self._candles(symbol, GRANULARITIES[granularity], count, asked.get("to"))
        name = request.path_params["instrument"]
        return JSONResponse({"instrument": name, "granularity": granularity, "candles": found})

    async def _candles(
        self, symbol: str, timeframe: Timeframe, count: int, to: str | None
    ) -> list[Json]:
        """The newest candles that opened before a moment, the one in progress among them."""
        now = datetime.now(UTC)
        until = datetime.fromisoformat(to) if to is not None else now
        if until > now:
            raise malformed("Invalid value specified for 'to'. Time is in the future")
        span = SECONDS[timeframe]
        last = to_datetime(floor_to(to_seconds(until) - 1, span))
        query = BarQuery(symbol=symbol, timeframe=timeframe, end=last, limit=count)
        bars = await self._market.bars(query, now)
        found = [candle_json(bar, self.pairs[symbol]) for bar in bars]
        if to_seconds(last) + span > to_seconds(now):
            found.append(self._in_progress(symbol, timeframe, last))
        return found[-count:]

    def _in_progress(self, symbol: str, timeframe: Timeframe, opened: datetime) -> Json:
        """The candle that is not complete, as far as a quote tells."""
        quote = self.quote(symbol)
        middle = (quote.bid + quote.ask) / 2
        bar = Bar(
            symbol=symbol,
            provider="emulated",
            timeframe=timeframe,
            timestamp=opened,
            open=middle,
            high=middle,
            low=middle,
            close=middle,
            volume=quote.bid_size or middle,
        )
        return candle_json(bar, self.pairs[symbol], complete=False)

    def handlers(self) -> dict[str, Callable[[Request], Awaitable[Any]]]:
        return {
            "/v3/accounts/{account}/pricing": self.pricing,
            "/v3/instruments/{instrument}/candles": self.candles,
        }
