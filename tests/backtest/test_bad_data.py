"""History files that are wrong: what is refused and where, and what each repair does."""

from __future__ import annotations

import gzip
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from providers.backtest.data.checks import Repair
from providers.models import Timeframe
from tests.backtest.files import (
    DAYS,
    HEADER,
    HOURS,
    SEVERAL,
    Write,
    bars_of,
    moment,
    refusal,
    rows,
    times_of,
    to_parquet,
)

# What is refused

BAD_ROWS = [
    ("2024-01-02,,12,9,11,1", "open", "the cell is empty", Repair.DROP_BAD),
    ("2024-01-02,10,12,9", "close", "the cell is empty", Repair.DROP_BAD),
    (",10,12,9,11,1", "time", "the cell is empty", Repair.DROP_BAD),
    ("01/02/2024,10,12,9,11,1", "time", "01/02/2024 is not a time", Repair.DROP_BAD),
    ("2024-02-30,10,12,9,11,1", "time", "2024-02-30 is not a time", Repair.DROP_BAD),
    ("2024-01-02 03:00 EST,10,12,9,11,1", "time", "03:00 EST is not a time", Repair.DROP_BAD),
    ("infinity,10,12,9,11,1", "time", "infinity is not a time", Repair.DROP_BAD),
    ("2024-01-02,10,NaN,9,11,1", "high", "NaN is not a number", Repair.DROP_BAD),
    ("2024-01-02,10,12,inf,11,1", "low", "inf is not a number", Repair.DROP_BAD),
    ("2024-01-02,ten,12,9,11,1", "open", "ten is not a number", Repair.DROP_BAD),
    ("2024-01-02,1e10,1e10,9,11,1", "open", "1e10 is too large", Repair.DROP_BAD),
    ("2024-01-02,10,12,9,-11,1", "close", "-11 is not above zero", Repair.DROP_BAD),
    ("2024-01-02,10,12,0,11,1", "low", "0 is not above zero", Repair.DROP_BAD),
    ("2024-01-02,10,12,9,11,-1", "volume", "-1 is negative", Repair.DROP_BAD),
    ("2024-01-02,10,8,9,11,1", "high", "8 is below the low, 9", Repair.DROP_BAD),
    ("2024-01-02,13,12,9,11,1", "open", "between the low, 9, and the high, 12", Repair.DROP_BAD),
    ("2024-01-02,10,12,9,8.99,1", "close", "8.99 is not between the low", Repair.DROP_BAD),
    ("2024-01-02,10,12,9,11,1,5", None, "more cells than the header", Repair.DROP_BAD),
    ("2024-01-02,10,12,9,11.123456789,1", "close", "more than 8 decimals", Repair.ROUND),
]


@pytest.mark.parametrize(("row", "column", "words", "repair"), BAD_ROWS)
def test_bad_rows_are_named(
    write: Write, row: str, column: str | None, words: str, repair: Repair
) -> None:
    """File, line, column, what is wrong, and the repair that gets past it; empty lines count."""
    path = write(
        rows("2024-01-01") + f"\n{row}\n" + rows("2024-01-03", "2024-01-04")[len(HEADER) :]
    )
    error = refusal(path)
    assert (str(path), 4, column, (repair,)) == (error.file, error.row, error.column, error.repairs)
    assert words in error.problem
    assert str(error).startswith(f"{path}, line 4")
    assert str(error).endswith(f"(repair: {repair.value})")
    kept = [bar.timestamp.day for bar in bars_of(path, repairs=[repair])]
    assert kept == ([1, 2, 3, 4] if repair is Repair.ROUND else [1, 3, 4])


@pytest.mark.parametrize(("row", "column", "words", "repair"), BAD_ROWS[:1] + BAD_ROWS[7:17])
def test_bad_rows_of_parquet_are_named_by_index(
    write: Write, row: str, column: str, words: str, repair: Repair
) -> None:
    path = to_parquet(write(f"{rows('2024-01-01')}{row}\n"))
    error = refusal(path)
    assert (str(path), 1, column) == (error.file, error.row, error.column)
    assert words in error.problem
    assert f"{path}, row 1, column" in str(error)


def test_empty_symbol_is_refused(write: Write) -> None:
    path = write("symbol,date,o,h,l,c,v\nAAPL,2024-01-02,1,2,1,2,3\n,2024-01-03,1,2,1,2,3\n")
    error = refusal(path)
    assert (3, "symbol") == (error.row, error.column)
    assert ["2024-01-02 00:00"] == times_of(path, repairs=[Repair.DROP_BAD])


def test_rows_are_counted_in_the_file_they_stand_in(write: Write, tmp_path: Path) -> None:
    write(rows(*DAYS), "AAPL-1.csv")
    second = tmp_path / "AAPL-2.csv.gz"
    second.write_bytes(gzip.compress(f"{rows('2024-02-01')}2024-02-02,x,,,,\n".encode()))
    error = refusal(tmp_path)
    assert (str(second), 3, "open") == (error.file, error.row, error.column)


def test_rounding_is_to_eight_decimals(write: Write) -> None:
    """Longer numbers that end in zeros are exact as they are."""
    row = "2024-01-02,44.98999786376953,45.100000000000,44,44.5,1.0000000000001\n"
    path = write(HEADER + row)
    assert (Repair.ROUND,) == refusal(path).repairs
    [bar] = bars_of(path, repairs=[Repair.ROUND])
    exact = [Decimal(each) for each in ("44.98999786", "45.1", "1")]
    assert exact == [bar.open, bar.high, bar.volume]


def test_binary_fractions_of_parquet_are_rounded(write: Write) -> None:
    """Their digits are those of the shortest decimal that is the same number, to 8 places."""
    path = write(HEADER + "2024-01-02,0.1,44.98999786376953,0.1,0.3,1\n")
    types = "timestamp, open::DOUBLE AS open, high::DOUBLE AS high, low, close, volume"
    [bar] = bars_of(to_parquet(path, types))
    assert (Decimal("0.1"), Decimal("44.98999786")) == (bar.open, bar.high)


@pytest.mark.parametrize(
    ("times", "row", "words"),
    [
        (["2024-01-01", "2024-01-02T00:00Z"], 3, "with an offset, the first one is without"),
        (["2024-01-01T00:00Z", "2024-01-02"], 3, "without an offset, the first one is with"),
        (["1704067200", "2024-01-02"], 3, "without an offset, the first one is a number"),
        (["2024-01-01T00:00Z", "2024-01-02T02:00+02:00"], 3, "another offset than the first"),
    ],
)
def test_mixed_zones_are_refused(write: Write, times: list[str], row: int, words: str) -> None:
    error = refusal(write(rows(*times)))
    assert (error.row, error.column, error.repairs) == (row, "time", ())
    assert words in error.problem


def test_summer_time_is_no_mixture(write: Write) -> None:
    times = ["2024-03-09 19:00-05:00", "2024-03-10 20:00-04:00"]
    assert ["2024-03-10 00:00", "2024-03-11 00:00"] == times_of(write(rows(*times)))


def test_unsorted_rows_are_refused_or_sorted(write: Write) -> None:
    path = write(rows("2024-01-05", "2024-01-02", "2024-01-03"))
    error = refusal(path)
    assert (3, (Repair.SORT,)) == (error.row, error.repairs)
    assert "2024-01-02T00:00Z comes after 2024-01-05T00:00Z" == error.problem
    assert "2024-01-02 00:00" == times_of(path, repairs=[Repair.SORT])[0]


def test_symbols_of_one_file_need_only_be_sorted_each(write: Write) -> None:
    path = write(
        "symbol,date,o,h,l,c,v\nMSFT,2024-01-02,1,2,1,2,3\nMSFT,2024-01-03,1,2,1,2,3\n"
        "AAPL,2024-01-01,1,2,1,2,3\n",
        "all.csv",
    )
    assert 3 == len(bars_of(path, SEVERAL))


def test_duplicates_are_refused_or_the_first_is_kept(write: Write) -> None:
    path = write(rows("2024-01-02", "2024-01-03") + "2024-01-03,9,9,9,9,9\n")
    error = refusal(path)
    assert (4, (Repair.DROP_DUPLICATES,)) == (error.row, error.repairs)
    assert f"2024-01-03T00:00Z is there already, in {path}, 3" == error.problem
    bars = bars_of(path, repairs=[Repair.DROP_DUPLICATES])
    assert [11, 11] == [bar.close for bar in bars]


def test_times_off_the_grid_are_refused_or_left_out(write: Write) -> None:
    path = write(rows("2024-01-02 10:00", "2024-01-02 10:17", "2024-01-02 11:00", *HOURS[12:]))
    error = refusal(path, timeframe=Timeframe.H1)
    assert (3, "time", (Repair.DROP_BAD,)) == (error.row, error.column, error.repairs)
    times = times_of(path, timeframe=Timeframe.H1, repairs=[Repair.DROP_BAD])
    assert "2024-01-02 10:17" not in times
    assert 14 == len(times)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", None, "the file is empty"),
        (HEADER, None, "the file has no rows"),
        ("date,open,high,low,volume\n", "close", "no such column (close, c)"),
        ("open,high,low,close,volume\n", "time", "no such column (timestamp"),
        ("date,time,o,h,l,c,v\n", None, "the columns date and time both say time"),
        (HEADER + '2024-01-02,"10\n",12,9,11,1\n', None, "a cell goes over several lines"),
    ],
)
def test_files_that_are_no_table_are_refused(
    write: Write, text: str, column: str | None, words: str
) -> None:
    path = write(text)
    error = refusal(path)
    assert (str(path), column) == (error.file, error.column)
    assert words in error.problem


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "AAPL.csv"
    path.write_bytes(HEADER.encode() + b"2024-01-02,1,1,1,1,\xff\n")
    error = refusal(path)
    assert (2, "the file cannot be read: it is not UTF-8") == (error.row, error.problem)


def test_parquet_that_is_none_is_refused(write: Write) -> None:
    assert "cannot be read" in refusal(write("no Parquet", "AAPL.parquet")).problem


def test_volumes_may_be_missing_if_said_so(write: Write) -> None:
    path = write("date,open,high,low,close\n2024-01-02,1,1,1,1\n")
    error = refusal(path)
    assert ("volume", (Repair.NO_VOLUME,)) == (error.column, error.repairs)
    assert [0] == [bar.volume for bar in bars_of(path, repairs=[Repair.NO_VOLUME])]


def test_unknown_symbols_and_paths_are_refused(write: Write, tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.csv").problem
    assert "no such file" in refusal(tmp_path).problem
    write(rows("2024-01-02"), "GOOG.csv")
    write(rows("2024-01-02"), "MSFT.csv")
    assert "is named after AAPL: there are GOOG.csv, MSFT.csv" in refusal(tmp_path).problem
    assert "there are no bars of AAPL" == refusal(tmp_path, SEVERAL).problem


def test_empty_run_is_refused(write: Write) -> None:
    error = refusal(write(rows(*DAYS)), start=moment("2025-01-01"))
    assert error.problem.startswith("AAPL has no bars between start and end")
    assert "2024-01-01T00:00Z to 2024-01-10T00:00Z" in error.problem


# Gaps


@pytest.mark.parametrize(
    ("symbol", "times", "missing"),
    [
        ("BTC/USD", ["2024-01-05 23:00", "2024-01-06 02:00"], 2),
        ("BTC/USD", ["2024-01-05", "2024-01-07"], 1),
        ("AAPL", ["2024-01-05", "2024-01-08"], 0),
        ("AAPL", ["2024-01-02 15:00", "2024-01-02 18:00"], 2),
        ("AAPL", ["2024-01-02 20:00", "2024-01-03 14:00"], 0),
        # After-hours trading ends at 01:00 UTC in winter, and begins again at 09:00.
        ("AAPL", ["2024-01-03 00:00", "2024-01-03 09:00"], 0),
        ("EUR/USD", ["2024-01-02 23:00", "2024-01-03 02:00"], 2),
        ("EUR/USD", ["2024-01-05 21:00", "2024-01-07 22:00"], 0),
        ("EUR/USD", ["2024-01-05", "2024-01-08"], 0),
    ],
)
def test_gap_is_what_is_missing_while_the_market_trades(
    write: Write, symbol: str, times: list[str], missing: int
) -> None:
    """An error by default; filled with flat bars without volume; or let be."""
    timeframe = Timeframe.H1 if ":" in times[0] else Timeframe.D1
    before = moment(times[0]) - timedelta(hours=1 if timeframe is Timeframe.H1 else 24)
    path, options = write(rows(f"{before:%Y-%m-%d %H:%M}", *times)), {"timeframe": timeframe}
    assert 3 == len(bars_of(path, [symbol], repairs=[Repair.ALLOW_GAPS], **options))
    filled = bars_of(path, [symbol], repairs=[Repair.FILL_GAPS], **options)
    assert 3 + missing == len(filled)
    assert all({b.open, b.high, b.low, b.close} == {11} and b.volume == 0 for b in filled[2:-1])
    if missing:
        error = refusal(path, [symbol], **options)
        assert (4, (Repair.FILL_GAPS, Repair.ALLOW_GAPS)) == (error.row, error.repairs)
        assert error.problem.startswith(f"{missing} bar")
    else:
        assert 3 == len(bars_of(path, [symbol], **options))


def test_gaps_are_filled_before_bars_are_added_up(write: Write) -> None:
    path = write(rows("2024-01-06 00:00", "2024-01-06 01:00", "2024-01-06 06:00"))
    options = {"timeframe": Timeframe.H2, "repairs": [Repair.FILL_GAPS]}
    assert [200, 0, 0, 100] == [bar.volume for bar in bars_of(path, ["BTC/USD"], **options)]
