"""Frames of the event stream as they go over the wire; the same for every simulated exchange."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from providers.base import FrameType
from providers.engine.state import EventType
from providers.exchange.documents import encode, from_micros
from providers.models import Bar, Quote


def logged(type_: EventType, name: str, at: int, document: str) -> str:
    """An event of an account, of a moment in microseconds; without its id."""
    frame: dict[str, Any] = {"type": type_, "timestamp": from_micros(at)}
    if type_ is EventType.ERROR:
        frame |= orjson.loads(document)
    else:
        frame |= {"event": name, type_.value: orjson.Fragment(document)}
    if type_ is EventType.ORDER and (parent := orjson.loads(document)["parent_order_id"]):
        frame["parent_order_id"] = parent
    return orjson.dumps(frame, option=orjson.OPT_UTC_Z).decode()


def numbered(frame: str, event_id: int) -> str:
    """A frame with the id by which it is acknowledged and resumed from."""
    return f'{{"event_id":"{event_id}",{frame[1:]}'


def connected(at: datetime, broker: str, after: int) -> str:
    """The first frame of a subscription, which goes on after an event of that id."""
    return _frame(
        FrameType.CONNECTION, at, event="CONNECTED", broker=broker, last_event_id=str(after)
    )


def broker_connection(at: datetime, event: str, broker: str, **details: object) -> str:
    """What became of the connection to a venue: BROKER_DISCONNECTED, BROKER_RECONNECTED, ..."""
    return _frame(FrameType.CONNECTION, at, event=event, broker=broker, **details)


def data_staleness(
    at: datetime, broker: str, symbols: Iterable[str], stale_since: datetime | None
) -> str:
    """Symbols whose quotes have stopped to come, or (None) come again."""
    if stale_since is None:
        return _frame(
            FrameType.DATA_STALENESS, at, event="FRESH", symbols=sorted(symbols), broker=broker
        )
    return _frame(
        FrameType.DATA_STALENESS,
        at,
        event="STALE",
        symbols=sorted(symbols),
        broker=broker,
        stale_since=stale_since,
    )


def rate_limit(at: datetime, event: str, remaining: int, reset_at: datetime) -> str:
    """How near a venue's limit is: RATE_LIMIT_WARNING or RATE_LIMIT_HIT."""
    return _frame(
        FrameType.RATE_LIMIT, at, event=event, requests_remaining=remaining, reset_at=reset_at
    )


def quoted(quote: Quote) -> str:
    return _frame(FrameType.QUOTE, quote.timestamp, quote=orjson.Fragment(encode(quote)))


def charted(bar: Bar, closed: datetime) -> str:
    """A bar, told at the moment at which it has closed."""
    return _frame(FrameType.CANDLE, closed, bar=orjson.Fragment(encode(bar)))


def backtest_complete(at: datetime, broker: str) -> str:
    return _frame(FrameType.BACKTEST_COMPLETE, at, broker=broker)


def _frame(type_: FrameType, at: datetime, **content: object) -> str:
    frame = {"type": type_, "timestamp": at, **content}
    return orjson.dumps(frame, option=orjson.OPT_UTC_Z).decode()
