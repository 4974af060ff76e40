"""Probes, and a server without a provider."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from handlers.app import create_app
from handlers.no_provider import NoProvider
from handlers.settings import Settings
from providers.base import Provider
from providers.breakers import THRESHOLD

NOT_READY = {
    "ready": False,
    "providers": [],
    "provider_count": 0,
    "message": "No providers configured",
}


@pytest.fixture(scope="module")
def bare() -> httpx.ASGITransport:
    return httpx.ASGITransport(create_app(Settings(_env_file=None, provider="none")))


@pytest.mark.parametrize("path", ["/health", "/livez", "/v1/health"])
async def test_alive(api: httpx.AsyncClient, path: str) -> None:
    """The probe answers without asking the provider."""
    response = await api.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/ready", "/readyz", "/v1/ready"])
async def test_ready(api: httpx.AsyncClient, path: str) -> None:
    """With a provider the server is ready and names it."""
    response = await api.get(path)
    expected = {"ready": True, "providers": ["fake"], "provider_count": 1}
    assert (response.status_code, response.json()) == (200, expected)


async def test_circuit_breakers(api: httpx.AsyncClient, provider: Any) -> None:
    """They are the provider's, and a reset answers what they are after it."""
    provider.breakers.adapter.record()
    counted = {"failure_count": 1, "state": "closed"}
    closed = {"failure_count": 0, "state": "closed"}
    response = await api.get("/circuit-breakers")
    assert response.json() == {"adapter": counted, "exit_order": closed}
    for response in (await api.post("/circuit-breakers/reset"), await api.get("/circuit-breakers")):
        assert (response.status_code, response.json()) == (
            200,
            {"adapter": closed, "exit_order": closed},
        )


async def test_open_breaker_keeps_orders_from_the_provider(
    api: httpx.AsyncClient, provider: Any
) -> None:
    """An order that is held back is not submitted; one that is refused anyway says why."""
    for _ in range(THRESHOLD):
        provider.breakers.adapter.record()
    order = {"symbol": "AAPL", "side": "BUY", "quantity": "1", "order_type": "MARKET"}
    response = await api.post("/orders", json=order)
    assert (response.status_code, response.json()["code"]) == (503, "PROVIDER_UNAVAILABLE")
    assert 0 < int(response.headers["retry-after"]) <= 60
    assert (await api.post("/orders", json=order | {"quantity": "-1"})).status_code == 400
    assert provider.calls == []


async def test_alive_and_not_ready(bare: httpx.ASGITransport) -> None:
    """Without a provider the server lives, and is not ready."""
    async with httpx.AsyncClient(transport=bare, base_url="http://127.0.0.1") as api:
        assert (await api.get("/health")).status_code == 200
        for path in ("/ready", "/readyz"):
            response = await api.get(path)
            assert (response.status_code, response.json()) == (503, NOT_READY)
            assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/orders"),
        ("GET", "/orders/history"),
        ("GET", "/orders/x"),
        ("PATCH", "/orders/x"),
        ("DELETE", "/orders/x"),
        ("DELETE", "/orders"),
        ("GET", "/positions"),
        ("GET", "/positions/x"),
        ("DELETE", "/positions/x"),
        ("DELETE", "/positions"),
        ("GET", "/trades"),
        ("GET", "/account"),
        ("GET", "/quotes/AAPL"),
        ("GET", "/bars/AAPL?timeframe=1d"),
        ("GET", "/capabilities"),
        ("GET", "/status"),
    ],
)
async def test_trading_without_a_provider(
    bare: httpx.ASGITransport, method: str, path: str
) -> None:
    """Every trading call is 503 PROVIDER_UNAVAILABLE."""
    async with httpx.AsyncClient(transport=bare, base_url="http://127.0.0.1") as api:
        body: dict[str, Any] | None = {} if method == "PATCH" else None
        response = await api.request(method, path, json=body)
    assert (response.status_code, response.json()["code"]) == (503, "PROVIDER_UNAVAILABLE")
    assert int(response.headers["retry-after"]) > 0


def test_the_stand_in_has_all_of_the_port() -> None:
    """A method added to the port is refused here too, not missing."""
    methods = {name for name in vars(Provider) if not name.startswith("_")}
    assert methods <= set(vars(NoProvider)) | set(vars(NoProvider()))
