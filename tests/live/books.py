"""An account of ours in memory, for the decisions of the bridge that need no venue."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from providers.base import Instrument
from providers.engine.book import trusted_order
from providers.engine.money import ZERO, exact
from providers.engine.state import AccountState, Event, Ledger
from providers.engine.transitions import new_position
from providers.engine.turn import Turn
from providers.engine.world import Rules, World
from providers.live import booking
from providers.live.exits import Surroundings
from providers.live.slips import Slip, Slips, Stage
from providers.live.venue import Execution, Progress, Report, Ticket, Traits
from providers.models import (
    AssetClass,
    MarginMode,
    Order,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    Quote,
    Side,
    TimeInForce,
)
from tests.live.fake import BTC, quoted, traits

Amount = int | str | Decimal
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
ORDER: dict[str, Any] = {
    "symbol": "BTC/USD",
    "side": Side.BUY,
    "order_type": OrderType.LIMIT,
    "limit_price": Decimal(90),
    "status": OrderStatus.OPEN,
    "time_in_force": TimeInForce.GTC,
    "filled_quantity": ZERO,
}


class Notes:
    """The memos of an account."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def memos(self, kind: str) -> dict[str, str]:
        return {key: body for (noted, key), body in sorted(self.kept.items()) if noted == kind}

    def memo(self, kind: str, key: str) -> str | None:
        return self.kept.get((kind, key))

    def set_memo(self, kind: str, key: str, body: str | None) -> None:
        if body is None:
            self.kept.pop((kind, key), None)
        else:
            self.kept[kind, key] = body


class Account:
    """Orders, positions, slips, and everything that has happened."""

    def __init__(self, **rules: Any) -> None:
        self.now = NOW
        self.state = AccountState("default", Ledger(ZERO, ZERO, "USD"), NOW - timedelta(hours=1))
        self.notes = Notes()
        self.slips = Slips(self.notes)
        self.events: list[Event] = []
        self.rules = Rules(**rules)
        self.quote: Quote | None = quoted("BTC/USD", 100, 101, timestamp=NOW)
        self.all: dict[str, Order] = {}
        self._numbers = itertools.count(1)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}-{next(self._numbers)}"

    def order(self, order_id: str, quantity: int | str, **more: Any) -> Order:
        """Put an order into the books; all its fields may be given."""
        values = {**ORDER, **more}
        self.now += timedelta(milliseconds=1)
        order: Order = trusted_order(
            id=order_id,
            quantity=Decimal(quantity),
            remaining_quantity=Decimal(quantity) - values["filled_quantity"],
            created_at=self.now,
            updated_at=self.now,
            **values,
        )
        self.state._put_order(order)
        self.all[order_id] = order
        return order

    def exit(self, order_id: str, quantity: int | str, price: int | str, **more: Any) -> Order:
        """A stop-loss, or with `order_type` a take-profit, of a long position."""
        kind = more.setdefault("order_type", OrderType.STOP)
        field = "limit_price" if kind is OrderType.LIMIT else "stop_price"
        given = {
            "limit_price": None,
            "side": Side.SELL,
            "reduce_only": True,
            "parent_order_id": "entry",
            "triggered": None if kind is OrderType.LIMIT else False,
            field: Decimal(price),
            **more,
        }
        return self.order(order_id, quantity, **given)

    def hold(self, quantity: int | str, side: PositionSide = PositionSide.LONG) -> Position:
        held: Position = new_position(
            id="pos-0",
            symbol="BTC/USD",
            side=side,
            quantity=Decimal(quantity),
            average_entry_price=Decimal(100),
            cost_basis=Decimal(quantity) * 100,
            current_price=Decimal(100),
            unrealized_pnl=ZERO,
            realized_pnl=ZERO,
            margin_mode=MarginMode.CROSS,
            leverage=Decimal(1),
            opened_at=self.now,
            updated_at=self.now,
        )
        self.state._put_position(held)
        return held

    def slip(self, order: Order, stage: Stage = Stage.WORKING, **more: Any) -> Slip:
        """A ticket of an order; its own fields, and those of the slip, may be given."""
        names = Ticket.__dataclass_fields__.keys() - {"filled"}
        own = {key: more.pop(key) for key in tuple(more) if key in names}
        ticket = Ticket(
            client_id=own.pop("client_id", f"t-{order.id}"),
            venue_id=own.pop("venue_id", f"v-{order.id}"),
            symbol=order.symbol,
            side=order.side,
            order_type=own.pop("order_type", order.order_type),
            quantity=own.pop("quantity", order.remaining_quantity),
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            reduce_only=order.reduce_only is True,
        )
        ticket = replace(ticket, **own)
        return self.slips.put(
            Slip(order_id=order.id, ticket=ticket, stage=stage, since=self.now, **more)
        )

    def surroundings(
        self,
        chosen: Traits | None = None,
        paused: Callable[[str], bool] = lambda _: False,
    ) -> Surroundings:
        return Surroundings(
            traits=chosen or traits(),
            asset_class=lambda _: AssetClass.CRYPTO,
            quote=lambda _: self.quote,
            paused=paused,
        )

    def turn(self) -> Turn:
        listed: dict[str, Instrument] = {"BTC/USD": BTC}
        world = World(
            now=self.now,
            new_id=self.new_id,
            quote=lambda _: self.quote or quoted("BTC/USD", 100, 101, timestamp=NOW),
            instrument=listed.get,
            rules=self.rules,
            session_end=lambda _, moment: moment + timedelta(hours=8),
            between=True,
            at_venue=self.slips.at_venue,
            judges_margin=False,
        )
        return Turn(self.state, world)

    def enter(self, turn: Turn) -> None:
        events = turn.decision(None).events
        self.state.apply_all(events)
        self.events += events
        self.all |= {e.entity.id: e.entity for e in events if isinstance(e.entity, Order)}

    def book(self, slip: Slip, report: Report, *, asked: bool = False) -> None:
        """Enter a report, as the bridge does."""
        self.now += timedelta(seconds=1)
        known = self.slips.known(slip.client_id, slip.ticket.venue_id) or slip
        with exact():
            turn = self.turn()
            when = self.now if asked else None
            booking.book(turn, self.slips, known, report, asked=when)
            self.enter(turn)

    @property
    def held(self) -> Decimal:
        return sum(
            (
                each.quantity if each.side is PositionSide.LONG else -each.quantity
                for each in self.state.positions.values()
            ),
            ZERO,
        )

    def names(self) -> list[str]:
        return [event.name for event in self.events]


def execution(quantity: Amount, at: Amount, cumulative: Amount, **more: Any) -> Execution:
    return Execution(
        quantity=Decimal(quantity),
        price=Decimal(at),
        cumulative=Decimal(cumulative),
        at=NOW,
        **more,
    )


def report(slip: Slip, progress: Progress, *executions: Execution, **more: Any) -> Report:
    """What the venue says of a ticket; filled as its executions say, unless told otherwise."""
    ticket = slip.ticket
    given: dict[str, Any] = {
        "filled": executions[-1].cumulative if executions else ZERO,
        "quantity": ticket.quantity,
        "limit_price": ticket.limit_price,
        "stop_price": ticket.stop_price,
        **more,
    }
    return Report(
        client_id=ticket.client_id,
        venue_id=ticket.venue_id or "v",
        progress=progress,
        symbol=ticket.symbol,
        side=ticket.side,
        order_type=ticket.order_type,
        at=NOW,
        time_in_force=ticket.time_in_force,
        executions=executions,
        **given,
    )
