"""Prices of one venue, execution at another: as a user starts it, and over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from contract_tests.laboratory.servers import PREFIX, Server
from tests.venues.alpaca.emulator import emulator as alpaca
from tests.venues.binance.emulator import emulator as binance
from tests.venues.faults import Faults
from tests.venues.massive.emulator import emulator as massive

pytestmark = pytest.mark.slow


@asynccontextmanager
async def served(
    folder: Path, provider: str, environment: Mapping[str, str], **options: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A server, and a client of it."""
    settings = {name.removeprefix(PREFIX): value for name, value in environment.items()}
    server = Server(folder, provider=provider, options={**settings, **options})
    await asyncio.to_thread(server.start)
    try:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as client:
            yield client
    finally:
        await asyncio.to_thread(server.stop)


async def filled(client: httpx.AsyncClient, order_id: str) -> dict[str, str]:
    """The order once it has filled."""
    async with asyncio.timeout(20):
        while True:
            order: dict[str, str] = (await client.get(f"/orders/{order_id}")).json()
            if order["status"] == "FILLED":
                return order
            await asyncio.sleep(0.05)


async def buy(client: httpx.AsyncClient, symbol: str, quantity: str) -> dict[str, str]:
    body = {"symbol": symbol, "side": "BUY", "quantity": quantity, "order_type": "MARKET"}
    answer = await client.post("/orders", json=body)
    assert 201 == answer.status_code, answer.text
    return await filled(client, answer.json()["id"])


async def test_paper_trading_on_real_prices(tmp_path: Path) -> None:
    """The paper exchange fills at the quotes of a venue, and asks nothing else of it."""
    async with (
        binance(tmp_path, Faults(), tick_interval="1") as venue,
        served(
            tmp_path,
            "paper",
            venue.environment,
            PAPER_MARKET_DATA="binance",
            PAPER_CURRENCY="USDT",
        ) as client,
    ):
        quote = (await client.get("/quotes/BTC/USDT")).json()
        order = await buy(client, "BTC/USDT", "0.01")
        position = (await client.get("/positions")).json()[0]
        there = await venue.backing.exchange.list_positions("emulated", None)
    assert "binance" in quote["provider"]
    price, ask = Decimal(order["average_fill_price"]), Decimal(quote["ask"])
    assert abs(price / ask - 1) < Decimal("0.01")
    assert "BTC/USDT" == position["symbol"]
    assert [] == there


async def test_execution_at_one_venue_with_prices_of_another(tmp_path: Path) -> None:
    """Orders go to Alpaca; quotes and bars, also under their aliases, come from Massive."""
    (tmp_path / "prices").mkdir()
    async with (
        alpaca(tmp_path, Faults(), tick_interval="1") as venue,
        massive(tmp_path / "prices", Faults(), tick_interval="1") as prices,
        served(
            tmp_path,
            "alpaca",
            {**venue.environment, **prices.environment},
            LIVE_MARKET_DATA="massive",
        ) as client,
    ):
        quote = (await client.get("/quotes/S:AAPL")).json()
        bars = (await client.get("/bars/C:BTCUSD?timeframe=1h&limit=3")).json()
        await buy(client, "AAPL", "2")
        there = await venue.backing.exchange.list_positions("emulated", None)
        assert [] == venue.judge.violations
        assert [] == prices.judge.violations
    assert ("AAPL", "massive") == (quote["symbol"], quote["provider"])
    assert ["BTC/USD"] * 3 == [bar["symbol"] for bar in bars], json.dumps(bars)
    assert ["AAPL"] == [position.symbol for position in there]
