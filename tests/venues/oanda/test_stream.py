"""The stream of transactions, over real connections: what is told, and what survives on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from providers.live.venue import Connection, Progress, Report, Update
from providers.models import OrderRequest, OrderType, Side
from providers.oanda import provider
from providers.oanda.provider import OandaVenue
from providers.oanda.settings import OandaSettings
from tests.venues.exchange import ACCOUNT
from tests.venues.faults import Odds
from tests.venues.oanda.emulator import OandaEmulated
from tests.venues.oanda.toolkit import DEADLINE, first, limit, stop, ticket, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOW, HIGH = "0.50000", "3.00000"


@asynccontextmanager
async def listening(venue: OandaVenue) -> AsyncIterator[AsyncIterator[Update]]:
    """The updates of a venue, from when they have begun."""
    async with aclosing(venue.updates()) as told:  # type: ignore[type-var]
        assert await first(told, is_up) == Connection(up=True)
        yield told


def is_up(update: Update) -> bool:
    return isinstance(update, Connection) and update.up


def is_down(update: Update) -> bool:
    return isinstance(update, Connection) and not update.up


def about(client_id: str, progress: Progress) -> Callable[[Update], bool]:
    return lambda told: (
        isinstance(told, Report) and told.client_id == client_id and told.progress is progress
    )


async def test_what_becomes_of_orders_is_told(venue: OandaVenue) -> None:
    """From its creation to its end, with its fills, as an answer to a question would be."""
    async with listening(venue) as told:
        order = limit(LOW)
        standing = await venue.submit(order)
        assert await first(told, about(order.client_id, Progress.WORKING)) == standing
        changed = replace(order, client_id="moved", venue_id=standing.venue_id)
        after = await venue.replace(replace(order, venue_id=standing.venue_id), changed)
        ended = await first(told, about(order.client_id, Progress.CANCELLED))
        assert isinstance(ended, Report)
        assert ended.replaced_by == after.venue_id
        assert await first(told, about("moved", Progress.WORKING)) == after
        await venue.cancel(replace(changed, venue_id=after.venue_id))
        await first(told, about("moved", Progress.CANCELLED))
        bought = ticket()
        filled = await venue.submit(bought)
        assert await first(told, about(bought.client_id, Progress.FILLED)) == filled


async def test_a_refusal_is_told(venue: OandaVenue) -> None:
    """Also where the order was taken, and cancelled at once."""
    async with listening(venue) as told:
        wrong, poor = limit("0.500001"), ticket(quantity=Decimal(90_000_000))
        await asyncio.gather(venue.submit(wrong), venue.submit(poor), return_exceptions=True)
        await first(told, about(wrong.client_id, Progress.REJECTED))
        await first(told, about(poor.client_id, Progress.REJECTED))


async def test_an_order_from_before_the_connection_is_told_whole(venue: OandaVenue) -> None:
    """Its fill says little of it; the rest is read from the log."""
    order = stop(HIGH)
    standing = await venue.submit(order)
    async with listening(venue) as told:
        order = replace(order, venue_id=standing.venue_id)
        await venue.cancel(order)
        ended = await first(told, about(order.client_id, Progress.CANCELLED))
    assert ended == await venue.find(order)


async def test_what_others_do_is_told(venue: OandaVenue, emulated: OandaEmulated) -> None:
    theirs = OrderRequest(
        symbol="GBP/USD", side=Side.BUY, quantity=Decimal(7), order_type=OrderType.MARKET
    )
    async with listening(venue) as told:
        await emulated.backing.exchange.submit_order(ACCOUNT, theirs)
        done = await first(told, about("", Progress.FILLED))
    assert isinstance(done, Report)
    assert (done.symbol, done.filled) == ("GBP/USD", Decimal(7))


async def test_repeats_and_reorders_change_nothing(
    venue: OandaVenue, emulated: OandaEmulated
) -> None:
    """Every order is told in its own order of events, and to its end."""
    emulated.faults.odds = Odds(twice=0.5, late=0.5)
    told: list[Report] = []
    orders = [ticket() for _ in range(6)] + [limit(LOW) for _ in range(6)]
    ids = {order.client_id for order in orders}

    def ended() -> set[str]:
        return {each.client_id for each in told if each.progress.over} & ids

    async with listening(venue) as updates:
        for order in orders:
            await venue.submit(order)
        for order in orders[6:]:
            await venue.cancel(order)
        async with asyncio.timeout(DEADLINE):
            async for each in updates:
                if isinstance(each, Report):
                    told.append(each)
                if ended() == ids:
                    break
    for order in orders:
        story = [each for each in told if each.client_id == order.client_id]
        assert [each.progress.over for each in story] == sorted(
            each.progress.over for each in story
        )
        assert story[-1] == await venue.find(order)


async def test_a_dropped_connection_comes_back(venue: OandaVenue, emulated: OandaEmulated) -> None:
    """What was not told meanwhile is not told later: who listens asks."""
    async with listening(venue) as told:
        emulated.faults.odds = Odds(dropped=1)
        await first(told, is_down)
        order = limit(LOW)
        await venue.submit(order)
        emulated.faults.calm()
        await first(told, is_up)
        await venue.cancel(order)
        await first(told, about(order.client_id, Progress.CANCELLED))


async def test_a_transaction_that_never_comes_is_read(
    venue: OandaVenue, emulated: OandaEmulated
) -> None:
    """A heartbeat tells how far the log has got."""
    async with listening(venue) as told:
        listeners = emulated.ledger._listeners
        deaf = set(listeners)
        listeners.clear()
        order = ticket()
        done = await venue.submit(order)
        listeners.update(deaf)
        assert await first(told, about(order.client_id, Progress.FILLED)) == done


async def test_a_silent_stream_is_down(
    emulated: OandaEmulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulated.streams, "heartbeat", 60.0)
    url = emulated.environment["TRADING_API_OANDA_STREAM_URL"]
    settings = OandaSettings(
        token=emulated.environment["TRADING_API_OANDA_TOKEN"],  # type: ignore[arg-type]
        account_id=emulated.environment["TRADING_API_OANDA_ACCOUNT_ID"],
        rest_url=url,
        stream_url=url,
        stream_timeout=0.3,
    )
    impatient = provider.venue(settings)
    await impatient.start()
    async with listening(impatient) as told:
        down = await first(told, is_down)
    await impatient.stop()
    assert isinstance(down, Connection)
    assert "ReadTimeout" in down.error


async def test_a_stream_that_is_refused_is_down(emulated: OandaEmulated) -> None:
    url = emulated.environment["TRADING_API_OANDA_STREAM_URL"]
    settings = OandaSettings(
        token="wrong-secret",  # type: ignore[arg-type]
        account_id=emulated.environment["TRADING_API_OANDA_ACCOUNT_ID"],
        rest_url=url,
        stream_url=url,
    )
    stranger = provider.venue(settings)
    async with aclosing(stranger.updates()) as told:  # type: ignore[type-var]
        down = await first(told, is_down)
    await stranger.stop()
    assert isinstance(down, Connection)
    assert "refuses the token" in down.error
    assert "wrong-secret" not in down.error


async def test_connections_are_closed(venue: OandaVenue, emulated: OandaEmulated) -> None:
    """Whoever stops listening leaves no stream behind."""
    async with listening(venue):
        pass

    async def closed() -> bool:
        return emulated.streams._open == 0

    await until(closed)
