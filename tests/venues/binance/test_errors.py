"""The table of errors has all that the venue documents, and says of each what to raise."""

from __future__ import annotations

import pytest

from providers.binance import errors
from providers.binance.errors import (
    CODES,
    FILTERS,
    MESSAGES,
    OF_COMMANDS,
    OF_READS,
    Archived,
    ClockOff,
    Meaning,
    failed,
    failure,
)
from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.http import Answer
from providers.live.venue import Gone, Refused, Unanswered
from providers.models import RejectReason

DOCUMENTED = """
-1000 -1001 -1002 -1003 -1006 -1007 -1008 -1010 -1013 -1014 -1015 -1016 -1020 -1021 -1022
-1033 -1034 -1035 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1108 -1111 -1112 -1114 -1115 -1116
-1117 -1118 -1119 -1120 -1121 -1122 -1125 -1127 -1128 -1130 -1134 -1135 -1139 -1145 -1151 -1152
-1153 -1155 -1158 -1160 -1161 -1165 -1166 -1168 -1169 -1170 -1171 -1172 -1173 -1174 -1175 -1176
-1177 -1178 -1179 -1180 -1181 -1182 -1183 -1184 -1185 -1186 -1187 -1188 -1189 -1190 -1191 -1194
-1196 -1197 -1198 -1199 -1210 -1211 -1220 -1221 -1222 -1223 -1224 -1225 -2010 -2011 -2013 -2014
-2015 -2016 -2021 -2022 -2026 -2035 -2036 -2038 -2039 -2042
"""
"""The codes of the venue's list of errors, as of 2026."""

FILTER_NAMES = """
PRICE_FILTER PERCENT_PRICE PERCENT_PRICE_BY_SIDE LOT_SIZE MIN_NOTIONAL NOTIONAL ICEBERG_PARTS
MARKET_LOT_SIZE MAX_POSITION MAX_NUM_ORDERS MAX_NUM_ALGO_ORDERS MAX_NUM_ICEBERG_ORDERS
MAX_NUM_ORDER_LISTS MAX_NUM_ORDER_AMENDS TRAILING_DELTA EXCHANGE_MAX_NUM_ORDERS
EXCHANGE_MAX_NUM_ALGO_ORDERS EXCHANGE_MAX_NUM_ICEBERG_ORDERS EXCHANGE_MAX_NUM_ORDER_LISTS
MAX_ASSET T_PLUS_SELL
"""


def body(code: int, message: str = "") -> dict[str, object]:
    return {"code": code, "msg": message}


def test_every_documented_code_has_a_meaning() -> None:
    """None is left to chance."""
    assert {int(code) for code in DOCUMENTED.split()} - CODES.keys() == set()


def test_every_meaning_is_raised() -> None:
    """Reads have a failure for each meaning, and commands where theirs is another."""
    assert OF_READS.keys() == set(Meaning)
    assert OF_COMMANDS.keys() <= set(Meaning)
    assert set(CODES.values()) == set(Meaning)


def test_every_filter_has_a_reason() -> None:
    assert set(FILTER_NAMES.split()) - FILTERS.keys() == set()


@pytest.mark.parametrize(
    ("code", "message", "of_command", "of_read"),
    [
        (-1000, "", Unanswered, ProviderUnavailable),
        (-1006, "", Unanswered, ProviderUnavailable),
        (-1007, "", Unanswered, ProviderUnavailable),
        (-1008, "", ProviderUnavailable, ProviderUnavailable),
        (-1003, "", RateLimited, RateLimited),
        (-1015, "", RateLimited, RateLimited),
        (-1021, "", ClockOff, ClockOff),
        (-1022, "", ProviderError, ProviderError),
        (-2014, "", ProviderError, ProviderError),
        (-2013, "", Gone, Gone),
        (-2026, "", Archived, Archived),
        (-2011, errors.UNKNOWN_ORDER, Gone, ProviderError),
        (-2011, "This account may not place or cancel orders.", Refused, ProviderError),
        (-2010, errors.DUPLICATE, Unanswered, ProviderError),
        (-1121, "Invalid symbol.", Refused, ProviderError),
        (-1120, "Invalid interval.", ProviderError, ProviderError),
        (-77777, "Never heard of.", ProviderError, ProviderError),
    ],
)
def test_what_is_raised(
    code: int, message: str, of_command: type[Exception], of_read: type[Exception]
) -> None:
    """By code, and by message where one code stands for many things."""
    assert type(failed(body(code, message), 400, command=True)) is of_command
    assert type(failed(body(code, message), 400, command=False)) is of_read


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        *((-2010, message, reason) for message, reason in MESSAGES.items()),
        *((-1013, errors.FILTER + name, reason) for name, reason in FILTERS.items()),
        (-1013, errors.FILTER + "OF_TOMORROW", RejectReason.UNKNOWN),
        (-1121, "Invalid symbol.", RejectReason.SYMBOL_NOT_TRADEABLE),
        (-1111, "Parameter 'quantity' has too much precision.", RejectReason.INVALID_QUANTITY),
        (-1111, "Parameter 'stopPrice' has too much precision.", RejectReason.INVALID_PRICE),
        (-2010, "Something else.", RejectReason.UNKNOWN),
    ],
)
def test_reasons(code: int, message: str, reason: RejectReason) -> None:
    """A refusal has the venue's own words."""
    refusal = failed(body(code, message), 400, command=True)
    assert isinstance(refusal, Refused)
    assert (refusal.reason, refusal.message) == (reason, message)


@pytest.mark.parametrize("found", [None, [], {}, {"code": "text"}, "<html>"])
def test_bodies_that_are_none_of_the_venue(found: object) -> None:
    assert type(failed(found, 404, command=True)) is ProviderError


@pytest.mark.parametrize("status", [403, 418])
def test_banned(status: int) -> None:
    """The firewall and the ban both say when to come back."""
    refusal = failure(Answer(status, None, {"retry-after": "77"}), command=True)
    assert isinstance(refusal, RateLimited)
    assert refusal.retry_after == 77
