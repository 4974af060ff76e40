"""Keys: how they are written, presented and judged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from handlers.auth import OPEN_ACCOUNT, ApiKey, Keyring, new_key
from handlers.settings import Settings
from providers.errors import Unauthorized

ALICE, BOB, SPARE = "alice-key-0123456789", "bob-key-0123456789", "alice-spare-0123456789"
KEYS = f"alice:{ALICE},bob:sha256:{hashlib.sha256(BOB.encode()).hexdigest()} alice:{SPARE}"


@pytest.fixture
def guarded(connect: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return connect(api_keys=KEYS)


@pytest.mark.parametrize(
    ("headers", "account"),
    [
        ({"Authorization": f"Bearer {ALICE}"}, "alice"),
        ({"authorization": f"bearer {SPARE}"}, "alice"),
        ({"X-API-Key": BOB}, "bob"),
        ({"Authorization": f"Bearer {ALICE}", "X-API-Key": BOB}, "alice"),
        ({"Authorization": "Basic Ym9iOg==", "X-API-Key": BOB}, "bob"),
    ],
)
async def test_a_key_names_its_account(
    guarded: httpx.AsyncClient, provider: Any, headers: dict[str, str], account: str
) -> None:
    """A Bearer key is judged first; an account may have several keys."""
    assert (await guarded.get("/account", headers=headers)).status_code == 200
    assert provider.calls == [("get_account", account)]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": ALICE},
        {"Authorization": "Bearer wrong", "X-API-Key": BOB},
        {"X-API-Key": f"{BOB}x"},
        {"X-API-Key": hashlib.sha256(BOB.encode()).hexdigest()},
        {"X-API-Key": ""},
    ],
)
@pytest.mark.parametrize("path", ["/account", "/v1/orders", "/quotes/AAPL", "/status"])
async def test_without_a_valid_key(
    guarded: httpx.AsyncClient, provider: Any, headers: dict[str, str], path: str
) -> None:
    """Anything else is 401 in the one shape, and reaches no provider."""
    response = await guarded.get(path, headers=headers)
    assert response.status_code == 401
    assert response.json()["code"] == "UNAUTHORIZED"
    assert response.headers["www-authenticate"] == "Bearer"
    assert provider.calls == []


@pytest.mark.parametrize(
    "path",
    ["/health", "/ready", "/livez", "/readyz", "/v1/health", "/docs", "/openapi.yaml"],
)
async def test_probes_and_documentation_need_no_key(guarded: httpx.AsyncClient, path: str) -> None:
    """What watches the server, or learns to use it, has no key."""
    assert (await guarded.get(path)).status_code == 200


async def test_the_key_is_judged_before_the_request(guarded: httpx.AsyncClient) -> None:
    """A stranger does not get to know what is wrong with the request."""
    assert (await guarded.post("/orders", content=b"{")).status_code == 401


async def test_without_keys_everybody_is_the_default_account(
    api: httpx.AsyncClient, provider: Any
) -> None:
    """An open server ignores what a client presents."""
    await api.get("/account", headers={"X-API-Key": "anything"})
    assert provider.calls == [("get_account", OPEN_ACCOUNT)]


@pytest.mark.parametrize(
    "entry",
    [
        "alice",
        "alice:",
        "alice:short",
        ":0123456789abcdef",
        "a b:0123456789abcdef",
        "alice:sha256:abcdef0123456789",
        "alice:with space 0123456789",
        "alice:with:colon:0123456789",
    ],
)
def test_wrong_entries_are_refused_and_not_repeated(entry: str) -> None:
    """A message about a key does not contain it."""
    with pytest.raises(ValueError, match=r"must be ACCOUNT:KEY|needs 64 hex") as caught:
        ApiKey.parse(entry)
    assert "0123456789" not in str(caught.value)


def test_keys_are_not_kept() -> None:
    """Neither the settings nor the keyring hold a key in clear."""
    settings = Settings(_env_file=None, api_keys=KEYS)  # type: ignore[arg-type]
    kept = repr(settings) + repr(vars(Keyring(settings.api_keys)))
    assert ALICE not in kept
    assert BOB not in kept


def test_a_new_key_is_admitted_by_its_entry() -> None:
    """What `trading-api key` prints works, and its entry does not contain the key."""
    key, entry = new_key("carol")
    assert key not in entry
    keyring = Keyring([ApiKey.parse(entry)])
    assert keyring.account({b"x-api-key": key.encode()}) == "carol"
    with pytest.raises(Unauthorized):
        keyring.account({b"x-api-key": new_key("carol")[0].encode()})
