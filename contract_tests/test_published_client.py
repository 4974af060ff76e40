"""The published Python client of the protocol works unmodified against our server.

Every call of the client is made, by its synchronous and by its asynchronous face, but get_health,
whose model differs from the protocol's founding document, and the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contract_tests.laboratory.servers import Server
from contract_tests.toolkit.chance import new_id

tektii: Any = pytest.importorskip("tektii", reason="the published client is not installed")


class Awaited:
    """The asynchronous client, each call awaited where it is made."""

    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return lambda *positional, **named: self._runner.run(method(*positional, **named))


@contextmanager
def synchronous(url: str) -> Iterator[Any]:
    with tektii.TradingGateway(url) as connected:
        yield connected
        loop = connected._loop  # noqa: SLF001
    # The client stops its event loop and leaves it open, which would be reported as a leak.
    loop.close()


@contextmanager
def asynchronous(url: str) -> Iterator[Any]:
    with asyncio.Runner() as runner:
        client = runner.run(tektii.AsyncTradingGateway(url).__aenter__())
        try:
            yield Awaited(client, runner)
        finally:
            runner.run(client.__aexit__(None, None, None))


@pytest.fixture(scope="module", params=[synchronous, asynchronous])
def gateway(server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The client, connected to the main server."""
    with request.param(server.url) as connected:
        yield connected
        connected.cancel_all_orders()
        connected.close_all_positions()


def far_price(gateway: Any) -> str:
    """Half of what BTC/USD costs, on its tick."""
    return str(round(Decimal(gateway.get_quote("BTC/USD").bid) / 2, 2))


def rest(gateway: Any, **options: Any) -> Any:
    """A limit order far from the market, in the client's lower case."""
    price = far_price(gateway)
    handle = gateway.submit_order("BTC/USD", "buy", "0.01", "limit", limit_price=price, **options)
    return gateway.get_order(handle.id)


def test_account(gateway: Any) -> None:
    """The account has its figures."""
    account = gateway.get_account()
    assert Decimal(account.equity) == Decimal(account.balance) + Decimal(account.unrealized_pnl)


def test_order_that_rests(gateway: Any) -> None:
    """Submitted in lower case, read, listed, modified and cancelled."""
    name = new_id()
    order = rest(gateway, time_in_force="gtc", client_order_id=name)
    assert (order.status, order.order_type, order.client_order_id) == ("OPEN", "LIMIT", name)
    listed = gateway.list_orders(
        symbol="BTC/USD", status=["OPEN", "PARTIALLY_FILLED"], side="buy", client_order_id=name
    )
    assert [one.id for one in listed] == [order.id]
    modified = gateway.modify_order(order.id, quantity=Decimal("0.02")).order
    assert (modified.id, Decimal(modified.quantity)) == (order.id, Decimal("0.02"))
    cancelled = gateway.cancel_order(order.id)
    assert (cancelled.success, cancelled.order.status) == (True, "CANCELLED")
    past = gateway.get_order_history(
        status=["CANCELLED"], since=datetime.now(UTC) - timedelta(minutes=5), limit=10
    )
    assert order.id in [one.id for one in past]


def test_stop_orders(gateway: Any) -> None:
    """Both kinds of stop orders rest above the market."""
    high = str(Decimal(far_price(gateway)) * 8)
    stop = gateway.submit_order("BTC/USD", "buy", "0.01", "stop", stop_price=high)
    both = gateway.submit_order(
        "BTC/USD", "buy", "0.01", "stop_limit", stop_price=high, limit_price=high
    )
    assert [gateway.get_order(one.id).status for one in (stop, both)] == ["OPEN", "OPEN"]
    assert gateway.cancel_all_orders(symbol="BTC/USD").cancelled_count >= 2


def test_positions_and_trades(gateway: Any) -> None:
    """A market order makes a position and trades; the position is closed in part and whole."""
    gateway.close_all_positions(symbol="ETH/USD")
    order = gateway.submit_order("ETH/USD", "buy", "0.4")
    assert gateway.get_order(order.id).status == "FILLED"
    trades = gateway.list_trades(symbol="ETH/USD", order_id=order.id)
    assert sum(Decimal(one.quantity) for one in trades) == Decimal("0.4")
    (position,) = gateway.list_positions(symbol="ETH/USD")
    assert gateway.get_position(position.id).side == "LONG"
    part = gateway.close_position(position.id, quantity="0.1")
    assert part.status == "FILLED"
    assert Decimal(gateway.get_position(position.id).quantity) == Decimal("0.3")
    assert gateway.close_position(position.id).status == "FILLED"
    with pytest.raises(tektii.NotFoundError):
        gateway.get_position(position.id)
    gateway.submit_order("ETH/USD", "sell", "0.4")
    assert len(gateway.close_all_positions(symbol="ETH/USD")) == 1


def test_market_data(gateway: Any) -> None:
    """Quotes by symbol and alias, bars by timeframe and range."""
    assert gateway.get_quote("EUR/USD").symbol == "EUR/USD"
    assert gateway.get_quote("S:AAPL").symbol == "AAPL"
    end = datetime.now(UTC)
    bars = gateway.get_bars("AAPL", "1h", start=end - timedelta(hours=6), end=end, limit=3)
    assert len(bars) == 3
    assert gateway.get_bars("C:BTCUSD", tektii.Timeframe.FIELD_1D, limit=1)[0].symbol == "BTC/USD"


def test_sizing(gateway: Any) -> None:
    """The client's own sizing finds what it needs in quotes and account."""
    assert gateway.quantity_for_notional("BTC/USD", notional="5000") > 0
    assert gateway.quantity_for_notional("BTC/USD", equity_fraction="0.1") > 0


def test_system(gateway: Any) -> None:
    """Capabilities and the connection status."""
    assert "MARKET" in gateway.get_capabilities().supported_order_types
    assert gateway.get_status().connected is True


def test_errors(gateway: Any) -> None:
    """Each failure is the client's own exception with our code."""
    with pytest.raises(tektii.NotFoundError) as missing:
        gateway.get_order("ord_unknown")
    assert missing.value.code == "ORDER_NOT_FOUND"
    with pytest.raises(tektii.BadRequestError) as bad:
        gateway.submit_order("BTC/USD", "buy", "0.01", "limit")
    assert bad.value.details["field"] == "limit_price"
    with pytest.raises(tektii.OrderRejectedError) as rejected:
        gateway.submit_order("NOSUCHSYMBOL", "buy", "1")
    assert rejected.value.details["reject_reason"] == "SYMBOL_NOT_TRADEABLE"
    gone = rest(gateway)
    gateway.cancel_order(gone.id)
    with pytest.raises(tektii.ConflictError) as conflict:
        gateway.modify_order(gone.id, quantity="1")
    assert conflict.value.code == "ORDER_NOT_MODIFIABLE"


def test_circuit_breakers(gateway: Any) -> None:
    """Both breakers are closed, and can be reset."""
    for breakers in (gateway.get_circuit_breakers(), gateway.reset_circuit_breakers()):
        assert (breakers.adapter.state, breakers.exit_order.state) == ("closed", "closed")
