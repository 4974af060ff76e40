"""Providers by name, and the database a URL means."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from providers import registry
from providers.models import OrderStatus
from providers.paper.faults import FaultyProvider
from providers.paper.provider import PaperProvider
from providers.store.opening import open_store
from providers.store.sqlite import SqliteStore
from tests.paper.exchange import request

ROOT = Path(__file__).resolve().parents[2]


def test_the_paper_exchange(tmp_path: Path) -> None:
    """`paper` is the paper exchange, on a file that is not touched before it starts."""
    path = tmp_path / "new.db"
    options = {"seed": "7", "tick_interval": "0.5", "maker_fee": "0"}
    provider = registry.create("paper", database_url=f"sqlite:///{path}", options=options)
    assert isinstance(provider, PaperProvider)
    assert not path.exists()
    assert "paper" == provider.name


def test_the_paper_exchange_with_a_fault() -> None:
    """With a fault set, `paper` is the exchange that fails, and needs no database."""
    provider = registry.create("paper", database_url="", options={"fault": "unavailable"})
    assert isinstance(provider, FaultyProvider)


def test_an_unknown_provider() -> None:
    """A name that is not known is refused, with those that are."""
    with pytest.raises(
        ValueError,
        match=r"unknown provider 'nope'; known are \['alpaca', 'backtest', .*'paper', 'saxo'\]",
    ):
        registry.create("nope", database_url="", options={})


def test_unknown_options() -> None:
    """Options that the exchange does not have are refused by name."""
    with pytest.raises(ValueError, match="unknown options of the paper exchange: a, b"):
        registry.create("paper", database_url="", options={"b": "1", "seed": "1", "a": "2"})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("initial_balance", "-1"),
        ("initial_balance", "much"),
        ("initial_balance", "NaN"),
        ("maker_fee", "1"),
        ("taker_fee", "-0.1"),
        ("currency", "dollars"),
        ("fault", "sometimes"),
        ("tick_interval", "0"),
        ("tick_interval", "soon"),
        ("volatility", "11"),
        ("synchronous", "OFF"),
        ("seed", "1.5"),
    ],
)
def test_option_values_out_of_range(option: str, value: str) -> None:
    """A value out of range is refused by the option's name, without repeating the value."""
    with pytest.raises(ValidationError) as refusal:
        registry.create("paper", database_url="sqlite:///x.db", options={option: value})
    assert [(option,)] == [error["loc"] for error in refusal.value.errors()]
    assert "input_value" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "paper.db", "/var/paper.db", "sqlite:", "sqlite://", "sqlite:///"),
        *("sqlite://host/paper.db", "postgresql://host/paper", "mysql:///paper.db"),
        *("sqlite:///paper.db?mode=ro", "sqlite:///paper#1.db"),
    ],
)
def test_a_database_url_that_is_none(url: str) -> None:
    """Only sqlite:///FILE is a database here; what else a URL says is refused, not ignored."""
    with pytest.raises(ValueError, match="must be sqlite:///FILE"):
        open_store(url, initial_balance=Decimal(1))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///paper.db", "paper.db"),
        ("sqlite:///some/where/paper.db", "some/where/paper.db"),
        ("sqlite:////var/paper.db", "/var/paper.db"),
        ("sqlite:///my%20paper%231.db", "my paper#1.db"),
    ],
)
def test_the_file_of_a_database_url(url: str, path: str) -> None:
    """Three slashes make a path relative, four absolute; escapes are undone."""
    store = open_store(url, initial_balance=Decimal(1))
    assert isinstance(store, SqliteStore)
    assert Path(path) == store._database.path


def test_the_settings_reach_the_store() -> None:
    """Initial balance, currency and durability are those of the settings."""
    options = {"initial_balance": "5", "currency": "EUR", "synchronous": "NORMAL"}
    provider = registry.create("paper", database_url="sqlite:///paper.db", options=options)
    assert isinstance(provider, PaperProvider)
    store = provider._store
    assert isinstance(store, SqliteStore)
    assert (Decimal(5), "EUR", "NORMAL") == (
        store._opening.balance,
        store._opening.currency,
        store._database.synchronous,
    )


def test_a_provider_is_imported_when_it_is_asked_for() -> None:
    """Importing the registry imports no venue."""
    script = "import sys, providers.registry; print([m for m in sys.modules if 'paper' in m])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "[]" == done.stdout.strip()


def test_tick_interval_reaches_the_market() -> None:
    """The market ticks as often as the exchange looks at it."""
    provider = registry.create(
        "paper", database_url="sqlite:///x.db", options={"tick_interval": "0.5"}
    )
    assert isinstance(provider, PaperProvider)
    assert timedelta(seconds=0.5) == provider.market_clock._interval


async def test_the_paper_exchange_trades(tmp_path: Path) -> None:
    """What the registry makes starts, quotes, fills a MARKET order at its quote, and stops."""
    provider = registry.create(
        "paper", database_url=f"sqlite:///{tmp_path / 'real.db'}", options={"synchronous": "NORMAL"}
    )
    await provider.start()
    try:
        quote = await provider.get_quote("BTC/USD")
        submission = await provider.submit_order("me", request("BUY", "0.0001", symbol="BTC/USD"))
        order = await provider.get_order("me", submission.handle.id)
        now = datetime.now(UTC)
    finally:
        await provider.stop()
    assert OrderStatus.FILLED == order.status
    assert abs(now - order.created_at) < timedelta(minutes=1)
    assert order.average_fill_price is not None
    assert abs(order.average_fill_price / quote.ask - 1) < Decimal("0.1")
