"""The life of orders at Saxo, against the emulator."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from providers.errors import ProviderError, ProviderUnavailable
from providers.live.venue import Gone, Progress, Refused, Ticket, Unanswered
from providers.models import OrderType, RejectReason, Side, TimeInForce
from providers.saxo.provider import TRAITS, SaxoVenue
from tests.venues.saxo.emulator import Rig
from tests.venues.saxo.toolkit import (
    OF_A_CFD,
    STEP,
    SYMBOL,
    found,
    limit,
    near,
    quote,
    ticket,
    until,
)

PARTLY = Decimal(3_000_000)
"""More than the market ever shows at once, which is up to nine lots of 100000."""


async def test_a_market_order_fills_and_its_log_tells_at_what_price(
    rig: Rig, venue: SaxoVenue
) -> None:
    """A market order is told as on its way, and by its log as filled."""
    sent = ticket()
    report = await venue.submit(sent)
    assert (Progress.PENDING, Decimal(0)) == (report.progress, report.filled)
    done = await found(venue, sent, Progress.FILLED)
    assert (Decimal(1000), OrderType.MARKET) == (done.filled, done.order_type)
    assert done.executions == await venue.executions(sent)
    assert [Decimal(1000)] == [each.cumulative for each in done.executions]
    assert done.average_price == done.executions[0].price


async def test_a_limit_rests_and_is_cancelled(rig: Rig, venue: SaxoVenue) -> None:
    """A limit below the market rests until it is cancelled."""
    sent = limit(near(rig, "-0.1"))
    placed = await venue.submit(sent)
    resting = await found(venue, sent, Progress.WORKING)
    assert placed.venue_id == resting.venue_id
    assert [resting.venue_id] == [each.venue_id for each in await venue.open_orders()]
    assert await venue.cancel(sent) is None
    gone = await found(venue, sent, Progress.CANCELLED)
    assert Decimal(0) == gone.filled
    assert [] == list(await venue.open_orders())
    with pytest.raises(Gone):
        await venue.cancel(sent)
    with pytest.raises(Gone):
        await venue.replace(sent, sent)


RESTING = (OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)


def resting(rig: Rig, symbol: str, kind: OrderType, duration: TimeInForce) -> Ticket:
    """A ticket far enough from the market not to fill."""
    unit = Decimal(1) if symbol == "AAPL" else Decimal("0.001")
    bid = quote(rig, symbol).bid
    away = bid + 20 * unit
    prices: dict[OrderType, dict[str, Any]] = {
        OrderType.LIMIT: {"limit_price": bid - 20 * unit},
        OrderType.STOP: {"stop_price": away},
        OrderType.STOP_LIMIT: {"stop_price": away, "limit_price": away + unit},
        OrderType.TRAILING_STOP: {"trailing_distance": 20 * unit},
    }
    common: dict[str, Any] = {"symbol": symbol, "quantity": Decimal(10)}
    return ticket(**common, order_type=kind, time_in_force=duration, **prices[kind])


async def test_whatever_rests_is_told_as_it_was_sent(rig: Rig, venue: SaxoVenue) -> None:
    """Each order type that rests, of a pair and of a share, and each time in force."""
    ways = [(SYMBOL, TimeInForce.GTC), (SYMBOL, TimeInForce.DAY), ("AAPL", TimeInForce.GTC)]
    for kind, (symbol, duration) in product(RESTING, ways):
        sent = resting(rig, symbol, kind, duration)
        await venue.submit(sent)
        report = await found(venue, sent, Progress.WORKING)
        assert (symbol, kind, duration, Decimal(10)) == (
            report.symbol,
            report.order_type,
            report.time_in_force,
            report.quantity,
        )
        if kind is not OrderType.TRAILING_STOP:
            assert (sent.limit_price, sent.stop_price) == (report.limit_price, report.stop_price)
        assert duration in TRAITS.orders[venue.instruments[symbol].asset_class][kind]
        await venue.cancel(sent)
        ended = await found(venue, sent, Progress.CANCELLED)
        assert (kind, sent.limit_price) == (ended.order_type, ended.limit_price)


@pytest.mark.parametrize("duration", [TimeInForce.IOC, TimeInForce.FOK])
async def test_what_does_not_fill_at_once_is_over(
    rig: Rig, venue: SaxoVenue, duration: TimeInForce
) -> None:
    """IOC fills what there is and ends; FOK of more than there is fills nothing."""
    sent = limit(near(rig, "0.05"), time_in_force=duration, quantity=PARTLY)
    await venue.submit(sent)
    done = await found(venue, sent, Progress.CANCELLED)
    fills = await venue.executions(sent)
    assert fills is not None
    assert (done.filled > 0) == (duration is TimeInForce.IOC) == bool(fills)
    assert done.filled < PARTLY


async def test_a_large_order_fills_bit_by_bit(rig: Rig, venue: SaxoVenue) -> None:
    """Its fills add up, each with what had filled by then; while it is open, too."""
    sent = limit(near(rig, "0.05"), quantity=PARTLY)
    await venue.submit(sent)
    partly = await until(lambda: venue.find(sent), lambda r: r is not None and r.filled > 0)
    assert partly is not None
    done = await found(venue, sent, Progress.FILLED)
    fills = done.executions
    assert len(fills) > 1
    assert PARTLY == sum(each.quantity for each in fills) == fills[-1].cumulative
    assert sorted({each.cumulative for each in fills}) == [each.cumulative for each in fills]
    assert [PARTLY] == [each.quantity for each in await venue.holdings()]


async def test_a_change_keeps_the_order(rig: Rig, venue: SaxoVenue) -> None:
    """Price and quantity change in place: the same order, the same ids."""
    sent = limit(near(rig, "-0.1"))
    placed = await venue.submit(sent)
    price = near(rig, "-0.09")
    changed = limit(price, client_id=sent.client_id, quantity=Decimal(5000))
    report = await venue.replace(sent, changed)
    assert (placed.venue_id, sent.client_id) == (report.venue_id, report.client_id)
    assert (Decimal(5000), price) == (report.quantity, report.limit_price)
    told = await found(venue, sent, Progress.WORKING)
    assert (Decimal(5000), price) == (told.quantity, told.limit_price)


async def test_a_change_that_fills(rig: Rig, venue: SaxoVenue) -> None:
    """A price that the market has reached makes it trade at once."""
    sent = limit(near(rig, "-0.1"))
    await venue.submit(sent)
    await venue.replace(sent, limit(near(rig, "0.05"), client_id=sent.client_id))
    done = await found(venue, sent, Progress.FILLED)
    assert Decimal(1000) == done.filled


async def test_a_trailing_distance_changes(rig: Rig, venue: SaxoVenue) -> None:
    usual: dict[str, Any] = {"order_type": OrderType.TRAILING_STOP, "side": Side.SELL}
    sent = ticket(**usual, trailing_distance=Decimal("0.05"))
    await venue.submit(sent)
    before = await found(venue, sent, Progress.WORKING)
    wider = ticket(**usual, client_id=sent.client_id, trailing_distance=Decimal("0.09"))
    await venue.replace(sent, wider)
    after = await found(venue, sent, Progress.WORKING)
    assert before.stop_price is not None
    assert after.stop_price is not None
    assert after.stop_price < before.stop_price


REFUSALS: list[tuple[dict[str, Any], RejectReason]] = [
    ({"symbol": "BTC/USD"}, RejectReason.SYMBOL_NOT_TRADEABLE),
    ({"symbol": "NOSUCH"}, RejectReason.SYMBOL_NOT_TRADEABLE),
    ({"symbol": "AAPL:xwbo"}, RejectReason.SYMBOL_NOT_TRADEABLE),
    ({"quantity": Decimal("10.5")}, RejectReason.INVALID_QUANTITY),
    ({"quantity": Decimal(200_000_000)}, RejectReason.INSUFFICIENT_MARGIN),
    ({"time_in_force": TimeInForce.GTC}, RejectReason.UNKNOWN),
    (
        {"order_type": OrderType.LIMIT, "limit_price": Decimal("1.0000001")},
        RejectReason.INVALID_PRICE,
    ),
]


async def test_refusals(rig: Rig, venue: SaxoVenue) -> None:
    """What the venue does not take is refused, with the reason, and leaves nothing."""
    for fields, reason in REFUSALS:
        with pytest.raises(Refused) as caught:
            await venue.submit(ticket(**fields))
        assert reason is caught.value.reason
    assert [] == list(await venue.open_orders())


MEANINGS: list[tuple[str, type[Exception]]] = [
    ("MarketClosed", Refused),
    ("OrderCommandTimeout", Unanswered),
    ("OrderNotFound", Gone),
    ("SomethingNew", ProviderError),
]


async def test_what_a_code_makes_of_each_command(rig: Rig, venue: SaxoVenue) -> None:
    """Also where the answer is 200 with an ErrorInfo in it."""
    sent = limit(near(rig, "-0.1"))
    await venue.submit(sent)
    for code, kind in MEANINGS:
        rig.desk.declining = [code] * 3
        with pytest.raises(kind):
            await venue.submit(ticket())
        with pytest.raises(kind):
            await venue.replace(sent, sent)
        with pytest.raises(kind):
            await venue.cancel(sent)
    assert Progress.WORKING is (await found(venue, sent, Progress.WORKING)).progress


async def test_less_than_has_filled_is_refused(rig: Rig, venue: SaxoVenue) -> None:
    """A quantity below what has filled cannot be had any more."""
    sent = limit(near(rig, "0.05"), quantity=PARTLY)
    await venue.submit(sent)
    partly = await until(lambda: venue.find(sent), lambda r: r is not None and r.filled > 1)
    assert partly is not None
    with pytest.raises((Refused, Gone)):
        await venue.replace(sent, limit(near(rig), client_id=sent.client_id, quantity=Decimal(1)))


async def test_an_order_is_found_by_our_id(rig: Rig, venue: SaxoVenue) -> None:
    """While it is open and afterwards; one that never was is not."""
    sent = limit(near(rig, "-0.1"))
    placed = await venue.submit(sent)
    assert sent.venue_id is None
    report = await venue.find(sent)
    assert report is not None
    assert placed.venue_id == report.venue_id
    assert await venue.find(ticket()) is None
    assert [] == list(await venue.executions(ticket()) or [])
    with pytest.raises(Gone):
        await venue.cancel(ticket())


async def test_an_order_that_neither_list_tells_of_is_not_lost(rig: Rig, venue: SaxoVenue) -> None:
    """The log is a moment behind: Saxo has given an id, so there is such an order."""
    placed = await venue.submit(ticket())
    rig.desk.hidden_from_log.add(placed.venue_id)
    known = ticket(client_id=placed.client_id, venue_id=placed.venue_id)
    with pytest.raises(ProviderUnavailable, match="yet"):
        await venue.find(known)
    rig.desk.hidden_from_log.clear()
    assert Decimal(1000) == (await found(venue, known, Progress.FILLED)).filled


async def test_the_same_ticket_twice_at_once_is_refused_as_a_repeat(
    rig: Rig, venue: SaxoVenue
) -> None:
    """Our id is the id of the request: within 15 seconds Saxo takes it once."""
    sent = limit(near(rig, "-0.1"))
    await venue.submit(sent)
    with pytest.raises(Unanswered):
        await venue.submit(sent)
    assert 1 == len(await venue.open_orders())


async def test_lists_are_read_to_their_end(rig: Rig, venue: SaxoVenue) -> None:
    """Page by page, of open orders and of the log."""
    rig.rest.page = 2
    sent = [limit(near(rig, "-0.1") + STEP * n) for n in range(5)]
    for each in sent:
        await venue.submit(each)
    assert {each.client_id for each in sent} == {r.client_id for r in await venue.open_orders()}
    for each in sent:
        await venue.cancel(each)
    for each in sent:
        await found(venue, each, Progress.CANCELLED)


async def test_holdings_and_funds(rig: Rig, venue: SaxoVenue) -> None:
    """A short pair and a share: money is what the account was given and has made."""
    begun = await venue.funds()
    assert (Decimal(100_000_000), "USD") == (begun.money, begun.currency)
    pair, share = ticket(side=Side.SELL), ticket(symbol="AAPL", quantity=Decimal(10))
    for sent in (pair, share):
        await venue.submit(sent)
        await found(venue, sent, Progress.FILLED)
    held = {each.symbol: each for each in await venue.holdings()}
    assert (Decimal(-1000), Decimal(10)) == (held[SYMBOL].quantity, held["AAPL"].quantity)
    fills = await venue.executions(pair)
    assert fills is not None
    assert fills[0].price == held[SYMBOL].average_price
    funds = await venue.funds()
    assert Decimal(100_000_000) == funds.money
    assert funds.margin_used is not None
    assert funds.margin_used > 0


async def test_kinds_that_cannot_be_traded_here_are_left_out(rig: Rig, venue: SaxoVenue) -> None:
    """A CFD in the account is neither an order nor a holding of ours."""
    rig.desk.extra_positions = [
        {
            "NetPositionId": "cfd",
            "NetPositionBase": {"Amount": 5, "AssetType": "CfdOnStock", "Uic": 4912},
            "NetPositionView": {"AverageOpenPrice": 1},
        }
    ]
    rig.desk.extra_orders = [OF_A_CFD]
    assert [] == list(await venue.open_orders())
    assert [] == list(await venue.holdings())


async def test_ping_and_limits(rig: Rig, venue: SaxoVenue) -> None:
    await venue.ping()
    limits = venue.client.limits
    assert limits is not None
    assert 119 == limits.remaining
    assert limits.reset_at is not None


async def test_an_account_that_the_user_has_not(rig: Rig) -> None:
    venue = SaxoVenue(rig.settings.model_copy(update={"account_key": "another"}))
    with pytest.raises(ProviderError, match="account"):
        await venue.start()
    await venue.stop()
