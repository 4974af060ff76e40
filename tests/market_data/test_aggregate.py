"""Alignment of timeframes and the sum of bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from providers.market_data.aggregate import (
    DAY,
    EPOCH,
    HOUR,
    SECONDS,
    WEEK,
    RawBar,
    aggregate,
    floor_to,
    to_datetime,
    to_seconds,
    to_seconds_up,
)
from providers.models import Timeframe

NOON = datetime(2025, 11, 26, 12, 34, 56, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("timeframe", "opened"),
    [
        ("1m", "2025-11-26T12:34"),
        ("2m", "2025-11-26T12:34"),
        ("5m", "2025-11-26T12:30"),
        ("10m", "2025-11-26T12:30"),
        ("15m", "2025-11-26T12:30"),
        ("30m", "2025-11-26T12:30"),
        ("1h", "2025-11-26T12:00"),
        ("2h", "2025-11-26T12:00"),
        ("4h", "2025-11-26T12:00"),
        ("12h", "2025-11-26T12:00"),
        ("1d", "2025-11-26T00:00"),
        ("1w", "2025-11-24T00:00"),
    ],
)
def test_bars_are_aligned_in_utc_and_weeks_to_monday(timeframe: str, opened: str) -> None:
    """A bar opens on a multiple of its length since midnight UTC, a week on Monday."""
    start = floor_to(to_seconds(NOON), SECONDS[Timeframe(timeframe)])
    assert datetime.fromisoformat(opened).replace(tzinfo=UTC) == to_datetime(start)


def test_every_timeframe_has_a_length() -> None:
    """No timeframe of the spec is missing from SECONDS."""
    assert set(Timeframe) == SECONDS.keys()


def test_seconds_round_down_or_up_in_any_zone() -> None:
    """Half a second past a second rounds down to it or up to the next, also before 1970."""
    zone = timezone(timedelta(hours=-5))
    late = datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC).astimezone(zone)
    early = EPOCH - timedelta(milliseconds=500)
    assert (1, 2) == (to_seconds(late), to_seconds_up(late))
    assert (-1, 0) == (to_seconds(early), to_seconds_up(early))


def test_a_coarser_bar_sums_up_the_finer_ones() -> None:
    """First open, highest high, lowest low, last close, sum of volumes."""
    hours = [
        RawBar(DAY, 10, 12, 9, 11, 5),
        RawBar(DAY + HOUR, 11, 11, 7, 8, 6),
        RawBar(DAY + 2 * HOUR, 8, 10, 8, 9, 7),
    ]
    assert [RawBar(DAY, 10, 12, 7, 9, 18)] == aggregate(hours, DAY)


def test_a_gap_leaves_a_shorter_or_no_bar() -> None:
    """A bar is made of what there is; where there is nothing there is no bar."""
    monday = floor_to(1000 * DAY, WEEK)
    days = [RawBar(monday + DAY, 1, 2, 1, 2, 3), RawBar(monday + 2 * WEEK, 4, 4, 4, 4, 4)]
    weeks = [RawBar(monday, 1, 2, 1, 2, 3), RawBar(monday + 2 * WEEK, 4, 4, 4, 4, 4)]
    assert weeks == aggregate(days, WEEK)
    assert [] == aggregate([], WEEK)
