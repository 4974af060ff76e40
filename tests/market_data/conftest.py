"""Fixtures of the market-data tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest

from providers.base import BarQuery
from providers.market_data import feed
from providers.market_data.aggregate import RawBar
from providers.market_data.split import split
from providers.market_data.synthetic import SyntheticMarketData
from providers.models import Bar, Timeframe

Ask = Callable[..., list[Bar]]
"""`ask(symbol, timeframe, at, start=, end=, limit=)`: the bars, synchronously."""


def ask_of(market: SyntheticMarketData) -> Ask:
    """A synchronous `bars` of `market`."""

    def ask(  # one argument per query parameter
        symbol: str,
        timeframe: str,
        at: datetime,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 500,
    ) -> list[Bar]:
        query = BarQuery(
            symbol=symbol, timeframe=Timeframe(timeframe), start=start, end=end, limit=limit
        )
        return asyncio.run(market.bars(query, at))

    return ask


@pytest.fixture(scope="session")
def market() -> SyntheticMarketData:
    """A market shared by tests: whatever they ask of it must not matter to the others."""
    return SyntheticMarketData(seed=7)


@pytest.fixture(scope="session")
def ask(market: SyntheticMarketData) -> Ask:
    """The bars of the shared market."""
    return ask_of(market)


@pytest.fixture(scope="session")
def make_ask() -> Callable[[SyntheticMarketData], Ask]:
    """The bars of a market of the test's own."""
    return ask_of


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> list[RawBar]:
    """The bars that feeds split from now on: what an answer costs, without a clock."""
    parents: list[RawBar] = []

    def counted(parent: RawBar, seconds: int, count: int, key: str) -> list[RawBar]:
        parents.append(parent)
        return split(parent, seconds, count, key)

    monkeypatch.setattr(feed, "split", counted)
    return parents
