"""A crypto exchange behind ccxt as a venue: spot orders, in cash, in one currency."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from providers.base import Instrument
from providers.ccxt import parse
from providers.ccxt.client import Client
from providers.ccxt.exchanges import Exchange, known
from providers.ccxt.feed import CcxtFeed
from providers.ccxt.settings import CcxtSettings
from providers.ccxt.watching import Watch
from providers.errors import SymbolNotFound, UnsupportedOperation
from providers.live.reconnecting import reconnecting
from providers.live.venue import (
    Amends,
    Execution,
    Feed,
    Funds,
    Gone,
    Holding,
    Limits,
    Progress,
    Report,
    Ticket,
    Traits,
    Update,
    Venue,
)
from providers.models import AssetClass, OrderType, RateLimits, TimeInForce

log = logging.getLogger(__name__)

FILLS_TOLD: Final = 100
"""How many fills an exchange tells at once, where ccxt does not say."""


class CcxtVenue:
    """One account at one exchange. Raises ValueError for one that cannot be a venue here."""

    def __init__(self, settings: CcxtSettings) -> None:
        self._settings = settings
        self._exchange = known(settings.exchange, settings.client_id_pattern)
        self._client = Client(settings, private=True)
        if not parse.fixed_steps(self._client.library.precisionMode):
            raise ValueError(f"{settings.exchange} has no fixed steps of price")
        self.name = self._client.name
        self._instruments: Mapping[str, Instrument] = MappingProxyType({})
        self._watch = Watch(self, self._told(), settings.poll_interval)

    @property
    def traits(self) -> Traits:
        return traits(self._client, self._exchange)

    @property
    def limits(self) -> Limits | None:
        """ccxt keeps to the limits by itself, and does not tell."""
        return None

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._instruments

    async def start(self) -> None:
        """Learn the markets, and by asking for the balance whether the key is right."""
        markets = await self._client.read("load_markets")
        self._instruments = MappingProxyType(
            parse.instruments(
                markets.values(),
                self._client.library.precisionMode,
                self._settings.quote_currency,
                self._settings.chosen,
            )
        )
        await self._client.read("fetch_balance")

    async def stop(self) -> None:
        await self._client.close()

    # Orders

    async def submit(self, ticket: Ticket) -> Report:
        sent = parse.to_order(ticket, self._exchange, self._listed(ticket.symbol))
        order = await self._client.command(
            "create_order",
            sent.symbol,
            sent.type,
            sent.side,
            sent.amount,
            sent.price,
            dict(sent.params),
        )
        report = parse.accepted(order, ticket, datetime.now(UTC))
        self._watch.expect(report)
        return report

    async def replace(self, ticket: Ticket, changed: Ticket) -> Report:  # noqa: ARG002
        """Raises UnsupportedOperation: not called, see `Traits.amends`."""
        raise UnsupportedOperation("changing an order in one step")

    async def cancel(self, ticket: Ticket) -> Report | None:
        venue_id = ticket.venue_id or await self._venue_id(ticket)
        symbol = None if self._exchange.cancel_by_id else ticket.symbol
        await self._client.command("cancel_order", venue_id, symbol)
        self._watch.nudge()
        return None

    async def _venue_id(self, ticket: Ticket) -> str:
        found = await self.find(ticket)
        if found is None:
            raise Gone(f"{self.name} does not know the order")
        return found.venue_id

    async def find(self, ticket: Ticket) -> Report | None:
        for method, parameter in self._exchange.finds:
            found = await self._found(method, parameter, ticket)
            if found is not None:
                return parse.report(found, datetime.now(UTC), ticket)
        if ticket.venue_id is not None and self._exchange.forgets:
            return parse.from_ticket(ticket, ticket.venue_id, Progress.CANCELLED, datetime.now(UTC))
        return None

    async def _found(self, method: str, parameter: str, ticket: Ticket) -> Mapping[str, Any] | None:
        """The order of a client id, asked for by itself or in a list of those that have it."""
        asked = {parameter: ticket.client_id}
        if method == "fetch_order":
            try:
                found = await self._client.read(method, None, ticket.symbol, asked)
            except Gone:
                return None
            return dict(found)
        orders = await self._client.read(method, ticket.symbol, None, None, asked)
        return next((each for each in orders if each["clientOrderId"] == ticket.client_id), None)

    async def look(self, last: Report) -> Report:
        """How an order stands that was last told so."""
        now = datetime.now(UTC)
        try:
            order = await self._client.read("fetch_order", last.venue_id, last.symbol)
        except Gone:
            if self._exchange.forgets and not last.filled:
                return gone(last, now)
            raise
        return parse.report(order, now, as_ticket(last))

    async def open_orders(self) -> Sequence[Report]:
        needs_symbol = self._client.feature("fetchOpenOrders").get("symbolRequired")
        symbols: Iterable[str | None] = sorted(self._instruments) if needs_symbol else (None,)
        orders = [
            order
            for symbol in symbols
            for order in await self._client.read("fetch_open_orders", symbol)
        ]
        now = datetime.now(UTC)
        return [parse.report(each, now) for each in orders if each["symbol"] in self._instruments]

    async def executions(self, ticket: Ticket) -> Sequence[Execution] | None:
        order = await self.find(ticket)
        if order is None or not order.filled:
            return ()
        trades = await self._trades(order)
        listed = self._listed(ticket.symbol)
        told = parse.executions(trades, listed, (await self._rates(trades, listed)).get)
        limit = self._client.feature("fetchMyTrades").get("limit") or FILLS_TOLD
        if len(told) >= limit and told[-1].cumulative < order.filled:
            log.warning("%s tells only the last %d fills of an order", self.name, len(told))
            return None
        return told

    async def _trades(self, order: Report) -> list[Mapping[str, Any]]:
        """The fills of an order, by one of two calls of which each exchange has one at least."""
        if self._client.library.has.get("fetchOrderTrades") is True:
            found = await self._client.read("fetch_order_trades", order.venue_id, order.symbol)
        else:
            found = await self._client.read("fetch_my_trades", order.symbol)
        return [each for each in found if str(each["order"]) == order.venue_id]

    async def _rates(
        self, trades: Sequence[Mapping[str, Any]], listed: Instrument
    ) -> Mapping[str, Decimal]:
        """What the currencies of fees are worth now, such as an exchange's own coin.

        A fee in one that has no market here counts as nothing, which is logged.
        """
        rates = {}
        for currency in sorted(parse.fee_currencies(trades, listed)):
            symbol = f"{currency}/{listed.currency}"
            if symbol not in self._client.library.markets:
                log.warning("%s: a fee in %s cannot be converted", self.name, currency)
                continue
            ticker = await self._client.read("fetch_ticker", symbol)
            rates[currency] = parse.needed(ticker, "last")
        return rates

    # The account

    async def holdings(self) -> Sequence[Holding]:
        balance = await self._client.read("fetch_balance")
        return parse.holdings(balance, self._instruments, self._settings.quote_currency)

    async def funds(self) -> Funds:
        balance = await self._client.read("fetch_balance")
        return parse.funds(balance, self._settings.quote_currency)

    async def ping(self) -> None:
        if self._client.has("fetchTime"):
            await self._client.read("fetch_time")
        else:
            await self._client.read("fetch_ticker", min(self._instruments))

    def updates(self) -> AsyncIterator[Update]:
        return reconnecting(self.name, self._watch.session)

    def _told(self) -> Any:
        """What waits for the exchange's stream of orders to tell something, if it has one."""
        if not self._client.streams:
            return None
        if self._exchange.watch_by_symbol and self._client.has("watchOrdersForSymbols"):
            return lambda: self._client.watch("watch_orders_for_symbols", sorted(self._instruments))
        if self._client.has("watchOrders") and not self._exchange.watch_by_symbol:
            return lambda: self._client.watch("watch_orders")
        return None

    def _listed(self, symbol: str) -> Instrument:
        try:
            return self._instruments[symbol]
        except KeyError:
            raise SymbolNotFound(symbol) from None


def traits(client: Client, exchange: Exchange) -> Traits:
    """What ccxt declares that spot orders of an exchange can do."""
    create = client.feature("createOrder")
    takes = create.get("timeInForce") or {}
    gtc, ioc = TimeInForce.GTC, TimeInForce.IOC
    limit = {each for each in (ioc, TimeInForce.FOK) if takes.get(each.value)} | {gtc}
    orders = {OrderType.MARKET: frozenset({gtc, ioc}), OrderType.LIMIT: frozenset(limit)}
    if create.get("triggerPrice"):
        orders |= {each: frozenset({gtc}) for each in exchange.stops}
    crypto = AssetClass.CRYPTO
    return Traits(
        orders={crypto: orders},
        amends=Amends.NONE,
        money_is_cash=True,
        post_only=frozenset({crypto} if takes.get("PO") else ()),
        client_ids=exchange.client_ids,
        rate_limits=RateLimits(requests_per_minute=round(60_000 / client.library.rateLimit)),
    )


def as_ticket(report: Report) -> Ticket | None:
    """The ticket that a report is about, as far as it tells; None for a stranger's order."""
    if not report.client_id:
        return None
    return Ticket(
        client_id=report.client_id,
        symbol=report.symbol,
        side=report.side,
        order_type=report.order_type,
        quantity=report.quantity,
        time_in_force=report.time_in_force,
        limit_price=report.limit_price,
        stop_price=report.stop_price,
        venue_id=report.venue_id,
    )


def gone(last: Report, now: datetime) -> Report:
    """An order that the exchange has forgotten, which it does where nothing of it filled."""
    ticket = as_ticket(last)
    if ticket is None:
        raise Gone(f"order {last.venue_id} is not known any more")
    return parse.from_ticket(ticket, last.venue_id, Progress.CANCELLED, now)


def venue(settings: CcxtSettings) -> Venue:
    return CcxtVenue(settings)


def feed(settings: CcxtSettings) -> Feed:
    return CcxtFeed(settings)
