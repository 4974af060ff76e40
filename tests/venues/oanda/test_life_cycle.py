"""Orders from their submission to their end, over real connections to the emulator."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from providers.live.venue import Execution, Gone, Progress, Refused, Ticket, Unanswered, Venue
from providers.models import OrderRequest, OrderType, RejectReason, Side, TimeInForce
from providers.oanda.provider import OandaVenue
from tests.venues.exchange import ACCOUNT
from tests.venues.faults import Faults
from tests.venues.oanda.emulator import OandaEmulated, emulator
from tests.venues.oanda.toolkit import limit, over, stop, ticket, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOW, HIGH = "0.50000", "3.00000"
"""Prices that EUR/USD does not come near."""


async def placed(venue: Venue, order: Ticket) -> Ticket:
    """The ticket of an order that the venue has taken."""
    return replace(order, venue_id=(await venue.submit(order)).venue_id)


# Each type


@pytest.mark.parametrize("time_in_force", [TimeInForce.FOK, TimeInForce.IOC])
@pytest.mark.parametrize("side", list(Side))
async def test_a_market_order_fills_at_once(
    venue: OandaVenue, side: Side, time_in_force: TimeInForce
) -> None:
    """The answer to its request tells all of it, and so does whoever asks later."""
    order = ticket(side=side, time_in_force=time_in_force)
    answered = await venue.submit(order)
    asked = await venue.find(order)
    assert (answered.progress, answered.filled) == (Progress.FILLED, order.quantity)
    assert answered.average_price == answered.executions[0].price
    assert answered.side is side
    assert asked == answered


async def test_a_market_order_for_more_than_is_offered(venue: OandaVenue) -> None:
    """FOK fills nothing; IOC what there is, and the rest is cancelled."""
    large = Decimal(5_000_000)
    nothing = await venue.submit(ticket(quantity=large, time_in_force=TimeInForce.FOK))
    partly = ticket(quantity=large, time_in_force=TimeInForce.IOC)
    told = await venue.submit(partly)
    assert (nothing.progress, nothing.filled) == (Progress.CANCELLED, Decimal(0))
    assert told.progress is Progress.CANCELLED
    assert 0 < told.filled < large
    assert await venue.find(partly) == told


@pytest.mark.parametrize("time_in_force", [TimeInForce.GTC, TimeInForce.DAY])
async def test_a_resting_limit_works(venue: OandaVenue, time_in_force: TimeInForce) -> None:
    order = limit(LOW, time_in_force=time_in_force)
    answered = await venue.submit(order)
    asked = await venue.find(replace(order, venue_id=answered.venue_id))
    assert (answered.progress, answered.filled) == (Progress.WORKING, Decimal(0))
    assert answered.limit_price == order.limit_price
    assert answered.time_in_force is time_in_force
    assert asked == answered


@pytest.mark.parametrize("time_in_force", [TimeInForce.FOK, TimeInForce.IOC])
async def test_a_limit_that_must_fill_at_once_and_cannot_is_cancelled(
    venue: OandaVenue, time_in_force: TimeInForce
) -> None:
    answered = await venue.submit(limit(LOW, time_in_force=time_in_force))
    assert (answered.progress, answered.filled) == (Progress.CANCELLED, Decimal(0))


async def test_a_marketable_limit_fills(venue: OandaVenue) -> None:
    order = limit(HIGH)
    await venue.submit(order)
    done = await over(venue, order)
    assert done.progress is Progress.FILLED
    assert done.average_price is not None
    assert done.average_price < Decimal(HIGH)


async def test_a_stop_waits_and_one_that_is_reached_fills(venue: OandaVenue) -> None:
    waiting = await venue.submit(stop(HIGH))
    reached = stop(LOW)
    await venue.submit(reached)
    done = await over(venue, reached)
    assert (waiting.progress, waiting.stop_price) == (Progress.WORKING, Decimal(HIGH))
    assert waiting.order_type is OrderType.STOP
    assert (done.progress, done.filled) == (Progress.FILLED, reached.quantity)


async def test_a_large_order_fills_in_parts(venue: OandaVenue, emulated: OandaEmulated) -> None:
    """The parts add up, and are told with the order while it works and when it is over.

    Its limit is near: what does not fill at once rests, and fills at the limit.
    """
    quote = emulated.backing.market.quote("EUR/USD", datetime.now(UTC))
    near = f"{quote.ask * Decimal('1.005'):.5f}"
    order = await placed(venue, limit(near, quantity=Decimal(1_500_000)))
    done = await over(venue, order)
    fills = await venue.executions(order)
    assert fills == done.executions
    assert fills is not None
    assert len(fills) > 1
    assert fills[-1].cumulative == sum(each.quantity for each in fills) == order.quantity
    assert [each.cumulative for each in fills] == sorted(each.cumulative for each in fills)


# Changes and cancels


async def test_a_replaced_order_is_a_new_one(venue: OandaVenue) -> None:
    before = await placed(venue, limit(LOW))
    wanted = replace(before, client_id="new", limit_price=Decimal("0.6"), quantity=Decimal(2000))
    after = await venue.replace(before, wanted)
    ended = await venue.find(before)
    assert (after.client_id, after.quantity) == ("new", Decimal(2000))
    assert after.limit_price == Decimal("0.6")
    assert after.progress is Progress.WORKING
    assert ended is not None
    assert (ended.progress, ended.replaced_by) == (Progress.CANCELLED, after.venue_id)


async def test_a_new_order_is_found_by_a_ticket_with_the_id_of_the_old_one(
    venue: OandaVenue,
) -> None:
    """As one whose change was not answered is looked for; and before the change there is none."""
    before = await placed(venue, limit(LOW))
    wanted = replace(before, client_id="after", limit_price=Decimal("0.6"))
    assert await venue.find(wanted) is None
    after = await venue.replace(before, wanted)
    assert await venue.find(wanted) == after
    await venue.cancel(replace(wanted, venue_id=after.venue_id))
    found = await venue.find(wanted)
    assert found is not None
    assert (found.venue_id, found.progress) == (after.venue_id, Progress.CANCELLED)


async def test_a_change_that_makes_it_marketable_fills_the_new_order(venue: OandaVenue) -> None:
    before = await placed(venue, stop(HIGH))
    wanted = replace(before, client_id="reached", stop_price=Decimal(LOW))
    await venue.replace(before, wanted)
    done = await over(venue, wanted)
    assert (done.progress, done.filled) == (Progress.FILLED, before.quantity)


async def test_what_has_filled_is_not_bought_again_by_the_new_order(tmp_path: Path) -> None:
    """A change is to the whole quantity of the ticket; the new order is for what is left of it.

    The market stands still in the meantime: between our question and our change it must not fill.
    """
    tick = 15
    async with emulator(tmp_path, Faults(), tick_interval=tick) as there:
        venue = there.venue()
        await venue.start()

        async def early() -> bool:
            return time.time() % tick < tick - 3

        await until(early)
        before = await placed(venue, limit(HIGH, quantity=Decimal(5_000_000)))
        wanted = replace(before, client_id="rest", limit_price=Decimal(LOW))
        after = await venue.replace(before, wanted)
        ended = await venue.find(before)
        held = {each.symbol: each.quantity for each in await venue.holdings()}
        await venue.stop()
        assert there.judge.violations == []
    assert ended is not None
    assert ended.filled > 0
    assert ended.filled + after.quantity == before.quantity
    assert held == {"EUR/USD": ended.filled}


async def test_a_change_that_the_margin_does_not_bear_leaves_neither(venue: OandaVenue) -> None:
    before = await placed(venue, limit(LOW))
    wanted = replace(before, client_id="too-large", quantity=Decimal(90_000_000))
    after = await venue.replace(before, wanted)
    assert (after.progress, after.reason) == (
        Progress.REJECTED,
        RejectReason.INSUFFICIENT_MARGIN,
    )
    assert await venue.open_orders() == []


async def test_a_change_to_less_than_has_filled_is_refused(venue: OandaVenue) -> None:
    order = await placed(venue, limit(LOW))
    with pytest.raises(Refused) as refusal:
        await venue.replace(order, replace(order, client_id="none", quantity=Decimal(0)))
    assert refusal.value.reason is RejectReason.INVALID_QUANTITY


async def test_a_cancel_is_told_at_once(venue: OandaVenue) -> None:
    order = await placed(venue, limit(LOW))
    told = await venue.cancel(order)
    assert told is not None
    assert (told.progress, told.venue_id) == (Progress.CANCELLED, order.venue_id)
    assert await venue.find(order) == told


async def test_an_order_is_cancelled_by_its_client_id_where_that_is_all_we_have(
    venue: OandaVenue,
) -> None:
    order = limit(LOW)
    await venue.submit(order)
    told = await venue.cancel(order)
    assert told is not None
    assert told.progress is Progress.CANCELLED


async def test_a_lazy_cancel_is_carried_out_later(
    venue: OandaVenue, emulated: OandaEmulated
) -> None:
    order = await placed(venue, limit(LOW))
    emulated.faults.odds = replace(emulated.faults.odds, lazy=1)
    told = await venue.cancel(order)
    assert told is not None
    assert told.progress is Progress.WORKING
    assert (await over(venue, order)).progress is Progress.CANCELLED


async def test_what_is_over_is_gone(venue: OandaVenue) -> None:
    filled = await placed(venue, ticket())
    cancelled = await placed(venue, limit(LOW))
    await venue.cancel(cancelled)
    for order in (filled, cancelled):
        with pytest.raises(Gone):
            await venue.cancel(order)
        with pytest.raises(Gone):
            await venue.replace(order, replace(order, client_id="late"))


# Refusals


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (ticket(quantity=Decimal(90_000_000)), RejectReason.INSUFFICIENT_MARGIN),
        (ticket(quantity=Decimal(100_000_001)), RejectReason.INVALID_QUANTITY),
        (ticket(quantity=Decimal("0.5")), RejectReason.INVALID_QUANTITY),
        (limit("0.500001"), RejectReason.INVALID_PRICE),
        (limit("-1"), RejectReason.INVALID_PRICE),
        (ticket(reduce_only=True), RejectReason.REDUCE_ONLY_VIOLATED),
        (ticket(symbol="USD/JPY"), RejectReason.SYMBOL_NOT_TRADEABLE),
        (ticket(client_id="x" * 129), RejectReason.UNKNOWN),
    ],
    ids=["margin", "too-large", "fraction", "off-tick", "negative", "reduce", "symbol", "id"],
)
async def test_refusals(venue: OandaVenue, order: Ticket, reason: RejectReason) -> None:
    with pytest.raises(Refused) as refusal:
        await venue.submit(order)
    assert refusal.value.reason is reason


async def test_a_refusal_whose_answer_was_lost_is_found(venue: OandaVenue) -> None:
    order = limit("0.500001")
    with pytest.raises(Refused):
        await venue.submit(order)
    found = await venue.find(order)
    assert found is not None
    assert (found.progress, found.reason) == (Progress.REJECTED, RejectReason.INVALID_PRICE)


async def test_a_client_id_of_an_open_order_is_taken(venue: OandaVenue) -> None:
    """Whoever asks then finds the order that has it, also when that is over."""
    order = await placed(venue, limit(LOW))
    with pytest.raises(Unanswered):
        await venue.submit(replace(order, venue_id=None))
    open_ = await venue.find(replace(order, venue_id=None))
    await venue.cancel(order)
    over_ = await venue.find(replace(order, venue_id=None))
    assert open_ is not None
    assert over_ is not None
    assert open_.venue_id == over_.venue_id == order.venue_id
    assert (open_.progress, over_.progress) == (Progress.WORKING, Progress.CANCELLED)


async def test_a_refused_change_leaves_the_order(venue: OandaVenue) -> None:
    """And there is no order for what was wanted."""
    order = await placed(venue, limit(LOW))
    wrong = replace(order, client_id="off-tick", limit_price=Decimal("0.500001"))
    with pytest.raises(Refused) as refusal:
        await venue.replace(order, wrong)
    assert refusal.value.reason is RejectReason.INVALID_PRICE
    assert await venue.find(wrong) is None
    still = await venue.find(order)
    assert still is not None
    assert (still.progress, still.limit_price) == (Progress.WORKING, Decimal(LOW))


# Questions


async def test_an_order_nobody_has_sent_is_not_found(venue: OandaVenue) -> None:
    assert await venue.find(ticket()) is None
    assert await venue.executions(ticket()) is None


@pytest.mark.parametrize("remembers", [True, False])
async def test_an_order_is_found_after_a_restart(
    emulated: OandaEmulated, monkeypatch: pytest.MonkeyPatch, remembers: bool
) -> None:
    """Open or over, with nothing but its client id, and where the log comes in small pages."""
    monkeypatch.setattr(emulated.rest, "page", 20)
    monkeypatch.setattr(emulated.rest, "remembers", remembers)
    before, after = emulated.venue(), emulated.venue()
    await before.start()
    orders = [ticket(), limit(LOW), ticket(side=Side.SELL)]
    told = [await before.submit(order) for order in orders]
    await before.stop()
    await after.start()
    assert [await after.find(order) for order in orders] == told
    assert await after.find(ticket()) is None
    await after.stop()


async def test_open_orders_are_those_of_everybody(
    venue: OandaVenue, emulated: OandaEmulated
) -> None:
    ours = await placed(venue, limit(LOW))
    theirs = OrderRequest(
        symbol="GBP/USD",
        side=Side.SELL,
        quantity=Decimal(10),
        order_type=OrderType.LIMIT,
        limit_price=Decimal("9"),
    )
    await emulated.backing.exchange.submit_order(ACCOUNT, theirs)

    async def both() -> bool:
        return len(await venue.open_orders()) == 2

    await until(both)
    told = {each.symbol: each for each in await venue.open_orders()}
    assert told["EUR/USD"].client_id == ours.client_id
    adopted = told["GBP/USD"]
    assert (adopted.client_id, adopted.quantity, adopted.side) == ("", Decimal(10), Side.SELL)
    known = replace(ours, client_id=f"venue-{adopted.venue_id}", venue_id=adopted.venue_id)
    assert await venue.find(known) == adopted
    cancelled = await venue.cancel(known)
    assert cancelled is not None
    assert (cancelled.venue_id, cancelled.progress) == (adopted.venue_id, Progress.CANCELLED)


async def test_an_order_far_back_in_the_log_is_told_as_it_is_listed(
    venue: OandaVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await placed(venue, limit(LOW))
    await venue.submit(ticket())
    told = await venue.find(order)
    monkeypatch.setattr("providers.oanda.provider.NEAR", 0)
    assert await venue.find(order) == told
    assert await venue.open_orders() == [told]


async def test_holdings_are_signed_and_funds_are_a_balance(venue: OandaVenue) -> None:
    before = await venue.funds()
    assert await venue.holdings() == []
    sold = await venue.submit(ticket(side=Side.SELL))
    (held,) = await venue.holdings()
    after = await venue.funds()
    assert (held.symbol, held.quantity) == ("EUR/USD", Decimal(-1000))
    assert held.average_price == sold.average_price
    assert before.currency == "USD"
    assert before.money > 900_000
    assert (before.leverage, before.margin_used) == (Decimal(20), Decimal(0))
    assert after.money == before.money
    assert after.margin_used is not None
    assert after.margin_used > 0
    await venue.submit(ticket(reduce_only=True))
    assert await venue.holdings() == []


async def test_commissions_are_told(tmp_path: Path) -> None:
    """They are a cost, and taken off the balance."""
    async with emulator(tmp_path, Faults(), tick_interval=0.1, taker_fee="0.001") as there:
        venue = there.venue()
        await venue.start()
        done = await venue.submit(ticket())
        money = (await venue.funds()).money
        await venue.stop()
        assert there.judge.violations == []
    (fill,) = done.executions
    assert isinstance(fill, Execution)
    assert fill.commission == fill.price * fill.quantity * Decimal("0.001")
    assert abs(Decimal(1_000_000) - fill.commission - money) < Decimal("0.0001")


async def test_what_is_traded_is_quoted_in_dollars(venue: OandaVenue) -> None:
    instrument = venue.instruments["EUR/USD"]
    assert set(venue.instruments) == {"EUR/USD", "GBP/USD"}
    assert instrument.price_increment == Decimal("0.00001")
    assert instrument.quantity_increment == Decimal(1)
    assert venue.traits.max_leverage == Decimal(20)
    await venue.ping()
