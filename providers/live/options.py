"""The options of the bridge to a live venue, each from `TRADING_API_LIVE_` and its name."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class BridgeOptions(BaseSettings):
    """What is the same whichever venue it is."""

    model_config = SettingsConfigDict(
        env_prefix="TRADING_API_LIVE_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    account: str = Field(
        "default",
        description="The account whose keys trade with the credentials of the venue; a venue's"
        " credentials are for one account. Without keys, everybody is `default`.",
    )
    market_data: str = Field(
        "",
        description="Where quotes and bars come from, if not from the venue itself: the name of"
        " another one, such as massive.",
    )
