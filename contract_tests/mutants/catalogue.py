"""All mutants, area by area."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from contract_tests.mutants import (
    table_account,
    table_bodies,
    table_brackets,
    table_breakers,
    table_changes,
    table_closing,
    table_features,
    table_fills,
    table_listing,
    table_margin,
    table_market,
    table_orders,
    table_positions,
    table_protocol,
    table_rejections,
    table_repeats,
    table_stream,
    table_stream_account,
    table_stream_resume,
    table_system,
)
from contract_tests.mutants.mutant import Mutant
from contract_tests.requirements import checks

TABLES: Final = (
    table_protocol,
    table_bodies,
    table_system,
    table_breakers,
    table_listing,
    table_orders,
    table_rejections,
    table_repeats,
    table_fills,
    table_changes,
    table_features,
    table_brackets,
    table_margin,
    table_positions,
    table_closing,
    table_account,
    table_market,
    table_stream,
    table_stream_account,
    table_stream_resume,
)


SLOW: Final = frozenset(
    {"liquidation", "restart", "session_end", "bulk", "minute_end", "impatience"}
)
"""What the checks of a requirement need that takes seconds."""


@cache
def mutants() -> tuple[Mutant, ...]:
    """Every mutant, in the order of the tables."""
    return tuple(mutant for table in TABLES for mutant in table.TABLE.mutants)


def chosen(only: Sequence[str] = (), part: tuple[int, int] = (1, 1)) -> list[Mutant]:
    """The mutants of some requirements or areas, or with some words in their names, every Nth."""
    found = [one for one in mutants() if not only or any(_meant(one, text) for text in only)]
    return found[part[0] - 1 :: part[1]]


def of_number(number: int, size: int) -> list[Mutant]:
    """A few mutants of all areas, others for every number; those that take long are left out.

    After as many numbers in a row as it takes, each quick one has had its turn.
    """
    quick = [one for one in mutants() if not _needs(one.breaks) & SLOW]
    step = -(-len(quick) // size)
    return quick[number % step :: step]


def _needs(requirement: str) -> frozenset[str]:
    return frozenset().union(*(one.needs for one in checks() if one.requirement == requirement))


def _meant(mutant: Mutant, text: str) -> bool:
    if text.upper() in {one.breaks.partition("-")[0] for one in mutants()}:
        return mutant.breaks.startswith(f"{text.upper()}-")
    return text.upper() == mutant.breaks or text.lower() in mutant.name.lower()
