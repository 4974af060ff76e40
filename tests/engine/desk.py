"""One account on a market set by hand: the given, when and then of the engine's tests.

>>> desk = Desk(balance="10000")
>>> desk.quote("99", "100", size="10")
>>> order = desk.buy("4")
>>> desk.happened
['ORDER_CREATED', 'ORDER_FILLED', 'TRADE_FILLED', 'POSITION_OPENED']
>>> row(order, "status filled_quantity average_fill_price")
'FILLED 4 100'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel

from providers.base import Instrument
from providers.engine import orders as engine
from providers.engine.links import Link, links
from providers.engine.margin import figures, marked
from providers.engine.sessions import is_open, session_end
from providers.engine.state import TERMINAL, AccountState, Event, Ledger, Notice
from providers.engine.world import Decision, Rules, World
from providers.errors import TradingError
from providers.models import (
    Account,
    AssetClass,
    CancelOrderResult,
    CloseOrderType,
    ClosePositionRequest,
    MarginMode,
    ModifyOrderRequest,
    ModifyPositionRequest,
    Order,
    OrderRequest,
    OrderType,
    Position,
    PositionMode,
    Quote,
    Side,
    TimeInForce,
    Trade,
    TrailingType,
)

T = TypeVar("T")

OPENING = datetime(2025, 1, 15, 15, 0, tzinfo=UTC)
"""A Wednesday, 10:00 in New York."""

INSTRUMENTS = {
    instrument.symbol: instrument
    for instrument in (
        Instrument(
            symbol="AAPL",
            asset_class=AssetClass.STOCK,
            price_increment=Decimal("0.01"),
            quantity_increment=Decimal(1),
        ),
        Instrument(
            symbol="EUR/USD",
            asset_class=AssetClass.FOREX,
            price_increment=Decimal("0.00001"),
            quantity_increment=Decimal(1),
        ),
        Instrument(
            symbol="BTC/USD",
            asset_class=AssetClass.CRYPTO,
            price_increment=Decimal("0.01"),
            quantity_increment=Decimal("0.0001"),
        ),
        Instrument(
            symbol="DUST/USD",
            asset_class=AssetClass.CRYPTO,
            price_increment=Decimal("1E-18"),
            quantity_increment=Decimal("1E-18"),
        ),
        Instrument(
            symbol="SAP",
            asset_class=AssetClass.STOCK,
            price_increment=Decimal("0.01"),
            quantity_increment=Decimal(1),
            currency="EUR",
        ),
    )
}


class Desk:
    """An account with its events applied, and the commands to move it.

    Money and quantities go in as text. A refused command raises its TradingError, after its
    events. `happened` are the names of the last command's events, `log` all events, `orders` and
    `positions` the last snapshot of each, also of what has ended. Further rules of the exchange are
    given as `max_leverage="5"`; with `sessions` the markets close as theirs do.
    """

    def __init__(
        self,
        balance: str = "1000000",
        *,
        maker_fee: str = "0",
        taker_fee: str = "0",
        leverage: str = "1",
        at: datetime = OPENING,
        hedging: bool = False,
        latency: timedelta = timedelta(0),
        sessions: bool = False,
        **rules: str,
    ) -> None:
        ledger = Ledger(Decimal(balance), Decimal(balance), "USD")
        self.now = at
        self.opening = AccountState("acc", ledger, at - timedelta(days=1))
        self.state = AccountState("acc", ledger, at - timedelta(days=1))
        policy: dict[str, Any] = {name: Decimal(value) for name, value in rules.items()}
        self.rules = Rules(
            position_mode=PositionMode.HEDGING if hedging else PositionMode.NETTING,
            maker_fee=Decimal(maker_fee),
            taker_fee=Decimal(taker_fee),
            leverage=Decimal(leverage),
            latency=latency,
            **policy,
        )
        self.sessions = sessions
        self.quotes: dict[str, Quote] = {}
        self.log: list[Event] = []
        self.happened: list[str] = []
        self.orders: dict[str, Order] = {}
        self.positions: dict[str, Position] = {}
        self.trades: list[Trade] = []
        self.notices: list[Notice] = []
        self._made = 0

    # Given

    def quote(
        self,
        bid: str,
        ask: str,
        *,
        symbol: str = "AAPL",
        size: str | None = "1000000",
        bid_size: str | None = None,
        ask_size: str | None = None,
    ) -> None:
        """A second later there is a new quote; resting orders have not met it yet."""
        self.now += timedelta(seconds=1)
        self.quotes[symbol] = Quote(
            symbol=symbol,
            provider="desk",
            bid=Decimal(bid),
            ask=Decimal(ask),
            bid_size=_decimal(bid_size or size),
            ask_size=_decimal(ask_size or size),
            last=Decimal(bid),
            timestamp=self.now,
        )

    def world(self) -> World:
        return surroundings(
            now=self.now,
            new_id=self._new_id,
            quotes=self.quotes,
            orders=self.orders,
            rules=self.rules,
            sessions=self.sessions,
        )

    # When

    def buy(self, quantity: str, order_type: str = "MARKET", **fields: Any) -> Order:
        return self.submit(request("BUY", quantity, order_type, **fields))

    def sell(self, quantity: str, order_type: str = "MARKET", **fields: Any) -> Order:
        return self.submit(request("SELL", quantity, order_type, **fields))

    def place(self, text: str) -> Order:
        """Submit an order written as in `order_of`."""
        return self.submit(order_of(text))

    def submit(self, order: OrderRequest) -> Order:
        return self._do(engine.submit(self.state, order, self.world()))

    def modify(self, order: Order, **changes: str | None) -> Order:
        """Change the order as it is now, wherever the given snapshot comes from."""
        change = ModifyOrderRequest(**{k: _decimal(v) for k, v in changes.items()})
        return self._do(engine.modify(self.state, self.orders[order.id], change, self.world()))

    def cancel(self, order: Order) -> CancelOrderResult:
        return self._do(engine.cancel(self.state, self.orders[order.id], self.world()))

    def close(
        self,
        position: Position,
        quantity: str | None = None,
        *,
        limit: str | None = None,
        keep_exits: bool = False,
    ) -> Order:
        how = ClosePositionRequest(
            quantity=_decimal(quantity),
            order_type=CloseOrderType.LIMIT if limit else None,
            limit_price=_decimal(limit),
            cancel_associated_orders=False if keep_exits else None,
        )
        return self._do(engine.close(self.state, position, how, self.world()))

    def protect(self, position: Position, **exits: str | None) -> Position:
        """Give the position a stop_loss or a take_profit, or move the one it has."""
        change = ModifyPositionRequest(**{k: _decimal(v) for k, v in exits.items()})
        return self._do(engine.protect(self.state, position, change, self.world()))

    def guard(self) -> None:
        """Look after the margin, as the market clock does after each tick."""
        self._do(engine.guard_margin(self.state, self.world()))

    def tick(self, bid: str, ask: str, *, symbol: str = "AAPL", **sizes: str | None) -> None:
        """A new quote, which every open order then meets, as the market clock does it."""
        self.quote(bid, ask, symbol=symbol, **sizes)
        self.meet()

    def wait(self, until: datetime) -> None:
        """Time passes and the market clock comes round; quotes stay as they are."""
        self.now = until
        self.meet()

    def meet(self) -> None:
        """Let every open order meet its present quote, the oldest first."""
        happened = []
        for order in sorted(self.state.orders.values(), key=lambda order: order.created_at):
            still_open = self.state.orders.get(order.id)
            if still_open is not None:
                self._do(engine.advance(self.state, still_open, self.world()))
                happened += self.happened
        self.happened = happened

    # Then

    @property
    def position(self) -> Position:
        """The only open position."""
        (position,) = self.state.positions.values()
        return position

    @property
    def account(self) -> Account:
        return figures(self.state, self.world())

    @property
    def resting(self) -> list[Order]:
        """The open orders, the oldest first."""
        return sorted(self.state.orders.values(), key=lambda order: order.created_at)

    def legs(self, entry: Order) -> list[Order]:
        """The stop-loss and the take-profit of an entry, as they are or were in the end."""
        return [order for order in self.orders.values() if order.parent_order_id == entry.id]

    def now_of(self, order: Order) -> Order:
        return self.orders[order.id]

    def marked(self) -> Position:
        """The only open position, marked at the present quote."""
        return marked(self.position, self.world())

    def _do(self, decision: Decision[T]) -> T:
        self.happened = [event.name for event in decision.events]
        whole = copied(self.state)
        whole.apply_all(decision.events)
        for event in decision.events:
            self._note(event)
        assert picture(self.state) == picture(whole) == picture(copied(whole))
        self._adds_up(decision.events)
        if isinstance(decision.result, TradingError):
            raise decision.result
        return decision.result

    def _note(self, event: Event) -> None:
        assert event.at > self.state.last_time
        self.log.append(event)
        self.state.apply(event)
        entity = event.entity
        if isinstance(entity, Order):
            before = self.orders.get(entity.id)
            assert before is None or before.status not in TERMINAL
            self.orders[entity.id] = entity
        elif isinstance(entity, Position):
            self.positions[entity.id] = entity
        elif isinstance(entity, Trade):
            self.trades.append(entity)
        elif isinstance(entity, Notice):
            self.notices.append(entity)

    def _adds_up(self, events: Sequence[Event]) -> None:
        """What a decision says of the account is the account; deposits never change."""
        assert self.state.ledger.deposits == self.opening.ledger.deposits
        assert isinstance(self.state.ledger.warned, bool)
        if events and events[-1].shown is not None:
            assert events[-1].shown == self.account

    def _new_id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}_{self._made}"


def surroundings(
    *,
    now: datetime,
    new_id: Callable[[str], str],
    quotes: Mapping[str, Quote],
    orders: Mapping[str, Order],
    rules: Rules,
    sessions: bool,
) -> World:
    """The world of a decision; of all orders there ever were it is told which groups traded."""
    return World(
        now=now,
        new_id=new_id,
        quote=quotes.__getitem__,
        instrument=INSTRUMENTS.get,
        session_end=session_end,
        is_open=is_open if sessions else lambda *_: True,
        group_traded=lambda group: any(
            order.oco_group_id == group and order.filled_quantity for order in orders.values()
        ),
        rules=rules,
    )


def request(
    side: str,
    quantity: str,
    order_type: str = "MARKET",
    *,
    symbol: str = "AAPL",
    limit: str | None = None,
    stop: str | None = None,
    tif: str | None = None,
    **fields: Any,
) -> OrderRequest:
    """An order request; of the fields, amounts and names are given as text."""
    return OrderRequest(
        symbol=symbol,
        side=Side(side),
        quantity=Decimal(quantity),
        order_type=OrderType(order_type),
        limit_price=_decimal(limit),
        stop_price=_decimal(stop),
        time_in_force=TimeInForce(tif) if tif else None,
        **{name: READ.get(name, Decimal)(value) for name, value in fields.items()},
    )


READ: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("client_order_id", "oco_group_id", "position_id"), str),
    **dict.fromkeys(("reduce_only", "post_only", "hidden"), bool),
    "margin_mode": MarginMode,
    "trailing_type": TrailingType,
}
"""How fields that are not amounts are read."""


def order_of(text: str) -> OrderRequest:
    """An order in words, the stop before the limit; of AAPL unless it says `of`.

    `BUY 4`, `SELL 4 LIMIT 105 IOC`, `BUY 4 STOP 110 DAY`, `BUY 4 STOP_LIMIT 110 111 of BTC/USD`
    """
    order, _, symbol = text.partition(" of ")
    side, quantity, *rest = order.split()
    order_type = rest.pop(0) if rest else "MARKET"
    stop = rest.pop(0) if order_type in ("STOP", "STOP_LIMIT") else None
    limit = rest.pop(0) if order_type in ("LIMIT", "STOP_LIMIT") else None
    tif = rest.pop(0) if rest else None
    assert rest == [], f"{text!r} says more than an order takes"
    return request(
        side, quantity, order_type, symbol=symbol or "AAPL", limit=limit, stop=stop, tif=tif
    )


def row(entity: BaseModel, fields: str) -> str:
    """Some fields of an order, position, trade or account, as text: `FILLED 4 100`."""
    return " ".join(_text(getattr(entity, field)) for field in fields.split())


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, StrEnum):
        return value.value
    return "-" if value is None else str(value)


def plain(value: Decimal) -> str:
    """The number in plain notation without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def copied(state: AccountState) -> AccountState:
    """The account again, its indexes built anew."""
    return AccountState(
        state.account, state.ledger, state.last_time, dict(state.orders), dict(state.positions)
    )


def picture(state: AccountState) -> dict[str, Any]:
    """Everything an account state holds, as a value of its own that can be compared."""
    return {
        "ledger": state.ledger,
        "last_time": state.last_time,
        "orders": dict(state.orders),
        "positions": dict(state.positions),
        "reserves": {
            (symbol, side): state.reserves.of(symbol, side)
            for symbol in state.reserves.symbols()
            for side in Side
        },
        "links": {link: state.index.get(link) for link in linked(state)},
    }


def linked(state: AccountState) -> set[Link]:
    """Every link that the index knows or that an open order has."""
    known = set(state.index._ids)
    return known | {link for order in state.orders.values() for link in links(order)}
