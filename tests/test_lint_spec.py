"""The spec keeps the house style, and the linter sees where a spec does not."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml

from scripts import lint_spec

SPEC = yaml.safe_load((lint_spec.ROOT / "openapi.yaml").read_text())


@pytest.fixture
def spec() -> dict[str, Any]:
    return deepcopy(SPEC)


def test_spec_has_no_problems(spec: dict[str, Any]) -> None:
    """openapi.yaml is valid OpenAPI, with examples that hold and well-formed requirements."""
    assert [] == list(lint_spec.problems(spec))


def swap_keys(spec: Any) -> None:
    operation = spec["paths"]["/orders"]["get"]
    operation["operationId"] = operation.pop("operationId")


def swap_statuses(spec: Any) -> None:
    responses = spec["paths"]["/orders"]["get"]["responses"]
    responses["200"] = responses.pop("200")


def break_body_example(spec: Any) -> None:
    body = spec["components"]["requestBodies"]["OrderRequest"]["content"]["application/json"]
    body["examples"]["limit"]["value"]["quantity"] = 100


def break_parameter_example(spec: Any) -> None:
    spec["components"]["parameters"]["Limit"]["example"] = 0


def break_time_example(spec: Any) -> None:
    spec["components"]["parameters"]["Since"]["example"] = "2025-01-15T10:30:00"


def break_property_example(spec: Any) -> None:
    spec["components"]["schemas"]["Trade"]["properties"]["timestamp"]["example"] = "yesterday"


def repeat_id(spec: Any) -> None:
    spec["x-requirements"].append(spec["x-requirements"][0])


def misspell_feature(spec: Any) -> None:
    spec["x-requirements"][0]["feature"] = "teleport"


def forget_full_stop(spec: Any) -> None:
    spec["x-requirements"][0]["text"] = "A sentence without an end"


def misspell_level(spec: Any) -> None:
    spec["x-requirements"][0]["level"] = "SHALL"


def forget_names(spec: Any) -> None:
    del spec["components"]["schemas"]["Timeframe"]["x-enum-varnames"]


def make_a_reference_nullable(spec: Any) -> None:
    spec["components"]["schemas"]["Order"]["properties"]["side"]["nullable"] = True


def say_it_twice(spec: Any) -> None:
    handle = spec["components"]["schemas"]["OrderHandle"]
    spec["paths"]["/account"]["get"]["summary"] = f"In short: {handle['description']}"


def misspell_reference(spec: Any) -> None:
    spec["paths"]["/account"]["get"]["responses"]["200"] = {}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (swap_keys, "GET /orders: the keys stand as"),
        (swap_statuses, "GET /orders: responses are not in the order"),
        (break_body_example, '/limit: 100 is not of type "string"'),
        (break_parameter_example, "parameters/Limit: 0 is less than the minimum of 1"),
        (break_time_example, 'Since: "2025-01-15T10:30:00" is not a "date-time"'),
        (break_property_example, 'timestamp: "yesterday" is not a "date-time"'),
        (repeat_id, "the id is used 2 times"),
        (misspell_feature, "no such feature: teleport"),
        (forget_full_stop, '"A sentence without an end" does not match'),
        (misspell_level, '"SHALL" is not one of'),
        (forget_names, "Timeframe: x-enum-varnames must name each value"),
        (make_a_reference_nullable, "Order/properties/side: nullable beside allOf"),
        (
            say_it_twice,
            "OrderHandle/description: said already by #/paths//account/get/summary",
        ),
        (misspell_reference, "#/paths//account/get/responses/200"),
    ],
)
def test_linter_sees_it(spec: dict[str, Any], spoil: Callable[[Any], None], expected: str) -> None:
    """Each way to break the style is reported, at its place."""
    spoil(spec)
    found = list(lint_spec.problems(spec))
    assert any(expected in problem for problem in found), found
