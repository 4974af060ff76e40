"""Talking to Alpaca's REST APIs; what they say is read in `parse` and `prices`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from providers.alpaca import errors
from providers.alpaca.parse import Json
from providers.alpaca.settings import AlpacaSettings
from providers.errors import ProviderError
from providers.live.http import Http, Query
from providers.live.settings import required
from providers.live.venue import Limits

FILLS_PAGE: Final = 100
ORDERS_PAGE: Final = 500
"""The most that one answer may have."""


def credentials(settings: AlpacaSettings) -> dict[str, str]:
    """The headers that both APIs take. Raises ValueError where credentials are missing."""
    key_id, secret = required(settings, "key_id", "secret_key")
    return {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret}


class TradingApi:
    """Orders, the account and the assets."""

    def __init__(self, name: str, settings: AlpacaSettings) -> None:
        self.limits: Limits | None = None
        headers = credentials(settings)
        self._http = Http(name, settings.trading, headers=headers, observe=self._observe)

    async def close(self) -> None:
        await self._http.close()

    def _observe(self, headers: Mapping[str, str]) -> None:
        remaining = headers.get("x-ratelimit-remaining", "")
        reset = headers.get("x-ratelimit-reset", "")
        if remaining.isdecimal():
            at = datetime.fromtimestamp(int(reset), UTC) if reset.isdecimal() else None
            self.limits = Limits(int(remaining), at)

    async def read(self, path: str, query: Query | None = None) -> Any:
        """What a path of the trading API answers with; None where there is nothing, or 404."""
        answer = await self._http.get(path, query)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if not answer.ok:
            errors.refuse_read(answer)
        return answer.body

    async def known(self, path: str, query: Query | None = None) -> Any:
        """What a path that there is answers with. Raises ProviderError for a 404."""
        answer = await self.read(path, query)
        if answer is None:
            raise ProviderError(f"Alpaca does not know {path}")
        return answer

    async def submit(self, body: Json) -> Json:
        """Send a new order, once. Raises Refused."""
        answer = await self._http.send("POST", "/v2/orders", json=body)
        if not answer.ok:
            errors.refuse_ticket(answer)
        return self._order(answer.body)

    async def replace(self, order_id: str, body: Json) -> Json:
        """Ask for a new order in the place of one. Raises Refused and Gone."""
        answer = await self._http.send("PATCH", f"/v2/orders/{order_id}", json=body)
        if not answer.ok:
            errors.refuse_change(answer)
        return self._order(answer.body)

    async def cancel(self, order_id: str) -> None:
        """Ask for a cancel; what becomes of it is told by the stream. Raises Refused and Gone."""
        answer = await self._http.send("DELETE", f"/v2/orders/{order_id}")
        if not answer.ok:
            errors.refuse_cancel(answer)

    async def open_orders(self) -> AsyncIterator[Json]:
        """All open orders, the oldest first."""
        query = {"status": "open", "direction": "asc", "limit": str(ORDERS_PAGE)}
        while True:
            page = await self.known("/v2/orders", query)
            for order in page:
                yield order
            if len(page) < ORDERS_PAGE:
                return
            query["after_order_id"] = page[-1]["id"]

    async def fills(self, order_id: str) -> list[Json]:
        """The activities that tell the fills of an order."""
        query = {
            "activity_types": "FILL",
            "order_id": order_id,
            "direction": "asc",
            "page_size": str(FILLS_PAGE),
        }
        found: list[Json] = []
        while True:
            page = await self.known("/v2/account/activities", query)
            found += page
            if len(page) < FILLS_PAGE:
                return found
            query["page_token"] = page[-1]["id"]

    @staticmethod
    def _order(body: Any) -> Json:
        if not isinstance(body, dict):
            raise ProviderError("Alpaca answered a command with what is no order")
        return body

    async def assets(self) -> list[Json]:
        """The assets of both kinds that are traded at present."""
        found: list[Json] = []
        for kind in ("us_equity", "crypto"):
            assets = await self.known("/v2/assets", {"status": "active", "asset_class": kind})
            if not isinstance(assets, list):
                raise ProviderError("Alpaca's list of assets is none")
            found += assets
        return found


class MarketDataApi:
    """Snapshots and bars."""

    def __init__(self, name: str, settings: AlpacaSettings) -> None:
        self._http = Http(name, settings.data, headers=credentials(settings))

    async def close(self) -> None:
        await self._http.close()

    async def read(self, path: str, query: Query) -> Json:
        """What a path answers with. Raises ProviderError for a refusal."""
        answer = await self._http.get(path, query)
        if not answer.ok:
            errors.refuse_read(answer)
        if not isinstance(answer.body, dict):
            raise ProviderError("Alpaca's market data is not what its specification has")
        return answer.body
