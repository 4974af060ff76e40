"""Waiting for what will be so, with an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE = 15.0
"""Seconds; a test that waits longer has failed."""


async def until(found: Callable[[], Awaitable[T | None]]) -> T:
    """What a question answers once it is not None or False. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await found()
            if answer is not None and answer is not False:
                return answer
            await asyncio.sleep(0.02)


async def first(told: AsyncIterator[T], wanted: Callable[[T], bool]) -> T:
    """The first of a stream that is wanted. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE):
        async for each in told:
            if wanted(each):
                return each
    raise AssertionError("the stream has ended")
