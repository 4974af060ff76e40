"""The spec and the code fit each other, or the server does not start."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from connexion import ConnexionMiddleware
from connexion.exceptions import ResolverError

from handlers.app import SPEC_FILE
from handlers.auth import Keyring
from handlers.fastpath import FastPath, Services, needs_key, shadowing_paths
from handlers.routing import Routing, TagResolver, module_name
from handlers.site import load_spec


async def start(change: Callable[[dict[str, Any]], object], provider: Any) -> None:
    """Builds the application over a changed spec, as the first request does."""
    spec = copy.deepcopy(load_spec(SPEC_FILE))
    change(spec)
    services = Services(provider, Keyring([]), 1000)

    def fast(app: Any) -> FastPath:
        return FastPath(app, services)

    async def nowhere(*_: Any) -> None:
        raise AssertionError

    middlewares: list[Any] = [Routing, fast]
    app = ConnexionMiddleware(
        nowhere, middlewares=middlewares, resolver=TagResolver(spec, "handlers")
    )
    app.add_api(spec, base_path="")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        await client.get("http://127.0.0.1/account")


async def test_an_operation_without_a_function(provider: Any) -> None:
    """An operationId that no handler has stops the start."""

    def change(spec: dict[str, Any]) -> None:
        spec["paths"]["/account"]["get"]["operationId"] = "get_nothing"

    with pytest.raises(ResolverError, match=r"handlers\.account\.get_nothing"):
        await start(change, provider)


async def test_a_parameter_that_the_function_does_not_take(provider: Any) -> None:
    """A parameter that the handler would choke on stops the start."""

    def change(spec: dict[str, Any]) -> None:
        extra = {"name": "x", "in": "query", "schema": {"type": "string"}}
        spec["paths"]["/account"]["get"]["parameters"] = [extra]

    with pytest.raises(TypeError, match="get_account does not fit"):
        await start(change, provider)


def test_modules_are_named_after_tags() -> None:
    """A tag of two words has an underscore in its module."""
    assert module_name("Market Data") == "market_data"


def test_security() -> None:
    """A key is needed unless the spec leaves a way in without one."""
    assert needs_key([{"BearerAuth": []}, {"ApiKeyAuth": []}])
    assert not needs_key([{"BearerAuth": []}, {}])
    assert not needs_key([])
    assert not needs_key(None)


def test_concrete_paths_shadow_templates() -> None:
    """Only where the template has a method that the concrete path lacks."""
    paths: dict[str, dict[str, Any]] = {
        "/a/{id}": {"get": {}, "delete": {}},
        "/a/b": {"get": {}},
        "/a/b/c": {"get": {}},
    }
    assert shadowing_paths(paths, "/a/{id}", "delete") == {"/a/b": ["GET", "HEAD"]}
    assert shadowing_paths(paths, "/a/{id}", "get") == {}
    assert shadowing_paths(paths, "/a/b", "delete") == {}


async def test_remembered_routes_are_the_same(api: httpx.AsyncClient, provider: Any) -> None:
    """The second request of a path goes where the first went; different ids are kept apart."""
    for _ in range(2):
        for id in ("ord_1", "ord_2"):
            assert (await api.get(f"/orders/{id}")).status_code == 200
            assert (await api.get(f"/v1/orders/{id}")).status_code == 200
    asked = [call[-1] for call in provider.calls]
    assert asked == ["ord_1", "ord_1", "ord_2", "ord_2"] * 2


async def test_routes_are_not_remembered_without_end(
    api: httpx.AsyncClient, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither many paths nor long ones can fill the memory."""
    monkeypatch.setattr("handlers.routing.MOST_REMEMBERED", 3)
    for id in (*map(str, range(10)), "x" * 5000):
        assert (await api.get(f"/orders/{id}")).status_code == 200
        assert provider.calls[-1][-1] == id


@pytest.mark.parametrize("root_path", ["", "/trading"])
async def test_behind_a_prefix(make_app: Callable[..., Any], provider: Any, root_path: str) -> None:
    """Behind a reverse proxy that adds a prefix, the links carry it."""
    transport = httpx.ASGITransport(make_app(), root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        body = {"symbol": "AAPL", "side": "BUY", "quantity": "1", "order_type": "MARKET"}
        for base in ("", "/v1"):
            for _ in range(2):
                order = await client.post(f"{root_path}{base}/orders", json=body)
                assert order.headers["location"] == f"{root_path}{base}/orders/ord_1"
        shadowed = await client.delete(f"{root_path}/orders/history")
        assert shadowed.status_code == 405
        home = await client.get(f"{root_path}/")
        assert home.headers["location"] == f"{root_path}/docs"
        assert (await client.get(f"{root_path}/docs")).status_code == 200
