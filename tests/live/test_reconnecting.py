"""Streams that come back."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import pairwise
from typing import cast

import pytest
from websockets.exceptions import ConnectionClosedError

from providers.errors import ProviderUnavailable
from providers.live.reconnecting import FIRST_WAIT, LONGEST_WAIT, full_jitter, reconnecting
from providers.live.venue import Connection

UP = Connection(up=True)
CLOSED = "the venue has closed the stream"


class Sessions:
    """Connections that go as they are told: what each yields, then how it ends."""

    def __init__(self, *plans: list[object]) -> None:
        self.plans = list(plans)
        self.waits: list[int] = []
        self.slept: list[float] = []
        self.closed = 0
        self.time = 0.0

    async def session(self) -> AsyncGenerator[object, None]:
        try:
            for item in self.plans.pop(0):
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, float):
                    self.time += item
                else:
                    yield item
        finally:
            self.closed += 1

    def wait(self, attempt: int) -> float:
        self.waits.append(attempt)
        return attempt / 10

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def told(self, count: int) -> list[object]:
        """The first items of the stream, which is closed then."""
        found: list[object] = []
        stream = reconnecting(
            "fake", self.session, wait=self.wait, sleep=self.sleep, now=lambda: self.time
        )
        async with aclosing(cast("AsyncGenerator[object, None]", stream)) as items:
            async for item in items:
                found.append(item)
                if len(found) == count:
                    break
        return found


async def test_a_session_that_ends() -> None:
    """After its end comes the next, and between them that it was down."""
    sessions = Sessions([UP, "a"], [UP, "b"])
    down = Connection(up=False, error=CLOSED)
    assert [UP, "a", down, UP, "b"] == await sessions.told(5)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (OSError("gone"), "OSError: gone"),
        (EOFError(), "EOFError()"),
        (ProviderUnavailable("away"), "ProviderUnavailable: away"),
        (ConnectionClosedError(None, None), "ConnectionClosedError: no close frame"),
    ],
)
async def test_a_session_that_fails(failure: Exception, error: str) -> None:
    """A failure of the connection is told, and another is made."""
    first, down, second = await Sessions([UP, failure], [UP]).told(3)
    assert isinstance(down, Connection)
    assert (UP, False, UP) == (first, down.up, second)
    assert down.error.startswith(error)


async def test_a_defect_of_ours_is_raised() -> None:
    """What no connection can be blamed for is not taken for its end."""
    with pytest.raises(KeyError):
        await Sessions([UP, KeyError("symbol")], [UP]).told(3)


async def test_the_wait_grows() -> None:
    """One failure after the other: each wait is for a later attempt, in vain or not quite."""
    sessions = Sessions([OSError()], [OSError()], [UP, OSError()], [UP])
    await sessions.told(5)
    assert ([1, 2, 3], [0.1, 0.2, 0.3]) == (sessions.waits, sessions.slept)


async def test_the_wait_begins_anew() -> None:
    """A session that has told something, or has lasted, was a good one."""
    lasting = LONGEST_WAIT + 1
    sessions = Sessions([OSError()], [UP, "a", OSError()], [OSError()], [UP, lasting], [UP])
    await sessions.told(9)
    assert [1, 1, 2, 1] == sessions.waits


async def test_closing_ends_the_session() -> None:
    """Who stops listening leaves no connection behind."""
    sessions = Sessions([UP, "a", "b"])
    await sessions.told(2)
    assert 1 == sessions.closed


async def test_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Each failure is one line, with its attempt."""
    with caplog.at_level(logging.WARNING):
        await Sessions([OSError("gone")], [UP]).told(2)
    assert ["the stream of fake is down (attempt 1): OSError: gone"] == caplog.messages


def test_full_jitter() -> None:
    """Waits are anything up to a bound that doubles, and that has an end."""
    bounds = [min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) for attempt in range(1, 40)]
    assert all(first <= second for first, second in pairwise(bounds))
    for attempt, bound in enumerate(bounds, start=1):
        assert all(0 <= full_jitter(attempt) <= bound for _ in range(20))
