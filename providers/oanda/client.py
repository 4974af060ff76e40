"""What is sent to OANDA and comes back: REST calls, pages of the log, and lines of a stream.

OANDA takes 120 requests a second, and advises against more than two new connections a second; it
tells neither in the headers of its answers. https://developer.oanda.com/rest-live-v20/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import simplejson

from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.http import Answer, Http, Query, retry_after
from providers.models import RateLimits
from providers.oanda import errors
from providers.oanda.history import number
from providers.oanda.parse import Json, as_specified
from providers.oanda.settings import OandaSettings

RATE_LIMITS: Final = RateLimits(requests_per_minute=120 * 60)


class BearerToken(httpx.Auth):
    """Adds the token to each request; it is in no repr."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = self._header
        yield request


class Client:
    """One account at OANDA. Paths are those below the account, but for `get_public`.

    `last_id` is the latest transaction of the account that any answer has told of.
    """

    def __init__(self, settings: OandaSettings) -> None:
        token, account = settings.access()
        self.name = settings.name
        self.last_id = 0
        self._account = f"/v3/accounts/{account}"
        self._http = Http(
            settings.name,
            settings.rest,
            auth=BearerToken(token),
            headers={"Accept-Datetime-Format": "RFC3339"},
        )
        silence = settings.stream_timeout
        self._streams = httpx.AsyncClient(
            base_url=settings.stream,
            auth=BearerToken(token),
            headers={"Accept-Datetime-Format": "RFC3339"},
            timeout=httpx.Timeout(silence, connect=5.0, pool=5.0),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.close()
        await self._streams.aclose()

    # REST

    async def get(self, path: str, query: Query | None = None) -> Json:
        """The body of a read that must work. Raises ProviderError where it does not."""
        return self._read(await self._http.get(self._account + path, query))

    async def get_public(self, path: str, query: Query | None = None) -> Json:
        """The same of what belongs to no account."""
        return self._read(await self._http.get(f"/v3{path}", query))

    async def look_up(self, path: str) -> Json | None:
        """The body of a read; None where there is no such thing. Raises ProviderError."""
        answer = await self._http.get(self._account + path)
        return None if errors.is_missing(answer) else self._read(answer)

    async def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """A command, once; see `Http.send` for what it raises."""
        answer = await self._http.send(method, self._account + path, json=body)
        self._note(answer)
        return answer

    async def log(self, after: int) -> list[Json]:
        """All transactions after the one of this id, ascending."""
        found: list[Json] = []
        while True:
            body = await self.get("/transactions/sinceid", {"id": str(after)})
            with as_specified("page of transactions"):
                page = sorted(body["transactions"], key=number)
                found += page
                if not page or number(page[-1]) >= int(body["lastTransactionID"]):
                    return found
                after = number(page[-1])

    def _read(self, answer: Answer) -> Json:
        if not answer.ok:
            errors.refuse_read(answer)
        self._note(answer)
        if not isinstance(answer.body, dict):
            raise ProviderError("OANDA answered what is no object")
        return answer.body

    def _note(self, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, dict) else {}
        told = str(body.get("lastTransactionID", ""))
        if told.isdecimal():
            self.last_id = max(self.last_id, int(told))

    # Streams

    @asynccontextmanager
    async def stream(
        self, path: str, query: Query | None = None
    ) -> AsyncIterator[AsyncIterator[Json]]:
        """The messages of a stream, from when OANDA has accepted it.

        One that is silent for too long raises httpx.ReadTimeout. Raises ProviderError,
        ProviderUnavailable and RateLimited where it is not accepted.
        """
        async with self._streams.stream("GET", self._account + path, params=query) as response:
            if not response.is_success:
                await response.aread()
                self._refuse_stream(response)
            yield messages(response)

    def _refuse_stream(self, response: httpx.Response) -> None:
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise RateLimited("OANDA limits its streams", retry_after(response.headers))
        if response.is_server_error:
            raise ProviderUnavailable(f"OANDA's stream fails: it answered {response.status_code}")
        try:
            body = simplejson.loads(response.content)
        except ValueError:
            body = None
        errors.refuse_read(Answer(response.status_code, body, response.headers))


async def messages(response: httpx.Response) -> AsyncIterator[Json]:
    """The JSON objects of a response, one a line. Raises ProviderError for what is none."""
    async for line in response.aiter_lines():
        if not line.strip():
            continue
        with as_specified("line of a stream"):
            message = simplejson.loads(line, use_decimal=True)
            if not isinstance(message, dict):
                raise TypeError(type(message).__name__)
            yield message
