"""Quotes and bars."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime

from contract_tests.requirements import requirement
from contract_tests.spec import enum
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.client import Answer
from contract_tests.toolkit.expect import NotDeclared, NotExercised, dec, equal, that
from contract_tests.toolkit.invariants import moment
from contract_tests.toolkit.market import ALIASES, UNKNOWN_SYMBOL, bars_path, quote_path

MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440, "1w": 10080}
"""The length of the timeframes that checks compare."""


def bars(api: Api, timeframe: str, **query: object) -> list[Body]:
    """The bars of the instrument that checks use; raises NotExercised when there are none."""
    path = bars_path(api.market.instrument.symbol)
    found: list[Body] = api.get(path, {"timeframe": timeframe, **query}).ok()
    if not found:
        raise NotExercised(f"no {timeframe} bars of {api.market.instrument.symbol}")
    shown = {(bar["symbol"], bar["timeframe"]) for bar in found}
    equal(shown, {(api.market.instrument.symbol, timeframe)}, "the symbol and timeframe of bars")
    return found


@requirement("QUO-001")
def quote_has_bid_and_ask(api: Api) -> None:
    """Every symbol found answers its own quote with both sides and their sizes."""
    for instrument in api.market.quoted:
        quote = api.get(quote_path(instrument.symbol)).ok()
        equal(quote["symbol"], instrument.symbol, "the symbol of the quote")
        for name in ("bid", "ask"):
            that(dec(quote[name], name) > 0, name, expected="above 0", actual=quote[name])
        for name in ("bid_size", "ask_size"):
            size = quote[name]
            sane = size is None or dec(size, name) >= 0
            that(sane, name, expected="0 or more, or null", actual=size)


@requirement("QUO-002")
def bid_last_ask_are_in_order(api: Api) -> None:
    """bid < ask and bid <= last <= ask, for every symbol."""
    for instrument in api.market.quoted:
        quote = api.get(quote_path(instrument.symbol)).ok()
        bid, ask = (dec(quote[name], name) for name in ("bid", "ask"))
        that(bid < ask, "bid is below ask", expected=f"below {ask}", actual=bid)
        if quote["last"] is not None:
            last = dec(quote["last"], "last")
            that(bid <= last <= ask, "last", expected=f"{bid} to {ask}", actual=last)


@requirement("QUO-003")
def unknown_symbol_has_no_quote(api: Api) -> None:
    """A symbol that nobody trades is 404; a known one is 200."""
    api.get(quote_path(UNKNOWN_SYMBOL)).refused(404)
    api.get(quote_path(api.market.instrument.symbol)).ok()


@requirement("QUO-006")
def unknown_symbol_is_named(api: Api) -> None:
    """The 404 of a symbol that nobody trades says so and names it; a known one is 200."""
    details = api.get(quote_path(UNKNOWN_SYMBOL)).refused(404, "SYMBOL_NOT_FOUND")
    named = {name: details.get(name) for name in ("resource", "id")}
    equal(named, {"resource": "symbol", "id": UNKNOWN_SYMBOL}, "details")
    api.get(quote_path(api.market.instrument.symbol)).ok()


@requirement("QUO-004")
def aliases_resolve(api: Api) -> None:
    """An alias answers the quote of the symbol it stands for, under the symbol's own name."""
    symbols = {one.symbol for one in api.market.quoted}
    known = {alias: symbol for alias, symbol in ALIASES.items() if symbol in symbols}
    if not known:
        raise NotDeclared("none of the symbols that have an alias is quoted")
    for alias, symbol in known.items():
        quote = api.get(quote_path(alias)).ok()
        equal(quote["symbol"], symbol, f"the symbol that {alias} stands for")
        for bar in api.get(bars_path(alias), {"timeframe": "1h", "limit": 1}).ok():
            equal(bar["symbol"], symbol, f"the symbol of the bars of {alias}")


@requirement("QUO-005")
def slash_may_be_raw_or_encoded(api: Api) -> None:
    """A symbol with a slash answers to both spellings, for quotes and for bars."""
    slashed = [one.symbol for one in api.market.quoted if "/" in one.symbol]
    if not slashed:
        raise NotDeclared("no symbol with a slash is quoted")
    for symbol in slashed:
        for spelling in (symbol, symbol.replace("/", "%2F"), symbol.replace("/", "%2f")):
            quote = api.get(f"/quotes/{spelling}").ok()
            equal(quote["symbol"], symbol, f"the symbol behind {spelling}")
        for bar in api.get(f"/bars/{symbol}", {"timeframe": "1d", "limit": 1}).ok():
            equal(bar["symbol"], symbol, f"the bars of {symbol}")


STATED = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")
"""The timeframes of the protocol's founding document; the others are ours."""


@requirement("BAR-001")
def timeframe_is_needed_and_known(api: Api) -> None:
    """Without timeframe or with nonsense it is 400; with each stated one it is 200."""
    path = bars_path(api.market.instrument.symbol)
    api.get(path).refused(400)
    for nonsense in ("", "hourly", "soon"):
        api.get(path, {"timeframe": nonsense}).refused(400)
    _accepted(api, STATED)


@requirement("BAR-010")
def wrong_timeframe_is_named(api: Api) -> None:
    """None, or one that is not listed, is refused by name; every listed one is accepted."""
    path = bars_path(api.market.instrument.symbol)
    api.get(path).refused(400, field="timeframe")
    for unknown in ("3m", "1", "", "hour", "1y"):
        api.get(path, {"timeframe": unknown}).refused(400, field="timeframe")
    _accepted(api, enum("Timeframe"))


def _accepted(api: Api, timeframes: Iterable[str]) -> None:
    path = bars_path(api.market.instrument.symbol)
    for timeframe in timeframes:
        for bar in api.get(path, {"timeframe": timeframe, "limit": 2}).ok():
            equal(bar["timeframe"], timeframe, "the timeframe of the bar")


@requirement("BAR-002")
def start_and_end_are_inclusive(api: Api) -> None:
    """A range from one bar to another answers both and all between, and nothing else."""
    known = sorted(_opened(bars(api, "1h", limit=12)))
    if len(known) < 6:
        raise NotExercised(f"only {len(known)} bars of an hour are there")
    chosen = known[2:-2]
    first, last = chosen[0].isoformat(), chosen[-1].isoformat()
    inside = sorted(_opened(bars(api, "1h", start=first, end=last)))
    equal(inside, chosen, "the bars from start to end")
    only = _opened(bars(api, "1h", start=first, end=first))
    equal(only, chosen[:1], "the bars where start is end")
    after = (chosen[0] + timedelta(seconds=1)).isoformat()
    later = sorted(_opened(bars(api, "1h", start=after, end=last)))
    equal(later, chosen[1:], "the bars after the first opened")


def _opened(found: list[Body]) -> list[datetime]:
    return [moment(bar["timestamp"]) for bar in found]


@requirement("BAR-003")
def limit_bounds_the_bars(api: Api) -> None:
    """Of several bars, limit 1 and 2 keep no more than that, and not none."""
    if len(bars(api, "1h")) < 3:
        raise NotExercised("there are no three bars of an hour")
    for limit in (1, 2):
        kept = len(bars(api, "1h", limit=limit))
        that(kept <= limit, f"the bars of limit {limit}", expected=f"at most {limit}", actual=kept)


@requirement("BAR-004")
def limit_keeps_the_most_recent(api: Api) -> None:
    """Of a fixed range limit keeps the end."""
    known = bars(api, "1h", limit=10)
    if len(known) < 4:
        raise NotExercised(f"only {len(known)} bars of an hour are there")
    window = {"start": known[0]["timestamp"], "end": known[-1]["timestamp"]}
    equal(bars(api, "1h", limit=3, **window), known[-3:], "the bars that limit 3 keeps")


@requirement("BAR-005")
def bars_are_closed_and_ascending(api: Api) -> None:
    """Bars ascend, each is over, and its prices lie between low and high."""
    path = bars_path(api.market.instrument.symbol)
    for timeframe in ("1m", "1h", "1d"):
        answer = api.get(path, {"timeframe": timeframe, "limit": 50})
        found = answer.ok()
        if not found:
            continue
        times = _opened(found)
        answer.that(times == sorted(set(times)), "bars ascend", times[:3])
        closes = times[-1] + timedelta(minutes=MINUTES[timeframe])
        now = _server_time(answer) + timedelta(seconds=2)
        answer.that(closes <= now, f"the last {timeframe} bar is closed", f"it closes {closes}")
        for bar in found:
            low, high, open_, close = (dec(bar[k], k) for k in ("low", "high", "open", "close"))
            answer.that(low <= min(open_, close) <= max(open_, close) <= high, "prices", bar)


def _server_time(answer: Answer) -> datetime:
    date = answer.headers.get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)


@requirement("BAR-006")
def start_after_end_is_refused(api: Api) -> None:
    """A range that ends before it starts is refused; one that ends where it starts is not."""
    path = bars_path(api.market.instrument.symbol)
    early, late = "2025-01-15T10:00:00Z", "2025-01-15T11:00:00Z"
    backwards = {"timeframe": "1h", "start": late, "end": early}
    api.get(path, backwards).refused(400, "INVALID_VALUE")
    api.get(path, backwards | {"start": early}).ok()


@requirement("BAR-007")
def unknown_symbol_has_no_bars(api: Api) -> None:
    """A symbol that nobody trades is 404; a known one is 200."""
    query = {"timeframe": "1h"}
    api.get(bars_path(UNKNOWN_SYMBOL), query).refused(404)
    api.get(bars_path(api.market.instrument.symbol), query).ok()


@requirement("BAR-009")
def unknown_symbol_of_bars_is_named(api: Api) -> None:
    """The 404 of a symbol that nobody trades says so and names it; a known one is 200."""
    query = {"timeframe": "1h"}
    details = api.get(bars_path(UNKNOWN_SYMBOL), query).refused(404, "SYMBOL_NOT_FOUND")
    equal(details.get("id"), UNKNOWN_SYMBOL, "details.id")
    api.get(bars_path(api.market.instrument.symbol), query).ok()


@requirement("BAR-008")
def higher_bars_aggregate_lower_ones(api: Api) -> None:
    """A bar's open, high, low, close and volume are those of the lower bars that it spans."""
    for higher, lower in (("5m", "1m"), ("1h", "5m"), ("4h", "1h")):
        for whole in bars(api, higher, limit=3):
            start = moment(whole["timestamp"])
            last = start + timedelta(minutes=MINUTES[higher] - MINUTES[lower])
            window = {"start": start.isoformat(), "end": last.isoformat()}
            parts = bars(api, lower, **window)
            equal(_prices([whole]), _prices(parts), f"the {higher} bar of {whole['timestamp']}")


def _prices(parts: Iterable[Body]) -> dict[str, Decimal]:
    listed = list(parts)
    return {
        "open": dec(listed[0]["open"]),
        "high": max(dec(one["high"]) for one in listed),
        "low": min(dec(one["low"]) for one in listed),
        "close": dec(listed[-1]["close"]),
        "volume": sum((dec(one["volume"]) for one in listed), Decimal(0)),
    }
