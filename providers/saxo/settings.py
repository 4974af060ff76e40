"""The options of Saxo, each from `TRADING_API_SAXO_` and its name in upper case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from providers.live.settings import Environment, LiveSettings, url_validator

PREFIX = "TRADING_API_SAXO_"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs: of the REST API, of the stream's folder, and of the login."""

    rest: str
    stream: str
    auth: str


ENDPOINTS = {
    Environment.PAPER: Endpoints(
        rest="https://gateway.saxobank.com/sim/openapi",
        stream="wss://streaming.saxobank.com/sim/openapi/streamingws",
        auth="https://sim.logonvalidation.net",
    ),
    Environment.LIVE: Endpoints(
        rest="https://gateway.saxobank.com/openapi",
        stream="wss://streaming.saxobank.com/openapi/streamingws",
        auth="https://live.logonvalidation.net",
    ),
}


class SaxoSettings(LiveSettings):
    """Raises pydantic's ValidationError for a value out of range."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    access_token: SecretStr | None = Field(
        None,
        description="A token that is used as it is until it expires, such as the 24-hour token of"
        " the developer portal; without it, the three below are needed.",
    )
    app_key: SecretStr | None = Field(None, description="The key of the application.")
    app_secret: SecretStr | None = Field(None, description="The secret of the application.")
    refresh_token: SecretStr | None = Field(
        None,
        description="What the first access token is asked for with; each answer brings the next.",
    )
    account_key: str = Field(
        "", description="Which account to trade on; empty for the first of the user's."
    )
    symbols: str = Field(
        "EURUSD,GBPUSD,USDJPY,AAPL:xnas,MSFT:xnas,SPY:arcx",
        description="What is known from the start, as Saxo writes it, with commas: pairs, and"
        " stocks with their exchange. Others are looked up when they are asked for.",
    )
    exchanges: str = Field(
        "xnas,xnys,arcx,xase,bats",
        description="Where a stock that is looked up without its exchange is taken from, the"
        " earlier the better, with commas.",
    )
    lookback_days: int = Field(
        30,
        ge=1,
        le=730,
        description="How far back an order that is not open is looked for by its client id.",
    )
    rest_url: str = Field("", description="Base of the REST API; empty for that of Saxo.")
    stream_url: str = Field("", description="Base of the streams; empty for that of Saxo.")
    auth_url: str = Field("", description="Base of the login; empty for that of Saxo.")

    _urls = url_validator("rest_url", "stream_url", "auth_url")

    @property
    def endpoints(self) -> Endpoints:
        """Where the venue is, for the chosen environment, unless URLs say otherwise."""
        usual = ENDPOINTS[self.environment]
        return Endpoints(
            rest=self.rest_url or usual.rest,
            stream=self.stream_url or usual.stream,
            auth=self.auth_url or usual.auth,
        )

    @property
    def listed(self) -> tuple[str, ...]:
        """`symbols`, one by one."""
        return words(self.symbols)

    @property
    def preferred(self) -> tuple[str, ...]:
        """`exchanges`, one by one."""
        return words(self.exchanges)

    @property
    def lookback(self) -> timedelta:
        return timedelta(days=self.lookback_days)


def words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
