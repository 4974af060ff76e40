"""Our tables against the enums of OANDA's specification: nothing is left to a default."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

import pytest

from providers.models import RejectReason, Timeframe
from providers.oanda import errors, history, parse
from tests.venues import contract
from tests.venues.oanda import specs

LATER = {"GUARANTEED_STOP_LOSS_ORDER", "GUARANTEED_STOP_LOSS_ORDER_REJECT", "DIVIDEND_ADJUSTMENT"}
"""Documented after the specification was last published."""

TABLES: list[tuple[str, Set[str], Set[str]]] = [
    ("TransactionRejectReason", set(errors.REJECT_REASONS), set()),
    ("OrderCancelReason", set(errors.REFUSALS) | set(errors.ENDS), set()),
    ("TransactionType", set(history.KINDS), LATER),
    ("OrderFillReason", set(history.OURS), LATER),
    ("OrderType", set(parse.ORDER_TYPES), {"GUARANTEED_STOP_LOSS"}),
    ("OrderState", set(parse.WAITS), set()),
    ("TimeInForce", set(parse.TIMES_IN_FORCE), set()),
    ("PriceStatus", set(parse.QUOTED), set()),
    ("InstrumentType", set(parse.INSTRUMENT_TYPES), set()),
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    path = contract.find("oanda-v20.json")
    if path is None:
        pytest.skip("OANDA's specification is not at hand")
    return contract.read(path)


@pytest.mark.parametrize(("name", "known", "later"), TABLES, ids=[name for name, *_ in TABLES])
def test_a_table_has_each_value_of_an_enum(
    document: dict[str, Any], name: str, known: Set[str], later: Set[str]
) -> None:
    listed = set(document["definitions"][name]["enum"])
    assert known - later == listed


def test_a_reason_has_one_meaning() -> None:
    assert not set(errors.REFUSALS) & set(errors.ENDS)


def test_granularities_are_oandas(document: dict[str, Any]) -> None:
    listed = set(document["definitions"]["CandlestickGranularity"]["enum"])
    assert set(parse.GRANULARITIES) == set(Timeframe)
    assert set(parse.GRANULARITIES.values()) <= listed


def test_what_we_send_is_what_oanda_takes(document: dict[str, Any]) -> None:
    definitions = document["definitions"]
    assert set(parse.TO_TYPE.values()) <= set(definitions["OrderType"]["enum"])
    assert set(parse.TO_TIME_IN_FORCE.values()) <= set(definitions["TimeInForce"]["enum"])
    for kind, name in parse.TO_TYPE.items():
        assert parse.ORDER_TYPES[name] is kind
    for time, name in parse.TO_TIME_IN_FORCE.items():
        assert parse.TIMES_IN_FORCE[name] is time


def test_each_status_has_a_meaning(document: dict[str, Any]) -> None:
    listed = {
        int(status)
        for item in document["paths"].values()
        for operation in item.values()
        for status in operation["responses"]
        if int(status) >= 400
    }
    assert set(errors.STATUSES) == listed


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("INSUFFICIENT_MARGIN", RejectReason.INSUFFICIENT_MARGIN),
        ("UNITS_PRECISION_EXCEEDED", RejectReason.INVALID_QUANTITY),
        ("PRICE_PRECISION_EXCEEDED", RejectReason.INVALID_PRICE),
        ("INSTRUMENT_NOT_TRADEABLE", RejectReason.SYMBOL_NOT_TRADEABLE),
        ("ACCOUNT_LOCKED", RejectReason.UNKNOWN),
    ],
)
def test_reasons(name: str, reason: RejectReason) -> None:
    assert errors.reject_reason(name) is reason


def test_a_reason_that_is_not_known_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """That something was refused is certain; why, is told in OANDA's own word."""
    assert errors.reject_reason("SOMETHING_NEW") is RejectReason.UNKNOWN
    assert errors.end("SOMETHING_NEW").refusal is RejectReason.UNKNOWN
    assert caplog.text.count("SOMETHING_NEW") == 2


# The specification as it is read


def test_references_and_bodies_are_moved() -> None:
    swagger = {
        "info": {"title": "t", "version": "1"},
        "basePath": "/v3",
        "paths": {
            "/a/{id}": {
                "post": {
                    "parameters": [
                        {"$ref": "#/parameters/id"},
                        {"name": "body", "in": "body", "schema": {"$ref": "#/definitions/A"}},
                        {"name": "q", "in": "query", "type": "array", "collectionFormat": "csv"},
                    ],
                    "responses": {
                        "200": {"description": "d", "schema": {"$ref": "#/definitions/A"}},
                        "400": {"$ref": "#/responses/400"},
                    },
                }
            }
        },
        "definitions": {"A": {"type": "int", "format": "a number as a string"}},
        "parameters": {"id": {"name": "id", "in": "path", "required": True, "type": "string"}},
        "responses": {"400": {"description": "bad"}},
    }
    made = specs.converted(swagger)
    operation = made["paths"]["/a/{id}"]["post"]
    reference = {"schema": {"$ref": "#/components/schemas/A"}}
    assert made["servers"] == [{"url": f"{specs.HOST}/v3"}]
    assert operation["requestBody"]["content"] == {"application/json": reference}
    assert operation["responses"]["200"]["content"] == {"application/json": reference}
    assert operation["responses"]["400"] == {"$ref": "#/components/responses/400"}
    assert operation["parameters"] == [
        {"$ref": "#/components/parameters/id"},
        {
            "name": "q",
            "in": "query",
            "required": False,
            "schema": {"type": "array"},
            "style": "form",
            "explode": False,
        },
    ]
    assert made["components"]["schemas"]["A"] == {"type": "integer"}


def test_each_choice_has_a_type_of_its_own(document: dict[str, Any]) -> None:
    schemas = specs.sharpened(specs.converted(document))["components"]["schemas"]
    for base in specs.BASES:
        names = [re.split("/", each["$ref"])[-1] for each in schemas[base]["anyOf"]]
        types = [schemas[name]["properties"]["type"]["enum"][0] for name in names]
        assert len(types) == len(set(types)) > 5


def test_an_unknown_member_of_an_order_is_a_violation() -> None:
    judge = specs.specification()
    if judge is None:
        pytest.skip("OANDA's specification is not at hand")
    said = {
        "query": [],
        "headers": {"authorization": "Bearer x", "content-type": "application/json"},
    }
    path = "/v3/accounts/101-001-1234567-001/orders"
    right = b'{"order": {"type": "LIMIT", "units": "1"}}'
    wrong = b'{"order": {"type": "LIMIT", "quantity": "1"}}'
    assert judge.request_violations("POST", path, body=right, **said) == []  # type: ignore[arg-type]
    assert judge.request_violations("POST", path, body=wrong, **said) != []  # type: ignore[arg-type]
