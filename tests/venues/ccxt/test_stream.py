"""How changes of orders are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from providers.ccxt.provider import CcxtVenue
from providers.live.venue import Connection, Progress, Report, Update
from tests.venues.ccxt.emulator import EmulatedExchange
from tests.venues.ccxt.tickets import eventually, resting, ticket
from tests.venues.faults import Odds


class Told:
    """What a stream has told so far."""

    def __init__(self) -> None:
        self.updates: list[Update] = []

    def of(self, client_id: str) -> list[Report]:
        reports = [each for each in self.updates if isinstance(each, Report)]
        return [each for each in reports if each.client_id == client_id]

    @property
    def connections(self) -> list[bool]:
        return [each.up for each in self.updates if isinstance(each, Connection)]

    async def until(self, good: Callable[[Told], bool]) -> None:
        async def look() -> Told:
            return self

        await eventually(look, good)


@asynccontextmanager
async def listening(venue: CcxtVenue) -> AsyncIterator[Told]:
    """A stream, once it is up."""
    told = Told()

    async def listen() -> None:
        async for update in venue.updates():
            told.updates.append(update)

    task = asyncio.create_task(listen())
    await told.until(lambda told: told.connections == [True])
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def over(client_id: str) -> Callable[[Told], bool]:
    return lambda told: any(each.progress.over for each in told.of(client_id))


async def test_fills_are_told(venue: CcxtVenue) -> None:
    """The parts of an order as they fill, until it is filled."""
    async with listening(venue) as told:
        sent = ticket(quantity=Decimal(6))
        await venue.submit(sent)
        await told.until(over(sent.client_id))
        last = told.of(sent.client_id)[-1]
        assert (Progress.FILLED, Decimal(6)) == (last.progress, last.filled)
        filled = [each.filled for each in told.of(sent.client_id)]
        assert sorted(filled) == filled


async def test_a_cancel_is_told(venue: CcxtVenue) -> None:
    """Although the exchange forgets the order at once."""
    async with listening(venue) as told:
        sent = resting()
        await venue.submit(sent)
        await told.until(lambda told: bool(told.of(sent.client_id)))
        await venue.cancel(sent)
        await told.until(over(sent.client_id))
        assert Progress.CANCELLED is told.of(sent.client_id)[-1].progress


async def test_orders_of_others_are_told(coinbase: EmulatedExchange, venue: CcxtVenue) -> None:
    """An order that another process placed is seen by the stream of the exchange."""
    other = CcxtVenue(coinbase.settings)
    await other.start()
    async with listening(venue) as told:
        sent = resting()
        await other.submit(sent)
        await told.until(lambda told: bool(told.of(sent.client_id)))
        await other.cancel(sent)
        await told.until(over(sent.client_id))
    await other.stop()


async def test_it_comes_back(coinbase: EmulatedExchange, venue: CcxtVenue) -> None:
    """After the exchange closes the connection it is down, then up, and goes on."""
    async with listening(venue) as told:
        await told.until(lambda _: bool(coinbase.exchange.feeds.clients))
        for client in list(coinbase.exchange.feeds.clients):
            await client.socket.close(1011)
        await told.until(lambda told: told.connections[:3] == [True, False, True])
        sent = ticket()
        await venue.submit(sent)
        await told.until(over(sent.client_id))


async def test_a_wild_stream(coinbase: EmulatedExchange, venue: CcxtVenue) -> None:
    """Repeats, wrong orders and broken connections change nothing of what is told in the end."""
    coinbase.faults.odds = Odds(twice=0.4, late=0.4, dropped=0.1)
    async with listening(venue) as told:
        sent = [ticket(quantity=Decimal("1.5")) for _ in range(3)]
        for each in sent:
            await venue.submit(each)
        for each in sent:
            await told.until(over(each.client_id))
            assert Progress.FILLED is told.of(each.client_id)[-1].progress


@pytest.mark.parametrize("streams", [False])
async def test_without_a_stream(
    coinbase: EmulatedExchange, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    """An exchange that has none is asked from time to time."""
    monkeypatch.setattr("providers.ccxt.client.Client.streams", streams)
    venue, other = CcxtVenue(coinbase.settings), CcxtVenue(coinbase.settings)
    await venue.start()
    await other.start()
    async with listening(venue) as told:
        sent = resting()
        await other.submit(sent)
        await told.until(lambda told: bool(told.of(sent.client_id)))
        await other.cancel(sent)
        await told.until(over(sent.client_id))
        assert not coinbase.exchange.feeds.clients
    await venue.stop()
    await other.stop()
