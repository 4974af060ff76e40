"""The emulator itself: that it holds what is said to Alpaca's specifications."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.venues.alpaca import specs
from tests.venues.alpaca.emulator import KEYS, emulator
from tests.venues.emulated import Emulated
from tests.venues.faults import Faults

HEADERS = {"APCA-API-KEY-ID": KEYS[0], "APCA-API-SECRET-KEY": KEYS[1]}


def client(emulated: Emulated, headers: dict[str, str] = HEADERS) -> httpx.AsyncClient:
    url = emulated.environment["TRADING_API_ALPACA_TRADING_URL"]
    return httpx.AsyncClient(base_url=url, headers=headers)


@pytest.mark.skipif(specs.trading() is None, reason="Alpaca's specification is not at hand")
async def test_what_is_not_specified_is_a_violation(tmp_path: Path) -> None:
    async with emulator(tmp_path, Faults(), tick_interval=0.1) as emulated:
        async with client(emulated) as http:
            for broken in (
                http.get("/v2/orders", params={"pretty": "yes"}),
                http.post("/v2/orders", json={"symbol": "AAPL", "type": "limit"}),
                http.post("/v2/orders", json={"type": "peg", "time_in_force": "day"}),
            ):
                assert (await broken).status_code == 599
        assert emulated.judge.judged == 3
        assert len(emulated.judge.violations) == 3


async def test_wrong_keys(emulated: Emulated) -> None:
    async with client(emulated, {**HEADERS, "APCA-API-SECRET-KEY": "guessed"}) as http:
        answer = await http.get("/v2/account")
    assert answer.status_code == 401
    assert answer.json()["code"] == 40110000


async def test_latest_quotes_and_trades(emulated: Emulated) -> None:
    """The calls that our adapter has no need of answer as specified, too."""
    async with client(emulated) as http:
        for path, symbol in (
            ("/v2/stocks/quotes/latest", "AAPL"),
            ("/v2/stocks/trades/latest", "AAPL"),
            ("/v1beta3/crypto/us/latest/quotes", "BTC/USD"),
            ("/v1beta3/crypto/us/latest/trades", "BTC/USD"),
        ):
            answer = await http.get(path, params={"symbols": symbol})
            (found,) = answer.json().values()
            assert found.keys() == {symbol}
        wrong = await http.get("/v2/stocks/quotes/latest", params={"symbols": "BTC/USD"})
    assert wrong.status_code == 400


async def test_bars_of_several_symbols_come_by_pages(emulated: Emulated) -> None:
    """Sorted by symbol and then by time; a page ends where it is full."""
    window = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-09T00:00:00Z"}
    asked = {"symbols": "MSFT,AAPL", "timeframe": "1Day", "limit": "3", **window}
    bars: list[tuple[str, str]] = []
    async with client(emulated) as http:
        while True:
            page = (await http.get("/v2/stocks/bars", params=asked)).json()
            bars += [(name, bar["t"]) for name, each in page["bars"].items() for bar in each]
            if page["next_page_token"] is None:
                break
            asked["page_token"] = page["next_page_token"]
    assert len(bars) == 10
    assert bars == sorted(bars)


async def test_orders_are_listed_as_asked_for(emulated: Emulated) -> None:
    body = {"symbol": "BTC/USD", "qty": "1", "side": "buy", "time_in_force": "gtc"}
    async with client(emulated) as http:
        for price in ("10", "11", "12"):
            limit = {**body, "type": "limit", "limit_price": price, "client_order_id": price}
            assert (await http.post("/v2/orders", json=limit)).status_code == 200
        newest = (await http.get("/v2/orders")).json()
        await http.delete(f"/v2/orders/{newest[0]['id']}")
        closed = (await http.get("/v2/orders", params={"status": "closed"})).json()
        before = {"before_order_id": newest[0]["id"], "symbols": "BTCUSD", "direction": "asc"}
        earlier = (await http.get("/v2/orders", params=before)).json()
    assert [each["limit_price"] for each in newest] == ["12", "11", "10"]
    assert [each["client_order_id"] for each in closed] == ["12"]
    assert [each["client_order_id"] for each in earlier] == ["10", "11"]
