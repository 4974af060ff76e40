"""History from files: what is read, in whatever shape it comes, and as what instruments."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.backtest.data.checks import Repair
from providers.backtest.data.files import place_of
from providers.backtest.data.series import length
from providers.base import BarQuery
from providers.models import Bar, Timeframe
from tests.backtest.files import (
    DAYS,
    HEADER,
    TYPED,
    Write,
    bars_of,
    history,
    moment,
    refusal,
    rows,
    times_of,
    to_parquet,
)

# What is read


def test_prices_are_read_exactly(write: Write) -> None:
    """Cells become decimals digit by digit, with the decimals of the price step."""
    path = write(HEADER + '2024-01-02, 0.1,"0.30",1e-1,0.2,1234567890123.5\n')
    assert bars_of(path) == [
        Bar(
            symbol="AAPL",
            provider="backtest",
            timeframe=Timeframe.D1,
            timestamp=moment("2024-01-02"),
            open=Decimal("0.1"),
            high=Decimal("0.3"),
            low=Decimal("0.1"),
            close=Decimal("0.2"),
            volume=Decimal("1234567890123.5"),
        )
    ]
    assert str(bars_of(path)[0].open) == "0.10"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2024-01-02", "2024-01-02 00:00"),
        ("2024/1/2", "2024-01-02 00:00"),
        ("1929-10-29", "1929-10-29 00:00"),
        ("2024-01-02 03:00", "2024-01-02 03:00"),
        ("2024-01-02T03:00:00.000", "2024-01-02 03:00"),
        ("2024-01-02T03:00:00Z", "2024-01-02 03:00"),
        ("2024-01-02 03:00 UTC", "2024-01-02 03:00"),
        ("2024-01-02 03:00:00UTC", "2024-01-02 03:00"),
        ("2024-01-02 03:00:00-05:00", "2024-01-02 08:00"),
        ("2024-01-02 03:00:00+0530", "2024-01-01 21:30"),
        ("2024-01-02 03:00+02", "2024-01-02 01:00"),
        ("1704164400", "2024-01-02 03:00"),
        ("1704164400000", "2024-01-02 03:00"),
        ("1704164400000000", "2024-01-02 03:00"),
        ("1704164400000000000", "2024-01-02 03:00"),
    ],
)
def test_times_may_be_written_in_many_ways(write: Write, text: str, read: str) -> None:
    """Without an offset UTC is meant; epochs count seconds or their fractions."""
    assert [read] == times_of(write(rows(text)), timeframe=Timeframe.M1)


@pytest.mark.parametrize(
    "header",
    [
        "Date,Open,High,Low,Close,Volume",
        "time;O;H;L;C;V",
        "<DATETIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<VOL>",
        "Open time|open|high|low|close|volume",
        "\ufeffTimestamp, open, high, low, close, volume",
    ],
)
def test_columns_are_found_by_name(write: Write, header: str) -> None:
    """Case, blanks, marks and the delimiter do not matter, nor does a byte order mark."""
    mark = next(mark for mark in ",;\t|" if mark in header)
    path = write(f"{header}\n" + "2024-01-02,10,12,9,11,100\n".replace(",", mark))
    assert ["2024-01-02 00:00"] == times_of(path)


def test_columns_may_be_in_any_order_and_others_are_ignored(write: Write) -> None:
    path = write("low,note,close,ticker,date,volume,high,open,\n9,x,11,AAPL,2024-01-02,1,12,10,\n")
    [bar] = bars_of(path)
    assert [9, 11, 12, 10] == [int(price) for price in (bar.low, bar.close, bar.high, bar.open)]


def test_csv_and_parquet_agree(write: Write, tmp_path: Path) -> None:
    """A file gives the same bars as CSV, compressed, as Parquet text and as Parquet numbers."""
    text = HEADER + "2024-01-02,10.25,12.5,9.1,11.7,100\n2024-01-03,0.1,1.3,0.1,0.7,5\n"
    plain = write(text)
    packed = tmp_path / "AAPL.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    expected = bars_of(plain)
    assert expected == bars_of(packed) == bars_of(str(packed))
    assert expected == bars_of(to_parquet(plain))
    assert expected == bars_of(to_parquet(plain, TYPED))


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP_NS", "TIMESTAMPTZ", "VARCHAR"])
def test_parquet_may_have_times_of_any_type(write: Write, kind: str) -> None:
    path = to_parquet(
        write(rows("2024-01-02")), f"timestamp::{kind} AS timestamp, * EXCLUDE (timestamp)"
    )
    assert ["2024-01-02 00:00"] == times_of(path)


def test_folder_and_pattern_hold_several_symbols(write: Write, tmp_path: Path) -> None:
    """Files named after symbols, replayed by time and then in the order asked for."""
    write(rows("2024-01-02", "2024-01-03"), "MSFT.csv")
    write(rows("2024-01-03"), "aapl-2024.csv")
    write(rows("2024-01-02"), "aapl-2023.csv")
    write("nothing of ours", "notes.txt")
    write(rows("2024-01-02"), "GOOG.csv")
    expected = [("2024-01-02", "MSFT"), ("2024-01-02", "AAPL")]
    expected += [("2024-01-03", "MSFT"), ("2024-01-03", "AAPL")]
    for path in (tmp_path, f"{tmp_path}/*.csv", f"{tmp_path}/**/*.csv"):
        bars = bars_of(path, ["MSFT", "AAPL"])
        assert expected == [(f"{bar.timestamp:%Y-%m-%d}", bar.symbol) for bar in bars]


def test_column_of_symbols_tells_them_apart(write: Write) -> None:
    """Rows of symbols that were not asked for may be anything."""
    path = write(
        "symbol,date,o,h,l,c,v\n"
        "eur_usd,2024-01-02,1,2,1,2,3\nXYZ,never,-1,,,,\nAAPL,2024-01-02,1,2,1,2,3\n",
        "all.csv",
    )
    assert ["EUR/USD", "AAPL"] == [bar.symbol for bar in bars_of(path, ["EUR/USD", "AAPL"])]


def test_single_file_of_any_name_is_the_single_symbol_s(write: Write) -> None:
    assert ["AAPL"] == [bar.symbol for bar in bars_of(write(rows("2024-01-02"), "download.csv"))]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("AAPL.csv", 0),
        ("dir/aapl.csv.gz", 0),
        ("EURUSD.csv", 1),
        ("EUR_USD.parquet", 1),
        ("eur-usd.pq", 1),
        ("EURUSD-1m-2024-01.csv", 1),
        ("AAPL_2024.csv", 0),
        ("AAPLX.csv", None),
        ("AAPL2.csv", None),
        ("AAPL_daily.csv", None),
        ("BRK-B.csv", 2),
        ("BRK.csv", None),
        ("AAPL-3.csv", 3),
    ],
)
def test_files_are_named_after_symbols(name: str, place: int | None) -> None:
    assert place_of(name, ["AAPL", "EUR/USD", "BRK-B", "AAPL-3"]) == place


def test_bars_from_start_to_end_are_the_run(write: Write) -> None:
    """Both ends belong to it; earlier bars are there to be asked for."""
    path = write(rows(*DAYS))
    options: Any = {"start": moment("2024-01-03"), "end": moment("2024-01-04")}
    assert ["2024-01-03 00:00", "2024-01-04 00:00"] == times_of(path, **options)
    with history(path, **options) as opened:
        query = BarQuery(symbol="AAPL", timeframe=Timeframe.D1)
        assert 3 == len(opened.closed(query, moment("2024-01-04")))


def test_replay_may_be_repeated_and_interleaved(write: Write) -> None:
    with history(write(rows(*DAYS))) as opened:
        first, second = opened.replay(), opened.replay()
        assert [next(first), next(first)] == [next(second), next(second)]
        assert 8 == len(list(first)) == len(list(second))


# Timeframes


def test_finer_bars_are_added_up_exactly(write: Write) -> None:
    """First open, highest high, lowest low, last close, sum of volumes; from Monday for weeks."""
    path = write(
        HEADER + "2024-01-05,1.1,1.4,1.0,1.2,0.1\n2024-01-08,1.2,1.5,0.9,1.3,0.2\n"
        "2024-01-09,1.3,1.6,1.0,1.05,0.7\n"
    )
    first, second = bars_of(path, timeframe=Timeframe.W1)
    assert (moment("2024-01-01"), Decimal("0.1")) == (first.timestamp, first.volume)
    assert (second.timestamp, second.timeframe) == (moment("2024-01-08"), Timeframe.W1)
    assert [Decimal(each) for each in ("1.2", "1.6", "0.9", "1.05", "0.9")] == [
        second.open,
        second.high,
        second.low,
        second.close,
        second.volume,
    ]


def test_aggregation_works_before_the_epoch(write: Write) -> None:
    path = write(rows("1929-10-28", "1929-10-29", "1929-11-04"))
    assert ["1929-10-28 00:00", "1929-11-04 00:00"] == times_of(path, timeframe=Timeframe.W1)


def test_hours_from_half_past_make_days(write: Write) -> None:
    """Bars off the grid of their own length serve where each lies within one bar asked for."""
    path = write(rows("2024-01-02 14:30", "2024-01-02 15:30", "2024-01-02 16:30"))
    assert ["2024-01-02 00:00"] == times_of(path, timeframe=Timeframe.D1)
    error = refusal(path, timeframe=Timeframe.H1)
    assert (error.row, error.column, error.repairs) == (2, "time", (Repair.DROP_BAD,))


@pytest.mark.parametrize(
    ("times", "timeframe", "words"),
    [
        (DAYS, Timeframe.H1, "the bars of AAPL are 1d apart, coarser than 1h"),
        (
            ["2024-01-02 00:00", "2024-01-02 00:04", "2024-01-02 00:08"],
            Timeframe.M10,
            "the bars of AAPL are 4m apart, which does not divide 10m",
        ),
    ],
)
def test_other_bars_than_asked_for_are_refused(
    write: Write, times: list[str], timeframe: Timeframe, words: str
) -> None:
    path = write(rows(*times))
    assert f"{path}: {words}" == str(refusal(path, timeframe=timeframe))


@pytest.mark.parametrize(
    ("seconds", "text"), [(60, "1m"), (5400, "90m"), (3600, "1h"), (86400, "1d"), (90, "90s")]
)
def test_lengths_are_written_shortly(seconds: int, text: str) -> None:
    assert text == length(seconds)
