"""Fault schedules at emulated venues: `make venue-faults ARGS="--venue alpaca --count 50"`.

Each schedule is drawn from its seed, and a failing one is named by it. See tests/venues/campaign.py
for what must hold afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

VENUES = ("alpaca", "binance", "oanda", "saxo", "ccxt")


def schedule(venue: str, seed: int) -> tuple[int, str, Counter[str]]:
    """One schedule in a process of the pool: the seed, what went wrong if anything, the counts."""
    from tests.venues.campaign import Disagreement, hastened, run
    from tests.venues.emulate import emulator_of

    hastened()
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcomes = asyncio.run(run(emulator_of(venue), Path(folder), seed))
        except Disagreement as error:
            return seed, str(error), Counter()
    return seed, "", outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venue", choices=VENUES, action="append")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    failed = 0
    for venue in arguments.venue or VENUES:
        started = time.monotonic()
        seeds = range(arguments.first, arguments.first + arguments.count)
        total: Counter[str] = Counter()
        wrong = 0
        with ProcessPoolExecutor(arguments.processes) as pool:
            for seed, error, outcomes in pool.map(functools.partial(schedule, venue), seeds):
                total += outcomes
                if error:
                    wrong += 1
                    print(f"{venue} seed {seed}: {error}", flush=True)
        seconds = time.monotonic() - started
        print(f"{venue}: {len(seeds) - wrong} of {len(seeds)} schedules agree, {seconds:.0f} s")
        print(f"  {dict(total.most_common(24))}", flush=True)
        failed += wrong
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
