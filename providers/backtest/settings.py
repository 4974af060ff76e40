"""The options of a backtest, each from `TRADING_API_BACKTEST_` and its name in upper case."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from providers.engine.world import Rules
from providers.exchange.settings import ExchangeSettings
from providers.models import AssetClass, Timeframe

PREFIX = "TRADING_API_BACKTEST_"


class FillRule(StrEnum):
    """When a resting limit trades: where the price touches it, or only where it goes through."""

    TOUCH = "touch"
    PENETRATE = "penetrate"


def words(value: Any) -> Any:
    """Text as its parts; `+` separates too, since a comma separates options."""
    return value.replace("+", " ").replace(",", " ").split() if isinstance(value, str) else value


def upper(value: Any) -> Any:
    """Names of the protocol in any case, as its requests may have them."""
    return value.upper() if isinstance(value, str) else value


def utc(value: Any) -> Any:
    """A date is its midnight, and without an offset UTC is meant."""
    if not isinstance(value, str):
        return value
    text = value if "T" in value or " " in value else f"{value}T00:00:00"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return value
    return text if moment.tzinfo else f"{text}Z"


def to_its_end(value: Any) -> Any:
    """As `utc`, but a date is its last moment: a run to a day has all bars of that day."""
    if isinstance(value, str) and "T" not in value and " " not in value:
        value = f"{value}T23:59:59.999999"
    return utc(value)


class BacktestSettings(ExchangeSettings):
    """Raises pydantic's ValidationError for a value out of range."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    maker_fee: Decimal = Field(
        Decimal(0), ge=0, lt=1, description="Commission of a resting fill, of its notional."
    )
    taker_fee: Decimal = Field(
        Decimal(0), ge=0, lt=1, description="Commission of a taking fill, of its notional."
    )
    data: str = Field(
        "shipped",
        description="History: a CSV or Parquet file, a folder, a glob, s3://...; shipped is the"
        " package's own AAPL, GOOG, IBM and MSFT (daily) and EUR/USD (hourly).",
    )
    symbols: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        ("AAPL",), min_length=1, description="What is replayed."
    )
    timeframe: Timeframe = Field(Timeframe.D1, description="The bars that are replayed.")
    start: Annotated[AwareDatetime | None, BeforeValidator(utc)] = Field(
        None, description="Opening time of the first bar; earlier ones can be asked for."
    )
    end: Annotated[AwareDatetime | None, BeforeValidator(to_its_end)] = Field(
        None, description="Opening time of the last bar; a date is the whole day."
    )
    asset_class: Annotated[AssetClass | None, BeforeValidator(upper)] = Field(
        None,
        description="What the symbols of --data are, where they are not well known; without it"
        " their form decides: EUR/CHF is forex, XYZ/USD crypto, XYZ a stock.",
    )
    repair: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        (), description="What may be mended in bad data; its error says which would help."
    )
    fill: FillRule = Field(
        FillRule.TOUCH, description="touch, or penetrate: a limit trades only if gone through."
    )
    output: Path | None = Field(None, description="Folder that the results are written into.")

    def rules(self) -> Rules:
        return replace(super().rules(), penetrate=self.fill is FillRule.PENETRATE)
