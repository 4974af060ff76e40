"""How we talk to a venue's REST API: one policy for time-outs, retries, pools and failures.

Reads are repeated, with backoff and jitter, when the connection fails or the venue answers 429 or
5xx, and a Retry-After is waited for if it is short. Commands are sent once. What their failure
means is told apart by where it happened: without a connection nothing was sent; after that nobody
knows.

Logged are the venue's name, the method and the path without its query; never a header or a body.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import httpx
import simplejson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.venue import Unanswered

log = logging.getLogger(__name__)

TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0, pool=5.0)
"""Seconds; the whole of a command is given up on when the venue is silent for so long."""
LIMITS: Final = httpx.Limits(max_connections=20, max_keepalive_connections=10)
READ_ATTEMPTS: Final = 3
FIRST_WAIT: Final = 0.2
LONGEST_WAIT: Final = 5.0
"""Seconds: a read waits no longer for its next attempt, whatever Retry-After says."""

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a venue answered: numbers with a point in `body` are `Decimal`."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(slots=True)
class Health:
    """How the venue has answered lately; `latency` in seconds."""

    latency: float | None = None
    last_answer: datetime | None = None


class Http:
    """One venue's REST API at `base_url`. `auth` signs or adds credentials to each request.

    Calls answer with whatever status below 500 the venue gave, except 429; the venue's own module
    knows what a 4xx means. `observe` is shown the headers of every answer, for rate limits.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        auth: httpx.Auth | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
        observe: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> None:
        self.health = Health()
        self._name = name
        self._observe = observe
        self._client = httpx.AsyncClient(
            base_url=base_url,
            auth=auth,
            headers=dict(headers or {}),
            timeout=timeout or TIMEOUT,
            limits=LIMITS,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(
        self, path: str, query: Query | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Read. Raises ProviderUnavailable, RateLimited and ProviderError."""
        attempts = AsyncRetrying(
            stop=stop_after_attempt(READ_ATTEMPTS),
            wait=wait_for,
            retry=retry_if_exception(is_worth_a_try),
            reraise=True,
        )
        answer: Answer = await attempts(self._read, path, query, headers)
        return answer

    async def _read(
        self, path: str, query: Query | None, headers: Mapping[str, str] | None
    ) -> Answer:
        """Read once."""
        try:
            answer = await self._request("GET", path, query=query, headers=headers)
        except httpx.HTTPError as error:
            log.warning("%s: GET %s: %r", self._name, path, type(error).__name__)
            raise ProviderUnavailable(f"{self._name} cannot be reached") from error
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("%s: GET %s: status %d", self._name, path, answer.status)
            wait = retry_after(answer.headers)
            message = f"{self._name} fails: it answered {answer.status}"
            raise ProviderUnavailable(message, retry_after=wait)
        return answer

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        query: Query | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Command, once. `json` may hold Decimals: they are sent as numbers.

        Raises ProviderUnavailable where nothing was sent, Unanswered where the outcome is not
        known, and RateLimited.
        """
        try:
            answer = await self._request(
                method, path, query=query, json=json, form=form, headers=headers
            )
        except NEVER_SENT as error:
            log.warning("%s: %s %s: %r", self._name, method, path, type(error).__name__)
            raise ProviderUnavailable(f"{self._name} cannot be reached") from error
        except (httpx.HTTPError, ProviderError) as error:
            log.warning("%s: %s %s: %r", self._name, method, path, type(error).__name__)
            raise Unanswered(f"{self._name} did not answer") from error
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("%s: %s %s: status %d", self._name, method, path, answer.status)
            raise Unanswered(f"{self._name} fails: it answered {answer.status}")
        return answer

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        content = None
        sent = dict(headers or {})
        if json is not None:
            content = simplejson.dumps(json, use_decimal=True).encode()
            sent["Content-Type"] = "application/json"
        started = time.monotonic()
        response = await self._client.request(
            method, path, params=query, content=content, data=form, headers=sent
        )
        self.health.latency = time.monotonic() - started
        self.health.last_answer = datetime.now(UTC)
        self._observe(response.headers)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            wait = retry_after(response.headers)
            raise RateLimited(f"{self._name} limits the rate of requests", retry_after=wait)
        return Answer(response.status_code, self._body(response), response.headers)

    def _body(self, response: httpx.Response) -> Any:
        """The JSON of an answer. Raises ProviderError for a success that is none."""
        if not response.content:
            return None
        try:
            return simplejson.loads(response.content, use_decimal=True)
        except ValueError as error:
            if not response.is_success:
                return None  # a proxy's page; the status says enough
            raise ProviderError(f"{self._name} answered what is not JSON") from error


def is_worth_a_try(error: BaseException) -> bool:
    """Whether to read again; not where the venue has asked for a long silence."""
    if isinstance(error, RateLimited):
        return error.retry_after <= LONGEST_WAIT
    return isinstance(error, ProviderUnavailable)


def wait_for(state: RetryCallState) -> float:
    """Seconds before the next attempt at a read: what the venue asked for, at least anything up to
    a bound that doubles.
    """
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, RateLimited) else 0
    return max(asked, random.uniform(0, FIRST_WAIT * 2.0**state.attempt_number))  # noqa: S311


def retry_after(headers: Mapping[str, str], default: int = 1) -> int:
    """Whole seconds of a Retry-After, which is a number or a date; at least 1."""
    value = headers.get("retry-after", "")
    if value.isdecimal():
        return max(1, int(value))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return default
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(1, round((moment - datetime.now(UTC)).total_seconds()))
