"""Order updates over the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic import SecretStr

from providers.alpaca.provider import AlpacaVenue
from providers.alpaca.settings import AlpacaSettings
from providers.alpaca.streams import messages_of, update_of
from providers.errors import ProviderError
from providers.live.venue import Connection, Execution, Progress, Report, Ticket, Update
from tests.venues.alpaca.samples import bought, first, over, placed, resting, ticket, until
from tests.venues.emulated import Emulated
from tests.venues.faults import Odds


class Ear:
    """Everything that a venue's stream has told."""

    def __init__(self) -> None:
        self.told: list[Update] = []

    def reports(self, order: Ticket) -> list[Report]:
        mine = (each for each in self.told if isinstance(each, Report))
        return [each for each in mine if each.client_id == order.client_id]

    def fills(self, order: Ticket) -> dict[Decimal, Execution]:
        """The executions of an order by how much had filled with each."""
        return {fill.cumulative: fill for each in self.reports(order) for fill in each.executions}

    def connections(self) -> list[bool]:
        return [each.up for each in self.told if isinstance(each, Connection)]

    async def ended(self, order: Ticket) -> Report:
        async def found() -> Report | None:
            return next((each for each in self.reports(order) if each.progress.over), None)

        return await until(found)


@asynccontextmanager
async def listening(venue: AlpacaVenue) -> AsyncIterator[Ear]:
    """An ear at the venue's stream, which is connected."""
    ear = Ear()

    async def listen() -> None:
        async for each in venue.updates():
            ear.told.append(each)

    async def connected() -> bool:
        return True in ear.connections()

    task = asyncio.create_task(listen())
    try:
        await until(connected)
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_order_is_told_from_beginning_to_end(venue: AlpacaVenue) -> None:
    """Each fill comes with the update that tells it, and they are those that can be asked for."""
    async with listening(venue) as ear:
        order = ticket(quantity=Decimal(9))
        await venue.submit(order)
        done = await ear.ended(order)
    told = ear.reports(order)
    assert [each.progress for each in told[:2]] == [Progress.PENDING, Progress.WORKING]
    assert (done.progress, done.filled) == (Progress.FILLED, Decimal(9))
    asked = await venue.executions(order)
    assert asked is not None
    assert list(ear.fills(order).values()) == list(asked)
    assert ear.connections() == [True]


async def test_a_change_and_a_cancel_are_told(venue: AlpacaVenue) -> None:
    async with listening(venue) as ear:
        order = await placed(venue, resting())
        changed = replace(order, client_id="t-2", venue_id=None, limit_price=Decimal(12))
        after = await venue.replace(order, changed)
        await venue.cancel(replace(changed, venue_id=after.venue_id))
        before, ended = await ear.ended(order), await ear.ended(changed)
    assert (before.progress, before.replaced_by) == (Progress.CANCELLED, after.venue_id)
    assert (ended.progress, ended.replaced_by) == (Progress.CANCELLED, None)


async def test_the_fills_of_a_chain_are_told_of_each_order(venue: AlpacaVenue) -> None:
    async with listening(venue) as ear:
        order = await placed(venue, ticket(quantity=Decimal(2000)))

        async def some() -> bool:
            return bool(ear.fills(order))

        await until(some)
        changed = replace(order, client_id="t-rest", venue_id=None, quantity=Decimal(40))
        await venue.replace(order, changed)
        done = await ear.ended(changed)
        fills = ear.fills(changed)
    assert done.filled == done.quantity == sum(fill.quantity for fill in fills.values())
    old = await venue.find(order)
    assert old is not None
    assert old.filled == sum(fill.quantity for fill in ear.fills(order).values())


async def test_a_lazy_cancel_is_told_twice(venue: AlpacaVenue, emulated: Emulated) -> None:
    """First that it is under way, with the order still working, then that it is done."""
    emulated.faults.odds = Odds(lazy=1)
    async with listening(venue) as ear:
        order = await placed(venue, resting())
        await venue.cancel(order)
        await venue.cancel(order)
        ended = await ear.ended(order)
    assert ended.progress is Progress.CANCELLED
    assert Progress.WORKING in {each.progress for each in ear.reports(order)}


async def test_the_stream_comes_back(venue: AlpacaVenue, emulated: Emulated) -> None:
    """Dropped again and again, it goes on; what it told is never told wrongly."""
    async with listening(venue) as ear:
        emulated.faults.odds = Odds(dropped=0.2)
        for _ in range(4):
            await bought(venue, quantity=Decimal(2))

        async def back() -> bool:
            return ear.connections()[-2:] == [False, True]

        emulated.faults.odds = Odds(dropped=1)
        await bought(venue)
        emulated.faults.calm()
        await until(back)
        order = ticket()
        await venue.submit(order)
        assert (await ear.ended(order)).filled == order.quantity


async def test_repeated_and_late_messages(venue: AlpacaVenue, emulated: Emulated) -> None:
    """However they come, the fills that are told are those that happened."""
    emulated.faults.odds = Odds(twice=0.5, late=0.4)
    async with listening(venue) as ear:
        orders = [ticket(quantity=Decimal(5)) for _ in range(3)]
        for order in orders:
            await venue.submit(order)
            await over(venue, order)
        emulated.faults.calm()
        last = ticket()
        await venue.submit(last)
        await ear.ended(last)
        for order in orders:
            asked = await venue.executions(order)
            assert asked is not None
            assert sorted(ear.fills(order).items()) == [(each.cumulative, each) for each in asked]


async def test_wrong_credentials(emulated: Emulated) -> None:
    """They are told of as such, and never themselves."""
    environment = emulated.environment
    settings = AlpacaSettings(
        key_id=SecretStr("PKWRONG"),
        secret_key=SecretStr("an old secret"),
        trading_url=environment["TRADING_API_ALPACA_TRADING_URL"],
        stream_url=environment["TRADING_API_ALPACA_STREAM_URL"],
    )
    venue = AlpacaVenue(settings)
    down = await first(venue.updates(), lambda told: isinstance(told, Connection))
    with pytest.raises(ProviderError, match="credentials") as refused:
        await venue.start()
    await venue.stop()
    assert isinstance(down, Connection)
    assert not down.up
    assert "credentials" in down.error
    assert "PKWRONG" not in f"{down} {refused.value}"
    assert "an old secret" not in f"{down} {refused.value}"


@pytest.mark.parametrize(
    "frame",
    [b"\x81", "[]", '"hello"', '{"T": "success"}', '{"stream": "x", "data": 5}'],
)
def test_frames_that_are_no_messages(frame: str | bytes) -> None:
    with pytest.raises(ProviderError):
        update_of(frame)


@pytest.mark.parametrize("frame", [b"\x81", "{}x", '["T"]', "5", '[{"S": "AAPL"}]'])
def test_frames_that_are_no_lists_of_messages(frame: str | bytes) -> None:
    with pytest.raises(ProviderError):
        messages_of(frame)
