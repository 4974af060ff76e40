"""Request bodies: what is accepted, how it reaches the provider, and what a violation is called."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from handlers.bodies import BodyReader, ClientGone
from handlers.schemas import CompiledSchema, to_json_schema
from providers.errors import InvalidRequest, InvalidValue
from providers.models import (
    CloseOrderType,
    ClosePositionRequest,
    ModifyOrderRequest,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "100", "order_type": "MARKET"}


async def test_an_order_reaches_the_provider_as_a_model(
    api: httpx.AsyncClient, provider: Any
) -> None:
    """Decimals and enums are of their types; what was not sent is None."""
    body = MARKET | {"order_type": "LIMIT", "limit_price": "150.00", "time_in_force": "DAY"}
    assert (await api.post("/orders", json=body)).status_code == 201
    expected = OrderRequest(
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(100),
        order_type=OrderType.LIMIT,
        limit_price=Decimal("150.00"),
        time_in_force=TimeInForce.DAY,
    )
    assert provider.calls == [("submit_order", "default", expected)]


async def test_enums_in_any_case(api: httpx.AsyncClient, provider: Any) -> None:
    """Published clients send lower case; the provider sees the spec's spelling."""
    body = {"symbol": "AAPL", "side": "Buy", "quantity": "1", "order_type": "market"}
    assert (await api.post("/orders", json=body)).status_code == 201
    request = provider.calls[0][-1]
    assert (request.side, request.order_type) == (Side.BUY, OrderType.MARKET)


async def test_null_is_absent(api: httpx.AsyncClient, provider: Any) -> None:
    """Every optional field may be null."""
    optional = set(OrderRequest.model_fields) - set(MARKET)
    assert (await api.post("/orders", json=MARKET | dict.fromkeys(optional))).status_code == 201
    assert provider.calls[0][-1] == OrderRequest.model_validate(MARKET | dict.fromkeys(optional))


async def test_a_change_of_nothing_is_passed_on(api: httpx.AsyncClient, provider: Any) -> None:
    """All null is a valid change: the provider answers the order as it is."""
    body = dict.fromkeys(ModifyOrderRequest.model_fields)
    assert (await api.patch("/orders/ord_1", json=body)).status_code == 200
    assert provider.calls[0][:3] == ("modify_order", "default", "ord_1")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", 100),
        ("quantity", 1.5),
        ("quantity", "-1"),
        ("quantity", "0"),
        ("quantity", "0.000"),
        ("quantity", "1e3"),
        ("quantity", "1\n"),
        ("quantity", " 1"),
        ("quantity", "1."),
        ("quantity", ".5"),
        ("quantity", "NaN"),
        ("quantity", "1" * 19),
        ("quantity", "1." + "1" * 19),
        ("quantity", "\u0661"),
        ("quantity", None),
        ("quantity", ""),
        ("limit_price", "0"),
        ("limit_price", 150),
        ("side", "LONG"),
        ("side", 1),
        ("side", None),
        ("order_type", ""),
        ("time_in_force", "GTD"),
        ("symbol", ""),
        ("symbol", "A B"),
        ("symbol", "AAPL\n"),
        ("symbol", "x" * 33),
        ("client_order_id", ""),
        ("client_order_id", "x" * 65),
        ("reduce_only", "true"),
        ("reduce_only", 1),
    ],
)
async def test_wrong_values(
    api: httpx.AsyncClient, provider: Any, field: str, value: object
) -> None:
    """A value that the spec forbids is named, repeated and explained."""
    response = await api.post("/orders", json=MARKET | {field: value})
    body = response.json()
    assert (response.status_code, body["code"]) == (400, "INVALID_VALUE")
    assert body["details"]["field"] == field
    assert body["details"]["provided"] == value
    assert body["details"]["reason"]
    assert provider.calls == []


@pytest.mark.parametrize("quantity", ["1", "0.1", "00.10", "1" * 18 + "." + "1" * 18])
async def test_decimals(api: httpx.AsyncClient, quantity: str) -> None:
    """Plain notation with 18 digits on either side is a decimal."""
    assert (await api.post("/orders", json=MARKET | {"quantity": quantity})).status_code == 201


@pytest.mark.parametrize("field", sorted(MARKET))
async def test_missing_field(api: httpx.AsyncClient, field: str) -> None:
    """A missing field is named."""
    body = {name: value for name, value in MARKET.items() if name != field}
    answer = (await api.post("/orders", json=body)).json()
    assert answer["code"] == "INVALID_REQUEST"
    assert answer["details"] == {"field": field, "reason": "is required"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/orders"), ("PATCH", "/orders/ord_1"), ("DELETE", "/positions/pos_1")],
)
async def test_unknown_field(api: httpx.AsyncClient, method: str, path: str) -> None:
    """A field that nobody reads is refused, not ignored: it may have been meant to protect."""
    body = {**(MARKET if method == "POST" else {}), "stop_los": "1"}
    answer = (await api.request(method, path, json=body)).json()
    assert answer["code"] == "INVALID_REQUEST"
    assert answer["details"] == {"field": "stop_los", "reason": "is not a field of this request"}


async def test_the_first_violation_is_always_the_same(api: httpx.AsyncClient) -> None:
    """Missing before unknown before wrong, and wrong ones in the spec's order."""
    body: dict[str, object] = {"zz": 1, "aa": 1, "order_type": "?", "quantity": "?"}
    assert (await api.post("/orders", json=body)).json()["details"]["field"] == "symbol"
    body |= {"symbol": "AAPL", "side": "BUY"}
    assert (await api.post("/orders", json=body)).json()["details"]["field"] == "zz"
    del body["zz"], body["aa"]
    assert (await api.post("/orders", json=body)).json()["details"]["field"] == "quantity"


async def test_optional_body(api: httpx.AsyncClient, provider: Any) -> None:
    """A position closes without a body, with {}, and in part; no body needs no Content-Type."""
    options: list[dict[str, Any]] = [{}, {"json": {}}, {"headers": {"content-type": "text/plain"}}]
    for option in options:
        assert (await api.request("DELETE", "/positions/pos_1", **option)).status_code == 200
    body = {"quantity": "5", "order_type": "limit", "limit_price": "1.0"}
    await api.request("DELETE", "/positions/pos_1", json=body)
    part = ClosePositionRequest(
        quantity=Decimal(5), order_type=CloseOrderType.LIMIT, limit_price=Decimal("1.0")
    )
    whole = ClosePositionRequest()
    assert [call[-1] for call in provider.calls] == [whole, whole, whole, part]


async def test_bodies_in_chunks(api: httpx.AsyncClient) -> None:
    """A body may arrive in any number of pieces."""

    async def pieces() -> Any:
        for byte in b'{"limit_price": "151.00"}':
            yield bytes([byte])

    headers = {"content-type": "application/json"}
    response = await api.patch("/orders/ord_1", content=pieces(), headers=headers)
    assert response.status_code == 200


async def test_a_client_that_hangs_up_is_not_answered() -> None:
    """A request that never became complete reaches no handler."""
    reader = BodyReader({"type": "object"}, required=True, limit=100)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGone):
        await reader.read({}, receive)


LETTER = {"type": "string", "enum": ["A"], "not": {"pattern": "B"}, "example": "A"}


@pytest.mark.parametrize(
    "written",
    [
        {"nullable": True, "allOf": [LETTER]},
        {"oneOf": [LETTER, {"type": "string", "nullable": True, "enum": [None]}]},
    ],
)
def test_openapi_keywords_that_json_schema_lacks(written: dict[str, Any]) -> None:
    """nullable becomes a type and an enum member, references are merged, notes are dropped."""
    assert to_json_schema({"description": "x", **written}) == {
        "type": ["string", "null"],
        "enum": ["A", None],
        "not": {"type": "string", "pattern": "B"},
    }


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        ({"type": "integer", "maximum": 5}, 6, "must be at most 5"),
        ({"type": "integer", "minimum": 5, "exclusiveMinimum": True}, 5, "must be more than 5"),
        ({"type": "string", "maxLength": 1}, "ab", "must have at most 1 characters"),
        ({"type": "string", "minLength": 1}, "", "must have at least 1 characters"),
        ({"type": "string", "pattern": "^a$"}, "b", "must match ^a$"),
        ({"type": "string", "enum": ["A", "B"]}, "C", "must be one of A, B"),
        ({"type": "string", "enum": ["A", "B"], "nullable": True}, 1, "must be one of A, B"),
        ({"type": "array", "maxItems": 1}, [1, 2], "must have at most 1 items"),
        ({"type": "array", "uniqueItems": True}, [1, 1], "must not repeat an item"),
        ({"type": "boolean", "nullable": True}, 0, "must be true or false"),
        ({"type": "string", "format": "uuid"}, "x", "must be a valid uuid"),
    ],
)
def test_reasons(schema: dict[str, Any], value: object, reason: str) -> None:
    """A violation is explained in words that name the limit."""
    compiled = CompiledSchema({"type": "object", "properties": {"f": schema}}, "body")
    with pytest.raises(InvalidValue) as caught:
        compiled.accept({"f": value})
    assert caught.value.details
    assert caught.value.details["reason"] == reason


def test_violations_inside_an_array() -> None:
    """A wrong item is named by its place."""
    schema = {"type": "object", "properties": {"f": {"type": "array", "items": {"type": "string"}}}}
    with pytest.raises(InvalidValue) as caught:
        CompiledSchema(schema, "body").accept({"f": ["a", 2]})
    assert caught.value.details == {
        "field": "f.1",
        "provided": 2,
        "reason": "must be a string",
    }


def test_an_enum_is_not_upper_cased_blindly() -> None:
    """The spec's spelling is found whatever its case, and other text is left alone."""
    compiled = CompiledSchema({"type": "string", "enum": ["1m", "1H"]}, "timeframe")
    assert [compiled.accept(text) for text in ("1M", "1h", "1m")] == ["1m", "1H", "1m"]
    with pytest.raises(InvalidRequest):
        compiled.accept("2m")
