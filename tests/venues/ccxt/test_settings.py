"""Which exchanges can be configured, and that credentials stay where they are."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from pydantic import ValidationError

from providers.ccxt.client import Client, exact, moved
from providers.ccxt.provider import CcxtVenue
from providers.ccxt.settings import CcxtSettings
from providers.live.settings import Environment, load

CREDENTIALS: Any = {"api_key": "the-key", "secret": "dGhlLXNlY3JldA==", "password": "the-word"}


def settings(**changes: Any) -> CcxtSettings:
    return CcxtSettings(**{"exchange": "coinbaseexchange", **CREDENTIALS, **changes})


def test_base_url_is_of_this_machine() -> None:
    """No setting sends the credentials elsewhere than to the exchange."""
    for address in ("https://evil.example", "http://10.0.0.1:80"):
        with pytest.raises(ValidationError, match="must be an address of this machine"):
            settings(base_url=address)
    assert "http://127.0.0.1:80" == settings(base_url="http://127.0.0.1:80/").base_url


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exchange": "nowhere", "client_id_pattern": ".*"}, "ccxt has no exchange 'nowhere'"),
        ({"exchange": "nowhere"}, "nowhere is not known to carry client order ids"),
        ({"exchange": "kraken"}, "kraken has no sandbox: set TRADING_API_CCXT_ENVIRONMENT=live"),
        ({"api_key": None}, "set TRADING_API_CCXT_API_KEY"),
        ({"exchange": "binancecoinm", "client_id_pattern": ".*"}, "has no spot markets"),
        ({"exchange": "hyperliquid", "client_id_pattern": ".*"}, "a kind not known here"),
    ],
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    """What cannot be a venue is refused before anything is connected, and it is said why."""
    with pytest.raises(ValueError, match=message):
        CcxtVenue(settings(**changes))


def test_paper_is_the_sandbox() -> None:
    """The environment decides which world of the exchange it is."""
    paper = Client(settings(), private=True)
    live = Client(settings(environment=Environment.LIVE), private=True)
    assert "coinbaseexchange-paper" == paper.name
    assert "sandbox" in paper.library.urls["api"]["private"]
    assert "sandbox" not in live.library.urls["api"]["private"]


def test_commands_are_not_repeated_by_the_library() -> None:
    """ccxt repeats failed requests only where it is told to."""
    library = Client(settings(), private=True).library
    assert 0 == library.options["maxRetriesOnFailure"]
    assert 10_000 == library.timeout
    assert library.enableRateLimit


def test_credentials_are_not_on_the_command_line() -> None:
    """As with every venue."""
    with pytest.raises(ValueError, match="TRADING_API_CCXT_SECRET"):
        load(CcxtSettings, {"exchange": "kraken", "secret": "x"})


def test_credentials_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Neither by the settings nor by the library's own log, which has whole requests in it."""
    chosen = settings(base_url="http://127.0.0.1:9", timeout=0.2)
    with caplog.at_level(logging.DEBUG):
        client = Client(chosen, private=True)

        async def one_request() -> None:
            with pytest.raises(Exception, match="coinbaseexchange-paper"):
                await client.command("fetch_balance")
            await client.close()

        asyncio.run(one_request())
    for text in (repr(chosen), repr(client), str(client.library), caplog.text):
        assert not any(secret in text for secret in CREDENTIALS.values())


def test_moved() -> None:
    """All addresses of an exchange keep their paths and kinds on another host."""
    urls = {
        "public": "https://api.{hostname}/v1",
        "ws": {"public": "wss://x.com/ws", "private": "wss://y.com"},
    }
    expected = {
        "public": "http://127.0.0.1:5/v1",
        "ws": {"public": "ws://127.0.0.1:5/ws", "private": "ws://127.0.0.1:5"},
    }
    assert expected == moved(urls, "http://127.0.0.1:5")
    assert "wss://localhost/ws" == moved("wss://x.com/ws", "https://localhost")


def test_numbers_are_exact() -> None:
    """No number of an exchange goes through a float."""
    assert {"a": "0.1234567890123456789", "b": 3} == exact('{"a":0.1234567890123456789,"b":3}')
