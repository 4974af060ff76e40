"""What goes wrong on the way, and that a command is sent once."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from providers.ccxt.provider import CcxtVenue
from providers.errors import ProviderUnavailable, RateLimited
from providers.live.venue import Progress, Ticket, Unanswered
from tests.venues.ccxt.emulator import EmulatedExchange
from tests.venues.ccxt.tickets import ended, resting
from tests.venues.ccxt.tickets import ticket as bought
from tests.venues.faults import STORM, Odds


def sent(coinbase: EmulatedExchange, method: str) -> int:
    """How many requests of a method have reached the exchange's own code."""
    return sum(each == method for each, _ in coinbase.exchange.requests)


@pytest.mark.parametrize("fault", ["failed", "cut", "slow"])
async def test_commands_in_doubt(coinbase: EmulatedExchange, fault: str) -> None:
    """The order is there although nobody said so; it is found by its client id."""
    settings = coinbase.settings.model_copy(update={"timeout": 0.3})
    venue = CcxtVenue(settings)
    await venue.start()
    ticket = resting()
    coinbase.faults.odds = Odds(**{fault: 1.0}, delay=0.6)
    with pytest.raises(Unanswered):
        await venue.submit(ticket)
    assert 1 == sent(coinbase, "POST")
    coinbase.faults.calm()
    assert await venue.find(ticket) is not None
    coinbase.faults.odds = Odds(**{fault: 1.0}, delay=0.6)
    found = await venue_id(coinbase, venue)
    with pytest.raises(Unanswered):
        await venue.cancel(resting(client_id=ticket.client_id, venue_id=found))
    coinbase.faults.calm()
    assert not await venue.open_orders()
    assert 1 == sent(coinbase, "DELETE")
    await venue.stop()


async def venue_id(coinbase: EmulatedExchange, venue: CcxtVenue) -> str:
    odds, coinbase.faults.odds = coinbase.faults.odds, Odds()
    (order,) = await venue.open_orders()
    coinbase.faults.odds = odds
    return order.venue_id


@pytest.mark.parametrize(("fault", "expected"), [("limited", RateLimited), ("refused", Unanswered)])
async def test_commands_refused(
    coinbase: EmulatedExchange, venue: CcxtVenue, fault: str, expected: type[Exception]
) -> None:
    """A rate limit is certain; a 503 is not, since gateways say it, too."""
    coinbase.faults.odds = Odds(**{fault: 1.0})
    with pytest.raises(expected):
        await venue.submit(resting())
    coinbase.faults.calm()
    assert 0 == sent(coinbase, "POST")
    assert not await venue.open_orders()


async def test_nobody_there(coinbase: EmulatedExchange) -> None:
    """Without a connection nothing was sent, and that is known."""
    nowhere = {"base_url": "http://127.0.0.1:9"}
    venue = CcxtVenue(coinbase.settings.model_copy(update=nowhere))
    with pytest.raises(ProviderUnavailable):
        await venue.start()
    here = CcxtVenue(coinbase.settings)
    await here.start()
    venue._instruments = here.instruments
    venue._client.library.set_markets(list(here._client.library.markets.values()))
    with pytest.raises(ProviderUnavailable) as raised:
        await venue.submit(resting())
    assert not isinstance(raised.value, Unanswered)
    await venue.stop()
    await here.stop()


async def test_reads_are_repeated(
    coinbase: EmulatedExchange, venue: CcxtVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One failure, or two, of a read are not seen."""
    strikes = iter(["limited", None, "refused", "failed", None, "cut", None])
    monkeypatch.setattr(coinbase.faults, "one_of", lambda _: next(strikes))
    assert not await venue.open_orders()
    assert not await venue.holdings()
    assert 1_000_000 == (await venue.funds()).money
    assert next(strikes, "all") == "all"


async def test_reads_give_up(coinbase: EmulatedExchange, venue: CcxtVenue) -> None:
    """A third failure is told."""
    coinbase.faults.odds = Odds(failed=1)
    before = len(coinbase.exchange.requests)
    with pytest.raises(ProviderUnavailable):
        await venue.funds()
    assert 3 == len(coinbase.exchange.requests) - before


async def placed(venue: CcxtVenue, ticket: Ticket) -> None:
    """Send a ticket until it is known to be there: the rule that client ids are for."""
    in_doubt = False
    while True:
        try:
            if in_doubt and await venue.find(ticket) is not None:
                return
            in_doubt = True
            await venue.submit(ticket)
        except ProviderUnavailable:
            continue
        return


async def test_a_storm(coinbase: EmulatedExchange, venue: CcxtVenue) -> None:
    """Whatever goes wrong, each order is placed exactly once, and all fills are told."""
    coinbase.faults.odds = replace(STORM, limited=0, failed=0.15, cut=0.15, refused=0.15)
    tickets = [bought(quantity=Decimal("0.5")) for _ in range(15)]
    for each in tickets:
        await placed(venue, each)
    coinbase.faults.calm()
    for each in tickets:
        assert Progress.FILLED is (await ended(venue, each)).progress
    (held,) = await venue.holdings()
    assert Decimal("0.5") * 15 == held.quantity
    fills = [fill for each in tickets for fill in await venue.executions(each) or ()]
    cost = sum(each.quantity * each.price + each.commission for each in fills)
    assert 1_000_000 - cost == (await venue.funds()).money
