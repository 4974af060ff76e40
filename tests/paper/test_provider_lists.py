"""Lists of orders and trades: filters, order and pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.base import OrderQuery, TradeQuery
from providers.errors import OrderRejected
from providers.models import Order, OrderStatus, Side, TimeInForce
from tests.paper.exchange import Exchange


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    """An account with orders in every status but EXPIRED, one more each second."""
    async with aclosing(await Exchange(tmp_path / "paper.db").open()) as opened:
        await opened.buy("1", client_order_id="filled")
        opened.quote("99", "100", size="2")
        await opened.sell("3", symbol="BTC/USD", client_order_id="bitcoin")
        opened.clock.forward(seconds=1)
        await opened.buy("3", client_order_id="partly")
        opened.clock.forward(seconds=1)
        await opened.sell("3", time_in_force=TimeInForce.IOC, client_order_id="cancelled")
        opened.clock.forward(seconds=1)
        with pytest.raises(OrderRejected):
            await opened.buy("1.5", client_order_id="rejected")
        opened.clock.forward(seconds=1)
        await opened.buy("1", limit="90", client_order_id="open")
        yield opened


async def orders(exchange: Exchange, *, history: bool = False, **filters: Any) -> list[str]:
    """The client ids of what a query finds."""
    provider = exchange.provider
    lists = provider.list_order_history if history else provider.list_orders
    return names((await lists("me", OrderQuery(**filters))).items)


def names(found: list[Order]) -> list[str]:
    return [order.client_order_id or "" for order in found]


ALL = list(OrderStatus)
EVERY_ORDER = ["open", "rejected", "cancelled", "partly", "bitcoin", "filled"]


async def test_open_orders_are_listed(exchange: Exchange) -> None:
    """Without a status the list has what is still working, newest first."""
    assert ["open", "partly"] == await orders(exchange)


async def test_history_lists_what_has_ended(exchange: Exchange) -> None:
    """The history has FILLED, CANCELLED, REJECTED and EXPIRED orders, newest first."""
    assert ["rejected", "cancelled", "bitcoin", "filled"] == await orders(exchange, history=True)


@pytest.mark.parametrize(
    ("statuses", "listed", "history"),
    [
        (["OPEN"], ["open"], []),
        (["PARTIALLY_FILLED", "FILLED"], ["partly", "bitcoin", "filled"], ["bitcoin", "filled"]),
        (["REJECTED"], ["rejected"], ["rejected"]),
        (["EXPIRED", "PENDING"], [], []),
        (ALL, EVERY_ORDER, ["rejected", "cancelled", "bitcoin", "filled"]),
    ],
)
async def test_statuses_narrow_the_list(
    exchange: Exchange, statuses: list[str], listed: list[str], history: list[str]
) -> None:
    """With statuses the list has exactly those; the history has those of them that are terminal."""
    wanted = [OrderStatus(status) for status in statuses]
    assert listed == await orders(exchange, status=wanted)
    assert history == await orders(exchange, status=wanted, history=True)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"symbol": "AAPL"}, ["open", "rejected", "cancelled", "partly", "filled"]),
        ({"symbol": "C:BTCUSD"}, ["bitcoin"]),
        ({"symbol": "NOPE"}, []),
        ({"side": Side.SELL}, ["cancelled", "bitcoin"]),
        ({"side": Side.SELL, "symbol": "AAPL"}, ["cancelled"]),
        ({"client_order_id": "partly"}, ["partly"]),
        ({"client_order_id": "part"}, []),
        ({"oco_group_id": "none"}, []),
        ({"limit": 2}, ["open", "rejected"]),
        ({"limit": 2, "side": Side.BUY, "symbol": "AAPL"}, ["open", "rejected"]),
    ],
)
async def test_filters_of_orders(
    exchange: Exchange, filters: dict[str, Any], found: list[str]
) -> None:
    """Each filter narrows; several narrow together; an alias finds its symbol."""
    assert found == await orders(exchange, status=ALL, **filters)


async def test_since_is_inclusive_and_until_exclusive(exchange: Exchange) -> None:
    """since takes in the order created at that moment, until leaves it out."""
    page = await exchange.provider.list_orders("me", OrderQuery(status=ALL))
    at = {order.client_order_id: order.created_at for order in page.items}
    assert ["open", "rejected", "cancelled"] == await orders(
        exchange, status=ALL, since=at["cancelled"]
    )
    assert ["partly", "bitcoin", "filled"] == await orders(
        exchange, status=ALL, until=at["cancelled"]
    )
    assert ["cancelled", "partly"] == await orders(
        exchange, status=ALL, since=at["partly"], until=at["rejected"]
    )


@pytest.mark.parametrize("size", [1, 2, 4, 5, 6, 7])
async def test_until_pages_orders_exactly(exchange: Exchange, size: int) -> None:
    """Asking on with until = the last one seen finds every order once; has_more tells when to."""
    query, seen, more = OrderQuery(status=ALL, limit=size), list[str](), True
    while more:
        page = await exchange.provider.list_orders("me", query)
        assert len(page.items) <= size
        seen += names(page.items)
        query, more = replace(query, until=page.items[-1].created_at), page.has_more
    assert EVERY_ORDER == seen


async def test_orders_made_in_one_moment_page_exactly_too(tmp_path: Path) -> None:
    """created_at rises even where the clock stands still, so no page loses or repeats one."""
    async with aclosing(await Exchange(tmp_path / "still.db").open()) as exchange:
        made = [(await exchange.buy("1", limit="90")).handle.id for _ in range(9)]
        seen: list[str] = []
        query = OrderQuery(limit=2)
        for _ in range(5):
            page = await exchange.provider.list_orders("me", query)
            seen += [order.id for order in page.items]
            query = replace(query, until=page.items[-1].created_at)
        assert made[::-1] == seen


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["SELL 2 AAPL", "BUY 2 AAPL", "SELL 3 BTC/USD", "BUY 1 AAPL"]),
        ({"symbol": "S:AAPL"}, ["SELL 2 AAPL", "BUY 2 AAPL", "BUY 1 AAPL"]),
        ({"symbol": "NOPE"}, []),
        ({"order_id": "nope"}, []),
        ({"limit": 1}, ["SELL 2 AAPL"]),
    ],
)
async def test_filters_of_trades(
    exchange: Exchange, filters: dict[str, Any], found: list[str]
) -> None:
    """Trades are listed newest first, narrowed by symbol and order."""
    page = await exchange.provider.list_trades("me", TradeQuery(**filters))
    assert found == [f"{t.side.value} {t.quantity:f} {t.symbol}" for t in page.items]
    assert page.has_more is ("limit" in filters)


async def test_trades_of_an_order(exchange: Exchange) -> None:
    """An order that filled in parts has a trade for each."""
    (order,) = (
        await exchange.provider.list_orders("me", OrderQuery(client_order_id="partly"))
    ).items
    await exchange.tick("100", "101")
    page = await exchange.provider.list_trades("me", TradeQuery(order_id=order.id))
    assert ["1@101", "2@100"] == [f"{t.quantity:f}@{t.price:f}" for t in page.items]


async def test_until_pages_trades_exactly(exchange: Exchange) -> None:
    """since is inclusive and until exclusive on the moment of the trade."""
    everything = (await exchange.provider.list_trades("me", TradeQuery())).items
    query, seen, more = TradeQuery(limit=1), list[str](), True
    while more:
        page = await exchange.provider.list_trades("me", query)
        seen += [trade.id for trade in page.items]
        query, more = replace(query, until=page.items[-1].timestamp), page.has_more
    assert [trade.id for trade in everything] == seen
    since = TradeQuery(since=everything[1].timestamp)
    assert everything[:2] == (await exchange.provider.list_trades("me", since)).items


async def test_lists_are_of_one_account(exchange: Exchange) -> None:
    """Another account sees nothing of this one."""
    for page in (
        await exchange.provider.list_orders("you", OrderQuery(status=ALL)),
        await exchange.provider.list_order_history("you", OrderQuery()),
        await exchange.provider.list_trades("you", TradeQuery()),
    ):
        assert ([], False) == (page.items, page.has_more)


async def test_lists_survive_a_restart(exchange: Exchange) -> None:
    """The next process lists the same."""
    before = (await exchange.provider.list_orders("me", OrderQuery(status=ALL))).items
    await exchange.restart()
    assert before == (await exchange.provider.list_orders("me", OrderQuery(status=ALL))).items
