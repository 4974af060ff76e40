"""Saxo behind the ports of a live venue: one account for pairs and shares."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from providers.base import Instrument
from providers.errors import ProviderError, ProviderUnavailable, RateLimited, SymbolNotFound
from providers.live.reconnecting import reconnecting
from providers.live.venue import (
    Amends,
    Execution,
    Funds,
    Gone,
    Holding,
    Limits,
    Refused,
    Report,
    Ticket,
    Traits,
    Unanswered,
    Update,
)
from providers.models import (
    AssetClass,
    OrderType,
    RateLimits,
    RejectReason,
    TimeInForce,
    TrailingType,
)
from providers.saxo import listings, parse
from providers.saxo.catalog import Catalog
from providers.saxo.client import ORDERS, Client, Keys, utc_now
from providers.saxo.feed import SaxoFeed
from providers.saxo.listings import Listing
from providers.saxo.orders import Followers, Reports, Session, ended
from providers.saxo.parse import Entry
from providers.saxo.settings import SaxoSettings
from providers.saxo.values import Body

_RESTS: Final = frozenset({TimeInForce.GTC, TimeInForce.DAY})
_AT_ONCE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_FOREX: Final = {
    OrderType.MARKET: frozenset({TimeInForce.DAY}) | _AT_ONCE,
    OrderType.LIMIT: _RESTS | _AT_ONCE,
    OrderType.STOP: _RESTS,
    OrderType.STOP_LIMIT: _RESTS,
    OrderType.TRAILING_STOP: _RESTS,
}
_STOCK: Final = {**_FOREX, OrderType.MARKET: frozenset({TimeInForce.DAY}), OrderType.LIMIT: _RESTS}

TRAITS: Final = Traits(
    orders={AssetClass.FOREX: _FOREX, AssetClass.STOCK: _STOCK},
    amends=Amends.IN_PLACE,
    money_is_cash=False,
    short_selling=frozenset({AssetClass.FOREX}),
    trails=frozenset({TrailingType.ABSOLUTE}),
    rate_limits=RateLimits(requests_per_minute=120, orders_per_second=1),
)
"""As developer.saxo has the limits: per session, the requests for each group of services."""


class SaxoVenue:
    """One account. Orders are known to Saxo by its own id; ours is its ExternalReference."""

    def __init__(self, settings: SaxoSettings) -> None:
        self.name = f"saxo-{settings.environment.value}"
        self._settings = settings
        self._client = Client(self.name, settings)
        self._catalog = Catalog(self._client, settings)
        self._followers = Followers()
        self._found: Keys | None = None

    @property
    def client(self) -> Client:
        return self._client

    @property
    def traits(self) -> Traits:
        return TRAITS

    @property
    def limits(self) -> Limits | None:
        """What is left of the session's requests in this minute, of the group asked last."""
        return self._client.limits

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._catalog.instruments

    @property
    def _keys(self) -> Keys:
        if self._found is None:
            raise ProviderUnavailable(f"{self.name} has not been started")
        return self._found

    async def start(self) -> None:
        self._found = await self._client.keys(self._settings.account_key)
        await self._catalog.load()

    async def stop(self) -> None:
        await self._client.close()

    async def ping(self) -> None:
        await self._client.get("/port/v1/users/me")

    # Commands

    async def submit(self, ticket: Ticket) -> Report:
        listing = await self._listing(ticket)
        started = await self._trailing_start(ticket, listing)
        body = parse.new_order(ticket, listing, self._keys.account, started)
        try:
            answer = await self._client.command(
                "POST", ORDERS, json=body, request_id=ticket.client_id
            )
            order_id = parse.placed(answer)
        except (Unanswered, ProviderError):
            self._followers.look_for(ticket.client_id)
            raise
        self._followers.add(order_id)
        return parse.accepted(ticket, order_id, utc_now())

    async def _listing(self, ticket: Ticket) -> Listing:
        try:
            return await self._catalog.of(ticket.symbol)
        except SymbolNotFound as error:
            raise Refused(RejectReason.SYMBOL_NOT_TRADEABLE, error.message) from error

    async def _trailing_start(self, ticket: Ticket, listing: Listing) -> Decimal | None:
        """Saxo wants to be told where a trailing stop begins. Raises Refused without a price."""
        if ticket.order_type is not OrderType.TRAILING_STOP:
            return None
        for body in await self._client.prices(str(listing.uic), listing.asset_type):
            quote = listings.quote(body, listing.symbol, self.name)
            if quote is not None:
                return parse.trailing_start(ticket, quote.bid, quote.ask)
        raise Refused(RejectReason.MARKET_CLOSED, f"Saxo has no price of {ticket.symbol}")

    async def replace(self, ticket: Ticket, changed: Ticket) -> Report:
        listing = await self._listing(ticket)
        order_id = await self._order_id(ticket)
        body = parse.changed_order(order_id, changed, listing, self._keys.account)
        parse.placed(await self._client.command("PATCH", ORDERS, json=body))
        try:
            found = await self._of_id(order_id)
        except (ProviderUnavailable, RateLimited, ProviderError) as error:
            raise Unanswered(f"{self.name} has changed an order and does not tell it") from error
        return found if found.progress.over else parse.with_terms(found, changed)

    async def cancel(self, ticket: Ticket) -> Report | None:
        order_id = await self._order_id(ticket)
        query = {"AccountKey": self._keys.account}
        await self._client.command("DELETE", f"{ORDERS}/{order_id}", query=query)
        self._followers.add(order_id)
        return None

    async def _order_id(self, ticket: Ticket) -> str:
        if ticket.venue_id is not None:
            return ticket.venue_id
        found = await self.find(ticket)
        if found is None or found.progress.over:
            raise Gone(f"{self.name} has no such open order")
        return found.venue_id

    # Reads

    async def find(self, ticket: Ticket) -> Report | None:
        """See `Venue`. Raises ProviderUnavailable also for an order that is neither open nor, by
        its log, over: the log is a moment behind.
        """
        if ticket.venue_id is not None:
            return await self._of_id(ticket.venue_id)
        for body in await self._client.open_orders(self._keys):
            if body.get("ExternalReference") == ticket.client_id:
                return await self._open(body)
        known = await self._logged(ticket.client_id)
        return None if known is None else await self._of_id(known.order_id)

    async def _of_id(self, order_id: str) -> Report:
        for body in await self._client.open_orders(self._keys, order_id):
            report = await self._open(body)
            if report is not None and report.venue_id == order_id:
                return report
        report = await ended(self._client, self._catalog, self._keys, order_id)
        if report is None or not report.progress.over:
            raise ProviderUnavailable(f"{self.name} does not tell yet how an order has ended")
        return report

    async def _logged(self, client_id: str) -> Entry | None:
        """The last entry of our order in the log, where it has one."""
        since = utc_now() - self._settings.lookback
        entries = parse.in_order(await self._client.last_of_log(self._keys, since))
        ours = [each for each in entries if each.client_id == client_id]
        return ours[-1] if ours else None

    async def _open(self, body: Body) -> Report | None:
        """An open order; None where it is of a kind that cannot be traded here."""
        listing = await self._catalog.of_body(body)
        return None if listing is None else parse.open_order(body, listing.symbol, utc_now())

    async def open_orders(self) -> Sequence[Report]:
        """See `Venue`; orders of kinds that cannot be traded here are left out."""
        bodies = await self._client.open_orders(self._keys)
        found = [await self._open(body) for body in bodies]
        return [report for report in found if report is not None]

    async def executions(self, ticket: Ticket) -> Sequence[Execution] | None:
        order_id = ticket.venue_id
        if order_id is None:
            found = await self.find(ticket)
            if found is None:
                return []
            order_id = found.venue_id
        return parse.executions(parse.in_order(await self._client.order_log(self._keys, order_id)))

    async def holdings(self) -> Sequence[Holding]:
        """See `Venue`; positions of kinds that cannot be traded here are left out."""
        found = []
        for body in await self._client.net_positions(self._keys):
            listing = await self._catalog.of_body(parse.base_of(body))
            if listing is not None:
                found.append(parse.holding(body, listing.symbol))
        return [each for each in found if each.quantity]

    async def funds(self) -> Funds:
        balance = await self._client.balance(self._keys)
        return parse.funds(balance, await self._client.net_positions(self._keys))

    def updates(self) -> AsyncIterator[Update]:
        def session() -> Reports:
            url = self._settings.endpoints.stream
            made = Session(self._client, self._catalog, self._keys, self._followers, url)
            return made.reports()

        return reconnecting(self.name, session)


def venue(settings: SaxoSettings) -> SaxoVenue:
    """Raises ValueError, naming the credentials that are not set."""
    return SaxoVenue(settings)


def feed(settings: SaxoSettings) -> SaxoFeed:
    """Raises ValueError, naming the credentials that are not set."""
    return SaxoFeed(settings)
