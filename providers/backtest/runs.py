"""From the options of a backtest to a provider, and from a finished run to its results."""

from __future__ import annotations

from typing import Any

from providers.backtest.data.history import open_history
from providers.backtest.provider import BacktestProvider
from providers.backtest.results.record import RunRecord
from providers.backtest.results.writing import check_folder, write_results
from providers.backtest.settings import BacktestSettings
from providers.base import BarQuery
from providers.market_data.aggregate import SECONDS
from providers.models import Bar, Timeframe

CHARTED = 5_000
"""Bars of a symbol in the price chart, at most; a longer run is drawn in longer bars."""

NOT_TOLD = frozenset({"output"})
"""Settings that say nothing of the run itself."""


def create(settings: BacktestSettings) -> BacktestProvider:
    """The provider of a run over the history that the settings name.

    Raises ValueError (BadData where it is the data) for what cannot be replayed, and for a folder
    that holds something else than results.
    """
    if settings.output is not None:
        check_folder(settings.output)
    source = open_history(
        settings.data,
        settings.symbols,
        settings.timeframe,
        settings.start,
        settings.end,
        settings.repair,
        settings.asset_class,
    )
    return BacktestProvider(source, settings, report)


def report(provider: BacktestProvider, complete: bool) -> None:
    """Write the results into the folder of the settings; without one they are not written."""
    if provider.settings.output is not None:
        write_results(provider.settings.output, record_of(provider, complete=complete))


def record_of(provider: BacktestProvider, *, complete: bool) -> RunRecord:
    """What the run has left behind, in the account of the strategy that began it."""
    books = provider.store.books(provider.account)
    settings, source = provider.settings, provider.source
    return RunRecord(
        settings=told(settings),
        timeframe=source.timeframe,
        status="complete" if complete else "aborted",
        started=provider.started,
        ended=provider.now(),
        initial_balance=settings.initial_balance,
        currency=settings.currency,
        orders=list(books.orders.values()),
        trades=books.trades,
        equity=provider.equity,
        bars={symbol: bars_to_chart(provider, symbol) for symbol in source.instruments},
        asset_classes={symbol: each.asset_class for symbol, each in source.instruments.items()},
        position_mode=settings.position_mode,
        notices=books.notices,
        marks=provider.prices(),
    )


def told(settings: BacktestSettings) -> dict[str, str]:
    """The settings of a run as text, those that are set."""
    dumped = settings.model_dump(mode="json", exclude=set(NOT_TOLD), exclude_none=True)
    return {name: text_of(value) for name, value in dumped.items() if value not in ([], "")}


def text_of(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def bars_to_chart(provider: BacktestProvider, symbol: str) -> list[Bar]:
    """The bars of the run for the price chart, in the shortest timeframe that leaves few enough."""
    bars: list[Bar] = []
    for timeframe in not_shorter(provider.source.timeframe):
        query = BarQuery(
            symbol=symbol, timeframe=timeframe, start=provider.started, limit=CHARTED + 1
        )
        bars = provider.source.closed(query, provider.now())
        if len(bars) <= CHARTED:
            break
    return bars


def not_shorter(timeframe: Timeframe) -> list[Timeframe]:
    """The timeframes that bars can be made in, the shortest first."""
    own = SECONDS[timeframe]
    return [each for each, span in SECONDS.items() if span >= own and span % own == 0]
