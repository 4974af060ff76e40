"""The cross-field rules, as a table: a request that obeys, one change, the field that is blamed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract_tests.toolkit import rules
from handlers.parameters import to_utc
from handlers.rules import CLOSE_RULES, ORDER_RULES, check_order, check_window
from providers.errors import InvalidValue
from providers.models import (
    ClosePositionRequest,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
    TrailingType,
)

BASE = {"symbol": "AAPL", "side": "BUY", "quantity": "10"}
VALID: dict[str, dict[str, Any]] = {
    "MARKET": {},
    "LIMIT": {"limit_price": "100"},
    "STOP": {"stop_price": "100"},
    "STOP_LIMIT": {"limit_price": "100", "stop_price": "90"},
    "TRAILING_STOP": {"trailing_distance": "5"},
}

TYPE_RULES: list[tuple[str, dict[str, Any], str]] = [
    (kind, {field: None}, field) for kind, fields in VALID.items() for field in fields
] + [
    (kind, {field: value}, field)
    for kind, fields in VALID.items()
    for field, value in {
        "limit_price": "100",
        "stop_price": "100",
        "trailing_distance": "5",
        "trailing_type": "ABSOLUTE",
    }.items()
    if field not in fields and (kind, field) != ("TRAILING_STOP", "trailing_type")
]
OTHER_RULES: list[tuple[str, dict[str, Any], str]] = [
    (
        "TRAILING_STOP",
        {"trailing_type": "PERCENT", "trailing_distance": "100"},
        "trailing_distance",
    ),
    ("MARKET", {"reduce_only": True, "stop_loss": "99"}, "stop_loss"),
    ("MARKET", {"reduce_only": True, "take_profit": "101"}, "take_profit"),
    ("STOP", {"time_in_force": "IOC"}, "time_in_force"),
    ("STOP_LIMIT", {"time_in_force": "FOK"}, "time_in_force"),
    ("TRAILING_STOP", {"time_in_force": "IOC"}, "time_in_force"),
    ("MARKET", {"post_only": True}, "post_only"),
    ("STOP_LIMIT", {"post_only": True}, "post_only"),
    ("LIMIT", {"post_only": True, "time_in_force": "IOC"}, "post_only"),
    ("MARKET", {"display_quantity": "1"}, "display_quantity"),
    ("LIMIT", {"display_quantity": "1", "time_in_force": "FOK"}, "display_quantity"),
    ("LIMIT", {"display_quantity": "10"}, "display_quantity"),
    ("LIMIT", {"display_quantity": "1", "hidden": True}, "display_quantity"),
    ("LIMIT", {"stop_loss": "100"}, "stop_loss"),
    ("LIMIT", {"stop_loss": "101"}, "stop_loss"),
    ("LIMIT", {"take_profit": "100"}, "take_profit"),
    ("STOP", {"take_profit": "99"}, "take_profit"),
    ("STOP_LIMIT", {"stop_loss": "99"}, "stop_loss"),
    ("LIMIT", {"side": "SELL", "stop_loss": "99"}, "stop_loss"),
    ("LIMIT", {"side": "SELL", "take_profit": "101"}, "take_profit"),
]
ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("TRAILING_STOP", {"trailing_type": "PERCENT", "trailing_distance": "99.9"}),
    ("TRAILING_STOP", {"trailing_type": "ABSOLUTE", "trailing_distance": "500"}),
    ("MARKET", {"time_in_force": "IOC", "post_only": False}),
    ("LIMIT", {"time_in_force": "FOK"}),
    ("STOP", {"time_in_force": "DAY"}),
    ("LIMIT", {"post_only": True, "time_in_force": "DAY"}),
    ("LIMIT", {"display_quantity": "9.9", "time_in_force": "GTC", "hidden": False}),
    ("LIMIT", {"stop_loss": "99", "take_profit": "101"}),
    ("STOP_LIMIT", {"stop_loss": "89", "take_profit": "101"}),
    ("LIMIT", {"side": "SELL", "stop_loss": "101", "take_profit": "99"}),
    ("MARKET", {"stop_loss": "1", "take_profit": "1"}),
    ("LIMIT", {"stop_price": None, "trailing_type": None}),
]


def order(kind: str, change: dict[str, Any]) -> OrderRequest:
    return OrderRequest.model_validate({**BASE, "order_type": kind, **VALID[kind], **change})


@pytest.mark.parametrize(("kind", "change", "field"), TYPE_RULES + OTHER_RULES)
def test_broken(kind: str, change: dict[str, Any], field: str) -> None:
    """A rule that is broken blames its field."""
    with pytest.raises(InvalidValue) as caught:
        check_order(order(kind, change))
    assert caught.value.details
    assert caught.value.details["field"] == field


@pytest.mark.parametrize(("kind", "change"), [*((kind, {}) for kind in VALID), *ALLOWED])
def test_kept(kind: str, change: dict[str, Any]) -> None:
    """What no rule forbids is let through."""
    check_order(order(kind, change))


def test_every_order_rule_is_tried() -> None:
    """The tables above break each rule of each order type at least once."""
    broken = {
        (kind, rule.field, rule.reason)
        for kind, change, _ in TYPE_RULES + OTHER_RULES
        for rule in ORDER_RULES[OrderType(kind)].rules
        if rule.broken(order(kind, change))
    }
    reasons = {(field, reason) for _, field, reason in broken}
    for book in ORDER_RULES.values():
        assert {(rule.field, rule.reason) for rule in book.rules} <= reasons


def test_of_several_violations_the_first_of_the_table_is_reported() -> None:
    """The order of a request's fields does not matter."""
    for change in (
        {"post_only": True, "stop_price": "1"},
        {"stop_price": "1", "post_only": True},
    ):
        with pytest.raises(InvalidValue, match="stop_price"):
            check_order(order("MARKET", change))


@pytest.mark.parametrize(
    ("close", "field"),
    [
        ({"order_type": "LIMIT"}, "limit_price"),
        ({"limit_price": "1"}, "limit_price"),
        ({"order_type": "MARKET", "limit_price": "1"}, "limit_price"),
    ],
)
def test_broken_closes(close: dict[str, Any], field: str) -> None:
    """A LIMIT close needs its price, a MARKET close takes none."""
    with pytest.raises(InvalidValue, match=field):
        CLOSE_RULES.check(ClosePositionRequest.model_validate(close))


@pytest.mark.parametrize("close", [{}, {"order_type": "LIMIT", "limit_price": "1"}])
def test_kept_closes(close: dict[str, Any]) -> None:
    """What no rule forbids is let through."""
    CLOSE_RULES.check(ClosePositionRequest.model_validate(close))


def test_windows() -> None:
    """A window may be empty or open, not turned around."""
    early, late = (datetime(2025, 1, day, tzinfo=UTC) for day in (1, 2))
    for window in ({}, {"since": late}, {"until": early}, {"since": early, "until": early}):
        check_window("since", "until", window)
    with pytest.raises(InvalidValue, match="since"):
        check_window("since", "until", {"since": late, "until": early})


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("/orders?since=2025-01-02T00:00:00Z&until=2025-01-01T00:00:00Z", "since"),
        ("/orders/history?since=2025-01-02T00:00:00Z&until=2025-01-01T00:00:00Z", "since"),
        ("/trades?since=2025-01-02T00:00:00Z&until=2025-01-01T00:00:00Z", "since"),
        ("/bars/AAPL?timeframe=1d&start=2025-01-02T00:00:00Z&end=2025-01-01T00:00:00Z", "start"),
    ],
)
async def test_windows_over_http(
    api: httpx.AsyncClient, provider: Any, url: str, field: str
) -> None:
    """A window that ends before it starts is 400, in every list."""
    body = (await api.get(url)).json()
    assert (body["code"], body["details"]["field"]) == ("INVALID_VALUE", field)
    assert provider.calls == []


async def test_rules_over_http(api: httpx.AsyncClient, provider: Any) -> None:
    """A broken rule is 400 INVALID_VALUE with the field, the value and the reason."""
    body = {**BASE, "order_type": "LIMIT", "limit_price": "100", "stop_loss": "100.00"}
    response = await api.post("/orders", json=body)
    assert response.status_code == 400
    assert response.json()["details"] == {
        "field": "stop_loss",
        "provided": "100.00",
        "reason": "must be below the entry price of a BUY, above that of a SELL",
    }
    assert provider.calls == []


PRICE = st.sampled_from(["1", "99", "100", "101"])
EXTRAS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("limit_price", "stop_price", "stop_loss", "take_profit"), PRICE),
    "trailing_distance": PRICE,
    "trailing_type": st.sampled_from(TrailingType),
    "time_in_force": st.sampled_from(TimeInForce),
    "display_quantity": st.sampled_from(["5", "10"]),
    **dict.fromkeys(("reduce_only", "post_only", "hidden"), st.booleans()),
}
SOME = st.sets(st.sampled_from(sorted(EXTRAS)), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: EXTRAS[name] for name in sorted(names)})
)


@settings(max_examples=1000)
@given(kind=st.sampled_from(OrderType), side=st.sampled_from(Side), extras=SOME)
def test_the_suite_has_the_same_rules(kind: OrderType, side: Side, extras: dict[str, Any]) -> None:
    """Whoever wrote the rules down for the conformance suite read them in the document too."""
    body = {**BASE, "order_type": kind, "side": side, **VALID[kind], **extras}
    expected = rules.broken_by_order(body)
    if not expected:
        check_order(OrderRequest.model_validate(body))
        return
    with pytest.raises(InvalidValue) as refusal:
        check_order(OrderRequest.model_validate(body))
    assert (refusal.value.details or {})["field"] in expected


MOMENTS = st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=14))))


@given(since=MOMENTS, until=MOMENTS)
def test_the_suite_has_the_same_windows(since: datetime, until: datetime) -> None:
    """A range of times is refused where the suite expects it, and nowhere else."""
    texts = {"since": since.isoformat(), "until": until.isoformat()}
    try:
        window = {name: to_utc(name, text) for name, text in texts.items()}
        check_window("since", "until", window)
    except InvalidValue as error:
        at_fault = {(error.details or {})["field"]}
    else:
        at_fault = set()
    expected = rules.broken_by_window({name: [text] for name, text in texts.items()}, *texts)
    assert bool(at_fault) == bool(expected)
    assert at_fault <= expected
