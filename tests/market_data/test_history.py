"""The shipped history: complete, clean, and what SOURCES.md says it is."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from providers.market_data.aggregate import DAY, HOUR, RawBar, to_datetime, to_seconds
from providers.market_data.history import History, load
from providers.market_data.instruments import LISTINGS

DATA = files("providers.market_data") / "data"
SCRIPT = Path(__file__).parents[2] / "scripts" / "build_market_data.py"

SHIPPED = {
    "AAPL": (DAY, 2015, "97881a8f4d19e504fb74791ffe939864ddf0b034f4188c13395c66bbad62837c"),
    "GOOG": (DAY, 2015, "57f2088c16d5a866896450586650b2bf86946a30a7d8ac65dba6933cc74778ee"),
    "IBM": (DAY, 2015, "876e4bf98ff3709a120d9bc410bd39c53d6b1fa65d60898d66f15ccee6adc4e4"),
    "MSFT": (DAY, 2015, "dced63f35f419c6128057626413d9fb573f206adcbaf7b240c62497e3dd12d38"),
    "EURUSD": (HOUR, 6225, "7e27f49daf367d4dcc3a58b4311b71a597b9303b8237ff99c5c12edf1a5ccaf1"),
}


def at(text: str) -> int:
    """Seconds since the epoch of an ISO date or time in UTC."""
    return to_seconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_files_are_those_the_script_made(name: str) -> None:
    """The text of each file has the SHA-256 that scripts/build_market_data.py printed."""
    text = gzip.decompress((DATA / f"{name}.csv.gz").read_bytes())
    assert SHIPPED[name][2] == hashlib.sha256(text).hexdigest()


def test_every_file_has_its_source_named() -> None:
    """SOURCES.md lists exactly the files shipped, and the listings use exactly those."""
    names = {Path(entry.name).name for entry in DATA.iterdir() if entry.name.endswith(".csv.gz")}
    sources = (DATA / "SOURCES.md").read_text()
    assert {f"{name}.csv.gz" for name in SHIPPED} == names
    assert all(f"`{name}`" in sources for name in names)
    assert SHIPPED.keys() == {item.compact for item in LISTINGS.values() if item.history}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_bars_are_clean(name: str) -> None:
    """Ascending, aligned, possible and traded: no zero rows, no high below a low."""
    span, count, _ = SHIPPED[name]
    bars = load(name, span).bars
    assert count == len(bars)
    assert sorted({bar.start for bar in bars}) == [bar.start for bar in bars]
    for bar in bars:
        assert bar.start % span == 0
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.volume > 0


def test_no_split_is_left_in_the_stocks() -> None:
    """From one close to the next no stock moves by a fifth or more, as a split would."""
    for name in ("AAPL", "GOOG", "IBM", "MSFT"):
        closes = [bar.close for bar in load(name, DAY).bars]
        assert all(abs(after / before - 1) < 0.2 for before, after in pairwise(closes))


def test_a_known_day_and_a_known_hour() -> None:
    """AAPL on the last day of the history, EUR/USD in its first hour, in cents and points."""
    assert RawBar(at("2013-03-01"), 43800, 43818, 42998, 43047, 19730300) == load("AAPL", DAY).day(
        at("2013-03-01")
    )
    assert (
        RawBar(at("2017-01-01T22:00"), 105236, 105253, 105221, 105227, 143539993)
        == load("EURUSD", HOUR).bars[0]
    )


def test_gaps_are_the_real_ones() -> None:
    """Stocks have no bar at the weekend, EUR/USD none between Friday and Sunday evening."""
    assert all(to_datetime(bar.start).weekday() < 5 for bar in load("IBM", DAY).bars)
    euro = load("EURUSD", HOUR)
    assert () == euro.of_day(at("2017-06-03"))
    assert [at("2017-06-04T21:00"), at("2017-06-04T22:00"), at("2017-06-04T23:00")] == [
        bar.start for bar in euro.of_day(at("2017-06-04"))
    ]


def test_a_day_of_hourly_bars_sums_them_up() -> None:
    """The day of an hourly history opens with its first hour and closes with its last."""
    hours = (RawBar(DAY, 5, 7, 4, 6, 10), RawBar(DAY + 3 * HOUR, 6, 6, 2, 3, 20))
    history = History(HOUR, (*hours, RawBar(3 * DAY, 1, 1, 1, 1, 30)))
    assert RawBar(DAY, 5, 7, 2, 3, 30) == history.day(DAY)
    assert history.day(2 * DAY) is None
    assert history.first == DAY
    assert history.last_day == 3 * DAY
    assert history.usual_volume() == 30


@pytest.fixture
def script() -> ModuleType:
    """scripts/build_market_data.py as a module."""
    spec = importlib.util.spec_from_file_location("build_market_data", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_rounds_half_to_even(script: ModuleType) -> None:
    """Prices are rounded to the step and volumes to whole units, halves to the even neighbour."""
    record = {"Open": "1.005", "High": "1.0151", "Low": "1", "Close": "1.01", "Volume": "2.5"}
    assert script.Row(
        "2020-01-01", *map(Decimal, ("1.00", "1.02", "1.00", "1.01")), Decimal(2)
    ) == script.rounded(record, "2020-01-01", Decimal("0.01"))


@pytest.mark.parametrize(
    ("start", "prices", "volume"),
    [
        ("2020-01-01", (2, 3, 1, 2), 1),  # the day before again
        ("2020-01-02", (2, 1, 3, 2), 1),  # high below low
        ("2020-01-02", (4, 3, 1, 2), 1),  # open above high
        ("2020-01-02", (2, 3, 0, 2), 1),  # a price of nothing
        ("2020-01-02", (2, 3, 1, 2), 0),  # nothing traded
    ],
)
def test_the_script_refuses_a_dirty_row(
    script: ModuleType, start: str, prices: tuple[int, ...], volume: int
) -> None:
    """A row that is out of order or contradicts itself stops the build by its name."""
    good = script.Row("2020-01-01", *map(Decimal, (2, 3, 1, 2)), Decimal(1))
    bad = script.Row(start, *map(Decimal, prices), Decimal(volume))
    with pytest.raises(SystemExit, match=start):
        script.checked("TEST", [good, bad])
