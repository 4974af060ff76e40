"""The checks, one module per area; each names the requirement that it proves."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from contract_tests.toolkit.api import Api
from contract_tests.toolkit.lab import NEEDS

AREAS: Final = (
    "protocol",
    "bodies",
    "auth",
    "system",
    "breakers",
    "market_data",
    "orders",
    "rejections",
    "fills",
    "idempotency",
    "modify",
    "cancel",
    "listing",
    "trades",
    "positions",
    "closing",
    "account",
    "post_only",
    "reduce_only",
    "iceberg",
    "trailing",
    "oco",
    "brackets",
    "exits",
    "leverage",
    "hedging",
    "stream",
    "stream_messages",
    "stream_account",
    "stream_fills",
    "stream_resume",
    "stream_choice",
    "stream_market",
    "stream_ends",
)
"""The modules of checks, in the order in which they run."""

PENDING_FILE: Final = Path(__file__).with_name("pending.txt")


@dataclass(frozen=True, slots=True)
class Check:
    """A function that proves one requirement, and what a run must offer for it."""

    requirement: str
    run: Callable[[Api], None]
    needs: frozenset[str]

    @property
    def id(self) -> str:
        """Names the check in reports: the requirement, then the function."""
        return f"{self.requirement}-{self.run.__name__}"


_CHECKS: Final[list[Check]] = []


def requirement(
    requirement_id: str, *, needs: Iterable[str] | str = ()
) -> Callable[[Callable[[Api], None]], Callable[[Api], None]]:
    """Register a function as a check of a requirement."""
    wanted = frozenset([needs] if isinstance(needs, str) else needs)
    if unknown := wanted - NEEDS.keys():
        raise ValueError(f"{requirement_id} needs {unknown}; known are {sorted(NEEDS)}")

    def register(run: Callable[[Api], None]) -> Callable[[Api], None]:
        _CHECKS.append(Check(requirement_id, run, wanted))
        return run

    return register


@cache
def checks() -> tuple[Check, ...]:
    """All checks of all areas."""
    for area in AREAS:
        importlib.import_module(f"{__name__}.{area}")
    return tuple(_CHECKS)


@cache
def pending() -> dict[str, str]:
    """Requirements whose check is still to come, each with the reason."""
    lines = PENDING_FILE.read_text("utf-8").splitlines()
    rows = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {row[0]: row[1] if len(row) > 1 else "" for row in rows}
