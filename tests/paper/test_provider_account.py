"""Positions, money, market and the exchange's word about itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from providers.base import BarQuery, OrderQuery
from providers.errors import (
    OrderRejected,
    PositionNotFound,
    ProviderUnavailable,
    SymbolNotFound,
)
from providers.models import (
    Account,
    AssetClass,
    Bar,
    CloseOrderType,
    Feature,
    OrderStatus,
    OrderType,
    Position,
    PositionMode,
    PositionSide,
    RejectReason,
    Timeframe,
)
from tests.paper.exchange import OPENING, Exchange


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with aclosing(await Exchange(tmp_path / "paper.db").open()) as opened:
        yield opened


async def held(exchange: Exchange, symbol: str | None = None) -> list[Position]:
    return await exchange.provider.list_positions("me", symbol)


async def figures(exchange: Exchange, account: str = "me") -> list[str]:
    """Balance, equity, margin used, margin available, unrealized profit."""
    found = await exchange.provider.get_account(account)
    names = ("balance", "equity", "margin_used", "margin_available", "unrealized_pnl")
    return [f"{getattr(found, name):f}" for name in names]


# Positions


async def test_positions_are_listed(exchange: Exchange) -> None:
    """All open positions, or those of a symbol or its alias; nobody else's."""
    await exchange.buy("10")
    await exchange.sell("2", symbol="BTC/USD")
    await exchange.buy("7", account="you")
    assert ["AAPL", "BTC/USD"] == [position.symbol for position in await held(exchange)]
    for symbol in ("BTC/USD", "C:BTCUSD"):
        (position,) = await held(exchange, symbol)
        assert (PositionSide.SHORT, Decimal(2)) == (position.side, position.quantity)
    assert [] == await held(exchange, "NOPE")


async def test_positions_are_marked_at_the_present_quote(exchange: Exchange) -> None:
    """Whether listed or read, a position shows what it is worth now."""
    await exchange.buy("10")
    exchange.quote("110", "111")
    (position,) = await held(exchange)
    assert (Decimal(110), Decimal(100)) == (position.current_price, position.unrealized_pnl)
    assert position == await exchange.provider.get_position("me", position.id)


async def test_a_position_survives_a_restart(exchange: Exchange) -> None:
    """Positions are what they were, in the next process."""
    for price in ("100", "100", "101"):
        exchange.quote("99", price)
        await exchange.buy("1")
    before = await held(exchange)
    await exchange.restart()
    assert before == await held(exchange)
    assert "100.333333333333333333" == f"{before[0].average_entry_price:f}"


async def test_a_position_that_is_not_there(exchange: Exchange) -> None:
    """Unknown, closed, and somebody else's: none of them is found."""
    await exchange.buy("10")
    (closed,) = await held(exchange)
    await exchange.sell("10")
    await exchange.buy("10", account="you")
    (others,) = await exchange.provider.list_positions("you", None)
    for id_ in ("pos_nope", closed.id, others.id):
        with pytest.raises(PositionNotFound) as missing:
            await exchange.provider.get_position("me", id_)
        assert {"resource": "position", "id": id_} == missing.value.details
        with pytest.raises(PositionNotFound):
            await exchange.close(id_)
    assert [] == await held(exchange)


async def test_closing_answers_a_handle(exchange: Exchange) -> None:
    """A close is an order like any other; by default it sells everything at the market."""
    await exchange.buy("10")
    (position,) = await held(exchange)
    handle = await exchange.close(position.id)
    order = await exchange.order(handle)
    assert (OrderStatus.FILLED, None) == (handle.status, handle.client_order_id)
    assert (OrderType.MARKET, Decimal(10), True) == (
        order.order_type,
        order.quantity,
        order.reduce_only,
    )
    assert [] == await held(exchange)


async def test_closing_in_part_and_at_a_limit(exchange: Exchange) -> None:
    """A close may name a quantity and a limit; it rests until the market comes."""
    await exchange.buy("10")
    (position,) = await held(exchange)
    handle = await exchange.close(
        position.id,
        quantity=Decimal(4),
        order_type=CloseOrderType.LIMIT,
        limit_price=Decimal(105),
    )
    assert OrderStatus.OPEN == handle.status
    await exchange.tick("105", "106")
    assert OrderStatus.FILLED == (await exchange.order(handle)).status
    assert [Decimal(6)] == [position.quantity for position in await held(exchange)]


async def test_closing_too_much(exchange: Exchange) -> None:
    """A close of more than there is, is refused and kept as REJECTED."""
    await exchange.buy("10")
    (position,) = await held(exchange)
    with pytest.raises(OrderRejected) as refusal:
        await exchange.close(position.id, quantity=Decimal(11))
    assert RejectReason.INVALID_QUANTITY == refusal.value.reject_reason
    history = await exchange.provider.list_order_history(
        "me", OrderQuery(status=[OrderStatus.REJECTED])
    )
    assert [(refusal.value.details or {})["order_id"]] == [order.id for order in history.items]
    assert [position] == await held(exchange)


@pytest.mark.parametrize(
    ("symbol", "closed"),
    [
        (None, {"AAPL", "BTC/USD"}),
        ("AAPL", {"AAPL"}),
        ("S:AAPL", {"AAPL"}),
        ("NOPE", set[str]()),
    ],
)
async def test_closing_all(exchange: Exchange, symbol: str | None, closed: set[str]) -> None:
    """Every position, or that of a symbol, is closed by an order of its own."""
    await exchange.buy("10")
    await exchange.sell("2", symbol="BTC/USD")
    handles = await exchange.provider.close_all_positions("me", symbol)
    orders = [await exchange.order(handle) for handle in handles]
    assert closed == {order.symbol for order in orders}
    assert [OrderStatus.FILLED] * len(closed) == [handle.status for handle in handles]
    assert {"AAPL", "BTC/USD"} - closed == {position.symbol for position in await held(exchange)}


async def test_closing_all_while_one_market_is_closed(tmp_path: Path) -> None:
    """What can be closed is; the close that is refused has a handle like the others."""
    exchange = Exchange(tmp_path / "hours.db", market_hours="sessions")
    async with aclosing(await exchange.open()):
        await exchange.buy("10")
        await exchange.buy("1", symbol="BTC/USD")
        exchange.clock.forward(hours=12)
        refused, closed = await exchange.provider.close_all_positions("me", None)
        assert (OrderStatus.REJECTED, OrderStatus.FILLED) == (refused.status, closed.status)
        assert RejectReason.MARKET_CLOSED == (await exchange.order(refused)).reject_reason
        assert {"AAPL"} == {position.symbol for position in await held(exchange)}


# Money


async def test_a_new_account_has_what_it_was_given(exchange: Exchange) -> None:
    """An account that has done nothing holds the initial balance."""
    expected = Account(
        balance=Decimal(100_000),
        equity=Decimal(100_000),
        margin_used=Decimal(0),
        margin_available=Decimal(100_000),
        unrealized_pnl=Decimal(0),
        currency="USD",
    )
    assert expected == await exchange.provider.get_account("new")


async def test_the_settings_make_the_account(tmp_path: Path) -> None:
    """Initial balance, currency and fees are those of the settings."""
    exchange = Exchange(
        tmp_path / "rich.db", initial_balance=5000, maker_fee="0.001", taker_fee="0.002"
    )
    async with aclosing(await exchange.open()):
        await exchange.buy("10")
        assert ["4998", "4988", "990", "3998", "-10"] == await figures(exchange)
        await exchange.buy("10", limit="98")
        await exchange.tick("97", "98")
        assert "4997.02" == (await figures(exchange))[0]


async def test_an_account_in_another_currency(tmp_path: Path) -> None:
    """What is not paid in the account's currency cannot be traded."""
    exchange = Exchange(tmp_path / "euro.db", currency="EUR")
    async with aclosing(await exchange.open()):
        assert "EUR" == (await exchange.provider.get_account("me")).currency
        with pytest.raises(OrderRejected) as refusal:
            await exchange.buy("10")
        assert RejectReason.SYMBOL_NOT_TRADEABLE == refusal.value.reject_reason


async def test_the_figures_follow_orders_and_quotes(exchange: Exchange) -> None:
    """Open orders reserve margin, cancelling gives it back, and equity follows the quote."""
    submission = await exchange.buy("10", limit="98")
    assert ["100000", "100000", "980", "99020", "0"] == await figures(exchange)
    await exchange.provider.cancel_order("me", submission.handle.id)
    assert ["100000", "100000", "0", "100000", "0"] == await figures(exchange)
    await exchange.buy("10")
    exchange.quote("120", "121")
    assert ["100000", "100200", "1200", "99000", "200"] == await figures(exchange)


async def test_the_figures_survive_a_restart(exchange: Exchange) -> None:
    """Balance and reserves are those of the process before."""
    await exchange.buy("10")
    await exchange.sell("3")
    await exchange.buy("10", limit="98")
    before = await figures(exchange)
    await exchange.restart()
    assert before == await figures(exchange)


async def test_accounts_do_not_share_money(exchange: Exchange) -> None:
    """What one account does leaves the others as they were."""
    await exchange.buy("900")
    await exchange.buy("900", account="you")
    assert await figures(exchange) == await figures(exchange, "you")


# Market


async def test_quotes_are_those_of_the_market(exchange: Exchange) -> None:
    """A quote is that in force now, also by an alias, which is answered by its symbol."""
    exchange.quote("110", "111", size="5")
    quote = await exchange.provider.get_quote("S:AAPL")
    assert ("AAPL", Decimal(110), Decimal(111), Decimal(5)) == (
        quote.symbol,
        quote.bid,
        quote.ask,
        quote.ask_size,
    )


async def test_bars_are_those_of_the_market(exchange: Exchange) -> None:
    """Bars closed by now are answered, also by an alias."""
    bar = Bar(
        symbol="AAPL",
        provider="fixed",
        timeframe=Timeframe.M1,
        timestamp=OPENING,
        open=Decimal(1),
        high=Decimal(1),
        low=Decimal(1),
        close=Decimal(1),
        volume=Decimal(1),
    )
    exchange.market.add_bars([bar])
    query = BarQuery(symbol="S:AAPL", timeframe=Timeframe.M1)
    assert [] == await exchange.provider.get_bars(query)
    exchange.clock.forward(minutes=1)
    assert [bar] == await exchange.provider.get_bars(query)


async def test_the_market_has_no_such_symbol(exchange: Exchange) -> None:
    """Quotes and bars of an unknown symbol are not found."""
    with pytest.raises(SymbolNotFound):
        await exchange.provider.get_quote("NOPE")
    with pytest.raises(SymbolNotFound):
        await exchange.provider.get_bars(BarQuery(symbol="NOPE", timeframe=Timeframe.M1))


# The exchange itself


async def test_capabilities(exchange: Exchange) -> None:
    """The exchange declares what it does: everything, in its position mode."""
    capabilities = await exchange.provider.get_capabilities()
    assert [AssetClass.STOCK, AssetClass.CRYPTO] == capabilities.supported_asset_classes
    assert list(OrderType) == capabilities.supported_order_types
    assert (PositionMode.NETTING, set(Feature) - {Feature.HEDGING}, Decimal(20)) == (
        capabilities.position_mode,
        set(capabilities.features or ()),
        capabilities.max_leverage,
    )


async def test_capabilities_of_a_hedging_exchange(tmp_path: Path) -> None:
    """An exchange set to hedging says so, and declares the feature; leverage as it is set."""
    options = {"position_mode": PositionMode.HEDGING, "max_leverage": 5}
    async with aclosing(await Exchange(tmp_path / "hedging.db", **options).open()) as hedging:
        capabilities = await hedging.provider.get_capabilities()
    assert (PositionMode.HEDGING, list(Feature), Decimal(5)) == (
        capabilities.position_mode,
        capabilities.features,
        capabilities.max_leverage,
    )


async def test_status(exchange: Exchange) -> None:
    """Connected as long as the store answers, with the moment of the last answer."""
    status = await exchange.provider.get_status()
    assert (True, 0, OPENING) == (status.connected, status.latency_ms, status.last_heartbeat)


async def test_latency_is_how_long_the_store_takes(exchange: Exchange) -> None:
    """latency_ms is the time from question to answer, in milliseconds."""
    start, moments = OPENING, [timedelta(0), timedelta(milliseconds=15)]
    exchange.provider._clock = lambda: start + moments.pop(0)
    assert 15 == (await exchange.provider.get_status()).latency_ms


async def test_a_closed_exchange_is_unavailable(exchange: Exchange) -> None:
    """Once stopped it answers nothing more, neither orders nor status."""
    await exchange.aclose()
    with pytest.raises(ProviderUnavailable):
        await exchange.buy("10")
    with pytest.raises(ProviderUnavailable):
        await exchange.provider.get_status()
