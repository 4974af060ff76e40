"""Massive's REST API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from providers.errors import ProviderError
from providers.live.http import Http
from providers.massive.errors import refusal
from providers.massive.parse import to_millis
from providers.massive.windows import Window

MOST_TICKERS: Final = 250
"""Tickers that one snapshot may be about."""


class Client:
    """Calls answer with Massive's JSON and raise what `Http.get` does."""

    def __init__(self, base_url: str, key: str) -> None:
        self._http = Http("massive", base_url, headers={"Authorization": f"Bearer {key}"})

    async def close(self) -> None:
        await self._http.close()

    async def reference(self, ticker: str) -> Mapping[str, Any] | None:
        """The reference data of an active ticker, if there is one."""
        query = {"ticker": ticker, "active": "true", "limit": "1"}
        body = await self._get("/v3/reference/tickers", query)
        return next(iter(body.get("results") or ()), None)

    async def snapshots(self, tickers: Sequence[str]) -> list[Mapping[str, Any]]:
        """What is known now of any number of tickers; of some it may be an error."""
        found: list[Mapping[str, Any]] = []
        for start in range(0, len(tickers), MOST_TICKERS):
            asked = ",".join(tickers[start : start + MOST_TICKERS])
            query = {"ticker.any_of": asked, "limit": str(MOST_TICKERS)}
            found += (await self._get("/v3/snapshot", query)).get("results") or ()
        return found

    async def aggregates(
        self, ticker: str, window: Window, first: datetime, last: datetime, limit: int
    ) -> AsyncIterator[list[Mapping[str, Any]]]:
        """Pages of aggregates, the newest first; `limit` counts what they are made of."""
        between = f"{to_millis(first)}/{to_millis(last)}"
        path = f"/v2/aggs/ticker/{ticker}/range/{window.multiplier}/{window.timespan}/{between}"
        query = {"adjusted": "true", "sort": "desc", "limit": str(limit)}
        while True:
            body = await self._get(path, query)
            yield list(body.get("results") or ())
            if not body.get("next_url"):
                return
            path, query = following(body["next_url"])

    async def _get(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        answer = await self._http.get(path, query)
        if answer.status == HTTPStatus.NOT_FOUND:
            return {}
        if not answer.ok:
            raise refusal(answer)
        if not isinstance(answer.body, dict):
            raise ProviderError("Massive answered with no JSON object")
        return answer.body


def following(url: str) -> tuple[str, dict[str, str]]:
    """Path and query of a next page. Its host is left aside: the key goes to none but ours."""
    parts = urlsplit(url)
    return parts.path, dict(parse_qsl(parts.query))
