"""The options of OANDA, each from `TRADING_API_OANDA_` and its name in upper case."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from providers.live.settings import Environment, LiveSettings, required, url_validator

PREFIX = "TRADING_API_OANDA_"

REST_HOSTS = {
    Environment.PAPER: "api-fxpractice.oanda.com",
    Environment.LIVE: "api-fxtrade.oanda.com",
}
STREAM_HOSTS = {
    Environment.PAPER: "stream-fxpractice.oanda.com",
    Environment.LIVE: "stream-fxtrade.oanda.com",
}


class OandaSettings(LiveSettings):
    """Raises pydantic's ValidationError, which never shows a value."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    token: SecretStr | None = Field(
        None, description="The personal access token; those of practice and live accounts differ."
    )
    account_id: str = Field(
        "",
        pattern=r"^([0-9]+(-[0-9]+){3})?$",
        description="The v20 account, such as 101-001-1234567-001.",
    )
    rest_url: str = Field(
        "", description="Base URL of the REST API; empty for that of the environment."
    )
    stream_url: str = Field(
        "", description="Base URL of the streams; empty for that of the environment."
    )
    stream_timeout: float = Field(
        12.0,
        gt=0,
        description="Seconds of silence after which a stream is down; OANDA sends a heartbeat every"
        " five seconds.",
    )
    look_back_days: int = Field(
        7,
        ge=1,
        le=60,
        description="How far back an order is looked for that was sent before a restart and whose"
        " answer was lost.",
    )

    _urls = url_validator("rest_url", "stream_url")

    @property
    def rest(self) -> str:
        return self.rest_url or f"https://{REST_HOSTS[self.environment]}"

    @property
    def stream(self) -> str:
        return self.stream_url or f"https://{STREAM_HOSTS[self.environment]}"

    @property
    def name(self) -> str:
        return f"oanda-{self.environment.value}"

    def access(self) -> tuple[str, str]:
        """Token and account. Raises ValueError, naming the variables that are not set."""
        (token,) = required(self, "token")
        if not self.account_id:
            raise ValueError(f"the account is missing: set {PREFIX}ACCOUNT_ID")
        return token, self.account_id
