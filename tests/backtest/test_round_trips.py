"""Fills paired into round trips: the accounting, and that nothing of the money is lost in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from providers.backtest.results.doubts import unexplained
from providers.backtest.results.record import RunRecord
from providers.backtest.results.round_trips import RoundTrip, round_trips
from providers.engine.money import ZERO, exact
from providers.models import PositionMode, PositionSide
from tests.backtest.records import bars_of, flat, random_deals, record_of, trades_of, walk

D = Decimal


def gained(record: RunRecord, trips: list[RoundTrip]) -> tuple[Decimal, Decimal]:
    """What the round trips made, and what the equity has changed by."""
    with exact():
        return sum((trip.pnl for trip in trips), ZERO), record.final_equity - D(100_000)


def test_a_round_trip_with_commissions() -> None:
    """Bought at 100, sold at 110, one percent paid each time."""
    bars = {"A": bars_of("A", flat(100, 105, 110, 110))}
    (trip,) = round_trips(record_of(bars, [(0, "A", 10, 100), (2, "A", -10, 110)], "0.01"))
    assert (trip.status, trip.side, trip.quantity) == ("closed", PositionSide.LONG, D(10))
    assert (trip.entry_price, trip.exit_price) == (D(100), D(110))
    assert (trip.commission, trip.pnl) == (D(21), D(79))
    assert trip.net_return == D("0.079")
    assert trip.bars == 2
    assert [one.pnl for one in trip.exits] == [100]


def test_entries_are_averaged_and_partial_exits_listed() -> None:
    """10 at 100 and 20 at 106 are 30 at 104; two exits are one round trip."""
    bars = {"A": bars_of("A", flat(100, 106, 110, 101))}
    deals = [(0, "A", 10, 100), (1, "A", 20, 106), (2, "A", -12, 110), (3, "A", -18, 101)]
    (trip,) = round_trips(record_of(bars, deals))
    assert (trip.quantity, trip.entry_price) == (D(30), D(104))
    assert [(one.quantity, one.pnl) for one in trip.exits] == [(D(12), D(72)), (D(18), D(-54))]
    assert (trip.pnl, trip.exit_price) == (D(18), D("104.6"))


def test_a_fill_that_turns_a_position_around_ends_one_trip_and_begins_another() -> None:
    """15 sold against 10 held: 10 close, 5 open a short; the commission is shared alike."""
    bars = {"A": bars_of("A", flat(100, 110, 120))}
    deals = [(0, "A", 10, 100), (1, "A", -15, 110), (2, "A", 5, 120)]
    long, short = round_trips(record_of(bars, deals, "0.001"))
    assert (long.number, long.side, long.pnl) == (1, PositionSide.LONG, D("97.9"))
    assert (short.number, short.side, short.pnl) == (2, PositionSide.SHORT, D("-51.15"))


def test_an_open_trip_is_counted_at_the_last_price() -> None:
    """It has no exit, and what it makes is at the last close."""
    bars = {"A": bars_of("A", flat(100, 103))}
    (trip,) = round_trips(record_of(bars, [(0, "A", -10, 100)]))
    assert (trip.status, trip.exit_time, trip.exit_price) == ("open", None, None)
    assert (trip.pnl, trip.bars, trip.adverse) == (D(-30), 2, D("-0.03"))


def test_excursions_are_those_seen_while_it_lasted() -> None:
    """Entered at an opening, left at one: the bars between count, that of the exit does not."""
    bars = {"A": bars_of("A", [(100, 104, 95, 102), (102, 120, 101, 110), (110, 200, 1, 110)])}
    (trip,) = round_trips(record_of(bars, [(0, "A", 1, 100), (2, "A", -1, 110)]))
    assert (trip.adverse, trip.favourable) == (D("-0.05"), D("0.2"))


def test_an_entry_inside_a_bar_does_not_see_what_may_have_been_before() -> None:
    """Of the bar of such an entry only the close is certain."""
    bars = {"A": bars_of("A", [(100, 150, 50, 102), (102, 103, 101, 103), (103, 103, 103, 103)])}
    record = record_of(bars, [(0, "A", 1, 90), (2, "A", -1, 103)])
    entry, exit_ = record.trades
    noon = entry.evolve(timestamp=entry.timestamp + timedelta(hours=12))
    (trip,) = round_trips(record_of(bars, trades=[noon, exit_]))
    assert (trip.adverse, trip.favourable) == (D(0), D("0.144444444444444444"))


def test_without_bars_nothing_is_said_about_them() -> None:
    """A fill of a symbol that has no bars still makes a trip."""
    bars = {"A": bars_of("A", flat(100, 110))}
    record = record_of(bars, [(0, "A", 1, 100)])
    (trip,) = round_trips(record_of({}, trades=record.trades))
    assert (trip.bars, trip.adverse, trip.favourable, trip.pnl) == (None, None, None, D(0))


def test_longer_bars_do_not_change_what_a_trip_made_or_how_long_it_took() -> None:
    """Where the bars are longer than those of the run, the marks tell the last prices."""
    bars = {"A": bars_of("A", flat(100, 101, 102, 103))}
    record = record_of(bars, [(0, "A", 1, 100)])
    short = {"A": bars["A"][:2]}
    (whole,) = round_trips(record)
    (trip,) = round_trips(replace(record, bars=short, marks={"A": D(103)}))
    assert (trip.pnl, trip.bars) == (whole.pnl, whole.bars) == (D(3), 4)


def test_hedged_positions_are_kept_apart() -> None:
    """A long and a short of one symbol at the same time are two round trips."""
    bars = {"A": bars_of("A", flat(100, 100, 110, 110))}
    deals = [(0, "A", 1, 100), (1, "A", -1, 100), (2, "A", -1, 110), (3, "A", 1, 110)]
    record = record_of(bars, deals)
    places = ("pos_1", "pos_2", "pos_1", "pos_2")
    orders = [o.evolve(position_id=p) for o, p in zip(record.orders, places, strict=True)]
    hedged = record_of(bars, deals, position_mode=PositionMode.HEDGING, orders=orders)
    trips = round_trips(hedged)
    assert [(trip.side, trip.pnl) for trip in trips] == [
        (PositionSide.LONG, D(10)),
        (PositionSide.SHORT, D(-10)),
    ]


def test_profits_add_up_to_the_change_of_the_equity_exactly() -> None:
    """Over hundreds of fills that add, reduce and turn around, with average prices that repeat."""
    bars = walk(["A", "B", "C"], 300)
    deals = [*random_deals(bars, 400), (299, "B", 41, str(bars["B"][299].open))]
    record = record_of(bars, deals, "0.00037")
    trips = round_trips(record)
    assert any(trip.status == "open" for trip in trips)
    assert any(len(trip.exits) > 1 for trip in trips)
    made, changed = gained(record, trips)
    assert made == changed
    with exact():
        assert sum(trip.commission for trip in trips) == sum(f.commission for f in record.trades)


amounts = st.decimals(min_value=D("0.00001"), max_value=1000, places=5)


@given(st.lists(st.tuples(st.booleans(), amounts, amounts), max_size=12), amounts)
def test_no_digit_is_lost_whatever_was_traded(
    fills: list[tuple[bool, Decimal, Decimal]], last: Decimal
) -> None:
    """The account, kept as cash paid and received, agrees to the last digit."""
    prices = [str(price) for _, _, price in fills] + [str(last)]
    bars = {"A": bars_of("A", flat(*prices))}
    deals = [
        (place, "A", f"{'' if buys else '-'}{size}", str(price))
        for place, (buys, size, price) in enumerate(fills)
    ]
    assert all(fill.quantity > 0 for fill in trades_of(bars, deals))
    with exact():
        record = record_of(bars, deals, "0.00013")
    made, changed = gained(record, round_trips(record))
    assert made == changed


def test_money_that_came_from_elsewhere_is_told() -> None:
    """A record whose equity does not follow from its fills says by how much."""
    bars = {"A": bars_of("A", flat(100, 100))}
    record = record_of(bars, initial_balance=D(99_990))
    assert unexplained(record, round_trips(record)) == 10
