"""The options of Binance spot, each from `TRADING_API_BINANCE_` and its name in upper case."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from providers.live.settings import Environment, LiveSettings, url_validator

PREFIX = "TRADING_API_BINANCE_"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs: of REST, of the WebSocket API with its whole path, and of market streams."""

    rest: str
    ws_api: str
    stream: str


ENDPOINTS = {
    Environment.PAPER: Endpoints(
        rest="https://testnet.binance.vision",
        ws_api="wss://ws-api.testnet.binance.vision/ws-api/v3",
        stream="wss://stream.testnet.binance.vision",
    ),
    Environment.LIVE: Endpoints(
        rest="https://api.binance.com",
        ws_api="wss://ws-api.binance.com/ws-api/v3",
        stream="wss://stream.binance.com:9443",
    ),
}


class BinanceSettings(LiveSettings):
    """Raises pydantic's ValidationError for a value out of range."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    api_key: SecretStr | None = Field(None, description="An HMAC key of the account.")
    api_secret: SecretStr | None = Field(None, description="What requests are signed with.")
    quote_asset: str = Field(
        "USDT",
        pattern="^[A-Z0-9]{1,20}$",
        description="The currency of the account: what is quoted in it can be traded.",
    )
    recv_window: int = Field(
        5000,
        ge=1,
        le=60_000,
        description="Milliseconds after which the venue refuses a request as too old.",
    )
    rest_url: str = Field("", description="Base of the REST API; empty for that of Binance.")
    ws_api_url: str = Field("", description="The WebSocket API; empty for that of Binance.")
    stream_url: str = Field("", description="Base of market streams; empty for that of Binance.")

    _urls = url_validator("rest_url", "ws_api_url", "stream_url")

    @property
    def endpoints(self) -> Endpoints:
        """Where the venue is, for the chosen environment, unless URLs say otherwise."""
        usual = ENDPOINTS[self.environment]
        return Endpoints(
            rest=self.rest_url or usual.rest,
            ws_api=self.ws_api_url or usual.ws_api,
            stream=self.stream_url or usual.stream,
        )
