"""Saxo's elementary values: times, numbers and the fields of a JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from providers.errors import ProviderError

Body = Mapping[str, Any]

K = TypeVar("K")
T = TypeVar("T")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raises ProviderError where a body lacks what it must have, or has another type of it."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ProviderError(f"Saxo told {what} that cannot be read") from error


def number(value: Any) -> Decimal:
    """A JSON number, exactly. Raises ValueError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{value!r} is not a number")
    return Decimal(value)


def maybe(value: Any) -> Decimal | None:
    """A number that may be missing."""
    return None if value is None else number(value)


def moment(text: str) -> datetime:
    """An ISO 8601 time; without an offset it is UTC, as Saxo says of all its times."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def stamp(at: datetime) -> str:
    """The inverse of `moment`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def known(table: Mapping[K, T], value: K, what: str) -> T:
    """What a table makes of a value. Raises ProviderError for one that it does not have."""
    try:
        return table[value]
    except (KeyError, TypeError):
        raise ProviderError(f"Saxo told an unknown {what}: {value!r}") from None


def wire(value: Decimal) -> Decimal | int:
    """A number as it is sent: plain, without an exponent."""
    whole = value.to_integral_value()
    return int(whole) if value == whole else Decimal(f"{value.normalize():f}")
