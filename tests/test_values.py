"""Values made without validation are the same as those made with it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from providers.models import Side, Trade
from providers.values import trusted

FIELDS: dict[str, Any] = {
    "id": "trd_1",
    "order_id": "ord_1",
    "symbol": "AAPL",
    "side": Side.BUY,
    "quantity": Decimal("1.50"),
    "price": Decimal("150.25"),
    "commission": Decimal(0),
    "commission_currency": "USD",
    "timestamp": datetime(2025, 1, 15, tzinfo=UTC),
}


def test_a_trusted_value_is_a_validated_one() -> None:
    """Equal, with the same defaults, the same fields set and the same JSON, in the same order."""
    validated, made = Trade(**FIELDS), trusted(Trade)(**FIELDS)
    assert type(made) is Trade
    assert (validated, validated.model_fields_set) == (made, made.model_fields_set)
    assert validated.model_dump_json() == made.model_dump_json()
    assert made.is_maker is None


def test_a_trusted_value_shares_nothing_with_the_next() -> None:
    """Each has its own fields."""
    make = trusted(Trade)
    first, second = make(**FIELDS), make(**FIELDS | {"id": "trd_2"})
    assert ("trd_1", "trd_2") == (first.id, second.id)


def test_evolving_is_copying_with_changes() -> None:
    """As pydantic does it, and the value it comes from stays as it was."""
    trade = Trade(**FIELDS)
    evolved = trade.evolve(is_maker=True, price=Decimal(151))
    copied = trade.model_copy(update={"is_maker": True, "price": Decimal(151)})
    assert (copied, copied.model_fields_set) == (evolved, evolved.model_fields_set)
    assert copied.model_dump_json() == evolved.model_dump_json()
    assert Trade(**FIELDS) == trade
