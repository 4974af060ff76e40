"""The market clock: who drives it, and what a tick does to resting orders."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from providers.base import OrderQuery, TradeQuery
from providers.engine.state import AccountState
from providers.errors import ProviderUnavailable
from providers.exchange.store import LeaseLost
from providers.models import CloseOrderType, OrderStatus, TimeInForce
from providers.paper.clock import AT_ONCE, LEASE
from providers.paper.provider import PaperProvider
from tests.paper.exchange import INSTRUMENTS, OPENING, AliasedMarket, Exchange, settings_of


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with aclosing(await Exchange(tmp_path / "paper.db").open()) as opened:
        yield opened


@pytest.fixture
async def other(exchange: Exchange) -> AsyncIterator[Exchange]:
    """A second process on the same file."""
    async with aclosing(await exchange.second()) as opened:
        yield opened


async def fills(exchange: Exchange) -> list[str]:
    """Quantity and price of each trade, oldest first."""
    page = await exchange.provider.list_trades("me", TradeQuery())
    return [f"{trade.quantity:f}@{trade.price:f}" for trade in reversed(page.items)]


# What a tick does


async def test_resting_orders_fill_on_a_tick(exchange: Exchange) -> None:
    """Limits reached and stops triggered by the new quote trade; the others rest on."""
    await exchange.buy("1", limit="98")
    await exchange.buy("2", limit="97.99")
    await exchange.sell("3", stop="97")
    await exchange.sell("4", stop="96.99")
    await exchange.sell("5", stop="97", limit="98")
    await exchange.tick("97", "98")
    assert {"1@98", "3@97"} == set(await fills(exchange))
    page = await exchange.provider.list_orders("me", OrderQuery())
    assert [(Decimal(5), True), (Decimal(4), False), (Decimal(2), None)] == [
        (order.quantity, order.triggered) for order in page.items
    ]


async def test_a_clock_set_back_does_not_stop_orders(exchange: Exchange) -> None:
    """Orders stamped before it meet the quotes after it, and so do new ones, whose stamps go on."""
    exchange.clock.forward(hours=1)
    await exchange.buy("1", limit="98")
    exchange.clock.forward(minutes=-30)
    stop = await exchange.sell("2", stop="97.50")
    await exchange.tick("97", "98")
    assert ["1@98", "2@97"] == await fills(exchange)
    assert exchange.clock() < (await exchange.order(stop)).created_at


async def test_a_clock_set_back_does_not_keep_orders_on_their_way(tmp_path: Path) -> None:
    """What was to reach the market later than the clock now says reaches it at the next tick."""
    late = Exchange(tmp_path / "paper.db", latency=timedelta(seconds=5))
    async with aclosing(await late.open()) as exchange:
        exchange.clock.forward(hours=1)
        order = await exchange.buy("1")
        exchange.clock.forward(minutes=-30)
        await exchange.turn()
        assert OrderStatus.FILLED == (await exchange.order(order)).status


async def test_the_rest_of_an_order_fills_on_the_next_ticks(exchange: Exchange) -> None:
    """What waits for size goes on with each new quote."""
    exchange.quote("99", "100", size="10")
    submission = await exchange.buy("25")
    await exchange.tick("99", "101", size="10")
    await exchange.tick("99", "102", size="10")
    assert ["10@100", "10@101", "5@102"] == await fills(exchange)
    assert OrderStatus.FILLED == (await exchange.order(submission)).status


async def test_day_orders_expire(exchange: Exchange) -> None:
    """At the session's end a DAY order becomes EXPIRED, though no quote has changed."""
    day = await exchange.buy("1", limit="90", time_in_force=TimeInForce.DAY)
    gtc = await exchange.buy("1", limit="90")
    exchange.clock.now = datetime(2025, 1, 15, 21, 0, tzinfo=UTC) - timedelta(microseconds=1)
    await exchange.turn()
    assert OrderStatus.OPEN == (await exchange.order(day)).status
    exchange.clock.forward(microseconds=1)
    await exchange.turn()
    assert ["EXPIRED", "OPEN"] == [
        (await exchange.order(submission)).status for submission in (day, gtc)
    ]


async def test_better_prices_come_first_then_older_orders(exchange: Exchange) -> None:
    """One tick fills the better limit before the worse, and of equals the older."""
    await exchange.buy("1", limit="97")
    await exchange.buy("2", limit="98")
    await exchange.buy("3", limit="98")
    await exchange.buy("4", limit="97.50")
    await exchange.tick("90", "91")
    assert ["2@98", "3@98", "4@97.50", "1@97"] == await fills(exchange)


async def test_a_tick_repeated_does_nothing(exchange: Exchange) -> None:
    """The same quote again fills nothing: not the rest of an order, not what it triggered."""
    await exchange.buy("25", limit="98")
    await exchange.sell("25", stop="97")
    await exchange.tick("97", "98", size="10")
    before = await exchange.log()
    await exchange.turn()
    assert before == await exchange.log()
    assert 2 == len(await fills(exchange))


async def test_a_tick_counts_what_it_touches(exchange: Exchange) -> None:
    """Orders away from the market are not even looked at."""
    for limit in ("90", "91", "98"):
        await exchange.buy("1", limit=limit)
    exchange.quote("97", "98")
    await exchange.turn()
    assert 0 == await exchange.provider.market_clock.tick()
    exchange.quote("90", "91")
    assert 1 == await exchange.provider.market_clock.tick()


async def test_an_order_that_another_one_ended_is_left_alone(exchange: Exchange) -> None:
    """Of two closes of one position that a tick touches, the first fills and the second ends."""
    await exchange.buy("10")
    (position,) = await exchange.provider.list_positions("me", None)
    for limit in ("105", "104"):
        await exchange.close(
            position.id, order_type=CloseOrderType.LIMIT, limit_price=Decimal(limit)
        )
    await exchange.tick("110", "111")
    assert ["10@100", "10@104"] == await fills(exchange)
    assert 1 == (await exchange.log()).count("ORDER_CANCELLED")


async def test_more_accounts_than_are_advanced_at_once(exchange: Exchange) -> None:
    """However many accounts a tick touches, all of them trade."""
    accounts = [f"acc{number}" for number in range(AT_ONCE + 10)]
    await asyncio.gather(*(exchange.buy("1", account=name, limit="98") for name in accounts))
    await exchange.tick("97", "98")
    for account in (accounts[0], accounts[AT_ONCE], accounts[-1]):
        (position,) = await exchange.provider.list_positions(account, None)
        assert Decimal(98) == position.average_entry_price


async def test_a_symbol_that_is_gone_does_not_stop_the_others(exchange: Exchange) -> None:
    """Orders of a symbol the market does not have any more rest; the clock goes on."""
    await exchange.buy("1", limit="980", symbol="BTC/USD")
    await exchange.buy("1", limit="98")
    exchange.market = AliasedMarket(INSTRUMENTS[:1])
    await exchange.restart()
    await exchange.tick("97", "98")
    assert ["1@98"] == await fills(exchange)


# Who drives it


async def test_one_of_two_drives(exchange: Exchange, other: Exchange) -> None:
    """Of two processes one holds the lease and ticks; the other's turns do nothing."""
    await exchange.turn()
    submission = await exchange.buy("1", limit="98")
    exchange.quote("97", "98")
    await other.turn()
    assert OrderStatus.OPEN == (await exchange.order(submission)).status
    await exchange.turn()
    assert OrderStatus.FILLED == (await exchange.order(submission)).status


async def test_a_tick_needs_the_lease(other: Exchange) -> None:
    """Without the lease a tick does nothing but say so."""
    with pytest.raises(LeaseLost):
        await other.provider.market_clock.tick()


async def test_another_takes_over_when_the_lease_runs_out(
    exchange: Exchange, other: Exchange
) -> None:
    """When its holder is dead, the lease runs out, and the next turn of another takes it."""
    await exchange.turn()
    submission = await exchange.buy("1", limit="98")
    exchange.market.set_quote("AAPL", bid="97", ask="98", at=exchange.clock.forward(hours=4))
    await other.turn()
    assert OrderStatus.OPEN == (await other.order(submission)).status
    exchange.clock.forward(hours=1)
    await other.turn()
    assert OrderStatus.FILLED == (await other.order(submission)).status


async def test_a_holder_that_comes_back_late_does_nothing(
    exchange: Exchange, other: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that lost the lease while it was away cannot tick, and waits for its turn."""
    caplog.set_level(logging.INFO)
    await exchange.turn()
    submission = await exchange.buy("1", limit="98")
    exchange.clock.forward(hours=6)
    await other.turn()
    exchange.quote("97", "98")
    with pytest.raises(LeaseLost):
        await exchange.provider.market_clock.tick()
    await exchange.turn()
    assert "another process drives the market clock now" in caplog.text
    assert OrderStatus.OPEN == (await exchange.order(submission)).status
    await other.turn()
    assert OrderStatus.FILLED == (await exchange.order(submission)).status


async def test_a_holder_keeps_its_lease(exchange: Exchange, other: Exchange) -> None:
    """Each turn renews the lease, so nobody takes it from a process that lives."""
    for _ in range(5):
        exchange.clock.forward(hours=4)
        await exchange.turn()
        await other.turn()
    await exchange.buy("1", limit="98")
    await exchange.tick("97", "98")
    assert ["1@98"] == await fills(exchange)


async def test_a_tick_that_fails_is_missed_and_the_next_one_comes(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the store is unavailable ticks are missed, with a warning; later the clock goes on."""
    await exchange.turn()
    submission = await exchange.buy("1", limit="98")

    async def fails(*_: object) -> AccountState:
        raise ProviderUnavailable("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(exchange.store, "read", fails)
        await exchange.tick("97", "98")
    assert "the market clock missed a tick: no disk" in caplog.text
    await exchange.turn()
    assert OrderStatus.FILLED == (await exchange.order(submission)).status


async def test_a_bug_in_one_tick_does_not_stop_the_clock(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error nobody expected is logged with its traceback, and the next tick comes."""
    submission = await exchange.buy("1", limit="98")

    def divides_by_zero(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(exchange.market, "quote", divides_by_zero)
        await exchange.turn()
    assert "ZeroDivisionError" in caplog.text
    await exchange.tick("97", "98")
    assert OrderStatus.FILLED == (await exchange.order(submission)).status


# Running


async def filled(exchange: Exchange, order_id: str) -> None:
    """Wait until the order has filled."""
    async with asyncio.timeout(20):
        while (await exchange.provider.get_order("me", order_id)).status != OrderStatus.FILLED:
            await asyncio.sleep(0.001)


async def test_a_started_exchange_ticks_by_itself(tmp_path: Path) -> None:
    """From start to stop the clock comes round every interval, and old orders are served first."""
    exchange = Exchange(tmp_path / "paper.db", tick_interval=timedelta(milliseconds=10))
    exchange.clock.forward(milliseconds=5)
    await exchange.provider.start()
    first = await exchange.buy("1", limit="98")
    exchange.quote("97", "98")
    await filled(exchange, first.handle.id)
    second = await exchange.buy("1", limit="96")
    await exchange.provider.stop()

    exchange.quote("95", "96")  # while nobody was there
    exchange._make()
    await exchange.provider.start()
    await filled(exchange, second.handle.id)
    await exchange.provider.stop()


async def test_stopping_lets_go_of_the_lease(exchange: Exchange, tmp_path: Path) -> None:
    """A process that stops hands the lease over at once; there is no time to wait out."""
    first = PaperProvider(exchange.store, exchange.market, settings_of(), clock=exchange.clock)
    running = asyncio.create_task(first.market_clock.run())
    ttl = timedelta(hours=5)  # five intervals of a clock that ticks hourly
    async with asyncio.timeout(20):
        while await exchange.store.acquire_lease(LEASE, "me", ttl, OPENING - ttl) is not None:
            await asyncio.sleep(0.001)  # mine ended as it began; the clock has it next
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await exchange.store.acquire_lease(LEASE, "me", ttl, OPENING) is not None


async def test_stopping_works_though_the_store_does_not(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the lease cannot be given back, stopping goes on; the lease runs out by itself."""
    await exchange.turn()

    async def fails(*_: object) -> None:
        raise ProviderUnavailable("no disk")

    monkeypatch.setattr(exchange.store, "release_lease", fails)
    running = asyncio.create_task(exchange.provider.market_clock.run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_stopping_before_starting(tmp_path: Path) -> None:
    """A provider that never started can be stopped."""
    await Exchange(tmp_path / "paper.db").provider.stop()


@pytest.mark.parametrize(
    ("now", "interval", "wait"),
    [
        ("10:30:00", 1, 0),
        ("10:30:00.250", 1, 0.75),
        ("10:30:00.999999", 1, 0.000001),
        ("10:30:07", 10, 3),
        ("10:30:00.3", 0.25, 0.2),
    ],
)
def test_the_clock_wakes_when_quotes_change(
    tmp_path: Path, now: str, interval: float, wait: float
) -> None:
    """Ticks fall on whole multiples of the interval, when the market has new quotes."""
    exchange = Exchange(tmp_path / "paper.db", tick_interval=timedelta(seconds=interval))
    exchange.clock.now = datetime.fromisoformat(f"2025-01-15T{now}+00:00")
    assert pytest.approx(wait) == exchange.provider.market_clock._until_next_tick()
