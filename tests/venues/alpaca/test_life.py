"""Orders from their submission to their end, over real connections to the emulator."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from providers.alpaca.provider import TRAITS, AlpacaVenue
from providers.live.venue import Gone, Progress, Refused, Ticket, Unanswered
from providers.models import (
    AssetClass,
    OrderType,
    RejectReason,
    Side,
    TrailingType,
)
from tests.venues.alpaca.samples import (
    DAY,
    FOK,
    GTC,
    IOC,
    bought,
    found,
    over,
    placed,
    resting,
    stock,
    ticket,
    until,
)
from tests.venues.emulated import Emulated

RESTS: dict[OrderType, dict[str, Any]] = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": Decimal("10.5")},
    OrderType.STOP: {"stop_price": Decimal(900_000)},
    OrderType.STOP_LIMIT: {"stop_price": Decimal(900_000), "limit_price": Decimal(900_001)},
    OrderType.TRAILING_STOP: {
        "trailing_distance": Decimal(50),
        "trailing_type": TrailingType.PERCENT,
    },
}


async def test_instruments(venue: AlpacaVenue) -> None:
    """Stocks and pairs, and nothing else that the exchange inside has."""
    kinds = {each.asset_class for each in venue.instruments.values()}
    assert kinds == {AssetClass.STOCK, AssetClass.CRYPTO}
    assert venue.instruments["BTC/USD"].price_increment == Decimal("0.01")
    assert venue.name == "alpaca-paper"
    await venue.ping()
    assert venue.limits is not None
    assert venue.limits.remaining < 200


@pytest.mark.parametrize("asset_class", list(TRAITS.orders))
async def test_every_kind_of_order(venue: AlpacaVenue, asset_class: AssetClass) -> None:
    """What the traits promise is taken, and rests or ends as its time in force says."""
    for order_type, times in TRAITS.orders[asset_class].items():
        for time_in_force in times:
            make = stock if asset_class is AssetClass.STOCK else ticket
            fields = {"order_type": order_type, "time_in_force": time_in_force}
            await check_life(venue, make(**fields, **RESTS[order_type]))


async def check_life(venue: AlpacaVenue, order: Ticket) -> None:
    accepted = await venue.submit(order)
    assert accepted.progress is Progress.PENDING
    assert (accepted.client_id, accepted.filled) == (order.client_id, Decimal(0))
    if order.order_type is OrderType.MARKET:
        assert (await over(venue, order)).progress is Progress.FILLED
    elif order.time_in_force in (IOC, FOK):
        assert (await over(venue, order)).progress is Progress.CANCELLED
    else:
        report = await found(venue, order)
        assert report.progress is Progress.WORKING
        assert report.time_in_force is order.time_in_force
        assert report.limit_price == order.limit_price
        await venue.cancel(replace(order, venue_id=report.venue_id))
        assert (await over(venue, order)).progress is Progress.CANCELLED


async def test_partial_fills_add_up(venue: AlpacaVenue) -> None:
    """More than is shown at once fills in parts, each of which is told."""
    done = await bought(venue, quantity=Decimal(9))
    fills = await venue.executions(ticket(client_id=done.client_id))
    assert fills is not None
    assert len(fills) > 1
    assert sum(fill.quantity for fill in fills) == done.filled == 9
    assert [fill.cumulative for fill in fills] == sorted({fill.cumulative for fill in fills})
    worth = sum(fill.quantity * fill.price for fill in fills)
    assert done.average_price is not None
    assert abs(done.average_price * 9 - worth) < Decimal("1e-9")


async def test_an_order_is_replaced_by_a_new_one(venue: AlpacaVenue) -> None:
    order = await placed(venue, resting(quantity=Decimal(1)))
    changed = replace(
        order, client_id="t-next", venue_id=None, quantity=Decimal(2), limit_price=Decimal(11)
    )
    after = await venue.replace(order, changed)
    before = await found(venue, order)
    standing = await found(venue, changed)
    assert after.venue_id == standing.venue_id != order.venue_id
    assert (after.client_id, standing.progress) == ("t-next", Progress.WORKING)
    assert (standing.quantity, standing.limit_price) == (Decimal(2), Decimal(11))
    assert (before.progress, before.replaced_by) == (Progress.CANCELLED, after.venue_id)
    assert [each.venue_id for each in await venue.open_orders()] == [after.venue_id]
    with pytest.raises(Gone):
        await venue.replace(order, replace(changed, client_id="t-other"))
    with pytest.raises(Gone):
        await venue.cancel(order)


async def test_a_part_filled_order_is_replaced(venue: AlpacaVenue) -> None:
    """The new order has the rest that is asked for, and the fills from then on are its own.

    What has filled since we last knew comes off it.
    """
    order = await placed(venue, ticket(quantity=Decimal(2000)))

    async def some() -> Ticket | None:
        report = await venue.find(order)
        return order if report is not None and report.filled else None

    await until(some)
    first = await found(venue, order)
    changed = replace(order, client_id="t-rest", venue_id=None, quantity=Decimal(40))
    after = await venue.replace(replace(order, filled=first.filled), changed)
    done = await over(venue, changed)
    old = await found(venue, order)
    fills, earlier = await venue.executions(changed), await venue.executions(order)
    assert fills is not None
    assert earlier is not None
    assert first.filled <= old.filled
    assert done.filled == done.quantity == sum(fill.quantity for fill in fills)
    assert done.quantity == 40 - (old.filled - first.filled)
    assert fills[0].cumulative == fills[0].quantity
    assert sum(fill.quantity for fill in earlier) == old.filled
    worth = sum(fill.quantity * fill.price for fill in fills)
    assert done.average_price is not None
    assert abs(done.average_price * done.filled - worth) < Decimal("1e-9")
    assert (await venue.holdings())[0].quantity == old.filled + done.filled
    assert after.client_id == "t-rest"


async def test_a_trailing_stop_changes_its_distance(venue: AlpacaVenue) -> None:
    fields: dict[str, Any] = RESTS[OrderType.TRAILING_STOP]
    order = await placed(venue, stock(order_type=OrderType.TRAILING_STOP, **fields))
    before = await found(venue, order)
    changed = replace(order, client_id="t-far", venue_id=None, trailing_distance=Decimal(80))
    await venue.replace(order, changed)
    after = await found(venue, changed)
    assert before.stop_price is not None
    assert after.stop_price is not None
    assert after.stop_price > before.stop_price


async def test_orders_that_are_over_are_gone(venue: AlpacaVenue) -> None:
    done = await bought(venue)
    order = ticket(client_id=done.client_id, venue_id=done.venue_id)
    with pytest.raises(Gone):
        await venue.cancel(order)
    with pytest.raises(Gone):
        await venue.replace(order, replace(order, client_id="t-2", quantity=Decimal(1)))
    with pytest.raises(Gone):
        await venue.cancel(ticket(client_id="never-heard-of"))
    with pytest.raises(Gone):
        await venue.cancel(ticket(venue_id="00000000-0000-4000-8000-000000000000"))


async def test_orders_are_found_by_their_client_id(venue: AlpacaVenue) -> None:
    order = resting()
    accepted = await venue.submit(order)
    assert (await found(venue, order)).venue_id == accepted.venue_id
    assert await venue.find(ticket(client_id="never-heard-of")) is None
    assert await venue.executions(ticket(client_id="never-heard-of")) == ()
    assert await venue.executions(order) == ()


async def test_a_client_id_makes_one_order_for_ever(venue: AlpacaVenue) -> None:
    """Also after the order is over; what it has become is to be asked for."""
    done = await bought(venue)
    with pytest.raises(Unanswered):
        await venue.submit(ticket(client_id=done.client_id))
    assert [each.quantity for each in await venue.holdings()] == [Decimal("0.05")]


REFUSED = [
    (ticket(quantity=Decimal(1_000_000)), RejectReason.INSUFFICIENT_MARGIN),
    (ticket(side=Side.SELL), RejectReason.INSUFFICIENT_BALANCE),
    (ticket(symbol="NO/PE"), RejectReason.SYMBOL_NOT_TRADEABLE),
    (resting(limit_price=Decimal("10.001")), RejectReason.INVALID_PRICE),
    (ticket(quantity=Decimal("0.000000001")), RejectReason.INVALID_QUANTITY),
    (stock(quantity=Decimal("0.5"), time_in_force=GTC), RejectReason.INVALID_QUANTITY),
    (stock(side=Side.SELL, reduce_only=True), RejectReason.REDUCE_ONLY_VIOLATED),
    (ticket(time_in_force=DAY), RejectReason.UNKNOWN),
    (ticket(order_type=OrderType.STOP, stop_price=Decimal(1)), RejectReason.UNKNOWN),
]


async def test_refusals(venue: AlpacaVenue) -> None:
    for order, reason in REFUSED:
        with pytest.raises(Refused) as refused:
            await venue.submit(order)
        assert refused.value.reason is reason
        assert await venue.find(order) is None


async def test_changes_that_are_refused(venue: AlpacaVenue) -> None:
    """The order stays as it was."""
    order = await placed(venue, resting(quantity=Decimal(1)))
    for changed, reason in (
        (replace(order, limit_price=Decimal("11.001")), RejectReason.INVALID_PRICE),
        (replace(order, quantity=Decimal(1_000_000_000)), RejectReason.INSUFFICIENT_MARGIN),
        (order, RejectReason.UNKNOWN),
    ):
        with pytest.raises(Refused) as refused:
            await venue.replace(order, replace(changed, client_id="t-new", venue_id=None))
        assert refused.value.reason is reason
    with pytest.raises(Unanswered):
        await venue.replace(order, replace(order, limit_price=Decimal(12)))
    report = await found(venue, order)
    assert (report.progress, report.limit_price) == (Progress.WORKING, Decimal("10.5"))


async def test_fractions_of_a_share_go_with_the_day(venue: AlpacaVenue) -> None:
    done = await bought(venue, symbol="AAPL", quantity=Decimal("0.5"), time_in_force=DAY)
    assert done.filled == Decimal("0.5")


async def test_what_is_held_can_be_sold_once(venue: AlpacaVenue) -> None:
    """An order that would sell more than open orders leave is refused."""
    await bought(venue, symbol="AAPL", quantity=Decimal(5))
    exit_ = stock(
        side=Side.SELL,
        order_type=OrderType.LIMIT,
        quantity=Decimal(4),
        limit_price=Decimal(9000),
        reduce_only=True,
    )
    await venue.submit(exit_)
    with pytest.raises(Refused) as refused:
        await venue.submit(stock(side=Side.SELL, quantity=Decimal(2)))
    assert refused.value.reason is RejectReason.INSUFFICIENT_BALANCE
    await venue.submit(stock(side=Side.SELL, quantity=Decimal(1)))


async def test_a_short_position(venue: AlpacaVenue) -> None:
    await bought(venue, symbol="AAPL", side=Side.SELL, quantity=Decimal(3))
    (holding,) = await venue.holdings()
    assert (holding.symbol, holding.quantity) == ("AAPL", Decimal(-3))
    assert (await venue.funds()).money > 100_000_000


async def test_funds_are_cash(venue: AlpacaVenue, emulated: Emulated) -> None:
    """Buying takes the price of what is bought off the money, whatever the market does then."""
    before = await venue.funds()
    done = await bought(venue)
    after = await venue.funds()
    assert done.average_price is not None
    assert before.money - after.money == done.average_price * done.filled
    assert (after.currency, after.leverage) == ("USD", Decimal(1))
    assert after.margin_used is not None
    assert after.margin_used > 0


async def test_open_orders_come_by_pages(
    venue: AlpacaVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.alpaca.client.ORDERS_PAGE", 2)
    orders = [resting(quantity=Decimal("0.01")) for _ in range(5)]
    for order in orders:
        await venue.submit(order)
    open_orders = await venue.open_orders()
    assert [each.client_id for each in open_orders] == [each.client_id for each in orders]


async def test_fills_come_by_pages(venue: AlpacaVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.alpaca.client.FILLS_PAGE", 2)
    done = await bought(venue, quantity=Decimal(12))
    fills = await venue.executions(ticket(client_id=done.client_id))
    assert fills is not None
    assert sum(fill.quantity for fill in fills) == 12
