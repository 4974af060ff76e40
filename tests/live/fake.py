"""A venue and a feed that do what a test tells them, and remember what they were asked."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from providers.base import BarQuery, Instrument
from providers.errors import ProviderUnavailable, SymbolNotFound
from providers.live.venue import (
    ZERO,
    Amends,
    Connection,
    Execution,
    Funds,
    Gone,
    Holding,
    Limits,
    Progress,
    Report,
    Ticket,
    Traits,
    Update,
    Wanted,
)
from providers.models import AssetClass, Bar, OrderType, Quote, Side, TimeInForce

EVERY = frozenset(TimeInForce)
BTC = Instrument(
    symbol="BTC/USD",
    asset_class=AssetClass.CRYPTO,
    price_increment=Decimal("0.01"),
    quantity_increment=Decimal("0.001"),
)
ETH = replace(BTC, symbol="ETH/USD")
BASIC = {OrderType.MARKET: EVERY, OrderType.LIMIT: EVERY}
WITH_STOPS = {**BASIC, OrderType.STOP: EVERY, OrderType.STOP_LIMIT: EVERY}


def traits(
    amends: Amends = Amends.IN_PLACE, orders: Mapping[Any, Any] | None = None, **more: Any
) -> Traits:
    """A venue for crypto without stops, unless told otherwise."""
    given: dict[str, Any] = {"money_is_cash": False, **more}
    return Traits(orders={AssetClass.CRYPTO: orders or BASIC}, amends=amends, **given)


def price(text: str | int) -> Decimal:
    return Decimal(text)


@dataclass
class Fault:
    """What a call does instead of answering: before or after it is carried out."""

    error: Exception
    done: bool = False


@dataclass
class Standing:
    """An order at the venue."""

    ticket: Ticket
    venue_id: str
    progress: Progress = Progress.WORKING
    executions: list[Execution] = field(default_factory=list)
    replaced_by: str | None = None

    @property
    def filled(self) -> Decimal:
        return self.executions[-1].cumulative if self.executions else ZERO


class Time:
    """A clock that moves on by itself, a little with each look; a test may move it further."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def pass_by(self, seconds: float) -> None:
        self.offset += timedelta(seconds=seconds)


class FakeVenue:
    """Keeps orders; nothing fills by itself. `faults` say what calls do next; `hooks` are called
    in commands: `submit` when it is carried out, and not answered yet, `before submit` ahead of it.
    """

    def __init__(self, chosen: Traits | None = None) -> None:
        self.name = "fake"
        self._traits = chosen or traits()
        self.standing: dict[str, Standing] = {}
        self.calls: list[tuple[str, str]] = []
        self.faults: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self.hooks: dict[str, Callable[[Ticket], Any]] = {}
        self.held: dict[str, Holding] = {}
        self.money = Funds(currency="USD", money=Decimal(100000))
        self.lazy = False
        self.priceless: set[str] = set()
        self.unaware: set[str] = set()
        self._told: asyncio.Queue[Update] = asyncio.Queue()
        self._numbers = 0

    @property
    def limits(self) -> Limits | None:
        return None

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return {each.symbol: each for each in (BTC, ETH)}

    async def start(self) -> None:
        await self._call("start", "")

    async def stop(self) -> None: ...

    # What a test does

    def fails(self, call: str, *errors: Exception | None, done: bool = False) -> None:
        """The next calls fail so; None lets one pass."""
        self.faults[call] += [Fault(each, done) if each else None for each in errors]

    def count(self, call: str) -> int:
        return sum(name == call for name, _ in self.calls)

    def open(self) -> list[Standing]:
        return [each for each in self.standing.values() if not each.progress.over]

    def only(self) -> Standing:
        """The one order that is open."""
        (one,) = self.open()
        return one

    def place(self, ticket: Ticket) -> Standing:
        self._numbers += 1
        placed = Standing(ticket, f"v{self._numbers}")
        self.standing[placed.venue_id] = placed
        return placed

    def fill(
        self,
        one: Standing,
        quantity: int | str | Decimal,
        at: int | str | Decimal,
        *,
        tell: bool = True,
        **more: Any,
    ) -> Report:
        """The order trades; the stream tells of it."""
        amount = Decimal(quantity)
        done = Execution(
            quantity=amount,
            price=Decimal(at),
            cumulative=one.filled + amount,
            at=datetime.now(UTC),
            **more,
        )
        one.executions.append(done)
        if one.filled >= one.ticket.quantity:
            one.progress = Progress.FILLED
        self._hold(one.ticket.symbol, amount if one.ticket.side is Side.BUY else -amount)
        report = replace(self.report(one), executions=(done,))
        if tell:
            self.tell(report)
        return report

    def _hold(self, symbol: str, change: Decimal) -> None:
        before = self.held.get(symbol, Holding(symbol=symbol, quantity=ZERO))
        self.held[symbol] = replace(before, quantity=before.quantity + change)

    def finish(self, one: Standing, progress: Progress, *, tell: bool = True) -> Report:
        one.progress = progress
        report = self.report(one)
        if tell:
            self.tell(report)
        return report

    def tell(self, update: Update) -> None:
        self._told.put_nowait(update)

    def report(self, one: Standing) -> Report:
        ticket, worth = one.ticket, sum((e.price * e.quantity for e in one.executions), ZERO)
        told = one.venue_id not in self.priceless
        return Report(
            client_id=ticket.client_id,
            venue_id=one.venue_id,
            progress=one.progress,
            symbol=ticket.symbol,
            side=ticket.side,
            order_type=ticket.order_type,
            quantity=ticket.quantity,
            filled=one.filled,
            at=datetime.now(UTC),
            time_in_force=ticket.time_in_force,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            average_price=worth / one.filled if one.filled and told else None,
            replaced_by=one.replaced_by,
        )

    # The port

    async def submit(self, ticket: Ticket) -> Report:
        async with self._carrying_out("submit", ticket):
            one = self.place(ticket)
        return self.report(one)

    async def replace(self, ticket: Ticket, changed: Ticket) -> Report:
        one = self._standing(ticket)
        if one is not None and one.progress.over:
            one = None
        async with self._carrying_out("replace", ticket):
            if one is None:
                raise Gone(ticket.client_id)
            if self._traits.amends is Amends.IN_PLACE:
                one.ticket = replace(changed, client_id=ticket.client_id)
                return self.report(one)
            new = self.place(changed)
            one.progress, one.replaced_by = Progress.CANCELLED, new.venue_id
        return self.report(new)

    async def cancel(self, ticket: Ticket) -> Report | None:
        one = self._standing(ticket)
        async with self._carrying_out("cancel", ticket):
            if one is None or one.progress.over:
                raise Gone(ticket.client_id)
            if not self.lazy:
                one.progress = Progress.CANCELLED
        return None if self.lazy else self.report(one)

    async def find(self, ticket: Ticket) -> Report | None:
        await self._call("find", ticket.client_id, ticket)
        if ticket.client_id in self.unaware:
            return None
        one = self._standing(ticket)
        return None if one is None else self.report(one)

    async def open_orders(self) -> Sequence[Report]:
        await self._call("open_orders", "")
        known = [one for one in self.open() if one.ticket.client_id not in self.unaware]
        return [self.report(one) for one in known]

    async def executions(self, ticket: Ticket) -> Sequence[Execution] | None:
        await self._call("executions", ticket.client_id)
        one = self._standing(ticket)
        if one is None or one.venue_id in self.priceless:
            return None
        return list(one.executions)

    async def holdings(self) -> Sequence[Holding]:
        await self._call("holdings", "")
        return [each for each in self.held.values() if each.quantity]

    async def funds(self) -> Funds:
        await self._call("funds", "")
        return self.money

    async def ping(self) -> None:
        await self._call("ping", "")

    async def updates(self) -> AsyncIterator[Update]:
        yield Connection(up=True)
        while True:
            yield await self._told.get()

    def _standing(self, ticket: Ticket) -> Standing | None:
        for one in self.standing.values():
            if one.ticket.client_id == ticket.client_id or one.venue_id == ticket.venue_id:
                return one
        return None

    async def _call(self, name: str, about: str, ticket: Ticket | None = None) -> None:
        self.calls.append((name, about))
        fault = self.faults[name].popleft() if self.faults[name] else None
        if fault is not None:
            raise fault.error
        await self._hook(name, ticket)

    async def _hook(self, name: str, ticket: Ticket | None) -> None:
        if name in self.hooks and ticket is not None:
            done = self.hooks[name](ticket)
            if done is not None:
                await done

    def _carrying_out(self, name: str, ticket: Ticket) -> _CarryingOut:
        self.calls.append((name, ticket.client_id))
        fault = self.faults[name].popleft() if self.faults[name] else None
        return _CarryingOut(self, name, ticket, fault)


@dataclass
class _CarryingOut:
    """The inside of a command: its fault strikes before or after it."""

    venue: FakeVenue
    name: str
    ticket: Ticket
    fault: Fault | None

    async def __aenter__(self) -> None:
        if self.fault is not None and not self.fault.done:
            raise self.fault.error
        await self.venue._hook(f"before {self.name}", self.ticket)

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            await self.venue._hook(self.name, self.ticket)
            if self.fault is not None:
                raise self.fault.error


def quoted(symbol: str, bid: int | str | Decimal, ask: int | str | Decimal, **more: Any) -> Quote:
    given: dict[str, Any] = {
        "bid_size": None,
        "ask_size": None,
        "last": None,
        "timestamp": datetime.now(UTC),
        **more,
    }
    return Quote(symbol=symbol, provider="fake", bid=Decimal(bid), ask=Decimal(ask), **given)


class FakeFeed:
    """Tells what a test sets."""

    def __init__(self) -> None:
        self.name = "fake-feed"
        self.known = {each.symbol: each for each in (BTC, ETH)}
        self.latest = {"BTC/USD": quoted("BTC/USD", "100", "101")}
        self.asked: list[list[str]] = []
        self.error: Exception | None = None
        self.wanted: Wanted | None = None
        self.streams = 0
        self.stops = 0
        self._told: asyncio.Queue[Quote | Connection | Exception] = asyncio.Queue()

    async def start(self) -> None: ...

    async def stop(self) -> None:
        self.stops += 1

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self.known

    async def look_up(self, symbol: str) -> Instrument:
        if symbol != "LATE/USD":
            raise SymbolNotFound(symbol)
        return self.known.setdefault(symbol, replace(BTC, symbol=symbol))

    async def quotes(self, symbols: Iterable[str]) -> Sequence[Quote]:
        wanted = list(symbols)
        self.asked.append(wanted)
        if self.error is not None:
            raise self.error
        return [self.latest[symbol] for symbol in wanted if symbol in self.latest]

    async def bars(self, query: BarQuery, at: datetime) -> list[Bar]:
        del query, at
        raise ProviderUnavailable("there are no bars")

    async def stream(self, wanted: Wanted) -> AsyncIterator[Quote | Connection]:
        self.wanted = wanted
        self.streams += 1
        yield Connection(up=True)
        while True:
            told = await self._told.get()
            if isinstance(told, Exception):
                raise told
            yield told

    def tell(self, told: Quote | Connection | Exception) -> None:
        """By the stream; a quote is the latest one then."""
        if isinstance(told, Quote):
            self.latest[told.symbol] = told
        self._told.put_nowait(told)


async def until(reached: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait for a condition. Raises AssertionError when it does not come about in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not reached():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("it did not come about")
        await asyncio.sleep(0.005)
