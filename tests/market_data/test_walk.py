"""The daily walk: anchored, bounded, and open at any day."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from providers.market_data.walk import DailyWalk

WILD = DailyWalk("wild", anchor=40_000, sigma=300_000)  # 30 % a day
CALM = DailyWalk("calm", anchor=40_000, sigma=10_000)


def test_day_zero_closes_at_the_anchor() -> None:
    """The first day opens where history ended."""
    assert CALM.close(0) == 40_000
    assert CALM.ohlc(1)[0] == 40_000


@given(st.integers(1, 10**6))
def test_even_a_wild_walk_stays_within_a_quarter_and_four_times_the_anchor(day: int) -> None:
    """Prices are plausible on any day for thousands of years."""
    _, high, low, _ = WILD.ohlc(day)
    assert 10_000 <= low <= high <= 160_000


@given(st.integers(1, 10**5))
def test_a_day_opens_at_the_close_before(day: int) -> None:
    """There is no gap between days, and open and close lie within the range."""
    opened, high, low, closed = CALM.ohlc(day)
    assert opened == CALM.close(day - 1)
    assert closed == CALM.close(day)
    assert low <= min(opened, closed) <= max(opened, closed) <= high


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=20))
def test_the_order_of_asking_does_not_matter(days: list[int]) -> None:
    """A walk asked in any order gives the closes of one asked for that day alone."""
    walk = DailyWalk("calm", anchor=40_000, sigma=10_000)
    asked = [walk.close(day) for day in days]
    alone = [DailyWalk("calm", anchor=40_000, sigma=10_000).close(day) for day in days]
    assert alone == asked


def test_a_far_day_costs_few_draws() -> None:
    """Day 100,000 is known after ten closes at most: the bridge halves, it does not count."""
    walk = DailyWalk("far", anchor=40_000, sigma=10_000)
    walk.close(99_999)
    assert walk.close.cache_info().currsize <= 10


def test_returns_have_the_deviation_asked_for() -> None:
    """Over 20 years the deviation of daily returns is near sigma."""
    closes = [CALM.close(day) for day in range(7300)]
    returns = [after / before - 1 for before, after in pairwise(closes)]
    deviation = (sum(change * change for change in returns) / len(returns)) ** 0.5
    assert abs(deviation / 0.01 - 1) < 0.1


def test_without_volatility_nothing_moves() -> None:
    """Sigma 0 freezes the price at the anchor."""
    walk = DailyWalk("still", anchor=40_000, sigma=0)
    assert [(40_000,) * 4] * 600 == [walk.ohlc(day) for day in range(1, 601)]
