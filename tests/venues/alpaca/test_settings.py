"""The options of Alpaca."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from providers.alpaca.provider import feed, venue
from providers.alpaca.settings import AlpacaSettings
from providers.live.settings import Environment


def test_the_environment_chooses_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = AlpacaSettings()
    live = AlpacaSettings(environment=Environment.LIVE)
    assert paper.trading == "https://paper-api.alpaca.markets"
    assert paper.stream == "wss://paper-api.alpaca.markets/stream"
    assert live.trading == "https://api.alpaca.markets"
    assert live.stream == "wss://api.alpaca.markets/stream"
    assert (live.data, live.data_stream) == (paper.data, paper.data_stream)
    monkeypatch.setenv("TRADING_API_ALPACA_TRADING_URL", "http://127.0.0.1:1/")
    assert AlpacaSettings().trading == "http://127.0.0.1:1"


def test_credentials_do_not_go_over_an_open_line() -> None:
    with pytest.raises(ValidationError):
        AlpacaSettings(stream_url="ws://example.com/stream")


def test_credentials_are_not_shown() -> None:
    settings = AlpacaSettings(key_id=SecretStr("PK123"), secret_key=SecretStr("hush"))
    shown = f"{settings!r} {venue(settings)!r} {feed(settings)!r}"
    assert "PK123" not in shown
    assert "hush" not in shown


def test_credentials_that_are_missing_are_named() -> None:
    settings = AlpacaSettings(key_id=SecretStr("PK123"))
    for make in (venue, feed):
        with pytest.raises(ValueError, match="TRADING_API_ALPACA_SECRET_KEY"):
            make(settings)
