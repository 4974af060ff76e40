"""Saxo's JSON, both ways, without a connection."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Instrument
from providers.errors import ProviderError
from providers.live.venue import Progress, Refused, Ticket
from providers.models import AssetClass, OrderType, Side, TimeInForce, TrailingType
from providers.saxo import parse
from providers.saxo.listings import KINDS, Listing
from providers.saxo.values import moment, stamp, wire
from tests.venues import contract

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
EURUSD = Listing(
    instrument=Instrument(
        symbol="EUR/USD",
        asset_class=AssetClass.FOREX,
        price_increment=Decimal("0.00001"),
        quantity_increment=Decimal(1),
    ),
    uic=21,
    asset_type="FxSpot",
    native="EURUSD",
    order_types=frozenset({"Market", "Limit", "Stop", "StopLimit", "TrailingStop"}),
)


@functools.cache
def enums(group: str) -> dict[str, set[str]]:
    """The enumerations of one of the documents, by name; empty where it is not at hand."""
    path = contract.find(f"saxo/saxo-{group}.yaml")
    schemas = {} if path is None else contract.read(path)["components"]["schemas"]
    return {name: set(each["enum"]) for name, each in schemas.items() if "enum" in each}


def enum(group: str, name: str) -> set[str]:
    """The values of an enumeration of one of the documents."""
    if not enums(group):
        pytest.skip("Saxo's documents are not at hand")
    return enums(group)[name]


def ticket(**fields: Any) -> Ticket:
    usual: dict[str, Any] = {
        "client_id": "mine",
        "symbol": "EUR/USD",
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "quantity": Decimal(1000),
    }
    return Ticket(**usual | fields)


@pytest.mark.parametrize(
    ("group", "name", "table"),
    [
        ("port", "OrderStatus", parse.STANDING),
        ("port", "OrderType", parse.ORDER_TYPES),
        ("port", "OrderDurationType", parse.DURATIONS),
        ("port", "BuySell", parse.SIDES),
        ("port", "AssetType", KINDS),
        ("trade", "AssetType", KINDS),
        ("ref", "AssetType", KINDS),
    ],
)
def test_every_value_of_the_documents_has_a_meaning(
    group: str, name: str, table: dict[str, Any]
) -> None:
    assert set() == enum(group, name) - table.keys()


def test_what_we_send_is_what_the_documents_have() -> None:
    assert set(parse.DURATION_OF.values()) <= enum("trade", "OrderDurationType")
    assert set(parse.SIDE_OF.values()) <= enum("trade", "Domain.BuySell")
    assert set(parse.DURATION_OF) == set(TimeInForce)


def test_every_step_of_the_log_has_a_meaning() -> None:
    """As developer.saxo lists them: eight statuses, each with six sub-statuses."""
    statuses = {"Cancelled", "Changed", "DoneForDay", "Expired"} | {
        *("Fill", "FinalFill", "Placed", "Working"),
    }
    assert {(s, sub) for s in statuses for sub in parse.SUB_STATUSES} == parse.STEPS.keys()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"order_type": OrderType.MARKET, "time_in_force": TimeInForce.DAY},
            {"OrderType": "Market"},
        ),
        ({"limit_price": Decimal("1.05")}, {"OrderType": "Limit", "OrderPrice": Decimal("1.05")}),
        (
            {"order_type": OrderType.STOP, "stop_price": Decimal("1.2")},
            {"OrderType": "Stop", "OrderPrice": Decimal("1.2")},
        ),
        (
            {
                "order_type": OrderType.STOP_LIMIT,
                "stop_price": Decimal("1.2"),
                "limit_price": Decimal("1.21"),
            },
            {
                "OrderType": "StopLimit",
                "OrderPrice": Decimal("1.2"),
                "StopLimitPrice": Decimal("1.21"),
            },
        ),
        (
            {"order_type": OrderType.TRAILING_STOP, "trailing_distance": Decimal("0.01")},
            {
                "OrderType": "TrailingStop",
                "OrderPrice": Decimal("1.1"),
                "TrailingStopDistanceToMarket": Decimal("0.01"),
                "TrailingStopStep": Decimal("0.00001"),
            },
        ),
    ],
)
def test_a_new_order(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each order type has the prices that Saxo wants of it, and no others."""
    body = parse.new_order(ticket(**fields), EURUSD, "account", Decimal("1.1"))
    common = {
        "AccountKey": "account",
        "Uic": 21,
        "AssetType": "FxSpot",
        "BuySell": "Buy",
        "Amount": 1000,
        "ManualOrder": False,
        "ExternalReference": "mine",
        "OrderDuration": body["OrderDuration"],
    }
    assert common | expected == body


def test_a_stop_of_a_share_triggers_on_its_trades() -> None:
    """Of Stop and StopIfTraded the instrument takes one."""
    listing = Listing(
        instrument=EURUSD.instrument,
        uic=1,
        asset_type="Stock",
        native="X:xnas",
        order_types=frozenset({"StopIfTraded"}),
    )
    assert "StopIfTraded" == parse.native_type(ticket(order_type=OrderType.STOP), listing)
    with pytest.raises(Refused, match="takes no LIMIT"):
        parse.native_type(ticket(), listing)


def test_trailing_in_percent_is_refused() -> None:
    sent = ticket(order_type=OrderType.TRAILING_STOP, trailing_type=TrailingType.PERCENT)
    with pytest.raises(Refused, match="percent"):
        parse.new_order(sent, EURUSD, "account")


@pytest.mark.parametrize(
    ("side", "expected"), [(Side.SELL, Decimal("0.99")), (Side.BUY, Decimal("1.03"))]
)
def test_where_a_trailing_stop_begins(side: Side, expected: Decimal) -> None:
    """At its distance from the side of the market that it sells or buys at."""
    sent = ticket(side=side, trailing_distance=Decimal("0.01"))
    assert expected == parse.trailing_start(sent, Decimal(1), Decimal("1.02"))


def body(**fields: Any) -> dict[str, Any]:
    """An open order as Saxo tells it."""
    return {
        "OrderId": "5001",
        "ExternalReference": "mine",
        "Status": "Working",
        "BuySell": "Sell",
        "OpenOrderType": "Limit",
        "Amount": 1000,
        "Price": Decimal("1.3"),
        "Duration": {"DurationType": "GoodTillCancel"},
        "Uic": 21,
        "AssetType": "FxSpot",
        **fields,
    }


def test_an_open_order() -> None:
    report = parse.open_order(body(FilledAmount=400), "EUR/USD", AT)
    assert ("mine", "5001", Progress.WORKING) == (
        report.client_id,
        report.venue_id,
        report.progress,
    )
    assert (Decimal(1000), Decimal(400), Decimal("1.3"), None) == (
        report.quantity,
        report.filled,
        report.limit_price,
        report.stop_price,
    )
    assert (Side.SELL, TimeInForce.GTC, AT) == (report.side, report.time_in_force, report.at)


@pytest.mark.parametrize(
    ("kind", "stop", "limit"),
    [("Limit", None, "1.3"), ("StopIfTraded", "1.3", None), ("Market", None, None),
     ("StopLimit", "1.3", "1.4"), ("TrailingStop", "1.3", None)],
)  # fmt: skip
def test_the_prices_of_an_open_order(kind: str, stop: str | None, limit: str | None) -> None:
    """A StopLimit has its trigger as its price, and its limit beside it."""
    told = body(OpenOrderType=kind, StopLimitPrice=Decimal("1.4"))
    report = parse.open_order(told, "EUR/USD", AT)
    assert (stop and Decimal(stop), limit and Decimal(limit)) == (
        report.stop_price,
        report.limit_price,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"Status": "Dreaming"},
        {"OpenOrderType": "Wish"},
        {"BuySell": "Hold"},
        {"Duration": {"DurationType": "Forever"}},
        {"Duration": None},
        {"Amount": "many"},
        {"Amount": True},
    ],
)
def test_an_order_that_makes_no_sense_is_an_error(wrong: dict[str, Any]) -> None:
    """Nothing unknown is taken for something known."""
    with pytest.raises(ProviderError):
        parse.open_order(body(**wrong), "EUR/USD", AT)


def logged(log_id: int, status: str, sub: str = "Confirmed", **fields: Any) -> dict[str, Any]:
    """An entry of the log of order activities."""
    return {
        "LogId": str(log_id),
        "OrderId": "5001",
        "ExternalReference": "mine",
        "Status": status,
        "SubStatus": sub,
        "ActivityTime": stamp(AT + timedelta(seconds=log_id)),
        "BuySell": "Buy",
        "OrderType": "Limit",
        "Amount": 1000,
        "Price": Decimal("1.3"),
        "Duration": {"DurationType": "DayOrder"},
        "Uic": 21,
        "AssetType": "FxSpot",
        **fields,
    }


def fill(log_id: int, status: str, amount: int, filled: int, price: str) -> dict[str, Any]:
    return logged(
        log_id,
        status,
        FillAmount=amount,
        FilledAmount=filled,
        ExecutionPrice=Decimal(price),
        AveragePrice=Decimal(price),
    )


WHOLE = [
    logged(1, "Placed", "Requested"),
    logged(2, "Placed"),
    fill(3, "Fill", 400, 400, "1.29"),
    logged(4, "Cancelled", "Requested", FilledAmount=400),
    fill(5, "FinalFill", 600, 1000, "1.3"),
    logged(6, "Cancelled", "Rejected", FilledAmount=1000),
]


@given(st.permutations(WHOLE), st.lists(st.sampled_from(WHOLE), max_size=4))
def test_a_log_in_any_order_and_with_repeats(
    entries: list[dict[str, Any]], repeats: list[dict[str, Any]]
) -> None:
    """Ids are in sequence of time; a cancel that came too late does not undo the fill."""
    report = parse.ended_order(parse.in_order([*entries, *repeats]), "EUR/USD")
    assert (Progress.FILLED, Decimal(1000)) == (report.progress, report.filled)
    expected = [("400", "400", "1.29"), ("600", "1000", "1.3")]
    assert [tuple(map(Decimal, each)) for each in expected] == [
        (each.quantity, each.cumulative, each.price) for each in report.executions
    ]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ([("Placed", "Requested")], Progress.PENDING),
        ([("Placed", "Confirmed")], Progress.WORKING),
        ([("Placed", "Rejected")], Progress.REJECTED),
        ([("Cancelled", "Requested")], Progress.WORKING),
        ([("Cancelled", "Rejected")], Progress.WORKING),
        ([("Cancelled", "Confirmed")], Progress.CANCELLED),
        ([("Cancelled", "Confirmed"), ("Cancelled", "Rejected")], Progress.CANCELLED),
        ([("Changed", "Rejected")], Progress.WORKING),
        ([("Expired", "Confirmed")], Progress.EXPIRED),
        ([("DoneForDay", "Confirmed")], Progress.WORKING),
    ],
)
def test_how_an_order_ended(last: list[tuple[str, str]], expected: Progress) -> None:
    """A step that was asked for, or refused, is no end."""
    entries = [logged(9 + n, *step) for n, step in enumerate(last)]
    report = parse.ended_order(parse.in_order(entries), "EUR/USD")
    assert expected is report.progress
    assert (report.reason is not None) == (expected is Progress.REJECTED)


@pytest.mark.parametrize(
    "wrong",
    [{"Status": "Lost"}, {"SubStatus": "Maybe"}, {"LogId": "x"}, {"ActivityTime": "soon"}],
)
def test_an_entry_that_makes_no_sense_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        parse.entry(logged(1, "Placed") | wrong)


def test_a_fill_without_a_price_is_an_error() -> None:
    with pytest.raises(ProviderError):
        parse.executions(parse.in_order([logged(1, "FinalFill", FilledAmount=5)]))


def position(kind: str, amount: int, price: str, rate: str = "1") -> dict[str, Any]:
    return {
        "NetPositionBase": {"Amount": amount, "AssetType": kind, "Uic": 1},
        "NetPositionView": {
            "AverageOpenPrice": Decimal(price),
            "ConversionRateCurrent": Decimal(rate),
        },
    }


def test_money_is_what_was_paid_in_and_made() -> None:
    """What shares cost is still there; what pairs are worth is not looked at."""
    balance = {
        "CashBalance": Decimal("9000.5"),
        "TransactionsNotBooked": Decimal(-100),
        "UnrealizedMarginClosedProfitLoss": Decimal(25),
        "UnrealizedMarginProfitLoss": Decimal(777),
        "MarginUsedByCurrentPositions": Decimal(-500),
        "MarginNetExposure": Decimal(10_000),
        "Currency": "USD",
    }
    held = [position("Stock", 10, "80"), position("FxSpot", 100_000, "1.1"),
            position("Etf", -1, "50", "2")]  # fmt: skip
    funds = parse.funds(balance, held)
    assert Decimal("9000.5") - 100 + 25 + 800 - 100 == funds.money
    assert (Decimal(500), Decimal(20), "USD") == (funds.margin_used, funds.leverage, funds.currency)


def test_an_account_with_nothing_in_it() -> None:
    funds = parse.funds({"CashBalance": 0, "Currency": "EUR"}, [])
    assert (Decimal(0), None, Decimal(1)) == (funds.money, funds.margin_used, funds.leverage)


@pytest.mark.parametrize("wrong", [{}, {"CashBalance": "1", "Currency": "USD"}])
def test_a_balance_that_makes_no_sense_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        parse.funds(wrong, [])


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - made aware below
def test_times_go_and_come_back(at: datetime) -> None:
    """Also those without an offset, which are UTC, and those with seven digits of a second."""
    aware = at.replace(tzinfo=UTC)
    assert aware == moment(stamp(aware)) == moment(stamp(aware).removesuffix("Z"))
    assert aware == moment(stamp(aware).replace("Z", "0Z"))


@given(st.decimals(min_value=0, max_value=10**12, places=8))
def test_numbers_are_sent_plain(value: Decimal) -> None:
    assert value == wire(value)
    assert isinstance(wire(value), int) == (value == value.to_integral_value())
