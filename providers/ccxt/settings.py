"""The options of an exchange behind ccxt, each from `TRADING_API_CCXT_` and its name."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from providers.live.settings import LOOPBACK, LiveSettings

PREFIX: Final = "TRADING_API_CCXT_"


class CcxtSettings(LiveSettings):
    """Raises pydantic's ValidationError for a value out of range."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    exchange: str = Field(
        description="ccxt's id of the exchange, such as coinbaseexchange, kraken or okx."
    )
    api_key: SecretStr | None = Field(None, description="The key of the exchange's API.")
    secret: SecretStr | None = Field(None, description="The secret that belongs to the key.")
    password: SecretStr | None = Field(
        None, description="The passphrase of the key, where the exchange has one."
    )
    quote_currency: str = Field(
        "USD",
        pattern="^[A-Z0-9]{2,10}$",
        description="Currency of the account; only what is paid in it can be traded.",
    )
    symbols: str = Field(
        "",
        description="Symbols to trade and follow, separated by commas, such as BTC/USD,ETH/USD; all"
        " that are paid in the quote currency when empty.",
    )
    client_id_pattern: str = Field(
        "",
        description="For an exchange that is not known here to carry client order ids: a regular"
        " expression of the ids it takes. Setting it says that its orders can be found by them.",
    )
    poll_interval: float = Field(
        2.0,
        gt=0,
        le=60,
        description="Seconds between two looks at the open orders, where the exchange has no"
        " stream of them.",
    )
    timeout: float = Field(
        10.0, gt=0, le=120, description="Seconds that an answer of the exchange may take."
    )
    requests_per_second: float | None = Field(
        None, gt=0, description="The pace of requests; what ccxt knows of the exchange when absent."
    )
    base_url: str = Field(
        "",
        description="Scheme and host of an emulator on this machine, which then stands for all the"
        " exchange's addresses.",
    )

    @field_validator("base_url")
    @classmethod
    def _on_this_machine(cls, value: str) -> str:
        """Where else an exchange is reached is ccxt's to know, not a setting's."""
        if value and urlsplit(value).hostname not in LOOPBACK:
            raise ValueError("must be an address of this machine")
        return value.rstrip("/")

    @property
    def chosen(self) -> frozenset[str]:
        """The symbols chosen; empty for all."""
        return frozenset(each.strip() for each in self.symbols.split(",") if each.strip())
