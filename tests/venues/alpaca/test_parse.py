"""Alpaca's JSON and our values."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.alpaca import parse
from providers.errors import ProviderError, UnsupportedOperation
from providers.live.venue import Holding, Progress, Ticket
from providers.models import AssetClass, OrderType, RejectReason, Side, TimeInForce, TrailingType
from tests.venues.contract import find, read

PAIRS = {"BTCUSD": "BTC/USD"}


def order(**fields: Any) -> dict[str, Any]:
    return {
        "id": "11111111-1111-4111-8111-111111111111",
        "client_order_id": "mine",
        "created_at": "2026-03-02T14:30:00Z",
        "submitted_at": "2026-03-02T14:30:00.5Z",
        "updated_at": "2026-03-02T14:30:01.123456789Z",
        "symbol": "AAPL",
        "asset_class": "us_equity",
        "qty": "10",
        "filled_qty": "4",
        "filled_avg_price": "101.5",
        "type": "stop_limit",
        "side": "sell",
        "time_in_force": "day",
        "limit_price": "99.5",
        "stop_price": "100",
        "status": "partially_filled",
        "replaced_by": None,
        **fields,
    }


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)


def ticket(**fields: Any) -> Ticket:
    defaults: dict[str, Any] = {
        "client_id": "mine",
        "symbol": "AAPL",
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "quantity": Decimal(10),
        "limit_price": Decimal("99.5"),
    }
    return Ticket(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("table", "schema"),
    [
        (parse.STATUSES, "OrderStatus"),
        (parse.ORDER_TYPES, "OrderType"),
        (parse.SIDES, "OrderSide"),
        (parse.TIMES_IN_FORCE, "TimeInForce"),
        (parse.ASSET_CLASSES, "AssetClass"),
    ],
)
def test_every_value_of_the_specification_is_mapped(table: dict[str, Any], schema: str) -> None:
    path = find("alpaca-trading.json")
    if path is None:
        pytest.skip("Alpaca's specification is not at hand")
    told = set(read(path)["components"]["schemas"][schema]["enum"])
    assert told
    assert told - table.keys() == set()


@pytest.mark.parametrize("status", sorted(parse.STATUSES))
def test_an_order_in_each_status(status: str) -> None:
    report = parse.report(order(status=status), PAIRS)
    assert report.progress is parse.STATUSES[status]
    assert report.progress.over == (
        status in {"filled", "canceled", "expired", "rejected", "replaced"}
    )
    assert (report.reason is RejectReason.UNKNOWN) == (status == "rejected")


def test_an_order_with_all_it_has() -> None:
    report = parse.report(order(), PAIRS)
    assert (report.client_id, report.symbol, report.side) == ("mine", "AAPL", Side.SELL)
    assert (report.order_type, report.time_in_force) == (OrderType.STOP_LIMIT, TimeInForce.DAY)
    assert (report.quantity, report.filled, report.average_price) == decimals("10", "4", "101.5")
    assert (report.limit_price, report.stop_price) == (Decimal("99.5"), Decimal(100))
    assert report.at == datetime(2026, 3, 2, 14, 30, 1, 123456, tzinfo=UTC)


@pytest.mark.parametrize(("filled", "progress"), [("10", Progress.FILLED), ("4", Progress.WORKING)])
def test_done_for_the_day_is_filled_only_if_all_has(filled: str, progress: Progress) -> None:
    told = order(status="calculated", filled_qty=filled)
    assert parse.report(told, PAIRS).progress is progress


def test_a_replaced_order_names_the_one_in_its_place() -> None:
    told = parse.report(order(status="replaced", replaced_by="another"), PAIRS)
    working = parse.report(order(replaced_by="another"), PAIRS)
    assert (told.progress, told.replaced_by) == (Progress.CANCELLED, "another")
    assert working.replaced_by is None


def test_an_order_over_money_is_as_large_as_what_has_filled() -> None:
    assert parse.report(order(qty=None, notional="500"), PAIRS).quantity == 4


@pytest.mark.parametrize(
    ("symbol", "kind", "canonical"),
    [
        ("BTC/USD", "crypto", "BTC/USD"),
        ("BTCUSD", "crypto", "BTC/USD"),
        ("AAPL", "us_equity", "AAPL"),
    ],
)
def test_symbols(symbol: str, kind: str, canonical: str) -> None:
    assert parse.report(order(symbol=symbol, asset_class=kind), PAIRS).symbol == canonical


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "brand_new"},
        {"type": "peg"},
        {"side": "sell_short"},
        {"time_in_force": "gtx"},
        {"asset_class": "nft"},
        {"filled_qty": "four"},
        {"filled_qty": None},
        {"updated_at": "yesterday"},
    ],
)
def test_what_is_not_specified_is_no_order(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        parse.report(order(**wrong), PAIRS)


def test_a_member_that_is_missing_is_told_of() -> None:
    told = order()
    del told["status"]
    with pytest.raises(ProviderError, match="status"):
        parse.report(told, PAIRS)


# Chains


def test_the_second_order_of_a_chain_counts_its_own() -> None:
    """100 in all; 40 at 10 before it, 20 at 13 of its own make 60 at 11."""
    before = parse.filled_so_far(order(filled_qty="40", filled_avg_price="10"))
    told = order(qty="100", filled_qty="60", filled_avg_price="11")
    report = parse.report(told, PAIRS, before=before)
    assert (report.quantity, report.filled, report.average_price) == decimals("60", "20", "13")


def test_an_order_told_before_its_predecessor_ended_has_filled_nothing() -> None:
    before = parse.Before(Decimal(45), Decimal(450))
    report = parse.report(order(qty="100", filled_qty="40"), PAIRS, before=before)
    assert report.filled == 0
    assert report.average_price is None


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"limit_price": Decimal("98")}, {"limit_price": "98", "qty": "12"}),
        ({"quantity": Decimal(8), "limit_price": Decimal(99)}, {"limit_price": "99"}),
        ({"quantity": Decimal(3)}, {"qty": "5"}),
    ],
)
def test_changes_name_what_is_different(change: dict[str, Any], body: dict[str, str]) -> None:
    """2 of 10 have filled: the rest that is wanted comes on top, for Alpaca counts the chain."""
    changed = ticket(**{"client_id": "next", **change})
    expected = {"client_order_id": "next", **body}
    assert expected == parse.change_request(ticket(), changed, base=Decimal(0), filled=Decimal(2))


def test_a_change_of_a_later_order_counts_what_had_filled_before() -> None:
    changed = ticket(client_id="next", quantity=Decimal(4))
    body = parse.change_request(ticket(), changed, base=Decimal(30), filled=Decimal(5))
    assert body == {"client_order_id": "next", "qty": "39"}


def test_a_change_of_the_distance() -> None:
    trailing = ticket(
        order_type=OrderType.TRAILING_STOP, limit_price=None, trailing_distance=Decimal(2)
    )
    changed = ticket(
        client_id="next",
        order_type=OrderType.TRAILING_STOP,
        limit_price=None,
        trailing_distance=Decimal("2.50"),
    )
    body = parse.change_request(trailing, changed, base=Decimal(0), filled=Decimal(0))
    assert body == {"client_order_id": "next", "trail": "2.50"}


# Requests


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (
            {"order_type": OrderType.MARKET, "limit_price": None},
            {"type": "market"},
        ),
        ({}, {"type": "limit", "limit_price": "99.5"}),
        (
            {"order_type": OrderType.STOP, "limit_price": None, "stop_price": Decimal(101)},
            {"type": "stop", "stop_price": "101"},
        ),
        (
            {"order_type": OrderType.STOP_LIMIT, "stop_price": Decimal("1E+2")},
            {"type": "stop_limit", "limit_price": "99.5", "stop_price": "100"},
        ),
        (
            {
                "order_type": OrderType.TRAILING_STOP,
                "limit_price": None,
                "trailing_distance": Decimal(5),
                "trailing_type": TrailingType.PERCENT,
            },
            {"type": "trailing_stop", "trail_percent": "5"},
        ),
        (
            {
                "order_type": OrderType.TRAILING_STOP,
                "limit_price": None,
                "trailing_distance": Decimal(5),
                "trailing_type": TrailingType.ABSOLUTE,
            },
            {"type": "trailing_stop", "trail_price": "5"},
        ),
        (
            {"time_in_force": TimeInForce.FOK, "side": Side.SELL, "reduce_only": True},
            {
                "type": "limit",
                "limit_price": "99.5",
                "time_in_force": "fok",
                "side": "sell",
                "position_intent": "sell_to_close",
            },
        ),
    ],
)
def test_new_orders(fields: dict[str, Any], body: dict[str, str]) -> None:
    common = {
        "symbol": "AAPL",
        "qty": "10",
        "side": "buy",
        "time_in_force": "gtc",
        "client_order_id": "mine",
    }
    assert {**common, **body} == parse.order_request(ticket(**fields), AssetClass.STOCK)


def test_an_order_for_crypto_has_no_intent() -> None:
    body = parse.order_request(ticket(symbol="BTC/USD", reduce_only=True), AssetClass.CRYPTO)
    assert "position_intent" not in body


@pytest.mark.parametrize("fields", [{"post_only": True}, {"display_quantity": Decimal(1)}])
def test_what_alpaca_has_no_words_for(fields: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedOperation):
        parse.order_request(ticket(**fields), AssetClass.STOCK)


# Fills


def activity(quantity: str, cumulative: str) -> dict[str, str]:
    return {
        "qty": quantity,
        "cum_qty": cumulative,
        "price": "10",
        "transaction_time": "2026-03-02T14:30:00Z",
    }


@given(
    base=st.integers(0, 50),
    sizes=st.lists(st.integers(1, 100), max_size=8),
    seed=st.integers(0, 99),
)
def test_fills_add_up_in_any_order(base: int, sizes: list[int], seed: int) -> None:
    """`cumulative` is the order's own, whether Alpaca counts from its chain or from nothing."""
    told, total = [], base
    for size in sizes:
        total += size
        told.append(activity(str(size), str(total)))
    random.Random(seed).shuffle(told)  # noqa: S311 - not a secret
    fills = parse.executions(told)
    assert [fill.quantity for fill in fills] == sizes
    assert [fill.cumulative for fill in fills] == [sum(sizes[: n + 1]) for n in range(len(sizes))]


@pytest.mark.parametrize("event", sorted(parse.EVENTS))
def test_fills_that_the_stream_tells(event: str) -> None:
    update = {
        "event": event,
        "qty": "3",
        "price": "101",
        "timestamp": "2026-03-02T09:30:00.000000001-05:00",
        "order": order(filled_qty="9"),
    }
    fills = parse.told_fill(update, base=Decimal(2))
    assert bool(fills) == (event in {"fill", "partial_fill"})
    for fill in fills:
        assert (fill.quantity, fill.price, fill.cumulative) == decimals("3", "101", "7")
        assert fill.at == datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


def test_an_event_that_nobody_knows() -> None:
    with pytest.raises(ProviderError):
        parse.told_fill({"event": "teleported", "order": order()})
    with pytest.raises(ProviderError):
        parse.told_order({"event": "new"})


# The account


def test_positions() -> None:
    told = [
        {"symbol": "BTCUSD", "asset_class": "crypto", "side": "long", "qty": "0.5"},
        {"symbol": "AAPL", "asset_class": "us_equity", "side": "short", "qty": "-3"},
        {"symbol": "MSFT", "asset_class": "us_equity", "side": "short", "qty": "3"},
        {"symbol": "AAPL241213C00250000", "asset_class": "us_option", "side": "long", "qty": "1"},
    ]
    held = parse.holdings([{**each, "avg_entry_price": "10"} for each in told], PAIRS)
    assert held == [
        Holding(symbol="BTC/USD", quantity=Decimal("0.5"), average_price=Decimal(10)),
        Holding(symbol="AAPL", quantity=Decimal(-3), average_price=Decimal(10)),
        Holding(symbol="MSFT", quantity=Decimal(-3), average_price=Decimal(10)),
    ]


def test_the_account() -> None:
    funds = parse.funds(
        {"currency": "USD", "cash": "-23140.2", "initial_margin": "63480.38", "multiplier": "4"}
    )
    assert (funds.currency, funds.money) == ("USD", Decimal("-23140.2"))
    assert (funds.margin_used, funds.leverage) == decimals("63480.38", "4")


def test_assets() -> None:
    told = [
        {"class": "us_equity", "symbol": "AAPL", "tradable": True, "fractionable": True},
        {"class": "us_equity", "symbol": "BRK.A", "tradable": True, "fractionable": False},
        {"class": "us_equity", "symbol": "GONE", "tradable": False, "fractionable": False},
        {
            "class": "crypto",
            "symbol": "SHIB/USDT",
            "tradable": True,
            "price_increment": "0.000000001",
            "min_trade_increment": "0.1",
        },
        {"class": "us_option", "symbol": "AAPL241213C00250000", "tradable": True},
    ]
    found = parse.instruments(told)
    assert found.keys() == {"AAPL", "BRK.A", "SHIB/USDT"}
    assert found["AAPL"].quantity_increment == Decimal("1E-9")
    assert found["BRK.A"].quantity_increment == 1
    assert found["BRK.A"].price_increment == Decimal("0.01")
    pair = found["SHIB/USDT"]
    assert (pair.currency, pair.price_increment) == ("USDT", Decimal("1E-9"))
    assert parse.pairs(found) == {"SHIBUSDT": "SHIB/USDT"}
