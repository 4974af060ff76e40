"""Where options come from, and which are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from handlers.settings import Settings, is_loopback, refusal_to_bind

KEY = "alice:0123456789abcdef"


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


def test_defaults_are_safe() -> None:
    """Out of the box the server is for this machine only."""
    assert (settings().host, settings().port, settings().provider) == ("127.0.0.1", 8080, "paper")
    assert refusal_to_bind(settings(), [settings().host]) is None


def test_every_option_is_documented() -> None:
    """--help is made of these."""
    assert [] == [name for name, field in Settings.model_fields.items() if not field.description]


def test_precedence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is given wins over the environment, that over .env, that over the default."""
    file = tmp_path / ".env"
    file.write_text("TRADING_API_PORT=1\nTRADING_API_HOST=::1\nTRADING_API_WORKERS=3\nOTHER=x\n")
    monkeypatch.setenv("TRADING_API_PORT", "2")
    monkeypatch.setenv("TRADING_API_HOST", "localhost")
    found = Settings(_env_file=file, port=3)
    assert (found.port, found.host, found.workers) == (3, "localhost", 3)
    assert found.log_level == "info"


def test_provider_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs separated by commas or spaces; a value may contain an equals sign."""
    monkeypatch.setenv("TRADING_API_PROVIDER_OPTIONS", "seed=7, fee=0.1 note=a=b")
    assert settings().provider_options == {"seed": "7", "fee": "0.1", "note": "a=b"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "x"),
        ("workers", "0"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("max_body_bytes", "0"),
        ("provider_options", "seed"),
        ("provider_options", "=7"),
        ("api_keys", "alice:short"),
    ],
)
def test_wrong_options(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A wrong option stops the start, names itself, and does not repeat what may be secret."""
    monkeypatch.setenv(f"TRADING_API_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name) as caught:
        settings()
    assert "alice:short" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("", False),
        ("192.0.2.1", False),
        ("localhost.example", False),
    ],
)
def test_only_loopback_without_keys(host: str, loopback: bool) -> None:
    """Without keys the server listens where only this machine can connect."""
    assert is_loopback(host) == loopback
    assert (refusal_to_bind(settings(), [host]) is None) == loopback
    assert refusal_to_bind(settings(), ["127.0.0.1", host]) == refusal_to_bind(settings(), [host])
    assert refusal_to_bind(settings(api_keys=KEY), [host]) is None
