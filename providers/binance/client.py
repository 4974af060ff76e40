"""Calls of Binance's REST API, signed and not: I/O only.

A signed request carries a timestamp of the venue's time and an HMAC-SHA256 of its query string,
percent-encoded as it is sent. Our clock may be off: the difference is measured at the start, and
again whenever the venue refuses a timestamp (-1021).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from providers.base import Clock
from providers.binance import errors
from providers.binance.errors import ClockOff
from providers.binance.settings import BinanceSettings
from providers.binance.wire import from_ms, reading, to_ms
from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.http import Answer, Http, Query, retry_after
from providers.live.settings import required
from providers.live.venue import Limits

log = logging.getLogger(__name__)

WEIGHT_USED: Final = "x-mbx-used-weight-1m"
SUBSCRIBE: Final = "userDataStream.subscribe.signature"
ZERO: Final = timedelta(0)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class VenueTime:
    """The venue's time: that of our clock and `offset`."""

    clock: Clock
    offset: timedelta = ZERO

    def now(self) -> datetime:
        return self.clock() + self.offset

    def learn(self, told: datetime, asked: datetime, answered: datetime) -> None:
        """The venue told its time somewhere between the two moments of our clock."""
        self.offset = told - (asked + (answered - asked) / 2)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one key; the secret is in no repr."""

    key: str = field(repr=False)
    secret: bytes = field(repr=False)
    recv_window: int
    time: VenueTime

    def stamp(self) -> dict[str, str]:
        """What every signed request says of when it was made."""
        return {"recvWindow": str(self.recv_window), "timestamp": str(to_ms(self.time.now()))}

    def signature(self, payload: str) -> str:
        return hmac.new(self.secret, payload.encode(), hashlib.sha256).hexdigest()

    def subscription(self, request_id: str) -> dict[str, Any]:
        """The message of the WebSocket API that subscribes its connection to the account's news.

        Signed are the parameters in alphabetical order.
        """
        stamp = self.stamp()
        payload = urlencode(sorted({"apiKey": self.key, **stamp}.items()))
        params: dict[str, Any] = {"apiKey": self.key}
        params |= {name: int(value) for name, value in stamp.items()}
        params["signature"] = self.signature(payload)
        return {"id": request_id, "method": SUBSCRIBE, "params": params}


class Signed(httpx.Auth):
    """Adds the key, the timestamp and the signature to a request."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        stamp = urlencode(self._signer.stamp()).encode()
        query = b"&".join(part for part in (request.url.query, stamp) if part)
        signature = self._signer.signature(query.decode())
        request.url = request.url.copy_with(query=query + b"&signature=" + signature.encode())
        request.headers["X-MBX-APIKEY"] = self._signer.key
        yield request


class Client:
    """The REST API. Without credentials only `public` works.

    Raises what `providers.live.http` raises. A read raises ProviderError for a request that the
    venue did not like; what a command raises is in `errors`.
    """

    def __init__(
        self, name: str, settings: BinanceSettings, *, clock: Clock, trades: bool = False
    ) -> None:
        self.time = VenueTime(clock)
        self.limits: Limits | None = None
        self.weight_limit: int | None = None
        self._name = name
        self._banned_until: datetime | None = None
        url = settings.endpoints.rest
        self._public = Http(name, url, observe=self._observe)
        self.signer: Signer | None = None
        self._signed: Http | None = None
        if trades:
            key, secret = required(settings, "api_key", "api_secret")
            self.signer = Signer(key, secret.encode(), settings.recv_window, self.time)
            self._signed = Http(name, url, auth=Signed(self.signer), observe=self._observe)

    async def close(self) -> None:
        await self._public.close()
        if self._signed is not None:
            await self._signed.close()

    async def synchronize(self) -> None:
        """Learn the venue's time."""
        asked = self.time.clock()
        body = await self.public("/api/v3/time")
        self.time.learn(reading(_server_time, body), asked, self.time.clock())

    async def public(self, path: str, query: Query | None = None) -> Any:
        """Read what anybody may."""
        return self._body(await self._get(self._public, path, query), command=False)

    async def look_up(self, native: str) -> Any | None:
        """exchangeInfo of one symbol; None if the venue does not have it."""
        answer = await self._get(self._public, "/api/v3/exchangeInfo", {"symbol": native})
        if errors.code_of(answer) in (errors.UNKNOWN_SYMBOL, errors.ILLEGAL_CHARACTERS):
            return None
        return self._body(answer, command=False)

    async def read(self, path: str, query: Query | None = None) -> Any:
        """Read of the account. Raises Gone for an order that the venue does not know."""
        answer = await self._get(self._account(), path, query)
        if errors.code_of(answer) == errors.CLOCK_OFF:
            log.warning("%s: our clock is off: asking for the time", self._name)
            await self.synchronize()
            answer = await self._get(self._account(), path, query)
        try:
            return self._body(answer, command=False)
        except ClockOff as error:
            raise ProviderUnavailable(f"{self._name} refuses our timestamps") from error

    async def command(self, method: str, path: str, query: Mapping[str, str]) -> Any:
        """Raises Unanswered, Refused and Gone.

        A command that was refused for its timestamp is not sent again here: ProviderUnavailable
        says that it was not done, and the next one has the venue's time.
        """
        self.be_patient()
        answer = await self._account().send(method, path, query=query)
        try:
            return self._body(answer, command=True)
        except ClockOff as error:
            log.warning("%s: our clock is off: asking for the time", self._name)
            await self.synchronize()
            raise ProviderUnavailable(f"{self._name} refused our timestamp") from error

    def be_patient(self) -> None:
        """Raises RateLimited while this address is banned: asking would make it longer."""
        if self._banned_until is None:
            return
        left = self._banned_until - self.time.clock()
        if left > ZERO:
            raise RateLimited(
                f"{self._name} has banned this address for a while",
                retry_after=max(1, round(left.total_seconds())),
            )
        self._banned_until = None

    async def _get(self, http: Http, path: str, query: Query | None) -> Answer:
        self.be_patient()
        return await http.get(path, query)

    def _account(self) -> Http:
        if self._signed is None:
            raise ProviderError(f"{self._name} was started without credentials")
        return self._signed

    def _body(self, answer: Answer, *, command: bool) -> Any:
        if answer.ok:
            return answer.body
        if answer.status == HTTPStatus.IM_A_TEAPOT:
            wait = timedelta(seconds=retry_after(answer.headers))
            self._banned_until = self.time.clock() + wait
        raise errors.failure(answer, command=command)

    def _observe(self, headers: Mapping[str, str]) -> None:
        used = headers.get(WEIGHT_USED, "")
        if self.weight_limit is None or not used.isdecimal():
            return
        this_minute = self.time.now().replace(second=0, microsecond=0)
        self.limits = Limits(
            remaining=max(0, self.weight_limit - int(used)),
            reset_at=this_minute + timedelta(minutes=1),
        )


def _server_time(body: Any) -> datetime:
    return from_ms(body["serverTime"])
