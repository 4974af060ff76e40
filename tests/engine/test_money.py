"""Decimal arithmetic that fails rather than lose a digit, and the one rounding rule."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext

import pytest

from providers.engine.money import exact, is_multiple, quotient, trim


@pytest.mark.parametrize(
    ("dividend", "divisor", "expected"),
    [
        ("1", "3", "0.333333333333333333"),
        ("2", "3", "0.666666666666666667"),
        ("-2", "3", "-0.666666666666666667"),
        ("6", "3", "2"),
        ("0", "3", "0"),
        ("0.000000000000000001", "2", "0"),  # half, to the even neighbour
        ("0.000000000000000003", "2", "0.000000000000000002"),
        ("0.000000000000000005", "2", "0.000000000000000002"),
        ("999999999999999999999999999999999999", "0.000000000000000001", "9" * 36 + "0" * 18),
    ],
)
def test_quotients_are_rounded_half_even_to_18_places(
    dividend: str, divisor: str, expected: str
) -> None:
    """A quotient is the nearest multiple of 1E-18, the even one of two."""
    assert Decimal(expected) == quotient(Decimal(dividend), Decimal(divisor))


def test_dividing_by_zero_fails() -> None:
    """There is no quotient by zero, not even infinity or zero by zero."""
    for dividend in (Decimal(0), Decimal(1)):
        with pytest.raises((InvalidOperation, ZeroDivisionError)):
            quotient(dividend, Decimal(0))


def test_exact_arithmetic_fails_rather_than_round() -> None:
    """In the exact context an operation that would lose a digit raises Inexact."""
    with exact():
        assert Decimal("0.5") == Decimal(1) / Decimal(2)
        with pytest.raises(Inexact):
            Decimal(1) / Decimal(3)


def test_exact_arithmetic_does_not_depend_on_the_caller() -> None:
    """It keeps every digit inside a context that would not, and leaves that in place."""
    digits = Decimal("9" * 40)
    with localcontext(Context(prec=3)):
        with exact():
            assert Decimal("1" + "9" * 39 + "8") == digits + digits
        assert Decimal("2.00E+40") == digits + digits


def test_trimming_keeps_the_number() -> None:
    """Trailing zeros go, digits do not."""
    assert ["1.5", "0", "1E+2"] == [str(trim(Decimal(text))) for text in ("1.500", "0.00", "100")]
    assert Decimal("1" * 100) == trim(Decimal("1" * 100))


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        ("98.01", "0.01", True),
        ("98.0100", "0.01", True),
        ("98.011", "0.01", False),
        ("7", "5", False),
        ("0.000000000000000003", "0.000000000000000001", True),
        ("999999999999999999.999999999999999999", "0.000000000000000001", True),
    ],
)
def test_whole_numbers_of_steps(value: str, step: str, expected: bool) -> None:
    """A value is on the step if it is a whole number of steps, however it is written."""
    assert expected is is_multiple(Decimal(value), Decimal(step))
