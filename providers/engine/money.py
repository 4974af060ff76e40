"""Decimal arithmetic that never rounds unless it is told to.

Inside the engine every sum, difference and product is exact: the context traps `Inexact`, so an
operation that would lose a digit fails instead of lying. Only quotients round, by one rule:
half even, to 18 places.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

PLACES = Decimal("1E-18")
"""Quotients are rounded to this unit: the finest step that the protocol can write."""

# A price and a quantity of 36 digits each make a notional of 72; a fee rate and a sum over many
# trades still leave room.
EXACT = Context(prec=160, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation])
_ROUNDED = Context(prec=160, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])

ZERO = Decimal(0)
ONE = Decimal(1)


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function in the exact context, whatever the caller's context is."""

    @wraps(function)
    def within(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return within


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
