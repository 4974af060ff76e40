"""OCO groups: of orders that share oco_group_id the first fill cancels the others."""

from __future__ import annotations

import pytest

from providers.errors import OrderRejected
from providers.models import Order, RejectReason
from tests.engine.desk import Desk, row


def market(size: str = "1000000") -> Desk:
    desk = Desk()
    desk.quote("99", "100", size=size)
    return desk


def pair(desk: Desk, group: str = "g") -> tuple[Order, Order]:
    """A SELL LIMIT of 10 at 105 and a SELL STOP of 10 at 95, one-cancels-other."""
    above = desk.sell("10", "LIMIT", limit="105", oco_group_id=group)
    below = desk.sell("10", "STOP", stop="95", oco_group_id=group)
    return above, below


def states(desk: Desk, *orders: Order) -> list[str]:
    return [row(desk.now_of(order), "status filled_quantity") for order in orders]


@pytest.mark.parametrize(
    ("bid", "then"),
    [("105", ["FILLED 10", "CANCELLED 0"]), ("95", ["CANCELLED 0", "FILLED 10"])],
)
def test_the_first_to_fill_cancels_the_other(bid: str, then: list[str]) -> None:
    """Whichever the market reaches first trades, and the other is cancelled."""
    desk = market()
    orders = pair(desk)
    desk.tick(bid, "106")
    assert then == states(desk, *orders)
    assert "ORDER_CANCELLED" == desk.happened[-1]


def test_a_partial_fill_cancels_the_others() -> None:
    """A part is enough: the others are cancelled, and the one that traded goes on."""
    desk = market()
    orders = pair(desk)
    desk.tick("105", "106", size="4")
    assert ["PARTIALLY_FILLED 4", "CANCELLED 0"] == states(desk, *orders)
    desk.tick("105", "106")
    assert ["FILLED 10", "CANCELLED 0"] == states(desk, *orders)


def test_a_group_may_be_large() -> None:
    """Every other order of the group is cancelled, of whatever symbol and side."""
    desk = market()
    desk.quote("1.1", "1.2", symbol="EUR/USD")
    orders = [
        *pair(desk),
        desk.buy("3", "LIMIT", limit="90", oco_group_id="g"),
        desk.buy("3", "LIMIT", limit="1", oco_group_id="g", symbol="EUR/USD"),
    ]
    desk.tick("105", "106")
    assert ["FILLED 10", *["CANCELLED 0"] * 3] == states(desk, *orders)


def test_both_in_one_quote() -> None:
    """A quote that reaches two of a group fills only one: the older, which meets it first."""
    desk = market()
    first = desk.sell("10", "LIMIT", limit="105", oco_group_id="g")
    second = desk.sell("10", "LIMIT", limit="104", oco_group_id="g")
    desk.tick("106", "107")
    assert ["FILLED 10", "CANCELLED 0"] == states(desk, first, second)


def test_a_member_that_trades_on_arrival() -> None:
    """An order that joins and takes at once cancels those that rest."""
    desk = market()
    orders = pair(desk)
    taker = desk.buy("4", oco_group_id="g")
    assert ["CANCELLED 0", "CANCELLED 0", "FILLED 4"] == states(desk, *orders, taker)


def test_cancelling_one_by_hand_leaves_the_others() -> None:
    """A member cancelled by hand has not filled: the others stay and can still trade."""
    desk = market()
    above, below = pair(desk)
    desk.cancel(above)
    assert ["CANCELLED 0", "OPEN 0"] == states(desk, above, below)
    desk.tick("95", "96")
    assert ["FILLED 10"] == states(desk, below)


def test_a_member_that_expires_leaves_the_others() -> None:
    """So does one whose day is over."""
    desk = market()
    day = desk.sell("10", "LIMIT", limit="105", tif="DAY", oco_group_id="g")
    rest = desk.sell("10", "STOP", stop="95", oco_group_id="g")
    assert day.expires_at is not None
    desk.wait(day.expires_at)
    assert ["EXPIRED 0", "OPEN 0"] == states(desk, day, rest)


@pytest.mark.parametrize("size", ["4", "100"])
def test_a_group_that_has_traded_is_closed(size: str) -> None:
    """Joining a group of which any order has filled, also in part, is OCO_GROUP_CLOSED."""
    desk = market()
    pair(desk)
    desk.tick("105", "106", size=size)
    with pytest.raises(OrderRejected, match="The group g has traded") as refusal:
        desk.buy("1", "LIMIT", limit="90", oco_group_id="g")
    assert RejectReason.OCO_GROUP_CLOSED == refusal.value.reject_reason
    assert "OPEN" == row(desk.buy("1", "LIMIT", limit="90", oco_group_id="h"), "status")


def test_a_group_that_was_cancelled_is_open() -> None:
    """A group whose orders all ended unfilled can be joined again."""
    desk = market()
    for order in pair(desk):
        desk.cancel(order)
    assert ["OPEN 0", "OPEN 0"] == states(desk, *pair(desk))


def test_groups_do_not_mix() -> None:
    """A fill in one group leaves another alone, and orders without a group too."""
    desk = market()
    pair(desk)
    others = [*pair(desk, "h"), desk.sell("1", "LIMIT", limit="120")]
    desk.tick("95", "96")  # the first group's stop, and the second's
    desk.tick("105", "106")
    assert ["CANCELLED 0", "FILLED 10", "OPEN 0"] == states(desk, *others)


def test_a_change_that_trades_cancels_too() -> None:
    """A member moved into the market trades, and cancels the others."""
    desk = market()
    above, below = pair(desk)
    desk.modify(above, limit_price="99")
    assert ["FILLED 10", "CANCELLED 0"] == states(desk, above, below)


def test_a_group_of_brackets() -> None:
    """Two bracket entries of one group: the one that fills gets its legs, the other none."""
    desk = market()
    low = desk.buy("10", "LIMIT", limit="95", stop_loss="90", oco_group_id="g")
    high = desk.buy("10", "STOP", stop="105", stop_loss="100", oco_group_id="g")
    desk.tick("104", "105")
    assert ["CANCELLED 0", "FILLED 10"] == states(desk, low, high)
    assert ([], 1) == (desk.legs(low), len(desk.legs(high)))


@pytest.mark.parametrize(
    ("path", "then", "balance"),
    [
        (["106"], ["FILLED 1", "CANCELLED 0"], "1000006"),
        (["97", "94"], ["CANCELLED 0", "FILLED 1"], "999994"),
    ],
)
def test_scenario_binance_oco(path: list[str], then: list[str], balance: str) -> None:
    """Binance's SELL OCO: a limit above the last price and a stop below it; when one trades the
    other is cancelled. (There a stop that triggers cancels already; here it trades at once.)

    Source: Binance Spot API documentation, New OCO, price restrictions: SELL orders need
    limit price > last price > stop price; either order that trades cancels the other.
    """
    desk = Desk()
    desk.quote("100", "100", symbol="BTC/USD")
    desk.buy("1", symbol="BTC/USD")
    orders = (
        desk.sell("1", "LIMIT", limit="106", symbol="BTC/USD", oco_group_id="oco"),
        desk.sell("1", "STOP_LIMIT", stop="94", limit="94", symbol="BTC/USD", oco_group_id="oco"),
    )
    for price in path:
        desk.tick(price, price, symbol="BTC/USD")
    assert then == states(desk, *orders)
    assert balance == row(desk.account, "balance")
