"""Streams that come back: after a failure they connect again, with backoff and jitter."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final, TypeVar

import httpx
from websockets.exceptions import WebSocketException

from providers.errors import TradingError
from providers.live.venue import Connection

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_WAIT: Final = 0.25
LONGEST_WAIT: Final = 30.0
"""Seconds before the second and, at most, before any later attempt."""

FAILURES = (OSError, EOFError, WebSocketException, httpx.HTTPError, TradingError)
"""What ends one connection and not the stream. Anything else is a defect of ours, and is raised."""


def full_jitter(attempt: int) -> float:
    """Seconds to wait before an attempt, counted from 1: anything up to a bound that doubles.

    AWS Architecture Blog, "Exponential Backoff And Jitter", 2015: clients that failed together
    do not come back together.
    """
    bound = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt, 16))
    return random.uniform(0, bound)  # noqa: S311 - not a secret


async def reconnecting(
    name: str,
    session: Callable[[], AsyncGenerator[T | Connection, None]],
    *,
    wait: Callable[[int], float] = full_jitter,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    now: Callable[[], float] = time.monotonic,
) -> AsyncIterator[T | Connection]:
    """What a session yields, and after its end or failure what the next one does, for ever.

    A session is one connection: it connects, yields `Connection(up=True)` once it is subscribed,
    and then what it is told. When it ends, however it ends, `Connection(up=False)` follows. The
    wait grows until a session has told something, or has lasted.
    """
    attempt = 0
    while True:
        error = "the venue has closed the stream"
        began = now()
        try:
            async with aclosing(session()) as told:
                async for item in told:
                    if not isinstance(item, Connection):
                        attempt = 0
                    yield item
        except FAILURES as failure:
            error = f"{type(failure).__name__}: {failure}" if str(failure) else repr(failure)
        attempt = 1 if now() - began > LONGEST_WAIT else attempt + 1
        log.warning("the stream of %s is down (attempt %d): %s", name, attempt, error)
        yield Connection(up=False, error=error)
        await sleep(wait(attempt))
