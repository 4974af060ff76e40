"""Path and query parameters arrive typed, or are refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from handlers.parameters import ParameterReader, to_utc
from providers.base import BarQuery, OrderQuery, TradeQuery
from providers.errors import InvalidRequest, InvalidValue
from providers.models import OrderStatus, Side, Timeframe

MORNING = datetime(2025, 1, 15, 9, 0, tzinfo=UTC)


async def asked(api: httpx.AsyncClient, provider: Any, url: str) -> Any:
    response = await api.get(url)
    assert response.status_code == 200, response.text
    return provider.calls[-1][-1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", OrderQuery()),
        ("symbol=BTC%2FUSD", OrderQuery(symbol="BTC/USD")),
        ("side=buy", OrderQuery(side=Side.BUY)),
        ("status=OPEN", OrderQuery(status=(OrderStatus.OPEN,))),
        ("status=open,Filled", OrderQuery(status=(OrderStatus.OPEN, OrderStatus.FILLED))),
        ("status=OPEN&status=FILLED", OrderQuery(status=(OrderStatus.OPEN, OrderStatus.FILLED))),
        ("limit=1", OrderQuery(limit=1)),
        (
            "client_order_id=a%2Bb&oco_group_id=g",
            OrderQuery(client_order_id="a+b", oco_group_id="g"),
        ),
        ("since=2025-01-15T09:00:00Z", OrderQuery(since=MORNING)),
        ("since=2025-01-15t09:00:00z", OrderQuery(since=MORNING)),
        ("until=2025-01-15T11:00:00%2B02:00", OrderQuery(until=MORNING)),
        ("until=2025-01-15T09:00:00.000000999Z", OrderQuery(until=MORNING)),
    ],
)
async def test_order_filters(
    api: httpx.AsyncClient, provider: Any, query: str, expected: OrderQuery
) -> None:
    """Filters reach the provider as numbers, enum members and aware times."""
    assert await asked(api, provider, f"/orders?{query}") == expected
    assert await asked(api, provider, f"/v1/orders/history?{query}") == expected


async def test_other_filters(api: httpx.AsyncClient, provider: Any) -> None:
    """Trades and bars take theirs the same way."""
    trades = await asked(api, provider, "/trades?order_id=ord_1&since=2025-01-15T09:00:00Z")
    assert trades == TradeQuery(order_id="ord_1", since=MORNING)
    bars = await asked(api, provider, "/bars/AAPL?timeframe=1H&end=2025-01-15T09:00:00Z&limit=2")
    assert bars == BarQuery(symbol="AAPL", timeframe=Timeframe("1h"), end=MORNING, limit=2)


@pytest.mark.parametrize("path", ["BTC/USD", "BTC%2FUSD", "BTC%2fUSD"])
async def test_symbol_with_a_slash(api: httpx.AsyncClient, provider: Any, path: str) -> None:
    """The slash of a symbol may be sent as it is or percent-encoded."""
    assert await asked(api, provider, f"/quotes/{path}") == "BTC/USD"
    assert (await asked(api, provider, f"/v1/bars/{path}?timeframe=1d")).symbol == "BTC/USD"


@pytest.mark.parametrize(
    ("url", "field", "provided"),
    [
        ("/orders?limit=0", "limit", 0),
        ("/orders?limit=1001", "limit", 1001),
        ("/orders?limit=", "limit", ""),
        ("/orders?limit=ten", "limit", "ten"),
        ("/orders?limit=1.0", "limit", "1.0"),
        ("/orders?limit=%2B5", "limit", "+5"),
        ("/orders?limit=05", "limit", "05"),
        ("/orders?limit=99999999999999999999", "limit", "99999999999999999999"),
        ("/orders?side=LONG", "side", "LONG"),
        ("/orders?status=OPEN,", "status", ""),
        ("/orders?status=DONE", "status", "DONE"),
        ("/orders?symbol=", "symbol", ""),
        ("/orders?symbol=A%0A", "symbol", "A\n"),
        ("/orders?since=2025-01-15", "since", "2025-01-15"),
        ("/orders?since=2025-01-15T09:00:00", "since", "2025-01-15T09:00:00"),
        ("/orders?since=2025-01-15T09:00:00+00:00", "since", "2025-01-15T09:00:00 00:00"),
        ("/orders?since=2025-02-30T09:00:00Z", "since", "2025-02-30T09:00:00Z"),
        ("/orders?since=2016-12-31T23:59:60Z", "since", "2016-12-31T23:59:60Z"),
        ("/orders?since=0001-01-01T00:00:00%2B01:00", "since", "0001-01-01T00:00:00+01:00"),
        ("/bars/AAPL?timeframe=3m", "timeframe", "3m"),
        ("/quotes/%20", "symbol", " "),
        ("/quotes/", "symbol", ""),
    ],
)
async def test_wrong_values(
    api: httpx.AsyncClient, provider: Any, url: str, field: str, provided: Any
) -> None:
    """A wrong value is named, repeated and explained, in the path as in the query."""
    body = (await api.get(url)).json()
    assert body["code"] == "INVALID_VALUE"
    assert body["details"]["field"] == field
    assert body["details"]["provided"] == provided
    assert body["details"]["reason"]
    assert provider.calls == []


@pytest.mark.parametrize(
    ("url", "field", "reason"),
    [
        ("/account?x=1", "x", "is not a query parameter of this operation"),
        ("/orders?Limit=1", "Limit", "is not a query parameter of this operation"),
        ("/orders?limit=1&limit=1", "limit", "is given more than once"),
        ("/bars/AAPL", "timeframe", "is required"),
        ("/bars/AAPL?limit=1", "timeframe", "is required"),
        ("/orders?symbol=%FF", "query", "is not percent-encoded UTF-8, or has too many fields"),
        (
            "/orders?" + "&".join(["status=OPEN"] * 201),
            "query",
            "is not percent-encoded UTF-8, or has too many fields",
        ),
    ],
)
async def test_malformed_queries(
    api: httpx.AsyncClient, provider: Any, url: str, field: str, reason: str
) -> None:
    """What is missing, unknown, repeated or unreadable is INVALID_REQUEST, like in a body."""
    body = (await api.get(url)).json()
    assert body["code"] == "INVALID_REQUEST"
    assert body["details"] == {"field": field, "reason": reason}
    assert provider.calls == []


def reader(**schema: Any) -> ParameterReader:
    return ParameterReader([{"name": "p", "in": "query", "schema": schema}])


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("FALSE", False), ("True", True), ("false", False)]
)
def test_booleans(text: str, value: bool) -> None:
    """A boolean is true or false, in any case."""
    assert reader(type="boolean").read({}, f"p={text}".encode()) == {"p": value}


@pytest.mark.parametrize("text", ["1", "yes", ""])
def test_other_booleans_are_refused(text: str) -> None:
    """Nothing else is guessed to be a boolean."""
    with pytest.raises(InvalidValue, match="must be true or false"):
        reader(type="boolean").read({}, f"p={text}".encode())


def test_defaults_come_from_the_spec_and_are_not_shared() -> None:
    """A parameter without a value takes the spec's default; one without default is left out."""
    reads = reader(type="integer", default=5)
    reads.read({}, b"")["p"] = 6
    assert reads.read({}, b"") == {"p": 5}
    assert reader(type="integer").read({}, b"") == {}


def test_integer_arrays() -> None:
    """Items of an array are converted one by one."""
    reads = reader(type="array", items={"type": "integer", "minimum": 0})
    assert reads.read({}, b"p=1,2&p=3") == {"p": [1, 2, 3]}


def test_non_ascii_query() -> None:
    """Raw bytes that a URL cannot hold are refused."""
    with pytest.raises(InvalidRequest, match="percent-encoded"):
        reader(type="string").read({}, b"p=\xe4")


def test_moments_are_kept_to_the_microsecond() -> None:
    """Finer digits are dropped, the offset becomes UTC."""
    moment = to_utc("since", "2025-01-15T10:00:00.1234567+01:00")
    assert moment == datetime(2025, 1, 15, 9, 0, 0, 123456, UTC)
    assert moment.tzinfo is UTC
