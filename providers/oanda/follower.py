"""The stream of transactions, told as reports, whatever is repeated, reordered or lost on the way.

The ids of an account's transactions have no gaps. So what is told twice is known by its id, and
where one is missing the log is read from there on: every transaction is taken once, and in order.
"""

from __future__ import annotations

from typing import Final

from providers.live.venue import Report
from providers.oanda.client import Client
from providers.oanda.history import (
    Story,
    continued,
    is_ours,
    number,
    order_of,
    report,
    stories,
)
from providers.oanda.parse import Json, as_specified

HEARTBEAT: Final = "HEARTBEAT"


class Follower:
    """One connection's view of the log. `last` is the id up to which it has been followed."""

    def __init__(self, client: Client, last: int) -> None:
        self._client = client
        self._last = last
        self._stories: dict[str, Story] = {}

    async def reports(self, message: Json) -> list[Report]:
        """What a message of the stream tells. Raises what a read raises, and ProviderError."""
        told = [await self._tell(each) for each in await self._fresh(message)]
        return [each for each in told if each is not None]

    async def _fresh(self, message: Json) -> list[Json]:
        """The transactions that are due with this message, by growing id."""
        with as_specified("message of the stream"):
            beats = message["type"] == HEARTBEAT
            told = int(message["lastTransactionID"]) if beats else number(message)
        if told <= self._last:
            return []
        if not beats and told == self._last + 1:
            fresh = [message]
        else:
            fresh = await self._client.log(self._last)
            if not beats and all(number(each) < told for each in fresh):
                fresh.append(message)
        self._last = max([told, *(number(each) for each in fresh)])
        return fresh

    async def _tell(self, transaction: Json) -> Report | None:
        with as_specified("transaction"):
            if not is_ours(transaction):
                return None
            order_id = order_of(transaction)
            story = continued(self._stories.get(order_id), transaction)
        if story is None:
            story = await self._rebuilt(order_id)
        if story is None:
            return None
        told = report(story)
        if told.progress.over:
            self._stories.pop(order_id, None)
        else:
            self._stories[order_id] = story
        return told

    async def _rebuilt(self, order_id: str) -> Story | None:
        """The story of an order from before this connection; None if it is not ours to tell."""
        return stories(await self._client.log(int(order_id) - 1)).get(order_id)
