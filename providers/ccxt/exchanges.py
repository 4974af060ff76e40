"""What ccxt does not declare about an exchange: how it carries a client's order id, and its stops.

An exchange is in the table if ccxt sends a `clientOrderId` with a new spot order and finds the
order by it. That was read in ccxt 4.5 and is tried by a test, which looks at the requests that it
makes. Others are refused, unless a setting vouches for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from providers.live.venue import Ticket
from providers.models import OrderType, Side

BY_ID: Final = (("fetch_order", "clientOrderId"),)
STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})

UUIDS: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def nothing_more(_: Ticket) -> Mapping[str, str]:
    return {}


def entry_or_loss(ticket: Ticket) -> Mapping[str, str]:
    """Coinbase Exchange wants a stop's direction beside its price; ccxt sends the price alone."""
    if ticket.stop_price is None:
        return {}
    return {"stop": "entry" if ticket.side is Side.BUY else "loss"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """`client_ids` is a pattern of the ids it takes, matched whole.

    `finds` are the calls of ccxt that look an order up by its client id, and the parameter each
    takes it in; an order that none of them finds is not known to the exchange. `stops` are the
    stop orders that live among the others, with the same ids. `extras` are more parameters of a
    new order. `watch_by_symbol` says that its stream of orders is one for each symbol, and
    `cancel_by_id` that a cancel needs no symbol and is better without. `forgets` says that it
    knows an order no more that was cancelled before it filled.
    """

    client_ids: str
    finds: tuple[tuple[str, str], ...] = BY_ID
    stops: frozenset[OrderType] = frozenset()
    extras: Callable[[Ticket], Mapping[str, str]] = nothing_more
    watch_by_symbol: bool = False
    cancel_by_id: bool = False
    forgets: bool = False


_BINANCE = Exchange(client_ids=r"[A-Za-z0-9_-]{1,36}", stops=STOPS)
_OKX = Exchange(client_ids=r"[A-Za-z0-9]{1,32}")

EXCHANGES: Final[Mapping[str, Exchange]] = {
    "binance": _BINANCE,
    "binanceus": _BINANCE,
    "bitstamp": Exchange(client_ids=r"[A-Za-z0-9_-]{1,36}", watch_by_symbol=True),
    # A stop here is always one with a limit: a market order with a stop is refused. ccxt sends its
    # own symbol as the product of a cancel, so that is better left out.
    "coinbaseexchange": Exchange(
        client_ids=UUIDS,
        stops=frozenset({OrderType.STOP_LIMIT}),
        extras=entry_or_loss,
        watch_by_symbol=True,
        cancel_by_id=True,
        forgets=True,
    ),
    "hashkey": Exchange(client_ids=r"[A-Za-z0-9_-]{1,36}"),
    # ccxt's fetchOrder asks Kraken for the older `userref`, not for the id that createOrder sends.
    "kraken": Exchange(
        client_ids=UUIDS,
        finds=(("fetch_open_orders", "cl_ord_id"), ("fetch_closed_orders", "cl_ord_id")),
    ),
    "mexc": Exchange(client_ids=r"[A-Za-z0-9_-]{1,32}"),
    "myokx": _OKX,
    "okx": _OKX,
    "okxus": _OKX,
}
"""The exchanges known to be safe, by ccxt's ids."""


def known(name: str, client_id_pattern: str) -> Exchange:
    """The exchange of a name. Raises ValueError for one that may not carry client order ids."""
    if name in EXCHANGES:
        return EXCHANGES[name]
    if client_id_pattern:
        return Exchange(client_ids=client_id_pattern)
    raise ValueError(
        f"{name} is not known to carry client order ids, on which safe repeats rest; known are"
        f" {', '.join(sorted(EXCHANGES))}, and client_id_pattern vouches for another"
    )
