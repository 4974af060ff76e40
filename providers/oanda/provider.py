"""OANDA v20 as a venue: one account that nets, in currency pairs and metals.

What OANDA does not have is left to the bridge: stop-limits (a STOP with a price bound is cancelled
where it cannot fill within the bound, and does not rest), trailing stops that stand alone (its own
hang on trades), icebergs and post-only orders.

A client id is unique only among the orders that are pending, and only those are found by it. So an
order is looked for in the log of transactions, too: from the order's id, from where the log ended
before it was sent, or, after a restart, over some days.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from providers.base import Instrument
from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.http import Answer
from providers.live.reading import timestamp
from providers.live.reconnecting import reconnecting
from providers.live.venue import (
    Amends,
    Connection,
    Execution,
    Funds,
    Gone,
    Holding,
    Limits,
    Progress,
    Refused,
    Report,
    Ticket,
    Traits,
    Unanswered,
    Update,
)
from providers.models import AssetClass, OrderType, RejectReason, TimeInForce
from providers.oanda import errors, parse
from providers.oanda.client import RATE_LIMITS, Client
from providers.oanda.feed import OandaFeed
from providers.oanda.follower import Follower
from providers.oanda.history import (
    Story,
    continued,
    found_by,
    number,
    pending,
    report,
    stories,
)
from providers.oanda.parse import Json, as_specified
from providers.oanda.settings import OandaSettings

log = logging.getLogger(__name__)

ORDERS: Final = {
    AssetClass.FOREX: {
        # They never rest: FOK fills whole, IOC what can be filled, and the rest is cancelled.
        OrderType.MARKET: frozenset({TimeInForce.FOK, TimeInForce.IOC}),
        OrderType.LIMIT: frozenset(
            {TimeInForce.GTC, TimeInForce.DAY, TimeInForce.FOK, TimeInForce.IOC}
        ),
        OrderType.STOP: frozenset({TimeInForce.GTC, TimeInForce.DAY}),
    }
}

NEAR: Final = 1000
"""Transactions: an open order that is no further back is told from the log. OANDA's orders do not
say how much of them has filled; it is known to fill them whole, but its specification allows parts.
One that is older is taken to have filled nothing, rather than to read all that happened since."""

ADOPTED: Final = "venue-"
"""How the client id of a ticket begins whose order has none at the venue."""

RESULTS: Final = (
    "orderCreateTransaction",
    "orderFillTransaction",
    "orderCancelTransaction",
)
REPLACED: Final = (
    "orderCreateTransaction",
    "orderFillTransaction",
    "replacingOrderCancelTransaction",
)
"""The transactions of an answer that are about the new order."""


class OandaVenue:
    """See `providers.live.venue.Venue`."""

    def __init__(self, settings: OandaSettings) -> None:
        self.name = settings.name
        self._client = Client(settings)
        self._look_back = timedelta(days=settings.look_back_days)
        self._instruments: dict[str, Instrument] = {}
        self._max_leverage: Decimal | None = None
        self._sent_after: dict[str, int] = {}
        """Where the log ended before a ticket was sent whose answer is missing."""

    @property
    def traits(self) -> Traits:
        return Traits(
            orders=ORDERS,
            amends=Amends.NEW_ORDER,
            money_is_cash=False,
            short_selling=frozenset({AssetClass.FOREX}),
            max_leverage=self._max_leverage,
            client_ids=r"[A-Za-z0-9_-]{1,64}",
            rate_limits=RATE_LIMITS,
        )

    @property
    def limits(self) -> Limits | None:
        """OANDA does not tell."""
        return None

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._instruments

    async def start(self) -> None:
        account = await self._account()
        listed = (await self._client.get("/instruments")).get("instruments", ())
        self._instruments = parse.instruments(listed, parse.currency_of(account))
        self._max_leverage = parse.max_leverage(listed)

    async def stop(self) -> None:
        await self._client.close()

    async def _account(self) -> Json:
        with as_specified("summary of the account"):
            account: Json = (await self._client.get("/summary"))["account"]
        return account

    # Commands

    async def submit(self, ticket: Ticket) -> Report:
        if ticket.symbol not in self._instruments:
            raise Refused(RejectReason.SYMBOL_NOT_TRADEABLE, f"{ticket.symbol} is not traded here")
        with self._marking(ticket):
            answer = await self._client.send("POST", "/orders", parse.order_request(ticket))
            if not answer.ok:
                errors.refuse_ticket(answer)
            told = report(created(answer, RESULTS))
        if told.progress is Progress.REJECTED:
            raise Refused(told.reason or RejectReason.UNKNOWN, told.message)
        return told

    @contextmanager
    def _marking(self, ticket: Ticket) -> Iterator[None]:
        """Where it ends without an answer, keep from where on the order is to be looked for."""
        last = self._client.last_id
        try:
            yield
        except errors.Taken:
            raise  # it has been there before
        except (Unanswered, ProviderError):
            self._sent_after[ticket.client_id] = last
            raise

    async def replace(self, ticket: Ticket, changed: Ticket) -> Report:
        """What has filled since we last knew is taken off the new one's units.

        OANDA may cancel the new order at once, for want of margin: both are gone then, and the
        report says REJECTED.
        """
        standing = await self.find(ticket)
        if standing is None or standing.progress.over:
            raise Gone("OANDA does not have the order open any more")
        units = changed.quantity - (standing.filled - ticket.filled)
        if units <= 0:
            raise Refused(RejectReason.INVALID_QUANTITY, "so much has filled already")
        body = parse.order_request(changed, units)
        answer = await self._client.send("PUT", f"/orders/{specifier(ticket)}", body)
        if not answer.ok:
            errors.refuse_change(answer)
        return report(created(answer, REPLACED))

    async def cancel(self, ticket: Ticket) -> Report | None:
        answer = await self._client.send("PUT", f"/orders/{specifier(ticket)}/cancel")
        if not answer.ok:
            errors.refuse_cancel(answer)
        try:
            return await self.find(ticket)
        except (ProviderUnavailable, RateLimited, ProviderError) as error:
            log.warning("%s has cancelled an order, and does not tell it: %s", self.name, error)
            return None

    # Reads

    async def find(self, ticket: Ticket) -> Report | None:
        story = await self._standing(ticket)
        return report(story) if isinstance(story, Story) else story

    async def _standing(self, ticket: Ticket) -> Story | Report | None:
        """An order as the log has it, or as it is listed, where it is far back and still open."""
        adopted = ticket.client_id.startswith(ADOPTED)
        place = ticket.venue_id if adopted else f"@{ticket.client_id}"
        listed = await self._client.look_up(f"/orders/{place}")
        if listed is not None:
            return await self._as_listed(listed)
        told = stories(await self._client.log(await self._before(ticket)))
        return told.get(ticket.venue_id or "") if adopted else found_by(ticket.client_id, told)

    async def _as_listed(self, listed: Json) -> Story | Report | None:
        with as_specified("order"):
            order = listed["order"]
            waits = parse.WAITS[order["state"]]
            far = int(listed["lastTransactionID"]) - number(order) > NEAR
        if waits and far:
            return pending(order)
        story = stories(await self._client.log(number(order) - 1)).get(order["id"])
        return pending(order) if story is None and waits else story

    async def _before(self, ticket: Ticket) -> int:
        """A transaction after which the order was created, if it was."""
        if ticket.venue_id is not None:
            return int(ticket.venue_id) - 1
        if ticket.client_id in self._sent_after:
            return self._sent_after[ticket.client_id]
        since = datetime.now(UTC) - self._look_back
        pages = await self._client.get("/transactions", {"from": timestamp(since)})
        with as_specified("list of pages"):
            return first_of(pages) - 1

    async def open_orders(self) -> Sequence[Report]:
        body = await self._client.get("/pendingOrders")
        with as_specified("list of orders"):
            last, orders = int(body["lastTransactionID"]), list(body["orders"])
            near = [number(each) for each in orders if last - number(each) <= NEAR]
        told = stories(await self._client.log(min(near) - 1)) if near else {}
        found = (
            report(told[each["id"]]) if each["id"] in told else pending(each) for each in orders
        )
        return [each for each in found if each is not None and self._is_open(each)]

    def _is_open(self, told: Report) -> bool:
        return not told.progress.over and told.symbol in self._instruments

    async def executions(self, ticket: Ticket) -> Sequence[Execution] | None:
        if ticket.venue_id is None:
            found = await self.find(ticket)
            return None if found is None else found.executions
        told = stories(await self._client.log(int(ticket.venue_id) - 1))
        story = told.get(ticket.venue_id)
        return None if story is None else report(story).executions

    async def holdings(self) -> Sequence[Holding]:
        body = await self._client.get("/openPositions")
        return parse.holdings(body.get("positions", ()), self._instruments)

    async def funds(self) -> Funds:
        return parse.funds(await self._account())

    async def ping(self) -> None:
        await self._account()

    # The stream

    def updates(self) -> AsyncIterator[Update]:
        return reconnecting(self.name, self._session)

    async def _session(self) -> AsyncGenerator[Update, None]:
        async with self._client.stream("/transactions/stream") as told:
            await self._account()  # tells where the log ends, now that we listen
            follower = Follower(self._client, self._client.last_id)
            yield Connection(up=True)
            async for message in told:
                for each in await follower.reports(message):
                    if each.symbol in self._instruments:
                        yield each


def specifier(ticket: Ticket) -> str:
    """How an order is addressed: by OANDA's id, which it does not forget."""
    return ticket.venue_id or f"@{ticket.client_id}"


def created(answer: Answer, names: Sequence[str]) -> Story:
    """The new order that an answer tells of. Raises Unanswered where it does not tell one."""
    body = answer.body if isinstance(answer.body, dict) else {}
    story: Story | None = None
    with as_specified("new order"):
        for name in names:
            if name in body:
                story = continued(story, body[name])
    if story is None:
        raise Unanswered("OANDA has taken an order and does not tell it")
    return story


def first_of(pages: Json) -> int:
    """The id of the first transaction of a list of pages; one past the last where it is empty."""
    urls = pages["pages"]
    if not urls:
        return int(pages["lastTransactionID"]) + 1
    return int(parse.query_of(urls[0])["from"])


def venue(settings: OandaSettings) -> OandaVenue:
    """Raises ValueError where token or account is missing."""
    return OandaVenue(settings)


def feed(settings: OandaSettings) -> OandaFeed:
    """Raises ValueError where token or account is missing."""
    return OandaFeed(settings)
