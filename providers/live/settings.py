"""What the settings of every venue have in common: credentials, and which of its worlds it is.

Credentials come from the environment, from `.env`, or from files: with `TRADING_API_SECRETS_DIR`
set, a file there that is named like the variable holds the value, as Docker and Kubernetes mount
secrets. They are never taken from a command line, and nothing here prints them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS_DIR = "TRADING_API_SECRETS_DIR"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

S = TypeVar("S", bound="LiveSettings")


class Environment(StrEnum):
    """Which of a venue's worlds: the one for practice, or the one with real money."""

    PAPER = "paper"
    LIVE = "live"


class LiveSettings(BaseSettings):
    """Base of a venue's settings; each has its own prefix, such as `TRADING_API_ALPACA_`.

    Raises pydantic's ValidationError, which never shows a value.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Environment = Field(
        Environment.PAPER,
        description="paper, the venue's practice accounts; live trades with real money and must be"
        " asked for.",
    )


def checked_url(value: str) -> str:
    """A base URL that keeps what is sent secret: https or wss, or this very machine."""
    parts = urlsplit(value)
    if parts.scheme not in ("https", "wss") and parts.hostname not in LOOPBACK:
        raise ValueError("must be https or wss, unless it is on this machine")
    return value.rstrip("/")


def url_validator(*fields: str) -> Any:
    """The validator of settings that are base URLs; an empty one stands for the default."""
    return field_validator(*fields)(lambda value: checked_url(value) if value else value)


def load(settings: type[S], options: Mapping[str, str]) -> S:
    """Settings from `options`, then environment and files.

    Raises ValueError for an option that is not known, or that is a credential: a command line is
    read by every process of the machine.
    """
    fields = settings.model_fields
    unknown = sorted(set(options) - set(fields))
    if unknown:
        raise ValueError(f"unknown options of {settings.__name__}: {', '.join(unknown)}")
    secret = sorted(name for name in options if "SecretStr" in str(fields[name].annotation))
    if secret:
        prefix = settings.model_config.get("env_prefix", "")
        names = ", ".join(f"{prefix}{name}".upper() for name in secret)
        raise ValueError(f"credentials come from the environment or from files: {names}")
    return settings(_secrets_dir=os.environ.get(SECRETS_DIR), **dict(options))  # type: ignore[arg-type]


def required(settings: LiveSettings, *names: str) -> tuple[str, ...]:
    """The credentials of these names. Raises ValueError, naming the variables that are not set."""
    prefix = settings.model_config.get("env_prefix", "")
    found: list[str] = []
    missing: list[str] = []
    for name in names:
        value: SecretStr | None = getattr(settings, name)
        if value is None or not value.get_secret_value():
            missing.append(f"{prefix}{name}".upper())
        else:
            found.append(value.get_secret_value())
    if missing:
        raise ValueError(f"credentials are missing: set {', '.join(missing)}")
    return tuple(found)
