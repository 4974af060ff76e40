"""A fault schedule at each venue; `make venue-faults` runs a thousand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.venues.behind import SYMBOLS
from tests.venues.campaign import hastened, run
from tests.venues.emulate import emulator_of

SEEDS = range(1)


@pytest.fixture(autouse=True)
def in_haste() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        hastened(patch.setattr)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("venue", SYMBOLS)
async def test_both_sides_agree_after_the_storm(venue: str, seed: int, tmp_path: Path) -> None:
    """Nothing is sent twice, no fill is lost, and positions and money are the same."""
    outcomes = await run(emulator_of(venue), tmp_path, seed)
    assert outcomes.total() > 0
