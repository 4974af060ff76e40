"""The command `trading-api`."""

from __future__ import annotations

from typing import Any

import pytest

from handlers import cli
from handlers.auth import ApiKey
from handlers.settings import Settings


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    code = caught.value.code
    assert isinstance(code, int)
    return code


def test_help_documents_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """--help says what each option does, its default, and shows examples."""
    assert run("serve", "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, field in Settings.model_fields.items():
        if name != "api_keys":
            assert f"--{name.replace('_', '-')} " in text
            assert field.description
            assert " ".join(field.description.split()) in text.replace("- ", "-")
    assert "examples: trading-api serve" in text


def test_keys_are_not_taken_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Every process of a machine can read a command line."""
    assert run("serve", "--api-keys", "alice:0123456789abcdef") == 2
    assert "unrecognized arguments" in capsys.readouterr().err


def test_key(capsys: pytest.CaptureFixture[str]) -> None:
    """`key` prints the key for the caller and the entry for the server."""
    assert run("key", "alice") == 0
    key, entry = capsys.readouterr().out.splitlines()
    name, _, value = entry.partition("=")
    assert name == "TRADING_API_API_KEYS"
    assert ApiKey.parse(value) == ApiKey.parse(f"alice:{key}")


@pytest.mark.parametrize("account", ["", "a b", "a:b", "x" * 65])
def test_key_of_an_impossible_account(capsys: pytest.CaptureFixture[str], account: str) -> None:
    """An account name that an entry cannot hold is refused."""
    assert run("key", account) == 2
    assert "cannot name an account" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--port", "x"], "--port or TRADING_API_PORT: "),
        (["--log-level", "loud"], "--log-level or TRADING_API_LOG_LEVEL: "),
        (["--host", "0.0.0.0"], "Refusing to listen on 0.0.0.0 without API keys"),  # noqa: S104
        (["--provider", "nobody"], "unknown provider 'nobody'"),
        (
            ["--provider-options", "x"],
            "--provider-options or TRADING_API_PROVIDER_OPTIONS: ",
        ),
    ],
)
def test_a_wrong_start_is_explained_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    """No traceback, exit code 2."""
    assert run("serve", *arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"trading-api: {complaint}")


def test_a_wrong_key_in_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The complaint names the variable and not the key."""
    monkeypatch.setenv("TRADING_API_API_KEYS", "alice:short")
    assert run("serve") == 2
    error = capsys.readouterr().err
    assert error.startswith("trading-api: TRADING_API_API_KEYS: an entry must be ACCOUNT:KEY")
    assert "short" not in error


def test_options_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command line says is what uvicorn is told."""
    told: dict[str, Any] = {}
    monkeypatch.setattr("uvicorn.run", lambda _, **options: told.update(options))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    options = ("--port", "9", "--shutdown-seconds", "5", "--log-level", "error")
    assert run("serve", "--provider", "none", *options) == 0
    assert (told["host"], told["port"]) == ("127.0.0.1", 9)
    assert told["timeout_graceful_shutdown"] == 5
    assert told["access_log"] is False
