"""Orders as the log tells them: pure functions of transactions."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ProviderError
from providers.live.venue import Progress, Report
from providers.models import OrderType, RejectReason, Side, TimeInForce
from providers.oanda import history, parse
from providers.oanda.parse import Json
from tests.venues.oanda.toolkit import limit, stop, ticket

TIME = "2026-03-02T10:00:00.123456789Z"


def created(order_id: int = 7, **members: Any) -> Json:
    return {
        "id": str(order_id),
        "batchID": str(order_id),
        "time": TIME,
        "type": "LIMIT_ORDER",
        "instrument": "EUR_USD",
        "units": "100",
        "price": "1.10000",
        "timeInForce": "GTC",
        "clientExtensions": {"id": "c-1"},
        "reason": "CLIENT_ORDER",
        **members,
    }


def filled(number: int, units: str, price: str = "1.1", **members: Any) -> Json:
    return {
        "id": str(number),
        "time": TIME,
        "type": "ORDER_FILL",
        "orderID": "7",
        "units": units,
        "price": price,
        "reason": "LIMIT_ORDER",
        **members,
    }


def cancelled(number: int, reason: str, **members: Any) -> Json:
    return {
        "id": str(number),
        "batchID": str(number),
        "time": TIME,
        "type": "ORDER_CANCEL",
        "orderID": "7",
        "reason": reason,
        **members,
    }


def told(*transactions: Json) -> Report:
    return history.report(history.stories(transactions)["7"])


def test_an_order_that_waits() -> None:
    report = told(created())
    assert report == Report(
        client_id="c-1",
        venue_id="7",
        progress=Progress.WORKING,
        symbol="EUR/USD",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(100),
        filled=Decimal(0),
        at=datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=UTC),
        limit_price=Decimal("1.10000"),
    )


@pytest.mark.parametrize(
    ("time_in_force", "reason", "progress"),
    [
        ("GTC", "CLIENT_REQUEST", Progress.CANCELLED),
        ("GFD", "TIME_IN_FORCE_EXPIRED", Progress.EXPIRED),
        ("GTD", "TIME_IN_FORCE_EXPIRED", Progress.EXPIRED),
        ("IOC", "TIME_IN_FORCE_EXPIRED", Progress.CANCELLED),
        ("FOK", "INSUFFICIENT_LIQUIDITY", Progress.CANCELLED),
        ("GTC", "INSUFFICIENT_MARGIN", Progress.CANCELLED),
    ],
)
def test_ends(time_in_force: str, reason: str, progress: Progress) -> None:
    report = told(created(timeInForce=time_in_force), cancelled(9, reason))
    assert (report.progress, report.message, report.reason) == (progress, reason, None)


def test_what_oanda_cancels_at_once_it_has_refused() -> None:
    at_once = cancelled(8, "INSUFFICIENT_MARGIN", batchID="7")
    report = told(created(), at_once)
    assert report.progress is Progress.REJECTED
    assert report.reason is RejectReason.INSUFFICIENT_MARGIN
    some = told(created(), filled(8, "40"), {**at_once, "id": "9"})
    assert (some.progress, some.filled) == (Progress.CANCELLED, Decimal(40))


def test_a_refused_order() -> None:
    refused = created(type="STOP_ORDER_REJECT", rejectReason="PRICE_INVALID")
    report = told(refused)
    assert (report.progress, report.reason) == (Progress.REJECTED, RejectReason.INVALID_PRICE)
    assert (report.order_type, report.stop_price) == (OrderType.STOP, Decimal("1.10000"))


@pytest.mark.parametrize(
    "members",
    [
        {"rejectReason": "CLIENT_ORDER_ID_ALREADY_EXISTS"},
        {"rejectReason": "PRICE_INVALID", "intendedReplacesOrderID": "5"},
        {"rejectReason": "PRICE_INVALID", "reason": "REPLACEMENT"},
    ],
)
def test_a_refusal_that_leaves_another_order_is_not_told(members: dict[str, Any]) -> None:
    """Told by its client id, it would be taken for the order that has it, or would have had it."""
    assert not history.stories([created(type="LIMIT_ORDER_REJECT", **members)])


def test_a_replaced_order_names_its_successor() -> None:
    report = told(created(), cancelled(8, "CLIENT_REQUEST_REPLACED", replacedByOrderID="9"))
    assert (report.progress, report.replaced_by) == (Progress.CANCELLED, "9")


def test_a_market_order_that_filled_in_part_is_over() -> None:
    market = created(type="MARKET_ORDER", timeInForce="IOC")
    assert told(market).progress is Progress.PENDING
    assert told(market, filled(8, "40")).progress is Progress.CANCELLED


def test_a_sale_has_negative_units() -> None:
    report = told(created(units="-100"), filled(8, "-100", commission="0.5"))
    assert (report.side, report.quantity) == (Side.SELL, Decimal(100))
    assert report.filled == Decimal(100)
    assert report.executions[0].commission == Decimal("0.5")


def test_the_price_of_a_fill_is_the_official_one() -> None:
    (fill,) = told(created(), filled(8, "100", "1.2", fullVWAP="1.3")).executions
    assert fill.price == Decimal("1.3")


def test_a_guaranteed_execution_costs() -> None:
    (fill,) = told(
        created(), filled(8, "100", commission="0.1", guaranteedExecutionFee="0.2")
    ).executions
    assert fill.commission == Decimal("0.3")


def test_what_is_not_traded_through_us_tells_nothing() -> None:
    """Exits on trades, and their fills; also kinds of transactions that there may come to be."""
    assert not history.stories(
        [
            created(type="TAKE_PROFIT_ORDER"),
            filled(8, "100", reason="TAKE_PROFIT_ORDER"),
            {"id": "9", "type": "DAILY_FINANCING", "time": TIME},
            {"id": "10", "type": "SOMETHING_NEW", "time": TIME},
        ]
    )


@pytest.mark.parametrize(
    "wrong",
    [
        [created(type="NEW_ORDER")],
        [created(timeInForce="EVER")],
        [created(units="many")],
        [created(), filled(8, "1", reason="NEW_ORDER")],
        [created(), {**filled(8, "1"), "time": "yesterday"}],
        [created(), {"id": "8", "type": "ORDER_CANCEL", "time": TIME, "orderID": "7"}],
    ],
    ids=["type", "time-in-force", "units", "fill", "time", "cancel"],
)
def test_what_is_not_specified(wrong: list[Json]) -> None:
    with pytest.raises(ProviderError):
        told(*wrong)


def test_a_listed_order() -> None:
    listed = {
        "id": "7",
        "createTime": TIME,
        "type": "STOP",
        "state": "PENDING",
        "instrument": "EUR_USD",
        "units": "-5",
        "price": "1.2",
        "timeInForce": "GFD",
    }
    report = history.pending(listed)
    assert report is not None
    assert (report.side, report.quantity) == (Side.SELL, Decimal(5))
    assert report.stop_price == Decimal("1.2")
    assert (report.client_id, report.time_in_force) == ("", TimeInForce.DAY)
    assert history.pending({**listed, "type": "TRAILING_STOP_LOSS"}) is None
    for wrong in ({"state": "FILLED"}, {"state": "NEW"}, {"type": "NEW"}):
        with pytest.raises(ProviderError):
            history.pending({**listed, **wrong})


quantities = st.integers(min_value=1, max_value=10**6)


@given(parts=st.lists(quantities, min_size=1, max_size=6), data=st.data())
def test_order_and_repetition_do_not_matter(parts: list[int], data: st.DataObject) -> None:
    """The log may be read in overlapping pieces: the story is the same."""
    whole = created(units=str(sum(parts)))
    log = [whole, *(filled(8 + place, str(part)) for place, part in enumerate(parts))]
    repeated = data.draw(st.permutations(log + data.draw(st.lists(st.sampled_from(log)))))
    report = told(*repeated)
    assert report == told(*log)
    assert report.progress is Progress.FILLED
    assert [each.quantity for each in report.executions] == parts
    assert report.executions[-1].cumulative == report.filled == sum(parts)


tickets = st.builds(
    lambda make, side, units, time: make(side=side, quantity=Decimal(units), time_in_force=time),
    st.sampled_from([ticket, lambda **f: limit("1.25", **f), lambda **f: stop("1.25", **f)]),
    st.sampled_from(list(Side)),
    quantities,
    st.sampled_from(list(TimeInForce)),
)


@given(order=tickets)
def test_what_is_sent_is_what_is_told(order: Any) -> None:
    body = parse.order_request(order)["order"]
    kind = body.pop("type")
    report = told({"id": "7", "time": TIME, "type": f"{kind}_ORDER", "reason": "R", **body})
    terms = ("client_id", "symbol", "side", "order_type", "quantity", "limit_price", "stop_price")
    for name in (*terms, "time_in_force"):
        assert getattr(report, name) == getattr(order, name)
