"""Where the settings of a venue come from, and where its credentials must not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from providers.live.settings import (
    SECRETS_DIR,
    Environment,
    LiveSettings,
    checked_url,
    load,
    required,
    url_validator,
)

SECRET = "s3cr3t-value-of-a-test"


class FakeSettings(LiveSettings):
    """Those of a venue as the others have theirs."""

    model_config = SettingsConfigDict(**{**LiveSettings.model_config, "env_prefix": "TA_FAKE_"})

    api_key: SecretStr | None = None
    api_secret: SecretStr = SecretStr("")
    base_url: str = ""
    depth: int = Field(5, le=10)

    _urls = url_validator("base_url")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, so that no `.env` of anybody counts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SECRETS_DIR, raising=False)
    return tmp_path


def test_defaults() -> None:
    """Without a word it is the practice accounts."""
    assert Environment.PAPER is load(FakeSettings, {}).environment


def test_options_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option wins over the environment."""
    monkeypatch.setenv("TA_FAKE_DEPTH", "3")
    monkeypatch.setenv("TA_FAKE_ENVIRONMENT", "live")
    found = load(FakeSettings, {"depth": "7"})
    assert (7, Environment.LIVE) == (found.depth, found.environment)


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials come from variables."""
    monkeypatch.setenv("TA_FAKE_API_KEY", SECRET)
    assert (SECRET,) == required(load(FakeSettings, {}), "api_key")


def test_a_file_of_variables(elsewhere: Path) -> None:
    """Credentials come from `.env`."""
    (elsewhere / ".env").write_text(f"TA_FAKE_API_KEY={SECRET}\nOTHER=1\n")
    assert (SECRET,) == required(load(FakeSettings, {}), "api_key")


def test_a_folder_of_secrets(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials come from files that are named like the variables."""
    folder = elsewhere / "secrets"
    folder.mkdir()
    (folder / "ta_fake_api_key").write_text(f"{SECRET}\n")
    monkeypatch.setenv(SECRETS_DIR, str(folder))
    assert (SECRET,) == required(load(FakeSettings, {}), "api_key")


@pytest.mark.parametrize("name", ["api_key", "api_secret"])
def test_credentials_are_no_options(name: str) -> None:
    """A credential on a command line is refused, and not repeated."""
    with pytest.raises(ValueError, match=f"TA_FAKE_{name}".upper()) as refused:
        load(FakeSettings, {name: SECRET})
    assert SECRET not in str(refused.value)


def test_unknown_options() -> None:
    """An option that does not exist is named."""
    with pytest.raises(ValueError, match="unknown options of FakeSettings: colour, size"):
        load(FakeSettings, {"size": "1", "colour": "2"})


def test_missing_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not set, or empty, is named by its variable."""
    monkeypatch.setenv("TA_FAKE_API_KEY", "")
    with pytest.raises(ValueError, match="set TA_FAKE_API_KEY, TA_FAKE_API_SECRET"):
        required(load(FakeSettings, {}), "api_key", "api_secret")


def test_wrong_values_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message about a setting never has a value in it."""
    monkeypatch.setenv("TA_FAKE_DEPTH", SECRET)
    with pytest.raises(ValidationError) as wrong:
        load(FakeSettings, {})
    assert SECRET not in str(wrong.value)
    assert SECRET not in repr(wrong.value)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings can be printed."""
    monkeypatch.setenv("TA_FAKE_API_KEY", SECRET)
    found = load(FakeSettings, {})
    assert SECRET not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"


def test_settings_do_not_change() -> None:
    """What was read stays."""
    with pytest.raises(ValidationError):
        load(FakeSettings, {}).depth = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com/", "https://api.example.com"),
        ("wss://stream.example.com/v2", "wss://stream.example.com/v2"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("ws://localhost:8000", "ws://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_urls(url: str, expected: str) -> None:
    """What is sent is secret, or does not leave this machine; a slash at the end is none."""
    assert expected == checked_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "ws://api.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "api.example.com",
        "ftp://example.com",
        "//example.com",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Nothing is sent to others in the clear."""
    with pytest.raises(ValueError, match="https or wss"):
        checked_url(url)


def test_url_settings() -> None:
    """A base URL is checked where it is read; an empty one is the default."""
    assert ("", "https://x.example.com") == (
        load(FakeSettings, {"base_url": ""}).base_url,
        load(FakeSettings, {"base_url": "https://x.example.com/"}).base_url,
    )
    with pytest.raises(ValidationError):
        load(FakeSettings, {"base_url": "http://x.example.com"})
