"""A server over a provider that records what it is asked and answers what it is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

from handlers.app import create_app
from handlers.server import UVICORN_OPTIONS
from handlers.settings import Settings
from providers.base import Page, StreamQuery, Submission
from providers.breakers import CircuitBreakers
from providers.models import (
    Account,
    CancelAllResult,
    CancelOrderResult,
    Capabilities,
    ConnectionStatus,
    Order,
    OrderHandle,
    OrderStatus,
    OrderType,
    Position,
    PositionMode,
    PositionSide,
    Quote,
    Side,
    TimeInForce,
    Trade,
)

NOON = datetime(2025, 1, 15, 12, 0, 0, 123456, UTC)

ORDER = Order(
    id="ord_1",
    symbol="AAPL",
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    quantity=Decimal("100"),
    filled_quantity=Decimal(0),
    remaining_quantity=Decimal("100"),
    limit_price=Decimal("150.00"),
    status=OrderStatus.OPEN,
    time_in_force=TimeInForce.GTC,
    created_at=NOON,
    updated_at=NOON,
)
HANDLE = OrderHandle(id="ord_1", status=OrderStatus.OPEN)
POSITION = Position(
    id="pos_1",
    symbol="AAPL",
    side=PositionSide.LONG,
    quantity=Decimal(1),
    average_entry_price=Decimal("150"),
    current_price=Decimal("151"),
    unrealized_pnl=Decimal(1),
    realized_pnl=Decimal(0),
    opened_at=NOON,
    updated_at=NOON,
)
TRADE = Trade(
    id="trd_1",
    order_id="ord_1",
    symbol="AAPL",
    side=Side.BUY,
    quantity=Decimal(1),
    price=Decimal("1E+2"),
    commission=Decimal("0.50"),
    commission_currency="USD",
    is_maker=False,
    timestamp=NOON,
)
MONEY = Decimal("10000.00")
ANSWERS: dict[str, Any] = {
    "submit_order": Submission(HANDLE),
    "list_orders": Page([ORDER]),
    "list_order_history": Page([ORDER]),
    "get_order": ORDER,
    "modify_order": ORDER,
    "cancel_order": CancelOrderResult(success=True, order=ORDER),
    "cancel_all_orders": CancelAllResult(cancelled_count=5, failed_count=0),
    "list_positions": [POSITION],
    "get_position": POSITION,
    "close_position": HANDLE,
    "close_all_positions": [HANDLE],
    "list_trades": Page([TRADE]),
    "get_account": Account(
        balance=MONEY,
        equity=MONEY,
        margin_used=Decimal(0),
        margin_available=MONEY,
        unrealized_pnl=Decimal(0),
        currency="USD",
    ),
    "get_quote": Quote(
        symbol="AAPL",
        provider="fake",
        bid=Decimal("150.20"),
        bid_size=Decimal(100),
        ask=Decimal("150.25"),
        ask_size=Decimal(200),
        last=Decimal("150.22"),
        timestamp=NOON,
    ),
    "get_bars": [],
    "get_capabilities": Capabilities(
        supported_asset_classes=[],
        supported_order_types=[],
        position_mode=PositionMode.NETTING,
        features=[],
    ),
    "get_status": ConnectionStatus(connected=True),
    "subscribe": None,
    "acknowledge": None,
    "start": None,
    "stop": None,
}


class Feed:
    """What subscribers are told: frames, an exception to be raised, None at the end."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    def tell(self, *items: str | Exception | None) -> None:
        for item in items:
            self.items.put_nowait(item)

    async def frames(self) -> AsyncIterator[str]:
        try:
            while (item := await self.items.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed.set()


class RecordingProvider:
    """`calls` holds what was asked; `answers` what comes back, an exception to be raised."""

    name = "fake"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers = dict(ANSWERS)
        self.breakers = CircuitBreakers()
        self.gate: asyncio.Event | None = None
        self.feed = Feed()

    def now(self) -> datetime:
        return NOON

    async def subscribe(self, account: str, query: StreamQuery) -> AsyncIterator[str]:
        self.calls.append(("subscribe", account, query))
        result = self.answers["subscribe"]
        if isinstance(result, Exception):
            raise result
        return self.feed.frames()

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        if method not in self.answers:
            raise AttributeError(method)

        async def answer(*arguments: Any) -> Any:
            self.calls.append((method, *arguments))
            if self.gate and method == "get_account":
                await self.gate.wait()
            result = self.answers[method]
            if isinstance(result, Exception):
                raise result
            return result

        return answer


@pytest.fixture(scope="session")
def _provider() -> RecordingProvider:
    return RecordingProvider()


@pytest.fixture
def provider(_provider: RecordingProvider) -> RecordingProvider:
    _provider.reset()
    return _provider


@pytest.fixture(scope="session")
def _make_app(_provider: RecordingProvider) -> Callable[..., ASGIApp]:
    """One application for each choice of settings: making one takes half a second."""

    @cache
    def make(**settings: Any) -> ASGIApp:
        return create_app(Settings(_env_file=None, **settings), _provider)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_app(
    _make_app: Callable[..., ASGIApp], provider: RecordingProvider
) -> Callable[..., ASGIApp]:
    return _make_app


@pytest.fixture
async def connect(
    make_app: Callable[..., ASGIApp],
) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """Makes clients that call the application in this process, without sockets."""
    clients = []

    def connected(**settings: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(make_app(**settings))
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1"))
        return clients[-1]

    yield connected
    for client in clients:
        await client.aclose()


@pytest.fixture
def api(connect: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return connect()


class Served:
    """A real server on a port of its own; connections are made by hand, byte for byte."""

    def __init__(self, server: uvicorn.Server, port: int) -> None:
        self.server = server
        self.port = port

    async def exchange(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        """Sends `raw` on a new connection and reads one response."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            return await exchange(reader, writer, raw)
        finally:
            writer.close()
            await writer.wait_closed()


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes
) -> tuple[int, dict[str, str], bytes]:
    """Writes `raw`, and reads a response's status, headers and body."""
    writer.write(raw)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])
    }
    body = await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers, body


@pytest.fixture
def serve(
    make_app: Callable[..., ASGIApp],
) -> Callable[..., AbstractAsyncContextManager[Served]]:
    @asynccontextmanager
    async def serving(**settings: Any) -> AsyncIterator[Served]:
        listener = socket.create_server(("127.0.0.1", 0))
        options = {**UVICORN_OPTIONS, "timeout_graceful_shutdown": 10, "loop": "asyncio"}
        server = uvicorn.Server(uvicorn.Config(make_app(**settings), **options))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield Served(server, listener.getsockname()[1])
        finally:
            server.should_exit = True
            await running

    return serving


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No option of the developer's shell or .env reaches a test."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TRADING_API_{name.upper()}", raising=False)
