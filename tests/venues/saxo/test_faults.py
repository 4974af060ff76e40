"""What goes wrong between us and Saxo, and what our calls make of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.http import READ_ATTEMPTS
from providers.live.venue import Progress, Unanswered
from providers.saxo.client import ORDERS
from providers.saxo.provider import SaxoVenue
from tests.venues import contract
from tests.venues.faults import CALM
from tests.venues.saxo.emulator import Rig
from tests.venues.saxo.toolkit import found, limit, near, until

FAILURES: list[tuple[str, type[Exception], bool]] = [
    ("limited", RateLimited, False),
    ("refused", Unanswered, False),
    ("failed", Unanswered, True),
    ("cut", Unanswered, True),
]
"""A fault, what a command makes of it, and whether the venue has carried the command out."""


async def test_a_command_is_sent_once_whatever_becomes_of_it(rig: Rig, venue: SaxoVenue) -> None:
    """Its failure has the right class, and the order is found if there is one."""
    for fault, kind, done in FAILURES:
        sent = limit(near(rig, "-0.1"))
        before = rig.sent("POST", ORDERS)
        with broken(rig, fault), pytest.raises(kind):
            await venue.submit(sent)
        assert 1 == rig.sent("POST", ORDERS) - before
        assert done == (await venue.find(sent) is not None)


async def test_a_change_and_a_cancel_are_sent_once(rig: Rig, venue: SaxoVenue) -> None:
    for fault, kind, _ in FAILURES:
        sent = limit(near(rig, "-0.1"))
        placed = await venue.submit(sent)
        known = replace(sent, venue_id=placed.venue_id)
        before = rig.sent("PATCH", ORDERS)
        with broken(rig, fault), pytest.raises(kind):
            await venue.replace(known, limit(near(rig, "-0.09"), client_id=sent.client_id))
        with broken(rig, fault), pytest.raises(kind):
            await venue.cancel(known)
        assert 1 == rig.sent("PATCH", ORDERS) - before
        assert 1 == rig.sent("DELETE", f"{ORDERS}/{placed.venue_id}")


@contextmanager
def broken(rig: Rig, fault: str) -> Iterator[None]:
    """Whatever is asked meanwhile meets this fault."""
    rig.emulated.faults.odds = replace(CALM, **{fault: 1})
    try:
        yield
    finally:
        rig.emulated.faults.calm()


async def test_a_read_is_tried_again_and_then_fails(rig: Rig, venue: SaxoVenue) -> None:
    failures: list[tuple[str, type[Exception]]] = [
        ("refused", ProviderUnavailable),
        ("limited", RateLimited),
        ("cut", ProviderUnavailable),
    ]
    for fault, kind in failures:
        rig.emulated.faults.odds = replace(CALM, **{fault: 1})
        before = rig.sent("GET", "/port/v1/users/me")
        with pytest.raises(kind):
            await venue.ping()
        assert rig.sent("GET", "/port/v1/users/me") - before == READ_ATTEMPTS


async def test_a_change_that_cannot_be_read_back_is_unanswered(
    rig: Rig, venue: SaxoVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is made: nobody may say that nothing was done."""
    sent = limit(near(rig, "-0.1"))
    placed = await venue.submit(sent)

    async def down(*_: object) -> None:
        raise ProviderUnavailable("down")

    monkeypatch.setattr(venue.client, "open_orders", down)
    with pytest.raises(Unanswered):
        await venue.replace(replace(sent, venue_id=placed.venue_id), sent)


async def test_a_cancel_carried_out_later(rig: Rig, venue: SaxoVenue) -> None:
    """It is acknowledged, and the order works on until it is gone; another is under way already."""
    sent = limit(near(rig, "-0.1"))
    await venue.submit(sent)
    rig.emulated.faults.odds = replace(CALM, lazy=1, delay=0.5)
    await venue.cancel(sent)
    assert Progress.WORKING is (await found(venue, sent, Progress.WORKING)).progress
    with pytest.raises(Unanswered, match="AlreadyPending"):
        await venue.cancel(sent)
    await found(venue, sent, Progress.CANCELLED)


async def test_slow_answers_are_waited_for(rig: Rig, venue: SaxoVenue) -> None:
    rig.emulated.faults.odds = replace(CALM, slow=1, delay=0.1)
    sent = limit(near(rig, "-0.1"))
    await venue.submit(sent)
    await until(lambda: venue.find(sent), lambda report: report is not None)


async def test_a_venue_that_is_not_there(rig: Rig) -> None:
    """Nothing was sent, so it is not Unanswered."""
    venue = SaxoVenue(rig.settings.model_copy(update={"rest_url": "http://127.0.0.1:9"}))
    with pytest.raises(ProviderUnavailable):
        await venue.start()
    with pytest.raises(ProviderUnavailable) as caught:
        await venue.client.command("POST", ORDERS, json={})
    await venue.stop()
    assert not isinstance(caught.value, Unanswered)


async def test_a_list_that_does_not_end_is_nonsense(
    rig: Rig, venue: SaxoVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(*_: object) -> dict[str, object]:
        return {"Data": [], "__next": "https://elsewhere.example/port?$skip=1"}

    monkeypatch.setattr(venue.client, "get", endless)
    with pytest.raises(ProviderError, match="does not end"):
        await venue.open_orders()


async def test_the_judge_looks_at_what_the_documents_have(rig: Rig, venue: SaxoVenue) -> None:
    """With the documents at hand every group is judged but cs, which none of them has."""
    if contract.find("saxo/saxo-port.yaml") is None:
        pytest.skip("Saxo's documents are not at hand")
    before = rig.emulated.judge.judged
    await venue.ping()
    assert before + 1 == rig.emulated.judge.judged
    await venue.client.order_log(venue._keys, "1")
    assert before + 1 == rig.emulated.judge.judged
