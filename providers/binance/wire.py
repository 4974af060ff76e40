"""How Binance writes numbers, moments and ids, and what is made of what it should not have sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from providers.errors import ProviderError

Body = Mapping[str, Any]
K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

ONE: Final = Decimal(1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

MISSHAPEN: Final = (
    *(KeyError, IndexError, AttributeError),
    *(TypeError, ValueError, InvalidOperation),
)
"""What reading JSON fails with that is not as the venue's documents have it."""


def known(table: Mapping[K, V], value: K, what: str) -> V:
    """Raises ProviderError for a value that the table does not have."""
    try:
        return table[value]
    except KeyError:
        raise ProviderError(f"Binance has an unknown {what}: {value}") from None


def reading(function: Callable[..., T], *parts: Any) -> T:
    """What the function makes of the venue's JSON. Raises ProviderError where that is misshapen."""
    try:
        return function(*parts)
    except MISSHAPEN as error:
        raise ProviderError(f"Binance answered what {function.__name__} cannot read") from error


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware moment, rounded down."""
    return (moment - EPOCH) // MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    return EPOCH + milliseconds * MILLISECOND


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def amount(text: str) -> Decimal:
    """A price, quantity or sum, without the zeros that fill it up to eight decimals."""
    value = Decimal(text)
    return value.quantize(ONE) if value == value.to_integral_value() else value.normalize()


def price(text: str) -> Decimal | None:
    """A price, of which zero stands for none."""
    return amount(text) or None


def plain(value: Decimal) -> str:
    return f"{value:f}"


def id_of(body: Body, symbol: str = "symbol", order: str = "orderId") -> str:
    """The id of an order, unique among all symbols."""
    return f"{body[symbol]}:{body[order]}"


def native_id(venue_id: str) -> str:
    """The venue's number in an id of ours."""
    return venue_id.rpartition(":")[2]


def native_symbol(symbol: str) -> str:
    return symbol.replace("/", "")
