"""Bars made of shorter ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.ccxt.candles import NATIVE, aggregated, aligned, floor, source
from providers.errors import InvalidValue, ProviderError
from providers.live.reading import SPANS
from providers.models import Bar, Timeframe

START = datetime(2026, 1, 5, tzinfo=UTC)


def bar(minute: int, low: int = 1, high: int = 2) -> Bar:
    return Bar(
        symbol="BTC/USD",
        provider="x",
        timeframe=Timeframe.M1,
        timestamp=START + timedelta(minutes=minute),
        open=Decimal(low),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(high),
        volume=Decimal(minute),
    )


@pytest.mark.parametrize(
    ("timeframe", "expected"),
    [
        (Timeframe.M1, "1m"),
        (Timeframe.M2, "1m"),
        (Timeframe.M10, "5m"),
        (Timeframe.M30, "15m"),
        (Timeframe.H4, "1h"),
        (Timeframe.H12, "6h"),
        (Timeframe.D1, "1d"),
        (Timeframe.W1, "1d"),
    ],
)
def test_sources(timeframe: Timeframe, expected: str) -> None:
    """The longest that divides ours, as Coinbase Exchange offers them; weeks are made of days."""
    assert expected == source(timeframe, ["1m", "5m", "15m", "1h", "6h", "1d", "1w", "1M"])


def test_none_fits() -> None:
    """A timeframe that cannot be made is refused."""
    with pytest.raises(InvalidValue, match="timeframe"):
        source(Timeframe.M1, ["5m", "1h"])


@given(minutes=st.sets(st.integers(0, 300), min_size=1))
def test_sums(minutes: set[int]) -> None:
    """Whatever is missing, longer bars have all that there is and nothing else."""
    bars = [bar(each, low=each + 1, high=each + 3) for each in sorted(minutes)]
    longer = aggregated(Timeframe.H1, bars)
    assert sum(each.volume for each in bars) == sum(each.volume for each in longer)
    for each in longer:
        inside = [one for one in bars if floor(one.timestamp, timedelta(hours=1)) == each.timestamp]
        assert (inside[0].open, inside[-1].close) == (each.open, each.close)
        assert max(one.high for one in inside) == each.high
        assert min(one.low for one in inside) == each.low
        assert Timeframe.H1 is each.timeframe


def test_odd_bars() -> None:
    """Bars that open at other times than ours are not taken for ours."""
    assert [bar(1), bar(2)] == aligned([bar(2), bar(1), bar(1)], timedelta(minutes=1))
    with pytest.raises(ProviderError):
        aligned([bar(1)], timedelta(minutes=5))


def test_weeks_begin_on_monday() -> None:
    """2026-01-05 was one."""
    assert START == floor(START + timedelta(days=6, hours=23), SPANS[Timeframe.W1])
    assert "1w" not in NATIVE
