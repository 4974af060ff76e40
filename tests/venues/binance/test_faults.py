"""What goes wrong between the adapter and the venue, and what the adapter makes of it."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from pydantic import SecretStr

from providers.binance import provider
from providers.binance.provider import BinanceVenue
from providers.binance.settings import BinanceSettings
from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.venue import Holding, Progress, Refused, Unanswered
from providers.models import RejectReason
from tests.venues.binance.desk import Refusal
from tests.venues.binance.emulator import KEY, SECRET, Rig
from tests.venues.binance.toolkit import limit, near, ticket
from tests.venues.faults import STORM, Odds

ORDERS = "POST /api/v3/order"


@asynccontextmanager
async def started(venue: BinanceVenue) -> AsyncIterator[BinanceVenue]:
    try:
        await venue.start()
        yield venue
    finally:
        await venue.stop()


FAILURES: list[tuple[Odds, type[Exception], bool]] = [
    (Odds(limited=1), RateLimited, False),
    (Odds(refused=1), Unanswered, False),
    (Odds(failed=1), Unanswered, True),
    (Odds(cut=1), Unanswered, True),
]


async def test_commands_that_fail(venue: BinanceVenue, rig: Rig) -> None:
    """A command is sent once, and whether it was carried out is found by its client id."""
    for number, (odds, expected, done) in enumerate(FAILURES, 1):
        sent = ticket()
        rig.emulated.faults.odds = odds
        with pytest.raises(expected):
            await venue.submit(sent)
        assert rig.seen[ORDERS] == number
        rig.emulated.faults.calm()
        found = await venue.find(sent)
        assert (found is not None and found.progress is Progress.FILLED) is done


async def test_a_slow_command(
    venue: BinanceVenue, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not answered in time is Unanswered, though it was done."""
    impatient = httpx.Timeout(0.2)
    signed = venue._client._signed
    assert signed is not None
    monkeypatch.setattr(signed._client, "timeout", impatient)
    rig.emulated.faults.odds = Odds(slow=1, delay=0.6)
    sent = ticket()
    with pytest.raises(Unanswered):
        await venue.submit(sent)
    rig.emulated.faults.calm()
    assert rig.seen[ORDERS] == 1
    assert await venue.find(sent) is not None


async def test_reads_that_fail(venue: BinanceVenue, rig: Rig) -> None:
    """They are repeated a few times, then given up."""
    before = rig.seen["GET /api/v3/account"]
    rig.emulated.faults.odds = Odds(refused=1)
    with pytest.raises(ProviderUnavailable):
        await venue.funds()
    assert rig.seen["GET /api/v3/account"] - before == 3
    rig.emulated.faults.odds = Odds(failed=0.4)
    assert await venue.holdings() == []


async def test_nobody_there(rig: Rig) -> None:
    """Without a connection nothing was sent."""
    gone = rig.settings.model_copy(update={"rest_url": "http://127.0.0.1:1"})
    venue = BinanceVenue(gone)
    with pytest.raises(ProviderUnavailable):
        await venue.ping()
    await venue.stop()


ERRORS: list[tuple[Refusal, type[Exception]]] = [
    (Refusal(-1015, "Too many new orders."), RateLimited),
    (Refusal(-1007, "Timeout waiting for response from backend server."), Unanswered),
    (Refusal(-1006, "An unexpected response was received."), Unanswered),
    (Refusal(-1016, "This service is no longer available."), ProviderUnavailable),
    (Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401), ProviderError),
    (Refusal(-9999, "A code of tomorrow."), ProviderError),
]


async def test_errors_of_commands(venue: BinanceVenue, rig: Rig) -> None:
    """Each code is raised as what it means, and the command is not sent again."""
    for number, (refusal, expected) in enumerate(ERRORS, 1):
        rig.rest.refusals = [refusal]
        with pytest.raises(expected) as raised:
            await venue.submit(ticket())
        assert type(raised.value) is expected
        assert rig.seen[ORDERS] == number


async def test_a_ban_is_waited_out(venue: BinanceVenue, rig: Rig) -> None:
    """After a 418 nothing is sent until it is over: each request would make it longer."""
    rig.rest.retry_after = "120"
    rig.rest.refusals = [Refusal(-1003, "Way too much request weight used; IP banned.", 418)]
    with pytest.raises(RateLimited) as first:
        await venue.funds()
    assert first.value.retry_after == 120
    asked = rig.seen.total()
    with pytest.raises(RateLimited) as second:
        await venue.submit(ticket())
    with pytest.raises(RateLimited):
        await venue.ping()
    assert 110 < second.value.retry_after <= 120
    assert rig.seen.total() == asked


async def test_our_clock_is_off(rig: Rig) -> None:
    """It is set at the start, and again when the venue refuses a timestamp."""
    slow = BinanceVenue(rig.settings, clock=lambda: datetime.now(UTC) - timedelta(minutes=3))
    async with started(slow):
        assert (await slow.funds()).money == Decimal(1_000_000)
        rig.rest.skew = timedelta(minutes=5)
        with pytest.raises(ProviderUnavailable):
            await slow.submit(ticket())
        assert rig.seen[ORDERS] == 1
        assert (await slow.submit(ticket())).progress is Progress.FILLED
        rig.rest.skew = timedelta(0)
        assert len(await slow.holdings()) == 1


async def test_wrong_credentials(rig: Rig) -> None:
    """The venue does not start with them, and says so."""
    for name, code in (("api_key", "-2015"), ("api_secret", "-1022")):
        wrong = rig.settings.model_copy(update={name: SecretStr("x" * 64)})
        with pytest.raises(ProviderError, match=code):
            async with started(BinanceVenue(wrong)):
                pass


def test_no_credentials() -> None:
    with pytest.raises(ValueError, match="TRADING_API_BINANCE_API_SECRET"):
        provider.venue(BinanceSettings(api_key=SecretStr("key"), _env_file=None))


async def test_credentials_stay_secret(
    venue: BinanceVenue, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither what is logged nor what is raised has them, nor does a repr."""
    caplog.set_level(logging.DEBUG, logger="providers")
    rig.emulated.faults.odds = Odds(failed=1)
    with pytest.raises(Unanswered) as raised:
        await venue.submit(ticket())
    signer = venue._client.signer
    told = f"{caplog.text} {raised.value!r} {signer!r} {rig.settings!r}"
    assert KEY not in told
    assert SECRET not in told


async def test_cancel_that_fails(venue: BinanceVenue, rig: Rig) -> None:
    """A cancel, too, is sent once; a refusal of it is no end of the order."""
    sent = limit(near(rig, -1000))
    await venue.submit(sent)
    rig.rest.refusals = [Refusal(-2011, "Order was not canceled due to cancel restrictions.")]
    with pytest.raises(Refused) as refusal:
        await venue.cancel(sent)
    assert refusal.value.reason is RejectReason.UNKNOWN
    rig.emulated.faults.odds = Odds(failed=1)
    with pytest.raises(Unanswered):
        await venue.cancel(sent)
    assert rig.seen["DELETE /api/v3/order"] == 2
    rig.emulated.faults.calm()
    assert await venue.open_orders() == []


async def test_answers_that_make_no_sense(
    venue: BinanceVenue, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are ProviderErrors."""

    async def nonsense(*_: object, **__: object) -> object:
        return {"balances": [{"asset": "USDT", "free": "much", "locked": None}], "x": 1}

    monkeypatch.setattr(venue._client, "read", nonsense)
    with pytest.raises(ProviderError):
        await venue.funds()
    with pytest.raises(ProviderError):
        await venue.open_orders()


async def test_a_storm(venue: BinanceVenue, rig: Rig) -> None:
    """Whatever goes wrong, each order is there once or not at all, and all that is held is told."""
    rig.emulated.faults.odds = replace(STORM, limited=0, failed=0.15, cut=0.15)
    sent = [ticket() for _ in range(15)]
    for each in sent:
        with contextlib.suppress(ProviderUnavailable):
            await venue.submit(each)
    rig.emulated.faults.calm()
    assert rig.seen[ORDERS] == len(sent)
    placed = Counter(each.client_id for each in rig.rest.desk.placed)
    assert set(placed.values()) == {1}
    filled = Decimal(0)
    for each in sent:
        found = await venue.find(each)
        assert (found is not None) is (each.client_id in placed)
        executions = await venue.executions(each)
        assert sum((one.quantity for one in executions), Decimal(0)) == (
            found.filled if found else 0
        )
        filled += found.filled if found else 0
    assert await venue.holdings() == [Holding(symbol="BTC/USDT", quantity=filled)]
