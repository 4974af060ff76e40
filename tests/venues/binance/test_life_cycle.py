"""Orders of the adapter at the emulator, from their beginning to their end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from providers.binance.provider import BinanceVenue
from providers.errors import UnsupportedOperation
from providers.live.venue import Amends, Funds, Gone, Holding, Progress, Refused, Unanswered
from providers.models import AssetClass, OrderType, RejectReason, Side, TimeInForce, TrailingType
from tests.venues.binance.emulator import Rig, specification
from tests.venues.binance.toolkit import filled, limit, near, quote, resting, ticket, until
from tests.venues.faults import Odds


async def test_what_it_can_do(venue: BinanceVenue, rig: Rig) -> None:
    """Traits and instruments are those of the venue's symbols."""
    traits = venue.traits
    crypto = traits.orders[AssetClass.CRYPTO]
    assert set(crypto) == {
        *(OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT)
    }
    assert (traits.amends, traits.money_is_cash, traits.dedupes) == (Amends.NONE, True, False)
    assert traits.post_only == traits.iceberg == frozenset({AssetClass.CRYPTO})
    assert traits.short_selling == frozenset()
    assert traits.rate_limits is not None
    assert traits.rate_limits.orders_per_second == 10
    assert sorted(venue.instruments) == ["BTC/USDT", "ETH/USDT"]
    instrument = venue.instruments["BTC/USDT"]
    assert instrument.price_increment == Decimal("0.01")
    assert instrument.quantity_increment == Decimal("0.00001")
    assert (venue.name, instrument.currency) == ("binance-paper", "USDT")
    await venue.ping()
    assert venue.limits is not None
    assert 0 < venue.limits.remaining < 6000
    assert (rig.emulated.judge.judged > 0) is (specification() is not None)


async def test_market_order_fills(venue: BinanceVenue, rig: Rig) -> None:
    """A small market order is filled when it is answered, with its execution.

    What the book does not have of a large one expires; with us it is cancelled.
    """
    sent = ticket()
    report = await venue.submit(sent)
    assert (report.client_id, report.progress) == (sent.client_id, Progress.FILLED)
    assert report.filled == sent.quantity
    assert [each.cumulative for each in report.executions] == [sent.quantity]
    assert report.average_price == report.executions[0].price
    assert not report.executions[0].is_maker
    assert await venue.executions(sent) == report.executions
    rig.rest.desk.shallow = True
    large = await venue.submit(ticket(symbol="ETH/USDT", quantity=Decimal(60)))
    assert large.progress is Progress.CANCELLED
    assert 0 < large.filled < 60


async def test_limit_order_rests_and_is_cancelled(venue: BinanceVenue, rig: Rig) -> None:
    """A resting order is open, found by its client id, locks its price, and can be cancelled."""
    sent = limit(near(rig, -1000))
    report = await venue.submit(sent)
    assert (report.progress, report.limit_price) == (Progress.WORKING, sent.limit_price)
    assert [each.client_id for each in await venue.open_orders()] == [sent.client_id]
    assert await venue.find(sent) == (await venue.open_orders())[0]
    assert await venue.funds() == Funds(currency="USDT", money=Decimal(1_000_000))
    cancelled = await venue.cancel(sent)
    assert cancelled is not None
    assert (cancelled.client_id, cancelled.progress) == (sent.client_id, Progress.CANCELLED)
    assert cancelled.venue_id == report.venue_id
    found = await venue.find(sent)
    assert found is not None
    assert (found.client_id, found.progress) == (sent.client_id, Progress.CANCELLED)
    assert await venue.open_orders() == []
    assert await venue.executions(sent) == ()


async def test_partial_fills_add_up(venue: BinanceVenue, rig: Rig) -> None:
    """An order larger than the quote fills bit by bit: executions count up to what has filled."""
    sent = limit(near(rig, 3000), quantity=Decimal(12))
    first = await venue.submit(sent)
    assert first.progress is Progress.WORKING
    assert 0 < first.filled < 12

    report = await until(lambda: venue.find(sent), lambda found: bool(found and found.filled == 12))
    assert report is not None
    assert report.progress is Progress.FILLED
    executions = await venue.executions(sent)
    assert len(executions) > 1
    total = Decimal(0)
    for each in executions:
        total += each.quantity
        assert each.cumulative == total
    assert total == 12
    paid = sum((each.quantity * each.price for each in executions), Decimal(0))
    assert report.average_price is not None
    assert abs(report.average_price - paid / 12) < Decimal("0.00000001")
    assert await venue.holdings() == [Holding(symbol="BTC/USDT", quantity=Decimal(12))]
    assert (await venue.funds()).money == 1_000_000 - paid


async def test_immediate_orders(venue: BinanceVenue, rig: Rig) -> None:
    """Far from the market they end unfilled, and CANCELLED; at it they fill."""
    for lifetime in (TimeInForce.IOC, TimeInForce.FOK):
        far = await venue.submit(limit(near(rig, -1000), time_in_force=lifetime))
        assert (far.progress, far.filled) == (Progress.CANCELLED, Decimal(0))
        taken = await venue.submit(limit(near(rig, 1000), time_in_force=lifetime))
        assert taken.progress is Progress.FILLED
        large = limit(near(rig, 1000), quantity=Decimal(9), time_in_force=lifetime)
        rest = await venue.submit(large)
        assert rest.progress is Progress.CANCELLED
        assert (rest.filled > 0) is (lifetime is TimeInForce.IOC)


async def test_stops_rest(venue: BinanceVenue, rig: Rig) -> None:
    """A stop rests at the venue, with its prices, until it is cancelled."""
    for kind, price in ((OrderType.STOP, None), (OrderType.STOP_LIMIT, near(rig, 2000))):
        sent = ticket(order_type=kind, stop_price=near(rig, 1500), limit_price=price)
        report = await venue.submit(sent)
        assert (report.order_type, report.progress) == (kind, Progress.WORKING)
        [found] = await venue.open_orders()
        assert (found.stop_price, found.limit_price) == (sent.stop_price, price)
        await venue.cancel(sent)


async def test_stop_triggers(venue: BinanceVenue, rig: Rig) -> None:
    """Of two stops close around the market one is reached at once, and fills."""
    await venue.submit(ticket())
    step, kind = Decimal("0.5"), OrderType.STOP
    above = await resting(venue, lambda: ticket(order_type=kind, stop_price=quote(rig).ask + step))
    below = await resting(
        venue, lambda: ticket(order_type=kind, stop_price=quote(rig).bid - step, side=Side.SELL)
    )
    reached = await filled(venue, [above, below])
    report = await venue.find(reached)
    assert report is not None
    assert (report.order_type, report.stop_price) == (kind, reached.stop_price)


async def test_post_only(venue: BinanceVenue, rig: Rig) -> None:
    """It rests as a maker, or is refused for that it would take."""
    resting = limit(near(rig, -1000), post_only=True)
    assert (await venue.submit(resting)).progress is Progress.WORKING
    with pytest.raises(Refused) as refusal:
        await venue.submit(limit(near(rig, 1000), post_only=True))
    assert refusal.value.reason is RejectReason.POST_ONLY_VIOLATED


async def test_maker(venue: BinanceVenue, rig: Rig) -> None:
    """The fills of an order that has rested are told as a maker's."""
    await venue.submit(ticket())
    bid = await resting(venue, lambda: limit(quote(rig).bid, post_only=True))
    ask = await resting(venue, lambda: limit(quote(rig).ask, post_only=True, side=Side.SELL))
    met = await filled(venue, [bid, ask])
    assert all(each.is_maker for each in await venue.executions(met))


async def test_iceberg(venue: BinanceVenue, rig: Rig) -> None:
    """An iceberg may have ten parts; more is refused."""
    shown = Decimal("0.01")
    report = await venue.submit(
        limit(near(rig, -1000), quantity=Decimal("0.1"), display_quantity=shown)
    )
    assert report.progress is Progress.WORKING
    with pytest.raises(Refused) as refusal:
        await venue.submit(limit(near(rig, -1000), quantity=Decimal("0.2"), display_quantity=shown))
    assert refusal.value.reason is RejectReason.INVALID_QUANTITY


REFUSALS: list[tuple[dict[str, Any], RejectReason]] = [
    ({"quantity": Decimal("0.000001")}, RejectReason.INVALID_QUANTITY),
    ({"quantity": Decimal("0.00001")}, RejectReason.INVALID_QUANTITY),  # below 5 USDT
    ({"quantity": Decimal("0.0000000001")}, RejectReason.INVALID_QUANTITY),  # too precise
    ({"quantity": Decimal(8000)}, RejectReason.INSUFFICIENT_BALANCE),
    ({"side": Side.SELL}, RejectReason.INSUFFICIENT_BALANCE),  # nothing is held
    ({"symbol": "LUNA/USDT"}, RejectReason.SYMBOL_NOT_TRADEABLE),
    ({"client_id": "not allowed!"}, RejectReason.UNKNOWN),
]


async def test_refusals(venue: BinanceVenue, rig: Rig) -> None:
    """Each refusal has its reason, and leaves nothing behind."""
    far = [limit(near(rig) + Decimal("0.001")), limit(Decimal("1.00"), quantity=Decimal(10))]
    prices = [(each, RejectReason.INVALID_PRICE) for each in far]
    for sent, reason in [*((ticket(**each), reason) for each, reason in REFUSALS), *prices]:
        with pytest.raises(Refused) as refusal:
            await venue.submit(sent)
        assert (sent, refusal.value.reason) == (sent, reason)
    assert await venue.open_orders() == []
    assert await venue.holdings() == []


async def test_stop_on_the_wrong_side(venue: BinanceVenue, rig: Rig) -> None:
    """The venue takes no stop that the price has reached already."""
    with pytest.raises(Refused) as refusal:
        await venue.submit(ticket(order_type=OrderType.STOP, stop_price=near(rig, -1000)))
    assert refusal.value.reason is RejectReason.INVALID_PRICE


async def test_client_ids(venue: BinanceVenue, rig: Rig) -> None:
    """Among open orders they are unique: one in use is Unanswered, so that it is asked for."""
    sent = limit(near(rig, -1000), client_id="a.B:c/d_e-1")
    report = await venue.submit(sent)
    with pytest.raises(Unanswered):
        await venue.submit(sent)
    found = await venue.find(sent)
    assert found is not None
    assert found.venue_id == report.venue_id
    await venue.cancel(sent)
    again = await venue.submit(sent)  # the venue has forgotten: hence `dedupes` is false
    assert again.venue_id != report.venue_id


async def test_unknown_and_gone(venue: BinanceVenue) -> None:
    """None for an order that never was; Gone for one that is not open."""
    unknown = ticket()
    assert await venue.find(unknown) is None
    assert await venue.executions(unknown) == []
    with pytest.raises(Gone):
        await venue.cancel(unknown)
    filled = ticket()
    await venue.submit(filled)
    with pytest.raises(Gone):
        await venue.cancel(filled)


async def test_ids_of_two_symbols(venue: BinanceVenue) -> None:
    """The venue's numbers count for each symbol on its own; our ids are different all the same."""
    bitcoin = await venue.submit(ticket())
    ether = await venue.submit(ticket(symbol="ETH/USDT"))
    assert bitcoin.venue_id == "BTCUSDT:1001"
    assert ether.venue_id == "ETHUSDT:1001"


async def test_lazy_cancel(venue: BinanceVenue, rig: Rig) -> None:
    """One that is only acknowledged leaves the order working, for a while."""
    rig.emulated.faults.odds = Odds(lazy=1, delay=0.1)
    sent = limit(near(rig, -1000))
    await venue.submit(sent)
    report = await venue.cancel(sent)
    assert report is not None
    assert report.progress is Progress.WORKING
    await until(
        lambda: venue.find(sent), lambda found: bool(found and found.progress is Progress.CANCELLED)
    )


async def test_selling_what_is_held(venue: BinanceVenue, rig: Rig) -> None:
    """What an order to sell has locked is held still, and cannot be sold twice."""
    await venue.submit(ticket())
    sell = limit(near(rig, 1000), side=Side.SELL)
    await venue.submit(sell)
    assert await venue.holdings() == [Holding(symbol="BTC/USDT", quantity=sell.quantity)]
    with pytest.raises(Refused):
        await venue.submit(ticket(side=Side.SELL))
    await venue.cancel(sell)
    assert (await venue.submit(ticket(side=Side.SELL))).progress is Progress.FILLED
    assert await venue.holdings() == []


LACKS: list[dict[str, Any]] = [
    {"time_in_force": TimeInForce.DAY},
    {"time_in_force": TimeInForce.IOC},
    {"time_in_force": TimeInForce.FOK},
    {
        "order_type": OrderType.TRAILING_STOP,
        "trailing_distance": Decimal(1),
        "trailing_type": TrailingType.PERCENT,
    },
]


async def test_what_it_cannot_do(venue: BinanceVenue, rig: Rig) -> None:
    """What traits do not promise never reaches the venue."""
    for fields in LACKS:
        with pytest.raises(Refused):
            await venue.submit(ticket(**fields))
    with pytest.raises(UnsupportedOperation):
        await venue.replace(ticket(), ticket())
    assert rig.seen["POST /api/v3/order"] == 0


@pytest.mark.parametrize("fee", [Decimal("0.001")])
async def test_fee_in_kind(venue: BinanceVenue) -> None:
    """A purchase costs some of what was bought, a sale some of the money."""
    [bought] = (await venue.submit(ticket())).executions
    assert bought.fee_in_kind == Decimal("0.00005")
    assert bought.commission == bought.fee_in_kind * bought.price
    [held] = await venue.holdings()
    assert held.quantity == bought.quantity - bought.fee_in_kind
    sale = ticket(side=Side.SELL, quantity=Decimal("0.04"))
    [sold] = (await venue.submit(sale)).executions
    assert sold.fee_in_kind == 0
    assert abs(sold.commission - sold.quantity * sold.price / 1000) < Decimal("0.00000001")
    money = 1_000_000 - bought.quantity * bought.price + sold.quantity * sold.price
    assert (await venue.funds()).money == money - sold.commission


@pytest.mark.parametrize(("fee", "fee_asset"), [(Decimal("0.001"), "ETH")])
async def test_fee_in_a_third_asset(venue: BinanceVenue) -> None:
    """It is worth what that asset was worth in that minute; the answer to an order omits it."""
    sent = ticket()
    report = await venue.submit(sent)
    assert (report.filled, report.executions) == (sent.quantity, ())
    [execution] = await venue.executions(sent)
    assert execution.fee_in_kind == 0
    share = execution.commission / (execution.quantity * execution.price)
    assert abs(share - Decimal("0.001")) < Decimal("0.0001")
    assert await venue.executions(sent) == (execution,)
