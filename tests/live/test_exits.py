"""What should stand at the venue, as a function of the account, its slips and the quote."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.money import ZERO
from providers.live.exits import Amend, Send, Step, Withdraw, most, plan, retreat
from providers.live.slips import Slip, Stage
from providers.live.venue import Amends, Progress, Traits
from providers.models import OrderStatus, OrderType, Side, TimeInForce
from tests.live.books import Account, execution, report
from tests.live.fake import BASIC, EVERY, WITH_STOPS, quoted, traits

STOPS = traits(orders=WITH_STOPS)


def steps(account: Account, chosen: Traits | None = None, *paused: str) -> list[str]:
    """The plan in words: what it does to which order, and for how much."""
    around = account.surroundings(chosen, lambda name: name in paused)
    return [in_words(step) for step in plan(account.state, account.slips, around)]


def in_words(step: Step) -> str:
    if isinstance(step, Send):
        return f"send {step.order.id} {step.ticket.order_type} {step.ticket.quantity}"
    if isinstance(step, Amend):
        return f"amend {step.slip.order_id} {step.ticket.quantity}"
    return f"withdraw {step.slip.order_id}"


def test_plain_orders_go_as_they_are() -> None:
    """Orders that need nothing of each other are all sent."""
    account = Account()
    account.order("a", 2)
    account.order("b", 3, order_type=OrderType.MARKET, limit_price=None)
    assert ["send a LIMIT 2", "send b MARKET 3"] == sorted(steps(account))


def test_a_stop_is_held_where_the_venue_has_none() -> None:
    """The take-profit stands there; the stop-loss waits with us until it triggers."""
    account = Account()
    account.hold(5)
    account.exit("sl", 5, 90)
    account.exit("tp", 5, 120, order_type=OrderType.LIMIT)
    assert ["send tp LIMIT 5"] == steps(account)


def test_a_stop_protects_where_the_venue_has_it() -> None:
    """The stop-loss stands there, and the take-profit waits with us."""
    account = Account()
    account.hold(5)
    account.exit("tp", 5, 120, order_type=OrderType.LIMIT)
    account.exit("sl", 5, 90)
    assert ["send sl STOP 5"] == steps(account, STOPS)


def test_a_triggered_stop_gets_its_place() -> None:
    """The take-profit is taken back first; only then is the stop sent, as a MARKET order."""
    account = Account()
    account.hold(5)
    account.slip(account.exit("tp", 5, 120, order_type=OrderType.LIMIT))
    account.exit("sl", 5, 90, triggered=True)
    assert ["withdraw tp"] == steps(account)
    (slip,) = account.slips
    account.slips.end(slip)
    assert ["send sl MARKET 5"] == steps(account)


def test_a_pause_of_changes_does_not_keep_the_place() -> None:
    """An order about which a change was refused can be taken back at once."""
    account = Account()
    account.hold(5)
    slip = account.slip(account.exit("tp", 5, 120, order_type=OrderType.LIMIT))
    account.exit("sl", 5, 90, triggered=True)
    assert ["withdraw tp"] == steps(account, None, "tp")
    assert [] == steps(account, None, retreat(slip))


def test_a_limit_that_is_reached_takes_the_place_of_a_stop() -> None:
    """A take-profit that would trade now comes before a stop that waits."""
    account = Account()
    account.hold(5)
    account.slip(account.exit("sl", 5, 90))
    account.exit("tp", 5, 120, order_type=OrderType.LIMIT)
    account.quote = quoted("BTC/USD", 121, 122)
    assert ["withdraw sl"] == steps(account, STOPS)


def test_without_a_quote_nothing_is_reached() -> None:
    """A stale quote decides nothing."""
    account = Account()
    account.hold(5)
    account.slip(account.exit("sl", 5, 90))
    account.exit("tp", 5, 120, order_type=OrderType.LIMIT)
    account.quote = None
    assert [] == steps(account, STOPS)


def test_two_limits_share_the_position() -> None:
    """The older one gets all it wants, the other what is left."""
    account = Account()
    account.hold(5)
    account.exit("tp1", 3, 120, order_type=OrderType.LIMIT)
    account.exit("tp2", 5, 130, order_type=OrderType.LIMIT)
    assert ["send tp1 LIMIT 3", "send tp2 LIMIT 2"] == steps(account)


def test_one_ticket_for_a_group() -> None:
    """Of an OCO group one stands there: the one that stands there already."""
    account = Account()
    account.order("a", 2, oco_group_id="g")
    second = account.order("b", 2, oco_group_id="g")
    assert ["send a LIMIT 2"] == steps(account)
    account.slip(second)
    assert [] == steps(account)


def test_a_group_waits_for_the_end_of_the_other() -> None:
    """A member that is to stand there waits until the one that does is gone."""
    account = Account()
    first = account.order("a", 2, oco_group_id="g", limit_price=Decimal(80))
    account.order("b", 2, oco_group_id="g", limit_price=Decimal(101))
    slip = account.slip(first)
    assert ["withdraw a"] == steps(account)
    account.slips.put(slip.at(Stage.CANCELLING, account.now, withdrawn=True))
    assert [] == steps(account)


def test_growing_waits_for_what_stands_there() -> None:
    """An exit grows into the room of another only when that is gone from the venue."""
    account = Account()
    account.hold(10)
    account.slip(account.exit("now", 10, 90, order_type=OrderType.LIMIT), quantity=Decimal(5))
    other = account.slip(
        account.exit("tp", 10, 120, order_type=OrderType.LIMIT), quantity=Decimal(5)
    )
    assert ["withdraw tp"] == steps(account)
    account.slips.put(other.at(Stage.CANCELLING, account.now, withdrawn=True))
    assert [] == steps(account)
    account.slips.end(other)
    assert ["amend now 10"] == steps(account)


@pytest.mark.parametrize("amends", [Amends.IN_PLACE, Amends.NEW_ORDER])
def test_what_a_change_may_become_counts(amends: Amends) -> None:
    """No other exit is sent into the room that a change under way may take."""
    account = Account()
    account.hold(10)
    growing = account.slip(account.exit("tp", 5, 120, order_type=OrderType.LIMIT))
    changed = replace(growing.ticket, client_id="t-new", quantity=Decimal(10))
    account.slips.put(growing.at(Stage.CHANGING, account.now, changed=changed))
    account.exit("sl", 5, 90, triggered=True)
    assert [] == steps(account, traits(amends))


def test_a_stop_that_triggered_at_the_venue_stays_there() -> None:
    """One that has filled in part is not taken back to be sent as a MARKET order."""
    account = Account()
    account.hold(3)
    order = account.exit(
        "sl",
        5,
        90,
        triggered=True,
        filled_quantity=Decimal(2),
        status=OrderStatus.PARTIALLY_FILLED,
    )
    account.slip(order, quantity=Decimal(5), filled=Decimal(2))
    assert [] == steps(account, STOPS)


@pytest.mark.parametrize(
    ("amends", "expected"),
    [
        (Amends.IN_PLACE, "amend tp 4"),
        (Amends.NEW_ORDER, "amend tp 3"),
        (Amends.NONE, "withdraw tp"),
    ],
)
def test_shrinking(amends: Amends, expected: str) -> None:
    """An exit of which 1 has filled shrinks to the 3 that are held, in the venue's own way."""
    account = Account()
    account.hold(3)
    order = account.exit("tp", 5, 120, order_type=OrderType.LIMIT, filled_quantity=Decimal(1))
    account.slip(order, quantity=Decimal(5), filled=Decimal(1))
    assert [expected] == steps(account, traits(amends))


def test_what_is_to_be_cancelled_is_withdrawn() -> None:
    """An order that waits for its cancel has no place, and a pause of its changes is no reason."""
    account = Account()
    account.slip(account.order("a", 2, status=OrderStatus.PENDING_CANCEL))
    assert ["withdraw a"] == steps(account, None, "a")


@pytest.mark.parametrize(
    ("wanted", "offered", "expected"),
    [
        (TimeInForce.DAY, EVERY, TimeInForce.DAY),
        (TimeInForce.DAY, {TimeInForce.GTC}, TimeInForce.GTC),
        (TimeInForce.GTC, {TimeInForce.DAY, TimeInForce.IOC}, TimeInForce.DAY),
        (TimeInForce.GTC, {TimeInForce.FOK, TimeInForce.IOC}, TimeInForce.IOC),
    ],
)
def test_times_in_force(wanted: TimeInForce, offered: Any, expected: TimeInForce) -> None:
    """A ticket goes by the time in force that the venue has, the nearest to what is wanted."""
    account = Account()
    account.order("a", 2, time_in_force=wanted)
    chosen = traits(orders={**BASIC, OrderType.LIMIT: frozenset(offered)})
    (step,) = plan(account.state, account.slips, account.surroundings(chosen))
    assert isinstance(step, Send)
    assert expected is step.ticket.time_in_force


def test_an_iceberg_that_shows_all_is_none() -> None:
    """What is cut to what it shows is sent as a plain order."""
    account = Account()
    account.hold(2)
    account.exit("tp", 5, 120, order_type=OrderType.LIMIT, display_quantity=Decimal(2))
    (step,) = plan(account.state, account.slips, account.surroundings())
    assert isinstance(step, Send)
    assert (Decimal(2), None) == (step.ticket.quantity, step.ticket.display_quantity)


# Whatever happens


class Venue:
    """Confirms, refuses and fills what the plan asks for, in any order."""

    def __init__(self, amends: Amends, *, stops: bool) -> None:
        self.account = Account()
        self.traits = traits(amends, WITH_STOPS if stops else BASIC)
        self.sent = 0
        self.account.hold(10)
        self.acted: list[str] = []

    def plan(self) -> None:
        account = self.account
        for step in plan(account.state, account.slips, account.surroundings(self.traits)):
            self.sent += 1
            name = f"k{self.sent}"
            if isinstance(step, Send):
                ticket = replace(step.ticket, client_id=name, venue_id=f"v-{name}")
                new = Slip(
                    order_id=step.order.id, ticket=ticket, stage=Stage.SENDING, since=account.now
                )
                account.slips.put(new)
                self.acted.append(step.order.id)
            elif isinstance(step, Amend):
                changed = replace(step.ticket, client_id=name, venue_id=f"v-{name}")
                account.slips.put(step.slip.at(Stage.CHANGING, account.now, changed=changed))
            else:
                account.slips.put(step.slip.at(Stage.CANCELLING, account.now, withdrawn=True))

    def confirm(self, which: int, *, yes: bool) -> None:
        """The venue answers what is asked of one ticket."""
        asked = [slip for slip in self.account.slips if slip.stage is not Stage.WORKING]
        if not asked:
            return
        slip = asked[which % len(asked)]
        if slip.stage is Stage.CHANGING and slip.changed is not None and yes:
            self._change(slip)
        elif slip.stage is Stage.CANCELLING and yes:
            self.account.book(slip, report(slip, Progress.CANCELLED, filled=slip.filled))
        elif slip.stage is Stage.SENDING and not yes:
            self.account.slips.end(slip)
        else:
            self.account.slips.put(slip.at(Stage.WORKING, self.account.now, changed=None))

    def _change(self, slip: Slip) -> None:
        slips, changed = self.account.slips, slip.changed
        assert changed is not None
        if self.traits.amends is Amends.NEW_ORDER:
            slips.end(slip)
            slip = replace(slip, filled=ZERO, notional=ZERO)
        else:
            changed = replace(changed, client_id=slip.client_id, venue_id=slip.ticket.venue_id)
        slips.put(slip.at(Stage.WORKING, self.account.now, ticket=changed, changed=None))

    def fill(self, which: int, part: int) -> None:
        """A ticket that has arrived fills, whatever is asked of it."""
        able = [slip for slip in self.account.slips if slip.remaining > 0]
        if not able:
            return
        slip = able[which % len(able)]
        quantity = min(Decimal(part), slip.remaining)
        total = slip.filled + quantity
        over = total == slip.ticket.quantity and slip.stage is not Stage.CHANGING
        progress = Progress.FILLED if over else Progress.WORKING
        self.account.book(slip, report(slip, progress, execution(quantity, 100, total)))

    def standing(self) -> Decimal:
        amends = self.traits.amends
        return sum((most(s, amends) for s in self.account.slips if s.ticket.reduce_only), ZERO)


ACTIONS = st.one_of(
    st.tuples(st.just("confirm"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("fill"), st.integers(0, 5), st.integers(1, 4)),
    st.tuples(st.just("stop"), st.integers(1, 10), st.booleans()),
    st.tuples(st.just("limit"), st.integers(1, 10), st.booleans()),
    st.tuples(st.just("quote"), st.integers(80, 130), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 5), st.booleans()),
)


def act(venue: Venue, action: tuple[str, int, Any], number: int) -> None:
    account, (kind, size, more) = venue.account, action
    if kind == "confirm":
        venue.confirm(size, yes=more)
    elif kind == "fill":
        venue.fill(size, more)
    elif kind == "quote":
        account.quote = quoted("BTC/USD", size, size + 1)
    elif kind == "cancel" and account.state.orders:
        order = list(account.state.orders.values())[size % len(account.state.orders)]
        account.state._put_order(order.evolve(status=OrderStatus.PENDING_CANCEL))
    elif account.held > 0 and kind == "stop":
        account.exit(f"o{number}", size, 90, triggered=more, parent_order_id=None)
    elif account.held > 0 and kind == "limit":
        group = "g" if more else None
        kinds: dict[str, Any] = {"order_type": OrderType.LIMIT, "oco_group_id": group}
        account.exit(f"o{number}", size, 120, parent_order_id=None, **kinds)


@settings(max_examples=150)
@given(
    amends=st.sampled_from(list(Amends)),
    stops=st.booleans(),
    actions=st.lists(ACTIONS, max_size=40),
)
def test_never_more_than_is_held(amends: Amends, stops: bool, actions: list[Any]) -> None:
    """Whatever is told, what stands at the venue to reduce is never more than what is held, and
    of an OCO group there is one ticket at most.
    """
    venue = Venue(amends, stops=stops)
    for number, action in enumerate(actions):
        act(venue, action, number)
        assert venue.account.held >= 0
        venue.plan()
        assert venue.standing() <= venue.account.held
        groups = Counter(
            order.oco_group_id
            for slip in venue.account.slips
            if (order := venue.account.state.orders.get(slip.order_id)) is not None
        )
        assert groups["g"] <= 1


@settings(max_examples=60)
@given(amends=st.sampled_from(list(Amends)), actions=st.lists(ACTIONS, max_size=25))
def test_a_triggered_stop_always_gets_there(amends: Amends, actions: list[Any]) -> None:
    """Once the venue answers, a stop that has triggered is sent, as long as anything is held."""
    venue = Venue(amends, stops=True)
    for number, action in enumerate(actions):
        act(venue, action, number)
        venue.plan()
    if not venue.account.held:
        return
    venue.account.quote = quoted("BTC/USD", 95, 96)
    venue.account.exit("sl", 10, 90, triggered=True)
    for order in list(venue.account.state.orders.values()):
        if order.id != "sl" and order.triggered:  # it would act first, and for the same
            venue.account.state._put_order(order.evolve(status=OrderStatus.PENDING_CANCEL))
    for _ in range(12):
        venue.plan()
        venue.confirm(0, yes=True)
    assert "sl" in venue.acted


def test_steps_are_one_of_three() -> None:
    """A plan sends, amends or withdraws."""
    account = Account()
    account.slip(account.order("a", 2, side=Side.BUY), limit_price=Decimal(80))
    account.slip(account.order("b", 2, status=OrderStatus.PENDING_CANCEL))
    account.order("c", 1)
    kinds = [type(step) for step in plan(account.state, account.slips, account.surroundings())]
    assert [Amend, Withdraw, Send] == kinds
