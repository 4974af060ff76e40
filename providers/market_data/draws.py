"""Random numbers without a generator: each is a pure function of a text key.

A generator hands its numbers out in order, so what a caller gets depends on who asked before.
Here every bar, day and tick has a key of its own and hashes it, so any of them can be computed
first, alone, twice, or in another process. SHAKE-128 (FIPS 202) is specified to the bit: unlike
the algorithms behind most of the `random` module it cannot change with a Python release or a
platform.
"""

from __future__ import annotations

import struct
from hashlib import shake_128

UNIFORM = 1 << 16
"""Each draw is uniform on 0..UNIFORM-1."""

BELL_DEVIATION = 37_837
"""Standard deviation of `bell`: the root of 4 * (UNIFORM**2 - 1) / 12, to the nearest whole."""


def draws(key: str, count: int) -> tuple[int, ...]:
    """`count` independent integers, uniform on 0..65535, that depend on `key` alone."""
    return struct.unpack(f"<{count}H", shake_128(key.encode()).digest(2 * count))


def bell(key: str) -> int:
    """A roughly normal integer: mean 0, deviation BELL_DEVIATION, never beyond 3.5 of them.

    The sum of four uniform draws, so no logarithm or cosine is needed.
    """
    return sum(draws(key, 4)) - 2 * (UNIFORM - 1)


def fold(value: int, low: int, high: int) -> int:
    """`value` reflected at `low` and `high` until it lies between them.

    A path that runs into a wall turns round instead of sticking to it:
    fold(12, 0, 10) == 8, fold(-3, 0, 10) == 3, fold(7, 0, 10) == 7.
    """
    span = high - low
    if span == 0:
        return low
    offset = (value - low) % (2 * span)
    return low + min(offset, 2 * span - offset)
