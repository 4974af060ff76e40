"""Alpaca as a venue for orders and as a source of market data."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from decimal import Decimal
from typing import Final, NamedTuple

from providers.alpaca import parse
from providers.alpaca.client import TradingApi
from providers.alpaca.feed import AlpacaFeed
from providers.alpaca.parse import Json
from providers.alpaca.settings import AlpacaSettings
from providers.alpaca.streams import order_updates
from providers.base import Instrument
from providers.errors import ProviderUnavailable, RateLimited
from providers.live.reconnecting import reconnecting
from providers.live.venue import (
    ZERO,
    Amends,
    Connection,
    Execution,
    Feed,
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
    Venue,
)
from providers.models import AssetClass, OrderType, RateLimits, RejectReason, TimeInForce

_ALL: Final = frozenset(TimeInForce)
_RESTING: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC})
_CRYPTO: Final = frozenset({TimeInForce.GTC, TimeInForce.IOC})

TRAITS: Final = Traits(
    orders={
        AssetClass.STOCK: {
            OrderType.MARKET: _ALL,
            OrderType.LIMIT: _ALL,
            OrderType.STOP: _RESTING,
            OrderType.STOP_LIMIT: _RESTING,
            OrderType.TRAILING_STOP: _RESTING,
        },
        AssetClass.CRYPTO: {
            OrderType.MARKET: _CRYPTO,
            OrderType.LIMIT: _CRYPTO,
            OrderType.STOP_LIMIT: frozenset({TimeInForce.GTC}),
        },
    },
    amends=Amends.NEW_ORDER,
    money_is_cash=True,
    dedupes=True,
    short_selling=frozenset({AssetClass.STOCK}),
    max_leverage=Decimal(4),
    client_ids=r"[A-Za-z0-9_.-]{1,128}",
    rate_limits=RateLimits(requests_per_minute=200),
)
"""What Alpaca does by itself (docs.alpaca.markets, "Placing Orders" and "Crypto Spot Trading").

Fractions of a share only go with DAY, which Alpaca refuses otherwise. 200 requests a minute are
what an account has by default.
"""


class Reported(NamedTuple):
    """What has been reported of an open order, and what its chain had filled before it."""

    base: Decimal
    filled: Decimal


NOTHING: Final = Reported(ZERO, ZERO)


class AlpacaVenue:
    """One account at Alpaca.

    A change makes a new order, which counts the fills of the one before it, too; what is said of
    tickets and reports here is each order's own (see `parse`). For that two small tables are kept:
    what had filled before an order that took the place of another, which never changes, and what
    has been reported of each open order, against which a change of quantity is meant.
    """

    def __init__(self, settings: AlpacaSettings) -> None:
        self.name = f"alpaca-{settings.environment.value}"
        self._settings = settings
        self._api = TradingApi(self.name, settings)
        self._instruments: Mapping[str, Instrument] = {}
        self._pairs: parse.Pairs = {}
        self._before: dict[str, parse.Before] = {}
        self._reported: dict[str, Reported] = {}

    @property
    def traits(self) -> Traits:
        return TRAITS

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._instruments

    @property
    def limits(self) -> Limits | None:
        """What Alpaca has last said of the rate of requests."""
        return self._api.limits

    async def start(self) -> None:
        self._instruments = parse.instruments(await self._api.assets())
        self._pairs = parse.pairs(self._instruments)

    async def stop(self) -> None:
        await self._api.close()

    # Commands

    async def submit(self, ticket: Ticket) -> Report:
        listed = self._instruments.get(ticket.symbol)
        if listed is None:
            message = f"Alpaca does not trade {ticket.symbol}"
            raise Refused(RejectReason.SYMBOL_NOT_TRADEABLE, message)
        body = parse.order_request(ticket, listed.asset_class)
        return await self._report(await self._api.submit(body))

    async def replace(self, ticket: Ticket, changed: Ticket) -> Report:
        order_id = await self._id(ticket)
        known = await self._standing(order_id)
        body = parse.change_request(ticket, changed, base=known.base, filled=ticket.filled)
        order = await self._api.replace(order_id, body)
        try:
            return await self._report(order)
        except (ProviderUnavailable, RateLimited) as error:
            raise Unanswered("Alpaca has changed the order, and does not say how") from error

    async def _standing(self, order_id: str) -> Reported:
        """What has been reported of an open order, or is now. Raises Gone if there is none."""
        if order_id not in self._reported:
            order = await self._api.read(f"/v2/orders/{order_id}")
            if order is not None:
                await self._report(order)
        if order_id not in self._reported:
            raise Gone(f"Alpaca's order {order_id} is not open any more")
        return self._reported[order_id]

    async def cancel(self, ticket: Ticket) -> Report | None:
        await self._api.cancel(await self._id(ticket))
        return None

    async def _id(self, ticket: Ticket) -> str:
        """The venue's id of an order. Raises Gone if there is no such order."""
        if ticket.venue_id is not None:
            return ticket.venue_id
        found = await self.find(ticket)
        if found is None:
            raise Gone(f"Alpaca knows no order {ticket.client_id}")
        return found.venue_id

    # Questions

    async def find(self, ticket: Ticket) -> Report | None:
        query = {"client_order_id": ticket.client_id}
        found = await self._api.read("/v2/orders:by_client_order_id", query)
        return None if found is None else await self._report(found)

    async def open_orders(self) -> Sequence[Report]:
        return [
            await self._report(order)
            async for order in self._api.open_orders()
            if parse.is_ours(order)
        ]

    async def executions(self, ticket: Ticket) -> Sequence[Execution] | None:
        try:
            order_id = await self._id(ticket)
        except Gone:
            return ()
        return parse.executions(await self._api.fills(order_id))

    async def holdings(self) -> Sequence[Holding]:
        return parse.holdings(await self._api.known("/v2/positions"), self._pairs)

    async def funds(self) -> Funds:
        return parse.funds(await self._api.known("/v2/account"))

    async def ping(self) -> None:
        await self._api.known("/v2/clock")

    # The stream

    def updates(self) -> AsyncIterator[Update]:
        return reconnecting(self.name, self._session)

    async def _session(self) -> AsyncGenerator[Update, None]:
        async with aclosing(order_updates(self._settings)) as told:
            async for update in told:
                if update is None:
                    yield Connection(up=True)
                elif parse.is_ours(order := parse.told_order(update)):
                    yield await self._report(order, update)

    # What orders have filled by themselves

    async def _report(self, order: Json, update: Json | None = None) -> Report:
        """An order as one of ours, with the fill that an update tells along with it."""
        before = await self._filled_before(order)
        base = before.quantity
        fills = parse.told_fill(update, base=base) if update is not None else ()
        report = parse.report(order, self._pairs, before=before, executions=fills)
        if report.progress.over:
            self._reported.pop(report.venue_id, None)
        else:
            known = self._reported.get(report.venue_id, NOTHING)
            self._reported[report.venue_id] = Reported(base, max(known.filled, report.filled))
        return report

    async def _filled_before(self, order: Json) -> parse.Before:
        """What the orders before this one in its chain had filled."""
        earlier = order.get("replaces")
        if earlier is None:
            return parse.NOTHING
        order_id: str = order["id"]
        if order_id not in self._before:
            replaced = await self._api.known(f"/v2/orders/{earlier}")
            if not parse.is_replaced(replaced):
                return parse.filled_so_far(replaced)  # it may still fill: ask again next time
            self._before[order_id] = parse.filled_so_far(replaced)
        return self._before[order_id]


def venue(settings: AlpacaSettings) -> Venue:
    """Raises ValueError, naming the variables, where credentials are missing."""
    return AlpacaVenue(settings)


def feed(settings: AlpacaSettings) -> Feed:
    """Raises ValueError, naming the variables, where credentials are missing."""
    return AlpacaFeed(settings)
