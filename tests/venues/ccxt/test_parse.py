"""ccxt's structures and ours, word by word."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from ccxt.base.decimal_to_precision import (  # type: ignore[import-untyped]
    DECIMAL_PLACES,
    SIGNIFICANT_DIGITS,
    TICK_SIZE,
)
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Instrument
from providers.ccxt import parse
from providers.ccxt.exchanges import EXCHANGES
from providers.errors import ProviderError
from providers.live.venue import Progress, Refused, Ticket
from providers.models import AssetClass, OrderType, RejectReason, Side, Timeframe, TimeInForce
from tests.venues.ccxt.tickets import ticket

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BTC = Instrument(
    symbol="BTC/USD",
    asset_class=AssetClass.CRYPTO,
    price_increment=Decimal("0.01"),
    quantity_increment=Decimal("0.0001"),
)
COINBASE, BINANCE = EXCHANGES["coinbaseexchange"], EXCHANGES["binance"]


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": "7",
        "clientOrderId": "mine",
        "symbol": "BTC/USD",
        "side": "buy",
        "type": "limit",
        "amount": "2",
        "filled": "0.5",
        "price": "100.10",
        "average": "99.9",
        "status": "open",
        "timeInForce": "GTC",
        "timestamp": 1_700_000_000_123,
        **changes,
    }


def test_an_order() -> None:
    """A report has what the exchange says, to the last digit."""
    report = parse.report(order(), NOW)
    assert ("mine", "7", Progress.WORKING) == (report.client_id, report.venue_id, report.progress)
    assert (Decimal(2), Decimal("0.5")) == (report.quantity, report.filled)
    assert (Decimal("100.10"), Decimal("99.9")) == (report.limit_price, report.average_price)
    assert datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC) == report.at


@pytest.mark.parametrize(
    ("status", "filled", "time_in_force", "expected"),
    [
        ("open", "0", "GTC", Progress.WORKING),
        ("canceling", "0", "GTC", Progress.WORKING),
        ("closed", "2", "GTC", Progress.FILLED),
        ("closed", "1", "IOC", Progress.CANCELLED),
        ("canceled", "1", "GTC", Progress.CANCELLED),
        ("expired", "1", "GTC", Progress.EXPIRED),
        ("expired", "1", "IOC", Progress.CANCELLED),
        ("expired", "0", "FOK", Progress.CANCELLED),
        ("rejected", "0", "GTC", Progress.REJECTED),
    ],
)
def test_statuses(status: str, filled: str, time_in_force: str, expected: Progress) -> None:
    """What is left of an immediate order was cancelled, however the exchange calls it."""
    told = order(status=status, filled=filled, timeInForce=time_in_force)
    assert expected is parse.report(told, NOW).progress


def test_statuses_are_all_known() -> None:
    """These are the statuses of ccxt's manual."""
    known = {"open", "closed", "canceled", "canceling", "rejected", "expired"}
    assert known == set(parse.STATUSES)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "weird"},
        {"status": None},
        {"side": None},
        {"type": "iceberg"},
        {"timeInForce": "ASAP"},
        {"amount": None},
        {"filled": None},
        {"filled": "much"},
        {"amount": "NaN"},
    ],
)
def test_what_is_not_known_is_an_error(change: dict[str, Any]) -> None:
    """Nothing is guessed."""
    with pytest.raises(ProviderError):
        parse.report(order(**change), NOW)


@pytest.mark.parametrize(
    ("kind", "trigger", "expected"),
    [
        ("limit", None, OrderType.LIMIT),
        ("limit", "90", OrderType.STOP_LIMIT),
        ("market", None, OrderType.MARKET),
        ("market", "90", OrderType.STOP),
        ("stop_loss_limit", "90", OrderType.STOP_LIMIT),
        ("stop_loss", "90", OrderType.STOP),
        ("limit_maker", None, OrderType.LIMIT),
    ],
)
def test_types(kind: str, trigger: str | None, expected: OrderType) -> None:
    """A trigger price makes a stop order of either type."""
    report = parse.report(order(type=kind, triggerPrice=trigger), NOW)
    assert expected is report.order_type
    assert (trigger is None) is (report.stop_price is None)


def test_the_ticket_fills_the_gaps() -> None:
    """Many exchanges leave out what they were told."""
    sent = ticket(quantity=Decimal(2), time_in_force=TimeInForce.IOC)
    report = parse.report(order(clientOrderId=None, amount=None, timeInForce=None), NOW, sent)
    assert (sent.client_id, Decimal(2)) == (report.client_id, report.quantity)
    assert (TimeInForce.IOC, OrderType.MARKET) == (report.time_in_force, report.order_type)
    assert report.limit_price is None


@pytest.mark.parametrize("answer", [{"id": "7"}, order(status=None), order(filled=None)])
def test_an_answer_that_is_only_an_id(answer: dict[str, Any]) -> None:
    """Then the order is pending, as it was sent."""
    sent = ticket()
    report = parse.accepted(answer, sent, NOW)
    assert (Progress.PENDING, "7") == (report.progress, report.venue_id)
    assert (sent.client_id, sent.quantity) == (report.client_id, report.quantity)
    assert 0 == report.filled
    with pytest.raises(ProviderError):
        parse.accepted({"id": None}, sent, NOW)


def test_rejected_as_post_only() -> None:
    """ccxt has no field for the reason; a post-only order has one that is likely."""
    sent = ticket(order_type=OrderType.LIMIT, limit_price=Decimal(1), post_only=True)
    report = parse.accepted(order(status="rejected", filled="0"), sent, NOW)
    assert RejectReason.POST_ONLY_VIOLATED is report.reason
    plain = parse.report(order(status="rejected", filled="0"), NOW)
    assert RejectReason.UNKNOWN is plain.reason


# What is sent


def test_a_market_order() -> None:
    """It has no price and no time in force."""
    sent = parse.to_order(ticket(time_in_force=TimeInForce.IOC), COINBASE, BTC)
    assert ("BTC/USD", "market", "buy", "0.1", None) == (
        sent.symbol,
        sent.type,
        sent.side,
        sent.amount,
        sent.price,
    )
    assert {"clientOrderId"} == set(sent.params)


def test_a_limit_order() -> None:
    """Times in force other than the usual one, and post only, are ccxt's own parameters."""
    limit = {"order_type": OrderType.LIMIT, "limit_price": Decimal("1E+2"), "side": Side.SELL}
    sent = parse.to_order(ticket(time_in_force=TimeInForce.FOK, **limit), BINANCE, BTC)
    assert ("limit", "sell", "100") == (sent.type, sent.side, sent.price)
    assert "FOK" == sent.params["timeInForce"]
    assert "timeInForce" not in parse.to_order(ticket(**limit), BINANCE, BTC).params
    assert parse.to_order(ticket(post_only=True, **limit), BINANCE, BTC).params["postOnly"] is True


@pytest.mark.parametrize(("side", "direction"), [(Side.BUY, "entry"), (Side.SELL, "loss")])
def test_a_stop_order(side: Side, direction: str) -> None:
    """Coinbase wants the direction of a stop, and others do not know that parameter."""
    stop = ticket(
        side=side,
        order_type=OrderType.STOP_LIMIT,
        stop_price=Decimal(90),
        limit_price=Decimal(91),
    )
    sent = parse.to_order(stop, COINBASE, BTC)
    assert ("90", direction) == (sent.params["triggerPrice"], sent.params["stop"])
    assert "stop" not in parse.to_order(stop, BINANCE, BTC).params


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quantity": Decimal("0.00015")}, RejectReason.INVALID_QUANTITY),
        ({"limit_price": Decimal("100.005")}, RejectReason.INVALID_PRICE),
        ({"stop_price": Decimal("100.005")}, RejectReason.INVALID_PRICE),
    ],
)
def test_off_the_steps(change: dict[str, Any], reason: RejectReason) -> None:
    """ccxt would round, and place another order than the one meant."""
    with pytest.raises(Refused) as refused:
        parse.to_order(ticket(**change), COINBASE, BTC)
    assert reason is refused.value.reason


@given(
    quantity=st.decimals("0.0001", "1000000", places=4),
    price=st.decimals("0.01", "1000000", places=2),
)
def test_numbers_are_sent_whole(quantity: Decimal, price: Decimal) -> None:
    """What is on the steps goes out as it is, without an exponent."""
    sent = parse.to_order(
        ticket(quantity=quantity, limit_price=price, order_type=OrderType.LIMIT), COINBASE, BTC
    )
    assert sent.price is not None
    assert (quantity, price) == (Decimal(sent.amount), Decimal(sent.price))
    assert "E" not in sent.amount + sent.price


# Instruments


def market(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTC/USD",
        "quote": "USD",
        "spot": True,
        "active": True,
        "precision": {"price": "0.01", "amount": "0.0001"},
        **changes,
    }


@pytest.mark.parametrize(
    ("mode", "precision"),
    [
        (TICK_SIZE, {"price": "0.01", "amount": "0.0001"}),
        (DECIMAL_PLACES, {"price": "2", "amount": "4"}),
    ],
)
def test_steps(mode: int, precision: dict[str, str]) -> None:
    """Both of ccxt's ways to tell fixed steps give the same."""
    assert BTC == parse.instrument(market(precision=precision), mode)
    assert parse.fixed_steps(mode)


def test_significant_digits_are_no_steps() -> None:
    """An exchange whose prices have no fixed steps cannot be a venue here."""
    assert not parse.fixed_steps(SIGNIFICANT_DIGITS)


@pytest.mark.parametrize(
    "change",
    [
        {"spot": False},
        {"active": False},
        {"precision": {"price": None, "amount": "1"}},
        {"precision": {"price": "0", "amount": "1"}},
        {"quote": "EUR"},
        {"symbol": "ETH/USD"},
    ],
)
def test_left_out(change: dict[str, Any]) -> None:
    """Markets of other kinds, closed ones, and such that are not chosen."""
    chosen = frozenset({"BTC/USD"})
    assert {} == parse.instruments([market(**change)], TICK_SIZE, "USD", chosen)
    assert {"BTC/USD"} == set(parse.instruments([market()], TICK_SIZE, "USD", chosen))


# Fills


def trade(**changes: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "timestamp": 1_700_000_000_000,
        "side": "buy",
        "price": "100",
        "amount": "0.5",
        "takerOrMaker": "taker",
        "fee": {"currency": "USD", "cost": "0.25"},
        **changes,
    }


def test_fills_are_in_order() -> None:
    """By time, and within a moment by number; each says how much there is with it."""
    trades = [
        trade(id="10", amount="4"),
        trade(id="9", amount="2"),
        trade(id="11", timestamp=1_600_000_000_000, amount="1"),
    ]
    fills = parse.executions(trades, BTC, lambda _: None)
    assert [Decimal(1), Decimal(2), Decimal(4)] == [each.quantity for each in fills]
    assert [Decimal(1), Decimal(3), Decimal(7)] == [each.cumulative for each in fills]


@pytest.mark.parametrize(
    ("change", "commission", "in_kind"),
    [
        ({}, "0.25", "0"),
        ({"fee": {"currency": "BTC", "cost": "0.001"}}, "0.1", "0.001"),
        ({"fee": {"currency": "BTC", "cost": "0.001"}, "side": "sell"}, "0.1", "0"),
        ({"fee": {"currency": "BNB", "cost": "0.01"}}, "6", "0"),
        ({"fee": {"currency": "OLD", "cost": "1"}}, "0", "0"),
        ({"fee": {"currency": None, "cost": "0.3"}}, "0.3", "0"),
        ({"fee": None}, "0", "0"),
        ({"fee": {"currency": "USD", "cost": "-0.1"}}, "-0.1", "0"),
        ({"fee": None, "fees": [{"currency": "USD", "cost": "0.1"}] * 2}, "0.2", "0"),
    ],
)
def test_fees(change: dict[str, Any], commission: str, in_kind: str) -> None:
    """A fee in the coin bought is told twice: what was kept, and its worth."""
    rates = {"BNB": Decimal(600)}
    (fill,) = parse.executions([trade(**change)], BTC, rates.get)
    assert (Decimal(commission), Decimal(in_kind)) == (fill.commission, fill.fee_in_kind)


def test_currencies_to_convert() -> None:
    """Only those of fees that are neither of the pair."""
    fees = [{"currency": code, "cost": "1"} for code in ("USD", "BTC", "BNB", None)]
    assert {"BNB"} == parse.fee_currencies([trade(fees=fees)], BTC)


def test_makers() -> None:
    """Whether a fill was made or taken."""
    fills = parse.executions([trade(takerOrMaker="maker")], BTC, lambda _: None)
    assert fills[0].is_maker


# The account and the market


def test_balances() -> None:
    """Coins that cannot be traded are left out; cash includes what orders hold."""
    balance = {"total": {"USD": "10.5", "BTC": "2", "ETH": "0", "DOGE": "7"}}
    (held,) = parse.holdings(balance, {"BTC/USD": BTC}, "USD")
    assert ("BTC/USD", Decimal(2)) == (held.symbol, held.quantity)
    assert Decimal("10.5") == parse.funds(balance, "USD").money
    assert 0 == parse.funds(balance, "EUR").money


def test_a_quote() -> None:
    """Without both sides there is none; sizes may be missing."""
    ticker = {"symbol": "BTC/USD", "bid": "99.9", "ask": "100.1", "timestamp": None}
    quote = parse.quote(ticker, "x", NOW)
    assert quote is not None
    assert (Decimal("99.9"), None, NOW) == (quote.bid, quote.bid_size, quote.timestamp)
    for side in ("bid", "ask"):
        assert parse.quote({**ticker, side: None}, "x", NOW) is None
        assert parse.quote({**ticker, side: "0"}, "x", NOW) is None


def test_a_candle() -> None:
    """In ccxt's order; one with a gap is an error."""
    bar = parse.bar([60_000, "1", "4", "0.5", "2", "9.25"], "BTC/USD", Timeframe.M1, "x")
    assert datetime(1970, 1, 1, 0, 1, tzinfo=UTC) == bar.timestamp
    assert ["1", "4", "0.5", "2", "9.25"] == [
        str(each) for each in (bar.open, bar.high, bar.low, bar.close, bar.volume)
    ]
    with pytest.raises(ProviderError):
        parse.bar([60_000, "1", None, "0.5", "2", "9"], "BTC/USD", Timeframe.M1, "x")


def test_a_stranger_has_no_ticket() -> None:
    """An order placed elsewhere may have no client id."""
    assert "" == parse.report(order(clientOrderId=None), NOW).client_id
    assert isinstance(ticket(), Ticket)
