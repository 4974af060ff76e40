"""What the handlers add to a provider's answer: status, headers, links."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from handlers.replies import dumps
from providers.base import Page, Submission

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "100", "order_type": "MARKET"}


@pytest.mark.parametrize("base", ["", "/v1"])
async def test_a_new_order(api: httpx.AsyncClient, base: str) -> None:
    """201 with the handle, and where to read the order under the base path used."""
    response = await api.post(f"{base}/orders", json=MARKET)
    assert response.status_code == 201
    assert response.json() == {"id": "ord_1", "status": "OPEN", "client_order_id": None}
    assert response.headers["location"] == f"{base}/orders/ord_1"
    assert "idempotent-replayed" not in response.headers


async def test_a_replayed_order(api: httpx.AsyncClient, provider: Any) -> None:
    """The same again is 201 too, and says that it is a replay."""
    provider.answers["submit_order"] = Submission(
        provider.answers["submit_order"].handle, replayed=True
    )
    response = await api.post("/orders", json=MARKET)
    assert response.status_code == 201
    assert response.headers["idempotent-replayed"] == "true"
    assert response.headers["location"] == "/orders/ord_1"


async def test_a_changed_order(api: httpx.AsyncClient) -> None:
    """PATCH answers the order; under /v1 once more as its member `order`."""
    change = {"limit_price": "151.00"}
    plain = (await api.patch("/orders/ord_1", json=change)).json()
    v1 = (await api.patch("/v1/orders/ord_1", json=change)).json()
    assert "order" not in plain
    assert v1 == plain | {"order": plain}


async def test_an_order_on_the_wire(api: httpx.AsyncClient) -> None:
    """Decimals are strings as they were given, times are UTC with a Z, absent fields are null."""
    order = (await api.get("/orders/ord_1")).json()
    assert order["limit_price"] == "150.00"
    assert order["created_at"] == "2025-01-15T12:00:00.123456Z"
    assert order["stop_price"] is None


async def test_decimals_have_no_exponent(api: httpx.AsyncClient) -> None:
    """1E+2 is written 100."""
    [trade] = (await api.get("/trades")).json()
    assert (trade["price"], trade["commission"]) == ("100", "0.50")


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("GET", "/orders/ord_1", ("get_order", "default", "ord_1")),
        ("DELETE", "/orders/ord_1", ("cancel_order", "default", "ord_1")),
        ("DELETE", "/orders", ("cancel_all_orders", "default", None)),
        ("DELETE", "/orders?symbol=AAPL", ("cancel_all_orders", "default", "AAPL")),
        ("GET", "/positions", ("list_positions", "default", None)),
        ("GET", "/positions?symbol=AAPL", ("list_positions", "default", "AAPL")),
        ("GET", "/positions/pos_1", ("get_position", "default", "pos_1")),
        ("DELETE", "/positions", ("close_all_positions", "default", None)),
        ("DELETE", "/positions?symbol=AAPL", ("close_all_positions", "default", "AAPL")),
        ("GET", "/account", ("get_account", "default")),
        ("GET", "/quotes/AAPL", ("get_quote", "AAPL")),
        ("GET", "/capabilities", ("get_capabilities",)),
        ("GET", "/status", ("get_status",)),
    ],
)
async def test_one_provider_call(
    api: httpx.AsyncClient, provider: Any, method: str, path: str, call: tuple[Any, ...]
) -> None:
    """Each operation asks the provider once and answers what it says."""
    response = await api.request(method, path)
    assert response.status_code == 200
    assert provider.calls == [call]
    assert response.content == dumps(provider.answers[call[0]])


def link(response: httpx.Response) -> tuple[str, dict[str, list[str]]]:
    target, _, rel = response.headers["link"].partition("; ")
    assert rel == 'rel="next"'
    url = urlsplit(target.strip("<>"))
    return url.path, parse_qs(url.query)


@pytest.mark.parametrize("path", ["/orders", "/v1/orders", "/orders/history"])
async def test_a_truncated_list_links_to_the_rest(
    api: httpx.AsyncClient, provider: Any, path: str
) -> None:
    """The next page has the same filters and ends before the last item seen."""
    orders = provider.answers["list_orders"].items
    for method in ("list_orders", "list_order_history"):
        provider.answers[method] = Page(orders, has_more=True)
    query = "symbol=BTC/USD&status=OPEN&status=filled&limit=1&until=2030-01-01T00:00:00Z"
    assert link(await api.get(f"{path}?{query}&since=2025-01-01T00:00:00%2B00:00")) == (
        path,
        {
            "symbol": ["BTC/USD"],
            "status": ["OPEN,FILLED"],
            "limit": ["1"],
            "since": ["2025-01-01T00:00:00.000000Z"],
            "until": ["2025-01-15T12:00:00.123456Z"],
        },
    )


async def test_a_link_can_be_followed(api: httpx.AsyncClient, provider: Any) -> None:
    """What the link asks for is a valid request."""
    provider.answers["list_trades"] = Page(provider.answers["list_trades"].items, has_more=True)
    first = await api.get("/trades?order_id=ord_1")
    second = await api.get(first.links["next"]["url"])
    assert second.status_code == 200
    query = provider.calls[-1][-1]
    assert query.until == datetime(2025, 1, 15, 12, 0, 0, 123456, UTC)
    assert (query.order_id, query.limit) == ("ord_1", 500)


@pytest.mark.parametrize("page", [Page([]), Page([], has_more=True)])
async def test_a_complete_list_has_no_link(
    api: httpx.AsyncClient, provider: Any, page: Page[Any]
) -> None:
    """Neither has one without items, whatever the provider says."""
    provider.answers["list_orders"] = page
    response = await api.get("/orders")
    assert response.json() == []
    assert "link" not in response.headers


def test_what_has_no_wire_form_is_a_defect() -> None:
    """A value of an unknown type is not turned into its repr."""
    assert dumps({"a": Decimal("1E-7")}) == b'{"a":"0.0000001"}'
    with pytest.raises(TypeError):
        dumps(object())
