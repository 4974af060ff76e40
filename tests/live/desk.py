"""A provider over the fake venue, and the requests that tests make of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from providers.base import OrderQuery, TradeQuery
from providers.engine.state import EventType
from providers.live.account import Books
from providers.live.assembly import live_provider
from providers.live.pace import Pace
from providers.live.provider import LiveProvider
from providers.live.slips import LIVE, PAST, Slip, decoded
from providers.models import (
    ModifyOrderRequest,
    Order,
    OrderRequest,
    OrderType,
    Position,
    Side,
    Trade,
)
from providers.store.opening import open_store
from tests.live.fake import FakeFeed, FakeVenue, Standing, Time, until

ACCOUNT = "default"
QUICK = Pace(
    ask_after=(0.001, 0.002, 0.003),
    answer=0.4,
    execution=0.02,
    look=0.01,
    poll=0.03,
    turn=0.01,
    overdue=0.5,
    overdue_cancel=0.05,
    compare=60.0,
    compare_again=0.01,
    pause=0.02,
    longest_pause=0.1,
    tick=0.05,
)
"""Tests that wait for nobody else; both sides are compared when it is asked for."""


@dataclass
class Desk:
    """One server of ours at the venue; `again` starts it anew on the same books."""

    venue: FakeVenue
    path: Path
    pace: Pace = QUICK
    clock: Time = field(default_factory=Time)
    feed: FakeFeed = field(default_factory=FakeFeed)
    provider: LiveProvider = field(init=False)

    async def start(self) -> None:
        url = f"sqlite:///{self.path}"
        store = open_store(url, initial_balance=Decimal(0), synchronous="NORMAL")
        self.provider = live_provider(
            self.venue, self.feed, store, account=ACCOUNT, clock=self.clock, pace=self.pace
        )
        await self.provider.start()

    async def again(self) -> None:
        await self.provider.stop()
        self.feed = FakeFeed()
        await self.start()

    async def compare(self) -> None:
        """Have both sides compared, and wait until that has been done: until the next begins."""
        for _ in range(2):
            before = self.venue.count("funds")
            self.provider.watch.look_soon()
            await until(lambda before=before: self.venue.count("funds") > before)  # type: ignore[misc]

    # Requests

    async def submit(self, side: Side = Side.BUY, quantity: Any = 2, **more: Any) -> Order:
        """A limit order away from the market, unless told otherwise."""
        kind = more.setdefault("order_type", OrderType.LIMIT)
        if kind is OrderType.LIMIT:
            more.setdefault("limit_price", Decimal(90 if side is Side.BUY else 120))
        request = OrderRequest(
            symbol=more.pop("symbol", "BTC/USD"), side=side, quantity=Decimal(quantity), **more
        )
        submission = await self.provider.submit_order(ACCOUNT, request)
        return await self.order(submission.handle.id)

    async def change(self, order: Order, **changes: Any) -> Order:
        wanted = {name: Decimal(value) for name, value in changes.items()}
        return await self.provider.modify_order(ACCOUNT, order.id, ModifyOrderRequest(**wanted))

    async def cancel(self, order: Order) -> Any:
        return await self.provider.cancel_order(ACCOUNT, order.id)

    async def bought(self, quantity: Any = 2, **more: Any) -> Position:
        """A long position, from a MARKET order that has filled at 101."""
        buying = await self.submit(Side.BUY, quantity, order_type=OrderType.MARKET, **more)
        self.venue.fill(self.at_venue(buying), Decimal(quantity), "101")
        await self.reaches(buying.id, "FILLED")
        (held,) = await self.provider.list_positions(ACCOUNT, None)
        return held

    # What there is

    async def order(self, order_id: str) -> Order:
        return await self.provider.get_order(ACCOUNT, order_id)

    async def orders(self) -> list[Order]:
        """All of them, oldest first."""
        query = OrderQuery(limit=1000)
        pages = (
            await self.provider.list_orders(ACCOUNT, query),
            await self.provider.list_order_history(ACCOUNT, query),
        )
        every = [order for page in pages for order in page.items]
        return sorted(every, key=lambda order: order.created_at)

    async def statuses(self) -> list[str]:
        return [order.status.value for order in await self.orders()]

    async def trades(self) -> list[Trade]:
        return (await self.provider.list_trades(ACCOUNT, TradeQuery())).items[::-1]

    async def held(self) -> Decimal:
        positions = await self.provider.list_positions(ACCOUNT, None)
        signs = {"LONG": 1, "SHORT": -1}
        return sum((each.quantity * signs[each.side.value] for each in positions), Decimal(0))

    async def slips(self, kind: str = LIVE) -> list[Slip]:
        bodies = await self.provider._store.read(lambda reader: reader.memos(ACCOUNT, kind))
        return decoded(bodies.values())

    async def past(self) -> list[Slip]:
        return await self.slips(PAST)

    async def notices(self) -> list[str]:
        """The frames of type error."""
        frames = await self.provider._store.read(lambda reader: reader.events(ACCOUNT, 0, 10000))
        return [frame.json for frame in frames if frame.type is EventType.ERROR]

    def at_venue(self, order: Order) -> Standing:
        """The open order at the venue that was first sent for one of ours."""
        (one,) = [
            each
            for each in self.venue.open()
            if each.ticket.client_id in (order.id, order.client_order_id)
        ]
        return one

    async def reaches(self, order_id: str, *statuses: str) -> Order:
        """The order once it has one of these statuses. Raises AssertionError if it never has."""
        order = await self.order(order_id)
        for _ in range(2000):
            if order.status.value in statuses:
                return order
            await self.provider._live.moved(0.01)
            order = await self.order(order_id)
        raise AssertionError(f"{order_id} is {order.status.value}, not {statuses}")

    async def quiet(self) -> None:
        """Wait until nothing is under way."""
        for _ in range(500):
            if all(slip.stage.value == "WORKING" for slip in await self.slips()):
                return
            await self.provider._live.moved(0.01)
        raise AssertionError("something is still under way")

    async def note(self, command: Callable[[Books], Any]) -> Any:
        """Change the books past everybody, as another process may have."""
        return await self.provider._live.note(command)


@contextlib.asynccontextmanager
async def trading(
    folder: Path, venue: FakeVenue | None = None, pace: Pace = QUICK
) -> AsyncIterator[Desk]:
    """A server at the venue, stopped at the end."""
    desk = Desk(venue or FakeVenue(), folder / "ours.db", pace)
    await desk.start()
    try:
        yield desk
    finally:
        await desk.provider.stop()
