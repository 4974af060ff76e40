"""The options of Massive, each from `TRADING_API_MASSIVE_` and its name in upper case."""

from __future__ import annotations

from typing import Final

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from providers.live.settings import LiveSettings, url_validator

REST: Final = "https://api.massive.com"
SOCKET: Final = "wss://socket.massive.com"


class MassiveSettings(LiveSettings):
    """Raises pydantic's ValidationError for a value out of range.

    Both environments see the same market.
    """

    model_config = SettingsConfigDict(env_prefix="TRADING_API_MASSIVE_")

    api_key: SecretStr | None = Field(None, description="The API key.")
    symbols: str = Field(
        "",
        description="Symbols to learn at the start, separated by commas, such as"
        " AAPL,C:BTCUSD,EUR/USD; all others are looked up when they are first asked for.",
    )
    base_url: str = Field("", description=f"The REST API; {REST} when empty.")
    socket_url: str = Field(
        "",
        description=f"The streams; {SOCKET} when empty, and wss://delayed.massive.com for plans"
        " without real-time data.",
    )

    _urls = url_validator("base_url", "socket_url")

    @property
    def rest(self) -> str:
        return self.base_url or REST

    @property
    def socket(self) -> str:
        return self.socket_url or SOCKET

    @property
    def preloaded(self) -> list[str]:
        """The symbols to learn at the start."""
        return [each.strip() for each in self.symbols.split(",") if each.strip()]
