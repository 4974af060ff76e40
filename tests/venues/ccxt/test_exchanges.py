"""The table of exchanges, held to the requests that ccxt would make of each."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import ccxt.pro  # type: ignore[import-untyped]
import pytest

from providers.ccxt.client import CREDENTIALS, asks
from providers.ccxt.exchanges import EXCHANGES, UUIDS, known

CURRENCIES = {
    code: {"id": code, "code": code, "precision": "0.01"} for code in ("BTC", "USD", "USDT")
}
NOTHING = {"min": None, "max": None}
MARKET = {
    "id": "BTCUSD",
    "symbol": "BTC/USD",
    "base": "BTC",
    "quote": "USD",
    "baseId": "BTC",
    "quoteId": "USD",
    "type": "spot",
    "spot": True,
    "active": True,
    "contract": False,
    "precision": {"amount": "0.00000001", "price": "0.01"},
    "limits": {"amount": NOTHING, "price": NOTHING, "cost": NOTHING, "leverage": NOTHING},
    "info": {"orderTypes": ["LIMIT", "MARKET"]},
}


class Caught(Exception):
    """Instead of a request."""


@pytest.fixture(params=sorted(EXCHANGES))
async def asked(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Any, list[str]]]:
    """An exchange's name, ccxt's instance without a network, and what it wants to send."""
    keys = dict.fromkeys(CREDENTIALS, "c2VjcmV0")
    library = getattr(ccxt.pro, request.param)({**keys, "enableRateLimit": False})
    library.timeout_on_exit = 0
    library.number = str
    library.set_markets([MARKET], CURRENCIES)
    sent: list[str] = []

    async def fetch(url: str, method: str, headers: object, body: object) -> None:
        sent.append(f"{method} {url} {body}")
        raise Caught

    async def load_markets(*_: object) -> Any:
        return library.markets

    library.fetch, library.load_markets = fetch, load_markets
    yield request.param, library, sent
    await library.close()


def an_id(name: str) -> str:
    """One that the exchange takes."""
    text = str(uuid.uuid4())
    shorter = text.replace("-", "")
    return text if re.fullmatch(EXCHANGES[name].client_ids, text) else shorter


async def test_an_order_carries_its_client_id(asked: tuple[str, Any, list[str]]) -> None:
    """A new order is sent with the client's id, whichever its time in force is."""
    name, library, sent = asked
    for more in ({}, {"timeInForce": "IOC"}):
        client_id = an_id(name)
        with pytest.raises(Caught):
            await library.create_order(
                "BTC/USD", "limit", "buy", "0.01", "100.5", {"clientOrderId": client_id, **more}
            )
        assert client_id in sent[-1]


async def test_an_order_is_found_by_its_client_id(asked: tuple[str, Any, list[str]]) -> None:
    """Each call of the table asks for the id, under a name that is not for other ids."""
    name, library, sent = asked
    for method, parameter in EXCHANGES[name].finds:
        client_id = an_id(name)
        between = () if method == "fetch_order" else (None,)
        arguments = (None, "BTC/USD") if method == "fetch_order" else ("BTC/USD", None)
        with pytest.raises(Caught):
            await getattr(library, method)(*arguments, *between, {parameter: client_id})
        assert client_id in sent[-1]
        assert f"userref={client_id}" not in sent[-1]


@pytest.mark.parametrize("name", sorted(EXCHANGES))
def test_credentials_are_of_the_kinds_known(name: str) -> None:
    """The settings have all that these exchanges ask for."""
    assert {key for key, needs in asks(name).items() if needs} <= set(CREDENTIALS)


@pytest.mark.parametrize("name", sorted(EXCHANGES))
def test_an_id_of_ours_fits(name: str) -> None:
    """A UUID, with or without its dashes, can be carried everywhere."""
    assert re.fullmatch(EXCHANGES[name].client_ids, an_id(name))


def test_others_are_refused() -> None:
    """An exchange that may lose a client's id is refused, unless somebody vouches for it."""
    with pytest.raises(ValueError, match="hitbtc is not known to carry client order ids"):
        known("hitbtc", "")
    assert UUIDS == known("hitbtc", UUIDS).client_ids
