"""Aliases and the canonical symbols they stand for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Instrument
from providers.live.symbols import CLASSES, canonical
from providers.models import AssetClass


def instrument(symbol: str, asset_class: AssetClass) -> Instrument:
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        price_increment=Decimal("0.01"),
        quantity_increment=Decimal(1),
    )


KNOWN = {
    each.symbol: each
    for each in (
        instrument("AAPL", AssetClass.STOCK),
        instrument("BTC/USD", AssetClass.CRYPTO),
        instrument("DOGE/USDT", AssetClass.CRYPTO),
        instrument("EUR/USD", AssetClass.FOREX),
        instrument("ABC/DUSD", AssetClass.CRYPTO),
        instrument("ABCD/USD", AssetClass.CRYPTO),
    )
}


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        ("AAPL", "AAPL"),
        ("S:AAPL", "AAPL"),
        ("C:BTCUSD", "BTC/USD"),
        ("C:BTC/USD", "BTC/USD"),
        ("C:DOGEUSDT", "DOGE/USDT"),
        ("F:EURUSD", "EUR/USD"),
        ("EUR/USD", "EUR/USD"),
        ("C:ABCDUSD", "ABCD/USD"),
    ],
)
def test_names(alias: str, expected: str) -> None:
    """A symbol names itself, and an alias the instrument of its class."""
    assert expected == canonical(alias, KNOWN)


@pytest.mark.parametrize(
    "alias",
    ["", "S:", "C:", "MSFT", "S:MSFT", "C:EURUSD", "F:BTCUSD", "S:BTCUSD", "X:BTCUSD", "c:BTCUSD"],
)
def test_names_nothing(alias: str) -> None:
    """What is not known, or of another class, is not resolved."""
    assert canonical(alias, KNOWN) is None


@given(
    base=st.text("ABCXYZ", min_size=1, max_size=6),
    quote=st.text("DUS", min_size=1, max_size=4),
    prefix=st.sampled_from(["C:", "F:"]),
)
def test_every_pair_is_found_by_its_alias(base: str, quote: str, prefix: str) -> None:
    """However a pair is cut, its alias finds it where it is the only one."""
    symbol = f"{base}/{quote}"
    known = {symbol: instrument(symbol, CLASSES[prefix])}
    assert symbol == canonical(f"{prefix}{base}{quote}", known)
