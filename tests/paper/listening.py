"""Subscribers to the event stream of the paper exchange, for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

from providers.base import FrameType, StreamQuery
from providers.streaming.stream import EventStream
from providers.streaming.tail import Tail
from providers.streaming.ticker import Ticker
from tests.handlers.test_stream_spec import validator
from tests.paper.exchange import Exchange

ACCOUNT_TYPES = frozenset(FrameType) - {FrameType.QUOTE, FrameType.CANDLE}
QUOTES = frozenset({FrameType.QUOTE})
PATIENCE = 20


class Client:
    """One subscriber, with what it has heard; `first` is its CONNECTED."""

    def __init__(self, frames: AsyncGenerator[str, None]) -> None:
        self.frames = frames
        self.texts: list[str] = []

    async def next(self) -> dict[str, Any]:
        """The next frame, as asyncapi.yaml has it."""
        text = await asyncio.wait_for(anext(self.frames), PATIENCE)
        frame: dict[str, Any] = json.loads(text)
        assert [error.message for error in validator(frame["type"]).iter_errors(frame)] == []
        self.texts.append(text)
        return frame

    async def take(self, count: int) -> list[dict[str, Any]]:
        return [await self.next() for _ in range(count)]

    async def ids_until(self, last: int) -> list[int]:
        """The ids of events heard up to that of `last`."""
        ids = [0]
        while ids[-1] < last:
            ids.append(int((await self.next())["event_id"]))
        return ids[1:]


@asynccontextmanager
async def listening(
    stream: Exchange | EventStream,
    account: str = "me",
    *,
    types: frozenset[FrameType] | None = ACCOUNT_TYPES,
    **query: Any,
) -> AsyncIterator[Client]:
    """A subscriber that has heard CONNECTED already."""
    source = stream.provider if isinstance(stream, Exchange) else stream
    frames = await source.subscribe(account, StreamQuery(types=types, **query))
    async with aclosing(cast("AsyncGenerator[str, None]", frames)) as closing:
        client = Client(closing)
        first = await client.next()
        assert (first["type"], first["event"], first["broker"]) == (
            "connection",
            "CONNECTED",
            "paper",
        )
        yield client


def small(exchange: Exchange, *, events: int = 8192, market: int = 8192) -> EventStream:
    """A stream of the exchange that keeps few frames in memory."""
    stream = exchange.provider.stream
    stream.tail = Tail(exchange.store, kept=events)
    stream.ticker = Ticker(
        exchange.market,
        clock=exchange.clock,
        interval=exchange.provider.market_clock._interval,
        kept=market,
    )
    return stream
