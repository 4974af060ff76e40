"""The options of the paper exchange, each from `TRADING_API_PAPER_` and its name in upper case."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from providers.models import PositionMode

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


def _seconds(value: Any) -> Any:
    """Text that is a number, which pydantic would not take for seconds."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


class MarketHours(StrEnum):
    """Whether the exchange trades around the clock or in the sessions of each asset class."""

    ALWAYS = "always"
    SESSIONS = "sessions"


class PaperSettings(BaseSettings):
    """Raises pydantic's ValidationError for a value out of range."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    initial_balance: Decimal = Field(
        Decimal(1_000_000), ge=0, description="What a new account is given, in its currency."
    )
    currency: str = Field(
        "USD",
        pattern="^[A-Z]{3}$",
        description="Currency of the accounts; only instruments paid in it can be traded.",
    )
    maker_fee: Decimal = Field(
        Decimal("0.0002"), ge=0, lt=1, description="Commission of a resting fill, of its notional."
    )
    taker_fee: Decimal = Field(
        Decimal("0.0005"), ge=0, lt=1, description="Commission of a taking fill, of its notional."
    )
    unit_fee: Decimal = Field(Decimal(0), ge=0, description="Commission per unit traded.")
    order_fee: Decimal = Field(
        Decimal(0), ge=0, description="Commission per order, taken with its first fill."
    )
    slippage: Decimal = Field(
        Decimal(0), ge=0, lt=1, description="How much worse than the touch taking orders trade."
    )
    latency: Annotated[timedelta, BeforeValidator(_seconds)] = Field(
        timedelta(0), ge=timedelta(0), description="How long an order takes to arrive, in seconds."
    )
    position_mode: PositionMode = Field(
        PositionMode.NETTING,
        description="NETTING holds one position per symbol, HEDGING one per opening order.",
    )
    leverage: Decimal = Field(
        Decimal(1), ge=1, description="The leverage of an order that names none."
    )
    max_leverage: Decimal = Field(
        Decimal(20), ge=1, description="The highest leverage that an order may name."
    )
    maintenance: Decimal = Field(
        Decimal("0.02"), gt=0, lt=1, description="Margin below which is liquidated, of notional."
    )
    market_hours: MarketHours = Field(
        MarketHours.ALWAYS,
        description="always, or sessions: stocks and forex trade only while their markets do.",
    )
    seed: int = Field(0, description="The synthetic market: the same seed, the same prices.")
    volatility: Decimal = Field(
        Decimal(1), ge=0, le=10, description="Multiplies the synthetic market's; 0 freezes it."
    )
    tick_interval: Annotated[timedelta, BeforeValidator(_seconds)] = Field(
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

    @model_validator(mode="after")
    def _margins_bear(self) -> Self:
        """What is opened at the highest leverage must not be liquidated, and the exchange must get
        out of what it liquidates before the margin of an ISOLATED position is used up.
        """
        if self.leverage > self.max_leverage:
            raise ValueError("leverage must not exceed max_leverage")
        if self.maintenance * self.max_leverage >= 1:
            raise ValueError("maintenance must be below 1 / max_leverage")
        if self.slippage > self.maintenance:
            raise ValueError("slippage must not exceed maintenance")
        return self
