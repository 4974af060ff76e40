"""The generated models are those of the spec."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
import yaml
from pydantic import ValidationError

from providers import models
from scripts import generate_models

SPEC = yaml.safe_load(generate_models.SPEC.read_text())


@pytest.fixture(scope="module")
def source() -> str:
    return generate_models.render(SPEC)


def test_models_are_those_of_the_spec(source: str) -> None:
    """providers/models.py is what `make models` writes today."""
    assert source == generate_models.MODELS.read_text()


def test_generation_is_repeatable(source: str) -> None:
    """The same spec gives the same bytes."""
    assert source == generate_models.render(SPEC)


def test_every_object_and_enum_is_a_model() -> None:
    """Each component that is an object, an enum or a composition has its class, no other has.

    NullEnum has none: it is the None of `X | None`.
    """
    expected = {
        name
        for name, schema in SPEC["components"]["schemas"].items()
        if generate_models.is_model(schema) and name != "NullEnum"
    }
    classes = {name for name, value in vars(models).items() if isinstance(value, type)}
    imported = {"BaseModel", "Decimal", "Model", "StrEnum"}
    assert expected == classes - imported - {"AwareDatetime", "ConfigDict", "Any"}


def test_money_is_decimal_and_times_are_aware(source: str) -> None:
    """No float and no naive time gets into a model, and none can be changed in place."""
    assert "float" not in source
    trade = {
        "id": "trd_1",
        "order_id": "ord_1",
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": "1",
        "price": "150.10",
        "commission": "0",
        "commission_currency": "USD",
        "timestamp": "2025-01-15T10:30:01Z",
    }
    parsed = models.Trade.model_validate(trade)
    assert Decimal("150.10") == parsed.price
    assert parsed.timestamp == datetime.fromisoformat("2025-01-15T10:30:01+00:00")
    with pytest.raises(ValidationError, match="timezone"):
        models.Trade.model_validate(trade | {"timestamp": "2025-01-15T10:30:01"})
    with pytest.raises(ValidationError, match="frozen"):
        parsed.price = Decimal(1)  # type: ignore[misc]
