"""What goes wrong between the adapter and OANDA, and what the adapter makes of it."""

from __future__ import annotations

import logging
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.venue import Gone, Progress, Refused, Report, Unanswered
from providers.oanda import provider
from providers.oanda.provider import OandaVenue
from providers.oanda.settings import OandaSettings
from tests.venues.faults import Odds
from tests.venues.oanda.emulator import ACCOUNT_ID, TOKEN, OandaEmulated
from tests.venues.oanda.toolkit import limit, ticket

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOW = "0.50000"

FAILURES = [
    pytest.param(Odds(limited=1), RateLimited, False, id="limited"),
    pytest.param(Odds(refused=1), Unanswered, False, id="refused"),
    pytest.param(Odds(failed=1), Unanswered, True, id="failed"),
    pytest.param(Odds(cut=1), Unanswered, True, id="cut"),
]


@pytest.mark.parametrize(("odds", "expected", "done"), FAILURES)
async def test_a_new_order_is_sent_once(
    venue: OandaVenue,
    emulated: OandaEmulated,
    odds: Odds,
    expected: type[Exception],
    done: bool,
) -> None:
    """Whether it was carried out is found out by its client id, also when it is over already."""
    for order in (limit(LOW), ticket()):
        before = emulated.seen["POST /orders"]
        emulated.faults.odds = odds
        with pytest.raises(expected):
            await venue.submit(order)
        emulated.faults.calm()
        assert emulated.seen["POST /orders"] == before + 1
        assert (await venue.find(order) is not None) is done


@pytest.mark.parametrize(("odds", "expected", "done"), FAILURES)
async def test_a_cancel_is_sent_once(
    venue: OandaVenue,
    emulated: OandaEmulated,
    odds: Odds,
    expected: type[Exception],
    done: bool,
) -> None:
    order = limit(LOW)
    order = replace(order, venue_id=(await venue.submit(order)).venue_id)
    path = f"PUT /orders/{order.venue_id}/cancel"
    emulated.faults.odds = odds
    with pytest.raises(expected):
        await venue.cancel(order)
    emulated.faults.calm()
    assert emulated.seen[path] == 1
    found = await venue.find(order)
    assert found is not None
    assert (found.progress is Progress.CANCELLED) is done


@pytest.mark.parametrize(("odds", "done"), [(Odds(refused=1), False), (Odds(cut=1), True)])
async def test_a_change_is_sent_once(
    venue: OandaVenue,
    emulated: OandaEmulated,
    monkeypatch: pytest.MonkeyPatch,
    odds: Odds,
    done: bool,
) -> None:
    """Its question for what has filled is answered; the change itself is not."""
    order = limit(LOW)
    standing = await venue.submit(order)
    order = replace(order, venue_id=standing.venue_id)
    changed = replace(order, client_id=f"{order.client_id}-changed")

    async def find(_: object) -> Report:
        emulated.faults.odds = odds
        return standing

    with monkeypatch.context() as patched:
        patched.setattr(venue, "find", find)
        with pytest.raises(Unanswered):
            await venue.replace(order, changed)
    emulated.faults.calm()
    assert emulated.seen[f"PUT /orders/{order.venue_id}"] == 1
    found = await venue.find(changed)
    assert (found is not None) is done


async def test_an_order_without_an_answer_in_time(
    venue: OandaVenue, emulated: OandaEmulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue._client._http._client, "timeout", httpx.Timeout(0.2))
    emulated.faults.odds = Odds(slow=1, delay=0.6)
    order = ticket()
    with pytest.raises(Unanswered):
        await venue.submit(order)
    emulated.faults.calm()
    found = await venue.find(order)
    assert found is not None
    assert found.progress is Progress.FILLED


async def test_a_cancel_whose_outcome_is_not_told_is_done_all_the_same(
    venue: OandaVenue, emulated: OandaEmulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = limit(LOW)
    await venue.submit(order)

    async def find(_: object) -> Report:
        raise ProviderUnavailable("not now")

    with monkeypatch.context() as patched:
        patched.setattr(venue, "find", find)
        assert await venue.cancel(order) is None
    with pytest.raises(Gone):
        await venue.cancel(order)


@pytest.mark.parametrize(
    ("odds", "expected"),
    [
        (Odds(limited=1), RateLimited),
        (Odds(refused=1), ProviderUnavailable),
        (Odds(cut=1), ProviderUnavailable),
    ],
    ids=["limited", "refused", "cut"],
)
async def test_a_read_is_repeated_and_then_given_up(
    venue: OandaVenue, emulated: OandaEmulated, odds: Odds, expected: type[Exception]
) -> None:
    before = emulated.seen["GET /openPositions"]
    emulated.faults.odds = odds
    with pytest.raises(expected):
        await venue.holdings()
    assert emulated.seen["GET /openPositions"] > before
    emulated.faults.calm()
    assert await venue.holdings() == []


async def test_nobody_there(emulated: OandaEmulated) -> None:
    """Nothing was sent, and that is known."""
    url = "http://127.0.0.1:1"
    settings = OandaSettings(
        token=SecretStr(TOKEN), account_id=ACCOUNT_ID, rest_url=url, stream_url=url
    )
    away = provider.venue(settings)
    with pytest.raises(ProviderUnavailable) as raised:
        await away.ping()
    assert not isinstance(raised.value, Unanswered)
    with pytest.raises(Refused):  # nothing is known to be traded there
        await away.submit(ticket())
    await away.stop()


@pytest.mark.parametrize("account", [ACCOUNT_ID, "101-001-7654321-001"])
async def test_a_token_that_is_not_taken(
    emulated: OandaEmulated, account: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong token, or one for another account: no retry helps, and the token is told nobody."""
    url = emulated.environment["TRADING_API_OANDA_REST_URL"]
    token = TOKEN if account != ACCOUNT_ID else "wrong-secret"
    settings = OandaSettings(
        token=SecretStr(token), account_id=account, rest_url=url, stream_url=url
    )
    stranger = provider.venue(settings)
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderError) as refused:
        await stranger.start()
    await stranger.stop()
    told = "".join(
        (str(refused.value), repr(stranger), repr(vars(stranger._client)), repr(settings))
    )
    assert token not in told + caplog.text
