"""OANDA's JSON and our values: pure functions; and the options."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from providers.base import Instrument
from providers.errors import ProviderError, UnsupportedOperation
from providers.live.http import Answer
from providers.live.settings import Environment, load
from providers.live.venue import Funds, Gone, Holding, Refused, Unanswered
from providers.models import AssetClass, OrderType, Quote, RejectReason, Timeframe
from providers.oanda import errors, parse, provider
from providers.oanda.settings import OandaSettings
from tests.venues.oanda.toolkit import limit, stop, ticket

METAL = {
    "name": "XAU_USD",
    "type": "METAL",
    "displayPrecision": 3,
    "tradeUnitsPrecision": 0,
    "minimumTradeSize": "1",
    "marginRate": "0.05",
}
PRICE = {
    "type": "PRICE",
    "instrument": "EUR_USD",
    "time": "2026-03-02T10:00:00.123456789Z",
    "status": "tradeable",
    "bids": [{"price": "1.10001", "liquidity": 1_000_000}, {"price": "1.1", "liquidity": 5}],
    "asks": [{"price": "1.10012", "liquidity": 500_000}],
}


# Instruments and the account


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (Decimal("0.001"), Decimal(1))),
        ({"tradeUnitsPrecision": 1}, (Decimal("0.001"), Decimal(1))),
        ({"tradeUnitsPrecision": 1, "minimumTradeSize": "0.1"}, (Decimal("0.001"), Decimal("0.1"))),
    ],
)
def test_steps(changes: dict[str, Any], expected: tuple[Decimal, Decimal]) -> None:
    """The smallest trade is the step where it is the larger one."""
    made = parse.instrument({**METAL, **changes}, "USD")
    assert made is not None
    assert (made.price_increment, made.quantity_increment) == expected
    assert (made.symbol, made.asset_class) == ("XAU/USD", AssetClass.FOREX)


def test_what_is_left_out() -> None:
    """What is no pair, and what is quoted in another currency than the account's."""
    listed = [METAL, {**METAL, "type": "CFD"}, {**METAL, "name": "XAU_EUR"}]
    assert set(parse.instruments(listed, "USD")) == {"XAU/USD"}
    assert set(parse.instruments(listed, "EUR")) == {"XAU/EUR"}
    with pytest.raises(ProviderError, match="list of instruments"):
        parse.instruments([{**METAL, "type": "CRYPTO"}], "USD")


def test_the_highest_leverage_is_that_of_the_lowest_rate() -> None:
    assert parse.max_leverage([METAL, {"marginRate": "0.02"}]) == Decimal(50)
    assert parse.max_leverage([]) is None


def test_funds() -> None:
    account = {"currency": "USD", "balance": "99.5", "marginUsed": "2.5", "marginRate": "0.04"}
    assert parse.funds(account) == Funds(
        currency="USD", money=Decimal("99.5"), margin_used=Decimal("2.5"), leverage=Decimal(25)
    )
    with pytest.raises(ProviderError):
        parse.funds({**account, "marginRate": "0"})


def test_an_account_that_hedges_is_not_ours() -> None:
    assert parse.currency_of({"currency": "USD", "hedgingEnabled": False}) == "USD"
    with pytest.raises(ProviderError, match="hedges"):
        parse.currency_of({"currency": "USD", "hedgingEnabled": True})


def test_holdings() -> None:
    known = {
        "EUR/USD": Instrument(
            symbol="EUR/USD",
            asset_class=AssetClass.FOREX,
            price_increment=Decimal("0.00001"),
            quantity_increment=Decimal(1),
        )
    }
    short = {"units": "-5", "averagePrice": "1.1"}
    position = {"instrument": "EUR_USD", "long": {"units": "0"}, "short": short}
    other = {**position, "instrument": "SPX500_USD"}
    assert parse.holdings([position, other], known) == [
        Holding(symbol="EUR/USD", quantity=Decimal(-5), average_price=Decimal("1.1"))
    ]


# Orders


def test_a_limit_order() -> None:
    order = limit("1.10000", client_id="c", side="SELL", reduce_only=True)
    assert parse.order_request(order) == {
        "order": {
            "type": "LIMIT",
            "instrument": "EUR_USD",
            "units": "-1000",
            "price": "1.10000",
            "timeInForce": "GTC",
            "positionFill": "REDUCE_ONLY",
            "clientExtensions": {"id": "c"},
        }
    }


def test_a_market_order_has_no_price_and_a_stop_its_stop_price() -> None:
    assert "price" not in parse.order_request(ticket())["order"]
    order = parse.order_request(stop("1.2", time_in_force="DAY"), Decimal(3))["order"]
    assert (order["price"], order["units"], order["timeInForce"]) == ("1.2", "3", "GFD")


@pytest.mark.parametrize("kind", [OrderType.STOP_LIMIT, OrderType.TRAILING_STOP])
def test_what_oanda_does_not_have(kind: OrderType) -> None:
    with pytest.raises(UnsupportedOperation):
        parse.order_request(replace(ticket(), order_type=kind))


# Prices


def test_a_quote_is_the_best_of_each_side() -> None:
    assert parse.quotes([PRICE], "p") == [
        Quote(
            symbol="EUR/USD",
            provider="p",
            bid=Decimal("1.10001"),
            bid_size=Decimal(1_000_000),
            ask=Decimal("1.10012"),
            ask_size=Decimal(500_000),
            last=None,
            timestamp=datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=UTC),
        )
    ]


@pytest.mark.parametrize("changes", [{"bids": []}, {"asks": []}, {"status": "invalid"}])
def test_no_quote(changes: dict[str, Any]) -> None:
    assert parse.quotes([{**PRICE, **changes}], "p") == []


def test_the_last_prices_of_a_closed_market_are_quoted() -> None:
    assert len(parse.quotes([{**PRICE, "status": "non-tradeable"}], "p")) == 1
    with pytest.raises(ProviderError):
        parse.quotes([{**PRICE, "status": "new"}], "p")


def test_only_complete_candles_are_bars() -> None:
    mid = {"o": "1.1", "h": "1.3", "l": "1.0", "c": "1.2"}
    candle = {"time": PRICE["time"], "mid": mid, "volume": 12, "complete": True}
    (bar,) = parse.bars([candle, {**candle, "complete": False}], "EUR/USD", Timeframe.H1, "p")
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        *map(Decimal, ("1.1", "1.3", "1.0", "1.2")),
        Decimal(12),
    )
    with pytest.raises(ProviderError):
        parse.bars([{"complete": True}], "EUR/USD", Timeframe.H1, "p")


# Refusals


def rejected(reason: str, status: int = 400, of: str = "orderRejectTransaction") -> Answer:
    body = {of: {"rejectReason": reason}, "errorCode": reason, "errorMessage": "Because."}
    return Answer(status, body, {})


def test_a_refused_ticket() -> None:
    with pytest.raises(Refused) as refused:
        errors.refuse_ticket(rejected("UNITS_INVALID"))
    assert refused.value.reason is RejectReason.INVALID_QUANTITY
    assert refused.value.message == "UNITS_INVALID: Because."
    with pytest.raises(Unanswered):
        errors.refuse_ticket(rejected("CLIENT_ORDER_ID_ALREADY_EXISTS"))


@pytest.mark.parametrize("refuse", [errors.refuse_change, errors.refuse_cancel])
def test_a_refused_change_or_cancel(refuse: Any) -> None:
    with pytest.raises(Gone):
        refuse(rejected("ORDER_DOESNT_EXIST", 404, "orderCancelRejectTransaction"))
    with pytest.raises(Gone):
        refuse(Answer(404, {"errorCode": "NO_SUCH_ORDER", "errorMessage": "No."}, {}))
    with pytest.raises(Refused):
        refuse(rejected("ACCOUNT_ORDER_CANCEL_LOCKED", 404, "orderCancelRejectTransaction"))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"errorCode": "oanda::rest::core::InvalidParameterException"}),
        (401, {"errorMessage": "Insufficient authorization"}),
        (403, None),
        (404, {"errorMessage": "no account"}),
        (405, None),
        (418, None),
    ],
)
@pytest.mark.parametrize("refuse", [errors.refuse_ticket, errors.refuse_change, errors.refuse_read])
def test_answers_that_are_nobodys_decision(refuse: Any, status: int, body: Any) -> None:
    """The account has not refused it: something is wrong with us, or with OANDA."""
    with pytest.raises(ProviderError):
        refuse(Answer(status, body, {}))


def test_an_order_that_is_taken_and_not_told() -> None:
    with pytest.raises(Unanswered):
        provider.created(Answer(201, {}, {}), provider.RESULTS)


# Options


def test_each_environment_has_its_hosts() -> None:
    paper, live = OandaSettings(), OandaSettings(environment=Environment.LIVE)
    assert (paper.rest, paper.stream) == (
        "https://api-fxpractice.oanda.com",
        "https://stream-fxpractice.oanda.com",
    )
    assert (live.rest, live.stream) == (
        "https://api-fxtrade.oanda.com",
        "https://stream-fxtrade.oanda.com",
    )
    assert (paper.name, live.name) == ("oanda-paper", "oanda-live")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="TRADING_API_OANDA_TOKEN"):
        provider.venue(OandaSettings(account_id="1-2-3-4"))
    with pytest.raises(ValueError, match="TRADING_API_OANDA_ACCOUNT_ID"):
        provider.venue(OandaSettings(token=SecretStr("t")))
    with pytest.raises(ValueError, match="credentials"):
        load(OandaSettings, {"token": "t"})


@pytest.mark.parametrize(
    "wrong",
    [{"account_id": "1/orders"}, {"rest_url": "http://example.com"}, {"stream_timeout": 0}],
)
def test_options_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OandaSettings(**wrong)


def test_every_option_is_described() -> None:
    assert all(each.description for each in OandaSettings.model_fields.values())
