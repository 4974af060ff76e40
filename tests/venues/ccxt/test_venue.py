"""The life of orders at the emulated Coinbase Exchange."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from providers.ccxt.provider import CcxtVenue
from providers.errors import ProviderError, SymbolNotFound, UnsupportedOperation
from providers.live.venue import Amends, Gone, Progress, Refused
from providers.models import AssetClass, OrderType, RejectReason, Side, TimeInForce
from tests.venues.ccxt.emulator import EmulatedExchange
from tests.venues.ccxt.tickets import HIGH, ended, eventually, resting, ticket


async def test_traits(venue: CcxtVenue) -> None:
    """What ccxt declares of the exchange, less what the exchange refuses all the same."""
    traits = venue.traits
    orders = traits.orders[AssetClass.CRYPTO]
    assert {OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT} == set(orders)
    assert {TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK} == orders[OrderType.LIMIT]
    assert (Amends.NONE, True, False) == (traits.amends, traits.money_is_cash, traits.dedupes)
    assert {AssetClass.CRYPTO} == traits.post_only
    assert not traits.short_selling


async def test_instruments(venue: CcxtVenue) -> None:
    """The markets chosen, with their steps."""
    assert {"BTC/USD", "ETH/USD"} == set(venue.instruments)
    assert Decimal("0.00000001") == venue.instruments["BTC/USD"].quantity_increment
    await venue.ping()


async def test_a_market_order_fills_in_parts(venue: CcxtVenue) -> None:
    """All its fills are told, by what has filled with each; the account has what they say."""
    before = await venue.funds()
    sent = ticket(quantity=Decimal(6))
    answer = await venue.submit(sent)
    assert (sent.client_id, Decimal(6)) == (answer.client_id, answer.quantity)
    assert Progress.FILLED is (await ended(venue, sent)).progress
    fills = await venue.executions(sent)
    assert fills
    assert len(fills) > 1
    total = Decimal(0)
    for each in fills:
        total += each.quantity
        assert total == each.cumulative
    assert Decimal(6) == total
    cost = sum(each.quantity * each.price + each.commission for each in fills)
    assert before.money - cost == (await venue.funds()).money
    (held,) = await venue.holdings()
    assert ("BTC/USD", Decimal(6)) == (held.symbol, held.quantity)


@pytest.mark.parametrize("time_in_force", [TimeInForce.IOC, TimeInForce.FOK])
async def test_immediate_orders(venue: CcxtVenue, time_in_force: TimeInForce) -> None:
    """What fills at once does, and the rest does not stay."""
    sent = ticket(
        order_type=OrderType.LIMIT,
        limit_price=HIGH,
        quantity=Decimal("0.1"),
        time_in_force=time_in_force,
    )
    await venue.submit(sent)
    assert Progress.FILLED is (await ended(venue, sent)).progress
    much = ticket(
        order_type=OrderType.LIMIT,
        limit_price=Decimal("100000.00"),
        quantity=Decimal(9),
        time_in_force=time_in_force,
    )
    answer = await venue.submit(much)
    if time_in_force is TimeInForce.FOK:
        # Coinbase forgets an order that was cancelled before anything of it filled.
        assert await venue.find(much) is None
        assert not await venue.open_orders()
    else:
        found = await ended(venue, much)
        assert Progress.CANCELLED is found.progress
        assert 0 < found.filled < 9
    assert answer.client_id == much.client_id


async def test_a_resting_order(venue: CcxtVenue) -> None:
    """It is found by its client id and among the open ones until it is cancelled."""
    sent = resting()
    answer = await venue.submit(sent)
    (listed,) = await venue.open_orders()
    found = await venue.find(sent)
    assert found is not None
    for each in (listed, found):
        assert (sent.client_id, answer.venue_id) == (each.client_id, each.venue_id)
        assert (Progress.WORKING, sent.limit_price) == (each.progress, each.limit_price)
        assert OrderType.LIMIT is each.order_type
    assert not await venue.executions(sent)
    assert await venue.cancel(sent) is None
    assert not await venue.open_orders()


async def test_what_the_exchange_forgets(venue: CcxtVenue) -> None:
    """A cancelled order is not known there any more, unless something of it filled."""
    sent = resting()
    answer = await venue.submit(sent)
    accepted = resting(client_id=sent.client_id, venue_id=answer.venue_id)
    await venue.cancel(accepted)
    found = await venue.find(accepted)
    assert found is not None
    assert (Progress.CANCELLED, Decimal(0)) == (found.progress, found.filled)
    assert await venue.find(sent) is None
    with pytest.raises(Gone):
        await venue.cancel(accepted)


async def test_a_stop_limit_order(venue: CcxtVenue) -> None:
    """It waits for its trigger with both its prices."""
    sent = ticket(
        order_type=OrderType.STOP_LIMIT,
        stop_price=Decimal("80000.00"),
        limit_price=Decimal("80001.00"),
    )
    await venue.submit(sent)
    (found,) = await venue.open_orders()
    assert (OrderType.STOP_LIMIT, Progress.WORKING) == (found.order_type, found.progress)
    assert (sent.stop_price, sent.limit_price) == (found.stop_price, found.limit_price)
    await venue.cancel(sent)


async def test_cancelling_what_is_done(venue: CcxtVenue) -> None:
    """A filled order is gone, and one that was never placed as well."""
    sent = ticket()
    await venue.submit(sent)
    await ended(venue, sent)
    for each in (sent, ticket(), ticket(venue_id="0192f0c1-7d1e-7c3a-9a51-3d1f2b3c4d5e")):
        with pytest.raises(Gone):
            await venue.cancel(each)
    assert await venue.find(ticket()) is None
    assert not await venue.executions(ticket())


async def test_a_lazy_cancel(coinbase: EmulatedExchange, venue: CcxtVenue) -> None:
    """It is acknowledged first and carried out later."""
    sent = resting()
    await venue.submit(sent)
    coinbase.faults.odds = type(coinbase.faults.odds)(lazy=1, delay=0.1)
    await venue.cancel(sent)
    await eventually(venue.open_orders, lambda orders: not orders)


REFUSED: list[tuple[dict[str, Any], RejectReason]] = [
    ({"quantity": Decimal(1000)}, RejectReason.INSUFFICIENT_BALANCE),
    ({"side": Side.SELL}, RejectReason.INSUFFICIENT_BALANCE),
    ({"quantity": Decimal("0.000000001")}, RejectReason.INVALID_QUANTITY),
    ({"client_id": "not-a-uuid"}, RejectReason.UNKNOWN),
]


async def test_refusals(venue: CcxtVenue) -> None:
    """Each kind has its reason, and nothing is done."""
    for changes, reason in REFUSED:
        with pytest.raises(Refused) as refused:
            await venue.submit(ticket(**changes))
        assert reason is refused.value.reason
    assert not await venue.open_orders()
    assert not await venue.holdings()


async def test_post_only(venue: CcxtVenue) -> None:
    """One that would take is answered as rejected; one that rests is taken."""
    taking = ticket(order_type=OrderType.LIMIT, limit_price=HIGH, post_only=True)
    report = await venue.submit(taking)
    assert (Progress.REJECTED, RejectReason.POST_ONLY_VIOLATED) == (report.progress, report.reason)
    await venue.submit(resting(post_only=True))
    assert 1 == len(await venue.open_orders())


async def test_unknown_symbols_and_changes(venue: CcxtVenue) -> None:
    """What the venue does not do is said, not tried."""
    with pytest.raises(SymbolNotFound):
        await venue.submit(ticket(symbol="DOGE/USD"))
    with pytest.raises(UnsupportedOperation):
        await venue.replace(resting(), resting())


async def test_a_client_id_may_be_used_twice(venue: CcxtVenue) -> None:
    """Coinbase does not look; so nothing here may send a ticket a second time."""
    sent = resting()
    await venue.submit(sent)
    await venue.submit(sent)
    assert 2 == len(await venue.open_orders())


async def test_wrong_credentials(coinbase: EmulatedExchange) -> None:
    """They are not worth a retry."""
    for name in ("api_key", "secret", "password"):
        wrong = {**coinbase.settings.model_dump(), name: "d3Jvbmc="}
        venue = CcxtVenue(type(coinbase.settings)(**wrong))
        with pytest.raises(ProviderError, match="AuthenticationError"):
            await venue.start()
        await venue.stop()


async def test_selling_what_is_held(venue: CcxtVenue) -> None:
    """Then nothing is held, and the money is there again, less what the trades cost."""
    bought = ticket(quantity=Decimal("0.3"))
    await venue.submit(bought)
    await ended(venue, bought)
    sold = ticket(quantity=Decimal("0.3"), side=Side.SELL)
    await venue.submit(sold)
    await ended(venue, sold)
    assert not await venue.holdings()
    assert (await venue.funds()).money < 1_000_000


async def test_orders_at_once(venue: CcxtVenue) -> None:
    """Many orders at the same time each get an answer of their own."""
    sent = [resting() for _ in range(10)]
    reports = await asyncio.gather(*(venue.submit(each) for each in sent))
    assert [each.client_id for each in sent] == [each.client_id for each in reports]
    assert {each.venue_id for each in reports} == {
        each.venue_id for each in await venue.open_orders()
    }
