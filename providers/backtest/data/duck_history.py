"""History files as the bars of a backtest, through DuckDB."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from providers.backtest.data.checks import PLACES, PRICES, BadData, Repair
from providers.backtest.data.files import describe, find_files
from providers.backtest.data.instruments import class_of, instrument_of
from providers.backtest.data.pages import Page, Series, read_page, replayed
from providers.backtest.data.rows import read_rows
from providers.backtest.data.series import make_series, written
from providers.backtest.data.workshop import Workshop
from providers.backtest.source import check_multiple
from providers.base import BarQuery, Instrument
from providers.market_data.aggregate import SECONDS, to_datetime, to_seconds, to_seconds_up
from providers.models import AssetClass, Bar, Timeframe

_FETCH = 50_000
"""About how many rows a replay holds at a time, of all symbols together."""


def open_files(
    path: str | Path,
    symbols: Sequence[str],
    timeframe: Timeframe,
    start: datetime | None = None,
    end: datetime | None = None,
    repairs: Iterable[Repair] = (),
    asset_class: AssetClass | None = None,
    scratch: Path | None = None,
) -> DuckHistory:
    """As `history.open_history`, of files. Raises BadData, and MissingExtra without DuckDB."""
    shop = Workshop(scratch)
    try:
        classes = {symbol: class_of(symbol, asset_class) for symbol in symbols}
        _fill(shop, str(path), timeframe, classes, frozenset(repairs))
        return DuckHistory(shop, timeframe, classes, start, end)
    except BaseException:
        shop.close()
        raise


def _fill(
    shop: Workshop,
    path: str,
    timeframe: Timeframe,
    classes: Mapping[str, AssetClass],
    repairs: frozenset[Repair],
) -> None:
    """Make the table `bars` of what the files hold."""
    symbols = list(classes)
    paths = find_files(shop.connection, path)
    files = describe(shop.connection, paths, symbols, volumes=Repair.NO_VOLUME not in repairs)
    rows = read_rows(shop, files, symbols, repairs)
    make_series(shop, rows, classes, timeframe, repairs)


class DuckHistory:
    """A `BarSource` over the table `bars` of a DuckDB database, which it owns.

    The table lies on disk; close it, or use it as a context, to give the space back early. All is
    to be called from one thread.
    """

    def __init__(
        self,
        shop: Workshop,
        timeframe: Timeframe,
        classes: Mapping[str, AssetClass],
        start: datetime | None,
        end: datetime | None,
    ) -> None:
        self.timeframe = timeframe
        self._shop = shop
        instruments = {}
        self._series: dict[str, Series] = {}
        for place, (symbol, asset_class) in enumerate(classes.items()):
            places = _decimals(shop, place, PRICES)
            instruments[symbol] = instrument_of(symbol, asset_class, places)
            step = instruments[symbol].price_increment
            self._series[symbol] = _series(shop, place, symbol, step, _bounds(start, end))
        self.instruments: Mapping[str, Instrument] = MappingProxyType(instruments)
        self._pages: dict[tuple[str, Timeframe], Page] = {}
        self._ahead = min(max(_FETCH // len(classes), 100), 1_000)

    def replay(self) -> Iterator[Bar]:
        size = max(_FETCH // len(self._series), 200)
        series = list(self._series.values())
        rows = heapq.merge(*(replayed(self._shop, each, size) for each in series))
        timeframe = self.timeframe
        return (series[row[1]].bar(timeframe, row) for row in rows)

    def closed(self, query: BarQuery, by: datetime) -> list[Bar]:
        check_multiple(self.timeframe, query.timeframe)
        newest = to_seconds(by) - SECONDS[query.timeframe]
        if query.end is not None:
            newest = min(newest, to_seconds(query.end))
        oldest = None if query.start is None else to_seconds_up(query.start)
        key = (query.symbol, query.timeframe)
        page = self._pages.get(key)
        found = page and page.newest(query.limit, oldest, newest)
        if found is None:
            frames, series = (self.timeframe, query.timeframe), self._series[query.symbol]
            page = read_page(self._shop, series, frames, newest, query.limit, self._ahead)
            self._pages[key] = page
            found = page.newest(query.limit, oldest, newest)
        return found or []

    def close(self) -> None:
        """Remove the table; nothing can be read any more."""
        self._shop.close()


def _decimals(shop: Workshop, place: int, columns: Iterable[str]) -> int:
    """How many decimals the longest number in some columns has."""
    steps = ", ".join(
        f"coalesce(bool_or({' OR '.join(f'{name} % {10**power} <> 0' for name in columns)}), false)"
        for power in range(1, PLACES + 1)
    )
    [off] = shop.run("SELECT $steps FROM bars WHERE place = $place", steps=steps, place=place)
    return PLACES - off.index(True) if any(off) else 0


def _bounds(start: datetime | None, end: datetime | None) -> tuple[int, int]:
    """The first and the last opening time of a run, in seconds."""
    return (
        -(1 << 53) if start is None else to_seconds_up(start),
        1 << 53 if end is None else to_seconds(end),
    )


def _series(
    shop: Workshop, place: int, symbol: str, price: Decimal, bounds: tuple[int, int]
) -> Series:
    """Raises BadData where the symbol has no bars in the run."""
    [[first, last]] = shop.run(
        "SELECT min(start), max(start) FROM bars WHERE place = $place", place=place
    )
    [[begin, stop]] = shop.run(
        "SELECT min(rowid), max(rowid) + 1 FROM bars"
        " WHERE place = $place AND start BETWEEN ? AND ?",
        bounds,
        place=place,
    )
    if begin is None:
        reach = " to ".join(written(to_datetime(moment)) for moment in (first, last))
        raise BadData(f"{symbol} has no bars between start and end: its bars are from {reach}")
    volume = Decimal(1).scaleb(-_decimals(shop, place, ["volume"]))
    return Series(place, symbol, price, volume, first, range(begin, stop))
