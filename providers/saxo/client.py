"""Saxo's REST API: paths, queries and pages. What comes back is read by `parse` and `listings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from providers.errors import ProviderError
from providers.live.http import Http, Query
from providers.live.venue import Limits
from providers.saxo import errors
from providers.saxo.listings import Listing
from providers.saxo.settings import SaxoSettings
from providers.saxo.tokens import Bearer, shared
from providers.saxo.values import Body, reading, stamp

ORDERS: Final = "/trade/v2/orders"
ORDER_SUBSCRIPTIONS: Final = "/port/v1/orders/subscriptions"
PRICE_SUBSCRIPTIONS: Final = "/trade/v1/infoprices/subscriptions"
ORDER_LOG: Final = "/cs/v1/audit/orderactivities"

PRICE_FIELDS: Final = "Quote,PriceInfoDetails"
MOST_SAMPLES: Final = 1200
"""Candles in one answer, at most."""
MOST_PAGES: Final = 100


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Keys:
    """The client that the user belongs to, and the account that is traded on."""

    client: str
    account: str

    @property
    def query(self) -> dict[str, str]:
        return {"ClientKey": self.client, "AccountKey": self.account}


class Client:
    """REST calls of one login. Each awaits a token first, so that a command is only sent with one.

    Raises what `Http` does, and what `errors` makes of the venue's answers.
    """

    def __init__(self, name: str, settings: SaxoSettings) -> None:
        self.tokens = shared(settings)
        self.limits: Limits | None = None
        self.http = Http(
            name, settings.endpoints.rest, auth=Bearer(self.tokens), observe=self._observe
        )

    async def close(self) -> None:
        await self.http.close()

    async def get(self, path: str, query: Query | None = None) -> Any:
        await self.tokens.fresh()
        answer = await self.http.get(path, query)
        if not answer.ok:
            raise errors.of_read(answer.status, answer.body)
        return answer.body

    async def rows(self, path: str, query: Query) -> list[Body]:
        """All entries of a list: page by page, as `__next` leads."""
        found: list[Body] = []
        wanted: Query | None = query
        for _ in range(MOST_PAGES):
            body = await self.get(path, wanted) or {}
            with reading("a list"):
                found += body.get("Data", [])
                following = body.get("__next")
                if not following:
                    return found
                # Only what the link asks for is taken from it, never where it leads.
                wanted = dict(parse_qsl(urlsplit(following).query))
        raise ProviderError(f"Saxo's list {path} does not end")

    async def command(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        query: Query | None = None,
        request_id: str | None = None,
    ) -> Any:
        """Send once. Saxo answers 409 to one with the id, or the content, of one just before."""
        await self.tokens.fresh()
        headers = {"x-request-id": request_id or uuid4().hex}
        answer = await self.http.send(method, path, json=json, query=query, headers=headers)
        failure = errors.of_command(answer.status, answer.body)
        if failure is not None:
            raise failure
        return answer.body

    def _observe(self, headers: Mapping[str, str]) -> None:
        remaining = headers.get("x-ratelimit-session-remaining", "")
        if remaining.isdecimal():
            seconds = headers.get("x-ratelimit-session-reset", "")
            at = utc_now() + timedelta(seconds=int(seconds)) if seconds.isdecimal() else None
            self.limits = Limits(int(remaining), at)

    # The account

    async def keys(self, account_key: str) -> Keys:
        """Raises ProviderError for an account that the user has not."""
        client = await self.get("/port/v1/clients/me")
        accounts = await self.rows("/port/v1/accounts/me", {})
        with reading("the accounts"):
            known = [each["AccountKey"] for each in accounts]
            if not known or (account_key and account_key not in known):
                raise ProviderError("Saxo does not know the account")
            return Keys(client["ClientKey"], account_key or known[0])

    async def open_orders(self, keys: Keys, order_id: str = "") -> list[Body]:
        """The open orders of the account, or the one with this id."""
        query = {**keys.query, "Status": "All"}
        if order_id:
            query["OrderId"] = order_id
        return await self.rows("/port/v1/orders", query)

    async def order_log(self, keys: Keys, order_id: str) -> list[Body]:
        """All that has happened to one order."""
        query = {**keys.query, "OrderId": order_id, "EntryType": "All"}
        return await self.rows(ORDER_LOG, query)

    async def last_of_log(self, keys: Keys, since: datetime) -> list[Body]:
        """The last entry of each order that something has happened to since."""
        query = {**keys.query, "EntryType": "Last", "FromDateTime": stamp(since)}
        return await self.rows(ORDER_LOG, query)

    async def net_positions(self, keys: Keys) -> list[Body]:
        return await self.rows("/port/v1/netpositions", keys.query)

    async def balance(self, keys: Keys) -> Body:
        with reading("a balance"):
            return dict(await self.get("/port/v1/balances", keys.query))

    # Instruments and prices

    async def search(self, keywords: str, asset_types: str) -> list[Body]:
        query = {"Keywords": keywords, "AssetTypes": asset_types, "$top": "200"}
        body = await self.get("/ref/v1/instruments", query)
        with reading("instruments"):
            return list(body["Data"])

    async def details(self, uics: str, asset_types: str) -> list[Body]:
        query = {"Uics": uics, "AssetTypes": asset_types}
        return await self.rows("/ref/v1/instruments/details", query)

    async def prices(self, uics: str, asset_type: str) -> list[Body]:
        query = {"Uics": uics, "AssetType": asset_type, "FieldGroups": PRICE_FIELDS}
        return await self.rows("/trade/v1/infoprices/list", query)

    async def candles(
        self, listing: Listing, horizon: int, until: datetime, count: int
    ) -> list[Body]:
        """Up to `count` samples, the last of which begins at or before `until`."""
        query = {
            "Uic": str(listing.uic),
            "AssetType": listing.asset_type,
            "Horizon": str(horizon),
            "Mode": "UpTo",
            "Time": stamp(until),
            "Count": str(min(count, MOST_SAMPLES)),
        }
        body = await self.get("/chart/v3/charts", query)
        with reading("candles"):
            return list(body["Data"])
