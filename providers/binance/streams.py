"""Binance's two streams, one connection at a time: news of the account, and book tickers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from providers.binance import errors
from providers.binance.client import Client
from providers.binance.errors import ClockOff
from providers.binance.market import Listing, streamed_quote
from providers.binance.parse import event_report
from providers.binance.wire import Body, reading
from providers.errors import ProviderError, ProviderUnavailable
from providers.live.venue import Connection, Report, Wanted
from providers.models import Quote

log = logging.getLogger(__name__)

REQUEST: Final = "account"
"""The id of our only request on a connection of the WebSocket API."""
PER_MESSAGE: Final = 200
"""How many streams one message subscribes to; the venue takes up to 1024 on a connection."""

ENDS: Final = frozenset({"eventStreamTerminated", "serverShutdown"})
"""Events after which nothing more comes on this connection."""
ASIDE: Final = frozenset(
    {"outboundAccountPosition", "balanceUpdate", "externalLockUpdate", "listStatus"}
)
"""Events of balances and of lists of orders: both are asked for, not followed."""

Listings = Mapping[str, Listing]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[ClientConnection]:
    """A connection that answers pings, and is given up if ours are not answered."""
    async with connect(url, open_timeout=10, close_timeout=1, max_size=2**22) as socket:
        yield socket


def message_of(text: str | bytes) -> Body:
    """Raises ProviderError for what is not a JSON object."""
    try:
        message = json.loads(text)
    except ValueError as error:
        raise ProviderError("Binance streams what is not JSON") from error
    if not isinstance(message, dict):
        raise ProviderError("Binance streams what is not an object")
    return message


# The account


async def account_session(
    url: str, client: Client, listings: Callable[[], Listings]
) -> AsyncGenerator[Report | Connection, None]:
    """News of orders, for as long as one connection lasts.

    Raises OSError and WebSocketException for the connection, and what `errors` makes of a
    subscription that the venue refuses.
    """
    client.be_patient()
    if client.signer is None:
        raise ProviderError("the account's news need credentials")
    async with connected(url) as socket:
        await socket.send(json.dumps(client.signer.subscription(REQUEST)))
        async for text in socket:
            message = message_of(text)
            if message.get("id") == REQUEST:
                await subscribed(message, client)
                yield Connection(up=True)
                continue
            event = message.get("event", message)
            kind = event.get("e")
            if kind in ENDS:
                return
            report = report_of(kind, event, listings())
            if report is not None:
                yield report


async def subscribed(message: Body, client: Client) -> None:
    """Raises for a subscription that was refused; one with a bad timestamp sets our clock."""
    if message.get("status") == 200:
        return
    refusal = errors.failed(message.get("error"), reading(_status, message), command=False)
    if isinstance(refusal, ClockOff):
        await client.synchronize()
        raise ProviderUnavailable("Binance refused our timestamp") from refusal
    raise refusal


def _status(message: Body) -> int:
    return int(message["status"])


def report_of(kind: Any, event: Body, listings: Listings) -> Report | None:
    """The report in an event; None if it has none, or is of a symbol that is not ours to trade.

    Kinds of event are added now and then. A new one is logged and left out rather than raised:
    that would end the stream, and do so again each time it came back.
    """
    if kind == "executionReport":
        listing = listings.get(str(event.get("s")))
        return None if listing is None else event_report(event, listing)
    if kind not in ASIDE:
        log.warning("Binance streams an event of an unknown kind: %r", kind)
    return None


# Prices


async def market_session(
    url: str, wanted: Wanted, listings: Callable[[], Listings], read: QuoteOf
) -> AsyncGenerator[Quote | Connection, None]:
    """Book tickers of the wanted symbols, for as long as one connection lasts."""
    async with connected(f"{url}/ws") as socket:
        first = native_names(wanted.symbols, listings())
        await ask(socket, "SUBSCRIBE", first)
        up = not first
        if up:
            yield Connection(up=True)
        following = asyncio.create_task(follow(socket, wanted, listings, first))
        try:
            async for text in socket:
                if following.done():
                    await following
                message = message_of(text)
                if message.get("e") in ENDS:
                    return
                if "id" in message:
                    check(message)
                    if not up:
                        up = True
                        yield Connection(up=True)
                    continue
                quote = read(message)
                if quote is not None and quote.symbol in wanted.symbols:
                    yield quote
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await following


QuoteOf = Callable[[Body], Quote | None]


def quote_reader(listings: Callable[[], Listings], provider: str, client: Client) -> QuoteOf:
    """Reads book tickers; they tell no time, so theirs is that of their coming."""

    def read(message: Body) -> Quote | None:
        listing = listings().get(str(message.get("s")))
        if listing is None:
            raise ProviderError("Binance streams what was not subscribed to")
        return streamed_quote(message, listing, provider, client.time.clock())

    return read


async def follow(
    socket: ClientConnection,
    wanted: Wanted,
    listings: Callable[[], Listings],
    subscribed_to: frozenset[str],
) -> None:
    """Subscribe and unsubscribe as other symbols are wanted."""
    while True:
        names = native_names(await wanted.change(), listings())
        await ask(socket, "UNSUBSCRIBE", subscribed_to - names)
        await ask(socket, "SUBSCRIBE", names - subscribed_to)
        subscribed_to = names


def native_names(symbols: Iterable[str], listings: Listings) -> frozenset[str]:
    """The streams of these symbols; one that the venue does not have is left out."""
    natives = (symbol.replace("/", "") for symbol in symbols)
    return frozenset(f"{native.lower()}@bookTicker" for native in natives if native in listings)


async def ask(socket: ClientConnection, method: str, names: frozenset[str]) -> None:
    """One message, or as many as needed; the venue takes no more than 5 a second."""
    ordered = sorted(names)
    for number, start in enumerate(range(0, len(ordered), PER_MESSAGE), 1):
        params = ordered[start : start + PER_MESSAGE]
        await socket.send(json.dumps({"method": method, "params": params, "id": number}))


def check(message: Body) -> None:
    """Raises ProviderError where a subscription was refused."""
    if "error" in message or "code" in message:
        told = message.get("error", message)
        raise ProviderError(f"Binance refused a subscription: {told}")
