"""A process beside this one, and the pipe between the two."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

GRACE = 5.0
"""Seconds that a process has to end in, once it has been told to or has nothing more to do."""


class ChildDied(Exception):
    """A process has ended without an answer."""


class Child:
    """A fresh process that does `work(pipe, *arguments)`, and sends its answer through the pipe."""

    def __init__(self, name: str, work: Callable[..., None], *arguments: Any) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_begin, args=(work, theirs, arguments), name=name)
        self._process.start()
        theirs.close()

    def ask(self, question: Any) -> Any:
        """Send something and wait for the answer. Raises ChildDied."""
        with suppress(OSError):  # nobody is there any more: the answer says so
            self.pipe.send(question)
        return self.answer()

    def answer(self) -> Any:
        """Wait for what it sends, and then until it has ended. Raises ChildDied."""
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(GRACE)
            code = self._process.exitcode
            raise ChildDied(f"its process ended with exit code {code}") from error
        self._process.join(GRACE)
        return answer

    def terminate(self) -> None:
        """Tell it to end."""
        self._process.terminate()

    def end(self) -> None:
        """See to it that it has ended."""
        self._process.terminate()
        self._process.join(GRACE)
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _begin(work: Callable[..., None], pipe: Connection, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started it
    work(pipe, *arguments)
