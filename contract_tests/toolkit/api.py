"""One account on one server, as a check sees it: requests, orders, and leaving no trace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

from contract_tests.toolkit.client import Answer, Client
from contract_tests.toolkit.expect import (
    Endurance,
    Failure,
    NotDeclared,
    NotExercised,
    NotOffered,
    Overdue,
    dec,
    equal,
    eventually,
    one_of,
    plain,
    that,
)
from contract_tests.toolkit.invariants import moment
from contract_tests.toolkit.lab import Lab
from contract_tests.toolkit.market import TERMINAL, Instrument, Market, Quote
from contract_tests.toolkit.stream import PATH as STREAM_PATH
from contract_tests.toolkit.stream import Stream

Body = dict[str, Any]
T = TypeVar("T")
OPEN: Final = {"PENDING", "OPEN", "PARTIALLY_FILLED", "PENDING_CANCEL"}
CIRCUMSTANCES: Final = {
    "INSUFFICIENT_MARGIN",
    "INSUFFICIENT_BALANCE",
    "MARKET_CLOSED",
    "RATE_LIMITED",
    "WASH_TRADE",
}
"""Reasons to reject a valid order that say more of the account and the hour than of the server."""

IMMEDIATE: Final = frozenset({"IOC", "FOK"})
"""The times in force that not every venue has for every order."""

FIGURES: Final = ("balance", "equity", "margin_used", "margin_available", "unrealized_pnl")
MOST: Final = 1000
"""The longest list that the document lets a client ask for."""

LONGEST_PAUSE: Final = 60
"""Seconds that a run obeys Retry-After at most."""


class Api:
    """The requests of a check. Every order that it makes is remembered for `clean_up`."""

    def __init__(self, client: Client, *, lab: Lab | None = None, symbols: Sequence[str] = ()):
        self.client = client
        self.lab = lab or Lab()
        self.market = Market(client, symbols)
        self._created: list[str] = []
        self._exits = False
        self._unclean: list[Failure] = []
        self._streams: list[Stream] = []
        self._endurance = Endurance()
        self._paused = 0

    def send(self, method: str, path: str, query: Any = (), **options: Any) -> Answer:
        """Send any request; see Client.send. A request too many is sent again when it may be."""
        answer = self.client.send(method, path, query, **options)
        while answer.status == 429 and (pause := self._pause(answer)):
            self.client.clock.sleep(pause)
            answer = self.client.send(method, path, query, **options)
        self._remember(answer)
        return answer

    def _pause(self, answer: Answer) -> int:
        """The seconds that a 429 asks to wait for; 0 once the run has waited for long enough."""
        asked = answer.headers.get("retry-after", "1")
        pause = int(asked) if asked.isascii() and asked.isdigit() else 1
        self._paused += pause
        return pause if self._paused <= LONGEST_PAUSE else 0

    def eventually(self, probe: Callable[[], T], satisfied: Callable[[T], bool], what: str) -> T:
        """As expect.eventually; what a target let us wait for in vain before is given less time."""
        try:
            found = eventually(probe, satisfied, what, within=self._endurance.seconds(what))
        except Overdue:
            self._endurance.note(what, vain=True)
            raise
        self._endurance.note(what, vain=False)
        return found

    def get(self, path: str, query: Any = (), **options: Any) -> Answer:
        """Send a GET."""
        return self.send("GET", path, query, **options)

    def post(self, path: str, json: object, **options: Any) -> Answer:
        """Send a POST with a JSON body."""
        return self.send("POST", path, json=json, **options)

    def patch(self, path: str, json: object, **options: Any) -> Answer:
        """Send a PATCH with a JSON body."""
        return self.send("PATCH", path, json=json, **options)

    def delete(self, path: str, query: Any = (), **options: Any) -> Answer:
        """Send a DELETE."""
        return self.send("DELETE", path, query, **options)

    # -- the event stream -----------------------------------------------------------------------

    def handshake(self, query: Any = (), *, path: str = STREAM_PATH, **headers: Any) -> Answer:
        """Ask for the event stream; how that is answered. What was opened is closed at once."""
        exchange, wire = self.client.open(path, query, **headers)
        if wire is not None:
            wire.close()
        return Answer(exchange)

    def listen(self, query: Any = (), *, path: str = STREAM_PATH, **options: Any) -> Stream:
        """Open the event stream; see Client.open. Raises NotExercised where that is refused."""
        exchange, wire = self.client.open(path, query, **options)
        if wire is None:
            raise NotExercised(f"the event stream cannot be opened: status {exchange.status}")
        stream = Stream(
            exchange=exchange,
            wire=wire,
            clock=self.client.clock,
            endurance=self._endurance,
            watch=self.client.look,
        )
        self._streams.append(stream)
        return stream

    # -- bodies ---------------------------------------------------------------------------------

    def limit(self, **changes: Any) -> Body:
        """A valid LIMIT BUY at half the bid: it rests."""
        self.require_type(changes.get("order_type", "LIMIT").upper())
        symbol = changes.get("symbol", self.market.instrument.symbol)
        body: Body = {
            "symbol": symbol,
            "side": "BUY",
            "quantity": self._amount(symbol),
            "order_type": "LIMIT",
            "limit_price": plain(self.quote(symbol).below("0.5")),
        }
        return body | changes

    def stop(self, **changes: Any) -> Body:
        """A valid STOP BUY at twice the ask: it rests."""
        return without(self._stopped("STOP", **changes), "limit_price")

    def stop_limit(self, **changes: Any) -> Body:
        """A valid STOP_LIMIT BUY at twice the ask: it rests."""
        body = self._stopped("STOP_LIMIT", **changes)
        return body | {"limit_price": changes.get("limit_price", body["stop_price"])}

    def trailing(self, **changes: Any) -> Body:
        """A valid TRAILING_STOP BUY whose stop is at twice the ask: it rests."""
        distance = plain(self.quote(changes.get("symbol")).ask)
        body = self.limit(
            **({"order_type": "TRAILING_STOP", "trailing_distance": distance} | changes)
        )
        return without(body, "limit_price")

    def _stopped(self, order_type: str, **changes: Any) -> Body:
        price = plain(self.quote(changes.get("symbol")).above("2"))
        return self.limit(**({"order_type": order_type, "stop_price": price} | changes))

    def at_market(self, **changes: Any) -> Body:
        """A valid MARKET BUY of a small quantity."""
        return without(self.limit(order_type="MARKET", **changes), "limit_price")

    def bodies(self) -> dict[str, Body]:
        """A valid body that rests for every such order type that the target declares."""
        makers = {
            "LIMIT": self.limit,
            "STOP": self.stop,
            "STOP_LIMIT": self.stop_limit,
            "TRAILING_STOP": self.trailing,
        }
        declared = self.market.capabilities["supported_order_types"]
        found = {kind: make() for kind, make in makers.items() if kind in declared}
        if not found:
            raise NotDeclared("an order type that rests")
        return found

    def _amount(self, symbol: str) -> str:
        amounts = {one.symbol: one.amount for one in self.market.instruments}
        return amounts.get(symbol, self.market.instrument.amount)

    # -- orders ---------------------------------------------------------------------------------

    def submit(self, body: Body, **options: Any) -> Answer:
        """POST an order."""
        return self.post("/orders", body, **options)

    def accept(self, body: Body, **options: Any) -> Body:
        """POST a valid order; its handle. Raises NotExercised where money or market forbid it."""
        answer = self.submit(body, **options)
        if answer.status == 501 and body.get("time_in_force") in IMMEDIATE:
            raise NotDeclared(f"{body['time_in_force']} for {body['order_type']} orders")
        if answer.status == 422:
            reason = answer.refused(422).get("reject_reason", answer.body["code"])
            if reason == "WASH_TRADE" and self._open_orders_cancelled():
                return self.accept(body, **options)
            if reason in CIRCUMSTANCES:
                raise NotExercised(f"an order of {body['symbol']} was rejected: {reason}")
        handle: Body = answer.ok(201)
        return handle

    def _open_orders_cancelled(self) -> bool:
        """Cancel what the check has placed so far, for a venue that takes no opposite orders."""
        before = [self.order(order_id)["status"] for order_id in self._created]
        self._cancelled(dict.fromkeys(self._created))
        return any(status not in TERMINAL for status in before)

    def place(self, body: Body) -> Body:
        """Submit a valid order, which is none that was there before, and read it."""
        before = set(self._created)
        order_id = self.accept(body)["id"]
        that(order_id not in before, "its own id", expected="a new one", actual=order_id)
        return self.order(order_id)

    def rest(self, **changes: Any) -> Body:
        """Place a LIMIT BUY far below the market."""
        order = self.place(self.limit(**changes))
        one_of(order["status"], {"OPEN", "PENDING"}, "the status of an order that rests")
        return order

    def order(self, order_id: str) -> Body:
        """Read an order."""
        found: Body = self.get(f"/orders/{order_id}").ok()
        return found

    def cancelled(self, **changes: Any) -> Body:
        """An order that was placed and cancelled."""
        order = self.rest(**changes)
        result: Body = self.delete(f"/orders/{order['id']}").ok()
        return self.settled(result["order"]["id"])

    def ended(self, order_id: str) -> Body:
        """The order once it is terminal, which it must become."""
        return self.eventually(
            lambda: self.order(order_id),
            lambda order: order["status"] in TERMINAL,
            "the order becomes terminal",
        )

    def settled(self, order_id: str) -> Body:
        """The order once it is terminal; raises NotExercised if the market keeps it open."""
        try:
            return self.ended(order_id)
        except Overdue:
            status = self.order(order_id)["status"]
            raise NotExercised(f"order {order_id} does not end: it is {status} still") from None

    def fill(self, **changes: Any) -> Body:
        """Send a MARKET order and wait for its fill; raises NotExercised if it does not fill."""
        order = self.settled(self.place(self.at_market(**changes))["id"])
        if order["status"] != "FILLED":
            raise NotExercised(f"a MARKET order ended as {order['status']}, not FILLED")
        return order

    def trades(self, order_id: str) -> list[Body]:
        """The trades of an order, oldest first."""
        found = self.listed("/trades", order_id=order_id)
        found.reverse()
        return sorted(found, key=lambda trade: moment(trade["timestamp"]))

    def orders(self, **filters: Any) -> list[Body]:
        """GET /orders."""
        return self.listed("/orders", **filters)

    def history(self, **filters: Any) -> list[Body]:
        """GET /orders/history."""
        return self.listed("/orders/history", **filters)

    def listed(self, path: str, **filters: Any) -> list[Body]:
        """GET a list; where MOST is above the target's own bound, what it lists by default."""
        answer = self.get(path, filters)
        if filters.get("limit") == MOST and answer.status == 400:
            answer = self.get(path, {key: filters[key] for key in filters if key != "limit"})
        found: list[Body] = answer.ok()
        return found

    # -- positions and account ------------------------------------------------------------------

    def positions(self, symbol: str) -> list[Body]:
        """The open positions of a symbol."""
        found: list[Body] = self.get("/positions", {"symbol": symbol}).ok()
        return found

    def position(self, symbol: str) -> Body:
        """The only position of a symbol."""
        found = self.positions(symbol)
        equal(len(found), 1, f"the number of positions in {symbol}")
        return found[0]

    def flat(self) -> Instrument:
        """An instrument without a position, so that what a check does there can be told."""
        for instrument in self.market.instruments:
            held = {one["symbol"] for one in self.positions(instrument.symbol)}
            if instrument.symbol not in held:
                return instrument
        raise NotOffered("every symbol has a position already; name another with --symbol")

    def account(self) -> dict[str, Decimal]:
        """The figures of the account."""
        body = self.get("/account").ok()
        return {name: dec(body[name], name) for name in FIGURES}

    # -- what the target can do -----------------------------------------------------------------

    def require_type(self, order_type: str) -> None:
        """Raise NotDeclared unless the target lists the order type."""
        if order_type not in self.market.capabilities["supported_order_types"]:
            raise NotDeclared(f"order type {order_type}")

    def require(self, feature: str) -> None:
        """Raise NotDeclared unless the target lists the feature."""
        if not self.market.declares(feature):
            raise NotDeclared(f"feature {feature}")

    def quote(self, symbol: str | None = None) -> Quote:
        """The quote in force now."""
        return self.market.quote(symbol)

    # -- leaving no trace -----------------------------------------------------------------------

    def _remember(self, answer: Answer) -> None:
        operation = answer.exchange.operation
        if operation is None or not 200 <= answer.status < 300:
            return
        if operation.id in {"submit_order", "close_position", "close_all_positions"}:
            self._created += answer.exchange.ids()
        sent = answer.exchange.sent_json()
        given = sent.keys() if isinstance(sent, dict) else set()
        self._exits = self._exits or not given.isdisjoint({"stop_loss", "take_profit"})

    def clean_up(self) -> None:
        """Cancel every order made, and trade back what they bought or sold.

        Raises Failure where that does not succeed for one of them, after it did for the others.
        """
        while self._streams:
            self._streams.pop().close()
        mine = self._cancelled(dict.fromkeys(self._created))
        if self._exits:
            mine |= self._cancelled(self._exits_of(mine))
        unclean, self._unclean, self._exits = self._unclean, [], False
        try:
            if any(dec(order["filled_quantity"]) for order in mine.values()):
                self._undo(mine)
        finally:
            self._created = []
        for failure in unclean:
            raise failure

    def _undo(self, filled: Mapping[str, Body]) -> None:
        if self.hedges:
            self._close({order["position_id"] for order in filled.values()})
            return
        for symbol, quantity in _net(filled.values()).items():
            if quantity:
                self._trade_back(symbol, quantity)

    @property
    def hedges(self) -> bool:
        """Whether each opening order makes a position of its own."""
        declared: str = self.market.capabilities["position_mode"]
        return declared == "HEDGING"

    def _cancelled(self, order_ids: Iterable[str]) -> dict[str, Body]:
        """Those of the orders that could be cancelled or had ended before, by id."""
        found = {}
        ended = {*TERMINAL, "PENDING_CANCEL"}
        for order_id in order_ids:
            try:
                found[order_id] = self._after_cancel(order_id)
                one_of(found[order_id]["status"], ended, f"order {order_id} once it is cancelled")
            except Failure as failure:
                self._unclean.append(failure)
        return found

    def _after_cancel(self, order_id: str) -> Body:
        answer = self.delete(f"/orders/{order_id}")
        if answer.status == 200:
            cancelled: Body = answer.ok()["order"]
            return cancelled
        # Some servers refuse to cancel what is filled; what it filled must be known all the same.
        return self.order(order_id)

    def _exits_of(self, orders: Mapping[str, Body]) -> list[str]:
        """The exits that the server made for some orders or for the positions they made."""
        positions = {order["position_id"] for order in orders.values()} - {None}
        since = min((order["created_at"] for order in orders.values()), default=None)
        if since is None:
            return []
        window = {"since": since, "limit": MOST}
        return [
            one["id"]
            for one in self.orders(**window) + self.history(**window)
            if one["id"] not in orders
            and one["reduce_only"]
            and (one["parent_order_id"] in orders or one["position_id"] in positions)
        ]

    def _close(self, position_ids: set[str | None]) -> None:
        for position in self.get("/positions").ok():
            if position["id"] in position_ids:
                self.settled(self.delete(f"/positions/{position['id']}").ok()["id"])

    def _trade_back(self, symbol: str, quantity: Decimal) -> None:
        side, amount = ("SELL" if quantity > 0 else "BUY"), plain(abs(quantity))
        try:
            self.fill(symbol=symbol, side=side, quantity=amount)
        except NotExercised:
            # Orders that rest may bind the margin that an order needs; a close needs none.
            position = self.position(symbol)
            left = plain(min(abs(quantity), dec(position["quantity"])))  # a part may have traded
            handle = self.delete(f"/positions/{position['id']}", json={"quantity": left}).ok()
            self.settled(handle["id"])


def _net(orders: Iterable[Body]) -> Mapping[str, Decimal]:
    """What some orders bought less what they sold, by symbol."""
    net: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders:
        sign = 1 if order["side"] == "BUY" else -1
        net[order["symbol"]] += sign * dec(order["filled_quantity"])
    return net


def without(body: Mapping[str, Any], *fields: str) -> Body:
    """A copy of a body without some fields."""
    return {key: value for key, value in body.items() if key not in fields}
