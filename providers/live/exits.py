"""Which orders stand at the venue, and which we hold: the exits of venues that have none.

Orders that need nothing of each other go to the venue as they are. The others cannot all stand
there at once: the stop-loss and the take-profit of a position would both fill, two reduce-only
orders would turn it round, the orders of an OCO group would all trade. So each position, and each
group, shares out what may stand at the venue:

1. what must act now: MARKET orders, stops that have triggered, limits that the market has reached;
2. stops that wait, at venues that have them: they protect although we may be gone;
3. limits, those first that stand there already.

What gets nothing is held: we watch the market for it. Before one takes the place of another, the
other is withdrawn and the venue has confirmed that; a fill in the meantime counts. So exits never
fill for more than is held, at the price of the time that a withdrawal takes.

Everything here is a function of the account, its slips and the quotes, and is decided anew each
time any of them has changed: what a crash or a refusal has left undone is done then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple

from providers.engine.fills import STOPS, marketable
from providers.engine.margin import DIRECTION
from providers.engine.money import ZERO
from providers.engine.state import AccountState
from providers.live.slips import Slip, Slips, Stage
from providers.live.venue import Amends, Ticket, Traits
from providers.models import (
    AssetClass,
    Order,
    OrderStatus,
    OrderType,
    Quote,
    Side,
    TimeInForce,
)

PREFERRED = (
    TimeInForce.GTC,
    TimeInForce.DAY,
    TimeInForce.IOC,
    TimeInForce.FOK,
)
"""What an order that may rest, or executes at once, goes by where the venue lacks its own."""


class Urgency(IntEnum):
    """Who comes first where not all can stand at the venue."""

    ACTS = 0
    PROTECTS = 1
    RESTS = 2


class Wish(NamedTuple):
    """What one order would like to have at the venue."""

    order: Order
    urgency: Urgency
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Send:
    """A new ticket, for the rest of the order it is for; its client id is still to be given."""

    order: Order
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Amend:
    slip: Slip
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take a ticket back; its order lives on where it is not to be cancelled itself."""

    slip: Slip


Step = Send | Amend | Withdraw


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a plan depends on besides the account.

    `quote` answers with None where there is no quote that may be acted upon; `paused` tells of
    what the venue has refused a short while ago: by the id of the order a new ticket or a change,
    by `retreat` to take a ticket back.
    """

    traits: Traits
    asset_class: Callable[[str], AssetClass | None]
    quote: Callable[[str], Quote | None]
    paused: Callable[[str], bool]


def plan(state: AccountState, slips: Slips, around: Surroundings) -> list[Step]:
    """What to do at the venue so that what should stand there does. Empty: nothing, or wait."""
    wishes = [wish for order in state.orders.values() if (wish := wish_of(order, around))]
    granted = share_out(state, slips, wishes)
    standing = standing_of(slips, around.traits.amends)
    return [
        *changes(state, slips, granted, standing, around),
        *sends(state, slips, granted, standing, around),
    ]


# What an order would like


def wish_of(order: Order, around: Surroundings) -> Wish | None:
    """What should stand at the venue for an order if it were alone; None if we hold it."""
    if order.status is OrderStatus.PENDING_CANCEL:
        return None
    native = native_types(order.symbol, around)
    if order.order_type in STOPS and not order.triggered:
        return waiting_stop(order, native, around.traits)
    kind = OrderType.MARKET if executes_at_market(order) else OrderType.LIMIT
    urgency = Urgency.ACTS if acts(order, kind, around) else Urgency.RESTS
    return Wish(order, urgency, ticket_of(order, kind, native))


def native_types(symbol: str, around: Surroundings) -> Mapping[OrderType, frozenset[TimeInForce]]:
    asset_class = around.asset_class(symbol)
    return {} if asset_class is None else around.traits.orders.get(asset_class, {})


def waiting_stop(
    order: Order, native: Mapping[OrderType, frozenset[TimeInForce]], traits: Traits
) -> Wish | None:
    if order.order_type not in native:
        return None
    if order.trailing_type is not None and order.trailing_type not in traits.trails:
        return None
    return Wish(order, Urgency.PROTECTS, ticket_of(order, order.order_type, native))


def executes_at_market(order: Order) -> bool:
    """MARKET orders, and stops that become one as they trigger."""
    return order.order_type not in (OrderType.LIMIT, OrderType.STOP_LIMIT)


def acts(order: Order, kind: OrderType, around: Surroundings) -> bool:
    """Whether the order is to trade now; a limit that nobody else stands in for may as well."""
    if kind is OrderType.MARKET or order.triggered or not is_shared(order):
        return True
    quote = around.quote(order.symbol)
    return quote is not None and marketable(order, quote)


def is_shared(order: Order) -> bool:
    """Whether the order shares with others what may stand at the venue."""
    return order.reduce_only is True or order.oco_group_id is not None


def ticket_of(
    order: Order, kind: OrderType, native: Mapping[OrderType, frozenset[TimeInForce]]
) -> Ticket:
    """The rest of an order as a ticket of a type, without its client id."""
    limited = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    trails = kind is OrderType.TRAILING_STOP
    return Ticket(
        client_id="",
        symbol=order.symbol,
        side=order.side,
        order_type=kind,
        quantity=order.remaining_quantity,
        time_in_force=time_in_force(order.time_in_force, native.get(kind, frozenset())),
        limit_price=order.limit_price if limited else None,
        stop_price=order.stop_price if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
        trailing_distance=order.trailing_distance if trails else None,
        trailing_type=order.trailing_type if trails else None,
        display_quantity=order.display_quantity if limited else None,
        post_only=order.post_only is True,
        reduce_only=order.reduce_only is True,
    )


def time_in_force(wanted: TimeInForce, offered: frozenset[TimeInForce]) -> TimeInForce:
    """The wanted one where the venue has it, else the nearest: we see to the end ourselves."""
    return next((each for each in (wanted, *PREFERRED) if each in offered), wanted)


# Who gets what


def share_out(state: AccountState, slips: Slips, wishes: list[Wish]) -> dict[str, Wish]:
    """The wishes that are granted, by order id; quantities cut to what may stand there."""
    granted: dict[str, Wish] = {}
    room: dict[tuple[str, Side], Decimal] = {}
    groups: set[str] = set()
    for wish in sorted(wishes, key=lambda wish: precedence(wish, slips)):
        order = wish.order
        if order.oco_group_id is not None and order.oco_group_id in groups:
            continue
        quantity = wish.ticket.quantity
        if order.reduce_only:
            key = (order.symbol, order.side)
            left = room.setdefault(key, reducible(state, order))
            quantity = min(quantity, left)
            room[key] = left - quantity
        if quantity <= 0:
            continue
        if order.oco_group_id is not None:
            groups.add(order.oco_group_id)
        granted[order.id] = wish._replace(ticket=sized(wish.ticket, quantity))
    return granted


def sized(ticket: Ticket, quantity: Decimal) -> Ticket:
    """The ticket for this quantity; one that shows all of it is no iceberg any more."""
    shown = ticket.display_quantity
    if shown is not None and shown >= quantity:
        shown = None
    return replace(ticket, quantity=quantity, display_quantity=shown)


def precedence(wish: Wish, slips: Slips) -> tuple[int, int, object]:
    """By urgency; then what stands there already, then the oldest."""
    return (wish.urgency, not slips.at_venue(wish.order.id), wish.order.created_at)


def reducible(state: AccountState, order: Order) -> Decimal:
    """How much is held for orders of this symbol and side to reduce."""
    return sum(
        (
            held.quantity
            for held in state.positions.values()
            if held.symbol == order.symbol and held.side is not DIRECTION[order.side]
        ),
        ZERO,
    )


# What to do about it

Standing = defaultdict[tuple[str, Side], Decimal]
"""The most that may still fill at the venue, by symbol and side, of what only reduces."""


def standing_of(slips: Slips, amends: Amends) -> Standing:
    standing: Standing = defaultdict(lambda: ZERO)
    for slip in slips:
        if slip.ticket.reduce_only:
            standing[slip.ticket.symbol, slip.ticket.side] += most(slip, amends)
    return standing


def most(slip: Slip, amends: Amends) -> Decimal:
    """The most that a ticket may still fill, also as the one that it is being changed into."""
    left = max(slip.remaining, ZERO)
    if slip.changed is None:
        return left
    return max(left, slip.changed.quantity - (ZERO if amends is Amends.NEW_ORDER else slip.filled))


def retreat(slip: Slip) -> str:
    """By what name it rests to take a ticket back, after the venue has refused that."""
    return f"back:{slip.client_id}"


def changes(
    state: AccountState,
    slips: Slips,
    granted: Mapping[str, Wish],
    standing: Standing,
    around: Surroundings,
) -> Iterator[Step]:
    """What stands there and should not, or should differently; `standing` counts what may grow."""
    amends = around.traits.amends
    for slip in slips:
        if slip.stage is not Stage.WORKING:
            continue
        wish = granted.get(slip.order_id)
        if wish is None or not stands_for(slip, wish):
            if not around.paused(retreat(slip)):
                yield Withdraw(slip)
            continue
        ticket = within_room(state, slip, wish, standing)
        if not differs(slip, ticket) or around.paused(slip.order_id):
            continue
        if amends is Amends.NONE:
            yield Withdraw(slip)
            continue
        if ticket.reduce_only:
            standing[ticket.symbol, ticket.side] += max(ticket.quantity - slip.remaining, ZERO)
        yield Amend(slip, amended(slip, ticket, amends))


def stands_for(slip: Slip, wish: Wish) -> bool:
    """Whether a ticket is of the kind that is wished for; a stop that has triggered at the venue
    is executed there.
    """
    return slip.ticket.order_type in (wish.ticket.order_type, wish.order.order_type)


def within_room(state: AccountState, slip: Slip, wish: Wish, standing: Standing) -> Ticket:
    """What a ticket may become by now: it grows by no more than what others leave."""
    ticket, quantity = wish.ticket, wish.ticket.quantity
    if wish.order.reduce_only:
        others = standing[ticket.symbol, ticket.side] - max(slip.remaining, ZERO)
        quantity = min(quantity, max(slip.remaining, reducible(state, wish.order) - others))
    if slip.ticket.order_type is not ticket.order_type:  # it has triggered there
        ticket = replace(
            ticket,
            stop_price=slip.ticket.stop_price,
            trailing_distance=slip.ticket.trailing_distance,
        )
    return sized(ticket, quantity)


def differs(slip: Slip, wish: Ticket) -> bool:
    """Whether the rest of a ticket is not what is wished for."""
    ticket = slip.ticket
    return (slip.remaining, ticket.limit_price, ticket.stop_price, ticket.trailing_distance) != (
        wish.quantity,
        wish.limit_price,
        wish.stop_price,
        wish.trailing_distance,
    )


def amended(slip: Slip, wish: Ticket, amends: Amends) -> Ticket:
    """The slip's ticket with the quantity and the prices that are wished for.

    A new order of the venue's begins with what is left; one that stays has what it has filled.
    """
    filled = ZERO if amends is Amends.NEW_ORDER else slip.filled
    return replace(
        sized(slip.ticket, filled + wish.quantity),
        limit_price=wish.limit_price,
        stop_price=wish.stop_price,
        trailing_distance=wish.trailing_distance,
    )


def sends(
    state: AccountState,
    slips: Slips,
    granted: Mapping[str, Wish],
    standing: Standing,
    around: Surroundings,
) -> Iterator[Send]:
    """New tickets, as far as what stands there leaves room for them."""
    groups: set[str] = set()
    for slip in slips:
        order = state.orders.get(slip.order_id)
        if order is not None and order.oco_group_id is not None:
            groups.add(order.oco_group_id)
    for order_id, (order, _, ticket) in granted.items():
        if slips.at_venue(order_id) or around.paused(order_id) or order.oco_group_id in groups:
            continue
        key = (order.symbol, order.side)
        if order.reduce_only and standing[key] + ticket.quantity > reducible(state, order):
            continue
        if order.reduce_only:
            standing[key] += ticket.quantity
        yield Send(order, ticket)
