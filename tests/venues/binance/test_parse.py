"""Binance's JSON and our values, both ways."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Instrument
from providers.binance import market, parse, wire
from providers.binance.market import Listing
from providers.binance.parse import Fee
from providers.binance.settings import ENDPOINTS, BinanceSettings
from providers.errors import ProviderError
from providers.live.settings import Environment
from providers.live.venue import Execution, Holding, Progress, Refused, Ticket
from providers.models import (
    AssetClass,
    Bar,
    OrderType,
    RejectReason,
    Side,
    Timeframe,
    TimeInForce,
)
from tests.venues.binance.documents import DELISTED, PAIRS, exchange_information

AT = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)
MS = wire.to_ms(AT)
LISTING = Listing(
    instrument=Instrument(
        symbol="BTC/USDT",
        asset_class=AssetClass.CRYPTO,
        price_increment=Decimal("0.01"),
        quantity_increment=Decimal("0.00001"),
        currency="USDT",
    ),
    native="BTCUSDT",
    base="BTC",
    quote="USDT",
    order_types=frozenset({"LIMIT", "MARKET"}),
    iceberg=True,
)

STATUSES = {
    "NEW": Progress.WORKING,
    "PENDING_NEW": Progress.PENDING,
    "PARTIALLY_FILLED": Progress.WORKING,
    "FILLED": Progress.FILLED,
    "CANCELED": Progress.CANCELLED,
    "PENDING_CANCEL": Progress.WORKING,
    "REJECTED": Progress.REJECTED,
    "EXPIRED": Progress.EXPIRED,
    "EXPIRED_IN_MATCH": Progress.EXPIRED,
}


def order(**fields: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "orderListId": -1,
        "clientOrderId": "mine",
        "price": "100.50000000",
        "origQty": "2.00000000",
        "executedQty": "0.50000000",
        "cummulativeQuoteQty": "50.00000000",
        "status": "PARTIALLY_FILLED",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "SELL",
        "stopPrice": "0.00000000",
        "updateTime": MS,
    } | fields


def event(**fields: Any) -> dict[str, Any]:
    return {
        "e": "executionReport",
        "E": MS,
        "s": "BTCUSDT",
        "c": "mine",
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "2.00000000",
        "p": "100.50000000",
        "P": "0.00000000",
        "C": "",
        "x": "NEW",
        "X": "NEW",
        "r": "NONE",
        "i": 28,
        "l": "0.00000000",
        "z": "0.00000000",
        "L": "0.00000000",
        "n": "0",
        "N": None,
        "T": MS,
        "t": -1,
        "m": False,
        "Z": "0.00000000",
    } | fields


def trade(**fields: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "price": "100.00000000",
        "qty": "1.00000000",
        "commission": "0.00000000",
        "commissionAsset": "USDT",
        "time": MS,
        "isMaker": True,
    } | fields


# Orders


def test_an_order() -> None:
    """All its figures, with zero for a price it does not have."""
    report = parse.order_report(order(), LISTING)
    assert (report.client_id, report.venue_id, report.symbol) == ("mine", "BTCUSDT:28", "BTC/USDT")
    assert (report.side, report.order_type) == (Side.SELL, OrderType.LIMIT)
    assert (report.quantity, report.filled) == (Decimal(2), Decimal("0.5"))
    assert (report.limit_price, report.stop_price) == (Decimal("100.5"), None)
    assert (report.average_price, report.at) == (Decimal(100), AT)
    assert wire.native_id(report.venue_id) == "28"


@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
def test_statuses(status: str, expected: Progress) -> None:
    """All of the venue's enum, for an order that lasts."""
    assert parse.order_report(order(status=status), LISTING).progress is expected
    assert parse.event_report(event(X=status), LISTING).progress is expected


def test_all_statuses() -> None:
    assert parse.STATUSES.keys() == STATUSES.keys()


@pytest.mark.parametrize(
    ("kind", "lifetime"), [("MARKET", "GTC"), ("LIMIT", "IOC"), ("LIMIT", "FOK")]
)
def test_the_rest_of_immediate_orders(kind: str, lifetime: str) -> None:
    """The venue's EXPIRED is our CANCELLED."""
    body = order(status="EXPIRED", type=kind, timeInForce=lifetime)
    assert parse.order_report(body, LISTING).progress is Progress.CANCELLED


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (parse.SIDES, "BUY SELL"),
        (parse.TIMES_IN_FORCE, "GTC IOC FOK"),
        (
            parse.ORDER_TYPES,
            "LIMIT MARKET STOP_LOSS STOP_LOSS_LIMIT TAKE_PROFIT TAKE_PROFIT_LIMIT LIMIT_MAKER",
        ),
        (
            parse.EXECUTION_TYPES,
            "NEW CANCELED REPLACED REJECTED TRADE EXPIRED TRADE_PREVENTION",
        ),
        (
            parse.REJECT_REASONS,
            "NONE INSUFFICIENT_BALANCES STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY"
            " WOULD_MATCH_IMMEDIATELY OCO_BAD_PRICES",
        ),
    ],
)
def test_tables_are_total(table: dict[str, Any], values: str) -> None:
    """Each value of the venue's enums, and no other."""
    assert sorted(table) == sorted(values.split())


def test_symbol_statuses_are_total() -> None:
    known = {"TRADING", "END_OF_DAY", "HALT", "BREAK"}
    assert known <= market.SYMBOL_STATUSES.keys()


@pytest.mark.parametrize("field", ["status", "timeInForce", "type", "side"])
def test_unknown_values_of_orders(field: str) -> None:
    with pytest.raises(ProviderError, match="TOMORROW"):
        parse.order_report(order(**{field: "TOMORROW"}), LISTING)


@pytest.mark.parametrize("field", ["X", "x", "o", "f", "S", "r"])
def test_unknown_values_of_events(field: str) -> None:
    with pytest.raises(ProviderError, match="TOMORROW"):
        parse.event_report(event(**{field: "TOMORROW"}), LISTING)


@given(st.sampled_from(sorted(order())), st.sampled_from([None, [], {}, "", "x", 1.5]))
def test_misshapen_orders(field: str, value: Any) -> None:
    """Whatever a field is, an order is read or is a ProviderError."""
    strict = field in ("status", "side", "type", "timeInForce")
    with pytest.raises(ProviderError) if strict else contextlib.suppress(ProviderError):
        parse.order_report(order(**{field: value}), LISTING)


def test_historical_orders() -> None:
    """Of some the venue does not know any more what was paid."""
    body = order(cummulativeQuoteQty="-1.00000000", status="FILLED")
    assert parse.order_report(body, LISTING).average_price is None


def test_a_cancel() -> None:
    """The order's client id, not that of the cancel."""
    body = order(status="CANCELED", clientOrderId="cancel", transactTime=MS)
    report = parse.cancel_report(body | {"origClientOrderId": "mine"}, LISTING, ticket())
    assert (report.client_id, report.progress) == ("mine", Progress.CANCELLED)


def test_an_event_of_a_cancel() -> None:
    """`c` is the cancel's id, `C` the order's."""
    report = parse.event_report(event(c="cancel", C="mine", x="CANCELED", X="CANCELED"), LISTING)
    assert (report.client_id, report.progress) == ("mine", Progress.CANCELLED)


def test_a_rejected_event() -> None:
    report = parse.event_report(event(x="REJECTED", X="REJECTED", r="OCO_BAD_PRICES"), LISTING)
    assert (report.progress, report.reason) == (Progress.REJECTED, RejectReason.INVALID_PRICE)
    assert report.message == "OCO_BAD_PRICES"


def test_a_fill_in_an_event() -> None:
    """Its cumulative quantity is the order's so far."""
    body = event(x="TRADE", X="PARTIALLY_FILLED", l="0.5", z="1.5", L="99", Z="150", m=True)
    report = parse.event_report(body | {"n": "0.001", "N": "BTC"}, LISTING)
    assert report.executions == (
        Execution(
            quantity=Decimal("0.5"),
            price=Decimal(99),
            cumulative=Decimal("1.5"),
            at=AT,
            commission=Decimal("0.099"),
            fee_in_kind=Decimal("0.001"),
            is_maker=True,
        ),
    )
    assert parse.event_report(body | {"n": "0.001", "N": "BNB"}, LISTING).executions == ()


def ticket(**fields: Any) -> Ticket:
    usual: dict[str, Any] = {
        "client_id": "mine",
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "quantity": Decimal("1.50"),
        "limit_price": Decimal("1E+2"),
    }
    return Ticket(**usual | fields)


COMMON = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "quantity": "1.50",
    "newClientOrderId": "mine",
    "newOrderRespType": "FULL",
}
QUERIES: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {"type": "LIMIT", "price": "100", "timeInForce": "GTC"}),
    (
        {"time_in_force": TimeInForce.FOK},
        {"type": "LIMIT", "price": "100", "timeInForce": "FOK"},
    ),
    ({"post_only": True}, {"type": "LIMIT_MAKER", "price": "100"}),
    (
        {"display_quantity": Decimal("0.5")},
        {"type": "LIMIT", "price": "100", "timeInForce": "GTC", "icebergQty": "0.5"},
    ),
    ({"order_type": OrderType.MARKET, "limit_price": None}, {"type": "MARKET"}),
    (
        {"order_type": OrderType.STOP, "limit_price": None, "stop_price": Decimal("0.1")},
        {"type": "STOP_LOSS", "stopPrice": "0.1"},
    ),
    (
        {"order_type": OrderType.STOP_LIMIT, "stop_price": Decimal("0.1")},
        {"type": "STOP_LOSS_LIMIT", "price": "100", "stopPrice": "0.1", "timeInForce": "GTC"},
    ),
]


@pytest.mark.parametrize(("fields", "expected"), QUERIES)
def test_order_queries(fields: dict[str, Any], expected: dict[str, str]) -> None:
    """Exactly the parameters that a type takes, in plain notation."""
    assert parse.order_query(ticket(**fields), LISTING) == COMMON | expected


@pytest.mark.parametrize("kind", OrderType)
@pytest.mark.parametrize("lifetime", TimeInForce)
def test_orders_that_are_not_there(kind: OrderType, lifetime: TimeInForce) -> None:
    """An order is sent just where its type takes the time in force."""
    allowed = kind in market.NATIVE and lifetime in market.NATIVE[kind][1]
    sent = ticket(order_type=kind, time_in_force=lifetime)
    if allowed:
        assert parse.order_query(sent, LISTING)["newClientOrderId"] == "mine"
    else:
        with pytest.raises(Refused):
            parse.order_query(sent, LISTING)


def test_an_archived_order() -> None:
    report = parse.archived_report(ticket(venue_id="BTCUSDT:1"), AT)
    assert (report.progress, report.filled) == (Progress.CANCELLED, Decimal(0))
    assert (report.venue_id, report.client_id) == ("BTCUSDT:1", "mine")


# Fills


@given(st.lists(st.decimals("0.00001", 1000, places=5), max_size=8))
def test_executions_count_up(quantities: list[Decimal]) -> None:
    """The last of them has the sum."""
    trades = [trade(qty=str(each)) for each in quantities]
    found = parse.executions(trades, LISTING)
    assert [each.quantity for each in found] == quantities
    assert [each.cumulative for each in found] == [
        sum(quantities[: number + 1], Decimal(0)) for number in range(len(quantities))
    ]


def test_commissions() -> None:
    """In the quote asset as they are; in the base asset at the price; in others at theirs."""
    trades = [
        trade(commission="0.1"),
        trade(commission="0.01", commissionAsset="BTC"),
        trade(commission="0.2", commissionAsset="BNB"),
        trade(commission="0.00000000", commissionAsset="BNB"),
    ]
    minute = AT.replace(second=0, microsecond=0)
    assert parse.foreign_fees(trades, LISTING) == {Fee("BNB", minute)}
    prices = {Fee("BNB", minute): Decimal(600)}
    found = parse.executions(trades, LISTING, prices)
    assert [(each.commission, each.fee_in_kind) for each in found] == [
        (Decimal("0.1"), Decimal(0)),
        (Decimal(1), Decimal("0.01")),
        (Decimal(120), Decimal(0)),
        (Decimal(0), Decimal(0)),
    ]
    with pytest.raises(ProviderError):
        parse.executions(trades, LISTING)


# The account and the market

BALANCES = {
    "balances": [
        {"asset": "USDT", "free": "900.5", "locked": "99.5"},
        {"asset": "BTC", "free": "0.1", "locked": "0.2"},
        {"asset": "BNB", "free": "5", "locked": "0"},
        {"asset": "ETH", "free": "0.00000000", "locked": "0.00000000"},
    ]
}


def test_balances() -> None:
    """Locked or not; those that cannot be sold here, and empty ones, are left out."""
    assert parse.funds(BALANCES, "USDT").money == 1000
    assert parse.funds(BALANCES, "EUR").money == 0
    found = {"BTCUSDT": LISTING}
    assert parse.holdings(BALANCES, found, "USDT") == [
        Holding(symbol="BTC/USDT", quantity=Decimal("0.3"))
    ]


def information() -> Any:
    return exchange_information([*PAIRS.values(), DELISTED], AT)


def test_listings() -> None:
    """What trades in the quote asset, with its steps."""
    found = market.listings(information(), "USDT")
    assert sorted(found) == ["BTCUSDT", "ETHUSDT"]
    bitcoin = found["BTCUSDT"].instrument
    assert (bitcoin.symbol, bitcoin.currency) == ("BTC/USDT", "USDT")
    assert bitcoin.price_increment == Decimal("0.01")
    assert market.listings(information(), "EUR") == {}
    assert market.native_orders(found.values()).keys() == {
        *(OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT)
    }


def test_listings_of_another_kind() -> None:
    """A rule that is off leaves the asset's precision; names beyond ASCII are left out."""
    body = information()
    first, second, _ = body["symbols"]
    first["filters"][0]["tickSize"] = first["filters"][1]["stepSize"] = "0.00000000"
    first["orderTypes"] = ["LIMIT", "MARKET"]
    second["baseAsset"] = "币安人生"
    found = market.listings(body, "USDT")
    assert sorted(found) == ["BTCUSDT"]
    assert found["BTCUSDT"].instrument.price_increment == Decimal("0.00000001")
    assert market.native_orders(found.values()).keys() == {OrderType.LIMIT, OrderType.MARKET}
    first["status"] = "TOMORROW"
    with pytest.raises(ProviderError):
        market.listings(body, "USDT")
    assert market.native_orders([]) == {}


def test_rate_limits() -> None:
    limits = market.rate_limits(information())
    assert (limits.requests_per_minute, limits.orders_per_second) == (6000, 10)
    assert limits.orders_per_day == 200_000


def test_an_empty_book_has_no_quote() -> None:
    body = {"s": "BTCUSDT", "b": "0.00000000", "B": "0.00000000", "a": "1.0", "A": "2.0"}
    assert market.streamed_quote(body, LISTING, "x", AT) is None
    quote = market.streamed_quote(body | {"b": "0.9", "B": "3"}, LISTING, "x", AT)
    assert quote is not None
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (
        *(Decimal("0.9"), Decimal(3)),
        *(Decimal(1), Decimal(2)),
    )


@given(
    st.timedeltas(timedelta(0), timedelta(days=20_000)).map(lambda since: wire.EPOCH + since),
    st.sampled_from(sorted(market.INTERVALS)),
)
def test_floors(moment: datetime, timeframe: Timeframe) -> None:
    """A bar has opened at or before the moment and is not over; weeks begin on Mondays."""
    whole = market.INTERVALS[timeframe].whole
    opened = market.floor_to(moment, whole)
    assert opened <= moment < opened + whole
    assert timeframe is not Timeframe.W1 or opened.weekday() == 0
    assert market.floor_to(opened, whole) == opened


def test_every_timeframe_has_an_interval() -> None:
    assert market.INTERVALS.keys() == set(Timeframe)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 99)), unique_by=lambda one: one[0]))
def test_merged_bars(minutes: list[tuple[int, int]]) -> None:
    """Longer bars hold what the shorter ones did, also where some are missing."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    bars = [
        Bar(
            symbol="BTC/USDT",
            provider="x",
            timeframe=Timeframe.M10,
            timestamp=start + timedelta(minutes=minute),
            open=Decimal(price),
            high=Decimal(price + 2),
            low=Decimal(price - 1),
            close=Decimal(price + 1),
            volume=Decimal(minute),
        )
        for minute, price in sorted(minutes)
    ]
    found = market.merged(bars, timedelta(minutes=10))
    assert sum(each.volume for each in found) == sum(each.volume for each in bars)
    for each in found:
        inside = [
            bar
            for bar in bars
            if 0 <= (bar.timestamp - each.timestamp).seconds < 600
            and bar.timestamp >= each.timestamp
        ]
        assert (each.open, each.close) == (inside[0].open, inside[-1].close)
        assert each.high == max(bar.high for bar in inside)
        assert each.low == min(bar.low for bar in inside)


@given(st.decimals(0, 10**9, places=8))
def test_amounts(value: Decimal) -> None:
    """The same value, in plain notation and without zeros at its end."""
    found = wire.amount(f"{value:f}")
    assert found == value
    text = str(found)
    assert "E" not in text or found < Decimal("0.000001")
    assert "." not in text or not text.endswith("0")


def test_moments() -> None:
    assert wire.from_ms(wire.to_ms(AT)) == AT


@pytest.mark.parametrize("environment", Environment)
def test_endpoints(environment: Environment) -> None:
    """Binance's own, unless told otherwise; only over TLS, or on this machine."""
    settings = BinanceSettings(environment=environment, _env_file=None)
    assert settings.endpoints == ENDPOINTS[environment]
    other = BinanceSettings(rest_url="http://127.0.0.1:1/", _env_file=None)
    assert other.endpoints.rest == "http://127.0.0.1:1"
    with pytest.raises(ValueError, match="https"):
        BinanceSettings(rest_url="http://example.com", _env_file=None)
