"""A paper exchange for tests: the real store, a market and a clock set by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from providers.base import Instrument, Submission
from providers.market_data.fixed import FixedMarketData
from providers.models import (
    AssetClass,
    ClosePositionRequest,
    ModifyOrderRequest,
    Order,
    OrderHandle,
    OrderRequest,
    OrderType,
    Side,
)
from providers.paper.provider import PaperProvider
from providers.paper.settings import PaperSettings
from providers.store.sqlite import SqliteStore

OPENING = datetime(2025, 1, 15, 15, 30, tzinfo=UTC)
"""A Wednesday, 10:30 in New York."""

INSTRUMENTS = [
    Instrument(
        symbol="AAPL",
        asset_class=AssetClass.STOCK,
        price_increment=Decimal("0.01"),
        quantity_increment=Decimal(1),
    ),
    Instrument(
        symbol="BTC/USD",
        asset_class=AssetClass.CRYPTO,
        price_increment=Decimal("0.01"),
        quantity_increment=Decimal("0.0001"),
    ),
]
ALIASES = {"S:AAPL": "AAPL", "C:BTCUSD": "BTC/USD"}


class AliasedMarket(FixedMarketData):
    """The market set by hand, with aliases."""

    def resolve(self, symbol: str) -> Instrument:
        return super().resolve(ALIASES.get(symbol, symbol))


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime = OPENING) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


class Exchange:
    """A provider with everything it stands on; AAPL is quoted 99 x 100, BTC/USD 999 x 1000.

    Its market clock comes round when `tick` says so, and not by itself.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.options = options
        self.clock = HandClock()
        self.market = AliasedMarket(INSTRUMENTS)
        self.market.set_quote("AAPL", bid="99", ask="100", at=OPENING)
        self.market.set_quote("BTC/USD", bid="999", ask="1000", at=OPENING)
        self._make()

    async def open(self) -> Exchange:
        await self.store.open()
        return self

    async def aclose(self) -> None:
        await self.store.close()

    async def restart(self) -> None:
        """The process ends and another one starts on the same file."""
        await self.aclose()
        self._make()
        await self.open()

    async def second(self) -> Exchange:
        """Another process on the same file, with the same market and time."""
        other = Exchange(self.path, **self.options)
        other.clock, other.market = self.clock, self.market
        other._make()
        return await other.open()

    def _make(self) -> None:
        settings = settings_of(**self.options)
        self.store = SqliteStore(
            self.path,
            initial_balance=settings.initial_balance,
            currency=settings.currency,
            synchronous="NORMAL",
        )
        self.provider = PaperProvider(self.store, self.market, settings, clock=self.clock)

    def quote(self, bid: str, ask: str, *, symbol: str = "AAPL", size: str = "1000000") -> None:
        """A second later there is a new quote, which no order has met yet."""
        now = self.clock.forward(seconds=1)
        self.market.set_quote(symbol, bid=bid, ask=ask, bid_size=size, ask_size=size, at=now)

    async def tick(
        self, bid: str, ask: str, *, symbol: str = "AAPL", size: str = "1000000"
    ) -> None:
        """A new quote, and the market clock comes round."""
        self.quote(bid, ask, symbol=symbol, size=size)
        await self.turn()

    async def turn(self) -> None:
        """One turn of the market clock: take or keep the lease, and tick if it is held."""
        await self.provider.market_clock._turn()

    async def log(self, account: str = "me") -> list[str]:
        """The names of all events of an account."""
        frames = await self.store.read(lambda reader: reader.events(account, 0, 1000))
        return [orjson.loads(frame.json)["event"] for frame in frames]

    async def buy(self, quantity: str = "10", account: str = "me", **fields: Any) -> Submission:
        return await self.provider.submit_order(account, request("BUY", quantity, **fields))

    async def sell(self, quantity: str = "10", account: str = "me", **fields: Any) -> Submission:
        return await self.provider.submit_order(account, request("SELL", quantity, **fields))

    async def order(self, handle: OrderHandle | Submission, account: str = "me") -> Order:
        id_ = handle.handle.id if isinstance(handle, Submission) else handle.id
        return await self.provider.get_order(account, id_)

    async def modify(self, submission: Submission, **changes: str) -> Order:
        decimals = {name: Decimal(value) for name, value in changes.items()}
        return await self.provider.modify_order(
            "me", submission.handle.id, ModifyOrderRequest(**decimals)
        )

    async def close(self, position_id: str, **fields: Any) -> OrderHandle:
        return await self.provider.close_position("me", position_id, ClosePositionRequest(**fields))


def settings_of(**options: Any) -> PaperSettings:
    """Settings that do not depend on a file; quotes change too rarely to disturb a test."""
    free: dict[str, Any] = {
        "initial_balance": 100_000,
        "maker_fee": 0,
        "taker_fee": 0,
        "tick_interval": timedelta(hours=1),
    }
    return PaperSettings(_env_file=None, **free | options)


def request(side: str, quantity: str, *, symbol: str = "AAPL", **fields: Any) -> OrderRequest:
    """`request("BUY", "4", limit="98")`: LIMIT, STOP or STOP_LIMIT by the prices given."""
    limit, stop = fields.pop("limit", None), fields.pop("stop", None)
    kinds = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }
    values: dict[str, Any] = {
        "symbol": symbol,
        "side": Side(side),
        "quantity": Decimal(quantity),
        "order_type": kinds[limit is not None, stop is not None],
        "limit_price": limit and Decimal(limit),
        "stop_price": stop and Decimal(stop),
    }
    return OrderRequest(**values | fields)
