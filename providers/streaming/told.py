"""Frames as they are kept for many readers: encoded once, in a ring that forgets the oldest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from itertools import takewhile
from typing import Any, NamedTuple

from providers.base import FrameType
from providers.exchange.frames import numbered
from providers.exchange.store import Frame


class Told(NamedTuple):
    """A frame at its place in a ring; `text` is what goes over the wire."""

    position: int
    type: FrameType
    symbol: str | None
    text: str


def told_of(frame: Frame) -> Told:
    """An event of an account's log; its place is its id."""
    text = numbered(frame.json, frame.event_id)
    return Told(frame.event_id, FrameType(frame.type.value), frame.symbol, text)


class Ring:
    """The newest frames, at most `size`: all those after `floor`, by growing position."""

    def __init__(self, size: int, floor: int = 0) -> None:
        self.floor = floor
        self._size = size
        self._told: deque[Told] = deque()

    @property
    def newest(self) -> int:
        """The position of the last frame; the floor if there is none."""
        return self._told[-1].position if self._told else self.floor

    def append(self, told: Told) -> None:
        if len(self._told) >= self._size:
            self.floor = self._told.popleft().position
        self._told.append(told)

    def after(self, position: int) -> list[Told] | None:
        """The frames after a position; None where some of them are forgotten already."""
        if position < self.floor:
            return None
        later = list(takewhile(lambda told: told.position > position, reversed(self._told)))
        later.reverse()
        return later


class Listener:
    """One subscriber, who sleeps until something moves."""

    def __init__(self) -> None:
        self._moved = asyncio.Event()
        self._failure: BaseException | None = None
        self._over = False

    def wake(self) -> None:
        self._moved.set()

    def end(self) -> None:
        """There will be nothing more."""
        self._over = True
        self.wake()

    def fail(self, failure: BaseException) -> None:
        self._failure = failure
        self.wake()

    def look(self) -> bool:
        """Begin to look around: what moves from now on wakes again. False once it is over.

        Raises what the subscriber was failed with.
        """
        self._moved.clear()
        if self._failure is not None:
            raise self._failure
        return not self._over

    async def moved(self) -> None:
        await self._moved.wait()


class Pump:
    """A task that runs while somebody listens. If it breaks down, so do those who listen."""

    def __init__(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._name = name
        self._run = run
        self._task: asyncio.Task[None] | None = None
        self.listeners: set[Listener] = set()

    def join(self, listener: Listener) -> None:
        self.listeners.add(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=self._name)
            self._task.add_done_callback(self._ended)

    def leave(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        if not self.listeners:
            self._cancel()

    async def stop(self) -> None:
        """End it for everybody, and wait for it."""
        task = self._task
        self._cancel()
        for listener in self.listeners:
            listener.end()
        if task is not None:
            await asyncio.wait([task])

    def _cancel(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task is self._task:
            self._task = None
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            for listener in self.listeners:
                listener.fail(failure)
