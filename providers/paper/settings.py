"""The options of the paper exchange, each from `TRADING_API_PAPER_` and its name in upper case."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import SettingsConfigDict

from providers.exchange.settings import ExchangeSettings, to_seconds

PREFIX = "TRADING_API_PAPER_"


class Fault(StrEnum):
    """A failure that every operation of the exchange answers with, to try a client against it."""

    NONE = "none"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    PROVIDER_ERROR = "provider_error"
    CRASH = "crash"
    UNSUPPORTED = "unsupported"


class Synchronous(StrEnum):
    """SQLite's durability: FULL survives a power cut, NORMAL a crash of the process."""

    FULL = "FULL"
    NORMAL = "NORMAL"


class MarketHours(StrEnum):
    """Whether the exchange trades around the clock or in the sessions of each asset class."""

    ALWAYS = "always"
    SESSIONS = "sessions"


class PaperSettings(ExchangeSettings):
    """Raises pydantic's ValidationError for a value out of range."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    market_data: str = Field(
        "synthetic",
        description="Where quotes and bars come from: synthetic, or the name of a live venue, whose"
        " credentials are read as that venue reads them.",
    )
    market_hours: MarketHours = Field(
        MarketHours.ALWAYS,
        description="always, or sessions: stocks and forex trade only while their markets do.",
    )
    seed: int = Field(0, description="The synthetic market: the same seed, the same prices.")
    volatility: Decimal = Field(
        Decimal(1), ge=0, le=10, description="Multiplies the synthetic market's; 0 freezes it."
    )
    tick_interval: Annotated[timedelta, BeforeValidator(to_seconds)] = Field(
        timedelta(seconds=1), gt=timedelta(0), description="How often quotes change, in seconds."
    )
    synchronous: Synchronous = Field(
        Synchronous.FULL, description="FULL survives a power cut, NORMAL a crash of the process."
    )
    fault: Fault = Field(
        Fault.NONE,
        description="Answer every call with a failure, to try a client against it: unavailable"
        " (503), rate_limited (429), provider_error (502), crash (500) or unsupported (501).",
    )
