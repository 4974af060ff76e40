"""What goes wrong between us and Alpaca, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from providers.alpaca.feed import AlpacaFeed
from providers.alpaca.provider import AlpacaVenue
from providers.base import OrderQuery
from providers.errors import ProviderUnavailable, RateLimited
from providers.live.venue import Progress, Unanswered
from providers.models import OrderStatus
from tests.venues.alpaca.emulator import emulator
from tests.venues.alpaca.samples import found, over, placed, resting, ticket, until
from tests.venues.emulated import Emulated
from tests.venues.exchange import ACCOUNT
from tests.venues.faults import STORM, Faults, Odds


async def count(emulated: Emulated) -> int:
    """How many orders have ever been placed."""
    query = OrderQuery(status=list(OrderStatus))
    return len((await emulated.backing.exchange.list_orders(ACCOUNT, query)).items)


async def test_a_command_is_sent_once(venue: AlpacaVenue, emulated: Emulated) -> None:
    """Whatever becomes of it; who does not know asks for the order."""
    for odds, error, orders in (
        (Odds(limited=1), RateLimited, 0),
        (Odds(refused=1), Unanswered, 0),
        (Odds(failed=1), Unanswered, 1),
        (Odds(cut=1), Unanswered, 1),
    ):
        order, before, sent = resting(), await count(emulated), emulated.judge.judged
        emulated.faults.odds = odds
        with pytest.raises(error):
            await venue.submit(order)
        emulated.faults.calm()
        assert emulated.judge.judged - sent in (0, 1)  # 0 where no specification is at hand
        assert await count(emulated) - before == orders
        assert (await venue.find(order) is not None) == bool(orders)


async def test_a_cancel_and_a_change_without_an_answer(
    venue: AlpacaVenue, emulated: Emulated
) -> None:
    """What became of either is asked for."""
    order = await placed(venue, resting())
    changed = replace(order, client_id="t-2", venue_id=None, limit_price=Decimal(12))
    emulated.faults.odds = Odds(failed=1)
    with pytest.raises(Unanswered):
        await venue.replace(order, changed)
    emulated.faults.calm()
    after = await found(venue, changed)
    assert after.progress is Progress.WORKING
    emulated.faults.odds = Odds(failed=1)
    with pytest.raises(Unanswered):
        await venue.cancel(replace(changed, venue_id=after.venue_id))
    emulated.faults.calm()
    assert (await over(venue, changed)).progress is Progress.CANCELLED


async def test_a_change_whose_effect_cannot_be_read(
    venue: AlpacaVenue, emulated: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order was changed: it must not count as one that was not."""
    order = await placed(venue, resting())
    changed = replace(order, client_id="t-2", venue_id=None, limit_price=Decimal(12))

    async def unreachable(*_: object) -> object:
        raise ProviderUnavailable("gone")

    await found(venue, order)
    monkeypatch.setattr(venue, "_filled_before", unreachable)
    with pytest.raises(Unanswered):
        await venue.replace(order, changed)
    monkeypatch.undo()
    assert (await found(venue, changed)).limit_price == Decimal(12)


async def test_reads_are_repeated(venue: AlpacaVenue, emulated: Emulated) -> None:
    """A few failures in a row are not seen; when all fail, that is said."""
    emulated.faults.odds = Odds(refused=0.3)
    for _ in range(4):
        await venue.holdings()
    emulated.faults.odds = Odds(slow=1)
    await venue.funds()
    emulated.faults.odds = Odds(refused=1)
    with pytest.raises(ProviderUnavailable):
        await venue.ping()
    emulated.faults.odds = Odds(limited=1)
    with pytest.raises(RateLimited):
        await venue.open_orders()


async def test_nobody_there(tmp_path: Path) -> None:
    """Nothing was sent, and that is known."""
    async with emulator(tmp_path, Faults(), tick_interval=0.1) as emulated:
        venue, feed = emulated.venue(), emulated.feed()
        await venue.start()
        await feed.start()
    for command in (venue.submit(ticket()), venue.cancel(ticket(venue_id="1")), venue.ping()):
        with pytest.raises(ProviderUnavailable) as unreached:
            await command
        assert not isinstance(unreached.value, Unanswered)
    with pytest.raises(ProviderUnavailable):
        await feed.quotes(["AAPL"])
    await venue.stop()
    await feed.stop()


async def test_a_storm(venue: AlpacaVenue, feed: AlpacaFeed, emulated: Emulated) -> None:
    """Every order that anyone may know of is one that was placed once."""
    emulated.faults.odds = STORM
    orders = [resting(quantity=Decimal("0.01")) for _ in range(12)]
    for order in orders:
        try:
            await venue.submit(order)
        except (ProviderUnavailable, RateLimited):
            continue
    emulated.faults.calm()
    there = [report for each in orders if (report := await venue.find(each)) is not None]
    assert await count(emulated) == len(there)
    for report in there:
        await venue.cancel(ticket(client_id=report.client_id, venue_id=report.venue_id))

    async def empty() -> bool:
        return not await venue.open_orders()

    await until(empty)
