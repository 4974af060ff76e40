"""Every option of the server, documented once: this text is also `trading-api serve --help`.

An option is read from the command line, else from the environment (`TRADING_API_` and its name in
upper case), else from a file `.env` in the working directory, else it has its default.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from handlers.auth import ApiKey
from handlers.logs import Format, Level

PREFIX = "TRADING_API_"
SECRETS = frozenset({"api_keys"})
"""Have no place on a command line, where every process can read them."""


def _split(text: Any) -> Any:
    """Comma- or space-separated text as its parts; anything else as it is."""
    return [part for part in re.split(r"[\s,]+", text) if part] if isinstance(text, str) else text


def _keys(value: Any) -> Any:
    return [ApiKey.parse(part) if isinstance(part, str) else part for part in _split(value)]


def _pairs(value: Any) -> Any:
    parts = _split(value)
    if not isinstance(parts, Sequence):
        return parts
    pairs = [part.partition("=") for part in parts]
    if not all(name and equals for name, equals, _ in pairs):
        raise ValueError("must be NAME=VALUE, NAME=VALUE, ...")
    return {name: text for name, _, text in pairs}


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    provider: str = Field(
        "paper",
        description="What orders are sent to: paper, a simulated exchange; backtest, history (see"
        " `trading-api backtest`); alpaca, binance, oanda, saxo or ccxt, a real venue, with its"
        " practice accounts unless the option environment=live says otherwise; or none, which"
        " leaves the server alive but not ready.",
    )
    provider_options: Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)] = Field(
        {}, description="Options of the provider, as NAME=VALUE,NAME=VALUE."
    )
    database_url: str = Field(
        "sqlite:///trading-api.db",
        description="Where accounts, orders and trades are kept: sqlite:///FILE.",
    )
    api_keys: Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(_keys)] = Field(
        (),
        description="Who may call: ACCOUNT:KEY or ACCOUNT:sha256:DIGEST, separated by commas; an"
        " account may have several. `trading-api key ACCOUNT` makes one. Without any, everybody"
        " on this machine may call, and nobody else.",
    )
    workers: int = Field(1, ge=1, le=64, description="Processes that serve; all are equal.")
    log_level: Level = Field(
        "info", description="Least severe event to log; above info, requests are not logged."
    )
    log_format: Format = Field("text", description="text for people, json for machines.")
    max_body_bytes: int = Field(
        65_536, ge=1, description="Longest request body; a longer one is refused with 413."
    )
    heartbeat_seconds: float = Field(
        10, gt=0, le=30, description="How often the event stream says ping, in seconds."
    )
    stream_send_seconds: float = Field(
        10,
        gt=0,
        description="How long a client of the event stream may leave a frame untaken before it is"
        " told that it is too slow, and closed; in seconds.",
    )
    shutdown_seconds: int = Field(
        30, ge=1, description="How long requests in flight may take to finish after SIGTERM."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refusal_to_bind(settings: Settings, hosts: Sequence[str]) -> str | None:
    """Why the server must not listen on `hosts`; None if it may.

    Without keys everybody who can connect can trade, so only this machine may connect.
    """
    public = [host for host in hosts if not is_loopback(host)]
    if settings.api_keys or not public:
        return None
    return (
        f"Refusing to listen on {', '.join(public)} without API keys: everybody who can connect"
        f" could trade. Listen on 127.0.0.1, or set {PREFIX}API_KEYS; see `trading-api key --help`."
    )
