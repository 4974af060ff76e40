"""The exchange inside every emulator: our paper exchange, on a market of its own.

An emulator speaks a venue's protocol; what happens to the orders behind it is decided by the same
simulated exchange that the paper provider is. So an emulator is a translation, and no second
matching engine has to be trusted. What must be independent is what both sides speak: that is
judged by the venue's published specification.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.base import FrameType, MarketData, StreamQuery
from providers.market_data.synthetic import SyntheticMarketData
from providers.paper.provider import PaperProvider
from providers.paper.settings import PaperSettings
from providers.store.opening import open_store

ACCOUNT = "emulated"


@dataclass(frozen=True)
class Backing:
    """The exchange and its market; what is traded there goes by our canonical symbols."""

    exchange: PaperProvider
    market: MarketData

    async def frames(self, *types: FrameType) -> AsyncIterator[dict[str, Any]]:
        """What happens from now on, as the frames that asyncapi.yaml describes."""
        query = StreamQuery(types=frozenset(types))
        frames = await self.exchange.subscribe(ACCOUNT, query)
        async for text in frames:
            yield json.loads(text)


@asynccontextmanager
async def backing(folder: Path, **settings: Any) -> AsyncIterator[Backing]:
    """A running exchange that keeps its accounts in a folder; `settings` are PaperSettings.

    `seed`, `volatility` and `tick_interval` make the market, `initial_balance` the account.
    """
    chosen = PaperSettings(**{"initial_balance": 1_000_000, "synchronous": "NORMAL", **settings})
    market = SyntheticMarketData(
        chosen.seed, volatility=chosen.volatility, tick_interval=chosen.tick_interval
    )
    store = open_store(
        f"sqlite:///{folder / 'emulated.db'}",
        initial_balance=chosen.initial_balance,
        currency=chosen.currency,
        synchronous=chosen.synchronous.value,
    )
    exchange = PaperProvider(store, market, chosen)
    await exchange.start()
    try:
        yield Backing(exchange, market)
    finally:
        await exchange.stop()


def symbols_of(market: MarketData, *asset_classes: str) -> Sequence[str]:
    """The canonical symbols of some asset classes, sorted."""
    return sorted(
        each.symbol
        for each in market.instruments.values()
        if each.asset_class.value in asset_classes
    )
