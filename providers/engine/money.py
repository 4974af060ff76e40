"""Decimal arithmetic that never rounds unless it is told to.

Inside the engine every sum, difference and product is exact: the context traps `Inexact`, so an
operation that would lose a digit fails instead of lying. Only quotients round, by one rule:
half even, to 18 places.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, localcontext

PLACES = Decimal("1E-18")
"""Quotients are rounded to this unit: the finest step that the protocol can write."""

# A price and a quantity of 36 digits each make a notional of 72; a fee rate and a sum over many
# trades still leave room.
EXACT = Context(prec=160, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation])
_ROUNDED = Context(prec=160, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])

ZERO = Decimal(0)
ONE = Decimal(1)


def exact() -> AbstractContextManager[Context]:
    """The context that every computation of the engine runs in, whatever its caller's is."""
    return localcontext(EXACT)


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Dividend / divisor, rounded half even to 18 places; by 1 it stays as it is."""
    if divisor == ONE:
        return dividend
    return trim(_ROUNDED.quantize(_ROUNDED.divide(dividend, divisor), PLACES))


def trim(value: Decimal) -> Decimal:
    """The same number without trailing zeros."""
    return value.normalize(EXACT)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether value is a whole number of steps."""
    return not _ROUNDED.remainder(value, step)
