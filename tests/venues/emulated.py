"""What every emulator offers to the tests, whichever venue it plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from providers.live.venue import Feed, Venue
from tests.venues.exchange import Backing
from tests.venues.faults import Faults
from tests.venues.serving import Judge


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """A running emulator.

    `symbol` is a canonical symbol of ours that can be traded there at any hour; `environment` has
    the variables with which `trading-api serve --provider NAME` finds it, credentials included.
    `venue` and `feed` make our adapters for it, not started yet.
    """

    provider: str
    symbol: str
    environment: Mapping[str, str]
    judge: Judge
    faults: Faults
    backing: Backing
    venue: Callable[[], Venue]
    feed: Callable[[], Feed]


class Emulator(Protocol):
    """`tests.venues.<venue>.emulator.emulator`."""

    def __call__(
        self, folder: Path, faults: Faults, *, port: int = 0, **exchange: object
    ) -> AbstractAsyncContextManager[Emulated]:
        """Start it; `exchange` are settings of the exchange inside, see `exchange.backing`."""
