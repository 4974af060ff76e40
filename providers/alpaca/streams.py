"""Alpaca's streams: one of order updates, and one of market data for each kind of instrument."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self

import simplejson
from websockets.asyncio.client import ClientConnection, connect

from providers.alpaca import prices
from providers.alpaca.parse import Json, as_specified
from providers.alpaca.settings import AlpacaSettings
from providers.errors import ProviderError, ProviderUnavailable
from providers.live.settings import required
from providers.live.venue import Wanted
from providers.models import AssetClass, Quote

HANDSHAKE: Final = 10.0
"""Seconds for connecting, authentication and the first subscription; Alpaca itself allows ten."""
CHANNELS: Final = ("quotes", "trades")

ByKind = Mapping[AssetClass, Iterable[str]]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket; no proxy of the environment is asked, as for REST."""
    async with connect(url, open_timeout=HANDSHAKE, proxy=None, close_timeout=1) as socket:
        yield socket


async def say(socket: ClientConnection, message: Json) -> None:
    await socket.send(simplejson.dumps(message))


async def authenticate(socket: ClientConnection, settings: AlpacaSettings) -> None:
    """Both streams take the credentials in the same words."""
    key_id, secret = required(settings, "key_id", "secret_key")
    await say(socket, {"action": "auth", "key": key_id, "secret": secret})


@as_specified("message")
def update_of(frame: str | bytes) -> tuple[str, Json]:
    """The stream and the data of a message of the trading API."""
    message = simplejson.loads(frame, use_decimal=True)
    return message["stream"], dict(message["data"])


@as_specified("list of messages")
def messages_of(frame: str | bytes) -> list[tuple[str, Json]]:
    """The kinds and contents of the messages in a frame of market data."""
    return [(each["T"], dict(each)) for each in simplejson.loads(frame, use_decimal=True)]


async def order_updates(settings: AlpacaSettings) -> AsyncGenerator[Json | None, None]:
    """One connection's updates of orders; begins with None, once it is listening.

    Messages come as JSON, in text frames or in binary ones.
    """
    async with opened(settings.stream) as socket:
        async with asyncio.timeout(HANDSHAKE):
            await authenticate(socket, settings)
            if (await _data(socket, "authorization")).get("status") != "authorized":
                raise ProviderError("Alpaca's stream refuses the credentials")
            await say(socket, {"action": "listen", "data": {"streams": ["trade_updates"]}})
            if "trade_updates" not in (await _data(socket, "listening")).get("streams", ()):
                raise ProviderError("Alpaca's stream does not tell the updates of orders")
        yield None
        async for frame in socket:
            stream, data = update_of(frame)
            if stream == "trade_updates":
                yield data


async def _data(socket: ClientConnection, stream: str) -> Json:
    """The data of the next message, which must be of this stream."""
    told, data = update_of(await socket.recv())
    if told != stream:
        raise ProviderError(f"Alpaca's stream says {told}, not {stream}")
    return data


class Line:
    """One connection to a stream of market data, and what it is subscribed to.

    Each frame is a list of messages.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._symbols: frozenset[str] = frozenset()

    async def expect(self, kind: str) -> None:
        """Wait for a control message. Raises what an error message means."""
        for told, message in messages_of(await self._socket.recv()):
            if told == "error":
                raise prices.failure(message)
            if told != kind:
                raise ProviderError(f"Alpaca's stream says {told}, not {kind}")

    async def choose(self, symbols: Iterable[str]) -> None:
        """Subscribe to these and to nothing else; Alpaca acknowledges that in the stream."""
        wanted = frozenset(symbols)
        await self._tell("subscribe", wanted - self._symbols)
        await self._tell("unsubscribe", self._symbols - wanted)
        self._symbols = wanted

    async def _tell(self, action: str, symbols: frozenset[str]) -> None:
        if symbols:
            chosen = sorted(symbols)
            await say(self._socket, {"action": action, **dict.fromkeys(CHANNELS, chosen)})

    async def messages(self) -> AsyncGenerator[tuple[str, Json], None]:
        """Quotes, trades and acknowledgements, by their kinds, until the connection ends."""
        async for frame in self._socket:
            for kind, message in messages_of(frame):
                if kind == "error":
                    raise prices.failure(message)
                yield kind, message


@asynccontextmanager
async def line(settings: AlpacaSettings, path: str) -> AsyncIterator[Line]:
    """A connection to one of the streams of market data, authenticated."""
    async with opened(f"{settings.data_stream}{path}") as socket:
        made = Line(socket)
        async with asyncio.timeout(HANDSHAKE):
            await made.expect("success")
            await authenticate(socket, settings)
            await made.expect("success")
        yield made


class Lines:
    """The lines that a choice of symbols needs, and the newest quote that came over any of them.

    Who reads too slowly misses quotes that are no longer in force, and no others.
    """

    def __init__(self, settings: AlpacaSettings, paths: Mapping[AssetClass, str]) -> None:
        self._settings = settings
        self._paths = paths
        self._lines: dict[AssetClass, Line] = {}
        self._open = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._last: dict[str, Decimal] = {}
        self._fresh: dict[str, Quote] = {}
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._open.aclose()

    async def choose(self, symbols: ByKind) -> None:
        """Tell these symbols and no others; a line is opened once it is needed."""
        for kind in symbols:
            if kind not in self._lines:
                made = line(self._settings, self._paths[kind])
                self._lines[kind] = await self._open.enter_async_context(made)
                self._run(self._listen(self._lines[kind]))
        for kind, opened_line in self._lines.items():
            await opened_line.choose(symbols.get(kind, ()))

    def follow(self, wanted: Wanted, by_kind: Callable[[Iterable[str]], ByKind]) -> None:
        """Choose anew whenever the wanted symbols change."""

        async def choosing() -> None:
            while True:
                await self.choose(by_kind(await wanted.change()))

        self._run(choosing())

    async def quotes(self) -> AsyncGenerator[Quote, None]:
        """What is told. Raises what one of the lines ends with."""
        while True:
            await self._news.wait()
            self._news.clear()
            for task in self._tasks:
                if task.done():
                    await task
                    raise ProviderUnavailable("Alpaca has closed a stream of market data")
            for symbol in list(self._fresh):
                yield self._fresh.pop(symbol)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._news.set())
        self._tasks.append(task)

    async def _listen(self, source: Line) -> None:
        async for kind, message in source.messages():
            found = self._heard(kind, message)
            if found is not None:
                self._fresh[found.symbol] = found
                self._news.set()

    def _heard(self, kind: str, message: Json) -> Quote | None:
        """The quote that a message makes; a trade is remembered for the next one."""
        if kind == "q":
            return prices.quote(message, self._last)
        if kind == "t":
            symbol, price = prices.trade(message)
            self._last[symbol] = price
        return None
