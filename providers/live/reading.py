"""What the parsers of several venues have in common: times, decimals, and what is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ContextDecorator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Final

from providers.errors import ProviderError
from providers.models import Timeframe

SPANS: Final[Mapping[Timeframe, timedelta]] = {
    Timeframe.M1: timedelta(minutes=1),
    Timeframe.M2: timedelta(minutes=2),
    Timeframe.M5: timedelta(minutes=5),
    Timeframe.M10: timedelta(minutes=10),
    Timeframe.M15: timedelta(minutes=15),
    Timeframe.M30: timedelta(minutes=30),
    Timeframe.H1: timedelta(hours=1),
    Timeframe.H2: timedelta(hours=2),
    Timeframe.H4: timedelta(hours=4),
    Timeframe.H12: timedelta(hours=12),
    Timeframe.D1: timedelta(days=1),
    Timeframe.W1: timedelta(weeks=1),
}
"""How long a bar of each timeframe is."""

UNREADABLE: Final = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What reading raises where something is missing or of another kind."""


class Specified(ContextDecorator):
    """A context, or a decorator, for reading what a venue told.

    Raises ProviderError where it is not what the venue's specification has. The text of a KeyError
    or ValueError names a member or an enum's value, never a credential.
    """

    def __init__(self, venue: str, what: str) -> None:
        self._told = f"{venue} told a {what} that is none"

    def __enter__(self) -> None:
        """Nothing is read yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, UNREADABLE):
            raise ProviderError(f"{self._told}: {error!r}") from error


def moment(text: str) -> datetime:
    """An RFC 3339 time, in UTC; what is finer than a microsecond is cut off."""
    return datetime.fromisoformat(text).astimezone(UTC)


def timestamp(at: datetime) -> str:
    """The time in RFC 3339, UTC with Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plain(value: Decimal) -> str:
    """A decimal without an exponent."""
    return format(value, "f")
