"""The log is the account: applying it gives the state, and a decision changes nothing by itself."""

from __future__ import annotations

from datetime import timedelta
from itertools import count, pairwise

import pytest

from providers.engine import orders as engine
from providers.engine.state import AccountState
from providers.engine.world import World
from providers.errors import OrderRejected
from tests.engine.desk import OPENING, Desk, order_of, picture, row


def busy() -> Desk:
    """An account with everything in it: positions, resting orders, a close, fees paid."""
    desk = Desk("10000", maker_fee="0.0002", taker_fee="0.0005", leverage="3")
    desk.quote("1.1", "1.2", symbol="EUR/USD", size="3")
    desk.quote("99", "100", size="10")
    for order in (
        "BUY 25",
        "BUY 4 LIMIT 98 DAY",
        "SELL 4 LIMIT 105",
        "SELL 4 STOP_LIMIT 95 94",
        "BUY 3 STOP 110",
        "SELL 2 MARKET IOC",
        "SELL 7 of EUR/USD",
    ):
        desk.place(order)
    desk.close(desk.state.positions[next(iter(desk.state.positions))], limit="104")
    desk.tick("97", "98", size="3")
    with pytest.raises(OrderRejected):
        desk.place("BUY 4.5")
    return desk


def test_the_log_replays_to_the_state() -> None:
    """Applying the events, in order, to the opening account gives the account as it is."""
    desk = busy()
    for event in desk.log:
        desk.opening.apply(event)
    assert picture(desk.state) == picture(desk.opening)


def test_an_account_read_back_from_its_rows_is_the_same() -> None:
    """Money, open orders and open positions are all there is: the sums follow from them."""
    state = busy().state
    again = AccountState(
        state.account, state.ledger, state.last_time, dict(state.orders), dict(state.positions)
    )
    assert picture(state) == picture(again)


def test_time_stands_still_but_stamps_rise() -> None:
    """Whatever happens in one moment, each event is later than the one before it."""
    desk = Desk(taker_fee="0.001")
    desk.quote("99", "100")
    desk.place("BUY 4")
    desk.place("SELL 6")
    assert [timedelta(microseconds=1)] * 10 == [
        later.at - earlier.at for earlier, later in pairwise(desk.log)
    ]
    assert desk.log[0].at == desk.now


def test_a_clock_that_goes_back_does_not_take_the_stamps_along() -> None:
    """After the clock was set back, stamps still rise; expiry goes by the clock."""
    desk = Desk()
    desk.quote("99", "100")
    first = desk.place("BUY 4 LIMIT 98")
    desk.now = OPENING - timedelta(hours=1)
    second = desk.place("BUY 4 LIMIT 98 DAY")
    assert first.created_at + timedelta(microseconds=1) == second.created_at


def test_an_event_is_stamped_with_its_entity() -> None:
    """The moment of an event is that of the order, trade or position it shows."""
    for event in busy().log:
        entity = event.entity
        stamp = getattr(entity, "updated_at", None) or getattr(entity, "timestamp", event.at)
        assert event.at == stamp


def test_an_event_has_the_type_of_its_entity() -> None:
    """Orders, trades, positions, money and notices each have their frame."""
    desk = Desk("1400")
    desk.quote("100", "100")
    desk.buy("70", leverage="5")
    desk.quote("80", "80")
    desk.guard()
    types = {"Order": "order", "Trade": "trade", "Position": "position", "Ledger": "account"}
    assert [types.get(type(event.entity).__name__, "error") for event in desk.log] == [
        event.type for event in desk.log
    ]


def test_a_decision_leaves_the_account_alone() -> None:
    """Deciding changes nothing; only applying the events does."""
    desk = busy()
    before = picture(desk.state)
    engine.submit(desk.state, order_of("SELL 40"), desk.world())
    for order in list(desk.state.orders.values()):
        engine.cancel(desk.state, order, desk.world())
    assert before == picture(desk.state)


def test_the_same_question_has_the_same_answer() -> None:
    """A decision depends on nothing but account, command and world."""
    desk = busy()

    def world() -> World:
        ids = count()
        return World(
            now=desk.now,
            new_id=lambda prefix: f"{prefix}_{next(ids)}",
            quote=desk.quotes.__getitem__,
            instrument=desk.world().instrument,
            session_end=desk.world().session_end,
            rules=desk.rules,
        )

    decisions = [engine.submit(desk.state, order_of("SELL 40"), world()) for _ in range(2)]
    assert decisions[0] == decisions[1]


def test_a_trade_says_what_happened() -> None:
    """A trade names its order, side, price, quantity, fee and role."""
    desk = Desk(taker_fee="0.001")
    desk.quote("99", "100")
    order = desk.place("SELL 4")
    (trade,) = desk.trades
    assert f"{order.id} AAPL SELL 4 99 0.396 USD False" == row(
        trade, "order_id symbol side quantity price commission commission_currency is_maker"
    )
    assert trade.id != order.id
