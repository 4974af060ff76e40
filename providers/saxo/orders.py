"""News of orders: the open ones from the stream, and how the others ended from their log.

Saxo's subscription to open orders tells what changes while they are open, and that they are gone;
one that fills at once it may never tell of. So whatever is sent, and whatever is gone, is followed
in the log of order activities until that says how it ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.venue import Connection, Report
from providers.saxo import parse
from providers.saxo.catalog import Catalog
from providers.saxo.client import ORDER_SUBSCRIPTIONS, Client, Keys, utc_now
from providers.saxo.listings import merged
from providers.saxo.streams import Channel, opened, rows
from providers.saxo.values import Body, number, reading

log = logging.getLogger(__name__)

WAITS: Final = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds between looks at the log; the last for as long as it takes."""

UNSURE_SECONDS: Final = 60.0
"""How long an order is looked for by its client id whose command had no answer."""
SEARCH_SECONDS: Final = 2.0
"""Between two of these searches."""
SEARCHED: Final = timedelta(minutes=5)

Reports = AsyncGenerator[Report | Connection, None]


@dataclass(slots=True)
class Followed:
    """An order whose end is to be found out; `due` by the monotonic clock."""

    due: float
    looks: int = 0


class Followers:
    """Orders that are looked after until they are open or over; outlives connections."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic
        self._orders: dict[str, Followed] = {}
        self._unsure: dict[str, float] = {}  # until when, by client id
        self._search = 0.0

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._orders

    def add(self, order_id: str) -> None:
        """Look at it soon, also if it has been looked at before."""
        self._orders[order_id] = Followed(self._now())

    def drop(self, order_id: str) -> None:
        self._orders.pop(order_id, None)

    def look_for(self, client_id: str) -> None:
        """Nobody knows whether there is such an order; its id is to be found in the log."""
        self._unsure[client_id] = self._now() + UNSURE_SECONDS

    def settle(self, client_id: str) -> None:
        """The order of that client id is known now."""
        self._unsure.pop(client_id, None)

    def unsure(self) -> frozenset[str]:
        """The client ids to search for now."""
        now = self._now()
        self._unsure = {each: end for each, end in self._unsure.items() if end > now}
        if not self._unsure or now < self._search:
            return frozenset()
        self._search = now + SEARCH_SECONDS
        return frozenset(self._unsure)

    def due(self) -> list[str]:
        """Those to look at now; each is put off until its next look."""
        now = self._now()
        found = [order_id for order_id, each in self._orders.items() if each.due <= now]
        for order_id in found:
            each = self._orders[order_id]
            each.due = now + WAITS[min(each.looks, len(WAITS) - 1)]
            each.looks += 1
        return found


@dataclass(slots=True)
class OpenOrders:
    """The open orders as one subscription has told them."""

    bodies: dict[str, Body] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def take(self, delta: Body) -> Body | None:
        """The order after a delta; None once it is gone. A late word does not bring it back."""
        order_id = str(delta["OrderId"])
        if delta.get("__meta_deleted"):
            self.gone.add(order_id)
            self.bodies.pop(order_id, None)
        if order_id in self.gone:
            return None
        before = self.bodies.get(order_id, {})
        after = merged(before, delta)
        filled = [
            number(each["FilledAmount"]) for each in (before, delta) if "FilledAmount" in each
        ]
        if filled:
            after["FilledAmount"] = max(filled)  # a delta that comes late takes no fill back
        self.bodies[order_id] = after
        return after


def is_whole(body: Body) -> bool:
    """Whether a body has all that a report needs: what a delta for an unknown order may lack."""
    return {"OpenOrderType", "Status", "BuySell", "Amount", "Duration", "Uic"} <= body.keys()


class Session:
    """One connection's worth of news of an account's orders."""

    def __init__(
        self, client: Client, catalog: Catalog, keys: Keys, followers: Followers, url: str
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._keys = keys
        self._followers = followers
        self._url = url
        self._open = OpenOrders()

    async def reports(self) -> Reports:
        """See `reconnecting`. Raises what the connection and the calls raise."""
        async with opened(self._client, self._url) as channel:
            reference = await self._subscribed(channel)
            yield Connection(up=True)
            for body in list(self._open.bodies.values()):
                for report in await self._told(body):
                    yield report
            async with aclosing(channel.frames()) as told:
                async for frame in told:
                    if frame is not None and frame.reference == reference:
                        for report in await self._after(rows(frame.payload)):
                            yield report
                    for report in await self._ended():
                        yield report

    async def _subscribed(self, channel: Channel) -> str:
        arguments: dict[str, Any] = {**self._keys.query, "Status": "All"}
        reference, snapshot = await channel.subscribe(ORDER_SUBSCRIPTIONS, arguments)
        self._take(snapshot)
        return reference

    def _take(self, deltas: Iterable[Body]) -> list[Body]:
        """The orders that are open after these deltas; those that are gone are followed."""
        found = []
        with reading("open orders"):
            for delta in deltas:
                body = self._open.take(delta)
                if body is None:
                    self._followers.add(str(delta["OrderId"]))
                else:
                    found.append(body)
        return found

    async def _after(self, deltas: Iterable[Body]) -> list[Report]:
        reports: list[Report] = []
        for body in self._take(deltas):
            whole = body if is_whole(body) else await self._asked(body["OrderId"])
            if whole is not None:
                reports += await self._told(whole)
        return reports

    async def _asked(self, order_id: str) -> Body | None:
        """An order that the stream has only told a part of."""
        for body in await self._client.open_orders(self._keys, order_id):
            return self._open.take(body)
        self._followers.add(order_id)
        return None

    async def _told(self, body: Body) -> list[Report]:
        listing = await self._catalog.of_body(body)
        if listing is None:
            return []
        return [parse.open_order(body, listing.symbol, utc_now())]

    async def _ended(self) -> list[Report]:
        """How those orders have ended that are due for a look."""
        found: list[Report] = []
        try:
            await self._search()
            for order_id in self._followers.due():
                if order_id in self._open.bodies:
                    self._followers.drop(order_id)  # it is open: its end will be told
                else:
                    found += await self._looked_up(order_id)
        except (ProviderUnavailable, RateLimited, ProviderError) as error:
            log.warning("the log of orders cannot be read: %s", error)
        return found

    async def _search(self) -> None:
        """Find in the log what nobody knows to have arrived, and follow it."""
        wanted = self._followers.unsure()
        if not wanted:
            return
        last = await self._client.last_of_log(self._keys, utc_now() - SEARCHED)
        for entry in parse.in_order(last):
            if entry.client_id in wanted:
                self._followers.settle(entry.client_id)
                self._followers.add(entry.order_id)

    async def _looked_up(self, order_id: str) -> list[Report]:
        """The end of an order, once its log has it."""
        entries = parse.in_order(await self._client.order_log(self._keys, order_id))
        if not entries or not parse.progress_of(entries).over:
            return []
        self._followers.drop(order_id)
        listing = await self._catalog.of_body(entries[-1].body)
        return [] if listing is None else [parse.ended_order(entries, listing.symbol)]


async def ended(client: Client, catalog: Catalog, keys: Keys, order_id: str) -> Report | None:
    """An order as its log tells it; None where the log has nothing of it, or nothing for us."""
    entries = parse.in_order(await client.order_log(keys, order_id))
    if not entries:
        return None
    listing = await catalog.of_body(entries[-1].body)
    return None if listing is None else parse.ended_order(entries, listing.symbol)
