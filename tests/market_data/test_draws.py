"""Hashed integers: the same everywhere, uniform enough, and folded into their range."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from providers.market_data.draws import BELL_DEVIATION, UNIFORM, bell, draws, fold


def test_draws_are_the_bytes_of_shake_128() -> None:
    """The numbers of a key are those any implementation of FIPS 202 gives, least byte first."""
    # printf '' | openssl dgst -shake128 -xoflen 8
    assert draws("", 4) == (0x9C7F, 0xA42B, 0x8FE8, 0x7D82)


def test_draws_begin_alike_whatever_their_number() -> None:
    """Asking for more draws of a key appends to those it had."""
    assert draws("AAPL", 3) == draws("AAPL", 30)[:3]


def test_bell_is_centred_with_the_deviation_it_names() -> None:
    """Over many keys the mean of `bell` is near zero and its deviation near BELL_DEVIATION."""
    sample = [bell(str(key)) for key in range(4000)]
    deviation = (sum(value * value for value in sample) / len(sample)) ** 0.5
    assert abs(sum(sample) / len(sample)) < BELL_DEVIATION / 20
    assert abs(deviation / BELL_DEVIATION - 1) < 0.05
    assert max(map(abs, sample)) < 2 * UNIFORM


def test_fold_reflects_at_both_walls() -> None:
    """A value beyond a wall comes back by as much as it was beyond, however often it takes."""
    assert [8, 3, 7, 10, 0, 5] == [fold(value, 0, 10) for value in (12, -3, 7, 10, 20, 25)]


@given(st.integers(), st.integers(), st.integers(min_value=0))
def test_fold_stays_inside(value: int, low: int, span: int) -> None:
    """Any value folds into the range, and one inside stays where it is."""
    folded = fold(value, low, low + span)
    assert low <= folded <= low + span
    if low <= value <= low + span:
        assert folded == value
