"""Alpaca's market data and our quotes and bars, both ways: pure functions.

Prices and sizes are JSON numbers; sizes of stocks are in shares (in round lots before 2025-11-03).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from providers.alpaca.errors import stream_error
from providers.alpaca.parse import Json, as_specified
from providers.base import BarQuery
from providers.errors import TradingError
from providers.live.reading import moment, timestamp
from providers.models import Bar, Quote, Timeframe

PROVIDER: Final = "alpaca"
PAGE: Final = 10_000
"""The most bars that one answer may have."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before Alpaca's history begins. Without a start it would answer with the present day."""

TIMEFRAMES: Final = {
    Timeframe.M1: ("1Min", timedelta(minutes=1)),
    Timeframe.M2: ("2Min", timedelta(minutes=2)),
    Timeframe.M5: ("5Min", timedelta(minutes=5)),
    Timeframe.M10: ("10Min", timedelta(minutes=10)),
    Timeframe.M15: ("15Min", timedelta(minutes=15)),
    Timeframe.M30: ("30Min", timedelta(minutes=30)),
    Timeframe.H1: ("1Hour", timedelta(hours=1)),
    Timeframe.H2: ("2Hour", timedelta(hours=2)),
    Timeframe.H4: ("4Hour", timedelta(hours=4)),
    Timeframe.H12: ("12Hour", timedelta(hours=12)),
    Timeframe.D1: ("1Day", timedelta(days=1)),
    Timeframe.W1: ("1Week", timedelta(weeks=1)),
}
"""Alpaca's names, and how long after its opening time a bar has closed."""


def number(value: Any) -> Decimal:
    """A JSON number, which is an int or a Decimal here."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError(f"{value!r} is not a number")
    return Decimal(value)


@as_specified("snapshot")
def snapshots(answer: Mapping[str, Json | None]) -> list[Quote]:
    """The quotes in force, from a call for snapshots; a symbol without one is left out."""
    found = (_snapshot(symbol, each) for symbol, each in answer.items() if each)
    return [each for each in found if each is not None]


def _snapshot(symbol: str, each: Json) -> Quote | None:
    latest, trade, day = (each.get(name) for name in ("latestQuote", "latestTrade", "dailyBar"))
    if not latest:
        return None
    last = number(trade["p"]) if trade else None
    return _quote(symbol, latest, last, number(day["v"]) if day else None)


@as_specified("quote")
def quote(message: Json, last: Mapping[str, Decimal]) -> Quote | None:
    """A quote of the stream, with the last price that was told; None if a side is empty."""
    return _quote(message["S"], message, last.get(message["S"]), None)


def _quote(symbol: str, told: Json, last: Decimal | None, volume: Decimal | None) -> Quote | None:
    """None where a side is empty, which Alpaca writes as a price of 0, or the two are crossed."""
    bid, ask = number(told["bp"]), number(told["ap"])
    if not 0 < bid < ask:
        return None
    return Quote(
        symbol=symbol,
        provider=PROVIDER,
        bid=bid,
        bid_size=number(told["bs"]),
        ask=ask,
        ask_size=number(told["as"]),
        last=last,
        volume=volume,
        timestamp=moment(told["t"]),
    )


@as_specified("trade")
def trade(message: Json) -> tuple[str, Decimal]:
    """The symbol and the price of a trade of the stream."""
    return message["S"], number(message["p"])


@as_specified("error")
def failure(message: Json) -> TradingError:
    """An error message of the stream."""
    return stream_error(int(message["code"]), str(message["msg"]))


def bars_request(query: BarQuery, at: datetime, page: str | None) -> dict[str, str]:
    """The parameters of one page of bars, the most recent first; those that have closed at `at`."""
    name, length = TIMEFRAMES[query.timeframe]
    last = at - length
    parameters = {
        "symbols": query.symbol,
        "timeframe": name,
        "start": timestamp(query.start or EARLIEST),
        "end": timestamp(min(query.end, last) if query.end else last),
        "limit": str(min(query.limit, PAGE)),
        "sort": "desc",
    }
    return parameters | ({"page_token": page} if page else {})


@as_specified("page of bars")
def bars(answer: Json, query: BarQuery) -> tuple[list[Bar], str | None]:
    """The bars of one page in Alpaca's order, and the token of the next page if there is one."""
    told: Iterable[Json] = (answer["bars"] or {}).get(query.symbol) or ()
    found = [
        Bar(
            symbol=query.symbol,
            provider=PROVIDER,
            timeframe=query.timeframe,
            timestamp=moment(each["t"]),
            open=number(each["o"]),
            high=number(each["h"]),
            low=number(each["l"]),
            close=number(each["c"]),
            volume=number(each["v"]),
        )
        for each in told
    ]
    return found, answer["next_page_token"]
