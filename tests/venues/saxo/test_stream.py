"""News of orders, against the emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from providers.live.venue import Connection, Progress, Unanswered
from providers.saxo.frames import DISCONNECT, RESET
from providers.saxo.orders import Followers, OpenOrders
from providers.saxo.provider import SaxoVenue
from providers.saxo.streams import DISABLED
from tests.venues.saxo.emulator import Rig
from tests.venues.saxo.test_tokens import login
from tests.venues.saxo.toolkit import OF_A_CFD, Heard, found, limit, listening, near, ticket


@pytest.fixture
async def heard(venue: SaxoVenue) -> AsyncIterator[Heard]:
    async with listening(venue.updates()) as told:
        yield told


async def test_an_order_that_rests_and_is_cancelled(
    rig: Rig, venue: SaxoVenue, heard: Heard
) -> None:
    """It begins with a connection; the order is told as working, as it is changed, and once it is
    gone as cancelled.
    """
    assert [Connection(up=True)] == heard.told
    sent = limit(near(rig, "-0.1"))
    await venue.submit(sent)
    await heard.until(lambda h: bool(h.of(sent)))
    assert Progress.WORKING is heard.of(sent)[-1].progress
    await venue.replace(
        sent, limit(near(rig, "-0.1"), client_id=sent.client_id, quantity=Decimal(7))
    )
    await heard.until(lambda h: h.of(sent)[-1].quantity == 7)
    await venue.cancel(sent)
    await heard.until(lambda h: h.of(sent)[-1].progress is Progress.CANCELLED)


async def test_an_order_that_fills_before_anyone_looks(
    rig: Rig, venue: SaxoVenue, heard: Heard
) -> None:
    """Saxo may never list it as open: its log is asked, and tells the fills."""
    sent = ticket()
    await venue.submit(sent)
    await heard.until(lambda h: any(r.progress is Progress.FILLED for r in h.of(sent)))
    last = heard.of(sent)[-1]
    assert Decimal(1000) == last.filled == last.executions[-1].cumulative


async def test_an_order_that_fills_bit_by_bit(rig: Rig, venue: SaxoVenue, heard: Heard) -> None:
    """What has filled only grows while it is open; the end tells all fills."""
    sent = limit(near(rig, "0.05"), quantity=Decimal(3_000_000))
    await venue.submit(sent)
    await heard.until(lambda h: any(r.progress is Progress.FILLED for r in h.of(sent)))
    filled = [report.filled for report in heard.of(sent)]
    assert sorted(filled) == filled
    assert Decimal(3_000_000) == sum(each.quantity for each in heard.of(sent)[-1].executions)


async def test_what_is_open_already_is_told_at_first(rig: Rig, venue: SaxoVenue) -> None:
    sent = limit(near(rig, "-0.1"))
    await venue.submit(sent)
    async with listening(venue.updates()) as heard:
        await heard.until(lambda h: bool(h.of(sent)))
        assert [True] == heard.connections


async def test_it_comes_back_when_saxo_ends_it(rig: Rig, venue: SaxoVenue, heard: Heard) -> None:
    """After each control message that ends it there is a new connection, with new subscriptions."""
    for times, what in enumerate((RESET, DISCONNECT, DISABLED), start=1):
        rig.hub.command(what)
        await heard.until(lambda h, n=times: h.connections == [True, *[False, True] * n])  # type: ignore[misc]
    sent = limit(near(rig, "-0.1"))
    await venue.submit(sent)
    await heard.until(lambda h: bool(h.of(sent)))


async def test_a_heartbeat_is_no_end(rig: Rig, venue: SaxoVenue, heard: Heard) -> None:
    rig.hub.command("SubscriptionTemporarilyDisabled")
    sent = ticket()
    await venue.submit(sent)
    await heard.until(lambda h: any(r.progress is Progress.FILLED for r in h.of(sent)))
    assert [True] == heard.connections


async def test_what_happened_while_it_was_down_is_followed(
    rig: Rig, venue: SaxoVenue, heard: Heard
) -> None:
    """An order that was sent before the connection broke is followed on the next."""
    rig.emulated.faults.odds = replace(rig.emulated.faults.odds, dropped=1)
    resting = limit(near(rig, "-0.1"))
    await venue.submit(resting)
    await heard.until(lambda h: False in h.connections)
    sent = ticket()
    await venue.submit(sent)
    rig.emulated.faults.calm()
    await heard.until(lambda h: any(r.progress is Progress.FILLED for r in h.of(sent)))
    assert heard.connections[-1]


async def test_repeats_and_disorder_end_well(rig: Rig, venue: SaxoVenue, heard: Heard) -> None:
    """Messages told twice or late, and cancels carried out later: every order's end is told."""
    rig.emulated.faults.odds = replace(rig.emulated.faults.odds, twice=0.3, late=0.3, lazy=0.5)
    filling = [limit(near(rig, "0.05"), quantity=Decimal(900_000)) for _ in range(3)]
    cancelled = [limit(near(rig, "-0.1")) for _ in range(3)]
    for sent in filling + cancelled:
        await venue.submit(sent)
    for sent in cancelled:
        await found(venue, sent, Progress.WORKING)
        await venue.cancel(sent)
    for sent, end in zip(
        filling + cancelled, [Progress.FILLED] * 3 + [Progress.CANCELLED] * 3, strict=True
    ):
        await heard.until(lambda h, s=sent, e=end: any(r.progress is e for r in h.of(s)))  # type: ignore[misc]


async def test_an_order_whose_command_had_no_answer_is_looked_for(
    rig: Rig, venue: SaxoVenue, heard: Heard
) -> None:
    """It may have filled unseen, and nobody has its id: the log is searched for ours."""
    sent = ticket()
    rig.emulated.faults.odds = replace(rig.emulated.faults.odds, failed=1)
    with pytest.raises(Unanswered):
        await venue.submit(sent)
    rig.emulated.faults.calm()
    await heard.until(lambda h: any(r.progress is Progress.FILLED for r in h.of(sent)))


async def test_orders_of_other_kinds_are_not_told(rig: Rig, venue: SaxoVenue, heard: Heard) -> None:
    """Neither while they are open nor afterwards."""
    rig.desk.extra_orders = [OF_A_CFD]
    sent = ticket()
    await venue.submit(sent)
    await heard.until(lambda h: bool(h.of(sent)))
    rig.desk.extra_orders = []
    another = ticket()
    await venue.submit(another)
    await heard.until(lambda h: bool(h.of(another)))
    assert {sent.client_id, another.client_id} == {each.client_id for each in heard.reports}


async def test_a_connection_outlives_its_token(rig: Rig) -> None:
    """The venue is told the next token before the first ends."""
    rig.login.life = 1.0
    venue = SaxoVenue(login(rig))
    try:
        await venue.start()
        async with listening(venue.updates()) as heard:
            await heard.until(lambda _: len(rig.hub.authorized) >= 2)
            assert [True] == heard.connections
    finally:
        await venue.stop()


async def test_a_wrong_token_does_not_connect(rig: Rig, venue: SaxoVenue) -> None:
    rig.login.valid.clear()
    async with listening(venue.updates()) as heard:
        await heard.until(lambda h: len(h.connections) >= 2)
        assert {False} == set(heard.connections)


def test_a_late_word_brings_no_order_back() -> None:
    """Nor does it take back what has filled."""
    orders = OpenOrders()
    orders.take({"OrderId": "1", "FilledAmount": 5, "Price": 1})
    assert {"OrderId": "1", "FilledAmount": 5, "Price": 2} == orders.take(
        {"OrderId": "1", "FilledAmount": 3, "Price": 2}
    )
    assert orders.take({"OrderId": "1", "__meta_deleted": True}) is None
    assert orders.take({"OrderId": "1", "FilledAmount": 4, "Price": 1}) is None
    assert {} == orders.bodies


def test_followed_orders_are_looked_at_less_and_less_often() -> None:
    now = 0.0
    followers = Followers(lambda: now)
    followers.add("1")
    looks = []
    while now < 20:
        looks += [now for _ in followers.due()]
        now += 0.25
    assert [0, 0.25, 0.75, 1.75, 3.75, 8.75, 13.75, 18.75] == looks
    assert "1" in followers
    followers.drop("1")
    assert [] == followers.due()


def test_what_is_unsure_is_searched_for_a_while() -> None:
    now = 10.0
    followers = Followers(lambda: now)
    followers.look_for("mine")
    assert frozenset({"mine"}) == followers.unsure()
    assert frozenset() == followers.unsure()
    now += 2
    assert frozenset({"mine"}) == followers.unsure()
    now += 60
    assert frozenset() == followers.unsure()
    followers.look_for("mine")
    followers.settle("mine")
    assert frozenset() == followers.unsure()
