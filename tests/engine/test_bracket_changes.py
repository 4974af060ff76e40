"""What a change of an entry, or of a leg, does to the legs of a bracket."""

from __future__ import annotations

import pytest

from providers.errors import InvalidValue, OrderRejected
from providers.models import RejectReason
from tests.engine.brackets import entry, market, shown
from tests.engine.desk import row


@pytest.mark.parametrize(
    ("changes", "legs"),
    [
        ({"stop_loss": "91"}, ["SELL STOP 91 - 10 OPEN", "SELL LIMIT - 110 10 OPEN"]),
        ({"take_profit": "109"}, ["SELL STOP 90 - 10 OPEN", "SELL LIMIT - 109 10 OPEN"]),
    ],
)
def test_exits_changed_before_a_fill(changes: dict[str, str], legs: list[str]) -> None:
    """A change of the entry's exits is what its legs will have."""
    desk = market()
    order = entry(desk, limit="98")
    assert list(changes.values()) == [row(desk.modify(order, **changes), next(iter(changes)))]
    desk.tick("97", "98")
    assert legs == shown(desk, order)


@pytest.mark.parametrize(
    ("changes", "legs"),
    [
        ({"stop_loss": "91"}, ["SELL STOP 91 - 4 OPEN", "SELL LIMIT - 110 4 OPEN"]),
        ({"take_profit": "109"}, ["SELL STOP 90 - 4 OPEN", "SELL LIMIT - 109 4 OPEN"]),
        (
            {"stop_loss": "91", "quantity": "4"},
            ["SELL STOP 91 - 4 OPEN", "SELL LIMIT - 110 4 OPEN"],
        ),
    ],
)
def test_exits_changed_after_a_fill_move_the_legs(changes: dict[str, str], legs: list[str]) -> None:
    """After a partial fill a change of the entry's exits moves the legs that are there, also if
    the same change completes the entry.
    """
    desk = market(size="4")
    order = entry(desk)
    desk.modify(order, **changes)
    assert "BRACKET_ORDER_MODIFIED" == desk.happened[-1]
    assert legs == shown(desk, order)


@pytest.mark.parametrize(
    ("leg", "change"), [(0, {"stop_price": "91"}), (1, {"limit_price": "109"})]
)
def test_a_leg_moved_by_hand_is_told_as_a_leg(leg: int, change: dict[str, str]) -> None:
    """A change of a leg has the event of legs, whoever made it."""
    desk = market()
    order = entry(desk)
    desk.modify(desk.legs(order)[leg], **change)
    assert ["BRACKET_ORDER_MODIFIED"] == desk.happened


def test_an_exit_added_after_a_fill_makes_its_leg() -> None:
    """An exit the entry had not asked for becomes a leg over what has filled."""
    desk = market(size="4")
    order = desk.buy("10", stop_loss="90")
    desk.modify(order, take_profit="110")
    assert ["SELL STOP 90 - 4 OPEN", "SELL LIMIT - 110 4 OPEN"] == shown(desk, order)


def test_an_exit_added_first_covers_what_has_filled() -> None:
    """Also where there was no leg before."""
    desk = market(size="4")
    order = desk.buy("10")
    desk.modify(order, stop_loss="90")
    assert ["SELL STOP 90 - 4 OPEN"] == shown(desk, order)


def test_an_exit_added_to_what_only_reduces_waits() -> None:
    """An order that has so far closed a position of the other side makes no leg for that one."""
    desk = market()
    desk.sell("10")
    desk.quote("99", "100", size="4")
    order = desk.buy("20", "LIMIT", limit="100")
    desk.modify(order, stop_loss="90")
    assert [] == desk.legs(order)
    desk.tick("99", "100", size="100")
    assert ["SELL STOP 90 - 10 OPEN"] == shown(desk, order)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stop_loss": "98"}, "stop_loss"),
        ({"take_profit": "98"}, "take_profit"),
        ({"limit_price": "90"}, "limit_price"),
        ({"limit_price": "110"}, "limit_price"),
        ({"limit_price": "97", "stop_loss": "98"}, "stop_loss"),
    ],
)
def test_a_change_to_the_wrong_side_is_refused(changes: dict[str, str], field: str) -> None:
    """A change after which stop_loss < entry < take_profit would not hold names its field."""
    desk = market()
    order = entry(desk, limit="98")
    with pytest.raises(InvalidValue, match="on the wrong side of the entry") as refusal:
        desk.modify(order, **changes)
    details = refusal.value.details or {}
    assert (field, changes[field]) == (details["field"], details["provided"])
    assert order == desk.now_of(order)


def test_a_change_of_a_market_entry_is_measured_by_the_quote() -> None:
    """An order that names no price has its exits measured by the touch, 422."""
    desk = market(size="4")
    order = entry(desk)
    with pytest.raises(OrderRejected) as refusal:
        desk.modify(order, stop_loss="100")
    assert RejectReason.INVALID_PRICE == refusal.value.reject_reason


def test_a_leg_has_no_exits_of_its_own() -> None:
    """What only reduces protects nothing: a change of its exits is refused."""
    desk = market()
    stop, _ = desk.legs(entry(desk))
    with pytest.raises(InvalidValue):
        desk.modify(stop, take_profit="110")


def test_a_leg_can_be_moved_itself() -> None:
    """A leg is an order: its own price can be changed."""
    desk = market()
    order = entry(desk)
    stop, target = desk.legs(order)
    desk.modify(stop, stop_price="95")
    desk.modify(target, limit_price="105")
    assert ["SELL STOP 95 - 10 OPEN", "SELL LIMIT - 105 10 OPEN"] == shown(desk, order)


def test_a_triggered_leg_is_not_moved() -> None:
    """A stop-loss that has fired and waits for size is already going."""
    desk = market(size="4")
    order = entry(desk, limit="100")
    desk.tick("89", "100.5", size="1")
    desk.modify(order, stop_loss="85")
    assert ["SELL STOP 90 - 3 PARTIALLY_FILLED", "SELL LIMIT - 110 3 OPEN"] == shown(desk, order)


# Where the market is already


@pytest.mark.parametrize("exits", [{"stop_loss": "90"}, {"stop_loss": "90", "take_profit": "110"}])
def test_legs_that_have_ended_are_not_made_again(exits: dict[str, str]) -> None:
    """The position there is by now is not the entry's: its exits are no business of a change."""
    desk = market(size="4")
    order = desk.buy("10", "LIMIT", limit="100", **exits)
    desk.tick("89", "100.5")
    desk.buy("4")
    desk.modify(order, stop_loss="91", take_profit="112")
    assert {"FILLED", "CANCELLED"} >= {row(leg, "status") for leg in desk.legs(order)}


def test_a_take_profit_set_below_the_market_takes() -> None:
    """A leg that is made where the market already is arrives like a new order."""
    desk = market(size="8")
    order = desk.buy("12", "LIMIT", limit="100", stop_loss="90")
    desk.quote("106", "107")
    desk.modify(order, take_profit="105")
    assert "FILLED 106" == row(desk.legs(order)[1], "status average_fill_price")


def test_a_leg_that_is_moved_has_its_turn_at_a_quote_it_has_not_met() -> None:
    """Reached at its old price and moved before the market clock came, it trades at the touch."""
    desk = market(size="8")
    order = entry(desk, "12", limit="100")
    desk.quote("111", "112")
    desk.modify(order, take_profit="109")
    assert "FILLED 111" == row(desk.legs(order)[1], "status average_fill_price")


def test_a_take_profit_moved_below_the_market_takes() -> None:
    """PATCH of the entry brings its legs along, and one that is marketable then trades."""
    desk = market(size="8")
    order = entry(desk, "12", limit="100")
    desk.quote("106", "107", size="4")
    desk.meet()
    desk.modify(order, take_profit="105")
    assert "PARTIALLY_FILLED 4 106" == row(
        desk.legs(order)[1], "status filled_quantity average_fill_price"
    )
    desk.modify(order, take_profit="104")  # it has used the quote
    assert "4" == row(desk.legs(order)[1], "filled_quantity")
