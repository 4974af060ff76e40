"""The options of the paper exchange: where they come from and what they may be."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from providers.models import PositionMode
from providers.paper.settings import PREFIX, Fault, MarketHours, PaperSettings, Synchronous


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no file of the machine that runs the tests counts."""
    monkeypatch.chdir(tmp_path)
    for name in PaperSettings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_defaults() -> None:
    """Without any option there is 100,000 USD, small fees and a tick a second."""
    expected = {
        "initial_balance": Decimal(1_000_000),
        "currency": "USD",
        "market_data": "synthetic",
        "maker_fee": Decimal("0.0002"),
        "taker_fee": Decimal("0.0005"),
        "unit_fee": Decimal(0),
        "order_fee": Decimal(0),
        "slippage": Decimal(0),
        "latency": timedelta(0),
        "position_mode": PositionMode.NETTING,
        "leverage": Decimal(1),
        "max_leverage": Decimal(20),
        "maintenance": Decimal("0.02"),
        "market_hours": MarketHours.ALWAYS,
        "seed": 0,
        "volatility": Decimal(1),
        "tick_interval": timedelta(seconds=1),
        "synchronous": Synchronous.FULL,
        "fault": Fault.NONE,
    }
    assert expected == PaperSettings().model_dump()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("initial_balance", "2500.50", Decimal("2500.50")),
        ("currency", "EUR", "EUR"),
        ("maker_fee", "0", Decimal(0)),
        ("unit_fee", "0.005", Decimal("0.005")),
        ("order_fee", "1", Decimal(1)),
        ("slippage", "0.0001", Decimal("0.0001")),
        ("latency", "PT0.5S", timedelta(milliseconds=500)),
        ("latency", "0.25", timedelta(milliseconds=250)),
        ("position_mode", "HEDGING", PositionMode.HEDGING),
        ("leverage", "3", Decimal(3)),
        ("max_leverage", "40", Decimal(40)),
        ("maintenance", "0.04", Decimal("0.04")),
        ("market_hours", "sessions", MarketHours.SESSIONS),
        ("seed", "-7", -7),
        ("volatility", "0", Decimal(0)),
        ("tick_interval", "0.25", timedelta(milliseconds=250)),
        ("tick_interval", "2", timedelta(seconds=2)),
        ("tick_interval", "PT5S", timedelta(seconds=5)),
        ("synchronous", "NORMAL", Synchronous.NORMAL),
        ("fault", "crash", Fault.CRASH),
    ],
)
def test_an_option_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    """TRADING_API_PAPER_ and the option's name in upper case sets it."""
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", text)
    assert value == getattr(PaperSettings(), name)


def test_an_option_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file .env in the working directory sets options, unless the environment does."""
    (tmp_path / ".env").write_text(f"{PREFIX}SEED=5\n{PREFIX}CURRENCY=EUR\nOTHER=1\n")
    monkeypatch.setenv(f"{PREFIX}CURRENCY", "GBP")
    assert (5, "GBP") == (PaperSettings().seed, PaperSettings().currency)


def test_what_is_given_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option given outright counts before the environment's."""
    monkeypatch.setenv(f"{PREFIX}SEED", "5")
    assert (6, 6) == (PaperSettings(seed=6).seed, PaperSettings.model_validate({"seed": "6"}).seed)


def test_settings_do_not_change() -> None:
    """Once made, settings are what they are."""
    with pytest.raises(ValidationError):
        PaperSettings().seed = 1  # type: ignore[misc]


def test_every_option_is_described() -> None:
    """Each option says what it is for."""
    assert all(field.description for field in PaperSettings.model_fields.values())


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", ""])
def test_an_interval_is_a_number_of_seconds(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A tick interval that is no positive time is refused by name."""
    monkeypatch.setenv(f"{PREFIX}TICK_INTERVAL", text)
    with pytest.raises(ValidationError, match="tick_interval"):
        PaperSettings()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leverage": "21"}, "leverage must not exceed max_leverage"),
        ({"maintenance": "0.05"}, "maintenance must be below 1 / max_leverage"),
        ({"slippage": "0.021"}, "slippage must not exceed maintenance"),
    ],
)
def test_margins_that_cannot_bear_are_refused(options: dict[str, str], message: str) -> None:
    """A position is never liquidated by being opened, nor closed for more than its margin."""
    with pytest.raises(ValidationError, match=message):
        PaperSettings.model_validate(options)


@pytest.mark.parametrize(
    "options", [{"leverage": "20"}, {"maintenance": "0.0499"}, {"slippage": "0.02"}]
)
def test_the_bounds_themselves_are_allowed(options: dict[str, str]) -> None:
    """As far as each goes alone."""
    ((name, value),) = options.items()
    assert Decimal(value) == getattr(PaperSettings.model_validate(options), name)
