"""The options of a backtest as one types them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from providers.backtest.runs import create
from providers.backtest.settings import BacktestSettings
from providers.models import AssetClass, Timeframe

NEW_YEARS_EVE = datetime(2024, 12, 31, tzinfo=UTC)


def settings(**options: str) -> BacktestSettings:
    return BacktestSettings.model_validate(options)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-12-31", NEW_YEARS_EVE, NEW_YEARS_EVE + timedelta(days=1, microseconds=-1)),
        ("2024-12-31T00:00", NEW_YEARS_EVE, NEW_YEARS_EVE),
        ("2024-12-31 01:00+01:00", NEW_YEARS_EVE, NEW_YEARS_EVE),
        ("2024-12-31T00:00:00Z", NEW_YEARS_EVE, NEW_YEARS_EVE),
    ],
)
def test_window(text: str, start: datetime, end: datetime) -> None:
    """A date begins at its midnight and ends with its last moment; a time is that time, in UTC."""
    given = settings(start=text, end=text)
    assert (start, end) == (given.start, given.end)


@pytest.mark.parametrize("option", ["start", "end"])
@pytest.mark.parametrize("text", ["2024-13-01", "yesterday", "2024-12-31T25:00"])
def test_no_moment(option: str, text: str) -> None:
    """What is no date and no time is refused by the option's name."""
    with pytest.raises(ValidationError, match=option):
        settings(**{option: text})


def test_end_is_the_whole_day_of_shorter_bars() -> None:
    """A run over hourly bars to a date has the last hour of that day."""
    options = {"symbols": "EUR/USD", "timeframe": "1h", "start": "2017-05-02", "end": "2017-05-02"}
    source = create(settings(**options)).source
    opened = [bar.timestamp for bar in source.replay()]
    assert Timeframe.H1 == source.timeframe
    assert {opened[0].date()} == {one.date() for one in opened}
    assert 23 == opened[-1].hour


@pytest.mark.parametrize("text", ["crypto", "CRYPTO"])
def test_asset_class(tmp_path: Path, text: str) -> None:
    """Symbols that nobody knows are what the option says."""
    path = tmp_path / "XYZ.csv"
    path.write_text("timestamp,open,high,low,close,volume\n2024-01-02,1,1,1,1,1\n")
    source = create(settings(data=str(path), symbols="XYZ", asset_class=text)).source
    assert AssetClass.CRYPTO == source.instruments["XYZ"].asset_class
    source.close()


def test_unknown_asset_class() -> None:
    """It must be one of the protocol's."""
    with pytest.raises(ValidationError, match="asset_class"):
        settings(asset_class="ART")
