"""Wrong quotes and bars."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from contract_tests.mutants.kit import (
    Answers,
    Change,
    answer,
    blind_to,
    each,
    forgiving,
    instead,
    listed,
    member,
    plus,
    reading,
    setting,
    times,
    unknown,
    unknown_is,
    unknown_is_invalid,
    unknown_is_unnamed,
)
from contract_tests.mutants.messages import (
    Body,
    Forward,
    Request,
    Response,
    answering,
    failing,
)
from contract_tests.mutants.mutant import Table
from contract_tests.mutants.table_listing import later

TABLE: Final = Table()
add = TABLE.add


def quotes(change: Change) -> Answers:
    """Every quote changed."""
    return each("Quote", change)


add("QUO-001", "quotes name no symbol", lambda: answer("get_quote").dropping("symbol"))
add(
    "QUO-001",
    "quotes write symbols without a slash",
    lambda: quotes(member("symbol", lambda v: v.replace("/", ""))),
)
add("QUO-001", "quotes lack the size of the bid", lambda: answer("get_quote").dropping("bid_size"))
add("QUO-001", "quotes lack an ask", lambda: answer("get_quote").dropping("ask"))
add("QUO-001", "quotes lack their time", lambda: answer("get_quote").dropping("timestamp"))
add("QUO-001", "every quote is that of AAPL", lambda: instead_of_all)


def instead_of_all(request: Request, forward: Forward) -> Response:
    """The quote of one symbol is that of all."""
    response = forward(request)
    known = request.names("get_quote") and response.status == 200
    return forward(request.asking("GET", "/quotes/AAPL")) if known else response


add(
    "QUO-002",
    "bid and ask are swapped",
    lambda: quotes(lambda one: one | {"bid": one["ask"], "ask": one["bid"]}),
)
add(
    "QUO-002",
    "bid is ask",
    lambda: quotes(lambda one: one | {"bid": one["ask"], "last": one["ask"]}),
)
add(
    "QUO-002",
    "last is above the ask",
    lambda: quotes(lambda one: one | {"last": plus("0.01")(one["ask"])}),
)
add(
    "QUO-002",
    "last is below the bid",
    lambda: quotes(lambda one: one | {"last": times("0.5")(one["bid"])}),
)


for status_of, details_of, operation in (
    ("QUO-003", "QUO-006", "get_quote"),
    ("BAR-007", "BAR-009", "get_bars"),
):
    add(
        details_of,
        f"{operation} of an unknown symbol is a NOT_FOUND",
        partial(unknown_is, "NOT_FOUND", operation),
    )
    add(
        status_of,
        f"{operation} of an unknown symbol answers 400",
        partial(unknown_is_invalid, operation),
    )
    add(
        details_of,
        f"{operation} of an unknown symbol does not name it",
        partial(unknown_is_unnamed, operation),
    )
add(
    "QUO-003",
    "an unknown symbol is quoted at null",
    lambda: unknown("get_quote").then(lambda *_: answering(200, None)),
)
add(
    "BAR-007",
    "an unknown symbol has an empty list of bars",
    lambda: unknown("get_bars").then(lambda *_: answering(200, [])),
)


def aliased(request: Request) -> bool:
    """Whether a path ends in an alias."""
    return request.last_segment[1:2] == ":" or request.last_segment[1:4].lower() == "%3a"


add(
    "QUO-004",
    "aliases are unknown",
    lambda: instead(
        aliased,
        lambda request: failing(
            404, "SYMBOL_NOT_FOUND", resource="symbol", id=request.last_segment
        ),
    ),
)
add(
    "QUO-004",
    "aliases are answered under their own name",
    lambda: answer("get_quote").then(
        lambda request, found: (
            found.with_json(found.json | {"symbol": "S:AAPL"}) if aliased(request) else found
        )
    ),
)
add(
    "QUO-005",
    "a raw slash is another path",
    lambda: instead(
        lambda request: request.path.startswith("/quotes/") and request.path.count("/") > 2,
        lambda _: failing(404, "NOT_FOUND"),
    ),
)
add(
    "QUO-005",
    "a raw slash in bars is another path",
    lambda: instead(
        lambda request: request.path.startswith("/bars/") and request.path.count("/") > 2,
        lambda _: failing(404, "NOT_FOUND"),
    ),
)
add(
    "QUO-005",
    "an encoded slash in small letters is unknown",
    lambda: instead(
        lambda request: "%2f" in request.path,
        lambda request: failing(
            404, "SYMBOL_NOT_FOUND", resource="symbol", id=request.last_segment
        ),
    ),
)

# -- bars ---


def bars(change: Change) -> Answers:
    """Every bar changed."""
    return each("Bar", change)


def with_timeframe(request: Request) -> Request:
    """The usual timeframe where there is none, or none that is known."""
    return request.with_parameter("timeframe", "1h")


add("BAR-001", "timeframe has a default", lambda: instead_of_none)
add(
    "BAR-001",
    "an unknown timeframe means an hour",
    lambda: forgiving(with_timeframe, "get_bars", field="timeframe"),
)
add(
    "BAR-010",
    "a missing timeframe is called interval",
    lambda: answer("get_bars", status=400, field="timeframe").detail("field", "interval"),
)
add(
    "BAR-001",
    "a missing timeframe answers 422",
    lambda: answer("get_bars", status=400, field="timeframe").status(422),
)
add("BAR-001", "bars of all timeframes say 1h", lambda: bars(setting(timeframe="1h")))


add(
    "BAR-010",
    "four hours are no timeframe",
    lambda: instead(
        lambda request: request.parameter("timeframe") == "4h",
        lambda _: failing(400, "INVALID_VALUE", field="timeframe"),
    ),
)


def instead_of_none(request: Request, forward: Forward) -> Response:
    """Without a timeframe the bars are those of an hour."""
    missing = request.names("get_bars") and request.parameter("timeframe") is None
    return forward(with_timeframe(request) if missing else request)


def earlier(text: str) -> str:
    """A time a moment earlier."""
    return later(text, -1)


add("BAR-002", "start excludes its own bar", lambda: reading("start", later, "get_bars"))
add("BAR-002", "end excludes its own bar", lambda: reading("end", earlier, "get_bars"))
add("BAR-002", "start is not looked at", lambda: blind_to("start", "get_bars"))
add("BAR-002", "end is not looked at", lambda: blind_to("end", "get_bars"))
add(
    "BAR-002",
    "start includes the bar that it falls into",
    lambda: reading("start", lambda v: v[:17] + "00Z", "get_bars"),
)
add("BAR-003", "limit of bars is not looked at", lambda: blind_to("limit", "get_bars"))
add(
    "BAR-003",
    "a page has one bar too many",
    lambda: reading("limit", lambda v: str(int(v) + 1), "get_bars"),
)


def oldest(request: Request, forward: Forward) -> Response:
    """A limit keeps the oldest bars of a range."""
    limit = request.parameter("limit")
    if not request.names("get_bars") or limit is None or request.parameter("start") is None:
        return forward(request)
    response = forward(request.without_parameter("limit"))
    return response.with_json(response.json[: int(limit)]) if response.status == 200 else response


add("BAR-004", "limit keeps the oldest bars", lambda: oldest)
add("BAR-005", "bars are newest first", lambda: listed(lambda found: found[::-1], "get_bars"))
add(
    "BAR-005",
    "low and high are swapped",
    lambda: bars(lambda one: one | {"low": one["high"], "high": one["low"]}),
)
add(
    "BAR-005",
    "a close is above its high",
    lambda: bars(lambda one: one | {"close": plus("0.01")(one["high"])}),
)
add("BAR-005", "the bar that is not over is listed", lambda: listed(with_the_present, "get_bars"))
add("BAR-005", "a bar comes twice", lambda: listed(lambda found: found[:1] + found, "get_bars"))


def with_the_present(found: list[Body]) -> list[Body]:
    """The bars and one more that has only begun."""
    if len(found) < 2:
        return found
    times = [datetime.fromisoformat(one["timestamp"]) for one in found[-2:]]
    step = times[1] - times[0] if times[1] > times[0] else timedelta(hours=1)
    return [*found[1:], found[-1] | {"timestamp": (times[1] + step).isoformat()}]


add(
    "BAR-006",
    "a range backwards is empty",
    lambda: instead(
        lambda request: (
            request.names("get_bars")
            and (request.parameter("start") or "") > (request.parameter("end") or "~")
        ),
        lambda _: answering(200, []),
    ),
)
add(
    "BAR-006",
    "a range backwards answers 422",
    lambda: answer("get_bars", status=400, code="INVALID_VALUE").status(422),
)
add(
    "BAR-008",
    "higher bars have a wider high",
    lambda: answer("get_bars").then(
        lambda request, found: (
            found
            if request.parameter("timeframe") in {"1m", "5m"}
            else found.with_json([one | {"high": plus("0.01")(one["high"])} for one in found.json])
        )
    ),
)
add(
    "BAR-008",
    "higher bars count volume once more",
    lambda: answer("get_bars").then(
        lambda request, found: (
            found
            if request.parameter("timeframe") == "1m"
            else found.with_json(
                [one | {"volume": times("1.01")(one["volume"])} for one in found.json]
            )
        )
    ),
)
add(
    "BAR-008",
    "a bar opens where the one before closed",
    lambda: answer("get_bars").then(
        lambda request, found: (
            found
            if request.parameter("timeframe") != "4h"
            else found.with_json([one | {"open": one["low"]} for one in found.json])
        )
    ),
)
add(
    "BAR-008",
    "volume of bars is rounded",
    lambda: bars(member("volume", lambda v: str(round(Decimal(v) / 10) * 10))),
)
