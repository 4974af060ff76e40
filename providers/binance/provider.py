"""Binance spot behind the ports of a live venue: one account, and a source of prices.

What is traded is what is quoted in one asset, by default USDT: that is the currency of the
account, and the balances of other assets are what it holds. There is no leverage and nothing can
be sold that is not held.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from providers.base import BarQuery, Clock, Instrument
from providers.binance import market, parse
from providers.binance.client import Client, utc_now
from providers.binance.errors import Archived
from providers.binance.market import Interval, Listing
from providers.binance.parse import Fee
from providers.binance.settings import BinanceSettings
from providers.binance.streams import account_session, market_session, quote_reader
from providers.binance.wire import MILLISECOND, amount, native_id, native_symbol, reading, to_ms
from providers.errors import InvalidValue, ProviderError, SymbolNotFound, UnsupportedOperation
from providers.live.reconnecting import reconnecting
from providers.live.venue import (
    Amends,
    Connection,
    Execution,
    Funds,
    Gone,
    Holding,
    Limits,
    Refused,
    Report,
    Ticket,
    Traits,
    Update,
    Wanted,
)
from providers.models import AssetClass, Bar, Quote, RateLimits, RejectReason

TRADES_PER_PAGE: Final = 1000
CANDLES_PER_PAGE: Final = 1000
MOST_NAMED: Final = 100
"""Of more symbols than this, those of all are asked for: that is cheaper, and the URL stays short.
"""


class Directory:
    """The symbols that can be traded, by the venue's names and by ours."""

    def __init__(self, client: Client, quote_asset: str) -> None:
        self._client = client
        self._quote_asset = quote_asset
        self.listings: dict[str, Listing] = {}
        self.instruments: Mapping[str, Instrument] = MappingProxyType({})
        self.rate_limits: RateLimits | None = None

    async def load(self) -> None:
        body = await self._client.public("/api/v3/exchangeInfo")
        self.rate_limits = market.rate_limits(body)
        self._client.weight_limit = self.rate_limits.requests_per_minute
        self._take(market.listings(body, self._quote_asset))

    async def look_up(self, symbol: str) -> Listing:
        """A symbol that may have been listed since. Raises SymbolNotFound."""
        known = self.find(symbol)
        if known is not None:
            return known
        body = await self._client.look_up(native_symbol(symbol))
        if body is not None:
            self._take(self.listings | market.listings(body, self._quote_asset))
        found = self.find(symbol)
        if found is None:
            raise SymbolNotFound(symbol)
        return found

    def find(self, symbol: str) -> Listing | None:
        """By the canonical symbol."""
        listing = self.listings.get(native_symbol(symbol))
        return listing if listing is not None and listing.symbol == symbol else None

    def _take(self, listings: dict[str, Listing]) -> None:
        self.listings = listings
        self.instruments = MappingProxyType(
            {each.symbol: each.instrument for each in listings.values()}
        )


class BinanceVenue:
    """One account. Raises ValueError where credentials are missing."""

    def __init__(self, settings: BinanceSettings, *, clock: Clock = utc_now) -> None:
        self.name = f"binance-{settings.environment.value}"
        self._quote_asset = settings.quote_asset
        self._ws_api = settings.endpoints.ws_api
        self._client = Client(self.name, settings, clock=clock, trades=True)
        self._directory = Directory(self._client, settings.quote_asset)

    @property
    def traits(self) -> Traits:
        """Once it has started: order types are those that all of the symbols take."""
        listings = self._directory.listings.values()
        crypto = frozenset({AssetClass.CRYPTO})
        none = frozenset[AssetClass]()
        makes_only = all("LIMIT_MAKER" in each.order_types for each in listings)
        return Traits(
            orders={AssetClass.CRYPTO: market.native_orders(listings)},
            amends=Amends.NONE,
            money_is_cash=True,
            dedupes=False,
            post_only=crypto if makes_only else none,
            iceberg=crypto if all(each.iceberg for each in listings) else none,
            client_ids=r"[.A-Z:/a-z0-9_-]{1,36}",
            rate_limits=self._directory.rate_limits,
        )

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._directory.instruments

    @property
    def limits(self) -> Limits | None:
        """What is left of this minute's requests, as far as the venue has told."""
        return self._client.limits

    async def start(self) -> None:
        """Raises ProviderError where the venue does not accept the key."""
        await self._client.synchronize()
        await self._directory.load()
        await self._account()

    async def stop(self) -> None:
        await self._client.close()

    async def submit(self, ticket: Ticket) -> Report:
        listing = self._directory.find(ticket.symbol)
        if listing is None:
            raise Refused(RejectReason.SYMBOL_NOT_TRADEABLE, f"{ticket.symbol} is not listed")
        query = parse.order_query(ticket, listing)
        body = await self._client.command("POST", "/api/v3/order", query)
        return parse.new_order_report(body, listing, ticket)

    async def replace(self, ticket: Ticket, changed: Ticket) -> Report:  # noqa: ARG002
        """Never called: `amends` is NONE."""
        raise UnsupportedOperation("changing a working order")

    async def cancel(self, ticket: Ticket) -> Report | None:
        listing = self._listing(ticket)
        body = await self._client.command("DELETE", "/api/v3/order", _named(ticket, listing))
        return parse.cancel_report(body, listing, ticket)

    async def find(self, ticket: Ticket) -> Report | None:
        """By the client id, also after a cancel, which had one of its own."""
        listing = self._listing(ticket)
        query = {"symbol": listing.native, "origClientOrderId": ticket.client_id}
        try:
            body = await self._client.read("/api/v3/order", query)
        except Archived:
            return parse.archived_report(ticket, self._client.time.now())
        except Gone:
            return None
        return parse.order_report({**body, "clientOrderId": ticket.client_id}, listing)

    async def open_orders(self) -> Sequence[Report]:
        """Those of symbols that are not quoted in the account's currency are left out."""
        body = await self._client.read("/api/v3/openOrders")
        return parse.order_reports(body, self._directory.listings)

    async def executions(self, ticket: Ticket) -> Sequence[Execution]:
        listing = self._listing(ticket)
        venue_id = ticket.venue_id
        if venue_id is None:
            found = await self.find(ticket)
            if found is None:
                return []
            venue_id = found.venue_id
        trades = await self._trades(listing, native_id(venue_id))
        fees = parse.foreign_fees(trades, listing)
        prices = {fee: await self._price(fee) for fee in sorted(fees)}
        return parse.executions(trades, listing, prices)

    async def holdings(self) -> Sequence[Holding]:
        listings = self._directory.listings
        return parse.holdings(await self._account(), listings, self._quote_asset)

    async def funds(self) -> Funds:
        return parse.funds(await self._account(), self._quote_asset)

    async def ping(self) -> None:
        await self._client.public("/api/v3/ping")

    def updates(self) -> AsyncIterator[Update]:
        return reconnecting(
            self.name,
            lambda: account_session(self._ws_api, self._client, lambda: self._directory.listings),
        )

    def _listing(self, ticket: Ticket) -> Listing:
        """Raises ProviderError for a symbol that has gone from the venue's list."""
        listing = self._directory.find(ticket.symbol)
        if listing is None:
            raise ProviderError(f"{self.name} does not list {ticket.symbol} any more")
        return listing

    async def _account(self) -> Any:
        return await self._client.read("/api/v3/account")

    async def _trades(self, listing: Listing, order: str) -> list[Any]:
        """All trades of an order, as they were made: their ids count up."""
        trades: list[Any] = []
        page: list[Any] = []
        first = 0
        while not trades or len(page) == TRADES_PER_PAGE:
            query = {
                "symbol": listing.native,
                "orderId": order,
                "fromId": str(first),
                "limit": str(TRADES_PER_PAGE),
            }
            page = await self._client.read("/api/v3/myTrades", query)
            if not page:
                break
            trades += page
            first = reading(_next_id, page)
        return trades

    async def _price(self, fee: Fee) -> Decimal:
        """What the asset of a commission was worth when it was taken: the opening of that minute.

        The price of now would be another one each time that the commission is asked for.
        """
        symbol = fee.asset + self._quote_asset
        query = {"symbol": symbol, "interval": "1m", "limit": "1"}
        query["startTime"] = str(to_ms(fee.minute))
        body = await self._client.public("/api/v3/klines", query)
        return reading(_opening, body)


def _named(ticket: Ticket, listing: Listing) -> dict[str, str]:
    """An order to be cancelled: by the venue's id, once it is known."""
    query = {"symbol": listing.native}
    if ticket.venue_id is not None:
        return query | {"orderId": native_id(ticket.venue_id)}
    return query | {"origClientOrderId": ticket.client_id}


def _next_id(page: list[Any]) -> int:
    return int(page[-1]["id"]) + 1


def _opening(body: Any) -> Decimal:
    return amount(body[0][1])


class BinanceFeed:
    """Prices, for which no key is needed."""

    name = "binance"

    def __init__(self, settings: BinanceSettings, *, clock: Clock = utc_now) -> None:
        self._stream_url = settings.endpoints.stream
        self._client = Client(self.name, settings, clock=clock)
        self._directory = Directory(self._client, settings.quote_asset)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._directory.instruments

    @property
    def limits(self) -> Limits | None:
        """What is left of this minute's requests, as far as the venue has told."""
        return self._client.limits

    async def start(self) -> None:
        await self._directory.load()

    async def stop(self) -> None:
        await self._client.close()

    async def look_up(self, symbol: str) -> Instrument:
        return (await self._directory.look_up(symbol)).instrument

    async def quotes(self, symbols: Iterable[str]) -> Sequence[Quote]:
        """Book tickers, at the time of the answer: the venue tells none."""
        found = map(self._directory.find, dict.fromkeys(symbols))
        wanted = {each.native: each for each in found if each is not None}
        if not wanted:
            return []
        names = json.dumps(list(wanted), separators=(",", ":"))
        query = {"symbols": names} if len(wanted) <= MOST_NAMED else None
        body = await self._client.public("/api/v3/ticker/bookTicker", query)
        return market.quotes(body, wanted, self.name, self._client.time.clock())

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        """Timeframes of 2 and 10 minutes are made of candles of 1 and 5."""
        listing = await self._directory.look_up(query.symbol)
        interval = market.INTERVALS.get(query.timeframe)
        if interval is None:
            raise InvalidValue("timeframe", query.timeframe.value, "Binance has no such candles")
        last = market.floor_to(at, interval.whole) - interval.whole
        if query.end is not None:
            last = min(last, market.floor_to(query.end, interval.whole))
        fine = await self._candles(query, listing, interval, last)
        bars = market.merged(fine, interval.whole) if interval.count > 1 else fine
        start = query.start
        kept = [bar for bar in bars if start is None or bar.timestamp >= start]
        return kept[-query.limit :]

    def stream(self, wanted: Wanted) -> AsyncIterator[Quote | Connection]:
        def listings() -> Mapping[str, Listing]:
            return self._directory.listings

        read = quote_reader(listings, self.name, self._client)
        return reconnecting(
            f"{self.name} prices",
            lambda: market_session(self._stream_url, wanted, listings, read),
        )

    async def _candles(
        self, query: BarQuery, listing: Listing, interval: Interval, last: datetime
    ) -> list[Bar]:
        """Candles up to the end of the bar that opens at `last`, asked for from there backwards.

        Where bars are made of several candles, and candles are missing, the oldest bar may begin
        before the oldest candle that was read: one bar more than wanted is read, therefore.
        """
        candles: list[Bar] = []
        before = last + interval.whole
        while True:
            missing = (query.limit + 1) * interval.count - len(candles)
            limit = min(max(missing, interval.count), CANDLES_PER_PAGE)
            asked = {
                "symbol": listing.native,
                "interval": interval.name,
                "endTime": str(to_ms(before - MILLISECOND)),
                "limit": str(limit),
            }
            body = await self._client.public("/api/v3/klines", asked)
            page = market.candles(body, listing, self.name, query.timeframe)
            candles = page + candles
            opened = {market.floor_to(bar.timestamp, interval.whole) for bar in candles}
            if len(page) < limit or len(opened) > query.limit:
                return candles
            before = candles[0].timestamp
            if query.start is not None and before <= query.start:
                return candles


def venue(settings: BinanceSettings) -> BinanceVenue:
    return BinanceVenue(settings)


def feed(settings: BinanceSettings) -> BinanceFeed:
    return BinanceFeed(settings)
