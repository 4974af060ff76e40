"""The options that every simulated exchange has: money, fees, leverage, latency."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from providers.engine.world import Rules
from providers.models import PositionMode


def to_seconds(value: Any) -> Any:
    """Text that is a number, which pydantic would not take for seconds."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


class ExchangeSettings(BaseSettings):
    """Raises pydantic's ValidationError for a value out of range."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    initial_balance: Decimal = Field(
        Decimal(1_000_000), ge=0, description="What a new account is given, in its currency."
    )
    currency: str = Field(
        "USD",
        pattern="^[A-Z]{3,5}$",
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
    latency: Annotated[timedelta, BeforeValidator(to_seconds)] = Field(
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

    def rules(self) -> Rules:
        """The options as the engine takes them."""
        return Rules(
            position_mode=self.position_mode,
            maker_fee=self.maker_fee,
            taker_fee=self.taker_fee,
            unit_fee=self.unit_fee,
            order_fee=self.order_fee,
            slippage=self.slippage,
            leverage=self.leverage,
            max_leverage=self.max_leverage,
            maintenance=self.maintenance,
            latency=self.latency,
        )
