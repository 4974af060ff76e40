"""What the hooks make of the requests that Schemathesis generates."""

from __future__ import annotations

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation

from contract_tests.fuzzing.hooks import Case
from contract_tests.spec import document

POSITION = schemathesis.openapi.from_dict(document())["/positions/{position_id}"]


# This seed finds decimals that are right, were `decimal` a custom format.
@pytest.mark.slow
@seed(3)
@settings(
    max_examples=400,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(case=POSITION["PATCH"].as_strategy(generation_mode=GenerationMode.NEGATIVE))
def test_what_is_sent_as_wrong_is_wrong(case: Case) -> None:
    """A server is not blamed for accepting prices that are right after all."""
    assert case.meta is not None
    part = case.meta.components.get(ParameterLocation.BODY)
    if part is not None and part.mode.is_negative and isinstance(case.body, dict):
        assert not is_right(case.body), case.body


def is_right(change: dict[str, Any]) -> bool:
    """Whether a change of a position's exits is as the document wants it."""
    return change.keys() <= {"stop_loss", "take_profit"} and all(
        price is None or (isinstance(price, str) and is_above_zero(price))
        for price in change.values()
    )


def is_above_zero(price: str) -> bool:
    """Whether this is a PositiveDecimal."""
    wanted = re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", price)
    return wanted is not None and price.strip("0.") != ""
