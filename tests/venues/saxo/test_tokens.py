"""Where access tokens come from."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from providers.errors import ProviderError, ProviderUnavailable
from providers.live.settings import Environment
from providers.live.venue import Refused, Unanswered
from providers.saxo.client import Client
from providers.saxo.provider import SaxoVenue
from providers.saxo.settings import SaxoSettings
from providers.saxo.tokens import Tokens, shared
from tests.venues.saxo.emulator import APP_KEY, APP_SECRET, REFRESH_TOKEN, Rig
from tests.venues.saxo.toolkit import ticket


def login(rig: Rig, **changes: object) -> SaxoSettings:
    """The emulator's settings, with the login instead of a token."""
    usual = {
        "access_token": None,
        "app_key": SecretStr(APP_KEY),
        "app_secret": SecretStr(APP_SECRET),
        "refresh_token": SecretStr(REFRESH_TOKEN),
    }
    return rig.settings.model_copy(update=usual | changes)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_token_that_is_given_is_used_as_it_is(rig: Rig) -> None:
    tokens = Tokens(rig.settings)
    assert rig.settings.access_token is not None
    assert rig.settings.access_token.get_secret_value() == await tokens.fresh()
    assert 0 == rig.login.asked


async def test_many_who_ask_at_once_fetch_one_token(rig: Rig) -> None:
    """One asks the login, the others wait for what it brings."""
    tokens = Tokens(login(rig))
    found = await asyncio.gather(*(tokens.fresh() for _ in range(10)))
    assert ({"token-1"}, 1) == (set(found), rig.login.asked)


async def test_a_token_is_replaced_before_it_ends(rig: Rig) -> None:
    """A minute before its end, and each time with the refresh token that came with the last."""
    time = Time()
    tokens = Tokens(login(rig), monotonic=time)
    found = []
    for time.now in (0, 1139, 1141, 2282):
        found.append(await tokens.fresh())
    assert ["token-1", "token-1", "token-2", "token-3"] == found


async def test_a_login_that_is_refused_is_not_worth_a_retry(rig: Rig) -> None:
    for wrong in ({"app_secret": SecretStr("x")}, {"refresh_token": SecretStr("y")}):
        with pytest.raises(ProviderError, match="refuses the login"):
            await Tokens(login(rig, **wrong)).fresh()


async def test_a_login_out_of_reach_leaves_a_command_unsent(rig: Rig) -> None:
    """It is not Unanswered: without a token, nothing was sent."""
    settings = login(rig, auth_url="http://127.0.0.1:9")
    client = Client("saxo", settings)
    with pytest.raises(ProviderUnavailable) as caught:
        await client.command("POST", "/trade/v2/orders", json={})
    await client.close()
    assert not isinstance(caught.value, Unanswered)
    assert 0 == rig.sent("POST", "/trade/v2/orders")


async def test_venue_and_feed_share_their_tokens(rig: Rig) -> None:
    """Two who each had the first refresh token would lock each other out."""
    settings = login(rig)
    one = shared(settings)
    assert one is shared(login(rig))
    assert one is not shared(rig.settings)


async def test_a_venue_with_a_login_trades(rig: Rig) -> None:
    venue = SaxoVenue(login(rig))
    try:
        await venue.start()
        with pytest.raises(Refused):
            await venue.submit(ticket(symbol="BTC/USD"))
        assert (await venue.submit(ticket())).venue_id
    finally:
        await venue.stop()


async def test_a_wrong_token_is_told_as_such_and_never_shown(rig: Rig) -> None:
    settings = rig.settings.model_copy(update={"access_token": SecretStr("not-a-token")})
    venue = SaxoVenue(settings)
    with pytest.raises(ProviderError, match="does not accept the token") as caught:
        await venue.start()
    await venue.stop()
    assert "not-a-token" not in f"{caught.value!r} {settings!r} {vars(venue)!r}"


def test_credentials_that_are_missing_are_named() -> None:
    settings = SaxoSettings(_env_file=None, app_key=SecretStr("k"))
    with pytest.raises(ValueError, match="TRADING_API_SAXO_APP_SECRET, .*REFRESH_TOKEN"):
        Tokens(settings)


def test_each_environment_has_its_own_places() -> None:
    paper = SaxoSettings(_env_file=None).endpoints
    live = SaxoSettings(_env_file=None, environment=Environment.LIVE).endpoints
    assert "/sim/" in paper.rest
    assert "/sim/" in paper.stream
    assert "sim" in paper.auth
    assert "sim" not in f"{live.rest}{live.stream}{live.auth}"


def test_a_url_that_is_not_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="https"):
        SaxoSettings(_env_file=None, rest_url="http://example.com")
