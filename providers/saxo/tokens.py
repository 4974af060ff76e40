"""Access tokens: one for as long as it holds, or one after the other, each before the last ends.

Tokens live about 20 minutes. Whoever needs one asks here; if it is about to expire, one of those
who ask fetches the next and the others wait for it. The venue gives a new refresh token with each
access token, so a venue and a feed with the same settings must share one source of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final
from weakref import WeakValueDictionary

import httpx

from providers.errors import ProviderError, ProviderUnavailable
from providers.live.http import Answer, Http
from providers.live.settings import required
from providers.live.venue import Unanswered
from providers.saxo.settings import SaxoSettings

MARGIN_SECONDS: Final = 60.0
"""How long before its end a token is replaced; half its life if that is shorter."""


class Tokens:
    """The access token of one login. `monotonic` is replaced in tests."""

    def __init__(
        self, settings: SaxoSettings, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = monotonic
        self._lock = asyncio.Lock()
        self._url = settings.endpoints.auth
        self._due: float | None = None
        self.current = ""
        if settings.access_token is not None:
            (self.current,) = required(settings, "access_token")
        else:
            names = ("app_key", "app_secret", "refresh_token")
            self._key, self._secret, self._refresh = required(settings, *names)
            self._due = self._now()

    async def fresh(self) -> str:
        """A token that holds for a while yet.

        Raises ProviderUnavailable, RateLimited, and ProviderError where the login is refused.
        """
        if not self._is_due():
            return self.current
        async with self._lock:
            if self._is_due():  # else another has fetched it meanwhile
                await self._renew()
        return self.current

    def _is_due(self) -> bool:
        return self._due is not None and self._now() >= self._due

    async def _renew(self) -> None:
        answer = await self._ask()
        if not answer.ok or not isinstance(answer.body, dict):
            raise ProviderError(f"Saxo refuses the login: it answered {answer.status}")
        try:
            self._take(answer.body)
        except (KeyError, TypeError, ValueError) as error:
            raise ProviderError("Saxo's answer to the login lacks the token") from error

    async def _ask(self) -> Answer:
        http = Http("saxo-login", self._url, auth=httpx.BasicAuth(self._key, self._secret))
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh}
        try:
            return await http.send("POST", "/token", form=form)
        except Unanswered as error:
            # Whatever needed the token has not been sent.
            raise ProviderUnavailable("Saxo's login does not answer") from error
        finally:
            await http.close()

    def _take(self, body: dict[str, Any]) -> None:
        token, seconds = str(body["access_token"]), float(body["expires_in"])
        self._refresh = str(body.get("refresh_token") or self._refresh)
        self._due = self._now() + max(seconds - MARGIN_SECONDS, seconds / 2)
        self.current = token


class Bearer(httpx.Auth):
    """Adds the current token; `Tokens.fresh` has been awaited before."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self._tokens.current}"
        yield request


_SHARED: WeakValueDictionary[SaxoSettings, Tokens] = WeakValueDictionary()


def shared(settings: SaxoSettings) -> Tokens:
    """The tokens of these settings, the same for everybody who still holds them.

    Raises ValueError, naming the credentials that are not set.
    """
    tokens = _SHARED.get(settings)
    if tokens is None:
        tokens = _SHARED[settings] = Tokens(settings)
    return tokens
