"""The engine on a market that is replayed: time that stands still, and quotes that leap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from providers.engine.world import World
from providers.errors import OrderNotModifiable
from tests.engine.desk import Desk, row


class Replayed(Desk):
    """A desk whose market stands still between two quotes, and opens with a gap."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.between, self.gapped = True, False

    def world(self) -> World:
        return replace(super().world(), between=self.between, gapped=self.gapped)

    @contextmanager
    def moving(self, *, gapped: bool = False) -> Iterator[None]:
        """The next quote."""
        self.between, self.gapped = False, gapped
        yield
        self.between, self.gapped = True, False

    def move(self, price: str, *, gapped: bool = False) -> None:
        with self.moving(gapped=gapped):
            self.tick(price, price, bid_size=None, ask_size=None)


@pytest.fixture
def desk() -> Replayed:
    desk = Replayed()
    desk.quote("100", "100")
    return desk


def test_an_order_waits_for_the_next_quote(desk: Replayed) -> None:
    """The quote in force has been seen: nothing trades on it."""
    order = desk.buy("10")
    assert row(order, "status filled_quantity") == "PENDING 0"
    desk.move("103")
    assert row(desk.now_of(order), "status average_fill_price") == "FILLED 103"


@pytest.mark.parametrize("time_in_force", ["IOC", "FOK"])
def test_an_order_at_once_waits_too(desk: Replayed, time_in_force: str) -> None:
    """It acts at the first quote that it meets, and ends there."""
    order = desk.buy("10", "LIMIT", limit="101", tif=time_in_force)
    desk.move("102")
    assert row(desk.now_of(order), "status filled_quantity") == "CANCELLED 0"


def test_a_pending_order_stays_so_while_time_stands_still(desk: Replayed) -> None:
    """It cannot be changed, but it can be cancelled."""
    order = desk.buy("10", "LIMIT", limit="99")
    with pytest.raises(OrderNotModifiable):
        desk.modify(order, limit_price="98")
    assert desk.cancel(order).success


def test_a_change_waits_too(desk: Replayed) -> None:
    """A resting order moved to where it would trade does so at the next quote."""
    order = desk.buy("10", "LIMIT", limit="99")
    desk.move("100")
    order = desk.modify(desk.now_of(order), limit_price="101")
    assert row(order, "status filled_quantity") == "OPEN 0"
    desk.move("100.50")
    assert row(desk.now_of(order), "status") == "FILLED"


def test_exits_of_a_position_wait_too(desk: Replayed) -> None:
    """A stop-loss that is set while time stands still triggers at the next quote."""
    desk.buy("10")
    desk.move("100")
    desk.protect(desk.position, stop_loss="95")
    desk.move("94", gapped=True)
    assert not list(desk.state.positions)


@pytest.mark.parametrize(
    ("side", "limit", "leap", "expected"),
    [("BUY", "99", "97", "97"), ("SELL", "101", "104", "104"), ("BUY", "99", "99", "99")],
)
def test_a_gap_fills_a_resting_limit_at_the_better_price(
    desk: Replayed, side: str, limit: str, leap: str, expected: str
) -> None:
    """There was no trading at its own price; it still makes."""
    place: Callable[..., Any] = desk.buy if side == "BUY" else desk.sell
    order = place("10", "LIMIT", limit=limit)
    desk.move("100")
    desk.move(leap, gapped=True)
    assert row(desk.now_of(order), "average_fill_price") == expected
    assert desk.trades[-1].is_maker


def test_without_a_gap_it_fills_at_its_limit(desk: Replayed) -> None:
    """The price passed it on the way."""
    order = desk.buy("10", "LIMIT", limit="99")
    desk.move("100")
    desk.move("97")
    assert row(desk.now_of(order), "average_fill_price") == "99"


def test_penetrate() -> None:
    """A limit that is merely touched does not trade; one that is gone through does, as limited."""
    desk = Replayed()
    desk.rules = replace(desk.rules, penetrate=True)
    desk.quote("100", "100")
    order = desk.buy("10", "LIMIT", limit="99")
    desk.move("100")
    desk.move("99")
    assert row(desk.now_of(order), "status") == "OPEN"
    desk.move("98.99")
    assert row(desk.now_of(order), "status average_fill_price") == "FILLED 99"


def test_penetrate_concerns_what_rests() -> None:
    """An order that takes trades at the touch."""
    desk = Replayed()
    desk.rules = replace(desk.rules, penetrate=True)
    desk.quote("100", "100")
    order = desk.buy("10", "LIMIT", limit="99")
    desk.move("99", gapped=True)
    assert row(desk.now_of(order), "status average_fill_price") == "FILLED 99"
