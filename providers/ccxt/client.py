"""ccxt itself: one instance of an exchange, and our policy around each call of it.

Reads are repeated, with backoff and jitter, when the exchange is not reached or limits the rate.
Commands are made once: ccxt repeats nothing unless it is told to, and here it is told not to.
Numbers come as the text that the exchange sent, never through a float.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import ccxt.pro  # type: ignore[import-untyped]
from ccxt.base.errors import BaseError  # type: ignore[import-untyped]

from providers.ccxt.errors import NONSENSE, translated
from providers.ccxt.settings import PREFIX, CcxtSettings
from providers.errors import ProviderUnavailable, RateLimited
from providers.live.http import LONGEST_WAIT, READ_ATTEMPTS, retry_after
from providers.live.reconnecting import full_jitter
from providers.live.settings import Environment, required
from providers.live.venue import Gone, Refused

log = logging.getLogger(__name__)

CREDENTIALS: Final = {"apiKey": "api_key", "secret": "secret", "password": "password"}
"""ccxt's names of what an exchange may ask for, and ours."""

# ccxt logs requests with their headers, which have keys in them, at the level DEBUG.
quiet = logging.getLogger(f"{__name__}.library")
quiet.setLevel(logging.INFO)


def exact(body: str) -> Any:
    """JSON with every fractional number as its text, which ccxt takes as it takes numbers."""
    return json.loads(body, parse_float=str)


class Client:
    """One exchange, with the account's credentials or without. Nothing connects before a call.

    Raises ValueError for an exchange that is not known, is not a spot exchange, needs credentials
    of another kind, or has no sandbox when the environment is paper.
    """

    def __init__(self, settings: CcxtSettings, *, private: bool) -> None:
        self.name = f"{settings.exchange}-{settings.environment.value}"
        self._secrets: list[str] = []
        credentials = self._credentials(settings) if private else {}
        self.library = make(settings, credentials)

    def _credentials(self, settings: CcxtSettings) -> Mapping[str, str]:
        wanted = [key for key, needs in asks(settings.exchange).items() if needs]
        unknown = sorted(set(wanted) - set(CREDENTIALS))
        if unknown:
            raise ValueError(
                f"{settings.exchange} asks for credentials of a kind not known here:"
                f" {', '.join(unknown)}"
            )
        values = required(settings, *(CREDENTIALS[key] for key in wanted))
        self._secrets = list(values)
        return dict(zip(wanted, values, strict=True))

    async def close(self) -> None:
        await self.library.close()

    def has(self, feature: str) -> bool:
        """Whether ccxt declares a method for this exchange, also one it makes of others."""
        return bool(self.library.has.get(feature))

    def feature(self, method: str) -> Mapping[str, Any]:
        """What ccxt declares about a method for spot markets."""
        features = self.library.features or {}
        return (features.get("spot") or {}).get(method) or {}

    @property
    def streams(self) -> bool:
        """Whether this world of the exchange has an address for streams at all."""
        urls = self.library.urls["api"]
        return isinstance(urls, dict) and "ws" in urls

    async def read(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of ccxt that changes nothing.

        Raises ProviderUnavailable, RateLimited, ProviderError and, for an order that the exchange
        does not know, Gone.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._call(method, arguments, named, command=False)
            except (ProviderUnavailable, RateLimited) as error:
                if attempt == READ_ATTEMPTS:
                    raise
                await asyncio.sleep(min(LONGEST_WAIT, full_jitter(attempt) + pause(error)))

    async def command(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of ccxt that changes something, once.

        Raises ProviderUnavailable, Unanswered, RateLimited, ProviderError, Refused and Gone.
        """
        return await self._call(method, arguments, named, command=True)

    async def watch(self, method: str, *arguments: Any) -> Any:
        """Wait for what a stream tells next. Raises as `read` does."""
        return await self._call(method, arguments, {}, command=False)

    async def _call(
        self, method: str, arguments: tuple[Any, ...], named: Mapping[str, Any], *, command: bool
    ) -> Any:
        try:
            return await getattr(self.library, method)(*arguments, **named)
        except (BaseError, *NONSENSE) as error:
            failure = translated(
                error,
                name=self.name,
                command=command,
                secrets=self._secrets,
                wait=self._limited_for(),
            )
        if not isinstance(failure, (Gone, Refused)):  # those are answers
            log.warning("%s: %s: %s", self.name, method, failure)
        raise failure

    def _limited_for(self) -> int:
        headers = self.library.last_response_headers or {}
        return retry_after({str(name).lower(): str(value) for name, value in headers.items()})


def pause(error: Exception) -> float:
    """Seconds that the exchange wants to be left alone for."""
    return float(error.retry_after) if isinstance(error, RateLimited) else 0.0


def asks(name: str) -> Mapping[str, bool]:
    """Which credentials an exchange asks for. Raises ValueError for an exchange ccxt has not."""
    return found(name)().requiredCredentials  # type: ignore[no-any-return]


def found(name: str) -> Any:
    """ccxt's class of an exchange, with streams where there are some. Raises ValueError."""
    if name not in ccxt.exchanges:
        raise ValueError(f"ccxt has no exchange {name!r}")
    return getattr(ccxt.pro if name in ccxt.pro.exchanges else ccxt.async_support, name)


def make(settings: CcxtSettings, credentials: Mapping[str, str]) -> Any:
    """An instance of ccxt's class as we want it. Raises ValueError."""
    config: dict[str, Any] = {
        **credentials,
        "enableRateLimit": True,
        "timeout": round(settings.timeout * 1000),
        "logger": quiet,
        "options": {
            "maxRetriesOnFailure": 0,
            "defaultType": "spot",
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        },
    }
    if settings.requests_per_second:
        config["rateLimit"] = 1000 / settings.requests_per_second
    library = found(settings.exchange)(config)
    if not library.has["spot"]:
        raise ValueError(f"{settings.exchange} has no spot markets")
    library.number = str
    library.on_json_response = exact
    if settings.environment is Environment.PAPER:
        if not library.urls.get("test"):
            raise ValueError(f"{settings.exchange} has no sandbox: set {PREFIX}ENVIRONMENT=live")
        library.set_sandbox_mode(True)
    if settings.base_url:
        library.urls["api"] = moved(library.urls["api"], settings.base_url)
        if not settings.base_url.startswith("https"):
            library.timeout_on_exit = 0  # milliseconds that only TLS needs to end well
    return library


def moved(urls: Any, base: str) -> Any:
    """Addresses with another scheme and host: those of streams stay such of streams."""
    if isinstance(urls, dict):
        return {name: moved(each, base) for name, each in urls.items()}
    host = urlsplit(base).netloc
    stream, secure = urls.startswith("ws"), base.startswith("https")
    scheme = {(True, True): "wss", (True, False): "ws", (False, True): "https"}.get(
        (stream, secure), "http"
    )
    return re.sub(r"^\w+://[^/]+", f"{scheme}://{host}", urls)
