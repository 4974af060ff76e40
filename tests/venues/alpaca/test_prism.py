"""Prism between us and the emulator: a second judge of what is said, by Alpaca's specification."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

import httpx
import pytest
from pydantic import SecretStr

from contract_tests.laboratory.servers import free_port
from providers.alpaca.provider import AlpacaVenue
from providers.alpaca.settings import AlpacaSettings
from providers.live.venue import Progress, Ticket
from providers.models import OrderType, Side, TimeInForce, TrailingType
from tests.venues.contract import find
from tests.venues.emulated import Emulated

TOOLS: Final = Path(__file__).resolve().parents[3] / ".ci" / "node_modules" / ".bin"
PRISM: Final = shutil.which("prism", path=str(TOOLS)) or shutil.which("prism")
SPECIFICATION: Final = find("alpaca-trading.json")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PRISM is None, reason="Prism is not installed: `npm ci` in .ci"),
    pytest.mark.skipif(SPECIFICATION is None, reason="Alpaca's specification is not at hand"),
]

STARTUP_SECONDS: Final = 60


@asynccontextmanager
async def prism(upstream: str) -> AsyncIterator[str]:
    """Prism as a proxy, which answers what the specification refuses with an error of its own."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(str(PRISM), "proxy", str(SPECIFICATION), upstream),
        *("--errors", "--host=127.0.0.1", f"--port={port}"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(STARTUP_SECONDS):
            await answers(f"http://127.0.0.1:{port}/v2/clock")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def answers(url: str) -> None:
    """Wait until anything answers there."""
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                await client.get(url)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


def tickets() -> list[Ticket]:
    """An order of each kind, far from the market."""
    stock = Ticket(
        client_id="prism-1",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(1),
        limit_price=Decimal("10.50"),
    )
    stop = replace(stock, limit_price=None, stop_price=Decimal(9000), order_type=OrderType.STOP)
    both = replace(stop, limit_price=Decimal(9001), order_type=OrderType.STOP_LIMIT)
    trailing = replace(
        stock,
        limit_price=None,
        order_type=OrderType.TRAILING_STOP,
        trailing_distance=Decimal(50),
        trailing_type=TrailingType.PERCENT,
    )
    day = replace(stock, time_in_force=TimeInForce.DAY)
    crypto = replace(stock, symbol="BTC/USD", limit_price=Decimal(1000), quantity=Decimal("0.01"))
    kinds = [stock, stop, both, trailing, day, crypto]
    return [replace(each, client_id=f"prism-{n}") for n, each in enumerate(kinds)]


async def test_prism_lets_pass_what_we_say_and_hear(emulated: Emulated) -> None:
    """Orders of each kind, their changes and cancels, and every question that we ask."""
    environment = emulated.environment
    async with prism(environment["TRADING_API_ALPACA_TRADING_URL"]) as url:
        venue = AlpacaVenue(
            AlpacaSettings(
                key_id=SecretStr(environment["TRADING_API_ALPACA_KEY_ID"]),
                secret_key=SecretStr(environment["TRADING_API_ALPACA_SECRET_KEY"]),
                trading_url=url,
            )
        )
        await venue.start()
        try:
            for ticket in tickets():
                await lived(venue, ticket)
            assert [] == list(await venue.open_orders())
            await venue.holdings()
            await venue.funds()
            await venue.ping()
        finally:
            await venue.stop()


async def test_prism_refuses_what_the_specification_does(emulated: Emulated) -> None:
    """The other half: it would have said so."""
    environment = emulated.environment
    headers = {
        "APCA-API-KEY-ID": environment["TRADING_API_ALPACA_KEY_ID"],
        "APCA-API-SECRET-KEY": environment["TRADING_API_ALPACA_SECRET_KEY"],
    }
    async with (
        prism(environment["TRADING_API_ALPACA_TRADING_URL"]) as url,
        httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client,
    ):
        answer = await client.post("/v2/orders", json={"symbol": "AAPL", "side": "sideways"})
    assert 422 == answer.status_code
    assert "prism" in answer.json()["type"]


async def lived(venue: AlpacaVenue, ticket: Ticket) -> None:
    """Place, find, change where there is a limit, and cancel an order."""
    report = await venue.submit(ticket)
    ticket = replace(ticket, venue_id=report.venue_id)
    found = await venue.find(ticket)
    assert found is not None
    assert report.venue_id == found.venue_id
    if ticket.order_type is OrderType.LIMIT and ticket.limit_price is not None:
        changed = replace(
            ticket,
            client_id=f"{ticket.client_id}-b",
            venue_id=None,
            limit_price=ticket.limit_price + 1,
        )
        report = await venue.replace(ticket, changed)
        ticket = replace(changed, venue_id=report.venue_id)
    await venue.cancel(ticket)
    after = await venue.find(ticket)
    assert after is not None
    assert Progress.CANCELLED is after.progress
    await venue.executions(ticket)
