"""History that is open: instruments, the newest bars, what it costs; and the package's own."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from providers.backtest.data.checks import BadData
from providers.backtest.data.duck_history import DuckHistory, open_files
from providers.backtest.data.history import open_history
from providers.backtest.data.instruments import class_of, instrument_of
from providers.backtest.data.pages import Page
from providers.backtest.data.shipped import shipped
from providers.backtest.extras import MissingExtra
from providers.backtest.source import MemoryBars
from providers.base import BarQuery
from providers.errors import UnsupportedOperation
from providers.models import AssetClass, Timeframe
from tests.backtest.files import (
    HEADER,
    Write,
    history,
    moment,
    refusal,
    rows,
)

# Instruments


@pytest.mark.parametrize(
    ("symbol", "given", "expected"),
    [
        ("EUR/USD", AssetClass.STOCK, AssetClass.FOREX),
        ("EUR/CHF", None, AssetClass.FOREX),
        ("EURCHF", None, AssetClass.FOREX),
        ("SOL/USDT", None, AssetClass.CRYPTO),
        ("BTC/EUR", None, AssetClass.CRYPTO),
        ("NVDA", None, AssetClass.STOCK),
        ("ES", AssetClass.FUTURES, AssetClass.FUTURES),
        ("SOLUSDT", AssetClass.CRYPTO, AssetClass.CRYPTO),
    ],
)
def test_asset_class_follows_the_listing_then_the_shape(
    symbol: str, given: AssetClass | None, expected: AssetClass
) -> None:
    assert expected == class_of(symbol, given)


@pytest.mark.parametrize(
    ("symbol", "places", "price", "quantity", "currency"),
    [
        ("AAPL", 0, "0.01", "0.0001", "USD"),
        ("AAPL", 4, "0.0001", "0.0001", "USD"),
        ("EUR/CHF", 5, "0.00001", "1", "CHF"),
        ("EURCHF", 5, "0.00001", "1", "CHF"),
        ("SOL/USDT", 8, "0.00000001", "0.00000001", "USDT"),
        ("NVDA", 0, "1", "0.0001", "USD"),
    ],
)
def test_instrument_reaches_the_decimals_of_its_prices(
    symbol: str, places: int, price: str, quantity: str, currency: str
) -> None:
    found = instrument_of(symbol, class_of(symbol), places)
    assert (Decimal(price), Decimal(quantity)) == (found.price_increment, found.quantity_increment)
    assert currency == found.currency


def test_price_step_comes_from_the_data(write: Write) -> None:
    """Zeros at the end of a number need no step, and each symbol has its own."""
    write(HEADER + "2024-01-02,1.5000,1.5,1.5,1.5,0.125\n", "AAPL.csv")
    write(HEADER + "2024-01-02,1.5,1.5004,1.5,1.5,1\n", "XYZ.csv")
    path = write(HEADER + "2024-01-02,7,7,7,7,1\n", "ES.csv").parent
    with history(path, ["AAPL", "XYZ", "ES"], asset_class=AssetClass.FUTURES) as opened:
        steps = [str(each.price_increment) for each in opened.instruments.values()]
        assert ["0.01", "0.0001", "1"] == steps
        assert ["1.50", "1.5000", "7"] == [str(bar.open) for bar in opened.replay()]


# Asking for the newest bars


@pytest.fixture
def hourly(write: Write) -> Iterator[DuckHistory]:
    """Ten days of two symbols by the hour, with every figure another one."""
    start = moment("2024-01-05")
    text = "symbol,date,o,h,l,c,v\n"
    for hour in range(240):
        at = start + timedelta(hours=hour)
        for symbol, base in (("BTC/USD", 100), ("ETH/USD", 50)):
            low = Decimal(base) + hour * 7 % 31
            text += (
                f"{symbol},{at:%Y-%m-%dT%H:%M},{low + 1},{low + 3},{low},{low + 2}.{hour},{hour}\n"
            )
    text = text.replace("\n\n", "\n")
    with history(write(text, "all.csv"), ["BTC/USD", "ETH/USD"], Timeframe.H1) as opened:
        yield opened


@pytest.mark.parametrize("timeframe", [Timeframe.H1, Timeframe.H4, Timeframe.D1, Timeframe.W1])
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_closed_agrees_with_bars_in_memory(
    hourly: DuckHistory, timeframe: Timeframe, limit: int
) -> None:
    """Forwards, backwards and with a window: what MemoryBars says, which looks at every bar."""
    memory = MemoryBars(hourly.replay(), hourly.instruments.values(), Timeframe.H1)
    starts = [None, moment("2024-01-06 05:30"), moment("2024-01-08")]
    ends = [None, moment("2024-01-09"), moment("2024-01-07 03:00")]
    hourly._ahead = 20
    for hours in (0, 1, 4, 24, 25, 71, 72, 168, 240, 300, 50):
        by = moment("2024-01-05") + timedelta(hours=hours, minutes=hours % 3)
        for start in starts:
            for end in ends:
                query = BarQuery(
                    symbol="ETH/USD", timeframe=timeframe, start=start, end=end, limit=limit
                )
                assert memory.closed(query, by) == hourly.closed(query, by)


def test_nothing_is_seen_ahead_of_time(hourly: DuckHistory) -> None:
    """At no moment of a replay does a bar show that has not closed, though pages hold them."""
    for bar in hourly.replay():
        now = bar.timestamp + timedelta(hours=1)
        for timeframe, span in ((Timeframe.H1, 1), (Timeframe.H4, 4), (Timeframe.D1, 24)):
            query = BarQuery(symbol=bar.symbol, timeframe=timeframe, limit=3)
            found = hourly.closed(query, now)
            assert all(each.timestamp + timedelta(hours=span) <= now for each in found)
            if timeframe is Timeframe.H1:
                assert found[-1] == bar
            early = hourly.closed(query, now - timedelta(microseconds=1))
            assert bar not in early


def test_other_timeframes_are_unsupported(hourly: DuckHistory) -> None:
    with pytest.raises(UnsupportedOperation, match="30m"):
        hourly.closed(BarQuery(symbol="BTC/USD", timeframe=Timeframe.M30), moment("2024-01-06"))


def test_most_questions_are_answered_without_a_query(
    hourly: DuckHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = MagicMock(wraps=hourly._shop.run)
    monkeypatch.setattr(hourly._shop, "run", run)
    query = BarQuery(symbol="BTC/USD", timeframe=Timeframe.H1, limit=50)
    for hours in range(240):
        hourly.closed(query, moment("2024-01-05") + timedelta(hours=hours))
    assert run.call_count <= 4


@pytest.mark.parametrize(
    ("limit", "oldest", "newest", "expected"),
    [
        (2, None, 30, [20, 30]),
        (2, None, 35, [20, 30]),
        (3, None, 30, [10, 20, 30]),
        (4, None, 30, None),
        (4, 10, 30, [10, 20, 30]),
        (4, 11, 30, [20, 30]),
        (4, 9, 30, None),
        (1, None, 40, None),
        (1, None, 9, None),
        (1, 20, 10, []),
    ],
)
def test_page_answers_only_what_it_knows(
    limit: int, oldest: int | None, newest: int, expected: list[int] | None
) -> None:
    """A page from the middle: others may lie before 10 and after 40."""
    starts: Any = [10, 20, 30, 40]
    found: Any = Page(starts, starts, first=False, last=False).newest(limit, oldest, newest)
    assert expected == found


# Size, and what is left behind


def test_replay_holds_little_at_a_time(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the history: rows are fetched in small helpings."""
    start = moment("2024-01-01")
    times = (f"{start + timedelta(minutes=number):%Y-%m-%dT%H:%M}" for number in range(5_000))
    path = write(rows(*times), "BTCUSD.csv")
    monkeypatch.setattr("providers.backtest.data.duck_history._FETCH", 500)
    with history(path, ["BTC/USD"], Timeframe.M1) as opened:
        tracemalloc.start()
        count = sum(1 for _ in opened.replay())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert 5_000 == count
    assert peak < 500_000


def test_nothing_is_left_behind(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary database goes with the history, and at once where there is none."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = write(rows("2024-01-02"))
    with history(path):
        assert 1 == len(list(tmp_path.glob("trading-api-*")))
    refusal(path, start=moment("2025-01-01"))
    opened = open_files(path, ["AAPL"], Timeframe.D1)
    del opened
    assert [path] == list(tmp_path.iterdir())


def test_missing_duckdb_is_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtra, match=r"trading-api\[backtest\]"):
        open_files(write(rows("2024-01-02")), ["AAPL"], Timeframe.D1)


def test_missing_httpfs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extension nothing is fetched from anywhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    error = refusal("s3://bucket/AAPL.csv")
    assert "install_extension('httpfs')" in error.problem


# The package's own history


def test_shipped_history_has_bars_and_instruments() -> None:
    source = open_history("shipped", ["AAPL", "IBM"], Timeframe.D1)
    first, second = list(source.replay())[:2]
    assert ("AAPL", "IBM") == (first.symbol, second.symbol)
    assert [Decimal("44.99"), Decimal(16721000)] == [first.open, first.volume]
    assert Decimal("0.01") == source.instruments["AAPL"].price_increment


def test_shipped_history_can_be_cut_and_added_up() -> None:
    source = shipped(["EUR/USD"], Timeframe.D1, moment("2017-03-01"), moment("2017-03-03"))
    assert 3 == len(list(source.replay()))
    query = BarQuery(symbol="EUR/USD", timeframe=Timeframe.D1, limit=1000)
    assert 40 < len(source.closed(query, moment("2017-03-02")))


@pytest.mark.parametrize(
    ("symbol", "timeframe", "words"),
    [
        ("XYZ", Timeframe.D1, "no history of XYZ: it has AAPL, GOOG, IBM, MSFT, EUR/USD"),
        ("SPY", Timeframe.D1, "no history of SPY"),
        ("AAPL", Timeframe.H1, "the bars of AAPL are of 1d, coarser than 1h"),
    ],
)
def test_what_is_not_shipped_is_refused(symbol: str, timeframe: Timeframe, words: str) -> None:
    with pytest.raises(BadData, match=words):
        shipped([symbol], timeframe)


def test_shipped_run_without_bars_is_refused() -> None:
    with pytest.raises(BadData, match="AAPL has no bars between start and end"):
        shipped(["AAPL"], Timeframe.D1, moment("2020-01-01"))


def test_other_paths_are_files(write: Write) -> None:
    """Repairs are named as the option has them."""
    path = write(rows("2024-01-03", "2024-01-02"))
    source = open_history(path, ["AAPL"], Timeframe.D1, repairs=["sort"])
    assert isinstance(source, DuckHistory)
    source.close()


def test_unknown_repairs_and_no_symbols_are_refused() -> None:
    with pytest.raises(ValueError, match="'mend' is not a valid Repair"):
        open_history("AAPL.csv", ["AAPL"], Timeframe.D1, repairs=["mend"])
    with pytest.raises(BadData, match="no symbols are named"):
        open_history("shipped", [], Timeframe.D1)
