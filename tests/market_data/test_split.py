"""Splitting a bar: exact for every bar there can be."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from providers.market_data.aggregate import MINUTE, RawBar, merge
from providers.market_data.draws import draws
from providers.market_data.split import ORDERING, split, walk


@st.composite
def parents(draw: st.DrawFn) -> RawBar:
    """Any bar that does not contradict itself, from motionless to wild."""
    low = draw(st.integers(1, 10**7))
    high = low + draw(st.one_of(st.integers(0, 3), st.integers(0, 10**6)))
    prices = st.integers(low, high)
    start = MINUTE * draw(st.integers(0, 10**8))
    return RawBar(start, draw(prices), high, low, draw(prices), draw(st.integers(0, 10**15)))


counts = st.integers(3, 60)
keys = st.text(max_size=5)


@given(parents(), counts, keys)
def test_children_add_up_to_the_parent(parent: RawBar, count: int, key: str) -> None:
    """Open, high, low, close and volume of the children together are the parent's, exactly."""
    children = split(parent, MINUTE, count, key)
    assert parent == merge(parent.start, children)


@given(parents(), counts, keys)
def test_children_follow_one_another(parent: RawBar, count: int, key: str) -> None:
    """Each child starts when and where the one before it ended, and is a possible bar."""
    children = split(parent, MINUTE, count, key)
    assert [parent.start + i * MINUTE for i in range(count)] == [bar.start for bar in children]
    for before, bar in pairwise(children):
        assert before.close == bar.open
    for bar in children:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.volume >= 0


@given(parents(), st.integers(4, 600), keys)
def test_a_walk_makes_the_bar(bar: RawBar, count: int, key: str) -> None:
    """First, highest, lowest and last price of the ticks are the bar's open, high, low, close."""
    prices = walk(bar, count - 1, draws(key, count - 1 + ORDERING))
    assert count == len(prices)
    assert (bar.open, bar.high, bar.low, bar.close) == (
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
    )


def test_the_key_decides() -> None:
    """The same key gives the same children, another key others."""
    parent = RawBar(0, 1000, 1100, 950, 1050, 10_000)
    assert split(parent, MINUTE, 24, "a") == split(parent, MINUTE, 24, "a")
    assert split(parent, MINUTE, 24, "a") != split(parent, MINUTE, 24, "b")


def test_the_volume_spreads_over_all_children() -> None:
    """No child has more than about three times the volume of another."""
    parent = RawBar(0, 1000, 1100, 950, 1050, 1_000_000)
    volumes = [bar.volume for bar in split(parent, MINUTE, 60, "volumes")]
    assert max(volumes) <= 3 * min(volumes) + 3
