"""The options of Alpaca, each from `TRADING_API_ALPACA_` and its name in upper case."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from providers.live.settings import Environment, LiveSettings, url_validator

PREFIX = "TRADING_API_ALPACA_"

TRADING_HOSTS = {
    Environment.PAPER: "paper-api.alpaca.markets",
    Environment.LIVE: "api.alpaca.markets",
}
DATA_HOST = "data.alpaca.markets"
DATA_STREAM_HOST = "stream.data.alpaca.markets"


class StockFeed(StrEnum):
    """Where prices of stocks come from: one exchange, free, or all of them, by subscription."""

    IEX = "iex"
    SIP = "sip"


class Adjustment(StrEnum):
    """What the prices of past bars of stocks are adjusted for."""

    RAW = "raw"
    SPLIT = "split"
    DIVIDEND = "dividend"
    ALL = "all"


class AlpacaSettings(LiveSettings):
    """Raises pydantic's ValidationError, which never shows a value."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    key_id: SecretStr | None = Field(
        None, description="The id of the API key; keys of paper and live accounts differ."
    )
    secret_key: SecretStr | None = Field(None, description="The secret of the API key.")
    trading_url: str = Field(
        "", description="Base URL of the trading API; empty for that of the environment."
    )
    data_url: str = Field("", description="Base URL of the market data API; empty for Alpaca's.")
    stream_url: str = Field(
        "", description="URL of the stream of order updates; empty for that of the environment."
    )
    data_stream_url: str = Field(
        "", description="Base URL of the streams of market data; empty for Alpaca's."
    )
    stock_feed: StockFeed = Field(
        StockFeed.IEX,
        description="iex, the free prices of one exchange, or sip, those of all, by subscription.",
    )
    stock_adjustment: Adjustment = Field(
        Adjustment.SPLIT,
        description="What past bars of stocks are adjusted for: raw, split, dividend or all.",
    )

    _urls = url_validator("trading_url", "data_url", "stream_url", "data_stream_url")

    @property
    def trading(self) -> str:
        return self.trading_url or f"https://{TRADING_HOSTS[self.environment]}"

    @property
    def data(self) -> str:
        return self.data_url or f"https://{DATA_HOST}"

    @property
    def stream(self) -> str:
        return self.stream_url or f"wss://{TRADING_HOSTS[self.environment]}/stream"

    @property
    def data_stream(self) -> str:
        return self.data_stream_url or f"wss://{DATA_STREAM_HOST}"
