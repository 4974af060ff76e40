"""The bars of the synthetic market."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.errors import SymbolNotFound
from providers.market_data.aggregate import SECONDS, RawBar
from providers.market_data.instruments import DEFAULT_SYMBOLS
from providers.market_data.synthetic import SyntheticMarketData
from providers.models import Bar, Timeframe

Ask = Callable[..., list[Bar]]

NOW = datetime(2025, 11, 24, 17, 30, 12, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)

FINER = [
    ("2m", "1m"),
    ("5m", "1m"),
    ("10m", "2m"),
    ("10m", "5m"),
    ("15m", "5m"),
    ("30m", "10m"),
    ("30m", "15m"),
    ("1h", "30m"),
    ("2h", "1h"),
    ("4h", "2h"),
    ("12h", "4h"),
    ("1d", "12h"),
    ("1w", "1d"),
]

symbols = st.sampled_from(DEFAULT_SYMBOLS)
timeframes = st.sampled_from([timeframe.value for timeframe in Timeframe])
# From before the first history to long after the last: gaps, seams and the drawn market.
moments = st.timedeltas(timedelta(0), timedelta(days=35 * 365)).map(
    lambda passed: datetime(2005, 2, 1, tzinfo=UTC) + passed
)


def span(timeframe: str) -> timedelta:
    """The length of a timeframe."""
    return timedelta(seconds=SECONDS[Timeframe(timeframe)])


def summed(bars: Sequence[Bar], coarse: Bar) -> Bar:
    """The finer `bars` as one, labelled like `coarse`."""
    return Bar(
        symbol=coarse.symbol,
        provider=coarse.provider,
        timeframe=coarse.timeframe,
        timestamp=coarse.timestamp,
        open=bars[0].open,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=sum((bar.volume for bar in bars), Decimal(0)),
    )


def within(ask: Ask, fine: str, coarse: Bar) -> list[Bar]:
    """The finer bars that open within `coarse`."""
    end = coarse.timestamp + span(coarse.timeframe)
    return ask(
        coarse.symbol, fine, end, start=coarse.timestamp, end=end - timedelta(seconds=1), limit=2000
    )


@settings(max_examples=150)
@given(symbols, moments, st.sampled_from(FINER), st.integers(1, 20))
def test_coarser_bars_are_sums_of_finer_ones(
    ask: Ask, symbol: str, at: datetime, pair: tuple[str, str], limit: int
) -> None:
    """Every bar of every timeframe is exactly the sum of the next finer ones."""
    coarse, fine = pair
    for bar in ask(symbol, coarse, at, limit=limit):
        assert bar == summed(within(ask, fine, bar), bar)


@pytest.mark.parametrize("timeframe", [timeframe.value for timeframe in Timeframe])
def test_a_week_of_minutes_makes_every_timeframe(ask: Ask, timeframe: str) -> None:
    """Whatever the timeframe, its bars over a whole week are sums of 1m bars."""
    monday = datetime(2025, 11, 17, tzinfo=UTC)
    sunday = monday + timedelta(days=7) - timedelta(seconds=1)
    minutes = ask("MSFT", "1m", NOW, start=monday, end=sunday, limit=20_000)
    bars = ask("MSFT", timeframe, NOW, start=monday, end=sunday, limit=20_000)
    size = span(timeframe) // timedelta(minutes=1)
    assert len(minutes) == 7 * 24 * 60 == size * len(bars)
    for i, bar in enumerate(bars):
        assert bar == summed(minutes[i * size : (i + 1) * size], bar)


@given(symbols, timeframes, moments, st.integers(1, 30))
def test_bars_are_sound(ask: Ask, symbol: str, timeframe: str, at: datetime, limit: int) -> None:
    """low <= open, close <= high; ascending; closed; at most `limit`; labelled as asked for."""
    bars = ask(symbol, timeframe, at, limit=limit)
    assert len(bars) <= limit
    assert sorted({bar.timestamp for bar in bars}) == [bar.timestamp for bar in bars]
    for bar in bars:
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.volume >= 0
        assert bar.timestamp + span(timeframe) <= at
        assert (symbol, timeframe, "synthetic") == (bar.symbol, bar.timeframe, bar.provider)


@given(symbols, timeframes, moments, moments, moments, st.integers(1, 30))
def test_a_window_is_a_part_of_all_bars(
    ask: Ask,
    symbol: str,
    timeframe: str,
    at: datetime,
    start: datetime,
    end: datetime,
    limit: int,
) -> None:
    """start and end bound the opening times inclusively and the limit keeps the newest."""
    bars = ask(symbol, timeframe, at, start=start, end=end, limit=limit)
    assert all(start <= bar.timestamp <= end for bar in bars)
    newest = min(at - span(timeframe), end)
    up_to_end = ask(symbol, timeframe, newest + span(timeframe), limit=limit)
    assert [bar for bar in up_to_end if bar.timestamp >= start] == bars


def test_start_and_end_are_inclusive_to_the_microsecond(ask: Ask) -> None:
    """A bar that opens exactly on a bound is in, one that opens a microsecond beyond is out."""
    first, *_, last = whole = ask("AAPL", "5m", NOW, limit=4)
    tick = timedelta(microseconds=1)

    def between(start: datetime, end: datetime) -> list[Bar]:
        return ask("AAPL", "5m", NOW, start=start, end=end)

    assert whole == between(first.timestamp, last.timestamp)
    assert whole[1:-1] == between(first.timestamp + tick, last.timestamp - tick)
    assert [] == between(last.timestamp, first.timestamp)


@pytest.mark.parametrize("timeframe", [timeframe.value for timeframe in Timeframe])
def test_a_bar_is_served_from_the_moment_it_closes(ask: Ask, timeframe: str) -> None:
    """A microsecond before its end a bar is not there; at its end it is."""
    bar = ask("BTC/USD", timeframe, NOW, limit=1)[-1]
    end = bar.timestamp + span(timeframe)
    assert [bar] == ask("BTC/USD", timeframe, end, limit=1)
    (before,) = ask("BTC/USD", timeframe, end - timedelta(microseconds=1), limit=1)
    assert before.timestamp + span(timeframe) == bar.timestamp


def test_time_adds_bars_and_changes_none(
    ask: Ask, make_ask: Callable[[SyntheticMarketData], Ask]
) -> None:
    """Bars at a moment are a prefix of those later, also in a market asked for the future first."""
    fresh = make_ask(SyntheticMarketData(seed=7))
    later = ask("ETH/USD", "5m", NOW + timedelta(hours=2), start=NOW - timedelta(hours=2))
    for at in (NOW + i * FIVE_MINUTES for i in range(24)):
        now = fresh("ETH/USD", "5m", at, start=NOW - timedelta(hours=2))
        assert later[: len(now)] == now
        assert at - FIVE_MINUTES < now[-1].timestamp + FIVE_MINUTES <= at


@settings(max_examples=20)
@given(st.permutations([timeframe.value for timeframe in Timeframe]))
def test_the_order_of_asking_does_not_matter(
    ask: Ask, make_ask: Callable[[SyntheticMarketData], Ask], order: list[str]
) -> None:
    """A fresh market asked in any order answers like one that has answered much before."""
    fresh = make_ask(SyntheticMarketData(seed=7, symbols=["GOOG"]))
    for timeframe in order:
        assert ask("GOOG", timeframe, NOW, limit=9) == fresh("GOOG", timeframe, NOW, limit=9)


REAL_DAYS = {
    # symbol, day: open, high, low, close, volume, as in the source rounded to the cent
    ("AAPL", "2013-03-01"): ("438.00", "438.18", "429.98", "430.47", "19730300"),
    ("AAPL", "2005-03-01"): ("44.99", "45.11", "44.16", "44.50", "16721000"),
    ("GOOG", "2013-03-01"): ("797.80", "807.14", "796.15", "806.19", "4346400"),
    ("IBM", "2013-03-01"): ("200.65", "202.94", "199.36", "202.91", "3308300"),
    ("MSFT", "2013-03-01"): ("27.72", "27.98", "27.52", "27.95", "34849700"),
}


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize(("symbol", "day"), REAL_DAYS)
def test_real_days_are_served_unchanged(
    make_ask: Callable[[SyntheticMarketData], Ask], seed: int, symbol: str, day: str
) -> None:
    """A day of the history has the figures of the source, whatever the seed and volatility."""
    market = SyntheticMarketData(seed=seed, symbols=[symbol], volatility=Decimal(3))
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    (bar,) = make_ask(market)(symbol, "1d", NOW, start=start, end=start)
    figures = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    assert REAL_DAYS[symbol, day] == tuple(map(str, figures))


def test_real_hours_are_served_unchanged(ask: Ask) -> None:
    """An hour of EUR/USD in 2017 has the figures of the source."""
    start = datetime(2017, 1, 1, 22, tzinfo=UTC)
    bar = ask("EUR/USD", "1h", NOW, start=start, end=start)[0]
    assert ("1.05236", "1.05253", "1.05221", "1.05227") == tuple(
        map(str, (bar.open, bar.high, bar.low, bar.close))
    )
    assert Decimal(143539993) == bar.volume


def test_days_without_trading_are_missing_until_history_ends(ask: Ask) -> None:
    """Weekends have no bar in the real history; after it every day of the week has one."""
    at = datetime(2013, 3, 10, tzinfo=UTC)
    days = ask("IBM", "1d", at, start=datetime(2013, 2, 21, tzinfo=UTC))
    assert [21, 22, 25, 26, 27, 28, 1, 2, 3, 4, 5, 6, 7, 8, 9] == [
        bar.timestamp.day for bar in days
    ]


def test_before_the_first_bar_there_are_none(ask: Ask) -> None:
    """A window before a symbol's first bar is empty, and one around it begins with that bar."""
    listed = datetime(2015, 1, 1, tzinfo=UTC)
    assert [] == ask("BTC/USD", "1d", listed)
    assert [] == ask("BTC/USD", "1m", NOW, end=listed - timedelta(microseconds=1))
    assert listed == ask("BTC/USD", "1h", listed + timedelta(days=2), limit=1000)[0].timestamp


def test_all_of_a_history_can_be_had(ask: Ask) -> None:
    """With a limit beyond what there is, everything is served."""
    at = datetime(2013, 3, 2, tzinfo=UTC)
    assert 2015 == len(ask("AAPL", "1d", at, limit=10_000))


def test_extreme_times_are_no_error(ask: Ask) -> None:
    """The ends of time as bounds are as good as none."""
    least, most = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert ask("AAPL", "1d", NOW, limit=3) == ask("AAPL", "1d", NOW, start=least, end=most, limit=3)
    assert [] == ask("AAPL", "1d", least)
    assert 3 == len(ask("AAPL", "1w", most, limit=3))


def test_an_alias_leads_to_the_canonical_symbol(ask: Ask) -> None:
    """Bars asked for by an alias name the canonical symbol; unknown names are not found."""
    assert ask("EUR/USD", "1h", NOW, limit=2) == ask("F:EURUSD", "1h", NOW, limit=2)
    with pytest.raises(SymbolNotFound):
        ask("F:AAPL", "1h", NOW)


@pytest.mark.parametrize(
    ("timeframe", "count"),
    [
        ("1m", 1 + 3 + 36),  # three hours, so that one day, three hours, 36 times five minutes
        ("30m", 3 + 51),  # the 50 hours before the present one, which lie in three days
        ("1h", 5),
        ("12h", 51),
        ("1d", 0),
        ("1w", 0),
    ],
)
def test_a_recent_window_does_not_compute_the_past(
    make_ask: Callable[[SyntheticMarketData], Ask],
    splits: list[RawBar],
    timeframe: str,
    count: int,
) -> None:
    """For 100 bars the feed walks back from the end and splits only what they lie in."""
    served = make_ask(SyntheticMarketData(symbols=["AAPL"]))
    assert 100 == len(served("AAPL", timeframe, NOW, limit=100))
    assert count == len(splits)
