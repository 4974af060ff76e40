"""What a check makes up: ids of the client, the same ones again where the check has a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

Taken = Callable[[str, str], bool]
"""Whether the target already knows a value of a field, from an earlier run with the same seed."""

_ATTEMPTS: Final = 50


class Chance:
    """Draws ids. Without a seed no two runs draw the same."""

    def __init__(self, seed: str | None = None, taken: Taken = lambda *_: False) -> None:
        self._random = None if seed is None else random.Random(seed)  # noqa: S311  (no secret)
        self._taken = taken

    def new_id(self, field: str, length: int) -> str:
        """An id of at least that length, which no order of the target has in that field."""
        if self._random is None:
            return f"conf-{uuid4().hex}".ljust(length, "0")
        bits = (self._random.getrandbits(128) for _ in range(_ATTEMPTS))
        drawn = (f"conf-{number:032x}".ljust(length, "0") for number in bits)
        return next(one for one in drawn if not self._taken(field, one))


_chance: ContextVar[Chance | None] = ContextVar("_chance", default=None)


def new_id(field: str = "client_order_id", *, length: int = 0) -> str:
    """An id for a field of an order, drawn by the check that runs here; at least that long."""
    return (_chance.get() or Chance()).new_id(field, length)


@contextmanager
def use(chance: Chance) -> Iterator[None]:
    """Let the check in the block draw from this."""
    token = _chance.set(chance)
    try:
        yield
    finally:
        _chance.reset(token)
