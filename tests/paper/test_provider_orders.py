"""Orders through the paper exchange: each is made once, kept for ever, and its owner's alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.base import OrderQuery, Submission, TradeQuery
from providers.errors import (
    DuplicateClientOrderId,
    InvalidValue,
    OrderNotFound,
    OrderNotModifiable,
    OrderRejected,
)
from providers.models import CloseOrderType, OrderStatus, RejectReason, TimeInForce
from tests.paper.exchange import Exchange, request


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with aclosing(await Exchange(tmp_path / "paper.db").open()) as opened:
        yield opened


async def everything(exchange: Exchange, account: str = "me") -> list[str]:
    """The statuses of all orders of an account, newest first."""
    query = OrderQuery(status=list(OrderStatus))
    page = await exchange.provider.list_orders(account, query)
    return [order.status.value for order in page.items]


# Submitting


async def test_an_order_is_answered_with_its_handle_and_kept(exchange: Exchange) -> None:
    """A submission answers id, status and client id, and the order can be read at once."""
    submission = await exchange.buy("10", limit="98", client_order_id="mine")
    order = await exchange.order(submission)
    assert ("OPEN", "mine", False) == (
        submission.handle.status,
        submission.handle.client_order_id,
        submission.replayed,
    )
    assert (submission.handle.id, "AAPL", Decimal(10), Decimal(98)) == (
        order.id,
        order.symbol,
        order.quantity,
        order.limit_price,
    )


async def test_an_alias_is_resolved(exchange: Exchange) -> None:
    """An order for an alias is an order for its symbol."""
    order = await exchange.order(await exchange.buy("10", symbol="S:AAPL"))
    assert ("AAPL", "FILLED") == (order.symbol, order.status)


async def test_an_unknown_symbol_is_refused_and_kept(exchange: Exchange) -> None:
    """An order for a symbol nobody knows is REJECTED, with what was asked for in the history."""
    with pytest.raises(OrderRejected) as refusal:
        await exchange.buy("10", symbol="NOPE")
    assert RejectReason.SYMBOL_NOT_TRADEABLE == refusal.value.reject_reason
    page = await exchange.provider.list_order_history("me", OrderQuery(symbol="NOPE"))
    (order,) = page.items
    assert order.id == (refusal.value.details or {})["order_id"]
    assert (OrderStatus.REJECTED, refusal.value.reject_reason) == (
        order.status,
        order.reject_reason,
    )


async def test_an_order_survives_a_restart(exchange: Exchange) -> None:
    """What was acknowledged is there, unchanged, in the next process."""
    submissions = [
        await exchange.buy("10"),
        await exchange.buy("4", limit="98", client_order_id="x"),
    ]
    before = [await exchange.order(submission) for submission in submissions]
    await exchange.restart()
    assert before == [await exchange.order(submission) for submission in submissions]


# client_order_id


async def test_the_same_request_again_makes_nothing(exchange: Exchange) -> None:
    """A request repeated with its client_order_id answers the first order and trades once."""
    first = await exchange.buy("10", client_order_id="mine")
    again = await exchange.buy("10", client_order_id="mine")
    assert Submission(first.handle, replayed=True) == again
    trades = await exchange.provider.list_trades("me", TradeQuery())
    assert (["FILLED"], 1) == (await everything(exchange), len(trades.items))


async def test_a_replay_answers_the_present_status(exchange: Exchange) -> None:
    """A replay shows what has become of the order since."""
    first = await exchange.buy("10", limit="98", client_order_id="mine")
    await exchange.tick("97", "98")
    again = await exchange.buy("10", limit="98", client_order_id="mine")
    assert (first.handle.id, "FILLED", True) == (
        again.handle.id,
        again.handle.status,
        again.replayed,
    )


async def test_a_replay_is_not_judged_again(exchange: Exchange) -> None:
    """A repeated request is answered even if the account could not carry another such order."""
    await exchange.buy("1000", client_order_id="all in")
    with pytest.raises(OrderRejected):
        await exchange.buy("1000")
    assert (await exchange.buy("1000", client_order_id="all in")).replayed


@pytest.mark.parametrize(
    "spelling",
    [
        {"quantity": "10.00"},
        {"limit": "98.000"},
        {"symbol": "S:AAPL"},
        {"time_in_force": TimeInForce.GTC},
        {"reduce_only": False, "post_only": False, "hidden": False},
    ],
)
async def test_the_same_request_may_be_written_differently(
    exchange: Exchange, spelling: dict[str, Any]
) -> None:
    """Trailing zeros, aliases and written-out defaults do not make another request."""
    as_first = {"quantity": "10", "limit": "98", "client_order_id": "mine"}
    first = await exchange.buy(**as_first)
    again = await exchange.buy(**as_first | spelling)
    assert Submission(first.handle, replayed=True) == again


@pytest.mark.parametrize(
    "difference",
    [
        {"quantity": "11"},
        {"limit": "97"},
        {"stop": "105"},
        {"symbol": "BTC/USD"},
        {"symbol": "NOPE"},
        {"time_in_force": TimeInForce.DAY},
    ],
)
async def test_another_request_under_the_same_id_is_refused(
    exchange: Exchange, difference: dict[str, Any]
) -> None:
    """A client_order_id names one request: a different one is refused, naming the first order."""
    as_first = {"quantity": "10", "limit": "98", "client_order_id": "mine"}
    first = await exchange.buy(**as_first)
    with pytest.raises(DuplicateClientOrderId) as refusal:
        await exchange.buy(**as_first | difference)
    assert {"client_order_id": "mine", "order_id": first.handle.id} == refusal.value.details
    assert ["OPEN"] == await everything(exchange)


async def test_the_other_side_is_another_request(exchange: Exchange) -> None:
    """A SELL does not repeat a BUY."""
    await exchange.buy("10", client_order_id="mine")
    with pytest.raises(DuplicateClientOrderId):
        await exchange.sell("10", client_order_id="mine")


async def test_requests_at_once_make_one_order(exchange: Exchange) -> None:
    """However many identical requests arrive together, one order is made and the rest replay it."""
    answers = await asyncio.gather(*(exchange.buy(client_order_id="mine") for _ in range(20)))
    assert 1 == len({answer.handle.id for answer in answers})
    assert [False] + [True] * 19 == sorted(answer.replayed for answer in answers)
    assert ["FILLED"] == await everything(exchange)


async def test_requests_at_once_in_two_processes_make_one_order(exchange: Exchange) -> None:
    """The same holds when the requests reach different workers."""
    async with aclosing(await exchange.second()) as other:
        answers = await asyncio.gather(
            *(each.buy(client_order_id="mine") for each in [exchange, other] * 10)
        )
    assert 1 == len({answer.handle.id for answer in answers})
    assert 1 == sum(not answer.replayed for answer in answers)
    assert ["FILLED"] == await everything(exchange)


async def test_different_requests_at_once_under_one_id_make_one_order(exchange: Exchange) -> None:
    """Of different requests that arrive together under one id, the first wins."""
    answers = await asyncio.gather(
        *(exchange.buy(str(quantity), client_order_id="mine") for quantity in range(1, 11)),
        return_exceptions=True,
    )
    assert 9 == sum(isinstance(answer, DuplicateClientOrderId) for answer in answers)
    assert ["FILLED"] == await everything(exchange)


async def test_a_rejected_submission_does_not_use_the_id_up(exchange: Exchange) -> None:
    """A refused order leaves its client_order_id free, for the same request or another."""
    for _ in range(2):
        with pytest.raises(OrderRejected):
            await exchange.buy("1001", client_order_id="mine")
    accepted = await exchange.buy("10", client_order_id="mine")
    assert (False, "FILLED") == (accepted.replayed, accepted.handle.status)
    assert ["FILLED", "REJECTED", "REJECTED"] == await everything(exchange)


async def test_a_client_order_id_is_remembered_for_ever(exchange: Exchange) -> None:
    """After a restart a request is still recognised, though its order ended long ago."""
    first = await exchange.buy("10", client_order_id="mine")
    await exchange.restart()
    exchange.clock.forward(days=1000)
    assert Submission(first.handle, replayed=True) == await exchange.buy(
        "10", client_order_id="mine"
    )
    with pytest.raises(DuplicateClientOrderId):
        await exchange.buy("11", client_order_id="mine")


async def test_a_client_order_id_belongs_to_its_account(exchange: Exchange) -> None:
    """Two accounts may use the same id for orders of their own."""
    mine = await exchange.buy("10", client_order_id="same")
    yours = await exchange.buy("11", account="you", client_order_id="same")
    assert not yours.replayed
    assert mine.handle.id != yours.handle.id


async def test_without_an_id_every_request_is_new(exchange: Exchange) -> None:
    """Requests without client_order_id are never taken for one another."""
    answers = [await exchange.buy("10"), await exchange.buy("10")]
    assert [False, False] == [answer.replayed for answer in answers]
    assert ["FILLED", "FILLED"] == await everything(exchange)


# Changing and cancelling


async def test_a_change_is_kept(exchange: Exchange) -> None:
    """A changed order is answered, and read back after a restart."""
    submission = await exchange.buy("10", limit="98")
    changed = await exchange.modify(submission, limit_price="97", quantity="5")
    await exchange.restart()
    assert changed == await exchange.order(submission)
    assert (Decimal(97), Decimal(5)) == (changed.limit_price, changed.quantity)


async def test_a_change_that_crosses_trades(exchange: Exchange) -> None:
    """A change that makes the order marketable answers it filled."""
    changed = await exchange.modify(await exchange.buy("10", limit="98"), limit_price="100")
    assert OrderStatus.FILLED == changed.status


async def test_a_refused_change_changes_nothing(exchange: Exchange) -> None:
    """Refused with 400, 409 or 422, the order stays as it was."""
    submission, filled = await exchange.buy("10", limit="98"), await exchange.buy("1")
    before = await exchange.order(submission)
    with pytest.raises(InvalidValue):
        await exchange.modify(submission, stop_price="97")
    with pytest.raises(OrderRejected):
        await exchange.modify(submission, quantity="100000")
    with pytest.raises(OrderNotModifiable):
        await exchange.modify(filled, quantity="2")
    assert before == await exchange.order(submission)


async def test_what_happened_before_a_refusal_is_kept(exchange: Exchange) -> None:
    """A change that comes too late is refused, and the fill that made it late is committed."""
    submission = await exchange.buy("10", limit="98")
    exchange.quote("97", "98")
    with pytest.raises(OrderNotModifiable):
        await exchange.modify(submission, limit_price="97")
    assert OrderStatus.FILLED == (await exchange.order(submission)).status


async def test_cancelling_answers_the_order(exchange: Exchange) -> None:
    """The first cancel succeeds; a second finds the order cancelled already."""
    submission = await exchange.buy("10", limit="98")
    first = await exchange.provider.cancel_order("me", submission.handle.id)
    again = await exchange.provider.cancel_order("me", submission.handle.id)
    assert [True, False] == [first.success, again.success]
    assert await exchange.order(submission) == first.order == again.order
    assert OrderStatus.CANCELLED == first.order.status


async def test_a_cancelled_order_does_not_come_back(exchange: Exchange) -> None:
    """Cancelling again when the price has come to the limit fills nothing."""
    submission = await exchange.buy("10", limit="98")
    await exchange.provider.cancel_order("me", submission.handle.id)
    exchange.quote("90", "91")
    again = await exchange.provider.cancel_order("me", submission.handle.id)
    assert (False, OrderStatus.CANCELLED) == (again.success, again.order.status)
    assert ["ORDER_CREATED", "ORDER_CANCELLED"] == await exchange.log()


@pytest.mark.parametrize(
    ("symbol", "count", "left"),
    [
        (None, 3, []),
        ("AAPL", 2, ["BTC/USD"]),
        ("S:AAPL", 2, ["BTC/USD"]),
        ("BTC/USD", 1, ["AAPL", "AAPL"]),
        ("NOPE", 0, ["AAPL", "AAPL", "BTC/USD"]),
    ],
)
async def test_cancelling_all(
    exchange: Exchange, symbol: str | None, count: int, left: list[str]
) -> None:
    """All open orders, or those of a symbol, are cancelled and counted; others stay."""
    await exchange.buy("1", limit="980", symbol="BTC/USD")
    await exchange.buy("10", limit="98")
    await exchange.sell("10", limit="105")
    await exchange.buy("10", limit="98", account="you")
    result = await exchange.provider.cancel_all_orders("me", symbol)
    assert (count, 0, None) == (
        result.cancelled_count,
        result.failed_count,
        result.failed_order_ids,
    )
    page = await exchange.provider.list_orders("me", OrderQuery())
    assert left == sorted(order.symbol for order in page.items)
    assert ["OPEN"] == await everything(exchange, "you")


async def test_cancelling_all_of_nothing(exchange: Exchange) -> None:
    """Where no order is open, none is cancelled."""
    await exchange.buy("10")
    assert 0 == (await exchange.provider.cancel_all_orders("me", None)).cancelled_count


async def test_cancelling_all_takes_what_happens_on_the_way_into_account(
    exchange: Exchange,
) -> None:
    """An order that the cancel of another one ends is not cancelled a second time."""
    await exchange.buy("10")
    (position,) = await exchange.provider.list_positions("me", None)
    await exchange.sell("10", limit="105")
    closing = await exchange.close(
        position.id, order_type=CloseOrderType.LIMIT, limit_price=Decimal(106)
    )
    exchange.quote("105", "106")  # fills the first, which leaves the second nothing to close
    result = await exchange.provider.cancel_all_orders("me", None)
    assert 0 == result.cancelled_count
    assert OrderStatus.CANCELLED == (await exchange.order(closing)).status
    assert 1 == (await exchange.log()).count("ORDER_CANCELLED")


# Whose orders


async def test_an_order_of_another_account_does_not_exist(exchange: Exchange) -> None:
    """Reading, changing and cancelling a stranger's order answer that there is none."""
    submission = await exchange.buy("10", limit="98", account="you")
    with pytest.raises(OrderNotFound) as missing:
        await exchange.order(submission)
    assert {"resource": "order", "id": submission.handle.id} == missing.value.details
    with pytest.raises(OrderNotFound):
        await exchange.modify(submission, limit_price="97")
    with pytest.raises(OrderNotFound):
        await exchange.provider.cancel_order("me", submission.handle.id)
    assert ["OPEN"] == await everything(exchange, "you")


async def test_many_accounts_at_once(exchange: Exchange) -> None:
    """Orders of many accounts that share a commit do not touch one another."""
    accounts = [f"acc{number}" for number in range(30)]
    wanted = [request("BUY", str(number + 1)) for number in range(30)]
    await asyncio.gather(*map(exchange.provider.submit_order, accounts, wanted))
    for number, account in enumerate(accounts):
        (position,) = await exchange.provider.list_positions(account, None)
        assert Decimal(number + 1) == position.quantity
