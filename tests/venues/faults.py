"""What may go wrong between us and a venue, drawn from a seed so that it goes wrong again."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """How likely each fault is, from 0 to 1.

    Of a request: `limited` is refused with 429, `refused` with 503 before anything is done,
    `failed` answers 500 although it is done, `cut` breaks the connection in the middle of the
    answer, `slow` waits `delay` seconds, done, before it answers. Of the stream: a message is told
    `twice`, or `late`, after the one that follows it; `dropped` closes the connection. A cancel is
    `lazy`: acknowledged, and carried out `delay` seconds later, if the order is still there.
    """

    limited: float = 0
    refused: float = 0
    failed: float = 0
    cut: float = 0
    slow: float = 0
    twice: float = 0
    late: float = 0
    dropped: float = 0
    lazy: float = 0
    delay: float = 0.05


CALM = Odds()
STORM = Odds(
    limited=0.04,
    refused=0.04,
    failed=0.04,
    cut=0.04,
    slow=0.04,
    twice=0.15,
    late=0.15,
    dropped=0.02,
    lazy=0.3,
)


class Faults:
    """Draws what goes wrong next. `odds` may be changed while the emulator runs."""

    def __init__(self, seed: int = 0, odds: Odds = CALM) -> None:
        self.odds = odds
        self._random = random.Random(seed)  # noqa: S311 - not a secret

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.odds = replace(CALM)

    def strikes(self, fault: str) -> bool:
        """Whether a fault, a field of `Odds`, happens now."""
        likely: float = getattr(self.odds, fault)
        return self._random.random() < likely

    def one_of(self, faults: Iterable[str]) -> str | None:
        """The first of these faults that happens now."""
        return next((fault for fault in faults if self.strikes(fault)), None)


class Scrambler:
    """Repeats and reorders the messages of one stream as its faults will have it."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._kept: list[object] = []

    def of(self, message: T) -> Iterator[T]:
        """The messages to send now that this one is there."""
        if self._faults.strikes("late"):
            self._kept.append(message)
            return
        yield message
        if self._faults.strikes("twice"):
            yield message
        yield from self.rest()

    def rest(self) -> Iterator[T]:
        """What was held back."""
        kept, self._kept = self._kept, []
        yield from kept  # type: ignore[misc]
